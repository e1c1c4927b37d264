"""How often a procedure makes a false claim, and the verdict about it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from guarantee_cases import ALPHA, Case
from guarantee_table import CASES
from scipy.stats import binom, binomtest

from graphcert.votes import Votes

FALSE_ALARM = 1e-4
"""At most with this probability is any of the procedures accused that keeps its promise, all cases together."""

Planted = Callable[[Votes, Case], tuple[Votes, float]]
"""What a mistaken procedure makes of the votes of a run, and the level that it takes."""


def honest(votes: Votes, case: Case) -> tuple[Votes, float]:
    """No mistake."""
    return votes, ALPHA


def undivided(votes: Votes, case: Case) -> tuple[Votes, float]:
    """Each of the claims spends the whole of α."""
    return votes, ALPHA * case.claims


def shared_pilot(votes: Votes, case: Case) -> tuple[Votes, float]:
    """The final votes choose the labels."""
    return Votes(votes.counts.copy(), votes.counts, votes.smoothing, independent=True), ALPHA


class Count(NamedTuple):
    """Of so many runs, `false` made a false claim."""

    false: int
    runs: int

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper and Pearson's interval of the share, at 99 %."""
        low, high = binomtest(self.false, self.runs).proportion_ci(0.99, "exact")
        return float(low), float(high)

    @property
    def accused(self) -> bool:
        """Whether so many false claims are too unlikely under an error rate of α; `FALSE_ALARM` is shared by all cases."""
        return bool(binom.sf(self.false - 1, self.runs, ALPHA) <= FALSE_ALARM / len(CASES))


def counted(case: Case, runs: int, rng: np.random.Generator, procedure: Planted = honest) -> Count:
    """Draw, certify and compare with the truth, so many times."""
    made = (procedure(votes, case) for votes in case.draw(rng, runs))
    return Count(sum(case.false(votes, level) for votes, level in made), runs)


def line(case: Case, count: Count) -> str:
    """One row of the table."""
    low, high = count.interval
    verdict = "ACCUSED" if count.accused else "kept"
    return f"{case.name:42} {count.false:5} / {count.runs}   [{low:.4f}, {high:.4f}]   {verdict}"
