"""Half-spaces against exact trade-offs, 50-digit arithmetic and enumerated scores; traps 1 and 13 of the theory."""

import math
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
from cases import FLIPS
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff import trade_off
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, mean_variance_eta, order_eta, order_weight

SIXTEENTHS = st.integers(0, 16).map(lambda k: k / 16)
ALPHAS = st.one_of(st.sampled_from([1.0, math.inf, 2.0, 0.5]), st.floats(0.01, 50))
LEVELS = st.one_of(st.just(0.5), st.floats(0.5, 1, exclude_max=True))
ORDERS = st.one_of(st.sampled_from(DEFAULT_ORDERS), st.builds(Order, ALPHAS, st.booleans()))
MAJORITIES = st.one_of(st.floats(0.5, 1), st.floats(1e-12, 0.1).map(lambda q: 1 - q), st.sampled_from([0.3, 0.5, 1.0]))


def exact_divergence(top, bottom, alpha):
    """D_α of two coins in 50 digits, by the textbook formula over outcomes that have mass."""
    with mpmath.workdps(50):
        pairs = [(b, a) for b, a in zip(top, bottom, strict=True) if b]
        if alpha >= 1 and any(a == 0 for _, a in pairs):
            return mpmath.inf
        pairs = [(b, a) for b, a in pairs if a]
        if not pairs:
            return mpmath.inf
        if alpha == 1:
            return sum(b * mpmath.log(b / a) for b, a in pairs)
        if math.isinf(alpha):
            return max(mpmath.log(b / a) for b, a in pairs)
        order = mpmath.mpf(alpha)
        return mpmath.log(sum(b**order * a ** (1 - order) for b, a in pairs)) / (order - 1)


def coin(p):
    with mpmath.workdps(400):  # 1 − p exactly, even for p = 1e-300
        return mpmath.mpf(p), 1 - mpmath.mpf(p)


@settings(max_examples=300)
@given(FLIPS, ORDERS)
def test_weights_are_the_divergence_of_one_flip_rounded_up(law, order) -> None:
    zero, one = coin(law.add), coin(law.delete)[::-1]
    for weight, moved, clean in zip(order_weight(law, *order), (one, zero), (zero, one), strict=True):
        exact = exact_divergence(clean, moved, order.alpha) if order.mirrored else None
        exact = exact_divergence(moved, clean, order.alpha) if exact is None else exact
        assert exact - 1e-45 <= weight <= exact * (1 + 1e-15) + 1e-39


@settings(max_examples=300)
@given(MAJORITIES, ORDERS, LEVELS)
def test_eta_is_the_divergence_of_two_coins_rounded_down(p, order, level) -> None:
    eta = float(order_eta(p, *order, level=level))
    if p <= level:
        assert eta == 0
        return
    fair, coins = coin(level), coin(p)
    exact = exact_divergence(*((coins, fair) if order.mirrored else (fair, coins)), order.alpha)
    if math.isinf(exact):
        assert p == 1
        assert math.isinf(eta)
        return
    assert eta <= exact <= eta + 1e-11 * (1 if order.alpha in (1, math.inf) else 1 + 1 / abs(order.alpha - 1))


def test_the_eight_default_orders() -> None:
    assert [order.alpha for order in DEFAULT_ORDERS] == [0.66, 1.13, 1.48, 2.53, 7.43, math.inf, 1.5, math.inf]
    assert [order.mirrored for order in DEFAULT_ORDERS] == [False] * 6 + [True] * 2


