"""`certify` and `Certificate`: accounting of errors, targets, budgets, words."""

from itertools import pairwise

import numpy as np
import pytest

from graphcert.certificates import Certificate, certify
from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip, Budget, Smoothing
from graphcert.statistics import clopper_pearson_lower, clopper_pearson_upper
from graphcert.tradeoff import trade_off
from graphcert.votes import Votes

F, E = BernoulliFlip(0.1, 0.6), BernoulliFlip(0.2, 0.6)
BOTH = Smoothing(F, E)
N, K, PILOT, SAMPLES = 200, 5, 100, 2000


def draw(seed: int = 0, smoothing: Smoothing = BOTH, **changes: object) -> Votes:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([30, 1, 1, 1, 1], N)
    p = np.take_along_axis(p, rng.permuted(np.tile(np.arange(K), (N, 1)), axis=1), axis=1)
    return Votes(rng.multinomial(PILOT, p), rng.multinomial(SAMPLES, p), smoothing, **changes)  # type: ignore[arg-type]


VOTES = draw()
TRUTH = np.where(np.arange(N) % 3 > 0, VOTES.labels, (VOTES.labels + 1) % K)


def test_trap_03_the_level_is_divided_by_the_number_of_simultaneous_claims() -> None:
    votes = VOTES
    joint, single = (certify(votes, 0.05, simultaneous, method="binary") for simultaneous in (True, False))
    np.testing.assert_array_equal(joint.p_lower, clopper_pearson_lower(votes.successes, SAMPLES, 0.05 / N))
    np.testing.assert_array_equal(single.p_lower, clopper_pearson_lower(votes.successes, SAMPLES, 0.05))
    assert np.all(joint.p_lower < single.p_lower)
    assert joint.simultaneous
    few = certify(votes, 0.05, method="binary", targets=[3, 4])
    assert few.claims == 2
    assert few.p_lower[3] == clopper_pearson_lower(votes.successes[3], SAMPLES, 0.05 / 2)


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_all_claims_hold_at_once_as_often_as_promised(method: str) -> None:
    """400 repetitions with 40 nodes, α = 0.2: more failures than 80 + 5 standard deviations (40) have probability
    below 1e-6. At α per node, almost every repetition fails: the test can fail."""
    rng = np.random.default_rng(7)
    p = np.tile([0.56, 0.24, 0.2], (40, 1))
    failures = {True: 0, False: 0}
    for _ in range(400):
        votes = Votes(np.tile([9, 1, 0], (40, 1)), rng.multinomial(300, p), Smoothing(F))
        for simultaneous in failures:
            found = certify(votes, 0.2, simultaneous, method=method)
            wrong = (found.p_lower > 0.56) | ((found.p_other_upper < 0.24) if method == "multiclass" else False)
            failures[simultaneous] += bool(wrong.any())
    assert failures[True] <= 120 < failures[False]


def test_trap_04_every_other_class_is_bounded_and_not_only_the_pilots_runner_up() -> None:
    """The pilot's runner-up is class 1, but the samples show class 2 close behind the label."""
    votes = Votes([[60, 40, 0], [90, 5, 5]], [[520, 10, 470], [900, 50, 50]], Smoothing(F))
    found = certify(votes, 0.01, method="multiclass")
    share = 0.01 / (2 * 2)
    np.testing.assert_array_equal(
        found.p_other_upper[0], min(clopper_pearson_upper(470, 1000, share), 1 - found.p_lower[0])
    )
    assert found.p_lower[0] == clopper_pearson_lower(520, 1000, 0.01 / 4)
    np.testing.assert_array_equal(found.abstained, [True, False])


def test_another_class_is_never_more_likely_than_what_the_label_leaves() -> None:
    """The other class's own bound at a smaller share than the label's is the weaker one."""
    votes = Votes([[6, 4, 0]], [[520, 480, 0]], Smoothing(F))
    found = certify(votes, method="multiclass")
    assert clopper_pearson_upper(480, 1000, 0.01 / 4) > found.p_other_upper == np.nextafter(1 - found.p_lower, 2)


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_the_distance_between_the_sampled_and_the_claimed_law_is_charged(method: str) -> None:
    exact, near = certify(VOTES, method=method), certify(draw(total_variation=0.125), method=method)
    assert np.all(near.p_lower <= np.maximum(exact.p_lower - 0.125, 0))
    assert np.all(near.p_lower >= exact.p_lower - 0.125 - 1e-15)
    assert np.all(near.p_other_upper >= exact.p_other_upper)
    assert near.robust(add=1).sum() < exact.robust(add=1).sum()


def test_trap_07_the_certified_label_is_the_label_that_accuracy_is_counted_for() -> None:
    """Pilot and main votes disagree on node 0: the claim is about the pilot's class, and so is the accuracy."""
    votes = Votes([[6, 4], [9, 1]], [[0, 1000], [1000, 0]], Smoothing(F))
    found = certify(votes)
    np.testing.assert_array_equal(found.labels, [0, 0])
    np.testing.assert_array_equal(found.abstained, [True, False])
    assert found.certified_accuracy(None, [1, 0]) == 0.5
    assert found.certified_accuracy(None, [0, 0]) == 0.5
    assert found.certified_accuracy(None, [0, 1]) == 0.0


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_trap_17_counts_and_ratios_are_over_the_targets(method: str) -> None:
    targets = np.zeros(N, dtype=bool)
    targets[::4] = True
    found = certify(VOTES, method=method, targets=targets)
    budget = Budget(1, 1)
    robust = found.robust(budget)
    assert not np.any(robust & ~targets)
    assert np.all(found.abstained[~targets])
    assert found.certified_ratio(budget) == robust[targets].mean()
    assert found.certified_accuracy(budget, TRUTH) == (robust & found.correct(TRUTH))[targets].mean()
    same = certify(VOTES, method=method, targets=np.flatnonzero(targets))
    np.testing.assert_array_equal(same.p_lower, found.p_lower)


