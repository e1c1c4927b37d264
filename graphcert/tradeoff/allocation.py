"""The exact trade-offs of one allocation: where an adversary has spent which changes."""

from math import prod

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError
from graphcert.noise import AXES, BernoulliFlip, Views
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.dispatch import trade_off

Integers = NDArray[np.int64]


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


def _parts(laws: tuple[BernoulliFlip, ...], law_of: Integers, add: Integers, delete: Integers) -> list[TradeOff]:
    """One trade-off per law, for all changes that are seen under it."""
    adds, deletes = (np.bincount(law_of.ravel(), values.ravel(), len(laws)).astype(int) for values in (add, delete))
    return [trade_off(law, int(a), int(d)) for law, a, d in zip(laws, adds, deletes, strict=True)]


def _counts(axis: str, values: ArrayLike, blocks: int) -> Integers:
    shape = (blocks,) if axis.startswith("feature") else (blocks, blocks)
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
