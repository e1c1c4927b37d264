"""Checks prices of half-spaces: a Lagrangian proof that holds whatever program the prices were found with.

Target n of group i falls under changes b only if w_id·b ≥ η_nd in every direction d. Put the targets of one group into
chains, and choose a price y_cd ≥ 0 for every chain c and direction. If the targets F of chain c fall, then
y_c·η_n ≤ y_c·(w_i b) for all of them, so with rank(n) the number of targets of the chain whose y_c·η is at most that of n,

    |F| ≤ max(0, max_n (rank(n) − y_c·η_n)) + y_c·(w_i b),

the second part being at least y_c·η of the strongest of F. Summed over chains, b enters as Σ_a g_a b_a with
g_a = Σ_c y_c·w_a, which is largest where every budget is spent on the axes of largest g first.

Whole changes: a weight may be lowered to the largest η of the chain, because one such change already reaches every target.
Everything is counted in whole numbers of a small unit: prices as they are, w rounded up, η rounded down.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError

_BITS = 96
_UNIT = 1 << _BITS

_MOST_CHAINS = 100_000


class HalfSpaces(NamedTuple):
    """D directions, A axes, N outputs.

    Attributes:
        view: (N,) outputs of one view have the same weights.
        eta: per direction (N,) lower bounds, as whole numbers of 2⁻⁹⁶.
        weight: per direction and view (A,) upper bounds likewise; None where a change reaches everything.
        axis_class: (A,) class of each axis.
        capacity: (A,) how much of an axis can be changed; None for no limit.
        kind: (N,) outputs of one view and kind make a chain.
        whole: whether changes are whole numbers.
    """

    view: NDArray[np.int64]
    eta: Sequence[Sequence[int]]
    weight: Sequence[Sequence[Sequence[int | None]]]
    axis_class: Sequence[int]
    capacity: Sequence[int | None]
    kind: NDArray[np.int64]
    whole: bool


def scaled_down(value: Fraction) -> int:
    """A number as a whole number of 2⁻⁹⁶, rounded down."""
    return (value.numerator << _BITS) // value.denominator


def scaled_up(value: Fraction) -> int:
    """A number as a whole number of 2⁻⁹⁶, rounded up."""
    return -((-value.numerator << _BITS) // value.denominator)


def proved_by_prices(
    proof: Mapping[str, Any], spaces: HalfSpaces, budget: Sequence[Fraction], counted: NDArray[np.bool_]
) -> int:
    """At most so many of the `counted` (N,) outputs fall within a budget (one number per class).

    Raises:
        DataError: if the proof has not the form of one.
    """
    prices = _read(proof, spaces)
    limits = [scaled_up(total) for total in budget]
    standing: dict[tuple[int, int], list[int]] = {}
    for n in np.flatnonzero(counted).tolist():
        standing.setdefault((int(spaces.view[n]), int(spaces.kind[n])), []).append(n)
    reach = {view: [_filled(weight[view], spaces, limits) for weight in spaces.weight] for view, _ in standing}
    total, gains = 0, [0] * len(spaces.axis_class)
    for (view, kind), outputs in standing.items():
        # Who survives the whole budget alone in some direction never falls.
        outputs = [
            n for n in outputs
            if all(r is None or eta[n] <= r for eta, r in zip(spaces.eta, reach[view], strict=True))
        ]  # fmt: skip
        y = prices.get((view, kind), [0] * len(spaces.eta))
        costs = sorted(sum(price * eta[n] for price, eta in zip(y, spaces.eta, strict=True)) for n in outputs)
        # Costs are in units of 2⁻¹⁹²; of equal ones the last has the rank of all.
        total += max([0, *((i + 1 << 2 * _BITS) - cost for i, cost in enumerate(costs))])
        for price, eta, weight in zip(y, spaces.eta, spaces.weight, strict=True):
            largest = max((eta[n] for n in outputs), default=0)
            for axis, w in enumerate(weight[view]):
                gains[axis] += price * (largest if w is None else min(w, largest) if spaces.whole else w)
    placed = _filled(gains, spaces, limits)
    assert placed is not None  # all gains are finite
    return (total + placed) >> 2 * _BITS


def _filled(gains: Sequence[int | None], spaces: HalfSpaces, limits: Sequence[int]) -> int | None:
    """The most Σ gain·b within the budgets, in the unit of the gains; None if it is infinite."""
    total = 0
    for index, limit in enumerate(limits):
        left = limit
        mine = [axis for axis, of in enumerate(spaces.axis_class) if of == index and spaces.capacity[axis] != 0]
        if left and any(gains[axis] is None for axis in mine):
            return None
        for axis in sorted(mine, key=lambda axis: -(gains[axis] or 0)):
            capacity = spaces.capacity[axis]
            b = left if capacity is None else min(left, capacity << _BITS)
            total += (gains[axis] or 0) * b
            left -= b
    return -(-total >> _BITS)


def _read(proof: Mapping[str, Any], spaces: HalfSpaces) -> dict[tuple[int, int], list[int]]:
    """The prices of every chain, by view and kind."""
    rows = proof.get("prices")
    if not isinstance(rows, list) or len(rows) > _MOST_CHAINS:
        raise DataError("a proof by duals has a list of prices, one entry per chain")
    found: dict[tuple[int, int], list[int]] = {}
    for row in rows:
        if not isinstance(row, list) or len(row) != 1 + len(spaces.eta):
            raise DataError("a chain is told by one of its outputs and has one price per direction")
        output, *prices = row
        if type(output) is not int or not 0 <= output < spaces.view.size:
            raise DataError("a chain is told by the number of one of its outputs")
        if any(type(y) not in (int, float) or not 0 <= y <= 1e9 for y in prices):
            raise DataError("a price is a number from 0 to a billion")
        found[int(spaces.view[output]), int(spaces.kind[output])] = [scaled_down(Fraction(y)) for y in prices]
    return found
