"""The staircase program inside a box, by Lagrange multipliers: a price per unit of every axis (theory, section 9).

If group i ends on step s (everything up to there has fallen), then w_d·b ≥ η_{s,d} in every direction d. So for all y ≥ 0

    fallen ≤ Σ_i max_s [ fallen_{i,s} − Σ_d y_{i,d} η_{s,d} ] + max_b Σ_a price_a b_a,   price_a = Σ_{i,d} y_{i,d} w_{d,i,a},

the first maximum over the steps that group i can end on inside the box, the second over the box and the budgets, which is
filled by price. Every y gives a bound; subgradient steps improve it.
"""

from typing import NamedTuple

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.tight.copying import copy_into
from graphcert.core.compiled import kernel

ERROR = 1e-10
"""Of a bound, relative to the sum of the sizes of all terms: far above the rounding of up to 10⁵ of them."""

_NOTHING_PROVED = 2.0**62
"""More than any number of outputs."""


class Prices(NamedTuple):
    """Rows of the staircase program of one budget.

    Attributes:
        first: (C + 1,) where the steps of each group begin.
        fallen: (S,) outputs of the group up to and including a step.
        eta: (S, D).
        weight: (C, A, D).
        start: (C, D) multipliers to begin with.
    """

    first: IntArray
    fallen: IntArray
    eta: FloatArray
    weight: FloatArray
    start: FloatArray


def no_prices(groups: int, axes: int) -> Prices:
    """Rows of a program without directions, which bounds nothing."""
    nothing = np.zeros(0, dtype=np.int64)
    return Prices(
        np.zeros(groups + 1, np.int64), nothing, np.zeros((0, 0)), np.zeros((groups, axes, 0)), np.zeros((groups, 0))
    )


@kernel
def _best_step(prices, group, y, surely, most):  # type: ignore[no-untyped-def]
    """(value, size of its terms, step) of the best step on which between `surely` and `most` outputs have fallen."""
    begin, end = prices.first[group], prices.first[group + 1]
    best, size, step = 0.0, 0.0, -1
    open_to_nothing = surely == 0
    before = 0
    for s in range(begin, end):
        if before >= most:
            break
        if prices.fallen[s] >= surely:
            paid = 0.0
            for d in range(prices.eta.shape[1]):
                paid += y[group, d] * prices.eta[s, d]
            value = min(prices.fallen[s], most) - paid
            if value > best or (step < 0 and not open_to_nothing):
                best, size, step = value, most + paid, s
        before = prices.fallen[s]
    return best, size, step


@kernel
def _fill_by_price(game, lo, hi, rest, price, b):  # type: ignore[no-untyped-def]
    """Write into b (A,) the allocation of the box that is worth most."""
    for axis in range(lo.size):
        b[axis] = lo[axis]
    for k in range(game.deletes.size):
        left = rest[k]
        while left > 0:
            best = -1
            for axis in range(game.first[k], game.first[k + 1]):
                if b[axis] < hi[axis] and (best < 0 or price[axis] > price[best]):
                    best = axis
            if best < 0:
                break
            more = min(left, hi[best] - b[best])
            b[best] += more
            left -= more


@kernel
def price_bound(game, prices, lo, hi, rest, surely, most, y, rounds, goal):  # type: ignore[no-untyped-def]
    """The smallest bound of `rounds` multipliers, from y (C, D) on, which is overwritten by the best ones.

    Stops when the bound is no larger than `goal`. surely, most (C,): what falls in each group at least and at most.
    """
    groups, directions = y.shape
    axes = lo.size
    price, b = np.empty(axes), np.empty(axes, np.int64)
    slope, here = np.empty((groups, directions)), y.copy()
    lowest, stride, stale = np.inf, 1.0, 0
    for _ in range(rounds):
        price[:] = 0.0
        value, size = 0.0, 0.0
        for group in range(groups):
            for axis in range(axes):
                for d in range(directions):
                    price[axis] += here[group, d] * prices.weight[group, axis, d]
        _fill_by_price(game, lo, hi, rest, price, b)
        for axis in range(axes):
            value += price[axis] * b[axis]
        size += value
        for group in range(groups):
            gain, terms, step = _best_step(prices, group, here, surely[group], most[group])
            value += gain
            size += terms
            for d in range(directions):
                slope[group, d] = -prices.eta[step, d] if step >= 0 else 0.0
            for axis in range(axes):
                if b[axis] > 0:
                    for d in range(directions):
                        slope[group, d] += prices.weight[group, axis, d] * b[axis]
        value += ERROR * size
        if value < lowest - 1e-3:
            stale = 0
        else:
            stale += 1
            if stale == 3:
                stride, stale = stride / 2.0, 0
        if value < lowest:
            lowest = value
            for group in range(groups):
                copy_into(y[group], here[group])
            if lowest < goal + 1.0:
                break
        length = 0.0
        for group in range(groups):
            for d in range(directions):
                if here[group, d] > 0.0 or slope[group, d] < 0.0:
                    length += slope[group, d] ** 2
        if length == 0.0:
            break
        move = stride * (value - goal - 0.5) / length
        for group in range(groups):
            for d in range(directions):
                here[group, d] = max(here[group, d] - move * slope[group, d], 0.0)
    # Nothing was evaluated, or a NaN: then nothing is proved, and no whole number stands for infinity.
    return int(np.floor(lowest)) if lowest < _NOTHING_PROVED else int(_NOTHING_PROVED)
