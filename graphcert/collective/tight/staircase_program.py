"""The staircase program of tight half-spaces and those of divergences: a bound at any size (theory, section 9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from graphcert.collective.block_axes import BlockAxes
from graphcert.collective.bounds import weak_duality_bound
from graphcert.collective.chains import Kinds, Staircases
from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.localized_program import LocalizedEncoding, row_scale
from graphcert.collective.sweep import Solver
from graphcert.collective.tight.price_bound import Prices
from graphcert.collective.tight.problem import TightProblem
from graphcert.collective.tight.reduced import ReducedAxes


class AnyDirection(Protocol):
    """What a direction w of half-spaces w·b ≥ η(p) must say about itself."""

    @property
    def weight(self) -> FloatArray | IntArray:
        """(L, 2) of an addition and of a deletion under each law."""

    def support(self, p: FloatArray, level: IntArray, budget: IntArray) -> FloatArray:
        """(S,) η of majorities p (S,) at the target levels of index `level` (S,), for allocations within a budget."""


@dataclass(frozen=True, eq=False)
class Steps:
    """Outputs of one budget as steps: S of them, ascending within each group.

    Attributes:
        group: (S,) ascending.
        p: (S,) the smallest majority on the step.
        fallen: (S,) outputs of the group on this and all earlier steps.
        count: (S,) outputs on the step.
    """

    group: IntArray
    p: FloatArray
    fallen: IntArray
    count: IntArray


def make_steps(p: FloatArray, start: IntArray, bins: int) -> Steps:
    """Steps of the sorted majorities of each group (start as in `Game`), at most about `bins` per group.

    A step spans at most 2/bins of its group's range in ln(1 − p), in which η is about even, and 2/bins of its outputs.
    """
    parts = []
    for group, (begin, end) in enumerate(pairwise(start)):
        mine = p[begin:end]
        if not mine.size:
            continue
        depth = -np.log(np.maximum(1.0 - mine, 2.0**-53))
        height = (depth - depth[0]) / max(depth[-1] - depth[0], 1e-12)
        share = height + np.arange(mine.size) / mine.size
        cell = np.floor(bins / 2 * share)
        first = np.flatnonzero(np.concatenate([[True], (cell[1:] != cell[:-1]) & (mine[1:] != mine[:-1])]))
        last = np.append(first[1:], mine.size)
        parts.append((np.full(first.size, group), mine[first], last, last - first))
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Steps(nothing, np.zeros(0), nothing, nothing)
    return Steps(*(np.concatenate(part) for part in zip(*parts, strict=True)))


@dataclass(frozen=True, eq=False)
class StaircaseBound:
    """What the program proves, and the multipliers that prove it.

    Attributes:
        value: at most so many outputs fall; inf if nothing was proved.
        prices: its rows and multipliers, for compiled code.
        status: what the solver said.
    """

    value: float
    prices: Prices
    status: str


def staircase_bound(
    problem: TightProblem,
    axes: ReducedAxes,
    budget: IntArray,
    steps: Steps,
    directions: Sequence[AnyDirection],
    solver: Solver,
) -> StaircaseBound:
    """Solve the relaxation over all directions; its bound is proved again from the duals, rounded outward."""
    removes = np.array([name.endswith("delete") for name in problem.classes], dtype=np.int64)[axes.axis_class]
    weight = np.array([direction.weight[axes.law, removes[None, :]] for direction in directions], dtype=np.float64)
    level = problem.levels[1][steps.group]
    eta = np.array([direction.support(steps.p, level, budget) for direction in directions])
    block_axes = BlockAxes(weight, axes.axis_class, axes.capacity)
    kept = (eta <= block_axes.reach(budget)[:, steps.group]).all(axis=0)
    group, eta = steps.group[kept], eta[:, kept]
    groups, number = problem.law_of_axis.shape[0], len(directions)
    finite = BlockAxes(np.where(np.isinf(weight), 0.0, weight), axes.axis_class, axes.capacity)
    # Only a change of infinite weight reaches an infinite η; a finite number that others do not reach stands for it.
    eta = np.where(np.isinf(eta), 1.001 * finite.reach(budget)[:, group] + 1.0, eta)
    strongest = np.zeros((number, groups))
    for d, values in enumerate(eta):
        np.maximum.at(strongest[d], group, values)
    # One whole change that breaks the strongest output of a group can do no more.
    weight = np.minimum(weight, strongest[:, :, None])
    multipliers = np.zeros((groups, number))
    prices = Prices(
        np.searchsorted(group, np.arange(groups + 1)), steps.fallen[kept], eta.T.copy(),
        weight.transpose(1, 2, 0).copy(), multipliers,
    )  # fmt: skip
    present, chain = np.unique(group, return_inverse=True)
    if not present.size:
        return StaircaseBound(0.0, prices, "nothing to solve")
    each = np.arange(group.size)
    encoding = LocalizedEncoding(
        BlockAxes(weight, axes.axis_class, axes.capacity), Kinds(group, eta, each),
        Staircases(present, chain.ravel(), eta, each), weight, budget.size,
    )  # fmt: skip
    program = encoding.program(steps.count[kept], budget)
    solution = solver.solve_linear(program)
    value = weak_duality_bound(program, solution.duals)
    if solution.duals is not None and np.isfinite(solution.duals).all():
        # The program's rows, group by group its directions, are scaled; the multipliers are those of unscaled ones.
        row = (chain.ravel() * number)[None, :] + np.arange(number)[:, None]
        gives = weight[:, present].transpose(1, 0, 2).reshape(number * present.size, -1)
        scale = row_scale(row.ravel(), eta.ravel(), gives)
        multipliers[present] = np.maximum(solution.duals[: scale.size] * scale, 0.0).reshape(-1, number)
    return StaircaseBound(value, prices, solution.status)
