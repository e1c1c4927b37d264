"""The largest bound over all choices of rows, as far as time goes: sets of choices are bounded together, split and solved.

A set of choices is no stronger than one choice that is as strong as all of them (`joined`). The most threatening set comes
first: a linear program bounds it, then it is split in two; a single choice is solved, for longer every time it comes back.
Whatever is still waiting at the end counts with what has been proved of it.
"""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from graphcert.collective.bound_loop import Bound
from graphcert.collective.hierarchical.row_choices import RowChoice, halves, joined
from graphcert.collective.solvers.program import IntArray
from graphcert.core.compiled import working_time

Solve = Callable[[RowChoice, str, float, int], tuple[Bound, IntArray | None]]
"""(choice, method, seconds, cutoff) → what falls at most (it may end at the cutoff), and the attack that was found, (A,)."""

_FIRST_SHARE = 0.05
"""The share of the time that a choice gets when it is first solved; it doubles every time."""

_FEW = 8
"""So few choices are solved without looking at them together."""

_JOINED_SHARE = 0.1
"""The share of the time that the linear program of many choices may take."""


UNFINISHED = "time limit"
"""The status of a bound while something that may exceed what is known still waits."""


@dataclass(order=True)
class _Set:
    """Choices that wait: `priority` sorts them, the most threatening and then the fewest first."""

    priority: tuple[int, int, int]
    bound: Bound = field(compare=False)
    members: IntArray = field(compare=False)
    looks: int = field(compare=False, default=0)


class RowSearch:
    """The search over some choices of rows at one budget.

    Args:
        choices: K of them.
        quick: (K,) how many outputs fall at most under each, each output alone.
        method: of a single choice, "lp", "milp" or "tight".
        solve: bounds one choice.
    """

    def __init__(self, choices: Sequence[RowChoice], quick: IntArray, method: str, solve: Solve) -> None:
        self._choices, self._quick, self._method, self._solve = choices, quick, method, solve
        self._waiting: list[_Set] = []
        self._counter = count()
        self._settled: Bound | None = None
        self._attack = math.nan
        self.attacks: list[IntArray] = []
        """Allocations (A,) of bits and edges that were found, the best ones."""
        most, every = int(quick.max()), np.arange(quick.size)
        for members in [every] if every.size > _FEW else every[:, None]:
            self._push(Bound(float(most), most, "rows", UNFINISHED, math.nan), members)

    def run(self, seconds: float, attack: float = math.nan) -> Bound:
        """What falls at most, whatever rows are chosen; it may be called again to go on.

        Args:
            seconds: how long to search; may be infinite.
            attack: so many fall under some perturbation; nan if none is known.
        """
        end = working_time() + seconds
        self._attack = float(np.fmax(self._attack, attack))
        while self._waiting and not self._over and working_time() < end:
            self._step(heapq.heappop(self._waiting), seconds, end)
        return self._result()

    def _result(self) -> Bound:
        """The largest bound of all choices, settled or waiting."""
        worst = self._settled
        if self._waiting and (worst is None or self._waiting[0].bound.attacked > worst.attacked):
            top = self._waiting[0].bound
            worst = top if self._over else replace(top, status=UNFINISHED)
        assert worst is not None  # every choice is settled or waits
        attack = float(np.minimum(self._attack, worst.attacked))  # nan stays nan
        # Each target alone against the choices of rows is more than each target alone.
        method = "rows" if worst.method == "naive" else worst.method
        return Bound(
            worst.value, worst.attacked, method, "closed" if attack == worst.attacked else worst.status, attack
        )

    @property
    def _over(self) -> bool:
        """Whether nobody who waits can exceed what is settled or known to fall."""
        return self._waiting[0].bound.attacked <= self._cutoff or (
            self._settled is not None and self._waiting[0].bound.attacked <= self._settled.attacked
        )

    @property
    def _cutoff(self) -> int:
        """So much falls in some choice; whether another one loses that much or less is of no interest."""
        settled = 0 if self._settled is None else self._settled.attacked
        return max(0 if math.isnan(self._attack) else int(self._attack), settled)

    def _push(self, bound: Bound, members: IntArray, looks: int = 0) -> None:
        most = int(self._quick[members].max())
        if most < bound.attacked:
            bound = replace(bound, value=float(most), attacked=most, method="rows")
        priority = (-bound.attacked, members.size, next(self._counter))
        heapq.heappush(self._waiting, _Set(priority, bound, members, looks))

    def _step(self, one: _Set, seconds: float, end: float) -> None:
        """Look at the most threatening set once more."""
        if one.members.size == 1:
            self._solve_single(one, seconds, end)
        elif one.looks == 0:
            limit = min(_JOINED_SHARE * seconds, end - working_time())
            together, _ = self._solve(joined([self._choices[k] for k in one.members]), "lp", limit, 0)
            self._push(_smaller(one.bound, together), one.members, 1)
        else:
            for part in halves([self._choices[k] for k in one.members], self._quick[one.members]):
                self._push(one.bound, one.members[part])

    def _solve_single(self, one: _Set, seconds: float, end: float) -> None:
        """Solve one choice for a while; it is settled, or comes back."""
        choice, left = self._choices[int(one.members[0])], end - working_time()
        limit = min(left, _FIRST_SHARE * seconds * 2**one.looks)
        found, attack = self._solve(choice, self._method, limit, self._cutoff)
        if not found.attack <= found.attacked:  # unknown, or less than something else proves
            found = replace(found, attack=math.nan)
        if not math.isnan(found.attack) and not found.attack <= self._attack:
            self._attack = found.attack
            if attack is not None:
                self.attacks.append(attack)
        closed = found.attacked <= max(self._cutoff, found.attack) or "time limit" not in found.status
        if not closed and one.looks == 0 and self._method == "tight":
            # Where the search does not end soon, the half-spaces of the orders may prove more.
            found = _smaller(found, self._solve(choice, "lp", max(end - working_time(), 0.0), 0)[0])
        found = _smaller(one.bound, found)
        if closed or found.attacked <= self._cutoff:
            if self._settled is None or found.attacked > self._settled.attacked:
                self._settled = found
        else:
            self._push(found, one.members, one.looks + 1)


def _smaller(bound: Bound, other: Bound) -> Bound:
    """The smaller of two bounds of the same choices; the other one if they agree, because it says more."""
    return bound if bound.attacked < other.attacked else other
