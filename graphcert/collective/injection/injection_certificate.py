"""How many targets no adversary changes who adds nodes, changes edges and rewrites rows (theory, section 12).

Given that a target v survives, what it notices is a union of increasing events of independent survivals, so by Harris'
inequality −ln(1 − P) is at most the sum of their own costs. With limit_v, the least probability of noticing that could
change its label, v falls only if

    Σ costs ≥ η_v = −ln(1 − limit_v / (1 − p_n))                never, if limit_v ≥ 1 − p_n.

Of a contact of one new node at u, with r the exposure of v at u:

    apart     w_u = −ln(1 − (1 − p_n)(1 − p_e) r)               as if every contact had a new node of its own
    together  f(Σ_u t_u), t_u = −ln(1 − (1 − p_e) r)            all contacts of one new node need this node to survive

with f(t) = −ln(p_n + (1 − p_n)e^(−t)), concave with f(0) = 0. Hence x_u contacts at u of ρ new nodes cost at most Σ x_u w_u
and at most ρ f(Σ x_u t_u / ρ): both are half-spaces in x, the second one by a tangent of f. Edges among new nodes add
nothing: whatever comes through a new node needs a contact of it.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, combinations_with_replacement, pairwise
from math import comb

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.special import rel_entr

from graphcert.collective.bound_loop import (
    Answer,
    Attack,
    Bound,
    CollectiveProblem,
    bound_loop,
    check_method,
    program_method,
    whole_point,
)
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.injection.exposure import Exposure
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray, LinearProgram, Rows, Sparse

AXES = ("injected", "degree", "edges", "rows")
"""What an adversary may do: new nodes, edges of each, changed edges between old nodes, and nodes with changed features."""

METHODS = ("naive", "lp", "milp", "enumerated")
"""From the weakest bound to the strongest."""

_UP = 1.0 + 2.0**-40

_CERTAIN = 1000.0
"""The cost of what is noticed for sure: more than any finite η."""


def collective_injection(
    exposed: Exposure,
    limit: FloatArray,
    budgets: IntArray,
    *,
    method: str = "lp",
    correct: npt.ArrayLike | None = None,
    time_limit: float | None = 60.0,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many of T targets keep their label under every attack within a budget.

    Args:
        exposed: of the targets.
        limit: (T,) a target keeps its label if it notices an attack with a smaller probability than this; rounded down, at
            most 0 for targets that abstain.
        budgets: (B, 4) whole numbers over `AXES`.
        method: "naive" (each target alone), "lp", "milp", or "enumerated": "milp", and where that leaves
            something open, all attacks of new nodes one by one if they are few (`MOST_KEPT`) and nothing else changes.
        correct: (T,) bool, correctly labelled targets, for the certified accuracy.
        time_limit: seconds per solve; when it ends, what has been proved so far is reported.
        solver: "highs" or "cvxpy".

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. `attacks` are (B, 3N), see `Changes.of`; None for
        "naive" and where they would be more than `MOST_KEPT` numbers.

    Raises:
        InputError: for an unknown method or solver.
    """
    check_method(method, METHODS)
    bound = program_method("milp" if method == "enumerated" else method, solver, time_limit)
    costs = Costs.of(exposed, limit)

    nodes = costs.apart.shape[1]
    told = method != "naive" and 3 * nodes * len(budgets) <= MOST_KEPT

    def answer(index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
        program = _AtBudget(costs, standing, budgets[index])
        found = bound(program)
        if method == "enumerated" and not found.attack >= found.attacked:
            found = enumerated(program, found)
        return Answer(found, program.best.flat if told else None)

    family = CollectiveProblem(AXES, limit.size, lambda counted, sweep: answer)
    robust = np.array([~costs.breakable(budget) for budget in budgets])
    return bound_loop(family, budgets, correct=correct, robust_per_node=robust)


@dataclass(frozen=True, eq=False)
class Costs:
    """What attacks cost towards each of T targets; all costs are rounded up, and what is needed is rounded down.

    Attributes:
        eta: (T,) what the costs must sum to; infinite if no attack but one on the own row suffices.
        apart, together: (T, N) CSR, w and t of a contact at each node.
        at_most: (T, N) CSR in the pattern of `apart`, what all contacts at a node can cost: −ln(1 − r).
        rows: (T, N) CSR, the cost of changed features at each other node.
        own: (T,) the node of each target.
        drop: p_n.
    """

    eta: FloatArray
    apart: Sparse
    together: Sparse
    at_most: Sparse
    rows: Sparse
    own: IntArray
    drop: float

    @classmethod
    def of(cls, exposed: Exposure, limit: FloatArray) -> "Costs":
        """The costs of an exposure, for targets that survive whatever they notice with a probability below `limit` (T,)."""
        survives = (1.0 - exposed.drop_nodes) * _UP
        share = np.divide(limit, survives, out=np.full(limit.shape, np.inf), where=(limit > 0) & (survives > limit))
        eta = np.where(share < 1, -np.log1p(-np.where(share < 1, share, 0.0)) / _UP, np.inf)
        eta = np.where(limit > 0, eta, 0.0)
        contacts = exposed.contacts
        return cls(
            eta, _cost(contacts, exposed.through), _cost(contacts, 1.0 - exposed.drop_edges), _cost(contacts, 1.0),
            _cost(exposed.rows, 1.0), exposed.own, exposed.drop_nodes,
        )  # fmt: skip

    def shared(self, cost: FloatArray) -> FloatArray:
        """f of the sum of `together` over the contacts of one new node; rounded up."""
        with np.errstate(divide="ignore"):
            found = -np.log(self.drop + (1.0 - self.drop) * np.exp(-cost)) * _UP
        return np.maximum(np.minimum(found, (1.0 - self.drop) * cost * _UP), 0.0)

    def breakable(self, budget: IntArray) -> BoolArray:
        """(T,) which targets do not survive every attack within a budget, each on its own."""
        injected, degree, edges, rows = budget.tolist()
        if rows:
            return np.ones(self.eta.size, np.bool_)  # its own row
        worst = np.zeros(self.eta.size)
        if injected and degree:
            worst += np.minimum(injected * self.shared(_largest(self.together, degree)), self._spread(injected, degree))
        if edges:
            worst += edges * _largest(self.apart, 2)  # at most one end of every edge lies at the worst node
        return np.asarray(worst * _UP >= self.eta)

    def _spread(self, injected: int, degree: int) -> FloatArray:
        """(T,) the worst cost of all contacts as if each had a new node of its own, at most `injected` at a node."""
        found = np.zeros(self.eta.size)
        for target, (each, most) in enumerate(zip(_by_row(self.apart), _by_row(self.at_most), strict=True)):
            order = np.argsort(-each)[: np.count_nonzero(each)]
            room = np.minimum(most[order] / each[order], float(injected)) * _UP
            taken = np.clip(injected * degree - (np.cumsum(room) - room), 0.0, room)
            found[target] = (each[order] * taken).sum()
        return found

    def spent(self, contacts: IntArray) -> FloatArray:
        """(T,) the cost of contacts (N,) as if each had a new node of its own."""
        each = np.minimum(self.apart.data * contacts[self.apart.indices], self.at_most.data)
        return np.asarray(
            sp.csr_array((each, self.apart.indices, self.apart.indptr), shape=self.apart.shape).sum(axis=1)
        )

    def fallen(self, attack: "Changes") -> BoolArray:
        """(T,) which targets an attack can take, as far as the costs tell."""
        apart, together = self.spent(attack.contacts), np.zeros(self.eta.size)
        for joined in attack.new_nodes():
            together += self.shared(self.together @ joined)
        other = self.apart @ attack.ends + self.rows @ attack.rows
        return np.asarray((np.minimum(apart, together) + other >= self.eta) | (attack.rows[self.own] > 0))


MOST_KEPT = 10**7
"""Numbers that are kept of attacks."""


@dataclass(frozen=True, eq=False)
class Changes:
    """One attack: contacts (N,) of `injected` new nodes, changed ends of edges (N,), and rewritten rows (N,)."""

    injected: int
    contacts: IntArray
    ends: IntArray
    rows: IntArray

    @classmethod
    def of(cls, injected: int, flat: IntArray) -> "Changes":
        """From contacts, ends and rows one after the other, as `CollectiveCurve.attacks` holds them."""
        return cls(injected, *flat.reshape(3, -1))

    @property
    def flat(self) -> IntArray:
        """(3N,) see `of`."""
        return np.concatenate([self.contacts, self.ends, self.rows])

    def new_nodes(self) -> FloatArray:
        """(injected, N) which nodes each new node is joined to: as evenly as can be, and never twice to the same."""
        joined = np.zeros((self.injected, self.contacts.size))
        each = np.repeat(np.arange(self.contacts.size), self.contacts)
        if each.size:
            joined[np.arange(each.size) % self.injected, each] = 1.0
        return joined


def enumerated(program: "_AtBudget", found: Bound) -> Bound:
    """The bound from all attacks one by one, where there are few of them and it is smaller; `found` otherwise.

    More contacts of a node never cost less, so every new node is joined to as many nodes as it may be, among those that some
    standing target may notice; which node is which does not matter.
    """
    costs, (injected, degree, edges, rows) = program.costs, program.budget.tolist()
    seen = np.flatnonzero(np.asarray(costs.apart[program.open].sum(axis=0)).ravel() > 0)
    size = min(degree, seen.size)
    attacks = comb(comb(seen.size, size) + injected - 1, injected)
    if edges or rows or not injected or not size or attacks * (injected + program.open.size) > MOST_KEPT:
        return found
    sets = np.array([*combinations(range(seen.size), size)])
    joined = np.zeros((len(sets), seen.size))
    joined[np.arange(len(sets))[:, None], sets] = 1.0
    each = costs.shared(np.asarray((costs.together[program.open][:, seen] @ joined.T).T))
    chosen = np.array([*combinations_with_replacement(range(len(sets)), injected)])
    together = each[chosen[:, 0]]
    for node in range(1, injected):
        together = together + each[chosen[:, node]]
    reached = together * _UP >= costs.eta[program.open]
    most, contacts = 0, np.zeros(costs.apart.shape[1], np.int64)
    for index in np.argsort(-reached.sum(axis=1), kind="stable").tolist():
        if reached[index].sum() <= most:
            break
        contacts[seen] = joined[chosen[index]].sum(axis=0).astype(np.int64)
        taken = int((reached[index] & (costs.spent(contacts) * _UP >= costs.eta)[program.open]).sum())
        if taken > most:
            most = taken
            program.keep(Changes(injected, contacts.copy(), np.zeros_like(contacts), np.zeros_like(contacts)))
    number = program.always + most
    if number >= found.attacked:
        return found
    return Bound(float(number), number, "enumerated", "closed", min(max(found.attack, program.broken), float(number)))


class _AtBudget:
    """The standing targets (T,) at one budget, as a program.

    Columns, all ≥ 0 and whole in the integer program: m_v = 1 if target v falls; x_u contacts at u, at most one of each new
    node; e_u changed ends of edges at u; y_u = 1 if the row of u changes. Maximised is Σ m_v. Rows:

        1. apart      m_v ≤ y_v + (Σ_u w_uv x_u + Σ_u w_uv e_u + Σ_u g_uv y_u) / η_v
        2. together   m_v ≤ y_v + (b Σ_u t_uv x_u + Σ_u w_uv e_u + Σ_u g_uv y_u) / (η_v − ρ KL(b, 1 − p_n))
        3. budgets    Σ x_u ≤ ρτ, Σ e_u ≤ 2E, Σ y_u ≤ R

    f(t) ≤ KL(b, 1 − p_n) + b t for every b in [0, 1 − p_n], KL the divergence of two coins, with equality where b = f'(t);
    taken is the b of the t at which ρ f(t) = η_v. Coefficients above 1 are 1: whole changes need no more.
    """

    def __init__(self, costs: Costs, standing: BoolArray, budget: IntArray) -> None:
        self.costs, self.budget = costs, budget
        self._falling = np.flatnonzero(standing)  # whoever is robust alone does not stand
        self.open = self._falling[costs.eta[self._falling] > 0]
        self.naive = int(self._falling.size)
        self.always = self.constant = self.naive - int(self.open.size)
        injected, degree, edges, rows = budget.tolist()
        self._limits = {"x": injected * degree, "e": 2 * edges, "y": rows}
        self.largest_sum = float(self.naive + sum(self._limits.values()))
        self.broken, self.best = 0.0, Changes.of(injected, np.zeros(3 * costs.apart.shape[1], np.int64))

    def program(self) -> LinearProgram | None:
        """The program of the standing targets."""
        return self._built[1]

    @cached_property
    def _built(self) -> tuple[Rows, LinearProgram]:
        costs, nodes, size = self.costs, self.costs.apart.shape[1], self.open.size
        injected, _, edges, rows = self.budget.tolist()
        used = {name: nodes for name, limit in self._limits.items() if limit}
        built = Rows({"m": size, **used})
        eta, apart, changed = costs.eta[self.open], costs.apart[self.open], costs.rows[self.open]
        own = sp.csr_array((np.ones(size), (np.arange(size), costs.own[self.open])), shape=(size, nodes))

        def reaching(contacts: Sparse, needed: FloatArray) -> None:
            given = {"x": contacts, "e": apart, "y": changed}
            parts: dict[Hashable, Sparse] = {name: -_shares(given[name], needed) for name in used}
            if rows:
                parts["y"] = parts["y"] - own
            built.add(np.zeros(size), {"m": sp.eye_array(size), **parts})

        reaching(apart, eta)
        if self._limits["x"]:
            slope, needed = self._tangents(eta)
            reaching(sp.csr_array(sp.diags_array(slope) @ costs.together[self.open]), needed)
        for name in used:
            built.add([self._limits[name]], {name: np.ones((1, nodes))})
        most = {"m": 1, "x": injected, "e": edges, "y": 1}
        return built, LinearProgram(
            objective=np.repeat([1.0, 0.0], [size, built.width - size]), matrix=built.matrix(), row_upper=built.limits(),
            column_upper=np.concatenate([np.full(size if n == "m" else nodes, float(most[n])) for n in built.columns]),
            integer=np.ones(built.width, np.bool_),
        )  # fmt: skip

    def _tangents(self, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(T',) slopes b, and what the rest must sum to, η − ρ KL(b, 1 − p_n), rounded down."""
        drop, injected = self.costs.drop, int(self.budget[0])
        with np.errstate(over="ignore"):
            slope = np.clip(1.0 - drop * np.exp(eta / injected), 0.0, 1.0 - drop)
        divergence = rel_entr(slope, 1.0 - drop) + rel_entr(1.0 - slope, drop)
        return slope, np.maximum(eta - injected * (divergence * _UP + 2.0**-50), 0.0)

    def attacks(self, point: FloatArray | None) -> Attack:
        """A whole point itself, or greedy changes from nothing and near a point that is not."""
        width = self._built[0].width
        tried = [self._greedy(np.zeros(width))]
        if point is not None:
            tried.append(np.rint(point) if whole_point(point) else self._greedy(point))
        changes = [self._changes(x) for x in tried]
        broken = [self.keep(one) for one in changes]
        best = int(np.argmax(broken))
        return Attack(tried[best], broken[best], broken[best])

    def keep(self, changes: Changes) -> float:
        """How many standing targets fall under changes, which are kept if they are the best so far."""
        broken = float(self.costs.fallen(changes)[self._falling].sum())
        if broken > self.broken:
            self.broken, self.best = broken, changes
        return broken

    def point(self, attack: Attack) -> FloatArray:
        """The changes of an attack, and every target that they break in the program."""
        x = np.array(attack.changes, np.float64)
        x[: self.open.size] = self._reached(x) >= 1.0
        return x

    def branching(self, relaxed: FloatArray | None, attack: Attack) -> "tuple[_AtBudget, Attack]":
        """This program."""
        return self, attack

    def _changes(self, x: FloatArray) -> Changes:
        columns, nodes = self._built[0].columns, self.costs.apart.shape[1]
        whole = {name: x[columns[name]].astype(np.int64) for name in columns}
        nothing = np.zeros(nodes, np.int64)
        return Changes(int(self.budget[0]), *(whole.get(name, nothing) for name in ("x", "e", "y")))

    def _reached(self, x: FloatArray) -> FloatArray:
        """(T',) how far the changes of a point take every open target; it falls at 1."""
        size = self.open.size
        reached = -(self._built[1].matrix[:, size:] @ x[size:])
        kinds = 2 if self._limits["x"] else 1
        return np.asarray(reached[: kinds * size].reshape(kinds, size).min(axis=0))

    def _greedy(self, near: FloatArray) -> FloatArray:
        """Whole changes: `near` rounded down, then one by one where most targets come closest to falling."""
        built, program = self._built
        size = self.open.size
        gives = -program.matrix.tocsr()[:size, size:]
        x = np.floor(near + 1e-6)
        x[:size] = 0.0
        heaviest = np.maximum(np.asarray(gives.max(axis=1).todense()).ravel(), 2.0**-60)
        for name, limit in self._limits.items():
            if name not in built.columns:
                continue
            mine = built.columns[name]
            columns = slice(mine.start - size, mine.stop - size)
            for _ in range(limit - int(x[mine].sum())):
                missing = (1.0 - gives @ x[size:]) / heaviest
                worth = np.where(missing > 0, 1.0 / np.maximum(missing, 1.0) ** 2, 0.0) / heaviest
                gain = np.where(x[mine] < program.column_upper[mine], gives[:, columns].T @ worth, 0.0)
                place = int(gain.argmax())
                if gain[place] <= 0:
                    break
                x[mine.start + place] += 1.0
        return x


def _cost(probability: Sparse, factor: float) -> Sparse:
    """−ln(1 − factor · probability), rounded up; `_CERTAIN` where that is certain."""
    found = probability.copy()
    certain = factor * probability.data * _UP >= 1.0
    found.data = np.where(certain, _CERTAIN, -np.log1p(-np.where(certain, 0.0, factor * probability.data)) * _UP)
    return found


def _shares(costs: Sparse, needed: FloatArray) -> Sparse:
    """(T', N) costs divided by what is needed (T',), rounded up, and at most 1; 0 where no cost suffices."""
    found = sp.csr_array(costs)
    row = np.repeat(np.arange(needed.size), np.diff(found.indptr))
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(np.isinf(needed[row]), 0.0, np.minimum(found.data / needed[row] * _UP, 1.0))
    return sp.csr_array((shares, found.indices, found.indptr), shape=found.shape)


def _by_row(matrix: Sparse) -> Iterator[FloatArray]:
    return (matrix.data[begin:end] for begin, end in pairwise(matrix.indptr))


def _largest(matrix: Sparse, number: int) -> FloatArray:
    """(T,) the sum of the largest entries of every row."""
    return np.array([np.sort(row)[::-1][:number].sum() for row in _by_row(matrix)])
