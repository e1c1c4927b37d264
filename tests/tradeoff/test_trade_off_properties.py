"""What every trade-off must satisfy, whatever its law (theory section 1)."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from cases import FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.tradeoff import TradeOff, budget_trade_offs, trade_off

COUNTS = st.integers(0, 6)
P = np.linspace(0, 1, 65)
SLACK = 3e-13
"""Twice the documented accuracy: properties of the exact function hold for the rounded one up to this."""


@given(FLIPS, COUNTS, COUNTS)
def test_bounds_are_ordered_convex_and_monotone(law: BernoulliFlip, add: int, delete: int) -> None:
    found = trade_off(law, add, delete)
    lower, upper = found.lower(P), found.upper(P)
    assert np.all(lower >= 0)
    assert np.all(lower <= P)
    assert np.all(upper >= P)
    assert np.all(upper <= 1)
    assert np.all(np.diff(lower) >= -SLACK)
    assert np.all(np.diff(lower, 2) >= -SLACK)
    assert np.all(np.diff(upper, 2) <= SLACK)
    np.testing.assert_allclose(upper, 1 - found.lower(1 - P), atol=SLACK)


@given(FLIPS, COUNTS, COUNTS, st.fractions(0, 1))
def test_exchanging_clean_and_perturbed_inverts_the_bounds(
    law: BernoulliFlip, add: int, delete: int, p: Fraction
) -> None:
    """Additions seen from the perturbed input are deletions: lower of one is the inverse of upper of the other."""
    there, back = trade_off(law, add, delete), trade_off(law, delete, add)
    reached = there.upper_exact(p)
    # At 1 the inverse is not unique: an event may have spare mass that exists under P only.
    assert back.lower_exact(reached) == p or (reached == 1 and back.lower_exact(reached) <= p)


@settings(max_examples=50)
@given(FLIPS, COUNTS, COUNTS)
def test_more_budget_never_helps(law: BernoulliFlip, add: int, delete: int) -> None:
    small = trade_off(law, add, delete)
    for large in (trade_off(law, add + 1, delete), trade_off(law, add, delete + 1)):
        assert np.all(large.lower(P) <= small.lower(P) + SLACK)
        assert np.all(large.upper(P) >= small.upper(P) - SLACK)
        assert large.critical >= small.critical


@settings(max_examples=50)
@given(FLIPS, FLIPS, FLIPS, st.tuples(*[st.integers(0, 2)] * 6))
def test_composition_is_exactly_commutative_and_associative(
    f: BernoulliFlip, g: BernoulliFlip, h: BernoulliFlip, n: tuple[int, ...]
) -> None:
    a, b, c = trade_off(f, n[0], n[1]), trade_off(g, n[2], n[3]), trade_off(h, n[4], n[5])
    assert a * b == b * a
    assert (a * b) * c == a * (b * c)
    assert np.all((a * b).lower(P) <= a.lower(P) + SLACK)


@settings(max_examples=50)
@given(FLIPS, COUNTS, COUNTS)
def test_a_law_composed_with_itself_is_the_larger_budget(law: BernoulliFlip, add: int, delete: int) -> None:
    assert trade_off(law, add, 0) * trade_off(law, 0, delete) == trade_off(law, add, delete)
    assert trade_off(law, 1, 1) * trade_off(law, add, delete) == trade_off(law, add + 1, delete + 1)


@given(FLIPS)
def test_zero_budget_is_the_identity(law: BernoulliFlip) -> None:
    found = trade_off(law)
    np.testing.assert_array_equal(found.lower(P), P)
    np.testing.assert_array_equal(found.upper(P), P)
    assert found.critical == 0.5


@pytest.mark.parametrize("rates", [(0.0, 1.0), (1.0, 0.0), (0.25, 0.75), (0.5, 0.5)])
def test_rates_that_sum_to_one_hide_everything(rates: tuple[float, float]) -> None:
    found = trade_off(BernoulliFlip(*rates), 7, 9)
    np.testing.assert_array_equal(found.lower(P), P)
    assert found.critical == 0.5


@pytest.mark.parametrize("rates", [(0.0, 0.0), (1.0, 1.0)])
def test_flips_that_are_no_noise_prove_nothing(rates: tuple[float, float]) -> None:
    found = trade_off(BernoulliFlip(*rates), 1, 0)
    assert np.all(found.lower(P) == 0)
    assert np.all(found.upper(P) == 1)
    assert found.critical == 1


def test_trap_16_one_sided_channels_keep_their_singular_masses() -> None:
    """θ⁺ = 0 in both channels: ∞ times 0 appears in the product of ratios, and must be neither NaN nor dropped."""
    f, e = BernoulliFlip(0.0, 0.6), BernoulliFlip(0.0, 0.25)
    joint = trade_off(f, 1, 0) * trade_off(e, 0, 1)
    # An added bit shows with P' = 0.4 where P has no mass; upper starts there.
    assert joint.upper(0.0) == pytest.approx(0.4, abs=1e-12)
    # A deleted edge has vanished from P' where it still shows under P, with probability 0.75.
    assert joint.lower(0.75) == 0
    assert joint.lower(1.0) == pytest.approx(0.6, abs=1e-12)
    assert joint.upper(0.25) == pytest.approx(1.0, abs=1e-12)
    # Mass under neither law: a one cannot appear from nothing.
    assert len(trade_off(f, 0, 2).atoms) == 2


def test_shape_and_type_of_the_answer() -> None:
    found = trade_off(BernoulliFlip(0.01, 0.6), 1, 1)
    for trade in (found, trade_off(BernoulliFlip(0.01, 0.6))):
        assert isinstance(trade.lower(0.9), float)
        assert isinstance(trade.upper(Fraction(1, 3)), float)  # type: ignore[arg-type]
    assert found.upper(np.full((2, 3), 0.9)).shape == (2, 3)
    assert found.lower([]).shape == (0,)
    assert float(found.lower(0.9)) == found.lower(np.array([0.9]))[0]


@pytest.mark.parametrize("p", [-1e-9, 1 + 1e-9, float("nan"), [0.5, 2.0]])
def test_probabilities_outside_their_domain_are_refused(p: object) -> None:
    for found in (trade_off(BernoulliFlip(0.01, 0.6), 1, 0), trade_off(BernoulliFlip(0.01, 0.6))):
        with pytest.raises(InputError):
            found.lower(p)  # type: ignore[arg-type]
        with pytest.raises(InputError):
            found.upper(p)  # type: ignore[arg-type]


@pytest.mark.parametrize("budget", [(-1, 0), (0, 1.5), (True, 0), ("1", 0), (0, None)])
def test_budgets_that_are_no_counts_are_refused(budget: tuple[object, object]) -> None:
    with pytest.raises(InputError):
        trade_off(BernoulliFlip(0.01, 0.6), *budget)


def test_unknown_laws_and_products_beyond_exact_arithmetic_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="BernoulliFlip"):
        trade_off("gaussian", 1)
    law = BernoulliFlip(0.01, 0.6)
    with pytest.raises(UnsupportedError, match="atoms"):
        trade_off(law, 10**6, 0)
    large = trade_off(law, 600, 0)
    with pytest.raises(UnsupportedError, match="lower the budget"):
        large * large * trade_off(BernoulliFlip(0.001, 0.4), 600, 0)
    with pytest.raises(TypeError):
        large * 2  # type: ignore[operator]


class Other(TradeOff):
    """A trade-off of another kind."""

    lower = upper = compose = None  # type: ignore[assignment]
    critical = 0.5


def test_kinds_that_do_not_compose_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="discrete"):
        trade_off(BernoulliFlip(0.01, 0.6), 1, 0) * Other()


def test_a_whole_budget_is_the_product_of_its_channels() -> None:
    f, e = BernoulliFlip(0.01, 0.6), BernoulliFlip(0.001, 0.4)
    found = budget_trade_offs(Smoothing(f, e), Budget(2, 1, 1, 3))[0]
    assert found == trade_off(f, 2, 1) * trade_off(e, 1, 3)
    assert budget_trade_offs(Smoothing(f), Budget(2, 1)) == (trade_off(f, 2, 1),)


@pytest.mark.parametrize("edges", [None, BernoulliFlip(0.0, 0.0)])
def test_a_channel_without_noise_withstands_nothing(edges: BernoulliFlip | None) -> None:
    smoothing = Smoothing(BernoulliFlip(0.01, 0.6), edges)
    for budget in (Budget(edge_add=1), Budget(feature_add=1, edge_delete=1)):
        (found,) = budget_trade_offs(smoothing, budget)
        assert found.critical == 1
        assert np.all(found.lower(P) == 0)


def test_critical_grows_along_a_staircase() -> None:
    law = BernoulliFlip(0.01, 0.6)
    critical = [trade_off(law, 0, delete).critical for delete in range(40)]
    assert all(a < b for a, b in pairwise(critical))
    assert critical[1] == pytest.approx(1 - 0.6 * (0.5 - 0.0) / 0.99, rel=1e-9)
