"""Certified segmentation of a million components against a plain loop over them, in one run and on one thread.

    python benchmarks/segmentation.py                  a table
    python benchmarks/segmentation.py --quick --json   a list of {"case", "ratio", …}

The loop asks scipy for one binomial test per component and statsmodels for Holm's procedure; it is timed on a part of the
components and scaled up. Both sides take turns, and each is judged by its fastest turn.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np
from scipy.stats import binomtest
from statsmodels.stats.multitest import multipletests

import graphcert as gc

COMPONENTS, CLASSES, TAU, ALPHA = 10**6, 19, 0.75, 0.001


def votes(samples: int, rng: np.random.Generator) -> np.ndarray:
    """(M, K) counts: a likely class per component, the rest spread over two others."""
    counts = np.zeros((COMPONENTS, CLASSES), np.int32)
    rows, label = np.arange(COMPONENTS), rng.integers(0, CLASSES, COMPONENTS)
    hits = rng.binomial(samples, rng.beta(4, 0.5, COMPONENTS))
    counts[rows, label] = hits
    counts[rows, (label + 1) % CLASSES] = (samples - hits) // 2
    counts[rows, (label + 2) % CLASSES] = samples - hits - (samples - hits) // 2
    return counts


def plainly(pilot: np.ndarray, counts: np.ndarray) -> np.ndarray:
    labels = pilot.argmax(axis=1)
    p_values = [
        binomtest(int(row[y]), int(row.sum()), TAU, "greater").pvalue for row, y in zip(counts, labels, strict=True)
    ]
    return ~multipletests(p_values, ALPHA, method="holm")[0]


def measure(samples: int, rounds: int, part: int) -> dict[str, object]:
    counts = votes(samples, np.random.default_rng(0))
    ours, theirs = [], []
    for turn in range(rounds):
        began = time.perf_counter()
        # Only the time counts here, so that a copy may stand for pilot votes.
        found = gc.seg_certify(counts.copy(), counts, TAU, ALPHA, sigma=0.25, independent=True)
        ours.append(time.perf_counter() - began)
        piece = counts[turn * part : (turn + 1) * part]
        began = time.perf_counter()
        plainly(piece, piece)
        theirs.append((time.perf_counter() - began) * COMPONENTS / part)
    return {
        "case": f"{COMPONENTS:,} components, {CLASSES} classes, {samples:,} samples, Holm",
        "ratio": round(min(theirs) / min(ours), 1),
        "seconds": round(min(ours), 3),
        "loop_seconds": round(min(theirs), 1),
        "certified_ratio": round(float((~found.abstained).mean()), 4),
    }


def measure_all(quick: bool) -> list[dict[str, object]]:
    rounds, part = (3, 2000) if quick else (7, 5000)
    return [measure(samples, rounds, part) for samples in (300, 10_000)]


if __name__ == "__main__":
    command.run(__doc__, measure_all)
