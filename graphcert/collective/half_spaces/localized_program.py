"""The collective certificate of localized smoothing as a linear program over staircases (theory, sections 8 and 9).

    maximise Σ_k M_k s_k                                        s_k = 1: a chain is broken up to and including step k
    s.t.     Σ_k η_{k,d} s_k ≤ Σ_a w_{i,d,a} b_a                for every chain (of group i) and direction d
             Σ_k s_k ≤ 1                                        for every chain
             Σ_a b_a ≤ budget of its class,  0 ≤ b_a ≤ min(capacity, budget),  s and b whole (b real for norms)

with M_k the number of outputs on the first k steps. With t_k = Σ_{j ≥ k} s_j this is the row w·b ≥ Σ_k (η_k − η_{k−1}) t_k
over nested t, in a form that needs no rows for the nesting: its size depends on groups, steps and directions, not on the
number of outputs. The integer optimum is that of one row per output; the relaxation is the concave hull of the staircase.

Outputs that survive the whole budget alone (the naive certificate, and any stronger one that is given) are not counted
in M before anything is relaxed, so the relaxation is never below naive.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphcert.collective.half_spaces.localized_problem import BlockAxes, LocalizedProblem, reduce_axes
from graphcert.collective.half_spaces.thresholds import Kinds, Steps, build_steps, find_kinds
from graphcert.collective.solvers.program import (
    Amounts,
    BoolArray,
    FloatArray,
    IntArray,
    LinearProgram,
    Sparse,
    solver_matrix,
)

SMALLEST = 1e-8
"""Solvers drop matrix coefficients of 1e-9 or less; a weight below this share of its row is rounded up to it."""

_TIE = 1e-9
"""An attack with real shares ends where steps are just reached, up to this relative rounding of sums."""


@dataclass(frozen=True, eq=False)
class LocalizedEncoding:
    """The programs of one problem for all budgets up to a largest one: one matrix, new limits and counts.

    Attributes:
        axes: the axes that matter.
        kinds: the outputs that the largest budget can break.
        stairs: their steps.
        weights: (D, C, A) of `axes`; of whole changes none larger than what breaks the strongest output of its group.
        classes: number of budget classes.
        whole: whether changes are whole, or real shares of a norm.
    """

    axes: BlockAxes
    kinds: Kinds
    stairs: Steps
    weights: FloatArray
    classes: int
    whole: bool = True

    def breakable(self, counts: IntArray, budget: Amounts) -> IntArray:
        """(R,) `counts` without the kinds that survive all of `budget` on their own. Its sum is the naive bound."""
        alone = (self.kinds.eta > self.axes.reach(budget)[:, self.kinds.group]).any(axis=0)
        return np.where(alone, 0, counts)

    def program(self, counts: IntArray, budget: Amounts) -> LinearProgram:
        """The program that breaks as much as possible of `counts` (R,) within `budget` (one number per class)."""
        fallen = self._fallen(counts)
        steps, axes = fallen.size, self.axes.capacity.size
        limit = np.minimum(self.axes.capacity, budget[self.axes.axis_class])
        row_upper = np.concatenate([self._row_upper, budget.astype(np.float64)])
        return LinearProgram(
            objective=np.concatenate([fallen, np.zeros(axes)]),
            matrix=self._matrix,
            row_upper=row_upper,
            # A step that adds nothing to the one before it is never needed.
            column_upper=np.concatenate([self._added(counts) > 0, limit]).astype(np.float64),
            integer=np.concatenate([np.ones(steps, np.bool_), np.full(axes, self.whole)]),
        )

    def prices(self, duals: FloatArray) -> list[tuple[int, ...]]:
        """Of the multipliers of a program's rows, per chain one of its outputs and the price of each direction."""
        directions, chains = self.stairs.eta.shape[0], self.stairs.group.size
        scale, _ = self._row_scales
        price = np.maximum(duals[: directions * chains] * scale, 0.0).reshape(chains, directions)
        _, first = np.unique(self.kinds.of_output, return_index=True)
        output = first[-self.kinds.group.size :]  # of every kind; −1 comes first
        found = {int(chain): int(output[kind]) for kind, chain in enumerate(self.stairs.chain[self.stairs.step])}
        return [(output, *price[chain].tolist()) for chain, output in found.items()]

    def point(self, b: Amounts, counts: IntArray) -> FloatArray:
        """The point x of the program for changes `b` (A,): every chain broken as far as b goes."""
        fallen, top = self._fallen_under(b[None, :].astype(np.float64), counts)
        reached = np.flatnonzero((fallen[0] > 0) & (fallen[0] == top[0, self.stairs.chain]))
        _, first = np.unique(self.stairs.chain[reached], return_index=True)
        chosen = np.zeros(fallen.shape[1])
        chosen[reached[first]] = 1.0
        return np.concatenate([chosen, b])

    def broken_steps(self, b: FloatArray, counts: IntArray) -> FloatArray:
        """(m,) how much of `counts` falls, up to the rounding of η on steps, under each of the changes `b` (m, A)."""
        _, top = self._fallen_under(b, counts)
        return np.asarray(top.sum(axis=1))

    def broken(self, b: FloatArray, counts: IntArray, tie: float = 0.0) -> int:
        """How much of `counts` falls under one change `b` (A,), every kind at its own η less `tie` of it (float sums)."""
        crossed = (self.weights @ b)[:, self.kinds.group] >= self.kinds.eta * (1.0 - tie)
        return int(counts[crossed.all(axis=0)].sum())

    def _fallen_under(self, b: FloatArray, counts: IntArray) -> tuple[FloatArray, FloatArray]:
        """For changes `b` (m, A): (m, S) what falls with each step that is reached in all directions, (m, H) the most."""
        hit = np.ones((len(b), self.stairs.chain.size), dtype=np.bool_)
        group = self.stairs.group[self.stairs.chain]
        for weights, eta in zip(self.weights, self.stairs.eta, strict=True):
            hit &= (b @ weights.T)[:, group] >= eta * (1.0 - self.tie)
        fallen = np.where(hit, self._fallen(counts), 0.0)
        return fallen, np.maximum.reduceat(fallen, self._starts, axis=1) if self._starts.size else fallen

    @property
    def tie(self) -> float:
        """The share of η that an attack may lack and still count as having reached it."""
        return 0.0 if self.whole else _TIE

    def _added(self, counts: IntArray) -> IntArray:
        return np.bincount(self.stairs.step, counts, minlength=self.stairs.chain.size)

    def _fallen(self, counts: IntArray) -> FloatArray:
        """(S,) M_k, what falls with a chain up to and including step k."""
        total = np.cumsum(self._added(counts).astype(np.float64))
        before = np.concatenate([[0.0], total])[self._starts]
        fallen: FloatArray = total - before[self.stairs.chain]
        return fallen

    @cached_property
    def _starts(self) -> IntArray:
        """(H,) the first step of each chain."""
        return np.searchsorted(self.stairs.chain, np.arange(self.stairs.group.size))

    @cached_property
    def _row_upper(self) -> FloatArray:
        directions, chains = self.stairs.eta.shape[0], self.stairs.group.size
        return np.concatenate([np.zeros(directions * chains), np.ones(chains)])

    @cached_property
    def _matrix(self) -> Sparse:
        """Rows: chain by chain its directions, then the choice of each chain, then the budget of each class."""
        stairs, axes = self.stairs, self.axes.capacity.size
        directions, steps = stairs.eta.shape
        chains = stairs.group.size
        column = np.arange(steps)
        on_step = (stairs.chain * directions)[None, :] + np.arange(directions)[:, None]
        row = on_step.ravel()
        scale, gives = self._row_scales
        needs = sp.coo_array((stairs.eta.ravel() * scale[row], (row, np.tile(column, directions))),
                             shape=(directions * chains, steps))  # fmt: skip
        gives = gives * scale[:, None]
        gives = np.where(gives > 0, np.maximum(gives, SMALLEST), 0.0)
        choice = sp.coo_array((np.ones(steps), (stairs.chain, column)), shape=(chains, steps))
        spent = sp.coo_array((np.ones(axes), (self.axes.axis_class, np.arange(axes))), shape=(self.classes, axes))
        blocks: list[list[Any]] = [[needs, sp.coo_array(-gives)], [choice, None], [None, spent]]
        return solver_matrix(sp.csc_array(sp.block_array(blocks, format="csc")))

    @cached_property
    def _row_scales(self) -> tuple[FloatArray, FloatArray]:
        """What the rows of chains and directions are multiplied by, and their weights (H·D, A) before that."""
        stairs = self.stairs
        directions, chains = stairs.eta.shape[0], stairs.group.size
        row = (stairs.chain * directions)[None, :] + np.arange(directions)[:, None]
        gives = self._chain_weights().transpose(1, 0, 2).reshape(directions * chains, self.axes.capacity.size)
        return row_scale(row.ravel(), stairs.eta.ravel(), gives), gives

    def _chain_weights(self) -> FloatArray:
        """(D, H, A) weights lowered to the last step of the chain: one whole change that reaches it can do no more."""
        if not self.whole:
            return self.weights[:, self.stairs.group]
        last = np.searchsorted(self.stairs.chain, np.arange(self.stairs.group.size), side="right") - 1
        lowered: FloatArray = np.minimum(self.weights[:, self.stairs.group], self.stairs.eta[:, last, None])
        return lowered


