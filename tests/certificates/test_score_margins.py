"""Mean scores against every other class: which rule is chosen, what it rests on, and that it holds as often as promised."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import fresh_rng

from graphcert.certificates import Attack, ScoreCertificate, certify_scores
from graphcert.certificates.confidence_bounds import unanimous_scores
from graphcert.errors import InputError, RepeatedClaimsWarning, UnsupportedError
from graphcert.noise import BernoulliFlip, Partition, Smoothing
from graphcert.statistics import tail_band, tail_mean_variance
from graphcert.votes import BINS, UNIT, Scores, Votes

FLIP = Smoothing(BernoulliFlip(0.3, 0.4))
LEVELS = [BernoulliFlip(0.2, 0.3), BernoulliFlip(0.3, 0.45)]
LOCALIZED = Smoothing(LEVELS, partition=Partition([0, 1] * 3, [[0, 1], [1, 0]]))


def scores_of(q: np.ndarray, margins: bool = True) -> Scores:
    """Scores of (N, S, K) whole numbers per sample and class; the pilot prefers class 0."""
    nodes, _, classes = q.shape
    label, edges = q[:, :, 0], np.arange(BINS) * (UNIT // BINS)
    twice = UNIT + label[:, :, None] - q[:, :, 1:]
    tails = (twice[..., None] >= 2 * edges).sum(axis=1).min(axis=1)
    histogram = -np.diff((label[..., None] >= edges).sum(axis=1), axis=1, append=0)
    smallest = -np.diff(tails, axis=1, append=0) if margins else None
    pilot = np.tile(np.eye(classes, dtype=np.int64)[0], (nodes, 1))
    return Scores(pilot, label.sum(axis=1), (label**2).sum(axis=1), histogram, smallest)


def votes_of(q: np.ndarray, smoothing=FLIP, margins: bool = True, **changes) -> Votes:
    nodes, samples, classes = q.shape
    votes = np.tile(np.eye(classes, dtype=np.int64)[0], (nodes, 1))
    scores = scores_of(q, margins)
    return Votes(votes, votes * samples, smoothing, scores=scores, independent=True, **changes)


def drawn(rng: np.random.Generator, nodes: int, samples: int, classes: int, label: float) -> np.ndarray:
    """Scores of which the label has about its share and the others divide the rest."""
    weights = rng.gamma(
        np.r_[label, np.full(classes - 1, (1 - label) / (classes - 1))] * 8, size=(nodes, samples, classes)
    )
    return np.floor(UNIT * weights / weights.sum(axis=2, keepdims=True)).astype(np.int64)


RIVALS = drawn(np.random.default_rng(0), 3, 4000, 4, 0.45)


def test_three_classes_or_more_are_compared_with_each_other_where_their_margins_were_counted() -> None:
    votes = votes_of(RIVALS)
    found = certify_scores(votes)
    assert found.method == "multiclass"
    assert found.robust(1).all()
    assert not certify_scores(votes_of(RIVALS), method="binary").robust().any()
    assert certify_scores(votes_of(RIVALS, margins=False)).method == "binary"
    assert certify_scores(votes_of(RIVALS[:, :, :2])).method == "binary"
    assert certify_scores(votes_of(RIVALS[:, :, :2]), method="multiclass").method == "multiclass"
    for bounds in ("bernstein", "dkw"):
        assert certify_scores(votes_of(RIVALS), bounds=bounds).method == "binary"


def test_what_the_rule_cannot_use_it_refuses() -> None:
    with pytest.raises(InputError, match="only the label's was counted"):
        certify_scores(votes_of(RIVALS, margins=False), method="multiclass")
    with pytest.raises(UnsupportedError, match="label's score only"):
        certify_scores(votes_of(RIVALS), method="multiclass", bounds="dkw")
    with pytest.raises(InputError, match="binary, multiclass; got 'all'"):
        certify_scores(votes_of(RIVALS), method="all")
    binary = certify_scores(votes_of(RIVALS), bounds="dkw").to_dict()
    with pytest.raises(InputError, match="rests on a band"):
        ScoreCertificate.from_dict(binary | {"method": "multiclass"})


def test_no_class_pays_for_the_others() -> None:
    votes = votes_of(RIVALS)
    scores, found = votes.scores, certify_scores(votes, 0.03)
    np.testing.assert_array_equal(found.tails, tail_band(scores.histogram, 0.03 / 3, scores.margins))
    np.testing.assert_array_equal([found.mean_lower, found.variance_upper], tail_mean_variance(found.tails))
    few = certify_scores(votes_of(RIVALS), 0.03, targets=[1])
    np.testing.assert_array_equal(few.tails[1], tail_band(scores.histogram[1], 0.03, scores.margins[1]))
    assert not few.tails[[0, 2]].any()
    far = certify_scores(votes_of(RIVALS, total_variation=0.0625), 0.03)
    assert (far.tails <= np.maximum(found.tails - 0.0625, 0)).all()
    np.testing.assert_allclose(far.tails, np.maximum(found.tails - 0.0625, 0), atol=1e-15)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 6), st.floats(0.3, 0.95), st.sampled_from([FLIP, LOCALIZED]))
def test_at_the_same_error_rate_never_less_is_certified_than_against_one_half(seed, classes, label, scheme) -> None:
    q = drawn(np.random.default_rng(seed), 6, 800, classes, label)
    half, others = (certify_scores(votes_of(q, scheme), method=method) for method in ("binary", "multiclass"))
    assert (others.tails >= half.tails).all()
    for budget in ((0, 0), (1, 0), (0, 1), (2, 1), (5, 5)):
        assert (others.robust(*budget) >= half.robust(*budget)).all()
    for method in ("naive", "lp", "milp", "tight"):
        curves = [claim.collective((0, 1, 2), method=method, time_limit=None) for claim in (half, others)]
        assert (curves[1].certified >= curves[0].certified).all()
    attack = Attack.of(others, curves[1])
    assert int(attack.broken.sum() + attack.abstained.sum()) == curves[1].attacked_upper[-1]


def test_both_rules_rest_on_one_event_and_no_error_rates_add_up() -> None:
    votes = votes_of(RIVALS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        certify_scores(votes)
        certify_scores(votes, method="binary")
    with pytest.warns(RepeatedClaimsWarning):
        certify_scores(votes, bounds="bernstein")


def test_the_bounds_of_all_rivals_hold_as_often_as_promised() -> None:
    """300 repetitions with 20 nodes at α = 0.2: more wrong ones than 60 + 60 have probability below 1e-10 (Hoeffding
    exp(−2 · 60² / 300) = 4e-11) if the promise holds. Three rivals as good as each other, and one that never counts."""
    rng = fresh_rng()
    outcomes = (
        UNIT // 8 * np.array([[6, 1, 1, 0, 0], [1, 6, 1, 0, 0], [1, 0, 6, 1, 0], [2, 1, 0, 5, 0], [4, 2, 2, 0, 0]])
    )
    p = np.array([0.3, 0.15, 0.15, 0.15, 0.25])
    twice = UNIT + outcomes[:, :1] - outcomes[:, 1:]
    edges = 2 * UNIT // BINS * np.arange(1, BINS + 1)
    truth = (p[:, None, None] * (twice[:, :, None] >= edges)).sum(axis=0).min(axis=0)
    wrong = 0
    for _ in range(300):
        q = outcomes[rng.choice(5, (20, 60), p=p)]
        wrong += bool((certify_scores(votes_of(q), 0.2).tails > truth + 1e-12).any())
    assert wrong <= 120


def test_a_certificate_of_an_older_version_rests_on_the_binary_rule(tmp_path: Path) -> None:
    found = certify_scores(votes_of(RIVALS, margins=False))
    older = found.to_dict()
    assert older.pop("method") == "binary"
    back = ScoreCertificate.from_dict(older)
    assert back.to_dict() == found.to_dict()
    others = certify_scores(votes_of(RIVALS))
    others.save(tmp_path / "claims.npz")
    loaded = ScoreCertificate.load(tmp_path / "claims.npz")
    assert loaded.to_dict() == others.to_dict()
    assert loaded.method == "multiclass"


def test_the_words_name_the_rule() -> None:
    words = certify_scores(votes_of(RIVALS)).guarantee()
    assert "stays above that of every other class" in words
    assert "one half" not in words
    assert "margins" in words
    assert "margins" in certify_scores(votes_of(RIVALS)).summary()
    assert "stays above one half" in certify_scores(votes_of(RIVALS), method="binary").guarantee()


def test_unanimous_scores_are_the_best_there_are() -> None:
    for method in ("binary", "multiclass"):
        found = certify_scores(unanimous_scores(4000, 0.0), method=method)
        assert (found.tails >= certify_scores(votes_of(RIVALS), simultaneous=False, method=method).tails).all()


HARD = UNIT * np.eye(4, dtype=np.int64)
SOFT = UNIT // 16 * np.array([[12, 2, 1, 1], [2, 10, 2, 2], [1, 3, 11, 1], [3, 5, 5, 3]])
ONE_BIT = {
    "flat": (HARD, [0.25, 0.25, 0.25, 0.25], [0.25, 0.25, 0.25, 0.25]),
    "near tie of votes": (HARD, [0.15, 0.42, 0.43, 0.0], [0.15, 0.43, 0.42, 0.0]),
    "near tie of scores": (SOFT, [0.2, 0.4, 0.4, 0.0], [0.3, 0.35, 0.35, 0.0]),
    "one bit decides between two rivals": (SOFT, [0.0, 0.8, 0.1, 0.1], [0.0, 0.25, 0.6, 0.15]),
    "many rivals": (SOFT, [0.3, 0.3, 0.2, 0.2], [0.2, 0.2, 0.3, 0.3]),
}
"""Base classifiers that see one bit: outcomes (O, K), and their probabilities where the noisy bit is 0 and where it is 1."""


def false_claims(name: str, runs: int, alpha: float, rng: np.random.Generator, runner_up_only: bool) -> int:
    """Runs of 3 pilot and 300 final samples in which a claim about no change, or about one added bit, is false."""
    outcomes, *given_bit = ONE_BIT[name]
    zero, one = (np.array(p) for p in given_bit)
    clean, added = 0.7 * zero + 0.3 * one, 0.4 * zero + 0.6 * one  # FLIP sets a zero with .3 and clears a one with .4
    pilot = np.einsum("ro,ok->rk", rng.multinomial(3, clean, runs), outcomes)
    labels, counts = pilot.argmax(axis=1), rng.multinomial(300, clean, runs)
    label = outcomes[:, labels].T  # (R, O)
    edges = UNIT // BINS * np.arange(BINS)
    tails = np.einsum("ro,rob->rb", counts, label[..., None] >= edges)
    margins = (UNIT + label[:, :, None] - outcomes)[..., None] >= 2 * edges  # (R, O, K, B)
    reached = np.einsum("ro,rokb->rkb", counts, margins)
    rivals = np.where(np.arange(4) == labels[:, None], -1, pilot)
    reached[np.arange(runs), labels] = counts[0].sum()
    smallest = reached[np.arange(runs), rivals.argmax(axis=1)] if runner_up_only else reached.min(axis=1)
    scores = Scores(
        pilot, (counts * label).sum(axis=1), (counts * label**2).sum(axis=1),
        -np.diff(tails, axis=1, append=0), -np.diff(smallest, axis=1, append=0),
    )  # fmt: skip
    votes = np.tile([1, 0, 0, 0], (runs, 1))
    found = certify_scores(Votes(votes * 3, votes * 300, FLIP, scores=scores), alpha, simultaneous=False)
    assert found.method == "multiclass"
    wins = []
    for law in (clean, added):
        means = law @ outcomes
        others = np.array([np.delete(means, k).max() for k in range(4)])
        wins.append(means[labels] > others[labels] + 1e-9)
    return int(((found.robust() & ~wins[0]) | (found.robust(1) & ~(wins[0] & wins[1]))).sum())


@pytest.mark.parametrize("name", ONE_BIT)
@pytest.mark.parametrize("alpha", [0.4, 0.05])
def test_pilot_scores_and_certificate_together_are_wrong_as_rarely_as_promised(name: str, alpha: float) -> None:
    """5,000 runs: more than 5,000 α + 250 false ones have probability below exp(−2 · 250² / 5000) < 2e-11."""
    assert false_claims(name, 5000, alpha, fresh_rng(), runner_up_only=False) <= 5000 * alpha + 250


def test_bounding_the_runner_up_of_the_pilot_only_would_be_wrong_more_often() -> None:
    """Trap 4: three pilot samples often name a runner-up that is none."""
    assert false_claims("near tie of votes", 5000, 0.05, fresh_rng(), runner_up_only=True) > 500
