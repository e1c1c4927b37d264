"""Half-spaces of mean scores for every order: certain votes, mean and variance, and every pair of laws on few outcomes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphcert.errors import InputError
from graphcert.statistics import tail_mean_variance
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, mean_variance_eta, order_eta
from graphcert.tradeoff.score_half_spaces import score_eta

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


def divergence(perturbed: np.ndarray, clean: np.ndarray, alpha: float) -> float:
    """D_α of two laws on few outcomes, as its definition has it."""
    if (perturbed[clean == 0] > 0).any() and alpha >= 1:
        return math.inf
    shared = (clean > 0) & (perturbed > 0)
    a, b = clean[shared], perturbed[shared]
    if not shared.any():
        return math.inf
    if alpha == 1:
        return float(b @ np.log(b / a))
    if math.isinf(alpha):
        return float(np.log(b / a).max())
    return float(np.log((b**alpha * a ** (1 - alpha)).sum()) / (alpha - 1))


WEIGHTS = arrays(np.int64, 5, elements=st.integers(0, 20)).filter(lambda w: w.sum() > 0).map(lambda w: w / w.sum())


@settings(max_examples=400)
@given(WEIGHTS, WEIGHTS, arrays(np.int64, 5, elements=st.integers(0, BINS)), st.sampled_from(ORDERS), st.floats(0, 1))
def test_no_law_nearer_than_eta_takes_the_mean_to_one_half(clean, other, score, order, far) -> None:
    """The perturbed law lies on the way from the clean one to another one, often where the mean has just become 1/2."""
    s = score / BINS
    start, end = clean @ s, other @ s
    share = (start - 0.5) / (start - end) if start > 0.5 >= end else far
    perturbed = clean + min(max(share, 0.0), 1.0) * (other - clean)
    if perturbed @ s > 0.5 + 1e-12:
        return
    tails = np.array([clean[score > b].sum() for b in range(BINS)]).clip(0, 1)[None]
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
        pairs = ((clean, law) if order.mirrored else (law, clean) for law in laws)
        nearest = min(divergence(*pair, order.alpha) for pair in pairs)
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
