"""Truth by exhaustive enumeration in rational arithmetic: no binomials, no atoms, no floats.

An outcome is one assignment of all perturbed bits. A law pair is the list of (P, P') over all outcomes.
"""

from bisect import bisect_left
from fractions import Fraction
from itertools import accumulate, product
from math import inf

from graphcert.noise import BernoulliFlip

Pair = tuple[Fraction, Fraction]


def bit_laws(law: BernoulliFlip, add: int, delete: int) -> list[Pair]:
    """P[z = 1] of every perturbed bit, around the clean and around the perturbed input."""
    one_if_zero, one_if_one = Fraction(law.add), 1 - Fraction(law.delete)
    return [(one_if_zero, one_if_one)] * add + [(one_if_one, one_if_zero)] * delete


def outcomes(*channels: tuple[BernoulliFlip, int, int]) -> list[Pair]:
    """Masses under P and P' of each of the 2^r outcomes of all perturbed bits of all channels."""
    bits = [bit for channel in channels for bit in bit_laws(*channel)]
    pairs = []
    for values in product((0, 1), repeat=len(bits)):
        clean = perturbed = Fraction(1)
        for value, (a, b) in zip(values, bits, strict=True):
            clean *= a if value else 1 - a
            perturbed *= b if value else 1 - b
        pairs.append((clean, perturbed))
    return pairs


def by_ratio(pairs: list[Pair]) -> list[Pair]:
    """Outcomes in the order in which the worst event takes them; without clean mass last, impossible ones left out."""
    return sorted((pair for pair in pairs if pair != (0, 0)), key=lambda pair: pair[1] / pair[0] if pair[0] else inf)


class Curve:
    """The Neyman–Pearson minimum of one law pair: fill by increasing ratio until the clean mass is p."""

    def __init__(self, pairs: list[Pair]) -> None:
        self.filling = [pair for pair in by_ratio(pairs) if pair[0]]
        self.vertices = [Fraction(0), *accumulate(clean for clean, _ in self.filling)]
        self.values = [Fraction(0), *accumulate(perturbed for _, perturbed in self.filling)]

    def lower(self, p: Fraction | float) -> Fraction:
        k = max(bisect_left(self.vertices, Fraction(p)) - 1, 0)
        clean, perturbed = self.filling[k]
        return self.values[k] + (Fraction(p) - self.vertices[k]) * perturbed / clean

    def upper(self, p: Fraction | float) -> Fraction:
        return 1 - self.lower(1 - Fraction(p))


def lower(pairs: list[Pair], p: Fraction | float) -> Fraction:
    return Curve(pairs).lower(p)


def upper(pairs: list[Pair], p: Fraction | float) -> Fraction:
    return Curve(pairs).upper(p)