def test_binary_robustness_is_the_critical_probability() -> None:
    found = certify(VOTES, method="binary")
    joint = trade_off(F, 1, 2) * trade_off(E, 0, 1)
    expected = found.p_lower > joint.critical
    np.testing.assert_array_equal(found.robust(1, 2, 0, 1), expected)
    assert 0 < expected.sum() < N
    np.testing.assert_array_equal(found.robust(Budget(1, 2, 0, 1)), expected)
    lower = joint.lower(found.p_lower)
    assert np.all(expected[lower > 0.5])
    assert not np.any(expected[lower < 0.5 - 1e-12])


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_more_budget_or_less_tolerance_certifies_fewer_nodes(method: str) -> None:
    found = certify(VOTES, method=method)
    robust = [found.robust(add=a, delete=2 * a, edge_delete=a) for a in range(4)]
    assert all(not np.any(large & ~small) for small, large in pairwise(robust))
    assert robust[0].sum() > robust[1].sum() > 0
    np.testing.assert_array_equal(robust[0], ~found.abstained)
    careful = certify(VOTES, 1e-6, method=method)
    assert not np.any(careful.robust(1) & ~found.robust(1))


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_a_channel_that_is_not_smoothed_certifies_nothing_but_the_zero_budget(method: str) -> None:
    found = certify(draw(smoothing=Smoothing(features=F)), method=method)
    assert found.robust(add=1).any()
    for budget in (Budget(edge_add=1), Budget(edge_delete=1), Budget(feature_add=1, edge_delete=1)):
        assert not found.robust(budget).any()
    assert "edges, which are not smoothed" in found.guarantee()


def test_too_few_votes_abstain() -> None:
    votes = Votes(np.tile([5, 0], (100, 1)), np.tile([10, 0], (100, 1)), Smoothing(F))
    found = certify(votes, 0.01)
    assert found.abstained.all()
    assert found.certified_ratio() == 0


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_a_grid_holds_the_ratio_and_accuracy_of_every_cell(method: str) -> None:
    found = certify(VOTES, method=method)
    grid = found.grid(range(4), [0, 2, 9, 40], edge_delete=1, truth=TRUTH)
    assert grid.axes == ("feature_add", "feature_delete")
    assert grid.values == ((0, 1, 2, 3), (0, 2, 9, 40))
    assert grid.fixed == Budget(edge_delete=1)
    assert grid.accuracy is not None
    for (i, a), (j, d) in ((x, y) for x in enumerate(range(4)) for y in enumerate([0, 2, 9, 40])):
        budget = Budget(a, d, 0, 1)
        assert grid.ratio[i, j] == found.certified_ratio(budget)
        assert grid.accuracy[i, j] == found.certified_accuracy(budget, TRUTH)
    assert 0 < grid.accuracy.max() < grid.ratio.max()
    assert grid.ratio.min() == 0


def test_a_grid_does_not_compute_beyond_hopeless_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    kept = Certificate._kept
    monkeypatch.setattr(Certificate, "_kept", lambda self, budget: asked.append(budget) or kept(self, budget))
    found = certify(VOTES)
    grid = found.grid(range(0, 60, 3), range(0, 200, 10))
    assert grid.accuracy is None
    assert len(asked) == (grid.ratio > 0).sum() + sum(b == Budget() for b in asked[1:]) + edge_of(grid.ratio > 0)


def edge_of(alive: np.ndarray) -> int:
    """Hopeless cells with no hopeless cell below them, in a monotone grid."""
    dead = ~alive
    below = np.zeros_like(dead)
    below[1:] |= dead[:-1]
    below[:, 1:] |= dead[:, :-1]
    return int((dead & ~below).sum())


def test_the_guarantee_says_alpha_scope_noise_and_threat() -> None:
    text = certify(VOTES, 0.05, targets=np.arange(50)).guarantee()
    for part in (
        "0.95",
        "50 of 200",
        "0.05/50",
        "2,000 samples",
        "0.6",
        "feature bits and undirected edges",
        "at once",
    ):
        assert part in text
    assert "not covered" in certify(VOTES, 0.05, simultaneous=False).guarantee()
    assert "every other class" in certify(VOTES, method="multiclass").guarantee()


def test_results_are_read_only() -> None:
    found = certify(VOTES)
    for array in (found.labels, found.p_lower, found.p_other_upper, found.targets):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"alpha": 0.0}, {"alpha": 1}, {"alpha": float("nan")}, {"method": "bayes"}, {"targets": [N]}, {"targets": [-1]},
        {"targets": np.ones(N - 1, dtype=bool)}, {"targets": np.zeros(N, dtype=bool)}, {"targets": []},
        {"targets": [0.5]}, {"targets": [[0]]},
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(InputError):
        certify(VOTES, **arguments)  # type: ignore[arg-type]


def test_bad_questions_are_refused() -> None:
    found = certify(VOTES)
    for question in (
        lambda: found.robust(add=-1),
        lambda: found.robust(0.5),  # type: ignore[arg-type]
        lambda: found.robust(Budget(1), delete=1),
        lambda: found.certified_accuracy(Budget(), TRUTH[:-1]),
        lambda: found.certified_accuracy(Budget(), TRUTH.astype(float)),
        lambda: found.grid([]),
        lambda: found.grid([0, -1]),
    ):
        with pytest.raises(InputError):
            question()
