"""What the worst classifier with a known probability does under a change: written from docs/theory.md, not from the package.

A trade-off is a function of p: the least probability, around the changed input, of an event that has probability p around
the clean one. Discrete ones are exact rationals.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

from scipy.stats import ncx2

Lower = Callable[[Any], Any]


def flips(rates: Sequence[tuple[float, float]], additions: Sequence[int], deletions: Sequence[int]) -> Lower:
    """Bits that are added and deleted, so many at each pair of rates (θ⁺, θ⁻) (section 2); all outcomes, one by one."""
    bits: list[list[tuple[Fraction, Fraction]]] = []
    for (add, delete), more, fewer in zip(rates, additions, deletions, strict=True):
        plus, minus = Fraction(add), Fraction(delete)
        bits += [[(plus, 1 - minus), (1 - plus, minus)]] * more + [[(1 - minus, plus), (minus, 1 - plus)]] * fewer
    outcomes = (
        [tuple(prod(side) for side in zip(*chosen, strict=True)) for chosen in product(*bits)] if bits else [(1, 1)]
    )
    # Cheap outcomes first: those without any mass around the clean input come last.
    outcomes.sort(key=lambda one: (one[0] == 0, Fraction(one[1]) / one[0] if one[0] else 0))

    def lower(p: Any) -> Fraction:
        left, reached = Fraction(p), Fraction(0)
        for clean, changed in outcomes:
            if clean >= left:
                return reached + (changed * left / clean if left else 0)
            left, reached = left - clean, reached + changed
        return reached

    return lower


def shifted(law: Any, distance: float) -> Lower:
    """A law of `scipy.stats` moved by so much, its likelihood ratio monotone: Gaussian, and Laplace in one number."""
    return lambda p: float(law.cdf(law.ppf(float(p)) - distance))


def overlapping(distance: float) -> Lower:
    """Uniform noise on [−1, 1] moved by so much (section 5)."""
    return lambda p: max(0.0, float(p) - distance / 2)


def unless_seen(lower: Lower, seen: Fraction) -> Lower:
    """With probability `seen` the change shows itself, else `lower` hides it (section 6)."""
    return lambda p: 0 if p <= seen else (1 - seen) * lower((Fraction(p) - seen) / (1 - seen))


def survives(lower: Lower, p_label: Any, p_other: Any) -> bool:
    """Whether the label stays ahead of the most likely other class, whatever the classifier (section 1)."""
    return bool(lower(p_label) > 1 - lower(1 - p_other))


def critical(lower: Lower) -> Fraction:
    """A probability at which a majority falls, within 2⁻⁴⁰ of the largest one."""
    low, high = Fraction(1, 2), Fraction(1)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if lower(middle) <= 0.5 else (low, middle)
    return low


def elastic_critical(dimension: int, elasticity: float, sigma: float, distance: float) -> float:
    """The mass of the other classes at which the label is lost at such a distance, by either end of σ (section 5)."""
    masses = []
    for sign in (-1, 1):
        there = sigma * 2.718281828459045 ** (sign * elasticity * distance)
        gap = (sigma**2 - there**2) ** 2
        here_law, there_law = (ncx2(dimension, one**2 * distance**2 / gap) for one in (sigma, there))
        mass = here_law.cdf(there**2 / sigma**2 * there_law.ppf(0.5))
        masses.append(float(mass if sign < 0 else 1 - mass))
    return min(masses)
