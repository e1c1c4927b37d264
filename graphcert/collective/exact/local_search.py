"""Attacks from below: exchanges of single units as long as more outputs fall, and annealing where it is worth it."""

import numpy as np

from graphcert.collective.exact.critical import copy_into
from graphcert.collective.exact.search_problem import attacked, some_outputs
from graphcert.core.compiled import kernel

_IMPROVED = 6
"""Starts that are improved."""

_HOT, _COLD = 6e-3, 5e-4
"""Shares of all outputs that a move may cost at the start and at the end of annealing, about."""


@kernel
def improve(problem, cache, b, value, work):  # type: ignore[no-untyped-def]
    """Move single units within a class, each time the best move, in place; stops after `work` evaluated moves.

    Returns what falls in the end.
    """
    counts = np.empty(cache.keys.shape[1], np.int16)
    while work > 0:
        best, best_from, best_to = value, -1, -1
        for k in range(problem.deletes.size):
            for give in range(problem.first[k], problem.first[k + 1]):
                if b[give] == 0:
                    continue
                b[give] -= 1
                for take in range(problem.first[k], problem.first[k + 1]):
                    if take == give or b[take] >= problem.capacity[take]:
                        continue
                    b[take] += 1
                    found = attacked(problem, cache, b, counts)
                    b[take] -= 1
                    work -= 1
                    if found > best:
                        best, best_from, best_to = found, give, take
                b[give] += 1
        if best_from < 0:
            break
        b[best_from] -= 1
        b[best_to] += 1
        value = best
    return value


@kernel
def fill(problem, order, b):  # type: ignore[no-untyped-def]
    """Spend what is left of every budget on the axes in `order`, in place."""
    for k in range(problem.deletes.size):
        left = problem.budget[k] - b[problem.first[k] : problem.first[k + 1]].sum()
        for axis in order:
            if problem.first[k] <= axis < problem.first[k + 1]:
                more = min(left, problem.capacity[axis] - b[axis])
                b[axis] += more
                left -= more


@kernel
def first_attack(problem, cache, best, work):  # type: ignore[no-untyped-def]
    """The best of several local searches, written to best (A,); about `work` allocations are looked at.

    Starts go against each group, spread evenly, or begin with what `best` holds; the most promising ones are improved.
    """
    groups, axes = problem.law.shape
    counts = np.empty(cache.keys.shape[1], np.int16)
    starts, values = np.zeros((groups + 2, axes), np.int64), np.full(groups + 2, -1)
    for k in range(problem.deletes.size):
        width = problem.first[k + 1] - problem.first[k]
        for axis in range(problem.first[k], problem.first[k + 1]):
            starts[groups, axis] = min(problem.capacity[axis], problem.budget[k] // width)
    fill(problem, np.arange(axes), starts[groups])
    starts[groups + 1] = best
    fill(problem, np.arange(axes), starts[groups + 1])
    for start in range(groups + 2):
        if start < groups:
            if not some_outputs(problem, start):
                continue
            fill(problem, problem.by_strength[start], starts[start])
        values[start] = attacked(problem, cache, starts[start], counts)
    top = -1
    for _ in range(min(_IMPROVED, groups + 2)):
        start = int(np.argmax(values))
        if values[start] < 0:
            break
        found = improve(problem, cache, starts[start], values[start], work // _IMPROVED)
        values[start] = -1
        if found > top:
            top = found
            copy_into(best, starts[start])
    return top


@kernel
def _random(state):  # type: ignore[no-untyped-def]
    """The next number in [0, 1) (xorshift, Marsaglia 2003); `state` (1,) is not 0."""
    state[0] ^= state[0] << np.uint64(13)
    state[0] ^= state[0] >> np.uint64(7)
    state[0] ^= state[0] << np.uint64(17)
    return (state[0] >> np.uint64(11)) * 2.0**-53


@kernel
def anneal(problem, cache, best, value, moves):  # type: ignore[no-untyped-def]
    """So many random exchanges of a unit, from `best` (A,) on, which is overwritten by the best allocation on the way.

    Worse ones are accepted the more rarely the later (Kirkpatrick et al. 1983). Always the same numbers are drawn.
    Returns what falls under `best`, not less than `value`, which is what falls in the beginning.
    """
    state = np.full(1, 88172645463325252, np.uint64)
    counts = np.empty(cache.keys.shape[1], np.int16)
    b, here, top = best.copy(), value, value
    for move in range(moves if problem.deletes.size else 0):
        heat = problem.p.size * _HOT * (_COLD / _HOT) ** (move / moves)
        k = int(_random(state) * problem.deletes.size)
        begin, width = problem.first[k], problem.first[k + 1] - problem.first[k]
        give, take = begin + int(_random(state) * width), begin + int(_random(state) * width)
        if give == take or b[give] == 0 or b[take] >= problem.capacity[take]:
            continue
        b[give] -= 1
        b[take] += 1
        found = attacked(problem, cache, b, counts)
        if found >= here or _random(state) < np.exp((found - here) / heat):
            here = found
            if here > top:
                top = here
                copy_into(best, b)
        else:
            b[give] += 1
            b[take] -= 1
    return top
