"""The tight collective problem as plain arrays: majorities in groups, and the law under which each group sees a change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.half_spaces.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.half_spaces.scheme_axes import scheme_axes
from graphcert.collective.pairs import PairCells, pair_cells
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.errors import InputError
from graphcert.noise import AXES, BernoulliFlip, Scheme, Views
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, pair_eta


@dataclass(frozen=True, eq=False)
class TightProblem:
    """Which allocations of changes each output survives, by exact trade-offs (theory, section 9).

    An adversary chooses whole numbers b (A,), 0 ≤ b ≤ capacity, whose sum over the axes of each budget class is at most
    that class's budget. It breaks output n of group i iff p_lower[n] ≤ c_i(b), the exact critical probability of all
    changes as group i sees them: under `laws[law_of_axis[i, a]]` for axis a. Critical is the largest
    probability that can fall to the group's target level: 1/2, unless an output tolerates less. With bounds of the other
    classes it is the largest that can fall to the most that another class can reach (`pairs`).

    Axes: n outputs, C groups, A axes of change (channel, operation, input block or pair of blocks), L laws.

    Attributes:
        groups: (n,) int, the group of each output, 0 … C − 1.
        p_lower: (n,) in [0, 1], rounded down; at most its group's level for an output that counts as broken from the start.
        laws: the L laws of all channels.
        law_of_axis: (C, A) int, index into `laws`; it follows the *rank* of a block, not the blocks sorted by nearness.
        axis_class: (A,) int, the class of each axis as an index into `classes`.
        capacity: (A,) whole numbers, how often a block can be changed that way (its zeros, its ones).
        classes: names of the budget classes out of `AXES`; they say whether an axis adds or deletes.
        level: (C,) target level of each group in [1/2, 1), rounded up; a single number for all. Where a part
            δ of the laws has nothing in common and the rest is `laws`, an output of majority p falls iff (p − δ)/(1 − δ) ≤ c
            at level 1/(2(1 − δ)) (theory, section 6).
        p_other: (n,) in [0, 1], rounded up, what no other class exceeds, for the multi-class rule; None for the binary one.
            At another level than 1/2 it is q/(1 − δ), q the bound under the whole law.

    Raises:
        InputError: if shapes disagree, a probability is none, or an index is outside its range.
    """

    groups: IntArray
    p_lower: FloatArray
    laws: tuple[BernoulliFlip, ...]
    law_of_axis: IntArray
    axis_class: IntArray
    capacity: IntArray
    classes: tuple[str, ...] = AXES
    level: FloatArray = field(default_factory=lambda: np.array(0.5))
    p_other: FloatArray | None = None

    def __post_init__(self) -> None:
        law_of_axis, p = np.asarray(self.law_of_axis), np.asarray(self.p_lower, dtype=np.float64)
        if law_of_axis.ndim != 2 or not np.issubdtype(law_of_axis.dtype, np.integer):
            raise InputError(
                f"law_of_axis must be integers of shape (groups, axes), got {law_of_axis.dtype} of {law_of_axis.shape}"
            )
        if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
            raise InputError("p_lower must be one probability per output, and NaN is none")
        other = None if self.p_other is None else np.asarray(self.p_other, dtype=np.float64)
        if other is not None and (other.shape != p.shape or not (other >= 0).all()):
            raise InputError("p_other must be one number of at least 0 per output, and NaN is none")
        laws, classes = tuple(self.laws), tuple(self.classes)
        if law_of_axis.size and not (law_of_axis.min() >= 0 and law_of_axis.max() < len(laws)):
            raise InputError(f"law_of_axis must lie between 0 and {len(laws) - 1}, the laws that are given")
        unknown = [name for name in classes if name not in AXES]
        if unknown or len(set(classes)) != len(classes):
            raise InputError(f"classes must be different names out of {', '.join(AXES)}, got {list(classes)}")
        # The problem of half-spaces has the same groups and axes; it is built to have them checked alike.
        shape = LocalizedProblem(
            self.groups, p[None], np.zeros((1, *law_of_axis.shape)), self.axis_class, self.capacity, classes
        )
        level = np.asarray(self.level, dtype=np.float64)
        if level.shape not in ((), law_of_axis.shape[:1]) or not ((level >= 0.5) & (level < 1)).all():
            raise InputError(
                f"level must be one number of at least 1/2 and below 1 per group ({law_of_axis.shape[0]}), or one for all"
            )
        for name, value in {
            "groups": shape.groups, "p_lower": p, "p_other": other, "laws": laws,
            "law_of_axis": law_of_axis.astype(np.int64),
            "axis_class": shape.axis_class, "capacity": shape.capacity, "classes": classes,
            "level": np.broadcast_to(level, law_of_axis.shape[:1]).copy(),
        }.items():  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def outputs(self) -> int:
        """Number of outputs n."""
        return int(self.groups.size)

    @property
    def deletes(self) -> BoolArray:
        """(A,) whether an axis deletes (True) or adds (False)."""
        return self.class_deletes.astype(np.bool_)[self.axis_class]

    @property
    def class_deletes(self) -> IntArray:
        """(K,) whether a class deletes, as 1, or adds, as 0."""
        return np.array([name.endswith("delete") for name in self.classes], dtype=np.int64)

    @property
    def levels(self) -> tuple[FloatArray, IntArray]:
        """The Q different target levels, ascending, and (C,) which of them each group has."""
        found, which = np.unique(self.level, return_inverse=True)
        return found, which.ravel().astype(np.int64)

    @cached_property
    def cells(self) -> PairCells:
        """The outputs by group and bound of the other classes, a few of which are told apart."""
        return pair_cells(self.groups, self.p_lower, self.p_other)

    @cached_property
    def fine_cells(self) -> PairCells:
        """The same without rounding."""
        return pair_cells(self.groups, self.p_lower, self.p_other, None)

    def half_spaces(self, orders: Sequence[Order] = DEFAULT_ORDERS) -> LocalizedProblem:
        """The same problem through divergences: looser, linear."""
        level, cells = self.level[self.groups], self.cells
        other = cells.other[cells.of_output]
        eta = np.array([rule_eta(self.p_lower, other, level, order) for order in orders])
        weights = axis_weights(self.laws, self.law_of_axis, self.deletes, orders)[:, cells.group]
        return LocalizedProblem(cells.of_output, eta, weights, self.axis_class, self.capacity, self.classes)


def rule_eta(p_lower: FloatArray, other: FloatArray, level: FloatArray, order: Order) -> FloatArray:
    """η against the bounds `other` of cells; at other levels than 1/2 that of the binary rule, which says less."""
    eta, pairs = order_eta(p_lower, *order, level=level), (level == 0.5) & (other < 1.0)
    eta[pairs] = pair_eta(p_lower[pairs], other[pairs], *order)
    return eta


def tight_problem(
    smoothing: Scheme, p_lower: npt.ArrayLike, data: Any = None, p_other: npt.ArrayLike | None = None
) -> TightProblem:
    """The tight problem of N outputs under a scheme, over all four budget classes.

    Args:
        smoothing: isotropic or localized; a channel without noise shows every change.
        p_lower: (N,) simultaneous lower bounds of the majorities.
        data: the clean graph (`x`, `edge_index`), which limits how often a block can be changed; None for no limit.
        p_other: (N,) simultaneous upper bounds of every other class, for the multi-class rule; None for the binary one.
    """
    p = np.asarray(p_lower, dtype=np.float64)
    views = Views.of_flips(smoothing, p.size)
    axes = scheme_axes(views, smoothing.perturbs("features"), data, smoothing.directed)
    other = None if p_other is None else np.asarray(p_other, dtype=np.float64)
    return TightProblem(axes.groups, p, axes.laws, axes.law_of_axis, axes.axis_class, axes.capacity, p_other=other)
