"""Attacks on the localized problem: whole changes that show, from below, how good a bound is."""

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.localized_program import LocalizedEncoding

_WORK = 3e7
"""Steps that a local search may look at (about half a second)."""


def whole_changes(encoding: LocalizedEncoding, relaxed: FloatArray, budget: IntArray) -> IntArray:
    """Whole b (A,) near the relaxed one: rounded down, then the rest of each budget by largest fraction and weight."""
    axes = encoding.axes
    limit = np.minimum(axes.capacity, budget[axes.axis_class])
    b = np.clip(np.floor(relaxed + 1e-6), 0, limit).astype(np.int64)
    wish = np.round(relaxed - b, 6) * 1e6 + encoding.weights.sum(axis=(0, 1)) / (1.0 + encoding.weights.sum())
    for index, total in enumerate(budget.tolist()):
        left = total - int(b[axes.axis_class == index].sum())
        for axis in sorted(np.flatnonzero(axes.axis_class == index), key=lambda a: -wish[a]) if left > 0 else ():
            # One unit to whoever has a fraction, all that is left to the heaviest of the others.
            more = min(left, int(limit[axis] - b[axis]), 1 if wish[axis] >= 1.0 else left)
            b[axis], left = b[axis] + more, left - more
    return b


def improved(encoding: LocalizedEncoding, b: IntArray, counts: IntArray, budget: IntArray) -> IntArray:
    """`b` after exchanges of single units within a class, each the best one, as long as they break more."""
    axes = encoding.axes
    limit = np.minimum(axes.capacity, budget[axes.axis_class])
    value = float(encoding.broken_steps(b[None, :].astype(np.float64), counts)[0])
    work = 0.0
    while True:
        give, take = np.nonzero(axes.axis_class[:, None] == axes.axis_class[None, :])
        useful = (give != take) & (b[give] > 0) & (b[take] < limit[take])
        give, take = give[useful], take[useful]
        work += float(give.size * encoding.stairs.chain.size)
        if not give.size or work > _WORK:
            return b
        moved = np.tile(b, (give.size, 1))
        row = np.arange(give.size)
        moved[row, give] -= 1
        moved[row, take] += 1
        values = encoding.broken_steps(moved.astype(np.float64), counts)
        best = int(values.argmax())
        if values[best] <= value:
            return b
        b, value = moved[best], float(values[best])