def row_scale(row: IntArray, needs: FloatArray, gives: FloatArray) -> FloatArray:
    """A power of two per row that brings its largest coefficient between 1 and 2: exact, and no unit matters to a solver."""
    largest = gives.max(axis=1, initial=0.0)
    np.maximum.at(largest, row, needs)
    scale: FloatArray = np.exp2(-np.floor(np.log2(np.where(largest > 0, largest, 1.0))))
    return scale


def encode_localized(
    problem: LocalizedProblem, counted: BoolArray, most: Amounts, bins: int | None
) -> LocalizedEncoding:
    """Keep what some budget up to `most` (one number per class) can break of the outputs in the mask `counted` (n,)."""
    axes = reduce_axes(problem.weights, problem.axis_class, problem.capacity, most)
    reach = axes.reach(most)
    kept = counted.copy()
    for eta, bound in zip(problem.eta, reach, strict=True):
        kept &= eta <= bound[problem.groups]
    eta = np.maximum(problem.eta[:, kept], 0.0)
    eta = np.minimum(eta, _ceiling(axes, most, problem.groups[kept], eta)[:, problem.groups[kept]])
    kinds = find_kinds(problem.groups, eta, kept)
    stairs = build_steps(kinds, kinds.count(counted), bins)
    weights = axes.weights
    if problem.whole:
        weights = np.minimum(weights, _strongest(reach.shape, kinds.group, kinds.eta)[:, :, None])
    return LocalizedEncoding(axes, kinds, stairs, weights, most.size, problem.whole)


def _ceiling(axes: BlockAxes, most: Amounts, groups: IntArray, eta: FloatArray) -> FloatArray:
    """(D, C) a finite η for outputs that only changes of infinite weight break: no finite ones ever reach it."""
    finite = BlockAxes(np.where(np.isinf(axes.weights), 0.0, axes.weights), axes.axis_class, axes.capacity)
    beyond = 1.001 * finite.reach(most) + 0.001
    ceiling: FloatArray = np.maximum(beyond, _strongest(beyond.shape, groups, np.where(np.isinf(eta), 0.0, eta)))
    return ceiling


def _strongest(shape: tuple[int, ...], groups: IntArray, eta: FloatArray) -> FloatArray:
    """(D, C) the largest η (D, r) of each group in each direction, 0 for empty groups."""
    found = np.zeros(shape)
    for d, values in enumerate(eta):
        np.maximum.at(found[d], groups, values)
    return found