@settings(max_examples=400)
@given(st.data())
def test_no_half_space_certifies_what_the_exact_trade_off_does_not(data) -> None:
    """Any order, any laws on up to three blocks, any allocation: Σ w·b < η(p) implies lower(p) > q."""
    blocks = data.draw(st.lists(st.tuples(FLIPS, st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=3))
    whole = trade_off(*blocks[0])
    for block in blocks[1:]:
        whole = whole * trade_off(*block)
    level = data.draw(LEVELS)
    critical = float(whole.inverse(Fraction(level)))
    near = [critical, np.nextafter(critical, 0), min(1.0, critical + 1e-9)]
    majorities = np.array([data.draw(MAJORITIES), *near])
    for order in [*DEFAULT_ORDERS, data.draw(ORDERS)]:
        spent = 0.0
        for law, add, delete in blocks:
            w_add, w_delete = order_weight(law, *order)
            spent += (w_add * add if add else 0.0) + (w_delete * delete if delete else 0.0)
        for p in majorities[spent * (1 + 1e-14) < order_eta(majorities, *order, level=level)]:
            assert whole.lower_exact(p) > level


def test_half_spaces_do_certify() -> None:
    """The test above would pass on weights of infinity; these are the numbers of the theory, section 9."""
    law, p = BernoulliFlip(0.05, 0.8), 0.99

    def most(order):
        return math.floor(float(order_eta(p, *order)) / order_weight(law, *order)[0])

    assert most(Order(2.0)) == 8
    assert max(most(Order(alpha)) for alpha in np.linspace(1.05, 3, 40)) == 11
    assert max(add for add in range(30) if trade_off(law, add).critical < p) == 20


@pytest.mark.parametrize("order", [*DEFAULT_ORDERS, Order(1.0), Order(2.0), Order(1.0, True)])
@pytest.mark.parametrize(("add", "delete"), list(product([0.0, 0.25, 1.0], repeat=2)))
def test_one_sided_and_extreme_laws(order, add, delete) -> None:
    """θ of 0 or 1 gives infinite weights exactly where one law has mass that the divergence cannot see past."""
    weights = order_weight(BernoulliFlip(add, delete), *order)
    zero, one = (add, 1 - add), (1 - delete, delete)
    if add + delete == 1:
        assert weights == (0.0, 0.0)
        return
    for weight, moved, clean in zip(weights, (one, zero), (zero, one), strict=True):
        top, bottom = (clean, moved) if order.mirrored else (moved, clean)
        disjoint = all(not (t and b) for t, b in zip(top, bottom, strict=True))
        unseen = order.alpha >= 1 and any(t and not b for t, b in zip(top, bottom, strict=True))
        assert math.isinf(weight) == (disjoint or unseen)
        assert weight > 0


def test_additions_without_addition_noise_are_bounded_below_order_one_and_by_mirrored_orders_only() -> None:
    law = BernoulliFlip(0.0, 0.5)
    assert order_weight(law, 1.13)[0] == order_weight(law, math.inf)[0] == math.inf
    assert order_weight(law, 0.66)[0] == pytest.approx(0.66 / 0.34 * math.log(2))
    assert order_weight(law, math.inf, mirrored=True)[0] == pytest.approx(math.log(2))
    assert order_weight(law, math.inf)[1] == pytest.approx(math.log(2))


@pytest.mark.parametrize("order", [*DEFAULT_ORDERS, Order(1.0), Order(1.0, True)])
def test_eta_rises_with_the_majority(order) -> None:
    eta = order_eta(np.linspace(0, 1, 2001), *order)
    assert (np.diff(eta) >= 0).all()
    assert (eta[:1001] == 0).all()
    assert eta[1100] > 0


@given(ALPHAS, st.booleans())
def test_a_longer_array_changes_nothing(alpha, mirrored) -> None:
    p = np.array([[0.4, 0.7], [0.9, 1.0]])
    eta = order_eta(p, alpha, mirrored)
    assert eta.shape == p.shape
    assert eta.ravel().tolist() == [float(order_eta(value, alpha, mirrored)) for value in p.ravel()]


@given(st.floats(0.5, 1, exclude_max=True))
def test_hard_votes_make_mean_and_variance_the_order_two_half_space(p) -> None:
    """Trap 1: dividing by the squared variance would give ln(1 + (p − 1/2)²/(p(1 − p))²), which is larger."""
    by_variance = float(mean_variance_eta(p, p * (1 - p)))
    assert by_variance == pytest.approx(float(order_eta(p, 2.0)), abs=1e-12)
    assert by_variance == pytest.approx(-math.log(4 * p * (1 - p)), abs=1e-12)
    wrong = math.log1p((p - 0.5) ** 2 / (p * (1 - p)) ** 2)
    assert by_variance < wrong or p < 0.5 + 1e-5


def test_the_squared_variance_would_certify_what_a_perturbation_breaks() -> None:
    """Trap 1: between the right η and the wrong one lies a perturbation that takes the majority."""
    law, p = BernoulliFlip(0.1, 0.3), 0.9
    weight = order_weight(law, 2.0)[0]
    wrong = math.log1p((p - 0.5) ** 2 / (p * (1 - p)) ** 2)
    assert float(mean_variance_eta(p, p * (1 - p))) < weight < wrong
    assert trade_off(law, 1).lower_exact(p) < 0.5


@given(st.floats(0, 0.5), st.floats(0, 0.25))
def test_a_mean_below_one_half_certifies_nothing(mean, variance) -> None:
    """Trap 13: the square of (μ − 1/2) forgets the sign; a mean of .1 must not certify like .9."""
    assert mean_variance_eta(mean, variance) == 0
    assert mean_variance_eta(np.array([0.1, 0.9]), 0.01).tolist()[0] == 0


@given(st.floats(0.5, 1), st.floats(0, 1), st.floats(0, 1))
def test_eta_rises_with_the_mean_falls_with_the_variance_and_the_variance_is_capped(mean, variance, more) -> None:
    eta = float(mean_variance_eta(mean, variance))
    assert float(mean_variance_eta(mean, variance + more)) <= eta
    assert float(mean_variance_eta(mean + (1 - mean) * more, variance)) >= eta * (1 - 1e-13)
    assert float(mean_variance_eta(mean, 1e300)) == pytest.approx(float(order_eta(mean, 2.0)), abs=1e-11) or mean == 1


@settings(max_examples=300)
@given(st.builds(BernoulliFlip, SIXTEENTHS, SIXTEENTHS), st.integers(0, 3), st.integers(0, 3), st.data())
def test_mean_and_variance_of_real_scores_never_certify_a_mean_that_falls(law, add, delete, data) -> None:
    """Scores on the outcomes of up to four bits, both means by enumeration."""
    assume(0 < add + delete <= 4)
    a = np.array([law.add] * add + [1 - law.delete] * delete)
    b = np.array([1 - law.delete] * add + [law.add] * delete)
    outcomes = np.array(list(product((0, 1), repeat=a.size)))
    clean = np.where(outcomes, a, 1 - a).prod(axis=1)
    moved = np.where(outcomes, b, 1 - b).prod(axis=1)
    # The worst scores are large where the clean law has more mass.
    draw = data.draw(st.lists(st.floats(0, 1), min_size=len(outcomes), max_size=len(outcomes)))
    score = np.where(clean > moved, np.sqrt(draw), np.square(draw))
    mean = float(clean @ score)
    variance = float(clean @ (score - mean) ** 2)
    w_add, w_delete = order_weight(law, 2.0)
    spent = (w_add * add if add else 0.0) + (w_delete * delete if delete else 0.0)
    if spent < float(mean_variance_eta(min(mean, 1.0), variance)) * (1 - 1e-9) - 1e-9:
        assert moved @ score > 0.5


@pytest.mark.parametrize("order", [0.0, -1.0, math.nan])
def test_an_order_is_positive(order) -> None:
    for call in (lambda: order_weight(BernoulliFlip(0.1, 0.1), order), lambda: order_eta(0.9, order)):
        with pytest.raises(InputError, match="positive number"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: order_eta([0.9, math.nan], 2.0), "between 0 and 1"),
        (lambda: order_eta(1.5, 2.0), "between 0 and 1"),
        (lambda: order_eta(0.9, 2.0, level=1.0), "level must be"),
        (lambda: order_eta([0.9, 0.8], 2.0, level=[0.6, 0.4]), "level must be"),
        (lambda: order_eta([0.9, 0.8], 2.0, level=[0.6]), "level must be"),
        (lambda: mean_variance_eta(math.nan, 0.1), "between 0 and 1"),
        (lambda: mean_variance_eta(0.9, -0.1), "variance"),
        (lambda: mean_variance_eta(0.9, math.nan), "variance"),
    ],
)
def test_what_is_no_probability_is_refused(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
