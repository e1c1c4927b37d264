"""Attacks on the localized problem: changes that show, from below, how good a bound is."""

import numpy as np

from graphcert.collective.half_spaces.localized_program import LocalizedEncoding
from graphcert.collective.solvers.program import Amounts, FloatArray, IntArray

_WORK = 3e7
"""Steps that a local search may look at (about half a second)."""


def attempted(encoding: LocalizedEncoding, relaxed: FloatArray, budget: Amounts) -> Amounts:
    """Allowed b (A,) near the relaxed one: whole, or real and within the budget that a solver may exceed a little."""
    if encoding.whole:
        return whole_changes(encoding, relaxed, budget)
    axes = encoding.axes
    b = np.clip(relaxed, 0.0, np.minimum(axes.capacity, budget[axes.axis_class]))
    spent = np.bincount(axes.axis_class, b, minlength=budget.size)
    share = np.minimum(1.0, np.divide(budget, spent, out=np.ones(budget.size), where=spent > 0))
    within: FloatArray = b * share[axes.axis_class]
    return within


def whole_changes(encoding: LocalizedEncoding, relaxed: FloatArray, budget: Amounts) -> IntArray:
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


def improved(encoding: LocalizedEncoding, b: Amounts, counts: IntArray, budget: Amounts) -> Amounts:
    """`b` after exchanges of single units within a class, each the best one, as long as they break more.

    Real shares exchange a quarter of the largest budget, and half as much whenever that does not help, down to a 256th.
    """
    axes = encoding.axes
    limit = np.minimum(axes.capacity, budget[axes.axis_class])
    value = float(encoding.broken_steps(b[None, :].astype(np.float64), counts)[0])
    work, unit = 0.0, 1 if encoding.whole else float(budget.max()) / 4
    finest = unit / 64
    while True:
        give, take = np.nonzero(axes.axis_class[:, None] == axes.axis_class[None, :])
        useful = (give != take) & (b[give] > 0) & (b[take] < limit[take])
        give, take = give[useful], take[useful]
        work += float(give.size * encoding.stairs.chain.size)
        if not give.size or work > _WORK:
            return b
        moved = np.tile(b, (give.size, 1))
        row = np.arange(give.size)
        size = np.minimum(unit, np.minimum(b[give], limit[take] - b[take]))
        moved[row, give] -= size
        moved[row, take] += size
        values = encoding.broken_steps(moved.astype(np.float64), counts)
        best = int(values.argmax())
        if values[best] > value:
            b, value = moved[best], float(values[best])
        elif encoding.whole or unit <= finest:
            return b
        else:
            unit /= 2
