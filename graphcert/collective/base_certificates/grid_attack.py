"""Attacks on the program: from below, how good a bound is."""

import numpy as np

from graphcert.collective.base_certificates.grid_program import GridEncoding, GridPrograms
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray, LinearProgram

_WORK = 5e8
"""Additions that a greedy attack may take (about a second); beyond it only what a solver finds counts."""


def verified(program: LinearProgram, point: FloatArray | None) -> int | None:
    """What a whole-number point near `point` breaks, if it keeps every row exactly; None if it is no attack.

    All numbers are small integers, so this arithmetic has no rounding: an attack is a fact, whoever found it.
    """
    if point is None:
        return None
    x = np.rint(point)
    inside = (x >= 0).all() and (x <= program.column_upper).all() and (program.matrix @ x <= program.row_upper).all()
    return int(program.objective @ x) if inside else None


def greedy(programs: GridPrograms, program: LinearProgram, budget: IntArray, near: FloatArray | None) -> FloatArray:
    """An attack x: the whole part of the relaxed one `near`, completed unit by unit where most nodes come closest.

    Without attackers and local budgets on edges only (rows that tie columns together are not looked at); otherwise
    nothing is spent.
    """
    encoding = programs.encoding
    x = np.zeros(len(program.objective))
    tied = encoding.adversary.attackers is not None or any(limit is not None for limit in encoding.adversary.at_node)
    if tied or float(budget.sum()) * program.matrix.nnz > _WORK:
        return x
    places = [programs.axis_columns(axis) for axis in range(len(budget))]
    if near is not None:
        for place in places:
            x[place] = np.floor(near[place] + 1e-6)
    left = np.array([limit - x[place].sum() for limit, place in zip(budget, places, strict=True)])
    reachable = program.column_upper[: len(encoding.groups.group)] > 0
    while left.max(initial=0) > 0:
        gains = _gains(encoding, _missing(encoding, x, places), reachable, left)
        for gain, place in zip(gains, places, strict=True):
            gain[x[place] >= program.column_upper[place]] = -1.0
        axis = max(range(len(gains)), key=lambda a: gains[a].max(initial=-1.0))
        if gains[axis].max(initial=0.0) <= 0:
            break
        x[places[axis].start + int(gains[axis].argmax())] += 1
        left[axis] -= 1
    x[: len(encoding.groups.group)] = _broken(encoding, _missing(encoding, x, places), reachable)
    return x


def _missing(encoding: GridEncoding, x: FloatArray, places: list[slice]) -> FloatArray:
    """(V, A) how many units each point still lacks."""
    perceived = np.stack([matrix @ x[place] for matrix, place in zip(encoding.perceived, places, strict=True)], axis=1)
    short: FloatArray = np.maximum(encoding.groups.points - perceived[encoding.groups.group], 0.0)
    return short


def _gains(encoding: GridEncoding, missing: FloatArray, reachable: BoolArray, left: FloatArray) -> list[FloatArray]:
    """Per axis and column the worth of one more unit: a node at distance d counts 1/d², the last step most."""
    groups = encoding.groups
    distance = missing.sum(axis=1)
    hopeful = reachable & (distance > 0) & (missing <= left).all(axis=1)
    done = np.zeros(len(groups.nodes), dtype=np.bool_)
    done[groups.group[distance == 0]] = True
    worth = np.where(hopeful & ~done[groups.group], 1.0 / np.maximum(distance, 1.0) ** 2, 0.0)
    gains = []
    for axis, matrix in enumerate(encoding.perceived):
        pull = np.zeros(len(groups.nodes))
        np.maximum.at(pull, groups.group, np.where(missing[:, axis] > 0, worth, 0.0))
        gain = matrix.T @ (pull * groups.weight)
        gains.append(gain if left[axis] > 0 else np.full(gain.shape, -1.0))
    return gains


def _broken(encoding: GridEncoding, missing: FloatArray, reachable: BoolArray) -> FloatArray:
    """(V,) one indicator for each group that has a point with nothing missing."""
    hit = np.flatnonzero(reachable & (missing.sum(axis=1) == 0))
    _, first = np.unique(encoding.groups.group[hit], return_index=True)
    q = np.zeros(len(missing))
    q[hit[first]] = 1.0
    return q
