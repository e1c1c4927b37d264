"""The collective problem of localized smoothing as plain arrays: half-spaces of outputs over budget axes of blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import whole
from graphcert.collective.solvers.program import UNLIMITED, Amounts, BoolArray, FloatArray, IntArray
from graphcert.errors import InputError
from graphcert.noise import AXES, BernoulliFlip
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_weight


@dataclass(frozen=True, eq=False)
class LocalizedProblem:
    """Which allocations of changes each output survives (theory, section 8; Schuchardt et al. 2023).

    An adversary chooses whole numbers b (A,), 0 ≤ b ≤ capacity, whose sum over the axes of each budget class is at most
    that class's budget. It may have broken output n of group i only if *every* direction d is crossed:
    Σ_a weights[d, i, a] · b_a ≥ eta[d, n].

    Where changes are measured by a norm, b is real instead (`whole` is False, theory, section 5): a share of the squared ℓ2
    norm or of the ℓ1 norm per block.

    Axes: n outputs, D directions (orders of divergence), C groups, A axes of change (channel, operation, input block).

    Attributes:
        groups: (n,) int, the group of each output, 0 … C − 1.
        eta: (D, n), rounded down; at most 0 in every direction for an output that counts as broken from the start
            (abstained), inf for one that no finite divergence breaks.
        weights: (D, C, A) ≥ 0, rounded up; inf where a single change voids the direction for the group.
        axis_class: (A,) int, the class of each axis as an index into `classes`.
        capacity: (A,) whole numbers, how often a block can be changed that way (its zeros, its ones).
        classes: names of the budget classes.
        whole: whether b counts changes, or is real.

    Raises:
        InputError: if shapes disagree, a weight is negative or NaN (or infinite, with real b), or an index is outside its
            range.
    """

    groups: IntArray
    eta: FloatArray
    weights: FloatArray
    axis_class: IntArray
    capacity: IntArray
    classes: tuple[str, ...] = AXES
    whole: bool = True

    def __post_init__(self) -> None:
        eta, weights = np.asarray(self.eta, dtype=np.float64), np.asarray(self.weights, dtype=np.float64)
        if eta.ndim != 2 or not eta.shape[0]:
            raise InputError(f"eta must have one row per direction and one column per output, got shape {eta.shape}")
        directions, outputs = eta.shape
        if weights.ndim != 3 or weights.shape[0] != directions:
            raise InputError(f"weights must have the shape ({directions}, groups, axes), got {weights.shape}")
        if np.isnan(eta).any() or not (weights >= 0).all():
            raise InputError("eta must be numbers and weights numbers of at least 0, and NaN is neither")
        if not self.whole and np.isinf(weights).any():
            raise InputError("a weight per unit of a norm must be finite; measure the budget in another unit")
        _, groups, axes = weights.shape
        classes = tuple(self.classes)
        checked = {
            "groups": _indices("groups", self.groups, outputs, groups),
            "axis_class": _indices("axis_class", self.axis_class, axes, len(classes)),
            # No budget is larger than UNLIMITED, so a block with more room (a million empty rows) loses nothing.
            "capacity": whole("capacities", np.minimum(self.capacity, UNLIMITED)),
        }
        if checked["capacity"].shape != (axes,):
            raise InputError(f"capacity needs one number per axis ({axes}), got shape {checked['capacity'].shape}")
        for name, value in {**checked, "eta": eta, "weights": weights, "classes": classes}.items():
            object.__setattr__(self, name, value)

    @property
    def outputs(self) -> int:
        """Number of outputs n."""
        return int(self.groups.size)


def axis_weights(
    laws: Sequence[BernoulliFlip],
    law_of_axis: npt.ArrayLike,
    deletes: npt.ArrayLike,
    orders: Sequence[Order] = DEFAULT_ORDERS,
) -> FloatArray:
    """The weights (D, C, A) of a `LocalizedProblem`, one direction per order.

    Args:
        laws: the distinct laws of all channels.
        law_of_axis: (C, A) int, the index of the law under which group i sees the block of axis a. It follows the *rank*
            of the block in row i of the partition, not the list of blocks sorted by nearness.
        deletes: (A,) bool, whether an axis deletes (True) or adds (False).
        orders: the divergences; eta comes from `order_eta` with the same ones.
    """
    index, removing = np.asarray(law_of_axis), np.asarray(deletes, dtype=np.bool_)
    per_law = np.array([[order_weight(law, *order) for law in laws] for order in orders])
    weights: FloatArray = per_law[:, index, removing.astype(np.int64)[None, :]]
    return weights


def _indices(name: str, values: npt.ArrayLike, length: int, most: int) -> IntArray:
    array = np.asarray(values)
    if array.shape != (length,) or (array.size and not np.issubdtype(array.dtype, np.integer)):
        raise InputError(f"{name} must be {length} integers, got {array.dtype} of shape {array.shape}")
    if array.size and not (array.min() >= 0 and array.max() < most):
        raise InputError(f"{name} must lie between 0 and {most - 1}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)


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
