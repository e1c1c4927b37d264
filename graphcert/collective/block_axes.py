"""Budget axes that suffice for an optimal attack, and how far a whole budget reaches when it is spent against one node."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from graphcert.collective.linear import Amounts, BoolArray, FloatArray, IntArray
from graphcert.collective.threat import UNLIMITED


@dataclass(frozen=True, eq=False)
class BlockAxes:
    """The axes of change that matter: as in `LocalizedProblem`, with fewer of them.

    Attributes:
        weights: (D, C, A).
        axis_class: (A,).
        capacity: (A,).
    """

    weights: FloatArray
    axis_class: IntArray
    capacity: IntArray

    def reach(self, budget: Amounts) -> FloatArray:
        """(D, C) the largest Σ w·b of each direction and group alone, when all of `budget` is placed to hurt it most.

        Sound side: above (rounded up). Each class fills its heaviest blocks first.
        """
        total = np.zeros(self.weights.shape[:2])
        for index, weights, capacity, before in self._heaviest_first:
            taken = np.clip(budget[index] - before, 0, capacity).astype(np.float64)
            total += np.multiply(weights, taken, out=np.zeros_like(weights), where=taken > 0).sum(axis=2)
        # A sum of A products, all ≥ 0, errs by less than (A + classes + 1) roundings.
        bound: FloatArray = total * (1.0 + (self.capacity.size + 16) * 2.0**-52)
        return bound

    @cached_property
    def _heaviest_first(self) -> list[tuple[int, FloatArray, IntArray, IntArray]]:
        """Per class its index, the weights (D, C, a) by falling size, their capacities, and all capacity before them."""
        found = []
        for index in np.unique(self.axis_class):
            mine = self.axis_class == index
            weights = self.weights[:, :, mine]
            order = np.argsort(-weights, axis=2)
            capacity = self.capacity[mine][order]
            before = np.cumsum(capacity, axis=2) - capacity
            found.append((int(index), np.take_along_axis(weights, order, axis=2), capacity, before))
        return found


def reduce_axes(weights: FloatArray, axis_class: IntArray, capacity: IntArray, most: Amounts) -> BlockAxes:
    """The axes that suffice for an optimal attack within budgets up to `most` (one number per class).

    Axes of one class that weigh the same for every group and direction become one, with the sum of their capacities. An
    axis is dropped if another of its class weighs at least as much for every group and direction and has room for the
    whole budget: moving a change there never breaks less. Both keep the optimum of the integer program and of its
    relaxation.
    """
    parts = []
    for index, budget in enumerate(most.tolist()):
        mine = np.flatnonzero((axis_class == index) & (capacity > 0))
        if not budget or not mine.size:
            continue
        flat = weights[:, :, mine].reshape(-1, mine.size)
        distinct, member = np.unique(flat, axis=1, return_inverse=True)
        total = np.zeros(distinct.shape[1], dtype=np.int64)
        np.add.at(total, member.ravel(), capacity[mine])
        total = np.minimum(total, UNLIMITED)
        kept = _undominated(distinct, total >= budget)
        parts.append((distinct[:, kept], np.full(len(kept), index), total[kept]))
    shape = weights.shape[:2]
    if not parts:
        return BlockAxes(np.zeros((*shape, 0)), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    columns, classes, capacities = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    return BlockAxes(columns.reshape(*shape, -1), classes, capacities)


def _undominated(columns: FloatArray, roomy: BoolArray) -> IntArray:
    """Columns that no other column with room for everything equals or exceeds in all entries; columns are distinct."""
    size = np.where(np.isinf(columns), 1e200, columns).sum(axis=0)
    kept: list[int] = []
    above = np.zeros((columns.shape[0], 0))
    for column in np.argsort(-size, kind="stable").tolist():  # whoever exceeds comes first
        if (above >= columns[:, [column]]).all(axis=0).any():
            continue
        kept.append(column)
        if roomy[column]:
            above = np.concatenate([above, columns[:, [column]]], axis=1)
    return np.array(sorted(kept), dtype=np.int64)
