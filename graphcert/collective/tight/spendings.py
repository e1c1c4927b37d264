"""Every way to spend a whole budget over classes and laws, with its exact critical probability, where they are few enough.

More changes never break less, so an adversary who spends everything loses nothing: a budget of n changes under L laws has
C(n + L − 1, L − 1) spendings, and those of several classes multiply.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.tight.critical import critical
from graphcert.collective.tight.game import Game
from graphcert.core.compiled import kernel

Places = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Spendings:
    """All spendings of one game. A way is a class and a law; a spending is one row of `first` plus one of `second`.

    Attributes:
        way: (C, A) the way in which each group sees each axis.
        first, second: (R, F), (S, F) changes per way, of the first class and of all others.
        critical: (Q, R·S) at every target level, ascending.
        row, column: (Q, R·S) which two rows they belong to.
    """

    way: IntArray
    first: FloatArray
    second: FloatArray
    critical: FloatArray
    row: Places
    column: Places


def number_of_spendings(game: Game) -> int:
    """R·S, at every target level."""
    total = game.levels.size
    for laws, amount in zip(_laws_of_class(game), game.budget.tolist(), strict=True):
        total *= comb(amount + laws.size - 1, amount)
    return total


def spendings(game: Game) -> Spendings:
    """Tabulate them, four microseconds each."""
    laws = game.table.shape[0]
    ways = _laws_of_class(game)
    offset = np.concatenate([[0], np.cumsum([mine.size for mine in ways])])
    way = np.zeros(game.law.shape, dtype=np.int64)
    first = second = np.zeros((1, int(offset[-1])))
    changes = np.zeros((int(offset[-1]), 2 * laws))
    for k, mine in enumerate(ways):
        axes = slice(int(game.first[k]), int(game.first[k + 1]))
        way[:, axes] = offset[k] + np.searchsorted(mine, game.law[:, axes])
        changes[np.arange(offset[k], offset[k + 1]), mine + laws * game.deletes[k]] = 1.0
        spent = np.zeros((comb(int(game.budget[k]) + mine.size - 1, mine.size - 1), int(offset[-1])))
        spent[:, offset[k] : offset[k + 1]] = _compositions(int(game.budget[k]), mine.size)
        if k == 0:
            first = spent
        else:
            second = (second[:, None, :] + spent[None, :, :]).reshape(-1, int(offset[-1]))
    counts, others = (first @ changes).astype(np.int64), (second @ changes).astype(np.int64)
    found = np.array([_critical_of_all(game.table, counts, others, level) for level in game.levels])
    order = np.argsort(found, axis=1, kind="stable")
    row, column = np.divmod(order, second.shape[0])
    ascending = np.take_along_axis(found, order, axis=1)
    return Spendings(way, first, second, ascending, row.astype(np.int32), column.astype(np.int32))


def _laws_of_class(game: Game) -> list[IntArray]:
    """Per class the laws under which some group sees a change of it."""
    return [np.unique(game.law[:, begin:end]) for begin, end in zip(game.first[:-1], game.first[1:], strict=True)]


def _compositions(amount: int, parts: int) -> IntArray:
    """All rows of `parts` ≥ 1 numbers ≥ 0 whose sum is `amount`."""
    if parts == 1:
        return np.array([[amount]])
    rows = []
    for head in range(amount + 1):
        rest = _compositions(amount - head, parts - 1)
        rows.append(np.concatenate([np.full((len(rest), 1), head), rest], axis=1))
    return np.concatenate(rows)


@kernel
def _critical_of_all(table, first, second, level):  # type: ignore[no-untyped-def]
    laws = table.shape[0]
    found = np.empty(first.shape[0] * second.shape[0])
    for r in range(first.shape[0]):
        for s in range(second.shape[0]):
            counts = first[r] + second[s]
            found[r * second.shape[0] + s] = critical(table, counts[:laws], counts[laws:], level)
    return found
