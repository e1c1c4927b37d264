"""Linear program over the thresholds of all groups: bounds of a whole budget and of a box (theory, section 9).

A cell j is what a group i(j) has of one bound of other classes (`pairs`), rounded up. A threshold s of it stands for its
outputs with p between p_s and the next threshold. Whoever breaks p_s needs w_d·b ≥ η_{d,s} in every direction d; M_s outputs
of the cell lie on thresholds up to s.

*A whole budget*, `threshold_bound`. Variables x_s (the cell loses everything up to s and no more) and b_a:

    maximise Σ_s M_s x_s
    s.t.     Σ_s η_{d,s} x_s ≤ Σ_a w_{d,i(j),a} b_a for every cell j (s over its thresholds) and direction d
             Σ_s x_s ≤ 1                            for every cell
             Σ_a b_a ≤ budget of its class,         0 ≤ b_a ≤ capacity_a, x ≥ 0

*A box lo ≤ b ≤ hi*, `price_bound`: the same program by Lagrange multipliers y ≥ 0 of the rows of directions,

    attacked ≤ Σ_j max_s [ M_s − Σ_d y_{j,d} η_{d,s} ] + max_b Σ_a price_a b_a,    price_a = Σ_{j,d} y_{j,d} w_{d,i(j),a},

the first maximum over the thresholds that cell j can end on inside the box, the second over the box and the budgets, which
is filled by price. The cells of one group together lose no more than the group. Every y proves a bound; subgradient steps
improve it.
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
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.collective.solvers.safe_bounds import weak_duality_bound
from graphcert.core.compiled import kernel

ERROR = 1e-10
"""Of a bound, relative to the sum of the sizes of all terms: far above the rounding of up to 10⁵ of them."""

_FEWEST = 8
"""Thresholds of a cell, however many cells share those of a group."""

_NOTHING_PROVED = 2.0**62
"""More than any number of outputs."""


@dataclass(frozen=True, eq=False)
class Thresholds:
    """S thresholds of all cells, ascending within each cell.

    Attributes:
        cell: (S,) ascending.
        p: (S,) the smallest p_lower that counts to the threshold.
        fallen: (S,) M_s, the outputs of the cell up to and including this one.
        count: (S,) the outputs of this threshold alone.
    """

    cell: IntArray
    p: FloatArray
    fallen: IntArray
    count: IntArray


def make_thresholds(problem: TightProblem, counted: BoolArray, bins: int) -> Thresholds:
    """Thresholds of the counted outputs in each of the problem's `cells`, at most about `bins` per group.

    One spans at most 2/bins of its cell's range in ln(1 − p), in which η is about even, and 2/bins of its outputs.
    """
    chosen, cells = np.flatnonzero(counted), problem.cells
    bins = max(bins * problem.law_of_axis.shape[0] // cells.group.size, min(bins, _FEWEST))
    chosen = chosen[np.lexsort((problem.p_lower[chosen], cells.of_output[chosen]))]
    start = np.searchsorted(cells.of_output[chosen], np.arange(cells.group.size + 1))
    parts = []
    for cell, (begin, end) in enumerate(pairwise(start)):
        mine = problem.p_lower[chosen[begin:end]]
        if not mine.size:
            continue
        depth = -np.log(np.maximum(1.0 - mine, 2.0**-53))
        height = (depth - depth[0]) / max(depth[-1] - depth[0], 1e-12)
        share = height + np.arange(mine.size) / mine.size
        bin_ = np.floor(bins / 2 * share)
        first = np.flatnonzero(np.concatenate([[True], (bin_[1:] != bin_[:-1]) & (mine[1:] != mine[:-1])]))
        last = np.append(first[1:], mine.size)
        parts.append((np.full(first.size, cell), mine[first], last, last - first))
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Thresholds(nothing, np.zeros(0), nothing, nothing)
    return Thresholds(*(np.concatenate(part) for part in zip(*parts, strict=True)))


class Prices(NamedTuple):
    """The rows of directions of one budget, with multipliers, for compiled code; J cells.

    Attributes:
        group: (J,) ascending.
        first: (J + 1,) where the thresholds of each cell begin.
        fallen: (S,) M_s.
        eta: (S, D).
        weight: (J, A, D).
        start: (J, D) multipliers to begin with.
    """

    group: IntArray
    first: IntArray
    fallen: IntArray
    eta: FloatArray
    weight: FloatArray
    start: FloatArray


def no_prices(groups: int, axes: int) -> Prices:
    """Rows of a program without directions, which bounds nothing."""
    first, nothing = np.zeros(groups + 1, np.int64), np.zeros(0, dtype=np.int64)
    return Prices(nothing, first, nothing, np.zeros((0, 0)), np.zeros((groups, axes, 0)), np.zeros((groups, 0)))


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
    cells, number = rows.weight.shape[1], len(directions)
    multipliers = np.zeros((cells, number))
    first = np.searchsorted(rows.cell, np.arange(cells + 1))
    prices = Prices(
        problem.cells.group, first, rows.fallen, rows.eta.T.copy(), rows.weight.transpose(1, 2, 0).copy(), multipliers
    )
    present, chain = np.unique(rows.cell, return_inverse=True)
    if not present.size:
        return 0.0, prices
    each = np.arange(rows.cell.size)
    encoding = LocalizedEncoding(
        BlockAxes(rows.weight, axes.axis_class, axes.capacity), Kinds(rows.cell, rows.eta, each),
        Steps(present, chain.ravel(), rows.eta, each), rows.weight, budget.size,
    )  # fmt: skip
    program = encoding.program(rows.outputs, budget)
    solution = solver.solve_linear(program)
    value = weak_duality_bound(program, solution.duals)
    if solution.duals is not None and np.isfinite(solution.duals).all():
        # The program's rows, cell by cell its directions, are scaled; the multipliers are those of unscaled ones.
        row = (chain.ravel() * number)[None, :] + np.arange(number)[:, None]
        gives = rows.weight[:, present].transpose(1, 0, 2).reshape(number * present.size, -1)
        scale = row_scale(row.ravel(), rows.eta.ravel(), gives)
        multipliers[present] = np.maximum(solution.duals[: scale.size] * scale, 0.0).reshape(-1, number)
    return value, prices


class _Rows(NamedTuple):
    """The S' thresholds that the budget can break, with what they need, η (D, S'), and what changes give, w (D, J, A)."""

    cell: IntArray
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
    group, other = problem.cells.group[thresholds.cell], problem.cells.other[thresholds.cell]
    level = problem.levels[1][group]
    eta = np.array([direction.support(thresholds.p, level, other) for direction in directions])
    # 1. A threshold that the whole budget does not reach in some direction is broken by nobody.
    reach = BlockAxes(weight, axes.axis_class, axes.capacity).reach(budget)
    kept = (eta <= reach[:, group]).all(axis=0)
    group, cell, eta = group[kept], thresholds.cell[kept], eta[:, kept]
    # 2. Only a change of infinite weight reaches an infinite η; a finite number that others do not reach stands for it.
    finite = BlockAxes(np.where(np.isinf(weight), 0.0, weight), axes.axis_class, axes.capacity).reach(budget)
    eta = np.where(np.isinf(eta), 1.001 * finite[:, group] + 1.0, eta)
    # 3. One whole change that breaks the strongest output of a cell can do no more.
    weight = weight[:, problem.cells.group]
    strongest = np.zeros(weight.shape[:2])
    for d, values in enumerate(eta):
        np.maximum.at(strongest[d], cell, values)
    weight = np.minimum(weight, strongest[:, :, None])
    return _Rows(cell, thresholds.fallen[kept], thresholds.count[kept], eta, weight)


@kernel
def _best_threshold(prices, cell, y, surely, most):  # type: ignore[no-untyped-def]
    """(value, sum of the sizes of its terms, s) of the best threshold on which from `surely` to `most` outputs fall."""
    begin, end = prices.first[cell], prices.first[cell + 1]
    best, size, threshold = 0.0, 0.0, -1
    open_to_nothing = surely == 0
    before = 0
    for s in range(begin, end):
        if before >= most:
            break
        if prices.fallen[s] >= surely:
            paid = 0.0
            for d in range(prices.eta.shape[1]):
                paid += y[cell, d] * prices.eta[s, d]
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
    """The smallest bound of `rounds` multipliers, from y (J, D) on, which is overwritten by the best ones.

    Stops when the bound is no larger than `goal`. surely, most (C,): what falls in each group at least and at most.
    """
    cells, directions = y.shape
    axes = lo.size
    price, b = np.empty(axes), np.empty(axes, np.int64)
    slope, here = np.empty((cells, directions)), y.copy()
    lowest, stride, stale = np.inf, 1.0, 0
    for _ in range(rounds):
        price[:] = 0.0
        value, size = 0.0, 0.0
        for cell in range(cells):
            for axis in range(axes):
                for d in range(directions):
                    price[axis] += here[cell, d] * prices.weight[cell, axis, d]
        _fill_by_price(problem, lo, hi, rest, price, b)
        for axis in range(axes):
            value += price[axis] * b[axis]
        size += value
        of_group = 0.0
        for cell in range(cells):
            group = prices.group[cell]
            last = cell + 1 == cells or prices.group[cell + 1] != group
            # What surely falls of a group says nothing about one of several cells.
            alone = last and (cell == 0 or prices.group[cell - 1] != group)
            gain, terms, s = _best_threshold(prices, cell, here, surely[group] if alone else 0, most[group])
            of_group += gain
            size += terms
            if last:
                value += of_group if alone else min(of_group, most[group])
                of_group = 0.0
            for d in range(directions):
                slope[cell, d] = -prices.eta[s, d] if s >= 0 else 0.0
            for axis in range(axes):
                if b[axis] > 0:
                    for d in range(directions):
                        slope[cell, d] += prices.weight[cell, axis, d] * b[axis]
        value += ERROR * size
        if value < lowest - 1e-3:
            stale = 0
        else:
            stale += 1
            if stale == 3:
                stride, stale = stride / 2.0, 0
        if value < lowest:
            lowest = value
            for cell in range(cells):
                copy_into(y[cell], here[cell])
            if lowest < goal + 1.0:
                break
        length = 0.0
        for cell in range(cells):
            for d in range(directions):
                if here[cell, d] > 0.0 or slope[cell, d] < 0.0:
                    length += slope[cell, d] ** 2
        if length == 0.0:
            break
        move = stride * (value - goal - 0.5) / length
        for cell in range(cells):
            for d in range(directions):
                here[cell, d] = max(here[cell, d] - move * slope[cell, d], 0.0)
    # Nothing was evaluated, or a NaN: then nothing is proved, and no whole number stands for infinity.
    return int(np.floor(lowest)) if lowest < _NOTHING_PROVED else int(_NOTHING_PROVED)
