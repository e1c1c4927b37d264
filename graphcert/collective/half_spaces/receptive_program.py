"""The localized collective certificate seen through receptive fields as a linear program (theory, sections 8 and 9).

Columns, all ≥ 0 and whole in the integer program:

    s_k     1 if a chain is broken up to and including its step k                  s_k ≤ 1
    b_m     changes at place m, a node's row or an edge                            b_m ≤ min(its room, budget of its class)
    z_ua    changes of axis a that pattern u perceives, where several rows weigh them
    t_v     1 if node v is touched, where touched nodes are limited                t_v ≤ 1

Objective: maximise Σ_k M_k s_k, with M_k the outputs that fall with steps up to k.

Rows, in this order, with a(m) the axis of place m, u(h) the pattern of chain h and i(h) its group:

    1. reaching    Σ_{k of h} η_kd s_k ≤ Σ_m w_{i(h),d,a(m)} P[u(h), m] b_m        for every chain h, direction d
    2. perceiving  z_ua ≤ Σ_{m of a} P[u, m] b_m                                   for every z
    3. one step    Σ_{k of h} s_k ≤ 1                                              for every chain of several steps
    4. budgets     Σ_{m of the class} b_m ≤ budget                                 for every class
    5. capacities  Σ_{m of a} b_m ≤ capacity                                       for every axis with less than the budget
    6. local       Σ_{m ending at v} b_m ≤ local budget of v                       for classes of edges with local budgets
    7. touched     b_m ≤ room · t_v (rows), b_m ≤ t_v + t_w (edges), Σ_v t_v ≤ R   where attackers are limited

In row 1 the sum over the places of an axis is z_ua where that column exists. A row of direction d is left out if another row
of its chain implies it.
"""

from functools import cached_property

import numpy as np
import scipy.sparse as sp

from graphcert.collective.half_spaces.localized_program import SMALLEST, row_scale
from graphcert.collective.half_spaces.receptive_encoding import ReceptiveEncoding, perceives
from graphcert.collective.half_spaces.thresholds import Steps
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray, LinearProgram, Rows, Sparse


