"""Scores are sums over samples of what the model says, exactly, whatever the path, threads, shards and restarts."""

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from voting_cases import CLASSES, NODES, NOISE, generic_model, small_graph, sparse_model

import graphcert as gc
from graphcert.errors import InputError, ModelError, VotesError
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.votes import BINS, UNIT, Scores, rival_slots, smallest_margins
from graphcert.votes import scores as scores_module
from graphcert.voting import sample_votes
from graphcert.voting.counting import Counter
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sample import choose_path
from graphcert.voting.vote_sums import add_class_scores, add_label_scores

pytestmark = pytest.mark.usefixtures("small_unions")
DATA = small_graph()
MODELS = {"gcn": sparse_model, "gat": sparse_model, "pyg gcn": generic_model, "centred": generic_model}
SAMPLES, PILOTS = 97, 41


def take(model, samples=SAMPLES, pilot=PILOTS, noise="both", scores=True, **options):
    return sample_votes(model, DATA, NOISE[noise], samples, pilot, 3, scores=scores, **options)


def quantised(logits):
    """(N, K) scores of logits by the kernel, in padded rows whose padding would count if it were looked at."""
    nodes, classes = logits.shape
    padded = np.full((nodes, classes + 5), 7.0, np.float32)
    padded[:, :classes] = logits
    q = np.zeros((nodes, classes), np.int64)
    add_class_scores(padded, np.arange(nodes), UNIT, q)
    return q


# One sample


FLOATS = st.one_of(st.floats(-50, 50, width=32), st.sampled_from([0.0, -0.0, 1e-3, -np.inf, np.inf, 3e38, -3e38, 88.0]))


@settings(max_examples=300)
@given(st.integers(2, 12).flatmap(lambda k: arrays(np.float32, (3, k), elements=FLOATS)))
def test_scores_are_floors_of_the_softmax_and_sum_to_at_most_one(logits):
    q = quantised(logits)
    assert (q >= 0).all()
    assert (q.sum(axis=1) <= UNIT).all()
    with np.errstate(invalid="ignore", over="ignore"):
        top = logits.max(axis=1, keepdims=True).astype(np.float64)
        e = np.where(logits == top, 1.0, np.exp(logits - top))
    exact = UNIT * e / e.sum(axis=1, keepdims=True)
    assert (np.abs(q + 0.5 - exact) <= 0.52).all()  # float32 exponentials move a score by less than 1/50 of a unit


