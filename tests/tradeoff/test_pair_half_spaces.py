"""Half-spaces of pairs (the label's probability, that of every other class): many digits, minima over laws, trade-offs."""

import math
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from cases import FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff import trade_off
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, order_weight, pair_eta

ALPHAS = st.one_of(
    st.sampled_from([1.0, math.inf, 2.0, 0.5, 1e-9, 1e9, 1 + 2.0**-40, 1 - 2.0**-40]), st.floats(0.01, 50)
)
ORDERS = st.one_of(st.sampled_from(DEFAULT_ORDERS), st.builds(Order, ALPHAS, st.booleans()))
NAMED = [*DEFAULT_ORDERS, Order(1.0), Order(2.0), Order(0.01), Order(1.0, True), Order(0.3, True)]


@st.composite
def pairs(draw):
    """(p, q): everyday ones, p next to 1, q next to 0 (down to denormals), q next to p or to 1 − p."""
    near = st.floats(1e-16, 0.1).map(lambda rest: 1 - rest)
    p = draw(st.one_of(st.floats(0.01, 1), near, st.sampled_from([0.25, 0.5, 1.0, 1 - 2.0**-53])))
    share = draw(st.one_of(st.floats(0, 1), st.floats(0, 1e-12), st.sampled_from([0.0, 1e-290, 1e-300, 5e-324, 1.0])))
    return p, draw(st.sampled_from([share, share * (1 - p), max(0.0, p - share), max(0.0, (1 - p) * (1 - share))]))


def exact_eta(p, q, order):
    """The formulas at 800 digits, far beyond what cancels, with q at most 1 − p; 0 where p ≤ q."""
    with mpmath.workdps(800):
        p = mpmath.mpf(p)
        q = min(mpmath.mpf(q), 1 - p)
        if p <= q:
            return mpmath.mpf(0)
        rest = 1 - p - q
        if p == 1:  # q = 0
            if order.mirrored:
                return mpmath.log(2)
            return mpmath.inf if order.alpha >= 1 else order.alpha * mpmath.log(2) / (1 - mpmath.mpf(order.alpha))
        if order.mirrored and order.alpha == 1:
            whole = sum(x * mpmath.log(2 * x / (p + q)) for x in (p, q) if x)
        elif order.mirrored and math.isinf(order.alpha):
            whole = mpmath.log(1 + p - q)
        else:
            alpha = mpmath.mpf(order.alpha)
            inside = rest + 2 * power_mean(p, q, alpha if order.mirrored else 1 - alpha)
            whole = mpmath.log(inside) * (alpha / (alpha - 1) if order.mirrored else -1)
        return whole


def power_mean(p, q, exponent):
    if mpmath.isinf(exponent):
        return max(p, q) if exponent > 0 else min(p, q)
    if exponent == 0 or (q == 0 and exponent < 0):
        return mpmath.sqrt(p * q)
    return ((p**exponent + q**exponent) / 2) ** (1 / exponent)


@settings(max_examples=1000)
@given(pairs(), ORDERS)
def test_eta_of_pairs_is_rounded_down_and_hardly(pair, order) -> None:
    eta, exact = float(pair_eta(*pair, *order)), exact_eta(*pair, order)
    if math.isinf(exact):
        assert math.isinf(eta)
        return
    assert eta <= exact
    steepness = 1 if not order.mirrored or order.alpha in (1, math.inf) else 1 + 1 / abs(order.alpha - 1)
    assert eta >= exact - 1e-11 * steepness


