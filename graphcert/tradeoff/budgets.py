"""The trade-offs of a whole budget under a smoothing scheme, and those of one allocation of it over the blocks."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from math import comb, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arrays import Integers
from graphcert.errors import InputError
from graphcert.noise import AXES, CLEAN, BernoulliFlip, Budget, Law, ReweightedFlip, Scheme, Selected, Views
from graphcert.noise.law import undominated
from graphcert.tradeoff.base import TradeOff, trade_off
from graphcert.tradeoff.disjoint_support import selection_mass, with_disjoint_support

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
        shift: norm of the change of real features; the whole of it at the worst level.
        graph_nodes: N, which only `SubsetAblation` needs to know.
    """
    if smoothing.dropped_nodes:
        return (_beside_dropped_nodes(smoothing, budget),)
    rows = budget.nodes
    bits = (0, 0) if rows == 0 else (budget.feature_add, budget.feature_delete)
    features = _Channel(_levels(smoothing, "features", graph_nodes), *bits, rows, shift)
    channels = [features, *_edge_channels(smoothing, budget)]
    ways = prod(comb(n + len(c.laws) - 1, n) for c in channels for n in (c.add, c.delete))
    if ways > MOST_ALLOCATIONS:
        return (_product(_corner(channel) for channel in channels),)
    return tuple(_product(parts) for parts in product(*(_allocations(channel) for channel in channels)))


def _beside_dropped_nodes(smoothing: Scheme, budget: Budget) -> TradeOff:
    """Changed edges are noticed where they would survive, wherever they are, and changed features always (section 12)."""
    (edges,) = smoothing.levels("edges")
    survives = (1 - Fraction(edges.delete)) * (1 - Fraction(smoothing.dropped_nodes)) ** 2
    seen = selection_mass(1 - survives, budget.edge_add + budget.edge_delete)
    return with_disjoint_support(trade_off(CLEAN, budget.feature_add, budget.feature_delete), seen)


def _edge_channels(smoothing: Scheme, budget: Budget) -> list[_Channel]:
    """Changes of edges; apart from each other where deletions show another weight, since their levels rank otherwise."""
    levels = smoothing.levels("edges")
    if not smoothing.reweighted:
        return [_Channel(_levels(smoothing, "edges"), budget.edge_add, budget.edge_delete)]
    additions = undominated(law.flip for law in levels)
    return [
        _Channel(additions, budget.edge_add, 0),
        _Channel((ReweightedFlip.worst_deletion(levels),), 0, budget.edge_delete),
    ]


def _levels(smoothing: Scheme, channel: str, graph_nodes: int | None = None) -> tuple[Law, ...]:
    levels = smoothing.levels(channel)
    if not levels:
        return (CLEAN,)
    if levels[0].row.element == "bits":
        return undominated(levels)
    worst = type(levels[0]).worst(levels)  # changes that are not counted are not spread either
    return (worst if graph_nodes is None else worst.among(graph_nodes),)


def _allocations(channel: _Channel) -> list[TradeOff]:
    """One trade-off for every way to spread the additions and the deletions over the levels."""
    laws, add, delete, nodes, shift = channel
    if len(laws) == 1:
        return [trade_off(laws[0], add, delete, nodes, shift)]
    found = []
    for adds, deletes in product(compositions(add, len(laws)), compositions(delete, len(laws))):
        rows = _rarest(laws, [a + d for a, d in zip(adds, deletes, strict=True)], nodes)
        if rows is not None:
            found.append(_product(trade_off(*part) for part in zip(laws, adds, deletes, rows, strict=True)))
    return found


def _rarest(laws: tuple[Law, ...], bits: list[int], nodes: int | None) -> list[int] | None:
    """How many rows change at each level: 1 to b for b bits, more where selection is rarer; None if too few."""
    if nodes is None:
        return bits
    rows = [min(b, 1) for b in bits]
    left = nodes - sum(rows)
    if left < 0:
        return None
    for level in sorted(range(len(laws)), key=lambda i: laws[i].select):
        more = min(left, bits[level] - rows[level])
        rows[level], left = rows[level] + more, left - more
    return rows


def _corner(channel: _Channel) -> TradeOff:
    """The whole budget at every level at once, all of its rows where selection is rarest."""
    laws, add, delete, nodes, shift = channel
    if len(laws) == 1:
        return trade_off(laws[0], add, delete, nodes, shift)
    everywhere = _product(trade_off(law.row, add, delete) for law in laws)
    rows = add + delete if nodes is None else min(nodes, add + delete)
    return with_disjoint_support(everywhere, selection_mass(min(law.select for law in laws), rows))


