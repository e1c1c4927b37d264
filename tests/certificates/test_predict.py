"""Classifiers of one output (Cohen et al. 2019) as the smallest case of the same code: certify and predict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binomtest, norm
from seeds import fresh_rng

import graphcert as gc
from graphcert.errors import InputError

COUNTS = st.integers(2, 5).flatmap(lambda k: st.lists(st.integers(0, 400), min_size=k, max_size=k)).filter(any)
SIGMA = st.sampled_from([0.12, 0.25, 1.0])


def one_output(pilot: list[int], counts: list[int], sigma: float = 0.5, **options: float) -> gc.Votes:
    return gc.Votes(
        np.array([pilot]), np.array([counts]), gc.Smoothing(features=gc.Gaussian(sigma)), independent=True, **options
    )


@settings(max_examples=80, deadline=None)
@given(COUNTS, st.data(), SIGMA, st.sampled_from([0.001, 0.05]))
def test_certify_is_cohens_certify(counts: list[int], data: st.DataObject, sigma: float, alpha: float) -> None:
    """The label by n0 samples, Clopper–Pearson of its count among n, σΦ⁻¹(pA), abstain at pA ≤ 1/2."""
    pilot = data.draw(st.lists(st.integers(0, 9), min_size=len(counts), max_size=len(counts)).filter(any))
    certificate = gc.certify(one_output(pilot, counts, sigma), alpha, simultaneous=False, method="binary")
    label = max(range(len(pilot)), key=lambda y: (pilot[y], -y))
    k, n = counts[label], sum(counts)
    p_lower = 0.0 if k == 0 else float(beta.ppf(alpha, k, n - k + 1))
    assert certificate.labels[0] == label
    assert p_lower - 1e-8 <= certificate.p_lower[0] <= p_lower + 1e-14
    if abs(p_lower - 0.5) > 1e-8:
        assert certificate.abstained[0] == (p_lower <= 0.5)
    radius = max(sigma * float(norm.ppf(p_lower)), 0.0) if p_lower > 0.5 else 0.0
    assert radius - 1e-6 <= certificate.radius()[0] <= radius + 1e-12


@settings(max_examples=150, deadline=None)
@given(COUNTS, st.sampled_from([0.001, 0.05, 0.499]))
def test_predict_is_cohens_predict(counts: list[int], alpha: float) -> None:
    """The two most frequent classes, a two-sided binomial test between them."""
    found = gc.predict(one_output(counts, counts), alpha, simultaneous=False)
    b, a = sorted(counts)[-2:]
    p_value = binomtest(a, a + b, 0.5).pvalue
    assert found.labels[0] == counts.index(a)
    assert found.p_values[0] == pytest.approx(p_value, rel=1e-8)
    assert found.p_values[0] >= p_value * (1 - 1e-12)
    if abs(p_value / alpha - 1) > 1e-8:
        assert found.abstained[0] == (p_value > alpha)


def test_many_nodes_are_many_single_ones() -> None:
    counts = fresh_rng().multinomial(200, [0.4, 0.35, 0.25], 300)
    votes = gc.Votes(counts.copy(), counts, gc.Smoothing(features=gc.Gaussian(1.0)), independent=True)
    found = gc.predict(votes, 0.05, simultaneous=False)
    single = [gc.predict(one_output(row, row), 0.05) for row in counts]
    np.testing.assert_array_equal(found.labels, [one.labels[0] for one in single])
    np.testing.assert_array_equal(found.abstained, [one.abstained[0] for one in single])
    # Together, every node is tested at its share of the level.
    np.testing.assert_array_equal(gc.predict(votes, 0.05).abstained, found.p_values > 0.05 / 300)


def test_error_rate_of_predictions() -> None:
    """The hardest case, two equally likely classes: no label is right for both. More than α·20,000 + 5 standard deviations
    of labels has probability below 1e-6; a one-sided test of the winner would return twice as many."""
    rng, alpha, inputs = fresh_rng(), 0.05, 20_000
    counts = rng.multinomial(1000, [0.46, 0.46, 0.08], inputs)
    votes = gc.Votes(counts.copy(), counts, gc.Smoothing(features=gc.Gaussian(1.0)), independent=True)
    returned = int((~gc.predict(votes, alpha, simultaneous=False).abstained).sum())
    most = alpha * inputs + 5 * np.sqrt(inputs * alpha * (1 - alpha))
    assert returned <= most
    one_sided = sum(p / 2 <= alpha for p in gc.predict(votes, alpha, simultaneous=False).p_values)
    assert one_sided > most


def test_the_distance_of_the_sampled_law_is_charged() -> None:
    counts = [600, 400]
    p_value = binomtest(600, 1000, 0.5).pvalue
    assert not gc.predict(one_output(counts, counts, total_variation=1e-9), 2e-6 + p_value).abstained[0]
    assert gc.predict(one_output(counts, counts, total_variation=1e-3), 0.49).abstained[0]
    assert gc.predict(one_output(counts, counts, total_variation=1e-9), 1e-6 + p_value * 0.5).abstained[0]


def test_ties_abstain_and_words() -> None:
    found = gc.predict(one_output([5, 5], [5, 5]), 0.499)
    assert found.abstained[0]
    assert found.p_values[0] == 1
    assert "1 of 1 nodes that abstain" in found.guarantee()
    assert "all labels" in found.guarantee()
    assert "Gaussian noise of standard deviation 0.5" in found.guarantee()
    assert "each single label" in gc.predict(one_output([5, 5], [5, 5]), 0.1, simultaneous=False).guarantee()
    with pytest.raises(InputError, match="alpha"):
        gc.predict(one_output([5, 5], [5, 5]), 1.0)
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0] = 3
