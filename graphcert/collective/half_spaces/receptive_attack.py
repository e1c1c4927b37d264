"""Attacks through receptive fields: whole changes that show, from below, how good a bound is."""

import numpy as np

from graphcert.collective.half_spaces.receptive_program import ReceptiveEncoding
from graphcert.collective.solvers.program import FloatArray, IntArray

_WORK = 2e9
"""Additions that a greedy attack may take (seconds); beyond it only what a solver finds counts."""


def greedy_changes(encoding: ReceptiveEncoding, near: FloatArray) -> IntArray:
    """Whole b (M,): `near` rounded down, then unit by unit where most outputs come closest to falling.

    Only where nothing but budgets and capacities ties places together; otherwise nothing is changed.
    """
    places, budget = encoding.places, encoding.budget
    b = np.zeros(places.room.size, dtype=np.int64)
    if not encoding.free or float(budget.sum()) * encoding.perceived.nnz * places.axes.size > _WORK:
        return b
    place_class = np.array(encoding.problem.class_of, dtype=np.int64)[places.place_class]
    room = np.minimum(places.room, budget[place_class])
    b = np.clip(np.floor(near + 1e-6), 0, room).astype(np.int64)
    left = budget - np.bincount(place_class, b, minlength=budget.size).astype(np.int64)
    capacity = encoding.problem.localized.capacity[places.axes]
    axis_left = capacity - np.bincount(places.axis, b, minlength=places.axes.size).astype(np.int64)
    if (left < 0).any() or (axis_left < 0).any():  # no point of the program
        return np.zeros_like(b)
    while True:
        open_places = (b < room) & (left[place_class] > 0) & (axis_left[places.axis] > 0)
        gain = np.where(open_places, _gains(encoding, b, int(left.sum())), 0.0)
        place = int(gain.argmax()) if gain.size else 0
        if not gain.size or gain[place] <= 0:
            return b
        b[place] += 1
        left[place_class[place]] -= 1
        axis_left[places.axis[place]] -= 1


def _gains(encoding: ReceptiveEncoding, b: IntArray, left: int) -> FloatArray:
    """(M,) the worth of one more unit: an output that needs d more of its heaviest changes counts 1/d²."""
    pattern, weights = encoding.pattern, encoding.weights
    spent = np.einsum("dua,ua->du", weights, encoding.seen(b.astype(np.float64)))
    heaviest = np.maximum(weights.max(axis=2, initial=0.0), np.finfo(np.float64).tiny)
    distance = (encoding.eta - spent[:, pattern]) / heaviest[:, pattern]
    farthest = distance.argmax(axis=0)
    missing = distance[farthest, np.arange(pattern.size)]
    hopeful = (missing > 0) & (missing <= left)
    worth = np.where(hopeful, 1.0 / np.maximum(missing, 1.0) ** 2, 0.0)
    pull = np.zeros(weights.shape[1:])
    np.add.at(pull, pattern, (worth / heaviest[farthest, pattern])[:, None] * weights[farthest, pattern])
    at_axes = encoding.perceived.T @ pull
    gains: FloatArray = at_axes[np.arange(b.size), encoding.places.axis]
    return gains
