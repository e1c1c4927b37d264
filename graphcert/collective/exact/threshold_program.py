"""Linear program over the thresholds of all groups: bounds of a whole budget and of a box (theory, section 9).

A threshold s of group i stands for the outputs of i with majorities between p_s and the next threshold. Whoever breaks p_s
needs w_d·b ≥ η_{d,s} in every direction d; M_s outputs of the group lie on thresholds up to s.

*A whole budget*, `threshold_bound`. Variables x_s (the group loses everything up to s and no more) and b_a:

    maximise Σ_s M_s x_s
    s.t.     Σ_s η_{d,s} x_s ≤ Σ_a w_{d,i,a} b_a    for every group i (s over its thresholds) and direction d
             Σ_s x_s ≤ 1                            for every group
             Σ_a b_a ≤ budget of its class,         0 ≤ b_a ≤ capacity_a, x ≥ 0

*A box lo ≤ b ≤ hi*, `price_bound`: the same program by Lagrange multipliers y ≥ 0 of the rows of directions,

    attacked ≤ Σ_i max_s [ M_s − Σ_d y_{i,d} η_{d,s} ] + max_b Σ_a price_a b_a,    price_a = Σ_{i,d} y_{i,d} w_{d,i,a},

the first maximum over the thresholds that group i can end on inside the box, the second over the box and the budgets, which
is filled by price. Every y proves a bound; subgradient steps improve it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from graphcert.collective.exact.critical import copy_into
from graphcert.collective.exact.directions import Direction
from graphcert.collective.exact.exact_problem import TightProblem
from graphcert.collective.exact.search_problem import ReducedAxes
from graphcert.collective.half_spaces.localized_problem import BlockAxes
from graphcert.collective.half_spaces.localized_program import LocalizedEncoding, row_scale
from graphcert.collective.half_spaces.thresholds import Kinds, Steps
from graphcert.collective.solvers import Solver
from graphcert.collective.solvers.program import FloatArray, IntArray
from graphcert.collective.solvers.safe_bounds import weak_duality_bound
from graphcert.core.compiled import kernel

ERROR = 1e-10
"""Of a bound, relative to the sum of the sizes of all terms: far above the rounding of up to 10⁵ of them."""

_NOTHING_PROVED = 2.0**62
"""More than any number of outputs."""


@dataclass(frozen=True, eq=False)
class Thresholds:
    """S thresholds of all groups, ascending within each group.

    Attributes:
        group: (S,) ascending.
        p: (S,) the smallest majority that counts to the threshold.
        fallen: (S,) M_s, the outputs of the group up to and including this one.
        count: (S,) the outputs of this threshold alone.
    """

    group: IntArray
    p: FloatArray
    fallen: IntArray
    count: IntArray


def make_thresholds(p: FloatArray, start: IntArray, bins: int) -> Thresholds:
    """Thresholds of the sorted majorities of each group (start as in `SearchProblem`), at most about `bins` per group.

    One spans at most 2/bins of its group's range in ln(1 − p), in which η is about even, and 2/bins of its outputs.
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
        return Thresholds(nothing, np.zeros(0), nothing, nothing)
    return Thresholds(*(np.concatenate(part) for part in zip(*parts, strict=True)))


class Prices(NamedTuple):
    """The rows of directions of one budget, with multipliers, for compiled code.

    Attributes:
        first: (C + 1,) where the thresholds of each group begin.
        fallen: (S,) M_s.
        eta: (S, D).
        weight: (C, A, D).
        start: (C, D) multipliers to begin with.
    """

    first: IntArray
    fallen: IntArray
    eta: FloatArray
    weight: FloatArray
    start: FloatArray


def no_prices(groups: int, axes: int) -> Prices:
    """Rows of a program without directions, which bounds nothing."""
    first, nothing = np.zeros(groups + 1, np.int64), np.zeros(0, dtype=np.int64)
    return Prices(first, nothing, np.zeros((0, 0)), np.zeros((groups, axes, 0)), np.zeros((groups, 0)))


def threshold_bound(
    problem: TightProblem,
    axes: ReducedAxes,
    budget: IntArray,
    thresholds: Thresholds,
    directions: Sequence[Direction],
    solver: Solver,
) -> tuple[float, Prices]:
    """At most so many outputs fall (inf: nothing was proved), and the rows with the multipliers that prove it.

    The solver is not believed: the bound is computed again from its duals, rounded outward.
    """
    rows = _rows(problem, axes, budget, thresholds, directions)
    groups, number = problem.law_of_axis.shape[0], len(directions)
    multipliers = np.zeros((groups, number))
    first = np.searchsorted(rows.group, np.arange(groups + 1))
    prices = Prices(first, rows.fallen, rows.eta.T.copy(), rows.weight.transpose(1, 2, 0).copy(), multipliers)
    present, chain = np.unique(rows.group, return_inverse=True)
    if not present.size:
        return 0.0, prices
    each = np.arange(rows.group.size)
    encoding = LocalizedEncoding(
        BlockAxes(rows.weight, axes.axis_class, axes.capacity), Kinds(rows.group, rows.eta, each),
        Steps(present, chain.ravel(), rows.eta, each), rows.weight, budget.size,
    )  # fmt: skip
    program = encoding.program(rows.outputs, budget)
    solution = solver.solve_linear(program)
    value = weak_duality_bound(program, solution.duals)
    if solution.duals is not None and np.isfinite(solution.duals).all():
        # The program's rows, group by group its directions, are scaled; the multipliers are those of unscaled ones.
        row = (chain.ravel() * number)[None, :] + np.arange(number)[:, None]
        gives = rows.weight[:, present].transpose(1, 0, 2).reshape(number * present.size, -1)
        scale = row_scale(row.ravel(), rows.eta.ravel(), gives)
        multipliers[present] = np.maximum(solution.duals[: scale.size] * scale, 0.0).reshape(-1, number)
    return value, prices


