"""Certified segmentation (theory, section 7) against scipy's binomial test, statsmodels' Holm and enumeration."""

import re
from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from seeds import fresh_rng, fresh_seed
from statsmodels.stats.multitest import multipletests

import graphcert as gc
from graphcert.errors import InputError
from graphcert.statistics import binomial_tail, bonferroni, confidence_words, holm
from graphcert.tradeoff import gaussian_radius


def votes_of(rng: np.random.Generator, probabilities: np.ndarray, samples: int) -> np.ndarray:
    return rng.multinomial(samples, probabilities)


def random_case(seed: int, shape: tuple[int, ...], samples: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.08] * 4, shape)
    return votes_of(rng, probabilities, 40), votes_of(rng, probabilities, samples)


def plainly(pilot, counts, tau, alpha, method):
    """The definition, component by component and by other libraries."""
    labels = [int(np.argmax(row)) for row in pilot]
    tests = [binomtest(int(row[y]), int(row.sum()), tau, "greater") for row, y in zip(counts, labels, strict=True)]
    rejected = multipletests([test.pvalue for test in tests], alpha, method=method)[0]
    return np.array(labels), ~rejected, np.array([test.pvalue for test in tests])


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 60),
    st.sampled_from([0.5, 0.75, 0.9]),
    st.sampled_from([0.001, 0.05]),
    st.sampled_from(["holm", "bonferroni"]),
)
def test_agrees_with_other_libraries(seed: int, components: int, tau: float, alpha: float, method: str) -> None:
    pilot, counts = random_case(seed, (components,))
    found = gc.seg_certify(pilot, counts, tau, alpha, method, sigma=0.25)
    labels, abstained, p_values = plainly(pilot, counts, tau, alpha, method)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.abstained, abstained)
    np.testing.assert_allclose(found.p_values, p_values, rtol=1e-8, atol=1e-300)
    truth = 0.25 * norm.ppf(tau)
    assert np.all(found.radius[abstained] == 0)
    assert np.all(found.radius[~abstained] <= truth)
    assert np.all(found.radius[~abstained] >= truth - 1e-9)
    np.testing.assert_array_equal(found.p_lower, np.where(abstained, 0, tau))


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0, 1))
def test_p_values_are_rounded_up_and_close(pair: tuple[int, int], p: float) -> None:
    k, n = pair
    x = Fraction(p)
    exact = sum((comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(k, n + 1)), Fraction(0))
    found = Fraction(float(binomial_tail(k, n, p)))
    assert exact <= found <= exact * (1 + Fraction(1, 10**9)) + Fraction(1, 10**300)


def test_a_table_and_a_sort_find_the_same_tails() -> None:
    k = fresh_rng().integers(0, 501, (20, 30))
    np.testing.assert_array_equal(binomial_tail(k, 500, 0.7), binomial_tail(k, np.full(k.shape, 500), 0.7))


def test_images_are_flattened_and_shaped_again() -> None:
    pilot, counts = random_case(fresh_seed(), (5, 7))
    image = gc.seg_certify(pilot, counts, 0.75, 0.01, sigma=1.0)
    flat = gc.seg_certify(pilot.reshape(35, 4), counts.reshape(35, 4), 0.75, 0.01, sigma=1.0)
    for name in ("labels", "abstained", "p_values", "radius", "p_lower"):
        assert getattr(image, name).shape == (5, 7)
        np.testing.assert_array_equal(getattr(image, name).ravel(), getattr(flat, name))


def test_the_label_is_the_pilots_even_where_the_votes_prefer_another() -> None:
    found = gc.seg_certify([[0, 9], [9, 0]], [[1000, 0], [1000, 0]], 0.75, 0.01)
    np.testing.assert_array_equal(found.labels, [1, 0])
    np.testing.assert_array_equal(found.abstained, [True, False])
    assert found.p_values[0] == 1


# At most k errors


def more_than(errors: int, test, level: float, nulls: np.ndarray, p_null: np.ndarray, families) -> Fraction:
    """Probability, over families of p-values with equal weights, of more than `errors` false rejections."""
    families = list(families)
    bad = sum(int((test(family, level, errors) & nulls).sum() > errors) for family in families)
    return Fraction(bad, len(families))


