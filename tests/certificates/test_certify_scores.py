"""`certify_scores` end to end: which numbers it uses, whom it speaks about, what it refuses, traps 1 and 13."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import fresh_rng

from graphcert.certificates import BOUNDS, ScoreCertificate, certify, certify_scores
from graphcert.certificates.score_certificate import worst_divergence
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Budget, Gaussian, Hierarchical, Partition, Smoothing
from graphcert.statistics import bernstein_mean_variance, dkw_mean_variance, tail_band, tail_mean_variance
from graphcert.tradeoff import budget_trade_offs
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, mean_variance_eta, order_weight
from graphcert.votes import BINS, UNIT, Scores, Votes

F, E = BernoulliFlip(0.3, 0.4), BernoulliFlip(0.2, 0.5)
BOTH = Smoothing(F, E)
PILOT, K = 100, 3
PUBLISHED = ("bernstein", "dkw")
"""Mean and variance only."""
every_bound = pytest.mark.parametrize("bounds", BOUNDS)
published_bounds = pytest.mark.parametrize("bounds", PUBLISHED)


def votes_of(values, counts, smoothing=BOTH, label=0, **changes) -> Votes:
    """Votes whose label has score values[i] (whole numbers) in counts[n, i] final samples of node n.

    The majority vote goes to the last class, so that mixing up the classifiers is seen.
    """
    values, counts = np.asarray(values), np.atleast_2d(counts)
    samples = int(counts[0].sum())
    histogram = np.zeros((len(counts), BINS), np.int64)
    for value, column in zip(values, counts.T, strict=True):
        histogram[:, min(value * BINS // UNIT, BINS - 1)] += column
    pilot_sums = np.zeros((len(counts), K), np.int64)
    pilot_sums[:, label] = PILOT * UNIT // 2
    scores = Scores(pilot_sums, counts @ values, counts @ values**2, histogram)
    last = np.eye(K, dtype=np.int64)[[K - 1] * len(counts)]
    return Votes(last * PILOT, last * samples, smoothing, scores=scores, **changes)


STEADY = votes_of([55_000, 65_000], [[3_000, 7_000], [9_000, 1_000], [5_000, 5_000]])


@every_bound
def test_the_label_is_that_of_the_pilot_scores_and_not_that_of_the_votes(bounds: str) -> None:
    found = certify_scores(STEADY, bounds=bounds)
    np.testing.assert_array_equal(found.labels, [0, 0, 0])
    np.testing.assert_array_equal(certify(STEADY).labels, [2, 2, 2])
    assert found.robust().all()
    assert certify(STEADY).robust(1).all()  # two true statements about two classifiers
    assert found.certified_accuracy(None, [0, 0, 2]) == 2 / 3


def test_bounds_are_those_of_the_statistics_at_a_level_divided_by_the_targets() -> None:
    scores = STEADY.scores
    found = certify_scores(STEADY, 0.03, bounds="bernstein")
    mean, variance = bernstein_mean_variance(scores.sums, scores.squares, 10_000, UNIT, 0.03 / 3)
    np.testing.assert_array_equal(found.mean_lower, mean)
    np.testing.assert_array_equal(found.variance_upper, variance)
    mean, variance = dkw_mean_variance(scores.histogram, 0.03)
    found = certify_scores(STEADY, 0.03, simultaneous=False, bounds="dkw")
    np.testing.assert_array_equal(found.mean_lower, mean)
    np.testing.assert_array_equal(found.variance_upper, variance)
    few = certify_scores(STEADY, 0.03, bounds="bernstein", targets=[1])
    mean, _ = bernstein_mean_variance(scores.sums, scores.squares, 10_000, UNIT, 0.03)
    np.testing.assert_array_equal(few.mean_lower, [0, mean[1], 0])
    np.testing.assert_array_equal(few.variance_upper[[0, 2]], 0.25)
    np.testing.assert_array_equal(few.abstained, [True, False, True])


def test_the_band_is_that_of_the_statistics_at_a_level_divided_by_the_targets() -> None:
    histogram = STEADY.scores.histogram
    found = certify_scores(STEADY, 0.03)
    assert found.bounds == "band"
    np.testing.assert_array_equal(found.tails, tail_band(histogram, 0.03 / 3))
    np.testing.assert_array_equal([found.mean_lower, found.variance_upper], tail_mean_variance(found.tails))
    few = certify_scores(STEADY, 0.03, targets=[1])
    np.testing.assert_array_equal(few.tails[1], tail_band(histogram[1], 0.03))
    assert not few.tails[[0, 2]].any()
    np.testing.assert_array_equal(few.abstained, [True, False, True])
    np.testing.assert_array_equal(few.variance_upper[[0, 2]], 0.25)
    far = votes_of([55_000, 65_000], [[3_000, 7_000], [9_000, 1_000], [5_000, 5_000]], total_variation=0.0625)
    charged = certify_scores(far, 0.03)
    np.testing.assert_allclose(charged.tails, np.maximum(found.tails - 0.0625, 0), atol=1e-15)
    assert (charged.tails <= np.maximum(found.tails - 0.0625, 0)).all()
    assert (charged.mean_lower < found.mean_lower).all()


@published_bounds
def test_the_distance_between_the_sampled_and_the_claimed_law_is_charged(bounds: str) -> None:
    exact = certify_scores(STEADY, bounds=bounds)
    near = certify_scores(votes_of([55_000, 65_000], [[3_000, 7_000], [9_000, 1_000], [5_000, 5_000]],
                                   total_variation=0.0625), bounds=bounds)  # fmt: skip
    assert (near.mean_lower <= exact.mean_lower - 0.0625).all()
    assert (near.variance_upper >= exact.variance_upper + 0.0625).all()
    np.testing.assert_allclose(near.mean_lower, exact.mean_lower - 0.0625, atol=1e-15)
    np.testing.assert_allclose(near.variance_upper, exact.variance_upper + 0.0625, atol=1e-15)


@pytest.mark.parametrize("distance", [1e-30, 0.01, 0.3])
def test_the_charge_is_enough_for_every_law_at_that_distance(distance: float) -> None:
    """The worst mass is moved from any value to any other: exact means and variances of both laws."""
    from graphcert.certificates.confidence_bounds import _charged

    values, p = [Fraction(0), Fraction(3, 4), Fraction(1)], [Fraction(3, 10), Fraction(4, 10), Fraction(3, 10)]
    mean = sum(v * q for v, q in zip(values, p, strict=True))
    variance = sum((v - mean) ** 2 * q for v, q in zip(values, p, strict=True))
    low, high = _charged(np.array([float(mean)]), np.array([np.nextafter(float(variance), 1)]), distance)
    for source in range(3):
        for target in range(3):
            moved = list(p)
            moved[source] -= Fraction(distance)
            moved[target] += Fraction(distance)
            if min(moved) < 0:
                continue
            now = sum(v * q for v, q in zip(values, moved, strict=True))
            spread = sum((v - now) ** 2 * q for v, q in zip(values, moved, strict=True))
            assert low[0] <= now + Fraction(1, 10**16)
            assert high[0] >= min(spread, Fraction(1, 4))


def test_robustness_from_a_band_is_the_exact_integral() -> None:
    """Bin by bin in rational arithmetic, over a budget of all four kinds."""
    found = certify_scores(
        votes_of([2_000, 50_000, 65_000], [[300, 3_700, 6_000], [40, 10, 9_950], [4_500, 500, 5_000]])
    )
    seen = set()
    for budget in (Budget(), Budget(1), Budget(2, 1), Budget(1, 0, 1, 1), Budget(0, 4), Budget(3, 3, 3, 3)):
        exact = budget_trade_offs(BOTH, budget)[0]
        means = [sum(exact.lower_exact(tail) for tail in row.tolist()) / BINS for row in found.tails]
        assert found.robust(budget).tolist() == [mean > Fraction(1, 2) for mean in means]
        assert found.robust(*budget.as_tuple()).tolist() == found.robust(budget).tolist()
        seen |= set(found.robust(budget).tolist())
    assert seen == {True, False}


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 400), min_size=4, max_size=4).filter(any), min_size=1, max_size=5),
    st.lists(st.integers(0, UNIT), min_size=4, max_size=4, unique=True),
    st.sampled_from([BernoulliFlip(0.3, 0.4), BernoulliFlip(0.45, 0.45), BernoulliFlip(0.02, 0.6)]),
)
def test_the_band_certifies_whatever_the_uniform_band_does(counts, values, law) -> None:
    rows = [[25 * c for c in row] for row in counts]
    total = max(sum(row) for row in rows)
    votes = votes_of(values, [[*row[:3], row[3] + total - sum(row)] for row in rows], Smoothing(law))
    band, published = certify_scores(votes), certify_scores(votes, bounds="dkw")
    for budget in ((0, 0), (1, 0), (0, 1), (2, 2), (5, 0), (0, 9)):
        assert (band.robust(*budget) >= published.robust(*budget)).all()


def test_a_budget_beyond_exact_arithmetic_is_judged_by_order_two() -> None:
    faint = Smoothing(BernoulliFlip(0.4999, 0.4999))
    found = certify_scores(votes_of([55_000, 65_000], [[3_000, 7_000]], faint))
    huge = Budget(10**7)
    with pytest.raises(UnsupportedError):
        budget_trade_offs(faint, huge)
    assert found.robust(huge).tolist() == (worst_divergence(faint, huge) < mean_variance_eta(
        found.mean_lower, found.variance_upper)).tolist()  # fmt: skip


@pytest.mark.parametrize(
    "scheme",
    [Hierarchical(0.9, BernoulliFlip(0.1, 0.6)), Hierarchical(0.9, Gaussian(0.5)), Smoothing(Gaussian(0.5))],
)
def test_under_other_noise_than_flips_a_band_certifies_and_mean_and_variance_are_refused(scheme) -> None:
    votes = votes_of([55_000, 65_000], [[3_000, 7_000], [9_900, 100], [0, 10_000]], scheme)
    found = certify_scores(votes)
    change = {"shift": 0.2} if scheme != Hierarchical(0.9, BernoulliFlip(0.1, 0.6)) else {"add": 1}
    kept = found.robust(**change, nodes=1)
    (exact,) = budget_trade_offs(scheme, Budget(change.get("add", 0), nodes=1), change.get("shift", 0.0))
    np.testing.assert_array_equal(kept, np.mean(exact.lower(found.tails), axis=1) > 0.5)
    assert kept.any()
    assert not found.robust(**{name: 100 * value for name, value in change.items()}).any()
    for bounds in PUBLISHED:
        with pytest.raises(UnsupportedError, match="bounds='band'"):
            certify_scores(votes, bounds=bounds)
    assert "mean-score classifier" in found.guarantee()


def test_a_shift_is_no_measure_of_flips() -> None:
    with pytest.raises(InputError, match="no measure of changes under flips"):
        certify_scores(STEADY).robust(shift=0.5)


@published_bounds
def test_robustness_is_the_half_space_of_order_two(bounds: str) -> None:
    found = certify_scores(STEADY, bounds=bounds)
    eta = mean_variance_eta(found.mean_lower, found.variance_upper)
    seen = set()
    for budget in (Budget(1), Budget(0, 3), Budget(2, 1, 1), Budget(1, 2, 0, 5), Budget(9, 9, 9, 9)):
        weights = [*order_weight(F, 2.0), *order_weight(E, 2.0)]
        spent = float(np.dot(weights, budget.as_tuple()))
        np.testing.assert_array_equal(found.robust(budget), spent < eta)
        np.testing.assert_array_equal(found.robust(*budget.as_tuple()), spent < eta)
        seen |= set(found.robust(budget).tolist())
    assert seen == {True, False}


def test_the_comparison_is_strict_and_the_sum_is_rounded_up() -> None:
    law = BernoulliFlip(0.3, 0.4)
    weight = order_weight(law, 2.0)[0]
    for count in (1, 3, 7, 10**6 + 1):
        cost = worst_divergence(Smoothing(law), Budget(count))
        assert Fraction(cost) >= count * Fraction(weight) > Fraction(np.nextafter(cost, 0))
    assert worst_divergence(Smoothing(law), Budget(10**400)) == math.inf
    assert worst_divergence(Smoothing(law), Budget()) == 0


def made(mean: float, variance: float, smoothing: Smoothing = BOTH) -> ScoreCertificate:
    return ScoreCertificate(
        labels=np.array([0]), mean_lower=np.array([mean]), variance_upper=np.array([variance]), targets=np.array([True]),
        alpha=0.5, simultaneous=True, smoothing=smoothing, samples=1, bounds="dkw",
    )  # fmt: skip


def test_equality_is_not_certified() -> None:
    """Between the η of two neighbouring means lies the cost; at η = cost nothing is proved."""
    weight = order_weight(F, 2.0)[0]
    low, high = 0.5, 1.0
    while np.nextafter(low, 1) < high:
        middle = (low + high) / 2
        low, high = (middle, high) if mean_variance_eta(middle, 0.1) <= weight else (low, middle)
    assert not made(low, 0.1).robust(1)[0]
    assert made(high, 0.1).robust(1)[0]


def test_the_empty_budget_asks_for_a_mean_above_one_half() -> None:
    assert not made(0.5, 0.0).robust()[0]
    assert not made(0.0, 0.0).robust()[0]
    for mean in (np.nextafter(0.5, 1), 0.75, 1.0):
        assert made(mean, 0.25).robust()[0]
    np.testing.assert_array_equal(made(0.5, 0.1).abstained, [True])


@pytest.mark.parametrize("variance", [0.0, 0.1])
def test_a_channel_without_noise_certifies_nothing_but_no_change(variance: float) -> None:
    """∞ · 0 = 0, ∞ < ∞ is false: also for a score that never varies, whose η is infinite."""
    found = made(0.9, variance, Smoothing(features=F))
    assert found.robust(1)[0]
    for budget in (Budget(edge_add=1), Budget(edge_delete=1), Budget(1, edge_delete=1)):
        assert not found.robust(budget)[0]
    found = made(0.9, variance, Smoothing(edges=E, features=BernoulliFlip(0.0, 0.0)))
    assert found.robust(edge_add=1)[0]
    assert not found.robust(1)[0]
    one_sided = made(0.9, variance, Smoothing(BernoulliFlip(0.0, 0.9)))
    assert one_sided.robust(delete=1)[0]
    assert not one_sided.robust(add=1)[0]


def test_trap_01_the_squared_variance_would_certify_what_a_perturbation_breaks() -> None:
    """A score of 1 or 0 that follows one bit: mean .9 around the clean input, .3 once the bit is added.

    With 2^29 samples, all but exact, the right certificate refuses one addition; σ⁴ in place of σ² grants it.
    """
    law, samples = BernoulliFlip(0.1, 0.3), 2**29
    ones = samples * 9 // 10
    found = certify_scores(votes_of([0, UNIT], [[samples - ones, ones]], Smoothing(law)), bounds="bernstein")
    mean, variance = found.mean_lower[0], found.variance_upper[0]
    assert (mean, variance) == pytest.approx((0.9, 0.09), abs=1e-3)
    assert found.robust()[0]
    wrong = math.log1p((mean - 0.5) ** 2 / variance**2)
    assert not found.robust(add=1)[0]
    assert worst_divergence(Smoothing(law), Budget(1)) < wrong


@every_bound
def test_trap_13_a_small_mean_certifies_nothing(bounds: str) -> None:
    """A mean of .1 is as far from 1/2 as one of .9, on the wrong side."""
    small, large = (votes_of([value], [[2**20]]) for value in (UNIT // 10, UNIT - UNIT // 10))
    assert certify_scores(large, bounds=bounds).robust(1, 1)[0]
    found = certify_scores(small, bounds=bounds)
    assert not found.robust()[0]
    assert not found.robust(1, 1)[0]
    assert found.collective(range(2)).certified.tolist() == [0, 0]


def test_the_claims_hold_as_often_as_promised() -> None:
    """300 repetitions with 20 nodes at α = 0.2: more wrong ones than 60 + 60 have probability below 1e-10 (Hoeffding
    exp(−2 · 60² / 300) = 4e-11) if the promise holds."""
    rng = fresh_rng()
    values, p = np.array([0, 50_000, 65_000]), [0.1, 0.3, 0.6]
    mean = values @ p / UNIT
    variance = (values / UNIT - mean) ** 2 @ p
    for bounds in BOUNDS:
        wrong = 0
        for _ in range(300):
            found = certify_scores(votes_of(values, rng.multinomial(200, p, size=20)), 0.2, bounds=bounds)
            if bounds == "band":
                reached = [(p * (values >= edge)).sum() for edge in UNIT * np.arange(1, BINS + 1) / BINS]
                wrong += bool((found.tails > np.array(reached) + 1e-12).any() or (found.mean_lower > mean).any())
            else:
                wrong += bool(((found.mean_lower > mean) | (found.variance_upper < variance)).any())
        assert wrong <= 120


@every_bound
def test_more_budget_or_less_tolerance_certifies_fewer(bounds: str) -> None:
    rng = np.random.default_rng(1)
    counts = rng.multinomial(5_000, [0.2, 0.4, 0.4], size=50) + rng.integers(0, 1, (50, 3))
    counts[:, 0] = counts[:, 0] * np.arange(50) // 50
    counts[:, 2] += 5_000 - counts.sum(axis=1)
    votes = votes_of([100, 40_000, 64_000], counts)
    found = certify_scores(votes, bounds=bounds)
    grid = found.grid(range(4), range(3))
    assert (np.diff(grid.ratio, axis=0) <= 0).all()
    assert (np.diff(grid.ratio, axis=1) <= 0).all()
    assert not (certify_scores(votes, 1e-9, bounds=bounds).robust(1) & ~found.robust(1)).any()


def test_collectively_isotropic_noise_gives_what_nodes_alone_give() -> None:
    found = certify_scores(votes_of([0, 55_000, 65_000], [[10, 3_000, 6_990], [900, 9_000, 100], [90, 5_000, 4_910]]))
    curve = found.collective(range(9), range(3), truth=[0, 0, 1])
    alone = [found.robust(a, d).sum() for a in range(9) for d in range(3)]
    assert curve.certified.tolist() == alone
    assert max(alone) > min(alone)
    same = found.collective(range(9), range(3), orders=(Order(2.0),))
    np.testing.assert_array_equal(same.certified, curve.certified)


def test_other_orders_are_refused() -> None:
    found = certify_scores(STEADY, bounds="bernstein")
    for orders in ((Order(3.0),), (Order(2.0), Order(3.0)), (Order(2.0, mirrored=True),), (), DEFAULT_ORDERS[:2]):
        with pytest.raises(UnsupportedError, match="order 2 only; leave out orders"):
            found.collective(1, orders=orders)
    with pytest.raises(UnsupportedError, match="simultaneous=True"):
        certify_scores(STEADY, simultaneous=False).collective(1)


@every_bound
def test_the_guarantee_names_the_classifier(bounds: str) -> None:
    words = certify_scores(STEADY, bounds=bounds).guarantee()
    assert "mean-score classifier" in words
    assert "not the majority vote" in words
    assert "3 target nodes hold at once with probability at least 0.99" in words
    assert {"band": "exact trade-offs", "bernstein": "Bernstein", "dkw": "mean and variance are bounded by a band"}[
        bounds
    ] in words
    assert "most often" not in words
    single = certify_scores(votes_of([60_000], [[500]], Smoothing(features=F)), simultaneous=False).guarantee()
    assert "several nodes together are not covered" in single
    assert "edges, which are not smoothed" in single


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0}, "alpha"),
        ({"bounds": "hoeffding"}, "one of band, bernstein, dkw; got 'hoeffding'"),
        ({"targets": []}, "no target nodes"),
        ({"targets": [7]}, "numbered from 0 to 2"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        certify_scores(STEADY, **arguments)  # type: ignore[arg-type]


def test_votes_without_scores_are_refused_with_the_remedy() -> None:
    plain = Votes(STEADY.pilot_counts, STEADY.counts, BOTH)
    with pytest.raises(InputError, match=r"have no scores; take them with sample_votes\(…, scores=True\)"):
        certify_scores(plain)


def test_noise_that_is_not_made_of_flips_is_refused() -> None:
    """Order-2 weights are known for flips; another law must not pass for one, nor for no noise."""
    with pytest.raises(UnsupportedError, match="use BernoulliFlip laws"):
        made(0.9, 0.1, Smoothing(Gaussian(0.5)))


def test_localized_levels_are_taken_at_their_worst() -> None:
    near, far = BernoulliFlip(0.2, 0.3), BernoulliFlip(0.3, 0.4)
    scheme = Smoothing([near, far], partition=Partition([0, 1, 1], [[0, 1], [1, 0]]))
    assert worst_divergence(scheme, Budget(1)) == worst_divergence(Smoothing(near), Budget(1))
    assert worst_divergence(scheme, Budget(1)) > worst_divergence(Smoothing(far), Budget(1))
    found = certify_scores(votes_of([55_000, 65_000], np.tile([3_000, 7_000], (3, 1)), scheme))
    curve = found.collective(range(8))
    assert (curve.certified >= [found.robust(k).sum() for k in range(8)]).all()