def _product(parts: Iterable[TradeOff]) -> TradeOff:
    first, *rest = parts
    return prod(rest, start=first)


def compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    """All ways to write `total` as an ordered sum of `parts` numbers ≥ 0."""
    if parts <= 1:
        return [(total,) * parts]
    return [(first, *rest) for first in range(total + 1) for rest in compositions(total - first, parts - 1)]


def allocation_trade_offs(views: Views[BernoulliFlip], changes: tuple[ArrayLike, ...]) -> tuple[TradeOff, ...]:
    """What every view of a scheme of flips sees of an allocation: one exact trade-off of features and edges together.

    Args:
        changes: one array per axis of `AXES`: (J,) for features, (J, J) for edges, entry [j, k] with j ≤ k counting the
            edges between the blocks j and k; or 0 for none.
    """
    blocks = views.feature_law.shape[1]
    counts = [_counts(axis, values, blocks) for axis, values in zip(AXES, changes, strict=True)]
    found = []
    for feature_law, edge_law in zip(views.feature_law, views.edge_law, strict=True):
        parts = _parts(views.feature_laws, feature_law, *counts[:2]) + _parts(views.edge_laws, edge_law, *counts[2:])
        found.append(prod(parts[1:], start=parts[0]))
    return tuple(found)


def selected_trade_offs(
    views: Views[Selected], changes: tuple[ArrayLike, ...], rows: ArrayLike
) -> tuple[TradeOff, ...]:
    """The same under hierarchical noise, where changed rows that are not selected show themselves (theory, section 6).

    Args:
        changes: as in `allocation_trade_offs`; bits lie in changed rows. Under ablation they are not looked at.
        rows: (J,) changed rows per block.
    """
    blocks = views.feature_law.shape[1]
    changed = rows_per_block(rows, blocks)
    bits = [_counts(axis, values, blocks) for axis, values in zip(AXES[:2], changes[:2], strict=True)]
    if ((sum(bits) > 0) & (changed == 0)).any():
        raise InputError("changed bits lie in changed rows; count at least one row in every block whose bits change")
    below = views.flips_of_rows()
    found = []
    for low, law_of in zip(allocation_trade_offs(below, changes), views.feature_law, strict=True):
        selects = [views.feature_laws[law].select for law in law_of.tolist()]
        found.append(with_disjoint_support(low, rows_mass(selects, changed.tolist())))
    return tuple(found)


def rows_per_block(rows: ArrayLike, blocks: int) -> Integers:
    """(J,) touched rows of each block; `InputError` unless they are whole numbers ≥ 0."""
    return _counts("rows", rows, blocks)


def rows_mass(selects: Sequence[float], rows: Sequence[int]) -> Fraction:
    """δ = 1 − Π_j s_j^(r_j), the probability that some of r_j touched rows of each block is not selected."""
    shares = (1 - selection_mass(select, count) for select, count in zip(selects, rows, strict=True))
    return 1 - prod(shares, start=Fraction(1))


def _parts(laws: tuple[BernoulliFlip, ...], law_of: Integers, add: Integers, delete: Integers) -> list[TradeOff]:
    """One trade-off per law, for all changes that are seen under it."""
    adds, deletes = (np.bincount(law_of.ravel(), values.ravel(), len(laws)).astype(int) for values in (add, delete))
    return [trade_off(law, int(a), int(d)) for law, a, d in zip(laws, adds, deletes, strict=True)]


def _counts(axis: str, values: ArrayLike, blocks: int) -> Integers:
    shape = (blocks, blocks) if axis.startswith("edge") else (blocks,)
    array = np.asarray(values)
    if array.ndim == 0 and array == 0:
        return np.zeros(shape, np.int64)
    if array.shape != shape or not np.issubdtype(array.dtype, np.integer) or array.min() < 0:
        raise InputError(
            f"the allocation of {axis} must be whole numbers of at least 0 of shape {shape}, one per block of the "
            f"partition, got {array.dtype} of shape {array.shape}"
        )
    if len(shape) == 2 and np.tril(array, -1).any():
        raise InputError(f"the allocation of {axis} counts the edges between blocks j ≤ k at [j, k], nothing below")
    return array.astype(np.int64)