@pytest.mark.parametrize("test", [holm, bonferroni])
@pytest.mark.parametrize("errors", [0, 1, 2])
@pytest.mark.parametrize("level", [0.2, 0.4])
@pytest.mark.parametrize("false_nulls", [0, 1, 2])
def test_more_than_k_errors_have_probability_at_most_alpha(test, errors: int, level: float, false_nulls: int) -> None:
    """Every family of 4 p-values on the grid 1/10 … 1 (uniform where the hypothesis is true, 0 where it is false):
    independent ones, and the two extreme dependences."""
    grid, size = [i / 10 for i in range(1, 11)], 4
    nulls = np.arange(size) >= false_nulls
    true = size - false_nulls
    joint = {
        "independent": product(grid, repeat=true),
        "equal": ([p] * true for p in grid),
        # The worst for Bonferroni: the small values of the hypotheses never coincide.
        "exclusive": ([grid[(i + 10 * j // max(true, 1)) % 10] for j in range(true)] for i in range(10)),
    }
    for families in joint.values():
        values = ([0.0] * false_nulls + list(family) for family in families)
        assert more_than(errors, test, level, nulls, np.empty(0), values) <= Fraction(level) + Fraction(1, 10**12)


def test_a_step_down_that_forgets_the_tolerated_errors_would_be_caught() -> None:
    """(k + 1)α/(m − i) from the first step on: with equal p-values it rejects too much."""

    def forgetful(p_values, alpha: float, errors: int):
        values = np.asarray(p_values)
        order = np.argsort(values, kind="stable")
        passes = values[order] <= (errors + 1) * alpha / (values.size - np.arange(values.size))
        rejected = np.zeros(values.size, dtype=bool)
        rejected[order] = np.logical_and.accumulate(passes)
        return rejected

    # Thresholds .1, .133, .2, .4 instead of .1, .1, .133, .2 at k = 1, m = 4, alpha = .2.
    family = [0.05, 0.12, 0.18, 0.3]
    assert forgetful(family, 0.2, 1).sum() == 4
    np.testing.assert_array_equal(holm(family, 0.2, 1), [True, False, False, False])


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=30), st.floats(0.001, 0.5), st.integers(0, 5))
def test_more_tolerance_rejects_more_and_holm_more_than_bonferroni(p_values, alpha: float, errors: int) -> None:
    assert not np.any(holm(p_values, alpha, errors) & ~holm(p_values, alpha, errors + 1))
    assert not np.any(bonferroni(p_values, alpha, errors) & ~holm(p_values, alpha, errors))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.integers(0, 4))
def test_the_thresholds_of_lehmann_and_romano(p_values, errors: int) -> None:
    """α_i = kα/m for i ≤ k, kα/(m + k − i) for i > k, in their numbering (k = errors + 1, i from 1)."""
    alpha, m, k = 0.1, len(p_values), errors + 1
    count = 0
    for i, p in enumerate(sorted(p_values), start=1):
        if p > (k * alpha / m if i <= k else k * alpha / (m + k - i)):
            break
        count = i
    assert holm(p_values, alpha, errors).sum() == count


def test_tolerated_errors_claim_more_and_say_so() -> None:
    counts = np.array([[88, 12]] * 40 + [[60, 40]] * 10)
    strict, loose = (
        gc.seg_certify(counts.copy(), counts, 0.75, 0.01, errors=errors, independent=True) for errors in (0, 20)
    )
    assert strict.abstained.sum() == 50
    assert loose.abstained.sum() == 10
    assert "all but at most 20 of the 40" in loose.guarantee()
    assert "all of the 0 components" in strict.guarantee()


# The guarantee


@pytest.mark.parametrize("method", ["holm", "bonferroni"])
def test_family_wise_error_rate(method: str) -> None:
    """4,000 inputs of 20 components that share their noise, 12 of them exactly at τ and so wrongly claimed by any claim:
    more than α·4,000 + 5 standard deviations of wrong inputs has probability below 1e-6."""
    rng, inputs, alpha, tau = fresh_rng(), 4000, 0.1, 0.75
    wrong = 0
    pilot = np.tile([9, 0], (20, 1))
    for _ in range(inputs):
        shared, own = rng.random((50, 1)), rng.random((50, 20))
        uniform = np.where(np.arange(20) < 6, shared, own)
        hits = (uniform < np.where(np.arange(20) < 12, tau, 0.999)).sum(axis=0)
        found = gc.seg_certify(pilot, np.stack([hits, 50 - hits], axis=1), tau, alpha, method)
        wrong += bool((~found.abstained[:12]).any())
        assert not found.abstained[12:].all()
    assert wrong <= alpha * inputs + 5 * np.sqrt(inputs * alpha * (1 - alpha))


def test_testing_every_component_at_alpha_would_be_caught() -> None:
    """The uncorrected test in the same setting is wrong on most inputs."""
    rng, wrong = fresh_rng(), 0
    for _ in range(500):
        hits = rng.binomial(50, 0.75, 20)
        wrong += bool((binomial_tail(hits, 50, 0.75) <= 0.1).any())
    assert wrong > 0.1 * 500 + 5 * np.sqrt(500 * 0.09)


def test_the_distance_of_the_sampled_law_is_added_to_tau() -> None:
    counts = np.array([[80, 20]])
    charged = gc.seg_certify([[9, 1]], counts, 0.7, 0.01, total_variation=0.05)
    assert charged.p_values[0] == pytest.approx(binomtest(80, 100, 0.75, "greater").pvalue)
    assert charged.tau == 0.7
    # A distance that leaves no probability above τ leaves no claims.
    assert gc.seg_certify([[9, 0]], [[9**6, 0]], 0.7, 0.49, total_variation=0.4).abstained.all()


def test_words() -> None:
    pilot, counts = random_case(fresh_seed(), (30,))
    found = gc.seg_certify(pilot, counts, 0.75, 0.001, sigma=0.5)
    words = found.guarantee()
    assert re.search(r"at least 0.999 over the 300 samples.*0\.33724.*Holm procedure over 30 components", words)
    with pytest.raises(InputError, match="give seg_certify a sigma"):
        gc.seg_certify(pilot, counts).radius  # noqa: B018
    with pytest.raises(ValueError, match="read-only"):
        found.labels[0] = 3


@given(
    tau=st.floats(0.5, 0.999),
    sigma=st.floats(1e-3, 1e3),
    alpha=st.one_of(st.floats(1e-40, 0.499), st.sampled_from([1e-7, 4e-8, 0.049999996])),
)
def test_words_never_say_more_than_is_proved(tau: float, sigma: float, alpha: float) -> None:
    found = gc.seg_certify([[3, 0]], [[9, 0]], tau, alpha, sigma=sigma)
    words = found.guarantee()
    radius, sure, above = (
        Fraction(re.search(rf"{before} ([0-9.e-]*[0-9])", words)[1])
        for before in ("norm at most", "probability at least", "probability above")
    )
    exact = Fraction(float(gaussian_radius(tau, sigma)))
    assert exact * (1 - Fraction(1, 10**5)) <= radius <= exact
    assert Fraction(1) - Fraction(str(alpha)) - Fraction(1, 10**27) <= sure <= 1 - Fraction(str(alpha)) < 1
    assert float(above) == tau


def test_usual_formatting_of_words_would_be_caught() -> None:
    assert f"{0.1686224 * 4:.6g}" == "0.67449"
    assert 0.67449 > 0.1686224 * 4
    assert confidence_words(1e-7) == "0.9999999"
    assert f"{1 - 1e-7:.6g}" == "1"
    assert confidence_words(1e-40) < "1"


GOOD = np.array([[3, 7], [10, 0]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tau": 0.4}, "tau"),
        ({"tau": 1.0}, "tau"),
        ({"tau": float("nan")}, "tau"),
        ({"alpha": 0.0}, "alpha"),
        ({"method": "none"}, "holm, bonferroni"),
        ({"sigma": 0.0}, "sigma"),
        ({"sigma": float("nan")}, "sigma"),
        ({"errors": -1}, "must be at least 0"),
        ({"errors": 1.5}, "whole number"),
        ({"errors": True}, "whole number"),
        ({"total_variation": 1.0}, "total_variation"),
        ({"total_variation": float("nan")}, "total_variation"),
        ({"counts": GOOD[:1]}, "agree in shape"),
        ({"counts": GOOD.astype(float)}, "integers"),
        ({"counts": [[1, 2], [1, 3]]}, "same number"),
        ({"counts": [[0, 0], [0, 0]]}, "no votes"),
        ({"counts": [[-1, 4], [1, 2]]}, "at least 0"),
        ({"pilot_counts": [3, 4]}, "classes ≥ 2"),
        ({"pilot_counts": [[3], [3]]}, "classes ≥ 2"),
        ({"counts": np.zeros((0, 2), int)}, "components ≥ 1"),
    ],
)
def test_refusals(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        gc.seg_certify(**{"pilot_counts": GOOD, "counts": GOOD, **arguments})  # type: ignore[arg-type]


def test_narrow_integers_do_not_overflow() -> None:
    counts = np.array([[200, 55], [255, 0]], dtype=np.uint8)
    found = gc.seg_certify([[9, 1], [9, 1]], counts, 0.5, 0.01)
    assert found.samples == 255
    np.testing.assert_array_equal(found.abstained, [False, False])
