"""The exact trade-offs of one allocation: where an adversary has spent which changes."""

from fractions import Fraction
from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Ablation, BernoulliFlip, Selected, Views
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.dispatch import trade_off
from graphcert.tradeoff.escape import escape, selection_escape

Integers = NDArray[np.int64]

HIDDEN = BernoulliFlip(0.5, 0.5)
"""Stands for the token of an ablated row: nothing is seen of its bits."""


def allocation_trade_offs(views: Views[BernoulliFlip], changes: tuple[ArrayLike, ...]) -> tuple[TradeOff, ...]:
    """What every view of a scheme sees of an allocation, features and edges together.

    Args:
        views: the views of a scheme of flips, over J blocks.
        changes: one array per axis of `AXES`: (J,) for features, (J, J) for edges, entry [j, k] with j ≤ k counting the
            edges between the blocks j and k; or 0 for none.

    Returns:
        One exact trade-off per view.

    Raises:
        InputError: for arrays of another shape, or entries that are not whole numbers ≥ 0.
        UnsupportedError: if the allocation is too large for exact arithmetic.
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
        views: the views of a hierarchical scheme over flips or ablation.
        changes: as in `allocation_trade_offs`; bits lie in changed rows. Under ablation they are not looked at.
        rows: (J,) changed rows per block.

    Raises:
        InputError: as there, and for bits in a block without changed rows.
        UnsupportedError: as there, and for other lower noise.
    """
    blocks = views.feature_law.shape[1]
    changed = _counts("rows", rows, blocks)
    bits = [_counts(axis, values, blocks) for axis, values in zip(AXES[:2], changes[:2], strict=True)]
    if ((sum(bits) > 0) & (changed == 0)).any():
        raise InputError("changed bits lie in changed rows; count at least one row in every block whose bits change")
    lower = [HIDDEN if type(law.law) is Ablation else law.law for law in views.feature_laws]
    flips = tuple(law for law in lower if isinstance(law, BernoulliFlip))
    if len(flips) < len(lower):
        raise UnsupportedError("allocations are judged under hierarchical flips and ablation; use one of the two")
    below = Views(views.of_node, views.block, flips, views.edge_laws, views.feature_law, views.edge_law)
    found = []
    for low, law_of in zip(allocation_trade_offs(below, changes), views.feature_law, strict=True):
        selects = [views.feature_laws[law].select for law in law_of.tolist()]
        shares = (1 - selection_escape(select, int(count)) for select, count in zip(selects, changed, strict=True))
        found.append(escape(low, 1 - prod(shares, start=Fraction(1))))
    return tuple(found)


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
