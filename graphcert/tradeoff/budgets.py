"""The trade-offs of a whole budget under a smoothing scheme."""

from functools import lru_cache
from itertools import product
from math import comb, prod

from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.noise.dominance import undominated
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.dispatch import trade_off

_SILENT = BernoulliFlip(0.0, 0.0)
"""The law of a channel that is not perturbed: it shows every change, so it certifies nothing but the zero budget."""

MOST_ALLOCATIONS = 256
"""How many ways to spread a budget over incomparable levels are tried one by one."""


@lru_cache(maxsize=2048)
def budget_trade_offs(smoothing: Smoothing, budget: Budget) -> tuple[TradeOff, ...]:
    """Trade-offs such that a node robust under every one of them is robust against every use of the budget.

    Isotropic smoothing has one: the exact trade-off of features and edges together. Under localized smoothing the
    adversary also chooses the blocks, and so the levels. Bits at a level that another level dominates are better spent
    there, so only undominated levels count: usually one, the group's own cluster. If there are more, every way to spread
    the budget over them is one trade-off; if these are too many, the single one that spends the whole budget at every
    undominated level at once, which is sound and looser.

    Raises:
        UnsupportedError: if the budget is too large for exact arithmetic.
    """
    channels = (
        (_levels(smoothing, "features"), budget.feature_add, budget.feature_delete),
        (_levels(smoothing, "edges"), budget.edge_add, budget.edge_delete),
    )
    ways = prod(comb(n + len(laws) - 1, n) for laws, *amounts in channels for n in amounts)
    if ways > MOST_ALLOCATIONS:
        corner: list[TradeOff] = [trade_off(law, add, delete) for laws, add, delete in channels for law in laws]
        return (prod(corner[1:], start=corner[0]),)
    spread = [_allocations(laws, add, delete) for laws, add, delete in channels]
    return tuple(features * edges for features, edges in product(*spread))


def _levels(smoothing: Smoothing, channel: str) -> tuple[BernoulliFlip, ...]:
    return undominated(smoothing.levels(channel)) or (_SILENT,)


def _allocations(laws: tuple[BernoulliFlip, ...], add: int, delete: int) -> list[TradeOff]:
    """One trade-off for every way to spread the additions and the deletions over the levels."""
    found = []
    for adds, deletes in product(_compositions(add, len(laws)), _compositions(delete, len(laws))):
        parts = [trade_off(law, a, d) for law, a, d in zip(laws, adds, deletes, strict=True)]
        found.append(prod(parts[1:], start=parts[0]))
    return found


def _compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    """All ways to write `total` as an ordered sum of `parts` numbers ≥ 0."""
    if parts == 1:
        return [(total,)]
    return [(first, *rest) for first in range(total + 1) for rest in _compositions(total - first, parts - 1)]
