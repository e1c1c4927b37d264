"""A plan: its votes belong to no claim, its estimate is near what certificates then say, and its table says what fits."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from small_model import graph, model

import graphcert as gc
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.run.plan import SAMPLES
from graphcert.run.vote_estimate import fitted_concentration
from graphcert.voting.trial import trial_votes

NOISE = gc.Smoothing(gc.BernoulliFlip(0.02, 0.4), gc.BernoulliFlip(0.0, 0.3))


@cache
def plan() -> gc.Plan:
    return gc.plan(model(), graph(), NOISE, seconds=5, budgets={"delete": range(3)}, pilot=60, seed=4)


def test_trial_votes_take_as_many_threads_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphcert.voting.room.Room.threads", lambda *_: 1)
    assert trial_votes(model(), graph(), NOISE, 40, seed=4, workers=3).workers == 1


def test_trial_votes_are_none_of_the_votes_of_a_claim() -> None:
    trial = trial_votes(model(), graph(), NOISE, 40, seed=4, workers=1)
    samples = int(trial.counts[0].sum())
    votes = gc.sample_votes(model(), graph(), NOISE, samples, samples, seed=4, workers=1)
    assert not np.array_equal(trial.counts, votes.counts)
    assert not np.array_equal(trial.counts, votes.pilot_counts)
    assert np.array_equal(trial.counts, trial_votes(model(), graph(), NOISE, 40, seed=4, workers=1).counts)


def test_the_estimate_is_near_what_the_votes_then_prove() -> None:
    found = plan()
    votes = gc.sample_votes(model(), graph(), NOISE, 1000, 1000, seed=9)
    certificate = gc.certify(votes, targets=graph().test_mask.numpy())
    for expected, (budget, _) in zip(found.expected[found.samples.index(1000)], found.cells, strict=True):
        assert expected == pytest.approx(certificate.certified_ratio(budget), abs=0.08)
    assert 0.2 < found.expected[0, -1] < found.expected[0, 0]  # else nothing was estimated
    assert (np.diff(found.expected, axis=0) >= 0).all()


def test_what_fits_and_what_is_provable() -> None:
    found = plan()
    assert set(SAMPLES) <= set(found.samples)
    assert found.fits in found.samples
    assert (found.fits + found.pilot_samples) * found.seconds_per_sample <= found.seconds
    assert found.recommended in found.samples
    assert found.recommended <= found.fits
    budget, _ = found.cells[-1]
    needed = int(found.needed[-1])
    for samples, enough in ((needed - 1, False), (needed, True)):
        counts = np.zeros((120, 3), np.int64)
        counts[:, 1] = samples
        votes = gc.Votes(counts.copy(), counts, NOISE, independent=True)
        assert gc.certify(votes, targets=graph().test_mask.numpy()).robust(budget).any() == enough


def test_the_table_is_read_by_people_and_programs() -> None:
    found = plan()
    words = repr(found)
    assert "no change" in words
    assert "2 feature bits deleted" in words
    assert "no claim" in words
    assert "<table>" in found._repr_html_()
    described = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    frame = found.to_pandas()
    assert len(frame) == len(described["budgets"]) == len(found.samples) * len(found.cells)
    assert frame["expected_ratio"].to_numpy() == pytest.approx(found.expected.T.ravel())


@pytest.mark.parametrize(
    ("noise", "budget"),
    [
        (gc.Smoothing(edges=gc.BernoulliFlip(0.01, 0.3)), "1 edge deleted"),
        (gc.Gaussian(0.5), "‖δ‖₂ ≤ 0.25"),
        (gc.Hierarchical(0.6, gc.Ablation()), "1 node changed"),
    ],
)
def test_round_budgets_are_those_of_the_noise(noise: Any, budget: str) -> None:
    base = model()

    def classify(x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return base(x[:, :40], edge_index)

    assert budget in repr(gc.plan(classify, graph(), noise, seconds=1, pilot=20, workers=1))


def test_too_short_a_time_says_so() -> None:
    words = repr(gc.plan(model(), graph(), NOISE, seconds=1e-4, budgets=gc.Budget(feature_delete=1), pilot=20))
    assert "that is too short" in words


def test_concentration_follows_the_votes() -> None:
    rng = np.random.default_rng(0)
    for truth in (0.01, 0.1, 1.0):
        shares = rng.dirichlet([truth] * 4, 800)
        assert fitted_concentration(rng.multinomial(50, shares)) == pytest.approx(truth, rel=0.35)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"seconds": 0}, InputError, "'?seconds"),
        ({"pilot": 0}, InputError, "pilot"),
        ({"alpha": 0.7}, InputError, "alpha"),
        ({"targets": [500]}, InputError, "0 to 119"),
        ({"budgets": {"feature_add": 1}}, InputError, "its axes are add, delete"),
        ({"budgets": {}}, InputError, "budgets is empty"),
        ({"budgets": 3}, InputError, "budgets takes a Budget"),
        ({"budgets": {"shift": 0.5}}, InputError, "have a measure for a shift"),
        ({"budgets": {"nodes": 2}}, InputError, "nodes=2 limits"),
        ({"budgets": {"add": [-1]}}, InputError, "at least 0"),
        ({"path": "fast"}, InputError, "unknown path"),
        ({"path": "sparse", "model": lambda x, edge_index: x[:, :3]}, UnsupportedError, "no sparse path"),
        ({"data": None}, DataError, "the data need features"),
        ({"smoothing": gc.Gaussian(0.5), "budgets": {"add": 1}}, UnsupportedError, "give shift, no bits"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    given = {"model": model(), "data": graph(), "smoothing": NOISE, "pilot": 4} | arguments
    with pytest.raises(error, match=words) as caught:
        gc.plan(**given)
    assert "\n" not in str(caught.value)
