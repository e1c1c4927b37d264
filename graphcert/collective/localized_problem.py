"""The collective problem of localized smoothing as plain arrays: half-spaces of outputs over budget axes of blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.threat import UNLIMITED, whole
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
