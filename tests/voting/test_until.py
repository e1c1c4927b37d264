"""Votes of nodes that stop: those of fixed numbers of samples cut short, the same after every interruption."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import graphcert as gc
from graphcert.core.arrays import read_sealed, write_sealed
from graphcert.errors import InputError, UnsupportedError, VotesError
from graphcert.models import build_model
from graphcert.noise import Partition
from graphcert.statistics import Looks
from graphcert.voting.counting import Counter

MOST, BUDGET = 600, {"add": 1}
NOISE = gc.Smoothing(features=gc.BernoulliFlip(0.05, 0.4))
PLANNED = Looks.planned(MOST)


@cache
def data() -> Any:
    return gc.load_dataset("synthetic", nodes=150, classes=3, features=20)


@cache
def model() -> nn.Module:
    torch.manual_seed(0)
    return build_model("gcn", 20, 3)


def take(**options: Any) -> gc.Votes:
    given: dict[str, Any] = {"until": BUDGET, "max_samples": MOST, "pilot_samples": 50, "seed": 5, "workers": 1}
    return gc.sample_votes(model(), data(), options.pop("smoothing", NOISE), **given | options)


@pytest.mark.parametrize("path", ["sparse", "generic"])
def test_a_node_has_the_votes_of_the_first_samples(path: str) -> None:
    votes = take(path=path, shard_samples=40)
    stops = np.unique(votes.node_samples).tolist()
    assert len(stops) > 2
    assert set(stops) <= set(PLANNED.ends)
    for end in stops:
        fixed = gc.sample_votes(model(), data(), NOISE, end, 50, 5, path=path, workers=1)
        mine = votes.node_samples == end
        assert np.array_equal(votes.counts[mine], fixed.counts[mine])
        assert np.array_equal(votes.pilot_counts, fixed.pilot_counts)


def test_localized_nodes_stop_too() -> None:
    partition = Partition.of_affinity(np.arange(150) % 2, np.array([[1.0, 0.0], [0.0, 1.0]]))
    scheme = gc.Smoothing([gc.BernoulliFlip(0.05, 0.4), gc.BernoulliFlip(0.06, 0.5)], partition=partition)
    votes = take(smoothing=scheme)
    fixed = gc.sample_votes(model(), data(), scheme, MOST, 50, 5, workers=1)
    last = votes.node_samples == MOST
    assert last.any()
    assert np.array_equal(votes.counts[last], fixed.counts[last])


def test_what_is_stopped_is_decided_and_non_targets_stop_first() -> None:
    targets = np.arange(150) < 50
    votes = take(until=gc.Until(BUDGET, targets=targets, undecided=0.0))
    assert (votes.node_samples[~targets] == PLANNED.ends[0]).all()
    certificate = gc.certify(votes, targets=targets)
    assert certificate.node_samples is not None
    fixed = gc.certify(gc.sample_votes(model(), data(), NOISE, MOST, 50, 5), targets=targets)
    early = targets & (votes.node_samples < MOST)
    assert early.any()
    # Decided: certified, or not certified by all samples either.
    assert (certificate.robust(**BUDGET) | ~fixed.robust(**BUDGET))[early].all()


def test_targets_that_may_stay_undecided_stop_the_sampling() -> None:
    most, few = (take(until=gc.Until(BUDGET, undecided=share)).node_samples for share in (0.0, 0.5))
    assert few.max() < most.max()
    assert (few <= most).all()


@pytest.mark.parametrize("taken", [0, 1, 3, 6])
def test_an_interrupted_call_gives_the_same_votes(taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, count = take(shard_samples=60), Counter.count
    left = [taken]

    def interrupted(*args: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return count(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Counter, "count", interrupted)
        with pytest.raises(KeyboardInterrupt):
            take(shard_samples=60, store=tmp_path)
    assert len(list(tmp_path.glob("*.npz"))) == taken
    assert take(shard_samples=60, store=tmp_path) == whole
    assert take(shard_samples=60, store=tmp_path, workers=2) == whole


def later_shard(folder: Path) -> Path:
    take(store=folder)
    return sorted(folder.glob("main-*.npz"))[-1]


def test_a_vote_of_a_stopped_node_is_not_taken_from_a_shard(tmp_path: Path) -> None:
    path = later_shard(tmp_path)
    description, arrays = read_sealed(path, "shard", None)
    counts = arrays["counts"].astype(np.int64)
    assert (counts.sum(axis=1) == 0).any()
    counts[counts.sum(axis=1) == 0, 0] = counts.sum(axis=1).max()
    write_sealed(path, description, {"counts": counts})
    assert take(store=tmp_path) == take()


def test_shards_of_other_members_are_another_run(tmp_path: Path) -> None:
    path = later_shard(tmp_path)
    description, arrays = read_sealed(path, "shard", None)
    description["identity"]["members"] = "0" * 64
    write_sealed(path, description, arrays)
    with pytest.raises(VotesError, match="different: members"):
        take(store=tmp_path)


def test_votes_are_saved_and_their_looks_are_part_of_the_digest(tmp_path: Path) -> None:
    votes = take()
    votes.save(tmp_path / "votes.npz")
    read = gc.Votes.load(tmp_path / "votes.npz")
    assert read == votes
    assert read.looks == votes.looks == PLANNED
    other = gc.Votes(
        votes.pilot_counts, votes.counts, votes.smoothing, total_variation=votes.total_variation, independent=True,
        looks=Looks(PLANNED.ends, (2**-8,) * len(PLANNED.ends)),
    )  # fmt: skip
    assert other != votes
    certificate = gc.certify(votes)
    certificate.save(tmp_path / "certificate.npz")
    again = gc.Certificate.load(tmp_path / "certificate.npz")
    assert again.looks == votes.looks
    assert again.guarantee() == certificate.guarantee()
    assert "looks that were fixed beforehand" in certificate.guarantee()


def test_a_single_look_with_the_whole_level_is_a_fixed_number_of_samples() -> None:
    fixed = gc.sample_votes(model(), data(), NOISE, 200, 50, 5)
    one = gc.Votes(
        fixed.pilot_counts, fixed.counts, NOISE, total_variation=fixed.total_variation, independent=True,
        looks=Looks((200,), (1.0,)),
    )  # fmt: skip
    for method in ("binary", "multiclass"):
        first, second = gc.certify(fixed, method=method), gc.certify(one, method=method)
        assert np.array_equal(first.p_lower, second.p_lower)
        assert np.array_equal(first.p_other_upper, second.p_other_upper)
    curve = gc.certify(one).collective([0, 1], method="tight")
    assert np.array_equal(curve.certified, gc.certify(fixed).collective([0, 1], method="tight").certified)


def test_one_call_votes_until_decided() -> None:
    certificate = gc.certify_model(
        model(), data(), NOISE, {"add": 1}, until=BUDGET, max_samples=MOST, pilot_samples=50, seed=5, workers=1
    )
    targets = data().test_mask.numpy()
    votes = take(until=gc.Until(BUDGET, targets=targets))
    assert certificate.votes == votes
    assert (certificate.to_pandas()["samples"].to_numpy() == votes.node_samples).all()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"scores": True}, UnsupportedError, "leave until or scores out"),
        ({"samples": 600}, InputError, "give one of both"),
        ({"max_samples": None}, InputError, "give one of both"),
        ({"until": None}, InputError, "give one of both"),
        ({"until": {}}, InputError, "its axes are"),
        ({"until": {"bits": 1}}, InputError, "no budget 'bits'"),
        ({"until": {"add": [1, 2]}}, InputError, "whole number"),
        ({"until": 3}, InputError, "until takes budgets"),
        ({"until": {"add": 30}}, InputError, "not even with 600 unanimous votes"),
        ({"until": {"edge_add": 1}}, InputError, "no target can be certified"),
        ({"until": gc.Until({"add": 1}), "alpha": 0.1}, InputError, "stands in Until"),
        ({"until": "add=2"}, InputError, r"until takes budgets such as dict\(add=2, delete=5\), got 'add=2'"),
        ({"claims": 5}, InputError, "claims goes with samples"),
        ({"memory": 10**5000}, InputError, "more than any machine has"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        take(**options)
    assert "\n" not in str(caught.value)


def test_one_number_is_no_list_of_looks() -> None:
    with pytest.raises(InputError, match="several numbers of samples, and a weight for each, got 5 and 5"):
        Looks(5, 5)  # type: ignore[arg-type]


def test_one_call_takes_budgets() -> None:
    with pytest.raises(InputError, match="certify_model takes budgets for until"):
        gc.certify_model(model(), data(), NOISE, until=gc.Until(BUDGET), max_samples=MOST)  # type: ignore[arg-type]


def test_what_needs_the_same_samples_for_every_node_refuses() -> None:
    votes = take()
    with pytest.raises(UnsupportedError, match="same samples for every node"):
        gc.predict(votes)
    with pytest.raises(InputError, match="no scores"):
        gc.certify_scores(votes)
    for wrong in (-0.1, 1.0):
        with pytest.raises(InputError, match="undecided"):
            gc.Until(BUDGET, undecided=wrong)
