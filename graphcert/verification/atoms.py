"""Exact trade-offs of discrete changes: independent parts of atoms, in floats with a proved error and in integers.

P is the noise around the clean graph, P' that around a changed one. An atom is the mass of outcomes of one likelihood ratio
under both laws. An event of P-mass p has a P'-mass between lower(p) and upper(p) = 1 − lower(1 − p) (theory, section 1).
"""

from collections.abc import Iterable
from fractions import Fraction
from functools import cmp_to_key, lru_cache
from itertools import accumulate
from math import comb, lcm, prod
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import UnsupportedError
from graphcert.verification.pairs import Pairs

Floats = NDArray[np.float64]
Atoms = tuple[Floats, Floats]
"""Masses under P, none above its exact value, and under P', none below its exact value."""

Integral = tuple[list[int], list[int], int]
"""Exact masses under P and P' as whole numbers, and the whole that stands for 1."""

_UNIT = 2.0**-53
_FLOOR = 2.0**-1060
"""So much is taken off P and added to P', more than floats lose near the smallest ones; it favours the adversary."""

MOST_ATOMS = 2**22
"""Trade-offs with more atoms are refused; a second of work and a hundred megabytes."""

MOST_EXACT = 2**27
"""Bits of all exact atoms together; trade-offs beyond are decided in floats alone."""


class Flips(NamedTuple):
    """Bits under one law of flips, some added by the adversary and some deleted (theory, section 2).

    Attributes:
        add, delete: the exact probabilities θ⁺ of 0 → 1 and θ⁻ of 1 → 0.
        added, deleted: how many bits the adversary adds and deletes.
    """

    add: Fraction
    delete: Fraction
    added: int
    deleted: int

    @property
    def size(self) -> tuple[int, int]:
        """The number of atoms, and the bits of each as integers."""
        bits = (self.added + self.deleted) * (_common(self.add, self.delete).bit_length() - 1)
        return self.added + self.deleted + 1, bits

    def floats(self) -> Atoms:
        """An outcome counts by its deviations: added bits that show a one, and deleted ones that show a zero.

        Masses of binomials are the nearest floats; a convolution of n terms is off by a relative (n + 3)·2⁻⁵³ at most.
        """
        terms = min(self.added, self.deleted) + 1
        clean = np.convolve(_masses(self.add, self.added), _masses(self.delete, self.deleted))
        changed = np.convolve(_masses(1 - self.delete, self.added), _masses(1 - self.add, self.deleted))
        return _down(clean, terms + 4), _up(changed, terms + 4)

    def exact(self) -> Integral:
        """The same in integers."""
        whole = _common(self.add, self.delete)
        clean = _convolved(_counts(self.add, self.added, whole), _counts(self.delete, self.deleted, whole))
        changed = _convolved(_counts(1 - self.delete, self.added, whole), _counts(1 - self.add, self.deleted, whole))
        return clean, changed, whole ** (self.added + self.deleted)


class Reweighted(NamedTuple):
    """Deleted edges that noise can only bring back with another weight (theory, section 2): they are told apart if seen.

    Attributes:
        add, delete: θ⁺ and θ⁻.
        deleted: how many edges the adversary deletes.
    """

    add: Fraction
    delete: Fraction
    deleted: int

    @property
    def size(self) -> tuple[int, int]:
        """The number of atoms, and the bits of each as integers."""
        return 3, self.deleted * (_common(self.add, self.delete).bit_length() - 1)

    def floats(self) -> Atoms:
        """Three atoms: some edge with its own weight, none at all, some edge with the added weight."""
        return _nearest(self.exact())

    def exact(self) -> Integral:
        """The same in integers."""
        whole = _common(self.add, self.delete)
        everything = whole**self.deleted
        unseen = int(self.delete * whole) ** self.deleted
        not_added = int((1 - self.add) * whole) ** self.deleted
        return [everything - unseen, unseen, 0], [0, not_added, everything - not_added], everything


