"""Exact atoms of two discrete laws, ordered by likelihood ratio (theory sections 2 and 3).

An atom is a pair (c, d) of integers: the outcomes of one likelihood ratio have mass c·2^−bits under the clean law P
and d·2^−bits under the perturbed law P'. Floats are binary fractions, so no atom is ever rounded.
"""

from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from itertools import groupby

from graphcert.errors import UnsupportedError

Atom = tuple[int, int]

MAX_ATOMS = 200_000
MAX_BITS = 2**30
"""Bounds on the number of atoms and on their total size, about a second of work and a quarter of a gigabyte."""


def refuse_beyond_exact(atoms: int, bits: int) -> None:
    """Raise `UnsupportedError` where exact arithmetic on `atoms` atoms of `bits` bits would take too long."""
    if atoms > MAX_ATOMS or atoms * bits > MAX_BITS:
        raise UnsupportedError(
            f"this budget needs {atoms:,} atoms of {bits:,} bits, and exact trade-offs are offered up to "
            f"{MAX_ATOMS:,} atoms and {MAX_BITS:,} bits in all; lower the budget"
        )


def product(left: Sequence[Atom], right: Sequence[Atom]) -> list[Atom]:
    """The atoms of two independent parts together, in no particular order: their ratios must be sorted again."""
    return [(c * c2, d * d2) for c, d in left for c2, d2 in right]


def merge(atoms: Iterable[Atom]) -> list[Atom]:
    """Sort by decreasing ratio d/c (atoms without clean mass first), join equal ratios, drop null atoms. Exact."""
    merged: list[Atom] = []
    present = [atom for atom in atoms if atom != (0, 0)]
    for _, group in groupby(sorted(present, key=_coarse_ratio, reverse=True), key=_coarse_ratio):
        last = len(merged)
        for c, d in sorted(group, key=cmp_to_key(_compare_ratios), reverse=True):
            if len(merged) > last and _compare_ratios(merged[-1], (c, d)) == 0:
                merged[-1] = (merged[-1][0] + c, merged[-1][1] + d)
            else:
                merged.append((c, d))
    return merged


def _compare_ratios(left: Atom, right: Atom) -> int:
    """Negative, zero or positive as the ratio d/c of `left` is below, equal to or above that of `right`."""
    return left[1] * right[0] - right[1] * left[0]


def _coarse_ratio(atom: Atom) -> tuple[float, int]:
    """A sort key that never contradicts the exact order: exponent and leading 64 bits of the ratio d/c.

    Comparing long integers crosswise at every step of a sort is slow; only equal keys need it.
    """
    c, d = atom
    if c == 0:
        return (float("inf"), 0)
    if d == 0:
        return (float("-inf"), 0)
    exponent = d.bit_length() - c.bit_length()
    shift = 64 - exponent
    leading = (d << shift) // c if shift >= 0 else d // (c << -shift)
    # The quotient has 64 or 65 bits; a floor keeps the order, and 64 bits of either make the keys comparable.
    return (exponent, leading >> 1) if leading >> 64 else (exponent - 1, leading)
