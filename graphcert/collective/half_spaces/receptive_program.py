"""The localized collective certificate seen through receptive fields as a linear program (theory, sections 8 and 9).

    maximise Σ_k M_k s_k                                              s_k = 1: a chain is broken up to and including k
    s.t.     Σ_k η_{k,d} s_k ≤ Σ_m w_{i,d,a(m)} P[u, m] b_m           for every chain (of pattern u, group i), direction d
             Σ_k s_k ≤ 1                                              for every chain
             Σ_m b_m ≤ budget of its class,  ≤ capacity of its axis,  0 ≤ b_m ≤ min(its own room, budget),  s, b whole

with b_m the changes at one place (a node's row, or an edge), a(m) its axis, and u a *pattern*: a group of outputs together
with what they perceive. Outputs of one pattern are stairs of a chain, as in the program without receptive fields.

Smaller, with the same integer optimum: places that the same breakable outputs perceive are one; places perceived by fewer
than a roomy place of the same axis are left out; η is what whole changes must really reach (`perceived_support`), by which
many outputs become equal and others robust; weights are lowered to the strongest η of their chain; and a direction that
another one implies has no row.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphcert.collective.adversary import UNLIMITED
from graphcert.collective.half_spaces.localized_program import SMALLEST, row_scale
from graphcert.collective.half_spaces.receptive_problem import ReceptiveProblem
from graphcert.collective.half_spaces.thresholds import Staircases, build_staircases, find_kinds
from graphcert.collective.half_spaces.whole_changes import supported
from graphcert.collective.solvers.column_reduction import reduce_columns
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray, LinearProgram, Sparse


@dataclass(frozen=True, eq=False)
class Places:
    """The M places of change that matter.

    Attributes:
        axis: (M,) index into `axes`.
        axes: (A',) the axes of the problem that have places.
        place_class: (M,) the perceived class.
        column: (M,) the column of its perception matrix.
        room: (M,) the most changes of a place.
        perceived: (K, M) CSR ones, what each breakable output perceives.
    """

    axis: IntArray
    axes: IntArray
    place_class: IntArray
    column: IntArray
    room: IntArray
    perceived: Sparse


@dataclass(frozen=True, eq=False)
class ReceptiveEncoding:
    """The program of one problem and one budget: K outputs that it can break, U patterns, M places, A' axes.

    Attributes:
        problem: the checked problem.
        budget: (classes,).
        always: number of counted outputs that fall without any change.
        places: where changes can be.
        pattern: (K,) the pattern of each breakable output.
        eta: (D, K) finite, ≥ 0.
        perceived: (U, M) CSR ones.
        weights: (D, U, A') of the axes that a pattern perceives, at most its largest η; 0 elsewhere.
        stairs: chains over patterns, from the η that whole changes must reach.
        cap: (D, H) the largest η of each chain.
        fallen: (S,) how many outputs fall with each step.
    """

    problem: ReceptiveProblem
    budget: IntArray
    always: int
    places: Places
    pattern: IntArray
    eta: FloatArray
    perceived: Sparse
    weights: FloatArray
    stairs: Staircases
    cap: FloatArray
    fallen: FloatArray

    @property
    def size(self) -> int:
        """K + always: every bound is at most this."""
        return self.always + self.pattern.size

    def program(self) -> LinearProgram:
        """The program that breaks as many of the K outputs as it can."""
        matrix, row_upper = self._rows
        limit = np.minimum(self.places.room, self._class_budget[self.places.place_class])
        felt = self._axis_most[self._felt[1]]
        touched = matrix.shape[1] - self.fallen.size - limit.size - felt.size
        upper = np.concatenate([np.ones(self.fallen.size), limit, felt, np.ones(touched)])
        return LinearProgram(
            objective=np.concatenate([self.fallen, np.zeros(matrix.shape[1] - self.fallen.size)]),
            matrix=matrix,
            row_upper=row_upper,
            column_upper=upper.astype(np.float64),
            integer=np.ones(matrix.shape[1], dtype=np.bool_),
        )

    def changes(self, point: FloatArray) -> FloatArray:
        """(M,) the b in a point x of the program."""
        return point[self.fallen.size : self.fallen.size + self.places.room.size]

    def allowed(self, point: FloatArray) -> bool:
        """Whether a whole point x keeps all limits on changes exactly (small integers, no rounding)."""
        matrix, row_upper = self._rows
        first = self._perceiving.height
        inside = (point >= 0).all() and (self.changes(point) <= self.places.room).all()
        return bool(inside and (matrix[first:] @ point <= row_upper[first:]).all())

    def point(self, b: IntArray) -> FloatArray:
        """The point x of the program for whole changes `b` (M,): every chain broken as far as they go."""
        of_pattern = self.seen(b.astype(np.float64))
        seen = of_pattern[self.stairs.group]
        reached = np.ones(self.fallen.size, dtype=np.bool_)
        for weights, eta in zip(self._chain_weights, self.stairs.eta, strict=True):
            reached &= (weights * seen).sum(axis=1)[self.stairs.chain] >= eta
        steps = np.flatnonzero(reached)
        last = steps[np.diff(self.stairs.chain[steps], append=-1) != 0]
        x = np.zeros(self._rows[0].shape[1])
        x[last] = 1.0
        felt = of_pattern[self._felt]
        x[self.fallen.size : self.fallen.size + b.size + felt.size] = np.concatenate([b, felt])
        return x

    def seen(self, b: FloatArray) -> FloatArray:
        """(U, A') what each pattern perceives of the changes `b` (M,), per axis."""
        places = np.arange(b.size)
        spread = sp.csr_array((b, (places, self.places.axis)), shape=(b.size, self.places.axes.size))
        return np.asarray((self.perceived @ spread).toarray())

    def broken(self, b: FloatArray) -> int:
        """How many counted outputs fall under the changes `b` (M,), each at its own η (sums in floats)."""
        spent = np.einsum("dua,ua->du", self.weights, self.seen(b))
        return self.always + int((spent[:, self.pattern] >= self.eta).all(axis=0).sum())

    @property
    def free(self) -> bool:
        """Whether nothing ties places together but budgets and capacities."""
        adversary = self.problem.adversary
        return adversary.attackers is None and all(limit is None for limit in adversary.at_node)

    @cached_property
    def _class_budget(self) -> IntArray:
        """The budget of each perceived class."""
        return self.budget[list(self.problem.class_of)]

    @cached_property
    def _axis_most(self) -> IntArray:
        """(A',) the most changes on each axis."""
        localized, axes = self.problem.localized, self.places.axes
        return np.minimum(localized.capacity[axes], self.budget[localized.axis_class[axes]])

    @cached_property
    def _chain_weights(self) -> FloatArray:
        """(D, H, A') weights lowered to the strongest output of the chain: one whole change can do no more."""
        lowered: FloatArray = np.minimum(self.weights[:, self.stairs.group], self.cap[:, :, None])
        return lowered

    @cached_property
    def _needed(self) -> BoolArray:
        """(D, H) the rows of chains that say something."""
        return _necessary(self._chain_weights, self.stairs)

    @cached_property
    def _felt(self) -> tuple[IntArray, IntArray]:
        """Patterns and axes whose perceived changes have a column of their own: those that several rows weigh."""
        rows = np.bincount(self.stairs.group, self._needed.sum(axis=0), minlength=len(self.weights[0]))
        pattern, axis = np.nonzero(_sees(self.perceived, self.places) & (rows > 1)[:, None])
        return pattern, axis

    @cached_property
    def _perceiving(self) -> "_Rows":
        """The rows of chains, what must be reached against what is perceived, and of what is perceived."""
        stairs, places = self.stairs, self.places
        felt = np.full(self.weights.shape[1:], -1)
        felt[self._felt] = np.arange(self._felt[0].size)
        rows = _Rows(self.fallen.size, places.room.size, self._felt[0].size)
        direction, chain = np.nonzero(self._needed)
        where = np.full(self._needed.shape, -1)
        where[direction, chain] = np.arange(chain.size)
        d, step = np.nonzero(self._needed[:, stairs.chain] & (stairs.eta > 0))
        row = where[d, stairs.chain[step]]
        gives = self._chain_weights[direction, chain]
        scale = row_scale(row, stairs.eta[d, step], gives)
        gives = gives * scale[:, None]
        gives = np.where(gives > 0, np.maximum(gives, SMALLEST), 0.0)
        needs = sp.coo_array((stairs.eta[d, step] * scale[row], (row, step)), shape=(chain.size, self.fallen.size))
        pattern = stairs.group[chain]
        direct = self.perceived[pattern].tocoo()
        at, place = direct.coords
        alone = felt[pattern[at], places.axis[place]] < 0
        at, place = at[alone], place[alone]
        perceived = sp.coo_array((-gives[at, places.axis[place]], (at, place)), shape=direct.shape)
        at, axis = np.nonzero((felt[pattern] >= 0) & (gives > 0))
        shared = sp.coo_array((-gives[at, axis], (at, felt[pattern[at], axis])), shape=(chain.size, self._felt[0].size))
        rows.add(np.zeros(chain.size), needs, perceived, shared)
        entries = self.perceived.tocoo()
        which = felt[entries.coords[0], places.axis[entries.coords[1]]]
        known = which >= 0
        perceived = sp.coo_array((-np.ones(known.sum()), (which[known], entries.coords[1][known])),
                                 shape=(self._felt[0].size, places.room.size))  # fmt: skip
        rows.add(np.zeros(self._felt[0].size), None, perceived, sp.eye_array(self._felt[0].size))
        return rows

    @cached_property
    def _rows(self) -> tuple[Sparse, FloatArray]:
        rows = self._perceiving.copy()
        steps, places = self.fallen.size, self.places
        several = np.bincount(self.stairs.chain, minlength=self.stairs.group.size)[self.stairs.chain] > 1
        chosen = np.flatnonzero(several)
        names, member = np.unique(self.stairs.chain[chosen], return_inverse=True)
        rows.add(np.ones(names.size), sp.coo_array((np.ones(chosen.size), (member, chosen)), shape=(names.size, steps)))
        rows.add(self._class_budget.astype(np.float64), None, _sums(places.place_class, self._class_budget.size))
        rows.add(*self._capacities())
        touched = self._touched_rows(rows)
        return rows.matrix(touched), np.concatenate(rows.limits)

    def _capacities(self) -> tuple[FloatArray, None, Sparse]:
        """Axes (blocks, pairs of blocks) that can be changed less often than the budget allows."""
        places = self.places
        capacity = self.problem.localized.capacity[places.axes]
        budget = self.budget[self.problem.localized.axis_class[places.axes]]
        tight = np.flatnonzero(capacity < budget)
        return capacity[tight].astype(np.float64), None, _sums(places.axis, places.axes.size)[tight]

    def _touched_rows(self, rows: "_Rows") -> int:
        """Local budgets over the edges of a node, and at most R touched nodes; returns the number of their columns."""
        adversary, places = self.problem.adversary, self.places
        nodes = adversary.perception[0].shape[0]
        for index, (limit, ends) in enumerate(zip(adversary.at_node, adversary.incidence, strict=True)):
            if limit is not None and ends is not None:
                rows.add(limit.astype(np.float64), None, self._ends(index, ends))
        if adversary.attackers is None:
            return 0
        for index, ends in enumerate(adversary.incidence):
            mine = np.flatnonzero(places.place_class == index)
            alone = sp.coo_array(
                (np.ones(mine.size), (np.arange(mine.size), mine)), shape=(mine.size, places.room.size)
            )
            if ends is None:
                limit = np.minimum(places.room[mine], self._class_budget[index]).astype(np.float64)
                by = sp.coo_array((-limit, (np.arange(mine.size), places.column[mine])), shape=(mine.size, nodes))
            else:
                by = -sp.coo_array(ends[:, places.column[mine]].T)
            rows.add(np.zeros(mine.size), None, alone, None, by)
        rows.add(np.array([float(adversary.attackers)]), None, None, None, sp.coo_array(np.ones((1, nodes))))
        return int(nodes)

    def _ends(self, index: int, ends: Sparse) -> Sparse:
        """(N, M) which places of a class end at which node."""
        mine = np.flatnonzero(self.places.place_class == index)
        entries = ends[:, self.places.column[mine]].tocoo()
        return sp.coo_array((entries.data, (entries.coords[0], mine[entries.coords[1]])),
                            shape=(ends.shape[0], self.places.room.size))  # fmt: skip


class _Rows:
    """Rows under construction over blocks of columns: steps, places, what patterns feel, touched nodes."""

    def __init__(self, *widths: int) -> None:
        self._widths = widths
        self._offsets = np.concatenate([[0], np.cumsum(widths)]).tolist()
        self.height = 0
        self.limits: list[FloatArray] = [np.zeros(0)]
        self._entries: list[tuple[Any, Any, Any]] = []

    def copy(self) -> "_Rows":
        other = _Rows(*self._widths)
        other.height, other.limits, other._entries = self.height, list(self.limits), list(self._entries)
        return other

    def add(self, limit: FloatArray, *parts: Sparse | None) -> None:
        """Append len(limit) rows made of one matrix per block of columns."""
        for offset, part in zip(self._offsets, parts, strict=False):
            if part is not None:
                entries = sp.coo_array(part)
                row, column = entries.coords
                self._entries.append((row + self.height, column + offset, entries.data))
        self.limits.append(limit)
        self.height += len(limit)

    def matrix(self, touched: int) -> Sparse:
        row, column, value = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        width = self._offsets[-1] + touched
        matrix = sp.csc_array((value.astype(np.float64), (row, column)), shape=(self.height, width))
        matrix.eliminate_zeros()
        matrix.sort_indices()
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        return matrix


def encode_receptive(problem: ReceptiveProblem, counted: BoolArray, budget: IntArray) -> ReceptiveEncoding:
    """Keep what `budget` (one number per class) can break of the outputs in the mask `counted` (n,)."""
    localized = problem.localized
    always = counted & (localized.eta <= 0).all(axis=0)
    outputs = np.flatnonzero(counted & ~always & problem.breakable(budget))
    eta = np.maximum(localized.eta[:, outputs], 0.0)
    # Where only changes of infinite weight break: a finite η that no finite ones reach.
    eta = np.where(np.isinf(eta), 1.001 * problem.reach(budget, finite=True)[:, outputs] + 0.001, eta)
    rooms = problem.rooms(budget)[outputs]
    needs = _needs(problem, outputs, eta, rooms, budget)
    possible = np.isfinite(needs).all(axis=0)
    outputs, eta, needs = outputs[possible], eta[:, possible], needs[:, possible]
    places = _places(problem, outputs, budget)
    pattern, perceived, groups = _patterns(localized.groups[outputs], places.perceived)
    weights = _pattern_weights(localized.weights[:, :, places.axes], groups, pattern, eta, perceived, places)
    kinds = find_kinds(pattern, needs, np.ones(outputs.size, dtype=np.bool_))
    counts = kinds.count(np.ones(outputs.size, dtype=np.bool_))
    stairs = build_staircases(kinds, counts, None)
    cap = np.zeros((eta.shape[0], stairs.group.size))
    for d, values in enumerate(eta):
        np.maximum.at(cap[d], stairs.chain[stairs.step[kinds.of_output]], values)
    total = np.cumsum(np.bincount(stairs.step, counts, minlength=stairs.chain.size).astype(np.float64))
    before = np.concatenate([[0.0], total])[np.searchsorted(stairs.chain, np.arange(stairs.group.size))]
    fallen = total - before[stairs.chain]
    return ReceptiveEncoding(
        problem, budget, int(always.sum()), places, pattern, eta, perceived, weights, stairs, cap, fallen
    )


def _needs(
    problem: ReceptiveProblem, outputs: IntArray, eta: FloatArray, rooms: IntArray, budget: IntArray
) -> FloatArray:
    """(D, K) the η that whole changes must reach; equal outputs are looked at once."""
    localized = problem.localized
    key = np.concatenate([localized.groups[outputs][None, :], rooms.T, eta.view(np.int64)])
    _, first, member = np.unique(key, axis=1, return_index=True, return_inverse=True)
    some = eta[:, first]
    weights = np.minimum(localized.weights[:, localized.groups[outputs[first]]], some[:, :, None])
    return supported(some, weights, rooms[first], localized.axis_class, budget)[:, member.ravel()]


def _places(problem: ReceptiveProblem, outputs: IntArray, budget: IntArray) -> Places:
    """The columns of all classes that the adversary must tell apart."""
    adversary, localized = problem.adversary, problem.localized
    parts: list[tuple[IntArray, ...]] = [(np.zeros(0, dtype=np.int64),) * 4]
    matrices = [sp.csc_array((outputs.size, 0))]
    for index, perception in enumerate(adversary.perception):
        most = int(budget[problem.class_of[index]])
        rows = sp.csc_array(perception[outputs])
        seen = np.diff(rows.indptr) > 0
        for axis in np.unique(problem.axis_of[index]).tolist() if most else ():
            columns = np.flatnonzero(seen & (problem.axis_of[index] == axis) & (adversary.capacity[index] > 0))
            if not localized.capacity[axis] or not columns.size:
                continue
            room = adversary.capacity[index][columns]
            if adversary.attackers is None and adversary.at_node[index] is None:
                # Room for the whole budget is as good as any.
                kept, room = reduce_columns(rows[:, columns], np.where(room >= most, UNLIMITED, room))
                columns = columns[kept]
            parts.append((np.full(columns.size, axis), np.full(columns.size, index), columns, room))
            matrices.append(rows[:, columns])
    axis, place_class, column, room = (np.concatenate(part) for part in zip(*parts, strict=True))
    axes, axis = np.unique(axis, return_inverse=True)
    perceived = sp.csr_array(sp.hstack(matrices, format="csr"))
    perceived.sort_indices()
    return Places(axis.ravel(), axes, place_class, column, room, perceived)


def _patterns(groups: IntArray, perceived: Sparse) -> tuple[IntArray, Sparse, IntArray]:
    """The pattern of each output, and of each pattern what it perceives and its group."""
    first: dict[tuple[int, bytes], int] = {}
    pattern = np.empty(groups.size, dtype=np.int64)
    chosen: list[int] = []
    for output, group in enumerate(groups.tolist()):
        key = (group, perceived.indices[perceived.indptr[output] : perceived.indptr[output + 1]].tobytes())
        if key not in first:
            first[key] = len(chosen)
            chosen.append(output)
        pattern[output] = first[key]
    representative = np.array(chosen, dtype=np.int64)
    return pattern, perceived[representative], groups[representative]


def _pattern_weights(
    weights: FloatArray, groups: IntArray, pattern: IntArray, eta: FloatArray, perceived: Sparse, places: Places
) -> FloatArray:
    """(D, U, A') the weights (D, C, A') of what each pattern perceives, none larger than its largest η."""
    strongest = np.zeros((eta.shape[0], groups.size))
    for d, values in enumerate(eta):
        np.maximum.at(strongest[d], pattern, values)
    return np.where(_sees(perceived, places), np.minimum(weights[:, groups], strongest[:, :, None]), 0.0)


def _sees(perceived: Sparse, places: Places) -> BoolArray:
    """(U, A') which axes each pattern perceives."""
    entries = perceived.tocoo()
    sees = np.zeros((perceived.shape[0], places.axes.size), dtype=np.bool_)
    sees[entries.coords[0], places.axis[entries.coords[1]]] = True
    return sees


def _necessary(weights: FloatArray, stairs: Staircases) -> BoolArray:
    """(D, H) the rows that no other row of the same chain implies. Leaving a row out is sound in any case.

    Row e implies row d if, both divided by what their last step needs, e weighs no axis more and needs no less anywhere.
    """
    chains = stairs.group.size
    last = np.searchsorted(stairs.chain, np.arange(chains), side="right") - 1
    top = stairs.eta[:, last]
    needed: BoolArray = top > 0
    for d in range(len(top)):
        for other in range(len(top)):
            if other == d:
                continue
            lighter = (weights[other] * top[d][:, None] <= weights[d] * top[other][:, None]).all(axis=1)
            less = stairs.eta[other] * top[d][stairs.chain] < stairs.eta[d] * top[other][stairs.chain]
            implied = lighter & (np.bincount(stairs.chain, less, minlength=chains) == 0)
            needed[d] &= ~(implied & needed[other])
    return needed


def _sums(member: IntArray, rows: int) -> Sparse:
    """(rows, M) ones: which columns belong to which sum."""
    return sp.csr_array((np.ones(member.size), (member, np.arange(member.size))), shape=(rows, member.size))
