"""What one budget can break through receptive fields, written small (theory, sections 8 and 9).

The program of `receptive_program` has one column per *place* of change and rows per *pattern*, a group of outputs with
what they perceive. Outputs of one pattern are the thresholds of a chain, as in the program without receptive fields. There
are fewer places and patterns than in the graph, with the same integer optimum:

1. η is what whole changes must really reach (`whole_changes`): many outputs become equal, others robust;
2. places that the same breakable outputs perceive are one, and places perceived by fewer than a roomy place of the same
   axis are left out;
3. weights are lowered to the strongest η of their pattern: one whole change can do no more.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graphcert.collective.half_spaces.receptive_problem import ReceptiveProblem
from graphcert.collective.half_spaces.thresholds import Steps, build_steps, find_kinds
from graphcert.collective.half_spaces.whole_changes import supported
from graphcert.collective.solvers.program import UNLIMITED, BoolArray, FloatArray, IntArray, Sparse, reduce_columns


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
    """One problem at one budget: K outputs that it can break, U patterns, M places, A' axes.

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
    stairs: Steps
    cap: FloatArray
    fallen: FloatArray

    @property
    def size(self) -> int:
        """K + always: every bound is at most this."""
        return self.always + self.pattern.size

    @property
    def class_budget(self) -> IntArray:
        """The budget of each perceived class."""
        return self.budget[list(self.problem.class_of)]

    @property
    def axis_most(self) -> IntArray:
        """(A',) the most changes on each axis."""
        localized, axes = self.problem.localized, self.places.axes
        return np.minimum(localized.capacity[axes], self.budget[localized.axis_class[axes]])

    @property
    def free(self) -> bool:
        """Whether nothing ties places together but budgets and capacities."""
        adversary = self.problem.adversary
        return adversary.attackers is None and all(limit is None for limit in adversary.at_node)

    def seen(self, b: FloatArray) -> FloatArray:
        """(U, A') what each pattern perceives of the changes `b` (M,), per axis."""
        places = np.arange(b.size)
        spread = sp.csr_array((b, (places, self.places.axis)), shape=(b.size, self.places.axes.size))
        return np.asarray((self.perceived @ spread).toarray())

    def broken(self, b: FloatArray) -> int:
        """How many counted outputs fall under the changes `b` (M,), each at its own η (sums in floats)."""
        spent = np.einsum("dua,ua->du", self.weights, self.seen(b))
        return self.always + int((spent[:, self.pattern] >= self.eta).all(axis=0).sum())


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
    stairs = build_steps(kinds, counts, None)
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
    return np.where(perceives(perceived, places), np.minimum(weights[:, groups], strongest[:, :, None]), 0.0)


def perceives(perceived: Sparse, places: Places) -> BoolArray:
    """(U, A') which axes each pattern perceives."""
    entries = perceived.tocoo()
    sees = np.zeros((perceived.shape[0], places.axes.size), dtype=np.bool_)
    sees[entries.coords[0], places.axis[entries.coords[1]]] = True
    return sees
