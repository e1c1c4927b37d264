"""Checks a covering of all allocations by boxes, each of which breaks no more targets than a number.

The proof names axes that suffice, the upper corner of the first box, and one bit per box in preorder: 1 if it is split, 0
if it is a leaf. Everything else follows from rules, and nothing that is stored is believed:

1. Axes of one class that all groups see under the same laws are one. An axis that is not named must be seen by every group
   under a law that does at most as much damage as that of one named axis of its class, which has room for the whole budget.
2. The first box is 0 ≤ b ≤ upper, and upper is at least the smaller of capacity and budget.
3. A box is shrunk to the allocations that spend every budget exactly, or as far as there is room: further changes never
   mend anything. If there are none, it is left out.
4. A split halves the longest side, the first one among equals; the lower half comes first.
5. In a leaf every group completes the lower corner alone: it adds what is left of a budget to its strongest axes first, if
   the laws of those with room can be ordered by the damage they do; else all of them get as much as they can.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError
from graphcert.verification import stated
from graphcert.verification.flip_axes import UNLIMITED, FlipAxes

MOST_NODES = 100_000
"""Larger trees are refused."""

Fallen = Callable[[int, tuple[int, ...]], int]
"""(group, changes b over all axes) → how many of its targets fall at most."""


def check_covering(
    proof: Mapping[str, Any], axes: FlipAxes, budget: Sequence[int], number: int, fallen: Fallen
) -> str | None:
    """What is wrong with a covering that is to prove that at most `number` targets fall within `budget`; None if nothing.

    Raises:
        DataError: if the proof has not the form of one.
    """
    kept, upper, bits = _read(proof, axes)
    if (sentence := _axes_suffice(kept, upper, axes, budget)) is not None:
        return sentence
    walk = _Walk(axes, kept, [int(axes.axis_class[axis]) for axis in kept], budget, fallen)
    waiting, place = [([0] * len(kept), list(upper))], 0
    spend = walk.spendable(upper)
    while waiting:
        lo, hi = waiting.pop()
        rest = walk.tighten(lo, hi, spend)
        if rest is None:
            continue
        if place == len(bits):
            return "its tree ends before all allocations are covered"
        place += 1
        if not bits[place - 1]:
            if (most := walk.most(lo, hi, rest)) > number:
                return f"one of its boxes may break {most:,} targets"
            continue
        sides = [h - low for low, h in zip(lo, hi, strict=True)]
        side = sides.index(max(sides, default=0)) if sides else -1
        if side < 0 or not sides[side]:
            return "its tree splits a single allocation"
        middle = (lo[side] + hi[side]) // 2
        upper_lo, lower_hi = lo.copy(), hi.copy()
        upper_lo[side], lower_hi[side] = middle + 1, middle
        waiting += [(upper_lo, hi), (lo, lower_hi)]
    return None if place == len(bits) else "its tree goes on after all allocations are covered"


def most_fallen(axes: FlipAxes, budget: Sequence[int], fallen: Fallen) -> int:
    """How many targets fall at most within `budget`, if every group is attacked on its own: what needs no proof."""
    kept = [a for a, index in enumerate(axes.axis_class.tolist()) if budget[index] and axes.capacity[a]]
    walk = _Walk(axes, kept, [int(axes.axis_class[axis]) for axis in kept], budget, fallen)
    hi = [min(int(axes.capacity[axis]), budget[axes.axis_class[axis]]) for axis in kept]
    lo = [0] * len(kept)
    rest = walk.tighten(lo, hi, walk.spendable(hi))
    assert rest is not None  # as much is spent as there is room for
    return walk.most(lo, hi, rest)


def _read(proof: Mapping[str, Any], axes: FlipAxes) -> tuple[list[int], list[int], NDArray[np.uint8]]:
    """The named axes, the upper corner and the bits of the tree."""
    nodes = stated.whole(proof.get("nodes"), "the number of nodes of a proof by boxes", 0, MOST_NODES)
    named, ends = proof.get("axes"), proof.get("upper")
    if not isinstance(named, list) or not isinstance(ends, list) or len(named) != len(ends):
        raise DataError("a proof by boxes names axes, and one upper end for each; make the certificate again")
    kept = [stated.whole(axis, "an axis of a proof by boxes", 0, axes.capacity.size - 1) for axis in named]
    upper = [stated.whole(end, "an upper end of a proof by boxes", 0, UNLIMITED) for end in ends]
    if len(set(kept)) != len(kept):
        raise DataError("a proof by boxes names an axis twice; make the certificate again")
    try:
        packed = np.frombuffer(b64decode(proof["bits"], validate=True), np.uint8)
    except (KeyError, TypeError, ValueError):
        raise DataError("a proof by boxes has its bits in base 64; make the certificate again") from None
    if packed.size != -(-nodes // 8):
        raise DataError("a proof by boxes has as many bits as nodes; make the certificate again")
    return kept, upper, np.unpackbits(packed)[:nodes]


def _axes_suffice(kept: list[int], upper: list[int], axes: FlipAxes, budget: Sequence[int]) -> str | None:
    """What is wrong with the choice of axes and the upper corner."""
    columns = axes.law_of_axis.T
    named = {(int(axes.axis_class[axis]), columns[axis].tobytes()): end for axis, end in zip(kept, upper, strict=True)}
    room: dict[tuple[int, bytes], int] = {}
    for axis, capacity in enumerate(axes.capacity.tolist()):
        key = int(axes.axis_class[axis]), columns[axis].tobytes()
        room[key] = room.get(key, 0) + capacity
    if len(named) != len(kept):
        return "it names two axes that all groups see alike"
    for (index, column), size in room.items():
        most = min(size, budget[index])
        if named.get((index, column), most) < most:
            return "its first box leaves allocations out"
        if most and (index, column) not in named:
            law = np.frombuffer(column, np.int64)
            stronger = [
                other for axis, other in zip(kept, (columns[a] for a in kept), strict=True)
                if axes.axis_class[axis] == index and axes.harm[other, law].all()
                and room[index, other.tobytes()] >= budget[index]
            ]  # fmt: skip
            if not stronger:
                return "it leaves out an axis that no other one makes useless"
    return None


class _Walk:
    """The rules for boxes over the named axes `kept`, whose classes are `classes`."""

    def __init__(
        self, axes: FlipAxes, kept: list[int], classes: list[int], budget: Sequence[int], fallen: Fallen
    ) -> None:
        self._axes, self._kept, self._budget, self._fallen = axes, kept, budget, fallen
        self._of_class = [[i for i, index in enumerate(classes) if index == k] for k in range(len(budget))]
        self._law = axes.law_of_axis[:, kept].tolist()
        # The more laws it outdoes, the stronger; among laws that can be ordered this is their order.
        self._harm = axes.harm.tolist()
        self._strength = [sum(row) for row in self._harm]

    def spendable(self, upper: Sequence[int]) -> list[int]:
        """What of each budget there is room for."""
        return [
            min(total, sum(upper[i] for i in mine)) for total, mine in zip(self._budget, self._of_class, strict=True)
        ]

    def tighten(self, lo: list[int], hi: list[int], spend: Sequence[int]) -> list[int] | None:
        """Shrink a box, in place, to allocations that spend exactly so much; what is free after lo, or None if none do."""
        rest = []
        for mine, total in zip(self._of_class, spend, strict=True):
            spent, most = sum(lo[i] for i in mine), sum(hi[i] for i in mine)
            if spent > total or most < total:
                return None
            for i in mine:
                lo[i], hi[i] = max(lo[i], hi[i] - (most - total)), min(hi[i], lo[i] + total - spent)
            rest.append(total - sum(lo[i] for i in mine))
        return rest

    def most(self, lo: Sequence[int], hi: Sequence[int], rest: Sequence[int]) -> int:
        """How many targets fall at most in a box that was tightened."""
        total = 0
        for group in range(len(self._law)):
            b = list(lo)
            whole = [0] * self._axes.capacity.size
            for mine, left in zip(self._of_class, rest, strict=True):
                self._complete(self._law[group], b, hi, mine, left)
            for axis, amount in zip(self._kept, b, strict=True):
                whole[axis] = amount
            total += self._fallen(group, tuple(whole))
        return total

    def _complete(self, law: Sequence[int], b: list[int], hi: Sequence[int], mine: Sequence[int], left: int) -> None:
        """Add what is left of one budget to b, to the strongest axes first, or to all where there is no such order."""
        free = sorted((i for i in mine if hi[i] > b[i]), key=lambda i: -self._strength[law[i]])
        ordered = all(self._harm[law[i]][law[j]] for i, j in pairwise(free))
        for i in free:
            more = min(left, hi[i] - b[i])
            b[i] += more
            left -= more if ordered else 0