def divergence(top, bottom, alpha):
    """D_α of laws of three outcomes, all of them possible under the second; (…, 3) arrays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if alpha == 1:
            return np.where(top > 0, top * np.log(top / bottom), 0).sum(axis=-1)
        if math.isinf(alpha):
            return np.log((top / bottom).max(axis=-1))
        return np.log((top**alpha * bottom ** (1 - alpha)).sum(axis=-1)) / (alpha - 1)


GRID = np.linspace(0, 1, 81)[1:-1]
X, Y = (axis.ravel() for axis in np.meshgrid(GRID, GRID))
LOST = np.stack([X, Y, 1 - X - Y], axis=1)[(X <= Y) & (X + Y < 1 - 1e-9)]
TIES = np.stack([GRID / 2, GRID / 2, 1 - GRID], axis=1)
FINE = np.linspace(0, 1, 200_001)[1:-1]
FINE_TIES = np.stack([FINE / 2, FINE / 2, 1 - FINE], axis=1)


@pytest.mark.parametrize("order", NAMED)
@pytest.mark.parametrize("pair", [(0.6, 0.2), (0.4, 0.3), (0.9, 0.05), (0.5, 0.5 - 1e-3), (0.34, 0.33), (0.98, 0.01)])
def test_no_law_of_three_outcomes_comes_closer_and_one_comes_as_close(pair, order) -> None:
    """The lead is lost where x ≤ y; a tie of the label with the other class is always the closest such law."""
    law = np.array([*pair, 1 - sum(pair)])
    away = lambda laws: divergence(law, laws, order.alpha) if order.mirrored else divergence(laws, law, order.alpha)  # noqa: E731
    eta = float(pair_eta(*pair, *order))
    assert away(LOST).min() >= eta - 1e-12
    assert away(TIES).min() >= eta - 1e-12
    # The largest ratio has a kink at its minimum, which the grid misses by up to its step over the smallest mass.
    assert away(FINE_TIES).min() <= eta + (1e-3 if math.isinf(order.alpha) else 1e-6)


@settings(max_examples=400)
@given(pairs(), ORDERS)
def test_the_binary_half_space_is_contained_and_met_where_the_rest_is_one_class(pair, order) -> None:
    p, q = pair
    binary = float(order_eta(p, *order))
    assert float(pair_eta(p, q, *order)) >= binary
    assert float(pair_eta(p, 1.0, *order)) == pytest.approx(binary, abs=1e-11 * (1 + 1 / abs(order.alpha - 1 or 1)))


@pytest.mark.parametrize("order", NAMED)
def test_eta_of_pairs_rises_with_the_label_and_falls_with_the_others(order) -> None:
    grid = np.linspace(0, 1, 201)
    eta = np.array([pair_eta(np.full(201, p), grid, *order) for p in grid])
    finite = np.where(np.isinf(eta), 1e9, eta)
    assert (np.diff(finite, axis=0) >= -1e-12).all()
    assert (np.diff(finite, axis=1) <= 1e-12).all()
    assert (eta[grid[:, None] <= np.minimum(grid[None, :], 1 - grid[:, None])] == 0).all()
    assert pair_eta(0.4, 0.1, *order) > 0
    assert order_eta(0.4, *order) == 0


@pytest.mark.parametrize("mirrored", [False, True])
def test_orders_have_their_limits(mirrored) -> None:
    """Order 1 and ∞ lie between and beyond their neighbours; straight at 1: the geometric mean, at ∞: the smaller one."""
    p, q = np.array([0.7, 0.4, 0.9, 0.5]), np.array([0.2, 0.1, 1e-6, 0.0])
    one, endless = pair_eta(p, q, 1.0, mirrored), pair_eta(p, q, math.inf, mirrored)
    for other in (1 - 1e-5, 1 + 1e-5):
        near = pair_eta(p[:3], q[:3], other, mirrored)
        assert near == pytest.approx(one[:3], rel=1e-3, abs=1e-6)
    assert pair_eta(p, q, 1e5, mirrored) == pytest.approx(endless, abs=1e-3)
    straight, across = -np.log(1 - p - q + 2 * np.sqrt(p * q)), [sum(x * math.log(2 * x / (a + b)) for x in (a, b) if x)
                                                                for a, b in zip(p, q, strict=True)]  # fmt: skip
    assert one == pytest.approx(across if mirrored else straight, abs=1e-12)
    assert endless == pytest.approx(np.log(1 + p - q) if mirrored else -np.log(1 - p + q), abs=1e-12)


@settings(max_examples=400)
@given(FLIPS, st.integers(0, 4), st.integers(0, 4), pairs(), ORDERS)
def test_what_the_half_space_of_a_pair_certifies_the_exact_trade_offs_certify(law, add, delete, pair, order) -> None:
    weights = order_weight(law, *order)
    spent = sum(w * count for w, count in zip(weights, (add, delete), strict=True) if count)
    if spent * (1 + 1e-15) < float(pair_eta(*pair, *order)):
        pair_seen, p = trade_off(law, add, delete), Fraction(pair[0])
        assert pair_seen.lower_exact(p) > pair_seen.upper_exact(min(Fraction(pair[1]), 1 - p))


def test_half_spaces_of_pairs_do_certify() -> None:
    """The test above would pass on η of 0. A label without a majority withstands changes, one with it more of them."""
    law = BernoulliFlip(0.05, 0.8)
    for p, q in ((0.45, 0.05), (0.8, 0.01)):
        seen = {add: trade_off(law, add) for add in range(20)}
        most = max(add for add, pair in seen.items() if pair.lower(p) > pair.upper(q))
        found = [int(float(pair_eta(p, q, *order)) / order_weight(law, *order)[0]) for order in DEFAULT_ORDERS]
        binary = [int(float(order_eta(p, *order)) / order_weight(law, *order)[0]) for order in DEFAULT_ORDERS]
        assert max(binary) < max(found) <= most
        assert max(found) * 3 >= most


@given(ALPHAS, st.booleans())
def test_a_longer_array_of_pairs_changes_nothing(alpha, mirrored) -> None:
    p, q = np.array([[0.4, 0.7], [0.9, 1.0]]), np.array([[0.1, 0.4], [0.0, 0.2]])
    eta = pair_eta(p, q, alpha, mirrored)
    assert eta.shape == p.shape
    each = [float(pair_eta(*pair, alpha, mirrored)) for pair in zip(p.ravel(), q.ravel(), strict=True)]
    assert eta.ravel() == pytest.approx(each, rel=1e-14, abs=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pair_eta([0.9, math.nan], 0.1, 2.0), "between 0 and 1"),
        (lambda: pair_eta(0.9, math.nan, 2.0), "between 0 and 1"),
        (lambda: pair_eta(0.9, 1.5, 2.0), "between 0 and 1"),
        (lambda: pair_eta([0.9, 0.8], [0.1], 2.0), "one per majority"),
        (lambda: pair_eta(0.9, 0.1, 0.0), "positive number"),
    ],
)
def test_what_is_no_pair_is_refused(call, message) -> None:
    with pytest.raises(InputError, match=message):
        call()
