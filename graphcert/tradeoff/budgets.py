"""The trade-offs of a whole budget under a smoothing scheme."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from math import comb, prod
from typing import NamedTuple

from graphcert.noise import BernoulliFlip, Budget, Scheme, Selected, SubsetAblation
from graphcert.noise.dominance import dominating, undominated
from graphcert.noise.laws import Law
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.dispatch import trade_off
from graphcert.tradeoff.escape import escape, selection_escape

_SILENT = BernoulliFlip(0.0, 0.0)
"""The law of a channel that is not perturbed: it shows every change, so it certifies nothing but the zero budget."""

MOST_ALLOCATIONS = 256
"""How many ways to spread a budget over incomparable levels are tried one by one."""


class _Channel(NamedTuple):
    """What an adversary may change in one channel, and the levels at which it may pay to do so."""

    laws: tuple[Law, ...]
    add: int
    delete: int
    nodes: int | None = None
    shift: float = 0.0


@lru_cache(maxsize=2048)
def budget_trade_offs(
    smoothing: Scheme, budget: Budget, shift: float = 0.0, graph_nodes: int | None = None
) -> tuple[TradeOff, ...]:
    """Trade-offs such that a node robust under every one of them is robust against every use of the budget.

    Isotropic smoothing has one: the exact trade-off of features and edges together. Under localized smoothing the
    adversary also chooses the blocks, and so the levels. Bits at a level that another level dominates are better spent
    there, so only undominated levels count: usually one, the group's own cluster. If there are more, every way to spread
    the budget over them is one trade-off; if these are too many, the single one that spends the whole budget at every
    undominated level at once, which is sound and looser.

    Under hierarchical smoothing changed rows are spread too, as many as there can be, δ_i = 1 − Π_j s_ij^(r_j): given the
    bits at each level, the rows are worst where selection is rarest (theory, section 6).

    Args:
        smoothing: any scheme.
        budget: counts, and the most nodes whose features change.
        shift: ℓ2 or ℓ1 norm of the change of features under Gaussian or uniform noise; the whole of it at the worst level.
        graph_nodes: N, which only `SubsetAblation` needs to know.

    Raises:
        InputError: if the budget is no measure of changes under the noise.
        UnsupportedError: if the budget is too large for exact arithmetic.
    """
    rows = budget.nodes
    bits = (0, 0) if rows == 0 else (budget.feature_add, budget.feature_delete)
    features = _Channel(_levels(smoothing, "features", graph_nodes), *bits, rows, shift)
    edges = _Channel(_levels(smoothing, "edges"), budget.edge_add, budget.edge_delete)
    ways = prod(comb(n + len(c.laws) - 1, n) for c in (features, edges) for n in (c.add, c.delete))
    if ways > MOST_ALLOCATIONS:
        return (_corner(features) * _corner(edges),)
    return tuple(f * e for f, e in product(_allocations(features), _allocations(edges)))


def _levels(smoothing: Scheme, channel: str, graph_nodes: int | None = None) -> tuple[Law, ...]:
    levels = smoothing.levels(channel)
    if not levels:
        return (_SILENT,)
    if isinstance(levels[0], SubsetAblation):
        return (levels[0] if graph_nodes is None else levels[0].among(graph_nodes),)
    if isinstance(levels[0], BernoulliFlip) or isinstance(getattr(levels[0], "law", None), BernoulliFlip):
        return undominated(levels)
    return (dominating(levels),)  # changes that are not counted are not spread either


def _allocations(channel: _Channel) -> list[TradeOff]:
    """One trade-off for every way to spread the additions and the deletions over the levels."""
    laws, add, delete, nodes, shift = channel
    if len(laws) == 1:
        return [trade_off(laws[0], add, delete, nodes, shift)]
    found = []
    for adds, deletes in product(_compositions(add, len(laws)), _compositions(delete, len(laws))):
        rows = _rarest(laws, [a + d for a, d in zip(adds, deletes, strict=True)], nodes)
        if rows is not None:
            found.append(_product(trade_off(*part) for part in zip(laws, adds, deletes, rows, strict=True)))
    return found


def _rarest(laws: tuple[Law, ...], bits: list[int], nodes: int | None) -> list[int] | None:
    """How many rows change at each level, given the bits there; None if there are more levels with bits than rows.

    A level with b bits takes 1 to b rows; those beyond the first go where a row is selected with the smallest probability.
    """
    if nodes is None:
        return bits
    rows = [min(b, 1) for b in bits]
    left = nodes - sum(rows)
    if left < 0:
        return None
    for level in sorted(range(len(laws)), key=lambda i: _select(laws[i])):
        more = min(left, bits[level] - rows[level])
        rows[level], left = rows[level] + more, left - more
    return rows


def _corner(channel: _Channel) -> TradeOff:
    """The whole budget at every level at once, all of its rows where selection is rarest."""
    laws, add, delete, nodes, shift = channel
    if len(laws) == 1:
        return trade_off(laws[0], add, delete, nodes, shift)
    everywhere = _product(trade_off(_unselected(law), add, delete) for law in laws)
    rows = add + delete if nodes is None else min(nodes, add + delete)
    return escape(everywhere, selection_escape(min(map(_select, laws)), rows))


def _select(law: Law) -> float:
    return law.select if isinstance(law, Selected) else 1.0


def _unselected(law: Law) -> Law:
    return law.law if isinstance(law, Selected) else law


def _product(parts: Iterable[TradeOff]) -> TradeOff:
    first, *rest = parts
    return prod(rest, start=first)


def _compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    """All ways to write `total` as an ordered sum of `parts` numbers ≥ 0."""
    if parts == 1:
        return [(total,)]
    return [(first, *rest) for first in range(total + 1) for rest in _compositions(total - first, parts - 1)]
