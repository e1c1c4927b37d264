"""Where an adversary can spend a budget under a scheme, as independent parts of atoms (theory, sections 2, 3, 6 and 8)."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import comb, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError
from graphcert.verification.atoms import Disjoint, Flips, Part, Reweighted
from graphcert.verification.enclosures import power_down
from graphcert.verification.schemes import REAL, Law, Views, undominated

Integers = NDArray[np.int64]
Parts = tuple[Part, ...]

MOST_WAYS = 1024
"""So many ways to spread a budget over incomparable levels are looked at one by one; beyond, it is spent at all of them."""

SEEN = (Disjoint(Fraction(1)),)
"""What proves nothing: every change is seen."""


class Budget(NamedTuple):
    """How much an adversary may change; `nodes` limits the rows whose features change, None for no limit."""

    feature_add: int = 0
    feature_delete: int = 0
    edge_add: int = 0
    edge_delete: int = 0
    nodes: int | None = None


def placements(views: Views, budget: Budget) -> list[Parts]:
    """Trade-offs, as their parts, such that what survives each of them survives every use of the budget, for every group.

    Every group sees every law of a channel somewhere. Changes under a law that another one dominates are better made under
    that one. Over laws that cannot be compared every way to spread the budget is listed, or if there are too many, one in
    which it is spent under each of them at once, which shows more than any.
    """
    channels = [_feature_ways(views, budget), _edge_ways(views, budget)]
    return [tuple(part for parts in way for part in parts) for way in product(*channels)]


def _feature_ways(views: Views, budget: Budget) -> list[Parts]:
    add, delete, rows = budget.feature_add, budget.feature_delete, budget.nodes
    kind = views.features[0].kind
    if kind in REAL:
        return [SEEN if add or delete else ()]
    if kind == "flips":
        if rows == 0 or not add + delete:
            return [()]
        return [*_ways(undominated(views.features), add, delete, rows)]
    bits = add + delete
    touched = bits if rows is None else rows if not bits else min(rows, bits)
    return [(Disjoint(hidden_mass(views.features, touched)),)]


def _edge_ways(views: Views, budget: Budget) -> list[Parts]:
    if views.dropped:
        (law,) = views.edges
        return [beside_dropped(views.dropped, law.rates[1], budget.edge_add + budget.edge_delete)]
    if not views.reweighted:
        return [*_ways(undominated(views.edges), budget.edge_add, budget.edge_delete, None)]
    # Of deletions at any levels, no more is seen than at the largest θ⁺ and the smallest θ⁻ (theory, section 2).
    rates = [law.rates for law in views.edges]
    worst = Reweighted(max(add for add, _ in rates), min(delete for _, delete in rates), budget.edge_delete)
    deleted: Parts = (worst,) if budget.edge_delete else ()
    return [(*way, *deleted) for way in _ways(undominated(views.edges), budget.edge_add, 0, None)]


def beside_dropped(dropped: Fraction, deleted: Fraction, changes: int) -> Parts:
    """So many changed edges, each seen if it and both of its ends survive, wherever it lies (theory, section 12)."""
    unseen = power_down(1 - (1 - deleted) * (1 - dropped) ** 2, changes)
    return () if unseen == 1 else (Disjoint(1 - unseen),)


def hidden_mass(laws: Sequence[Law], rows: int) -> Fraction:
    """δ: some of so many changed rows shows itself, at the worst of the laws; exact, or rounded up for many rows."""
    if laws[0].kind == "subset ablation":
        kept, elements = (int(number) for number in laws[0].numbers)
        changed = min(rows, elements)
        return 1 - Fraction(comb(elements - changed, kept), comb(elements, kept))
    return 1 - power_down(min(law.select for law in laws), rows)


def _ways(laws: tuple[Law, ...], add: int, delete: int, nodes: int | None) -> Iterator[Parts]:
    """Every way to spread changes over laws of flips; as many rows change as can, first where selection is rarest."""
    count = len(laws)
    if comb(add + count - 1, add) * comb(delete + count - 1, delete) > MOST_WAYS:
        rows = add + delete if nodes is None else min(nodes, add + delete)
        everywhere = tuple(Flips(*law.rates, add, delete) for law in laws)
        yield (*everywhere, Disjoint(hidden_mass(laws, rows)))
        return
    for adds, deletes in product(_sums(add, count), _sums(delete, count)):
        bits = [a + d for a, d in zip(adds, deletes, strict=True)]
        rows_at = _rarest(laws, bits, nodes)
        if rows_at is not None:
            yield (*_flips(laws, adds, deletes), *_unselected(laws, rows_at))


def _rarest(laws: Sequence[Law], bits: Sequence[int], nodes: int | None) -> list[int] | None:
    """Changed rows per law, 1 to b for b > 0 bits, such that all are selected least often; None if too few are allowed."""
    if nodes is None:
        return list(bits)
    rows = [min(b, 1) for b in bits]
    left = nodes - sum(rows)
    if left < 0:
        return None
    for level in sorted(range(len(laws)), key=lambda at: laws[at].select):
        more = min(left, bits[level] - rows[level])
        rows[level], left = rows[level] + more, left - more
    return rows


def _sums(total: int, terms: int) -> list[tuple[int, ...]]:
    if terms == 1:
        return [(total,)]
    return [(first, *rest) for first in range(total + 1) for rest in _sums(total - first, terms - 1)]


def _flips(laws: Sequence[Law], adds: Sequence[int], deletes: Sequence[int]) -> Parts:
    changes = zip(laws, adds, deletes, strict=True)
    return tuple(Flips(*law.rates, add, delete) for law, add, delete in changes if add or delete)


def _unselected(laws: Sequence[Law], rows: Sequence[int]) -> Parts:
    selected = prod((power_down(law.select, n) for law, n in zip(laws, rows, strict=True)), start=Fraction(1))
    return () if selected == 1 else (Disjoint(1 - selected),)


def allocated(
    views: Views, group: int, features: tuple[Integers, Integers], edges: tuple[Integers, Integers],
    rows: Integers | None = None,
) -> Parts:  # fmt: skip
    """What one group sees of one allocation of changes over the blocks, exactly.

    Args:
        group: 0 … G − 1.
        features: (J,) bits added and (J,) bits deleted per block; not looked at under ablation.
        edges: (J, J) edges added and deleted, entry [j, k] with j ≤ k between the blocks j and k, nothing below.
        rows: (J,) rows of features that change per block, where rows are selected or hidden; None for one per changed bit.

    Raises:
        DataError: if an array has another shape or a negative entry.
    """
    blocks = views.feature_law.shape[1]
    changed = features[0] + features[1] if rows is None else rows
    shapes = [array.shape for array in (*features, changed, *edges)]
    if shapes != [(blocks,)] * 3 + [(blocks, blocks)] * 2 or min(a.min() for a in (*features, changed, *edges)) < 0:
        raise DataError("an allocation needs a number of changes of at least 0 per block, and per pair of blocks")
    if any(np.tril(array, -1).any() for array in edges):
        raise DataError("an allocation counts the edges between blocks j ≤ k at [j, k], nothing below")
    adds, deletes, touched = (_per_law(views.feature_law[group], len(views.features), a) for a in (*features, changed))
    kind = views.features[0].kind
    if kind in REAL:
        return SEEN if sum(adds) + sum(deletes) else _edges(views, group, edges)
    if kind == "subset ablation":
        return (Disjoint(hidden_mass(views.features, sum(touched))), *_edges(views, group, edges))
    flips = _flips(views.features, adds, deletes) if kind == "flips" else ()
    return (*flips, *_unselected(views.features, touched), *_edges(views, group, edges))


def _edges(views: Views, group: int, edges: tuple[Integers, Integers]) -> Parts:
    adds, deletes = (_per_law(views.edge_law[group], len(views.edges), changes) for changes in edges)
    if views.dropped:
        return beside_dropped(views.dropped, views.edges[0].rates[1], sum(adds) + sum(deletes))
    if not views.reweighted:
        return _flips(views.edges, adds, deletes)
    nothing = [0] * len(deletes)
    seen = (Reweighted(*law.rates, n) for law, n in zip(views.edges, deletes, strict=True) if n)
    return (*_flips(views.edges, adds, nothing), *seen)


def _per_law(law_of: Integers, laws: int, counts: Integers) -> list[int]:
    """All changes that are seen under each law."""
    return [int(counts[law_of == law].sum()) for law in range(laws)]
