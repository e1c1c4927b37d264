"""What an output really needs: half-spaces moved up to the whole changes that cross them all.

The half-spaces of one output hold for real changes too, but changes are whole numbers. Among the whole changes z, per
axis, that fit its receptive field and the budget and cross *all* directions, each direction has a least sum

    η*_d = min { w_d · z : z whole, within reach, w_e · z ≥ η_e for all e }  ≥  η_d,

and w_d · z ≥ η*_d for every d is crossed by the same whole changes. The relaxation gains: with one axis η*/w is the whole
number of changes that break the output, and nothing is lost at all. If no z is left, the output is robust (η* = ∞).
"""

import math
from collections.abc import Iterator

import numpy as np

from graphcert.collective.solvers.program import FloatArray, IntArray

POINTS = 4096
"""Whole changes that are looked at per output; beyond them a larger sum is bounded by the lightest change."""

_GUARD = 2.0**-46
"""Relative room for the rounding of a sum of at most 64 products."""

_CHUNK = 2**22


def supported(
    eta: FloatArray, weights: FloatArray, rooms: IntArray, axis_class: IntArray, most: IntArray
) -> FloatArray:
    """(D, K) the least sums η* that break, rounded down; inf where no whole change within reach does.

    Args:
        eta: (D, K) finite, ≥ 0.
        weights: (D, K, A) finite, ≥ 0.
        rooms: (K, A) the most changes of each axis that each output can perceive.
        axis_class: (A,) the class of each axis.
        most: (classes,) the budget.
    """
    result = eta.copy()
    useful = np.where((weights > 0).any(axis=0), np.minimum(rooms, most[axis_class]), 0)
    distinct, member = np.unique(useful, axis=0, return_inverse=True)
    order = np.argsort(member.ravel(), kind="stable")
    bounds = np.searchsorted(member.ravel()[order], np.arange(len(distinct) + 1))
    for index, room in enumerate(distinct):
        axes = np.flatnonzero(room)
        if axes.size > 64:
            continue
        points, total = _whole_points(room[axes], axis_class[axes], most)
        for some in _chunks(order[bounds[index] : bounds[index + 1]], eta.shape[0] * len(points)):
            heavy = weights[:, some][:, :, axes]
            least = _least(eta[:, some], heavy, points)
            if total is not None and axes.size:  # changes that were not looked at are more than `total`
                least = np.minimum(least, (total + 1.0) * heavy.min(axis=2) * (1.0 - _GUARD))
            result[:, some] = np.maximum(eta[:, some], least)
    return result


def _least(eta: FloatArray, weights: FloatArray, points: FloatArray) -> FloatArray:
    """(D, k) the least sum of each direction over the `points` (q, a) that cross all; inf if none does."""
    sums = weights @ points.T
    crossed = np.all(sums * (1.0 + _GUARD) >= eta[:, :, None], axis=0)
    least: FloatArray = np.where(crossed, sums, math.inf).min(axis=2, initial=math.inf) * (1.0 - _GUARD)
    return least


def _whole_points(room: IntArray, classes: IntArray, most: IntArray) -> tuple[FloatArray, int | None]:
    """Whole points (q, a) of the box `room` within the budget of each class, and the sum up to which they are complete.

    The sum is None if none is missing.
    """
    total = int(sum(min(int(most[index]), int(room[classes == index].sum())) for index in np.unique(classes)))
    complete = _count(room, total) <= POINTS
    total = total if complete else min(total, POINTS)
    while not complete and math.comb(total + room.size, room.size) > POINTS:
        total -= 1
    points = np.zeros((1, 0), dtype=np.int64)
    for axis, size in enumerate(room.tolist()):
        values = np.arange(min(size, total) + 1)
        points = np.concatenate([np.repeat(points, values.size, axis=0), np.tile(values, len(points))[:, None]], axis=1)
        spent = points[:, classes[: axis + 1] == classes[axis]].sum(axis=1)
        points = points[(spent <= most[classes[axis]]) & (points.sum(axis=1) <= total)]
    return points.astype(np.float64), None if complete else total


def _count(room: IntArray, total: int) -> int:
    """At most so many whole points lie in the box and sum to at most `total`."""
    box: int = math.prod(size + 1 for size in room.tolist())
    return min(box, math.comb(total + room.size, room.size))


def _chunks(members: IntArray, each: int) -> Iterator[IntArray]:
    step = max(1, _CHUNK // max(each, 1))
    for start in range(0, members.size, step):
        yield members[start : start + step]
