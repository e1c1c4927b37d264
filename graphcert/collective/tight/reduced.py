"""The axes that suffice for an optimal attack within one budget, in the order in which compiled code wants them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from graphcert.collective.linear import IntArray
from graphcert.collective.tight.law_order import dominance_matrix
from graphcert.collective.tight.problem import TightProblem


@dataclass(frozen=True, eq=False)
class ReducedAxes:
    """A' axes, sorted by class, standing for those of a `TightProblem`.

    Attributes:
        law: (C, A') the law under which each group sees an axis.
        axis_class: (A',) ascending.
        capacity: (A',) at most the class's budget.
        members: per axis the original axes it stands for.
    """

    law: IntArray
    axis_class: IntArray
    capacity: IntArray
    members: tuple[IntArray, ...]

    def spread(self, b: IntArray, problem: TightProblem) -> IntArray:
        """(A,) an allocation over the original axes that every group sees as `b` (A',)."""
        whole = np.zeros(problem.capacity.size, dtype=np.int64)
        for amount, members in zip(b.tolist(), self.members, strict=True):
            left = amount
            for axis in members.tolist():
                whole[axis] = min(left, int(problem.capacity[axis]))
                left -= int(whole[axis])
        return whole

    def gather(self, b: IntArray, budget: IntArray, first: IntArray) -> IntArray:
        """(A',) as much of an allocation `b` over the original axes as the kept axes and the budgets have room for.

        budget, first: as in `Game`.
        """
        kept = np.array([b[members].sum() for members in self.members], dtype=np.int64)
        kept = np.minimum(kept, self.capacity)
        for k, (begin, end) in enumerate(pairwise(first)):
            before = np.cumsum(kept[begin:end]) - kept[begin:end]
            kept[begin:end] = np.clip(budget[k] - before, 0, kept[begin:end])
        return kept


def reduce_tight_axes(problem: TightProblem, budget: IntArray) -> ReducedAxes:
    """Join axes of one class that every group sees alike, and drop axes that another one makes useless.

    An axis is dropped if every group sees another one of its class, with room for the whole budget, under a law that
    dominates: moving a change there never breaks less (theory, section 1). Both keep the optimum.
    """
    stronger = dominance_matrix(problem.laws)
    laws, classes, capacities, members = [], [], [], []
    for index, amount in enumerate(budget.tolist()):
        mine = np.flatnonzero((problem.axis_class == index) & (problem.capacity > 0))
        if not amount or not mine.size:
            continue
        columns, which = np.unique(problem.law_of_axis[:, mine], axis=1, return_inverse=True)
        total = np.bincount(which.ravel(), problem.capacity[mine].astype(np.float64))
        room = np.minimum(total, amount).astype(np.int64)
        dropped = np.zeros(room.size, dtype=np.bool_)
        for axis in range(room.size):
            above = stronger[columns, columns[:, [axis]]].all(axis=0) & (room >= amount) & ~dropped
            above[axis] = False
            # A dropped axis drops nobody, so of axes that dominate each other one is left.
            dropped[axis] = above.any()
        kept = np.flatnonzero(~dropped)
        laws.append(columns[:, kept])
        classes.append(np.full(kept.size, index))
        capacities.append(room[kept])
        members += [mine[which.ravel() == axis] for axis in kept]
    groups = problem.law_of_axis.shape[0]
    law = np.concatenate([np.zeros((groups, 0), np.int64), *laws], axis=1)
    axis_class = np.concatenate([np.zeros(0, np.int64), *classes])
    return ReducedAxes(law, axis_class, np.concatenate([np.zeros(0, np.int64), *capacities]), tuple(members))
