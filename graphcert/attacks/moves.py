"""Single changes that an attack may make, in an order of promise, and how many of them fit a budget."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.attacks.perturbation import Distance, Perturbation
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.noise import AXES, Budget, Scheme

ROW = "nodes"
"""The axis of a row that changes at will, under ablation."""


class Move(NamedTuple):
    """One change: the budget axis that it counts on, (row, column, new value) of features, and the ends of an edge."""

    axis: str
    features: tuple[tuple[int, int, float], ...] = ()
    edge: tuple[int, int] | None = None

    @property
    def place(self) -> tuple[int, ...]:
        """What changes: moves of one place exclude each other."""
        if self.edge is not None:
            return self.edge
        return self.features[0][:1] if self.axis == ROW else (*self.features[0][:2], -1)


@dataclass(frozen=True)
class Goal:
    """What a perturbation may take, and whose labels it is to change.

    Attributes:
        budget, shift: the most of every axis.
        labels: (N,) the labels that are attacked.
        aims: (N,) the targets whose labels are to fall, all with one perturbation.
    """

    budget: Budget
    shift: float
    labels: Integers
    aims: Mask

    @property
    def limits(self) -> dict[str, int]:
        """The most moves per axis; what is 0 is not there."""
        counts = dict(zip(AXES, self.budget.as_tuple(), strict=True))
        if not (self.budget.feature_add or self.budget.feature_delete or self.shift) and self.budget.nodes:
            counts[ROW] = self.budget.nodes
        return {axis: count for axis, count in counts.items() if count}

    def covers(self, distance: Distance) -> bool:
        """Whether a perturbation is within the budget."""
        return distance.within(self.budget, self.shift)


def fitted(moves: Iterable[Move], goal: Goal) -> list[Move]:
    """The first moves that fit the budget together; a limit of nodes goes to the rows that come first."""
    limits, most = goal.limits, goal.budget.nodes
    left, rows, places, chosen = Counter(limits), set[int](), set[tuple[int, ...]](), list[Move]()
    for move in moves:
        row = move.features[0][0] if move.features else None
        full = most is not None and row is not None and row not in rows and len(rows) >= most
        if left[move.axis] <= 0 or move.place in places or full:
            continue
        left[move.axis] -= 1
        places.add(move.place)
        rows |= set() if row is None else {row}
        chosen.append(move)
        if not any(left.values()):
            break
    return chosen


def perturbation_of(moves: Sequence[Move]) -> Perturbation:
    """All moves together."""
    edges = [move.edge for move in moves if move.edge is not None]
    return Perturbation.of(list(chain.from_iterable(move.features for move in moves)), edges)


def bit_moves(data: Any, gradient: Floats, goal: Goal, most: int, inside: Mask | None = None) -> list[Move]:
    """Up to `most` flips per axis in the rows `inside` (N,), by falling gain of the gradient (N, D).

    Where nodes are limited, the flips of one row stand together.
    """
    x, found = data.x.numpy(), list[tuple[float, Move]]()
    for axis, value, gain in (("feature_add", 1.0, gradient), ("feature_delete", 0.0, -gradient)):
        if axis not in goal.limits:
            continue
        here = x == 1 - value if inside is None else (x == 1 - value) & inside[:, None]
        possible = np.where(here, gain, -np.inf).ravel()
        best = largest(possible, most)
        rows, columns = np.divmod(best[possible[best] > -np.inf], x.shape[1])
        gains = gain[rows, columns].tolist()
        moves = [
            Move(axis, ((row, column, value),)) for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
        found += zip(gains, moves, strict=True)
    found.sort(key=lambda one: -one[0])
    if goal.budget.nodes is None:
        return [move for _, move in found]
    of_row = dict[int, float]()
    for won, move in found:
        row = move.features[0][0]
        of_row[row] = of_row.get(row, 0.0) + max(won, 0.0)
    return [move for _, move in sorted(found, key=lambda one: -of_row[one[1].features[0][0]])]


def row_moves(data: Any, gradient: Floats, most: int) -> list[Move]:
    """Up to `most` rows by falling gain, each with the row of another node in its place, as under ablation."""
    x = data.x.numpy().astype(np.float64)
    gains = gradient @ x.T
    other = gains.argmax(axis=1)
    won = gains[np.arange(len(x)), other] - (gradient * x).sum(axis=1)
    return [replaced_row(data, int(row), int(other[row])) for row in largest(won, most) if row != other[row]]


def replaced_row(data: Any, row: int, other: int) -> Move:
    """A row becomes that of another node."""
    old, new = data.x[row].numpy(), data.x[other].numpy()
    columns = np.flatnonzero(old != new).tolist()
    return Move(ROW, tuple((row, column, float(new[column])) for column in columns) or ((row, 0, float(old[0])),))


def edge_moves(deleted: Integers, added: Integers, gains: Sequence[Floats], goal: Goal, most: int) -> list[Move]:
    """Deletions of the edges (2, E) and additions of the candidates (2, C), the most promising first."""
    found = list[tuple[float, Move]]()
    for axis, edges, gain in zip(("edge_delete", "edge_add"), (deleted, added), gains, strict=True):
        if axis in goal.limits:
            best = largest(gain, most)
            found += ((float(gain[k]), Move(axis, (), (int(edges[0, k]), int(edges[1, k])))) for k in best)
    return [move for _, move in sorted(found, key=lambda one: -one[0])]


def random_moves(
    data: Any, scheme: Scheme, goal: Goal, near: Integers, rng: np.random.Generator, most: int
) -> list[Move]:
    """Up to `most` moves per axis in random order, in the rows and at the ends `near`."""
    x, nodes, moves = data.x.numpy(), len(data.x), list[Move]()
    for axis in goal.limits:
        if axis == ROW:
            moves += [
                replaced_row(data, int(i), int(j)) for i, j in _draws(rng, most, near, np.arange(nodes)) if i != j
            ]
        elif axis.startswith("feature"):
            value = 1.0 if axis == "feature_add" else 0.0
            rows = near if value else near[(x[near] == 1).any(axis=1)]
            if rows.size:
                drawn = rng.choice(rows, most)
                columns = [_column(x[row] == 1 - value, rng) for row in drawn]
                moves += [
                    Move(axis, ((int(row), column, value),))
                    for row, column in zip(drawn, columns, strict=True)
                    if column is not None
                ]
        else:
            pool = clean_edges(data, scheme) if axis == "edge_delete" else absent_edges(data, scheme, near, rng, most)
            close = pool[:, np.isin(pool, near).any(axis=0)] if axis == "edge_delete" else pool
            moves += [Move(axis, (), (int(u), int(v))) for u, v in rng.permutation(close.T)[:most]]
    return [moves[k] for k in rng.permutation(len(moves))]


def clean_edges(data: Any, scheme: Scheme) -> Integers:
    """(2, E) the edges as `Perturbation` names them."""
    edges: Integers = data.edge_index.numpy()
    return edges if scheme.directed else edges[:, edges[0] < edges[1]]


def absent_edges(data: Any, scheme: Scheme, near: Integers, rng: np.random.Generator, most: int) -> Integers:
    """(2, ≤ most) random pairs without an edge, one end of each among `near`."""
    pairs = _draws(rng, 2 * most, near, np.arange(len(data.x))).T
    # Of directed edges those that flow towards the nodes near the targets.
    pairs = pairs[::-1] if scheme.directed else np.sort(pairs, axis=0)
    keys = np.unique(pairs[0] * len(data.x) + pairs[1])
    there = clean_edges(data, scheme)
    keys = rng.permutation(np.setdiff1d(keys, there[0] * len(data.x) + there[1]))
    found = np.stack(np.divmod(keys, len(data.x)))
    return np.asarray(found[:, found[0] != found[1]][:, :most])


def neighbourhood(data: Any, aims: Mask) -> Integers:
    """The aims and all nodes with an edge to one."""
    source, target = data.edge_index.numpy()
    return np.union1d(np.flatnonzero(aims), source[aims[target]])


def largest(values: NDArray[Any], most: int) -> Integers:
    """The places of the largest values, falling; of equal ones the earlier place comes first."""
    few = min(most, len(values))
    found = np.sort(np.argpartition(-values, few - 1)[:few]) if few else np.empty(0, np.int64)
    return np.asarray(found[np.argsort(-values[found], kind="stable")], np.int64)


def _draws(rng: np.random.Generator, most: int, firsts: Integers, seconds: Integers) -> Integers:
    return np.stack([rng.choice(firsts, most), rng.choice(seconds, most)], axis=1)


def _column(possible: Mask, rng: np.random.Generator) -> int | None:
    places = np.flatnonzero(possible)
    return int(rng.choice(places)) if places.size else None