class ReceptiveProgram:
    """The program of one encoding."""

    def __init__(self, encoding: ReceptiveEncoding) -> None:
        self.encoding = encoding
        self._limited = encoding.problem.adversary.attackers is not None
        nodes = encoding.problem.adversary.perception[0].shape[0]
        places, axes = encoding.places.room.size, self._shared_axes[0].size
        self._rows = Rows({"s": encoding.fallen.size, "b": places, "z": axes, "t": nodes if self._limited else 0})
        self._reaching()
        self._perceiving()
        first = self._rows.height
        self._one_step()
        self._budgets()
        self._capacities()
        self._local_budgets()
        if self._limited:
            self._touched_nodes(nodes)
        matrix, limits = self._rows.matrix(), self._rows.limits()
        self._limits_on_changes = matrix[first:].tocsr(), limits[first:]
        room = np.minimum(encoding.places.room, encoding.class_budget[encoding.places.place_class])
        seen = encoding.axis_most[self._shared_axes[1]]
        touched = np.ones(nodes if self._limited else 0)
        self.linear = LinearProgram(
            objective=np.concatenate([encoding.fallen, np.zeros(matrix.shape[1] - encoding.fallen.size)]),
            matrix=matrix,
            row_upper=limits,
            column_upper=np.concatenate([np.ones(encoding.fallen.size), room, seen, touched]).astype(np.float64),
            integer=np.ones(matrix.shape[1], dtype=np.bool_),
        )

    def changes(self, point: FloatArray) -> FloatArray:
        """(M,) the b in a point x of the program."""
        return point[self._rows.columns["b"]]

    def allowed(self, point: FloatArray) -> bool:
        """Whether a whole point x keeps all limits on changes exactly (rows 3 to 7: small integers, no rounding)."""
        matrix, limits = self._limits_on_changes
        inside = (point >= 0).all() and (self.changes(point) <= self.encoding.places.room).all()
        return bool(inside and (matrix @ point <= limits).all())

    def point(self, b: IntArray) -> FloatArray:
        """The point x of the program for whole changes `b` (M,): every chain broken as far as they go."""
        encoding, stairs, columns = self.encoding, self.encoding.stairs, self._rows.columns
        of_pattern = encoding.seen(b.astype(np.float64))
        seen = of_pattern[stairs.group]
        reached = np.ones(encoding.fallen.size, dtype=np.bool_)
        for weights, eta in zip(self._chain_weights, stairs.eta, strict=True):
            reached &= (weights * seen).sum(axis=1)[stairs.chain] >= eta
        steps = np.flatnonzero(reached)
        x = np.zeros(self._rows.width)
        x[steps[np.diff(stairs.chain[steps], append=-1) != 0]] = 1.0  # the last step of every chain
        x[columns["b"]], x[columns["z"]] = b, of_pattern[self._shared_axes]
        return x

    @cached_property
    def _chain_weights(self) -> FloatArray:
        """(D, H, A') weights lowered to the strongest output of the chain: one whole change can do no more."""
        encoding = self.encoding
        lowered: FloatArray = np.minimum(encoding.weights[:, encoding.stairs.group], encoding.cap[:, :, None])
        return lowered

    @cached_property
    def _needed(self) -> BoolArray:
        """(D, H) the rows of chains that say something."""
        return _necessary(self._chain_weights, self.encoding.stairs)

    @cached_property
    def _shared_axes(self) -> tuple[IntArray, IntArray]:
        """Pattern and axis of every column z: those that several rows of kind 1 weigh."""
        encoding = self.encoding
        rows = np.bincount(encoding.stairs.group, self._needed.sum(axis=0), minlength=len(encoding.weights[0]))
        pattern, axis = np.nonzero(perceives(encoding.perceived, encoding.places) & (rows > 1)[:, None])
        return pattern, axis

    @cached_property
    def _shared(self) -> IntArray:
        """(U, A') the column z of each pattern and axis, −1 for none."""
        shared = np.full(self.encoding.weights.shape[1:], -1)
        shared[self._shared_axes] = np.arange(self._shared_axes[0].size)
        return shared

    def _reaching(self) -> None:
        """Rows 1: what the broken step needs against what the pattern perceives. Scaled, with no coefficient too small."""
        encoding, stairs, axis_of = self.encoding, self.encoding.stairs, self.encoding.places.axis
        direction, chain = np.nonzero(self._needed)
        row_of = np.full(self._needed.shape, -1)
        row_of[direction, chain] = np.arange(chain.size)
        d, step = np.nonzero(self._needed[:, stairs.chain] & (stairs.eta > 0))
        row = row_of[d, stairs.chain[step]]
        gives = self._chain_weights[direction, chain]
        scale = row_scale(row, stairs.eta[d, step], gives)
        gives = gives * scale[:, None]
        gives = np.where(gives > 0, np.maximum(gives, SMALLEST), 0.0)
        needs = sp.coo_array((stairs.eta[d, step] * scale[row], (row, step)), shape=(chain.size, encoding.fallen.size))
        pattern = stairs.group[chain]
        direct = encoding.perceived[pattern].tocoo()
        at, place = direct.coords
        own = self._shared[pattern[at], axis_of[place]] < 0
        at, place = at[own], place[own]
        from_places = sp.coo_array((-gives[at, axis_of[place]], (at, place)), shape=direct.shape)
        at, axis = np.nonzero((self._shared[pattern] >= 0) & (gives > 0))
        column = self._shared[pattern[at], axis]
        from_shared = sp.coo_array((-gives[at, axis], (at, column)), shape=(chain.size, self._shared_axes[0].size))
        self._rows.add(np.zeros(chain.size), {"s": needs, "b": from_places, "z": from_shared})

    def _perceiving(self) -> None:
        """Rows 2: z is at most what the pattern perceives on the axis."""
        encoding, size = self.encoding, self._shared_axes[0].size
        pattern, place = encoding.perceived.tocoo().coords
        column = self._shared[pattern, encoding.places.axis[place]]
        known = column >= 0
        ones = -np.ones(int(known.sum()))
        perceived = sp.coo_array((ones, (column[known], place[known])), shape=(size, encoding.places.room.size))
        self._rows.add(np.zeros(size), {"b": perceived, "z": sp.eye_array(size)})

    def _one_step(self) -> None:
        """Rows 3: a chain is broken up to one step."""
        stairs, steps = self.encoding.stairs, self.encoding.fallen.size
        several = np.flatnonzero(np.bincount(stairs.chain, minlength=stairs.group.size)[stairs.chain] > 1)
        names, member = np.unique(stairs.chain[several], return_inverse=True)
        ones = sp.coo_array((np.ones(several.size), (member, several)), shape=(names.size, steps))
        self._rows.add(np.ones(names.size), {"s": ones})

    def _budgets(self) -> None:
        """Rows 4: the global budget of every class."""
        budget = self.encoding.class_budget
        self._rows.add(budget, {"b": _sums(self.encoding.places.place_class, budget.size)})

    def _capacities(self) -> None:
        """Rows 5: axes (blocks, pairs of blocks) that can be changed less often than the budget allows."""
        places, localized = self.encoding.places, self.encoding.problem.localized
        capacity = localized.capacity[places.axes]
        scarce = np.flatnonzero(capacity < self.encoding.budget[localized.axis_class[places.axes]])
        self._rows.add(capacity[scarce], {"b": _sums(places.axis, places.axes.size)[scarce]})

    def _local_budgets(self) -> None:
        """Rows 6: local budgets over the edges of a node; those over features are limits of columns."""
        adversary, places = self.encoding.problem.adversary, self.encoding.places
        for index, (limit, ends) in enumerate(zip(adversary.at_node, adversary.incidence, strict=True)):
            if limit is None or ends is None:
                continue
            mine = np.flatnonzero(places.place_class == index)
            entries = ends[:, places.column[mine]].tocoo()
            node, edge = entries.coords
            shape = (ends.shape[0], places.room.size)
            self._rows.add(limit, {"b": sp.coo_array((entries.data, (node, mine[edge])), shape=shape)})

    def _touched_nodes(self, nodes: int) -> None:
        """Rows 7: only touched nodes change, only changed edges with a touched end; at most R nodes are touched."""
        adversary, places = self.encoding.problem.adversary, self.encoding.places
        for index, ends in enumerate(adversary.incidence):
            mine = np.flatnonzero(places.place_class == index)
            row = np.arange(mine.size)
            own = sp.coo_array((np.ones(mine.size), (row, mine)), shape=(mine.size, places.room.size))
            if ends is None:
                room = np.minimum(places.room[mine], self.encoding.class_budget[index]).astype(np.float64)
                by = sp.coo_array((-room, (row, places.column[mine])), shape=(mine.size, nodes))
            else:
                by = -sp.coo_array(ends[:, places.column[mine]].T)
            self._rows.add(np.zeros(mine.size), {"b": own, "t": by})
        self._rows.add([adversary.attackers or 0], {"t": np.ones((1, nodes))})


def _necessary(weights: FloatArray, stairs: Steps) -> BoolArray:
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
