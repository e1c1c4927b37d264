"""Half-spaces of mean scores for every order: certain votes, mean and variance, and every pair of laws on few outcomes."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logsumexp

from graphcert.errors import InputError
from graphcert.statistics import tail_mean_variance
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, mean_variance_eta, order_eta
from graphcert.tradeoff.mean_scores import score_eta

ORDERS = (
    *DEFAULT_ORDERS,
    *(Order(a, m) for a in (0.2, 0.5, 1, 2, 30) for m in (False, True)),
    Order(1.01),
    Order(0.99),
)
BINS = 8
PROBABILITIES = st.floats(0, 1)


@pytest.mark.parametrize("order", ORDERS)
@given(p=st.lists(PROBABILITIES, min_size=1, max_size=6))
def test_scores_of_nothing_or_all_are_votes(order: Order, p: list[float]) -> None:
    tails = np.repeat(np.array(p)[:, None], BINS, axis=1)
    found, votes = score_eta(tails, *order), order_eta(p, *order)
    assert (found <= votes * (1 + 1e-12) + 1e-15).all()
    if order in DEFAULT_ORDERS:
        clear = (votes > 0.01) & (votes < 5)
        np.testing.assert_allclose(found[clear], votes[clear], rtol=0.02)


def divergence(perturbed: np.ndarray, clean: np.ndarray, alpha: float) -> np.ndarray:
    """D_α of laws (…, outcomes), as its definition has it; in logarithms, because powers of small weights overflow."""
    shared = (clean > 0) & (perturbed > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        a, b = np.log(clean), np.log(perturbed)
        if alpha == 1:
            found = np.where(shared, perturbed * (b - a), 0).sum(axis=-1)
        elif math.isinf(alpha):
            found = np.where(shared, b - a, -math.inf).max(axis=-1)
        else:
            found = logsumexp(np.where(shared, alpha * b + (1 - alpha) * a, -math.inf), axis=-1) / (alpha - 1)
    unseen = ((perturbed > 0) & (clean == 0)).any(axis=-1) & (alpha >= 1)
    return np.where(unseen | ~shared.any(axis=-1), math.inf, found)


def exact_divergence(perturbed: np.ndarray, clean: np.ndarray, alpha: float) -> float:
    """The same in two hundred digits, without logarithms of the weights."""
    with mpmath.workdps(200):
        if (perturbed[clean == 0] > 0).any() and alpha >= 1:
            return math.inf
        pairs = [(mpmath.mpf(b), mpmath.mpf(a)) for b, a in zip(perturbed, clean, strict=True) if a > 0 and b > 0]
        if not pairs:
            return math.inf
        if alpha == 1:
            return float(mpmath.fsum(b * mpmath.log(b / a) for b, a in pairs))
        if math.isinf(alpha):
            return float(mpmath.log(max(b / a for b, a in pairs)))
        order = mpmath.mpf(alpha)
        return float(mpmath.log(mpmath.fsum(b**order * a ** (1 - order) for b, a in pairs)) / (order - 1))


WEIGHT = st.integers(0, 20) | st.sampled_from([1e-300, 1e-100, 1e-17, 1e-9])
WEIGHTS = arrays(np.float64, 5, elements=WEIGHT).filter(lambda w: w.sum() > 0).map(lambda w: w / w.sum())


@settings(max_examples=200)
@given(WEIGHTS, WEIGHTS, st.sampled_from(ORDERS))
def test_the_oracle_holds_on_extreme_weights(clean, other, order) -> None:
    found, exact = divergence(other, clean, order.alpha), exact_divergence(other, clean, order.alpha)
    assert found == pytest.approx(exact, rel=1e-12, abs=1e-12)


@settings(max_examples=400)
@given(WEIGHTS, WEIGHTS, arrays(np.int64, 5, elements=st.integers(0, BINS)), st.sampled_from(ORDERS), st.floats(0, 1))
@example(np.array([0, 0, 0, 0.25, 0.75]), np.array([1, 1e-17, 0, 0, 0]), np.arange(5), Order(30, True), 1 - 2.0**-53)
def test_no_law_nearer_than_eta_takes_the_mean_to_one_half(clean, other, score, order, far) -> None:
    """The perturbed law lies on the way from the clean one to another one, often where the mean has just become 1/2."""
    s = score / BINS
    start, end = clean @ s, other @ s
    share = (start - 0.5) / (start - end) if start > 0.5 >= end else far
    share = min(max(share, 0.0), 1.0)
    perturbed = (1 - share) * clean + share * other
    if perturbed @ s > 0.5 + 1e-12:
        return
    # Rounded down: what is lost when a sum is rounded up is a weight that the tails would deny.
    tails = (np.array([clean[score > b].sum() for b in range(BINS)]) - 2.0**-50).clip(0, 1)[None]
    pair = (clean, perturbed) if order.mirrored else (perturbed, clean)
    assert score_eta(tails, *order)[0] <= divergence(*pair, order.alpha) + 1e-9


def test_a_larger_eta_would_be_wrong() -> None:
    """The bounds are met, so that the test above can fail: for every order some law at η, or hardly farther, breaks."""
    clean, s = np.array([0.1, 0.2, 0.7]), np.array([0.0, 0.5, 1.0])
    tails = np.repeat([0.9, 0.7], BINS // 2)[None]
    first, last = np.meshgrid(np.linspace(0, 1, 601), np.linspace(0, 1, 601))
    laws = np.stack([first, 1 - first - last, last], axis=-1).reshape(-1, 3)
    laws = laws[(laws[:, 1] >= 0) & (laws @ s <= 0.5)]
    for order in DEFAULT_ORDERS:
        nearest = divergence(*((clean, laws) if order.mirrored else (laws, clean)), order.alpha).min()
        assert nearest * 0.98 <= score_eta(tails, *order)[0] <= nearest


@given(arrays(np.float64, (4, BINS), elements=PROBABILITIES))
def test_order_two_is_at_least_mean_and_variance(values) -> None:
    tails = -np.sort(-values, axis=1)
    published = mean_variance_eta(*tail_mean_variance(tails))
    found = score_eta(tails, 2.0)
    usual = (published > 1e-3) & (published < 3)
    assert (found[usual] >= published[usual] * 0.98).all()


def test_half_a_mean_and_extremes_prove_nothing_false() -> None:
    for order in ORDERS:
        for tail in (0.0, 0.25, 0.5):
            assert score_eta(np.full((1, BINS), tail), *order)[0] == 0
        surest = score_eta(np.ones((1, BINS)), *order)[0]
        assert math.isfinite(surest)
        assert surest <= order_eta(1.0, *order)
    # Functions that vanish in floats must not prove an infinite η.
    assert score_eta(np.full((1, BINS), 0.51), 1 + 1e-5)[0] <= order_eta(0.51, 1 + 1e-5)


def test_bad_input_is_refused() -> None:
    for order in (0.0, -1.0, math.nan):
        with pytest.raises(InputError, match="positive number"):
            score_eta([[0.5]], order)
    for wrong in ([[0.1, 0.9]], [0.5], [[1.5]]):
        with pytest.raises(InputError):
            score_eta(wrong, 2.0)
