"""Certifying votes of many outputs: seconds and peak memory by number of outputs, and how they grow.

    python benchmarks/collective_scale.py                  10⁴, 10⁵ and 10⁶ outputs, a table
    python benchmarks/collective_scale.py --quick --json   10⁴ and 10⁵ outputs, a list of {"case", "seconds", …}

The votes are made up: 10,000 samples over 8 classes, a quarter of the outputs unanimous, 50 clusters of equal size that see
each other through five levels of feature noise. Each case runs in a process of its own, whose largest resident memory is
reported; "above_start_gib" is what it takes beyond the imported package and the votes. "exponent" fits the processor
seconds of one case, which a busy machine changes little, against the number of outputs. Collective methods sweep 30
budgets, 0 … 14 additions and 0 … 14 deletions, with 4 seconds per budget and search.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np

import graphcert as gc

OUTPUTS, QUICK = (10**4, 10**5, 10**6), (10**4, 10**5)
CLUSTERS, LEVELS, CLASSES, SAMPLES, PILOT = 50, 5, 8, 10_000, 1000
SWEEPS, LIMIT = ({"add": range(15)}, {"delete": range(15)}), 4.0


def scheme(outputs: int) -> gc.Smoothing:
    """Blocks of consecutive nodes on a ring, in five levels by distance."""
    rates = zip(np.linspace(0.05, 0.08, LEVELS), np.linspace(0.65, 0.95, LEVELS), strict=True)
    laws = [gc.BernoulliFlip(float(add), float(delete)) for add, delete in rates]
    apart = np.abs(np.arange(CLUSTERS)[:, None] - np.arange(CLUSTERS))
    partition = gc.Partition.of_affinity(
        np.arange(outputs) * CLUSTERS // outputs, -np.minimum(apart, CLUSTERS - apart).astype(float)
    )
    return gc.Smoothing(features=[laws[k * LEVELS // CLUSTERS] for k in range(CLUSTERS)], partition=partition)


def made_up(outputs: int) -> gc.Votes:
    """Votes of outputs whose label is sure for a quarter of them, and the rest of the others shared unevenly."""
    rng = np.random.default_rng(0)
    sure = np.where(rng.random(outputs) < 0.25, 1.0, 1 - 0.5 * rng.beta(0.4, 3.0, outputs))
    rest = rng.dirichlet(np.full(CLASSES - 1, 0.5), outputs) * (1 - sure)[:, None]
    p = np.concatenate([sure[:, None], rest], axis=1)
    p /= p.sum(axis=1, keepdims=True)
    return gc.Votes(rng.multinomial(PILOT, p), rng.multinomial(SAMPLES, p), scheme(outputs), independent=True)


def cases(votes: gc.Votes, method: str, folder: Path) -> dict[str, Callable[[], object]]:
    """What is timed, by name; `method` is the rule."""

    def certificate() -> gc.Certificate:
        return gc.certify(votes, method=method)

    def collective(name: str) -> object:
        made, options = certificate(), {"method": name, "time_limit": LIMIT, "proofs": name == "tight"}
        return [made.collective(**sweep, **options) for sweep in SWEEPS]  # type: ignore[arg-type]

    return {
        "save and load the votes": lambda: (votes.save(folder / "again.npz"), gc.Votes.load(folder / "again.npz")),
        "certify": certificate,
        "certify, grid of 15 × 15 budgets": lambda: certificate().grid(range(15), range(15)),
        "certify, save and load": lambda: (certificate().save(folder / "c.npz"), gc.Certificate.load(folder / "c.npz")),
        "report": lambda: certificate().report(folder / "report.html"),
        **{f"collective, {name}": lambda name=name: collective(name) for name in ("naive", "lp", "tight-lp", "tight")},
    }  # fmt: skip


def one_case(path: str, name: str, method: str) -> None:
    """Measure one case in this process."""
    warnings.simplefilter("ignore")
    small = made_up(500)
    with tempfile.TemporaryDirectory() as folder:
        cases(small, method, Path(folder))[name]()  # compile
        votes = gc.Votes.load(path)
        started = _peak()
        began, busy = time.perf_counter(), time.process_time()
        found = cases(votes, method, Path(folder))[name]()
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
    row = {
        "seconds": round(seconds, 2),
        "processor_seconds": round(busy, 2),
        "peak_gib": round(_peak(), 2),
        "above_start_gib": round(_peak() - started, 2),
    }
    if name.startswith("collective"):
        row |= {"mean_certified_ratio": round(float(np.mean([curve.ratio.mean() for curve in found])), 4)}  # type: ignore[attr-defined]
        row |= {"open_gaps": int(sum((curve.gap != 0).sum() for curve in found))}  # type: ignore[attr-defined]
    print(json.dumps(row))


def _peak() -> float:
    """GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure_all(quick: bool) -> list[dict[str, object]]:
    """Every case at every number of outputs, and the exponents of its seconds."""
    rows: list[dict[str, object]] = []
    numbers = QUICK if quick else OUTPUTS
    with tempfile.TemporaryDirectory() as folder:
        paths = {outputs: str(Path(folder) / f"{outputs}.npz") for outputs in numbers}
        for outputs, path in paths.items():
            made_up(outputs).save(path)
        for method in ("binary", "multiclass"):
            for name in cases(made_up(500), method, Path(folder)):
                found = [_measured(path, name, method) for path in paths.values()]
                seconds = [float(str(row["processor_seconds"])) for row in found]
                exponent = np.polyfit(np.log(numbers), np.log(np.maximum(seconds, 0.01)), 1)[0]
                for outputs, row in zip(numbers, found, strict=True):
                    rows.append({"case": f"{outputs:,} outputs, {method}: {name}", **row})
                rows[-1]["exponent"] = round(float(exponent), 2)
    return rows


def _measured(path: str, name: str, method: str) -> dict[str, object]:
    """One case in a process of its own."""
    call = [sys.executable, __file__, "--case", path, name, method]
    found: dict[str, object] = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    print(f"{path} {name}, {method}: {found}", file=sys.stderr)
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--case"]:
        one_case(*sys.argv[2:])
    else:
        command.run(__doc__, measure_all)