@pytest.mark.parametrize("classes", [2, 3, 7, 40, 254, 1000, 65_537])
def test_equal_logits_share_one_score_however_many_classes(classes):
    q = quantised(np.full((2, classes), 3.25, np.float32))
    assert (q == UNIT // classes).all()


@given(arrays(np.float32, (4, 300), elements=st.floats(-3, 3, width=32)))
def test_many_classes_never_sum_to_more_than_one(logits):
    assert (quantised(logits).sum(axis=1) <= UNIT).all()


@given(arrays(np.float32, (4, CLASSES), elements=FLOATS), st.permutations(range(4)))
def test_the_label_score_is_the_class_score_of_the_label_and_falls_into_its_bin(logits, order):
    members = np.array(order[:3])
    labels = np.array([0, 2, 1, 2])
    sums, squares, histogram = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros((4, BINS), np.int64)
    slots, margins = rival_slots(np.zeros((4, CLASSES), int), labels), np.zeros((4, BINS, CLASSES - 1), np.int32)
    add_label_scores(logits[members], members, labels, slots, sums, squares, histogram, margins)
    expected = np.where(np.isin(np.arange(4), members), quantised(logits)[np.arange(4), labels], 0)
    assert (sums == expected).all()
    assert (squares == expected**2).all()
    inside = np.histogram2d(members, expected[members] / UNIT, [np.arange(5), np.linspace(0, 1, BINS + 1)])[0]
    assert (histogram == inside).all()
    for i, k in np.ndindex(4, CLASSES):
        if k != labels[i]:
            twice = UNIT + quantised(logits)[i, labels[i]] - quantised(logits)[i, k]
            found = np.flatnonzero(margins[i, :, slots[i, k]]).tolist()
            assert found == ([min(twice * BINS // (2 * UNIT), BINS - 1)] if i in members else [])


@given(
    arrays(np.float32, (4, 9), elements=FLOATS), st.integers(1, 8), arrays(np.int64, (4, 9), elements=st.integers(0, 9))
)
def test_classes_that_share_a_slot_count_as_the_one_of_largest_score(logits, slots, pilot_sums):
    labels, members = pilot_sums.argmax(axis=1), np.arange(4)
    with mock.patch.object(scores_module, "SLOTS", slots):
        place = rival_slots(pilot_sums, labels)
    sums, squares, histogram = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros((4, BINS), np.int64)
    margins, q = np.zeros((4, BINS, slots), np.int32), quantised(logits)
    add_label_scores(logits, members, labels, place, sums, squares, histogram, margins)
    for i, j in np.ndindex(4, slots):
        largest = q[i, place[i] == j].max(initial=0)
        found = np.flatnonzero(margins[i, :, j]).tolist()
        assert found == [min((UNIT + q[i, labels[i]] - largest) * BINS // (2 * UNIT), BINS - 1)]


# Slots


@settings(max_examples=200)
@given(st.integers(2, 14).flatmap(lambda k: arrays(np.int64, (3, k), elements=st.integers(0, 5))), st.integers(1, 6))
def test_every_class_but_the_label_has_a_slot_and_only_the_last_one_is_shared(pilot_sums, most):
    labels, classes = pilot_sums.argmax(axis=1), pilot_sums.shape[1]
    with mock.patch.object(scores_module, "SLOTS", most):
        slots = rival_slots(pilot_sums, labels)
    used = min(most, classes - 1)
    for place, sums, label in zip(slots, pilot_sums, labels, strict=True):
        others = np.delete(place, label)
        assert place[label] == -1
        assert sorted(set(others)) == list(range(used))
        assert all((others == slot).sum() == 1 for slot in range(used - 1))
        if used < classes - 1:
            shared = np.flatnonzero(place == used - 1)
            alone = np.flatnonzero((place >= 0) & (place < used - 1))
            assert sums[alone].min(initial=9) >= sums[shared].max()
        else:
            assert (np.diff(others) == 1).all()  # the pilot's scores make no difference


def test_memory_limits_the_slots_and_leaves_one():
    sums = np.tile([5, 1, 2, 3, 4], (50, 1))
    labels = np.zeros(50, np.int64)
    with mock.patch.object(scores_module, "_MOST_BYTES", 2 * 50 * BINS * 4):
        assert rival_slots(sums, labels)[0].tolist() == [-1, 1, 1, 1, 0]
    with mock.patch.object(scores_module, "_MOST_BYTES", 1):
        assert rival_slots(sums, labels)[0].tolist() == [-1, 0, 0, 0, 0]


@given(arrays(np.int64, (2, BINS, 3), elements=st.integers(0, 3)))
def test_the_smallest_tails_are_found_edge_by_edge(margins):
    margins[:, 0] += margins.sum(axis=1).max() - margins.sum(axis=1)
    found = smallest_margins(margins)
    tails = margins[:, ::-1].cumsum(axis=1)[:, ::-1]
    np.testing.assert_array_equal(found[:, ::-1].cumsum(axis=1)[:, ::-1], tails.min(axis=2))


# Many samples


@pytest.fixture(scope="module", params=MODELS)
def case(request, small_unions):
    model = MODELS[request.param](request.param)
    return model, take(model, workers=1, batch_size=1000, shard_samples=1000)


def scores_by_hand(model, noise, samples=SAMPLES, pilots=PILOTS):
    """Sample by sample, from the logits of single samples."""
    path = choose_path(Problem.of(DATA, NOISE[noise], 3), model)
    pilot_sums = sum(quantised(path.logits(PILOT, sample)) for sample in range(pilots))
    labels = pilot_sums.argmax(axis=1)
    every = np.stack([quantised(path.logits(MAIN, sample)) for sample in range(samples)], axis=1)
    q = every[np.arange(NODES), :, labels]
    histogram = np.stack([np.bincount(np.minimum(row // (UNIT // BINS), BINS - 1), minlength=BINS) for row in q])
    twice = UNIT + q[:, :, None] - every
    reached = (twice[..., None] >= np.arange(BINS) * 2 * UNIT // BINS).sum(axis=1)  # (N, K, B)
    tails = np.stack([np.delete(rows, label, axis=0).min(axis=0) for rows, label in zip(reached, labels, strict=True)])
    margins = -np.diff(tails, axis=1, append=0)
    return Scores(pilot_sums, q.sum(axis=1), (q**2).sum(axis=1), histogram, margins)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("name", MODELS)
def test_scores_are_those_of_every_sample_taken_by_hand(name, noise):
    model = MODELS[name](name)
    votes = take(model, noise=noise, workers=2)
    assert votes.scores == scores_by_hand(model, noise)
    assert (votes.scores.labels == votes.scores.pilot_sums.argmax(axis=1)).all()
    assert len(np.unique(votes.scores.sums)) > 3


def test_votes_are_the_same_with_and_without_scores(case):
    model, scored = case
    plain = take(model, scores=False)
    assert plain.scores is None
    assert "scores" not in plain.manifest
    assert scored.manifest == {**plain.manifest, "scores": True}
    np.testing.assert_array_equal(plain.counts, scored.counts)
    np.testing.assert_array_equal(plain.pilot_counts, scored.pilot_counts)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_threads_and_batches_change_nothing(workers, batch_size, case):
    model, expected = case
    assert take(model, workers=workers, batch_size=batch_size) == expected


@pytest.mark.parametrize("shard_samples", [11, 97])
def test_shards_and_restarts_change_nothing(shard_samples, case, tmp_path):
    model, expected = case
    options = {"shard_samples": shard_samples, "store": tmp_path}
    assert take(model, **options) == expected
    files = sorted(tmp_path.glob("*.npz"))
    files[-1].unlink()
    files[0].write_bytes(b"")
    assert take(model, workers=2, **options) == expected
    assert take(model, samples=130, **options) == take(model, samples=130)


def test_an_interrupted_run_continues_bit_by_bit(case, tmp_path, monkeypatch):
    model, expected = case
    count = Counter.count

    def failing(self, purpose, start, stop, *rest):
        if (purpose, start) == (MAIN, 40):
            raise KeyboardInterrupt
        return count(self, purpose, start, stop, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Counter, "count", failing)
        with pytest.raises(KeyboardInterrupt):
            take(model, store=tmp_path, shard_samples=20)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(before) == 5
    assert take(model, store=tmp_path, shard_samples=20) == expected
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert before.items() <= after.items()
    assert len(after) == 8


@pytest.mark.parametrize("first", [True, False])
def test_votes_with_scores_and_votes_without_are_never_mixed(first, tmp_path):
    model = sparse_model("sgc")
    take(model, scores=first, store=tmp_path, shard_samples=20)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(VotesError, match=r"votes of another run \(different: scores\); choose another output"):
        take(model, scores=not first, store=tmp_path, shard_samples=20)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_longer_pilot_continues_only_where_it_chooses_the_same_labels(tmp_path):
    """Final shards hold the scores of the labels that the pilot chose."""
    model = sparse_model("sgc")
    short, long = (take(model, pilot=pilot) for pilot in (1, PILOTS))
    assert (short.scores.labels != long.scores.labels).any()
    take(model, pilot=1, store=tmp_path, shard_samples=1)
    with pytest.raises(VotesError, match=r"different: labels"):
        take(model, pilot=PILOTS, store=tmp_path, shard_samples=1)
    same = take(model, pilot=PILOTS + 1)
    if (same.scores.labels == long.scores.labels).all():
        take(model, pilot=PILOTS, store=tmp_path / "other", shard_samples=1)
        assert take(model, pilot=PILOTS + 1, store=tmp_path / "other", shard_samples=1) == same


def test_a_model_that_says_nan_is_refused():
    model = sparse_model("gcn")
    with torch.no_grad():
        next(iter(model.parameters())).fill_(1e38)
        list(model.parameters())[-1].fill_(float("-inf"))
    with pytest.raises(ModelError):
        take(model)


@pytest.mark.parametrize("wrong", [1, None, "yes"])
def test_scores_are_asked_for_by_true_or_false(wrong):
    with pytest.raises(InputError, match="scores must be True or False"):
        take(sparse_model("gcn"), scores=wrong)


@pytest.mark.parametrize("noise", ["both", "localized"])
def test_from_a_model_to_certified_mean_scores(noise, tmp_path):
    votes = take(sparse_model("gcn"), samples=3000, pilot=100, noise=noise)
    votes.save(tmp_path / "votes.npz")
    back = gc.Votes.load(tmp_path / "votes.npz")
    assert back == votes
    found = gc.certify_scores(back, 0.49)
    assert found.method == "multiclass"
    assert (found.robust() >= gc.certify_scores(back, 0.49, method="binary").robust()).all()
    assert 0 < found.robust().sum() <= NODES
    np.testing.assert_array_equal(found.labels, votes.scores.labels)
    assert (found.mean_lower <= votes.scores.margins @ (np.arange(BINS) + 1) / 3000 / BINS).all()


def test_a_shared_slot_lies_below_the_slots_of_its_classes(case):
    """With one slot for all other classes the margins are smaller, never larger, and still not below the label's score."""
    model, apart = case
    with mock.patch.object(scores_module, "SLOTS", 1):
        shared = take(model)
    less, more = shared.scores.margins.cumsum(axis=1), apart.scores.margins.cumsum(axis=1)
    assert (less >= more).all()
    assert (less > more).any()
    assert (shared.scores.histogram == apart.scores.histogram).all()
    tails = [gc.certify_scores(votes, 0.49).tails for votes in (shared, apart)]
    assert (tails[0] <= tails[1]).all()
