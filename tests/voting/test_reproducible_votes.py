"""Same seed, same votes: whatever the threads, batches, shards and restarts."""

import numpy as np
import pytest
import torch
from voting_cases import NODES, NOISE, generic_model, small_graph, sparse_model

from graphcert.sampling.philox import MAIN, PILOT
from graphcert.statistics import minimum_samples
from graphcert.voting import sample_votes
from graphcert.voting.counting import shards
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sample import choose_path

pytestmark = pytest.mark.usefixtures("small_unions")
MODELS = {"gcn": sparse_model, "gat": sparse_model, "pyg gcn": generic_model, "centred": generic_model}
DATA = small_graph()


def take(model, samples=97, pilot=41, seed=3, noise="both", data=DATA, **options):
    return sample_votes(model, data, NOISE[noise], samples, pilot, seed, **options)


@pytest.fixture(scope="module", params=MODELS)
def case(request, small_unions):
    """A model and its votes, taken by one thread in one go."""
    model = MODELS[request.param](request.param)
    return model, take(model, workers=1, batch_size=1000, shard_samples=1000)


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 16, None])
def test_threads_and_batches_change_nothing(workers, batch_size, case):
    model, expected = case
    assert take(model, workers=workers, batch_size=batch_size) == expected


@pytest.mark.parametrize("shard_samples", [11, 96, 97, 98])
def test_shards_change_nothing(shard_samples, case, tmp_path):
    model, expected = case
    assert take(model, shard_samples=shard_samples, workers=2) == expected
    assert take(model, shard_samples=shard_samples, store=tmp_path) == expected
    assert take(model, shard_samples=shard_samples, store=tmp_path) == expected


def test_torch_threads_change_nothing(case):
    model, expected = case
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert take(model, workers=1) == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_manifest_is_the_same_too(case):
    model, expected = case
    assert take(model, workers=2).manifest == expected.manifest
    assert {"seed", "path", "data", "model", "smoothing", "graphcert", "torch", "streams"} <= set(expected.manifest)


def test_votes_are_sums_over_single_samples(case):
    """One sample is reproducible alone."""
    model, votes = case
    path = choose_path(Problem.of(DATA, NOISE["both"], 3), model)
    for purpose, counts, samples in ((PILOT, votes.pilot_counts, 41), (MAIN, votes.counts, 97)):
        total = np.zeros_like(counts)
        for sample in reversed(range(samples)):
            one = path.fork().logits(purpose, sample) if sample < 2 else path.logits(purpose, sample)
            total[np.arange(NODES), one.argmax(axis=1)] += 1
        assert (total == counts).all()


def test_more_samples_begin_with_the_same_ones(case):
    model, votes = case
    more = take(model, samples=130, workers=2)
    assert ((more.counts - votes.counts) >= 0).all()
    assert (more.pilot_counts == votes.pilot_counts).all()


@pytest.mark.parametrize("name", ["gcn", "pyg gcn"])
def test_localized_votes_do_not_depend_on_how_they_are_taken_either(name, tmp_path):
    model = MODELS[name](name)
    expected = take(model, noise="localized", workers=1)
    for options in ({"workers": 3, "batch_size": 7}, {"shard_samples": 11, "store": tmp_path}, {"batch_size": 1}):
        assert take(model, noise="localized", **options) == expected


def test_seeds_and_purposes_give_votes_of_their_own(case):
    model, votes = case
    assert take(model, seed=4) != votes
    both = take(model, samples=41, pilot=41)
    assert not np.array_equal(both.counts, both.pilot_counts)


def test_the_order_in_which_edges_are_listed_changes_nothing():
    model = sparse_model("gcn")
    shuffled = small_graph(edge_index=DATA.edge_index[:, torch.randperm(DATA.edge_index.shape[1])])
    assert take(model, data=shuffled) == take(model)


def test_what_is_returned_says_how_it_was_sampled(case):
    _, votes = case
    assert votes.smoothing == NOISE["both"]
    assert (votes.samples, votes.pilot_samples, votes.nodes) == (97, 41, NODES)
    assert 0 < votes.total_variation < 1e-18
    assert votes.samples > minimum_samples(0.01, NODES)


def test_shards_cover_every_sample_once():
    for samples, size in [(1, 1), (10, 3), (9, 3), (2, 5)]:
        covered = [sample for start, stop in shards(samples, size) for sample in range(start, stop)]
        assert covered == list(range(samples))
