"""The trade-off of bit flips against exhaustive enumeration in rational arithmetic."""

from fractions import Fraction

import numpy as np
import oracles_enumeration as oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.noise import BernoulliFlip
from graphcert.tradeoff import TradeOff, trade_off

SPECIAL = [0.0, 1.0, 0.5, 0.25, 0.01, 0.6, 0.4, 0.99, 2.0**-40, 1e-300, 1 - 2.0**-53]
RATES = st.one_of(st.sampled_from(SPECIAL), st.floats(0, 1))
LAWS = st.builds(BernoulliFlip, RATES, RATES)
SMALL = st.tuples(st.integers(0, 3), st.integers(0, 3))
GRID = [0.0, 5e-324, 1e-200, 1e-9, 0.1, 0.5, 0.75, 0.9, 0.999, 1 - 1e-9, 1 - 2.0**-53, 1.0]


def probes(pairs: list[oracle.Pair], more: list[float]) -> np.ndarray:
    """Fixed points, and the floats around every vertex of lower and of upper."""
    vertices = []
    for ordered in (oracle.by_ratio(pairs), oracle.by_ratio(pairs)[::-1]):
        total = Fraction(0)
        for clean, _ in ordered:
            total += clean
            vertices.append(float(total))
    v = np.array(vertices)
    return np.unique(np.clip(np.concatenate([GRID, more, v, np.nextafter(v, 0), np.nextafter(v, 1)]), 0, 1))


def assert_exact(found: TradeOff, pairs: list[oracle.Pair], p: np.ndarray) -> None:
    """Never on the unsound side of the truth, and within 1e-12 of it."""
    curve = oracle.Curve(pairs)
    for x, low, high in zip(p, found.lower(p), found.upper(p), strict=True):
        truth = curve.lower(float(x))
        assert truth - Fraction(1e-12) <= Fraction(float(low)) <= truth, x
        truth = curve.upper(float(x))
        assert truth <= Fraction(float(high)) <= truth + Fraction(1e-12), x


@settings(max_examples=100)
@given(LAWS, SMALL, st.lists(st.floats(0, 1), max_size=3))
def test_one_channel(law: BernoulliFlip, budget: tuple[int, int], more: list[float]) -> None:
    pairs = oracle.outcomes((law, *budget))
    assert_exact(trade_off(law, *budget), pairs, probes(pairs, more))


@settings(max_examples=40)
@given(LAWS, st.tuples(*[st.integers(0, 2)] * 2), LAWS, st.tuples(*[st.integers(0, 2)] * 2))
def test_four_axes_together(f: BernoulliFlip, b: tuple[int, int], e: BernoulliFlip, c: tuple[int, int]) -> None:
    pairs = oracle.outcomes((f, *b), (e, *c))
    assert_exact(trade_off(f, *b) * trade_off(e, *c), pairs, probes(pairs, []))


@settings(max_examples=100)
@given(LAWS, SMALL, st.floats(0, 1))
def test_the_rational_reference_agrees_with_enumeration(law: BernoulliFlip, budget: tuple[int, int], p: float) -> None:
    pairs, found = oracle.outcomes((law, *budget)), trade_off(law, *budget)
    assert found.lower_exact(p) == oracle.lower(pairs, p)
    assert found.upper_exact(p) == oracle.upper(pairs, p)


@settings(max_examples=100)
@given(LAWS, SMALL)
def test_critical_is_where_the_worst_event_reaches_one_half(law: BernoulliFlip, budget: tuple[int, int]) -> None:
    pairs = oracle.outcomes((law, *budget))
    c = trade_off(law, *budget).critical
    assert 0.5 <= c <= 1
    # Rounded up: nothing above c fails, however little above; and the float below c still does.
    if c < 1:
        assert oracle.lower(pairs, Fraction(c) + Fraction(1, 2**300)) > Fraction(1, 2)
    assert oracle.lower(pairs, float(np.nextafter(c, 0))) <= Fraction(1, 2)


GRID_OF_RATES = [
    (0.01, 0.6), (0.001, 0.4), (0.0, 0.6), (0.01, 0.0), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.3, 0.7),
    (0.25, 0.75), (0.7, 0.6), (0.9, 1.0), (1.0, 0.3), (0.5, 0.5), (1e-300, 1e-300), (0.05, 0.95),
]  # fmt: skip


@pytest.mark.parametrize("rates", GRID_OF_RATES)
@pytest.mark.parametrize("budget", [(0, 0), (1, 0), (0, 1), (17, 0), (0, 23), (20, 20), (3, 30)])
def test_float_evaluation_of_large_budgets_against_rational_arithmetic(
    rates: tuple[float, float], budget: tuple[int, int]
) -> None:
    found = trade_off(BernoulliFlip(*rates), *budget)
    p = np.concatenate([GRID, np.linspace(0, 1, 41)])
    for x, low, high in zip(p, found.lower(p), found.upper(p), strict=True):
        truth = found.lower_exact(float(x))
        assert truth - Fraction(1e-12) <= Fraction(float(low)) <= truth
        truth = found.upper_exact(float(x))
        assert truth <= Fraction(float(high)) <= truth + Fraction(1e-12)


@pytest.mark.parametrize(("rate", "p"), [(1e-160, 5e-324), (1e-160, 1e-321), (1e-161, 5e-324), (1e-200, 5e-324)])
def test_masses_below_the_smallest_float_keep_their_accuracy(rate: float, p: float) -> None:
    """Two added bits show with probability rate² ≈ 1e-320, which no float holds to more than a few digits."""
    found = trade_off(BernoulliFlip(rate, 0.25), 2, 0)
    truth = found.upper_exact(p)
    assert truth <= Fraction(float(found.upper(p))) <= truth + Fraction(1e-12)
    assert found.lower(1.0) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("rates", [("0.01", "0.6"), ("0.001", "0.4"), ("0.3", "0.7"), ("0.2", "0.9"), ("0.1", "0.1")])
@pytest.mark.parametrize("budget", [(1, 0), (0, 1), (5, 5), (10, 20), (20, 3)])
def test_rates_meant_as_decimals_stay_on_the_sound_side(rates: tuple[str, str], budget: tuple[int, int]) -> None:
    """The guard also covers 1/100 for the float 0.01, at probabilities that are not extreme."""
    add, delete = budget
    plus, minus = map(Fraction, rates)

    def ones(bits: list[Fraction]) -> list[Fraction]:
        masses = [Fraction(1)]
        for b in bits:
            masses = [x * (1 - b) + y * b for x, y in zip([*masses, 0], [0, *masses], strict=True)]
        return masses

    clean = ones([plus] * add + [minus] * delete)
    perturbed = ones([1 - minus] * add + [1 - plus] * delete)
    pairs = list(zip(clean, perturbed, strict=True))
    found = trade_off(BernoulliFlip(*map(float, rates)), add, delete)
    for p in (0.1, 0.5, 0.7, 0.9, 0.99, 0.999):
        assert oracle.lower(pairs, p) - Fraction(1e-12) <= Fraction(float(found.lower(p))) <= oracle.lower(pairs, p)
        assert oracle.upper(pairs, p) <= Fraction(float(found.upper(p))) <= oracle.upper(pairs, p) + Fraction(1e-12)