class _Rows(NamedTuple):
    """The S' thresholds that the budget can break, with what they need, η (D, S'), and what changes give, w (D, C, A)."""

    group: IntArray
    fallen: IntArray
    outputs: IntArray
    eta: FloatArray
    weight: FloatArray


def _rows(
    problem: TightProblem, axes: ReducedAxes, budget: IntArray, thresholds: Thresholds, directions: Sequence[Direction]
) -> _Rows:
    """Thresholds within reach, and every number finite."""
    removes = problem.class_deletes[axes.axis_class]
    weight = np.array([direction.weight[axes.law, removes[None, :]] for direction in directions], dtype=np.float64)
    level = problem.levels[1][thresholds.group]
    eta = np.array([direction.support(thresholds.p, level) for direction in directions])
    # 1. A threshold that the whole budget does not reach in some direction is broken by nobody.
    reach = BlockAxes(weight, axes.axis_class, axes.capacity).reach(budget)
    kept = (eta <= reach[:, thresholds.group]).all(axis=0)
    group, eta = thresholds.group[kept], eta[:, kept]
    # 2. Only a change of infinite weight reaches an infinite η; a finite number that others do not reach stands for it.
    finite = BlockAxes(np.where(np.isinf(weight), 0.0, weight), axes.axis_class, axes.capacity).reach(budget)
    eta = np.where(np.isinf(eta), 1.001 * finite[:, group] + 1.0, eta)
    # 3. One whole change that breaks the strongest output of a group can do no more.
    strongest = np.zeros(weight.shape[:2])
    for d, values in enumerate(eta):
        np.maximum.at(strongest[d], group, values)
    weight = np.minimum(weight, strongest[:, :, None])
    return _Rows(group, thresholds.fallen[kept], thresholds.count[kept], eta, weight)


@kernel
def _best_threshold(prices, group, y, surely, most):  # type: ignore[no-untyped-def]
    """(value, sum of the sizes of its terms, s) of the best threshold on which from `surely` to `most` outputs fall."""
    begin, end = prices.first[group], prices.first[group + 1]
    best, size, threshold = 0.0, 0.0, -1
    open_to_nothing = surely == 0
    before = 0
    for s in range(begin, end):
        if before >= most:
            break
        if prices.fallen[s] >= surely:
            paid = 0.0
            for d in range(prices.eta.shape[1]):
                paid += y[group, d] * prices.eta[s, d]
            value = min(prices.fallen[s], most) - paid
            if value > best or (threshold < 0 and not open_to_nothing):
                best, size, threshold = value, most + paid, s
        before = prices.fallen[s]
    return best, size, threshold


@kernel
def _fill_by_price(problem, lo, hi, rest, price, b):  # type: ignore[no-untyped-def]
    """Write into b (A,) the allocation of the box that is worth most."""
    for axis in range(lo.size):
        b[axis] = lo[axis]
    for k in range(problem.deletes.size):
        left = rest[k]
        while left > 0:
            best = -1
            for axis in range(problem.first[k], problem.first[k + 1]):
                if b[axis] < hi[axis] and (best < 0 or price[axis] > price[best]):
                    best = axis
            if best < 0:
                break
            more = min(left, hi[best] - b[best])
            b[best] += more
            left -= more


@kernel
def price_bound(problem, prices, lo, hi, rest, surely, most, y, rounds, goal):  # type: ignore[no-untyped-def]
    """The smallest bound of `rounds` multipliers, from y (C, D) on, which is overwritten by the best ones.

    Stops when the bound is no larger than `goal`. surely, most (C,): what falls in each group at least and at most.
    """
    groups, directions = y.shape
    axes = lo.size
    price, b = np.empty(axes), np.empty(axes, np.int64)
    slope, here = np.empty((groups, directions)), y.copy()
    lowest, stride, stale = np.inf, 1.0, 0
    for _ in range(rounds):
        price[:] = 0.0
        value, size = 0.0, 0.0
        for group in range(groups):
            for axis in range(axes):
                for d in range(directions):
                    price[axis] += here[group, d] * prices.weight[group, axis, d]
        _fill_by_price(problem, lo, hi, rest, price, b)
        for axis in range(axes):
            value += price[axis] * b[axis]
        size += value
        for group in range(groups):
            gain, terms, s = _best_threshold(prices, group, here, surely[group], most[group])
            value += gain
            size += terms
            for d in range(directions):
                slope[group, d] = -prices.eta[s, d] if s >= 0 else 0.0
            for axis in range(axes):
                if b[axis] > 0:
                    for d in range(directions):
                        slope[group, d] += prices.weight[group, axis, d] * b[axis]
        value += ERROR * size
        if value < lowest - 1e-3:
            stale = 0
        else:
            stale += 1
            if stale == 3:
                stride, stale = stride / 2.0, 0
        if value < lowest:
            lowest = value
            for group in range(groups):
                copy_into(y[group], here[group])
            if lowest < goal + 1.0:
                break
        length = 0.0
        for group in range(groups):
            for d in range(directions):
                if here[group, d] > 0.0 or slope[group, d] < 0.0:
                    length += slope[group, d] ** 2
        if length == 0.0:
            break
        move = stride * (value - goal - 0.5) / length
        for group in range(groups):
            for d in range(directions):
                here[group, d] = max(here[group, d] - move * slope[group, d], 0.0)
    # Nothing was evaluated, or a NaN: then nothing is proved, and no whole number stands for infinity.
    return int(np.floor(lowest)) if lowest < _NOTHING_PROVED else int(_NOTHING_PROVED)
