"""Whether a number of samples can prove anything against a budget, whatever the votes are (theory section 10)."""

from collections.abc import Callable, Iterable
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

    Where budgets that change nothing stand beside others, as at the beginning of an axis, the others count.

    Args:
        claims: the certificate that is asked.
        budgets, shifts: in all combinations.

    Returns:
        The sentence names the number of samples that would do. None if something is in reach, or no number of samples up
        to `MOST_SAMPLES` would do, so that the noise is too weak and not the number of samples too small.
    """
    asked = list(product(budgets, shifts))
    least = _least(
        [(budget, shift) for budget, shift in asked if any(budget.as_tuple()) or budget.nodes or shift] or asked
    )

    def reached(samples: int) -> bool:
        best = claims._unanimous(samples)
        return any(_survives(best, budget, shift) for budget, shift in least)

    if reached(claims.samples) or not reached(MOST_SAMPLES):
        return None
    needed = _first(reached, claims.samples, MOST_SAMPLES)
    many = "any budget that is asked for" if len(asked) > 1 else "the budget that is asked for"
    against = f"against {many}" if asked != [(Budget(), 0.0)] else "even without any change"
    scope = f"all {claims.claims:,} claims together" if claims.simultaneous else "each claim"
    return (
        f"{claims.samples:,} samples are too few: at alpha = {claims.alpha:g} for {scope}, unanimous votes would "
        f"prove nothing {against}; take at least {needed:,} samples, and some more as votes are seldom unanimous"
    )


def _least(asked: list[tuple[Budget, float]]) -> list[tuple[Budget, float]]:
    """Those within which no other one lies."""
    kept: list[tuple[Budget, float]] = []
    for budget, shift in sorted(
        dict.fromkeys(asked), key=lambda one: (sum(one[0].as_tuple()), one[0].nodes or 0, one[1])
    ):
        if not any(within(small, budget) and less <= shift for small, less in kept):
            kept.append((budget, shift))
    return kept


def _survives(claims: "NodeClaims", budget: Budget, shift: float) -> bool:
    try:
        return bool(claims._kept(budget, shift).any())
    except UnsupportedError:  # beyond exact arithmetic
        return False


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number at which it holds; it does not at `low`, and does at `high` and from some number on."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
