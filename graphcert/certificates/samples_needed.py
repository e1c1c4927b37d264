"""Whether a number of samples can prove anything against a budget, whatever the votes are (theory section 10)."""

from bisect import bisect_left
from collections.abc import Iterable
from contextlib import suppress
from itertools import product
from typing import TYPE_CHECKING

from graphcert.certificates.budget_grid import within
from graphcert.errors import UnsupportedError
from graphcert.noise import Budget

if TYPE_CHECKING:
    from graphcert.certificates.node_claims import NodeClaims

MOST_SAMPLES = 2**30
"""More than anybody draws; a budget that needs more is beyond the noise and not beyond the samples."""


def out_of_reach(claims: "NodeClaims", budgets: Iterable[Budget], shifts: Iterable[float] = (0.0,)) -> str | None:
    """One sentence if even unanimous votes of so many samples prove nothing against any of the budgets, but more would.

    Budgets and shifts count in all combinations; where some that change nothing stand beside others, as at the beginning of
    an axis, the others count. The sentence names the number of samples that would do. None if something is in reach, or not
    even `MOST_SAMPLES` would do, so that the noise is too weak and not the number of samples too small.
    """
    asked = list(product(budgets, shifts))
    least = _least(
        [(budget, shift) for budget, shift in asked if any(budget.as_tuple()) or budget.nodes or shift] or asked
    )

    if reached(claims, claims.samples, least):
        return None
    needed = fewest_samples(claims, least, claims.samples + 1)
    if needed is None:
        return None
    many = "any budget that is asked for" if len(asked) > 1 else "the budget that is asked for"
    against = f"against {many}" if asked != [(Budget(), 0.0)] else "even without any change"
    scope = f"all {claims.claims:,} claims together" if claims.simultaneous else "each claim"
    return (
        f"{claims.samples:,} samples are too few: at alpha = {claims.alpha:g} for {scope}, unanimous votes would "
        f"prove nothing {against}; take at least {needed:,} samples, and some more as votes are seldom unanimous"
    )


def reached(claims: "NodeClaims", samples: int, asked: Iterable[tuple[Budget, float]]) -> bool:
    """Whether unanimous votes of so many samples prove something against any of these budgets and shifts."""
    best = claims._unanimous(samples)
    for budget, shift in asked:
        with suppress(UnsupportedError):  # beyond exact arithmetic
            if best._kept(budget, shift).any():
                return True
    return False


def fewest_samples(claims: "NodeClaims", asked: list[tuple[Budget, float]], at_least: int = 1) -> int | None:
    """The fewest samples, of at least so many, for which `reached` holds; None if not even `MOST_SAMPLES` are enough."""
    if not reached(claims, MOST_SAMPLES, asked):
        return None
    return bisect_left(range(MOST_SAMPLES), True, at_least, key=lambda samples: reached(claims, samples, asked))


def _least(asked: list[tuple[Budget, float]]) -> list[tuple[Budget, float]]:
    """Those within which no other one lies."""
    kept: list[tuple[Budget, float]] = []
    for budget, shift in sorted(
        dict.fromkeys(asked), key=lambda one: (sum(one[0].as_tuple()), one[0].nodes or 0, one[1])
    ):
        if not any(within(small, budget) and less <= shift for small, less in kept):
            kept.append((budget, shift))
    return kept
