"""Truth by exhaustive enumeration in rational arithmetic: no binomials, no atoms, no floats.

An outcome is one assignment of all perturbed bits. A law pair is the list of (P, P') over all outcomes.
"""

from fractions import Fraction
from itertools import product
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


def lower(pairs: list[Pair], p: Fraction | float) -> Fraction:
    """The Neyman–Pearson minimum: fill by increasing ratio until the clean mass is p."""
    room, filled = Fraction(p), Fraction(0)
    for clean, perturbed in by_ratio(pairs):
        if clean == 0 or room == 0:
            break
        share = min(Fraction(1), room / clean)
        room, filled = room - share * clean, filled + share * perturbed
    return filled


def upper(pairs: list[Pair], p: Fraction | float) -> Fraction:
    return 1 - lower(pairs, 1 - Fraction(p))
