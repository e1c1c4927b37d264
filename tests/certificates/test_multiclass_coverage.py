"""How often pilot, votes and certificate make a false claim, where all class probabilities are known (theory section 10).

A run draws the pilot and the final votes of M independent nodes and certifies all of them at α. A bound fails if it is on
the wrong side of the truth: the label's lower bound above its probability, or the bound of the other classes below that of
the most likely one of them. A claim is false if it is made about a budget under which the worst base classifier with these
very probabilities loses the label. Where no bound fails no claim is false, so both happen in at most a share α of the runs.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from seeds import fresh_rng

from graphcert.certificates import certify
from graphcert.core.arrays import Floats, Integers
from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.statistics import clopper_pearson_lower, clopper_pearson_upper
from graphcert.tradeoff import budget_trade_offs
from graphcert.votes import Votes

NODES, PILOT, SAMPLES, ALPHA = 8, 30, 2_000, 0.1
FLIPS = Smoothing(BernoulliFlip(0.05, 0.6))
SEEN = [budget_trade_offs(FLIPS, Budget(*budget), 0.0, 1)[0] for budget in [(0, 0), (0, 1), (0, 3), (1, 0)]]


class Runs(NamedTuple):
    """R repetitions of M nodes with class probabilities `p` (M, K); counts are (R, M, K)."""

    p: Floats
    pilot: Integers
    counts: Integers

    @classmethod
    def drawn(cls, p: Floats, repetitions: int) -> "Runs":
        rng, nodes = fresh_rng(), np.tile(p, (NODES, 1))
        pilot, counts = (rng.multinomial(n, nodes, (repetitions, NODES)) for n in (PILOT, SAMPLES))
        return cls(nodes, pilot, counts)

    def failures(self, p_lower: Floats, p_other: Floats) -> tuple[int, int]:
        """The repetitions in which any bound (R, M) fails, and those in which anything false is claimed."""
        labels, truth = self.pilot.argmax(axis=2)[..., None], np.broadcast_to(self.p, self.counts.shape)
        of_label = np.take_along_axis(truth, labels, axis=2)[..., 0]
        others = np.where(labels == np.arange(self.p.shape[1]), 0.0, truth).max(axis=2)
        false = [
            (seen.lower(p_lower) > seen.upper(p_other)) & (seen.lower(of_label) <= seen.upper(others)) for seen in SEEN
        ]
        wrong = (p_lower > of_label) | (p_other < others)
        return int(wrong.any(axis=1).sum()), int(np.any(false, axis=(0, 2)).sum())


def certified(runs: Runs, share: float | None, alpha: float = ALPHA) -> tuple[Floats, Floats]:
    """The bounds of `certify`: all repetitions as if they were one graph, at the level of M nodes."""
    pilot, counts = (array.reshape(-1, array.shape[2]) for array in (runs.pilot, runs.counts))
    found = certify(Votes(pilot, counts, FLIPS), alpha / NODES, False, method="multiclass", label_share=share)
    return found.p_lower.reshape(-1, NODES), found.p_other_upper.reshape(-1, NODES)


def by_the_pilots_runner_up(runs: Runs) -> tuple[Floats, Floats]:
    """The wrong rule: label and runner-up are those of the pilot, and only these two are bounded."""
    first, second = (np.argsort(-runs.pilot, axis=2, kind="stable")[..., [place]] for place in (0, 1))
    of_label, of_second = (np.take_along_axis(runs.counts, k, axis=2)[..., 0] for k in (first, second))
    level = ALPHA / NODES / 2
    return clopper_pearson_lower(of_label, SAMPLES, level), clopper_pearson_upper(of_second, SAMPLES, level)


def flat(classes: int) -> Floats:
    return np.full(classes, 1 / classes)


def two_rivals(classes: int) -> Floats:
    return np.array([0.4, 0.35, *[0.25 / (classes - 2)] * (classes - 2)])


def many_rivals(classes: int) -> Floats:
    return np.array([0.4, *[0.6 / (classes - 1)] * (classes - 1)])


def near_ties(classes: int) -> Floats:
    p = 1 + 0.02 * np.arange(classes)[::-1]
    return p / p.sum()


def clear(classes: int) -> Floats:
    return np.array([0.9, 0.07, *[0.03 / (classes - 2)] * (classes - 2)])


def misleading(classes: int) -> Floats:
    """The most likely class is often missed by the pilot, and the others are far behind."""
    return np.array([0.3, 0.32, *[0.38 / (classes - 2)] * (classes - 2)])


CASES: list[Callable[[int], Floats]] = [flat, two_rivals, many_rivals, near_ties, clear, misleading]


def interval(failures: int, repetitions: int, level: float = 1e-6) -> tuple[float, float]:
    """Clopper–Pearson bounds of the share of failing runs; each side is wrong with probability at most `level`."""
    low, high = (bound(failures, repetitions, level) for bound in (clopper_pearson_lower, clopper_pearson_upper))
    return float(low), float(high)


def failing(case: Callable[[int], Floats], classes: int, share: float | None, repetitions: int) -> int:
    """The runs of one case in which a bound fails; prints what was counted."""
    runs = Runs.drawn(case(classes), repetitions)
    bounds, claims = runs.failures(*certified(runs, share))
    low, high = interval(bounds, repetitions)
    print(
        f"{case.__name__}, K = {classes}, share {share}: {claims} false, {bounds} failing, in [{low:.4f}, {high:.4f}]"
    )
    assert claims <= bounds
    return bounds


@pytest.mark.parametrize("classes", [3, 5, 10])
@pytest.mark.parametrize("case", CASES)
def test_a_false_claim_is_as_rare_as_promised(case: Callable[[int], Floats], classes: int) -> None:
    """300 runs; a rule that fails in a share α of all runs is accused with probability at most 1e-6."""
    assert interval(failing(case, classes, None, 300), 300)[0] <= ALPHA


@pytest.mark.slow
@pytest.mark.parametrize("share", [None, 0.2, 0.8])
@pytest.mark.parametrize("classes", [3, 5, 10])
@pytest.mark.parametrize("case", CASES)
def test_a_false_claim_is_as_rare_as_promised_over_5000_runs(
    case: Callable[[int], Floats], classes: int, share: float | None
) -> None:
    """The same false alarms, at most 1e-6 in each of 54 cases."""
    assert interval(failing(case, classes, share, 5_000), 5_000)[0] <= ALPHA


REPETITIONS = [300, pytest.param(5_000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("repetitions", REPETITIONS)
def test_trap_04_the_pilots_runner_up_alone_is_caught(repetitions: int) -> None:
    """Where pilot and truth often disagree, most runs claim the label of a class that is not the most likely one."""
    runs = Runs.drawn(misleading(4), repetitions)
    _, claims = runs.failures(*by_the_pilots_runner_up(runs))
    print(f"runner-up only: {claims} of {repetitions} false, in {interval(claims, repetitions)}")
    assert interval(claims, repetitions)[0] > ALPHA
    assert interval(runs.failures(*certified(runs, None))[0], repetitions)[0] <= ALPHA


@pytest.mark.parametrize("repetitions", REPETITIONS)
def test_a_level_that_is_not_divided_among_nodes_is_caught(repetitions: int) -> None:
    """At four times the level the same count of failing runs shows it."""
    runs = Runs.drawn(two_rivals(5), repetitions)
    assert interval(runs.failures(*certified(runs, None, 4 * ALPHA))[0], repetitions)[0] > ALPHA
