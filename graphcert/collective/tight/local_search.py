"""Attacks from below: exchanges of single units as long as more outputs fall."""

import numpy as np

from graphcert.collective.tight.copying import copy_into
from graphcert.collective.tight.game import attacked
from graphcert.kernel import kernel

_IMPROVED = 6
"""Starts that are improved."""


@kernel
def improve(game, memo, b, value, work):  # type: ignore[no-untyped-def]
    """Move single units within a class, each time the best move, in place; stops after `work` evaluated moves.

    Returns what falls in the end.
    """
    counts = np.empty(memo.keys.shape[1], np.int16)
    while work > 0:
        best, best_from, best_to = value, -1, -1
        for k in range(game.deletes.size):
            for give in range(game.first[k], game.first[k + 1]):
                if b[give] == 0:
                    continue
                b[give] -= 1
                for take in range(game.first[k], game.first[k + 1]):
                    if take == give or b[take] >= game.capacity[take]:
                        continue
                    b[take] += 1
                    found = attacked(game, memo, b, counts)
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
def fill(game, order, b):  # type: ignore[no-untyped-def]
    """Spend what is left of every budget on the axes in `order`, in place."""
    for k in range(game.deletes.size):
        left = game.budget[k] - b[game.first[k] : game.first[k + 1]].sum()
        for axis in order:
            if game.first[k] <= axis < game.first[k + 1]:
                more = min(left, game.capacity[axis] - b[axis])
                b[axis] += more
                left -= more


@kernel
def first_attack(game, memo, best, work):  # type: ignore[no-untyped-def]
    """The best of several local searches, written to best (A,); about `work` allocations are looked at.

    Starts go against each group, spread evenly, or begin with what `best` holds; the most promising ones are improved.
    """
    groups, axes = game.law.shape
    counts = np.empty(memo.keys.shape[1], np.int16)
    starts, values = np.zeros((groups + 2, axes), np.int64), np.full(groups + 2, -1)
    for k in range(game.deletes.size):
        width = game.first[k + 1] - game.first[k]
        for axis in range(game.first[k], game.first[k + 1]):
            starts[groups, axis] = min(game.capacity[axis], game.budget[k] // width)
    fill(game, np.arange(axes), starts[groups])
    starts[groups + 1] = best
    fill(game, np.arange(axes), starts[groups + 1])
    for start in range(groups + 2):
        if start < groups:
            if game.start[start + 1] == game.start[start]:
                continue
            fill(game, game.queue[start], starts[start])
        values[start] = attacked(game, memo, starts[start], counts)
    top = -1
    for _ in range(min(_IMPROVED, groups + 2)):
        start = int(np.argmax(values))
        if values[start] < 0:
            break
        found = improve(game, memo, starts[start], values[start], work // _IMPROVED)
        values[start] = -1
        if found > top:
            top = found
            copy_into(best, starts[start])
    return top