class Disjoint(NamedTuple):
    """Outcomes that only one of the two laws shows, of mass δ under its own law, and others alike (theory, section 6).

    Attributes:
        delta: δ in [0, 1], exact.
    """

    delta: Fraction

    @property
    def size(self) -> tuple[int, int]:
        """The number of atoms, and the bits of each as integers."""
        return 3, self.delta.denominator.bit_length()

    def floats(self) -> Atoms:
        """Three atoms."""
        return _nearest(self.exact())

    def exact(self) -> Integral:
        """The same in integers."""
        part, whole = self.delta.numerator, self.delta.denominator
        return [part, whole - part, 0], [0, whole - part, part], whole


Part = Flips | Reweighted | Disjoint


class TradeOff:
    """The trade-off of independent parts together; every answer of its methods is proved.

    In floats: let P ≤ its exact value and P' ≥ its exact value for every atom. For any slope r ≥ 0,

        upper(q) ≤ r·q + Σ max(0, P' − r·P)

    (Neyman and Pearson; weak duality). r is the ratio of the atom that an event of mass q takes in part, when atoms are
    taken by falling computed ratio. Where rounding puts two atoms in the wrong order, a term is off by at most 4u·P', with
    u = 2⁻⁵³. Sums of n atoms are off by a relative n·u, the terms r·q and r·ΣP are at most about the whole P'-mass 1, and
    so the error of the whole is below `slack` = (4n + 64)·u.

    Attributes:
        parts: the independent parts.
        slack: what `upper` is above its computed value, and at most twice of which it is above the exact one, beyond what
            the rounding of masses costs.

    Raises:
        UnsupportedError: if there are more than `MOST_ATOMS`.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self.parts = tuple(parts)
        if prod(part.size[0] for part in self.parts) > MOST_ATOMS:
            raise UnsupportedError(f"a trade-off of more than {MOST_ATOMS:,} atoms is not proved; lower the budget")
        clean, changed = np.ones(1), np.ones(1)
        for part in self.parts:
            p, p_changed = part.floats()
            clean = _down(np.outer(clean, p).ravel(), 1)
            changed = _up(np.outer(changed, p_changed).ravel(), 1)
        with np.errstate(divide="ignore", over="ignore"):
            ratio = np.where(clean > 0, changed / np.where(clean > 0, clean, 1.0), np.inf)
        clean[np.isinf(ratio)] = 0.0  # less mass under P favours the adversary
        order = np.argsort(-ratio, kind="stable")
        self._ratio = np.append(ratio[order], 0.0)
        self._clean = np.concatenate([[0.0], np.cumsum(clean[order])])
        self._changed = np.concatenate([[0.0], np.cumsum(changed[order])])
        self.slack = (4 * len(order) + 64) * _UNIT * max(1.0, float(self._changed[-1]))

    def upper(self, q: Floats) -> Floats:
        """An upper bound of the P'-mass of an event whose P-mass is at most q in [0, 1]."""
        at = np.searchsorted(self._clean, q, side="right") - 1
        slope = self._ratio[at]
        with np.errstate(invalid="ignore"):
            reached = self._changed[at] + np.where(q > self._clean[at], slope * (q - self._clean[at]), 0.0)
        return np.asarray(np.minimum(reached + self.slack, 1.0))

    def lower(self, p: Floats) -> Floats:
        """A lower bound of the P'-mass of an event whose P-mass is at least p in [0, 1]."""
        rest = np.where(p >= 0.5, 1.0 - p, np.minimum(np.nextafter(1.0 - p, 2.0), 1.0))  # exact above one half
        return np.asarray(np.maximum(np.nextafter(1.0 - self.upper(rest), -1.0), 0.0))

    @property
    def exact(self) -> bool:
        """Whether the exact atoms are few enough to be written out."""
        atoms, bits = 1, 0
        for part in self.parts:
            count, size = part.size
            atoms, bits = atoms * count, bits + size
        return atoms * (bits + 64) <= MOST_EXACT

    def exact_lower(self, p: Fraction) -> Fraction:
        """The smallest P'-mass of an event of P-mass p, exactly; ask only where `exact` holds."""
        vertices, whole = _exact_atoms(self.parts)
        left = p * whole
        taken, lost = 0, 0
        for clean, changed in vertices:
            if taken + clean > left:
                return (lost + changed * (left - taken) / clean) / whole
            taken, lost = taken + clean, lost + changed
        return Fraction(lost, whole)

    @property
    def critical(self) -> float:
        """A p such that every majority of more than p survives, just above the least such; 1.0 if there is none."""
        place = int(np.searchsorted(self._changed, 0.5 - self.slack, side="left")) - 1
        if place < 0:
            return 1.0
        q = self._clean[place] + (0.5 - self.slack - self._changed[place]) / self._ratio[place]
        p, step = 1.0 - q, _UNIT
        while p < 1.0 and not self.lower(np.array([p]))[0] > 0.5:
            p, step = min(1.0, p + step), 2 * step
        return float(p)

    def survives(self, pairs: Pairs) -> tuple[NDArray[np.bool_], int]:
        """Which nodes keep their label: label > 1/2 under P', or label > every other class (theory, section 1).

        Args:
            pairs: bounds of N nodes under P.

        Returns:
            (N,) mask of what is proved, and how many nodes had to be decided in integers.
        """
        low, rival = self.lower(pairs.labels)[pairs.label_at], np.full(pairs.label_at.shape, 0.5)
        if pairs.others is not None:
            rival = self.upper(pairs.others)[pairs.other_at]
        kept = np.asarray((low > 0.5) | (low > rival))
        near = np.flatnonzero(~kept & (low + 16 * self.slack > np.minimum(rival, 0.5)))
        if not near.size or not self.exact:
            return kept, 0
        for node in near.tolist():
            least = self.exact_lower(Fraction(pairs.labels[pairs.label_at[node]]))
            rest = Fraction(1, 2)
            if pairs.others is not None:
                rest = self.exact_lower(1 - Fraction(pairs.others[pairs.other_at[node]]))
            kept[node] = 2 * least > 1 or least + rest > 1
        return kept, near.size


@lru_cache(maxsize=8)
def _exact_atoms(parts: tuple[Part, ...]) -> tuple[list[tuple[int, int]], int]:
    """All atoms with some P-mass by rising ratio P'/P, as whole numbers, and the whole; those without come last."""
    clean, changed, whole = [1], [1], 1
    for part in parts:
        p, p_changed, unit = part.exact()
        clean = [a * b for a in clean for b in p]
        changed = [a * b for a in changed for b in p_changed]
        whole *= unit
    pairs = [pair for pair in zip(clean, changed, strict=True) if pair[0]]
    return sorted(pairs, key=cmp_to_key(_compare)), whole


def _compare(left: tuple[int, int], right: tuple[int, int]) -> int:
    """Negative, zero or positive as the ratio P'/P of the first is below, equal to or above that of the second."""
    return left[1] * right[0] - right[1] * left[0]


def _common(*rates: Fraction) -> int:
    """The common denominator of probabilities, a power of two if they are floats."""
    return lcm(*(rate.denominator for rate in rates))


def _counts(rate: Fraction, trials: int, whole: int) -> list[int]:
    """The masses of Bin(trials, rate), times whole^trials."""
    success = int(rate * whole)
    hits, misses = ([*accumulate([factor] * trials, mul, initial=1)] for factor in (success, whole - success))
    return [comb(trials, k) * hits[k] * misses[trials - k] for k in range(trials + 1)]


def _convolved(left: list[int], right: list[int]) -> list[int]:
    result = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            result[i + j] += a * b
    return result


@lru_cache(maxsize=4096)
def _masses(rate: Fraction, trials: int) -> Floats:
    """The floats that are nearest to the masses of Bin(trials, rate)."""
    whole = rate.denominator**trials
    masses = np.array([count / whole for count in _counts(rate, trials, rate.denominator)])
    masses.flags.writeable = False
    return masses


def _nearest(masses: Integral) -> Atoms:
    clean, changed, whole = masses
    return _down(np.array([c / whole for c in clean]), 1), _up(np.array([c / whole for c in changed]), 1)


def _down(values: Floats, roundings: int) -> Floats:
    """At most what floats ≥ 0 stand for that are off by a relative roundings·2⁻⁵³ and an absolute 2⁻¹⁰⁶⁴."""
    return np.asarray(np.maximum(values * (1 - 2 * (roundings + 1) * _UNIT) - _FLOOR, 0.0))


def _up(values: Floats, roundings: int) -> Floats:
    """At least what floats ≥ 0 stand for that are off likewise."""
    return np.asarray(values * (1 + 2 * (roundings + 1) * _UNIT) + _FLOOR)
