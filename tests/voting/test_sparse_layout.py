"""Votes and training from sparse features are those from dense ones, and a large graph never takes its dense size."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from voting_cases import FEATURES, NOISE, Perceptron, randomise, small_graph, sparse_model

import graphcert as gc
from graphcert.errors import DataError
from graphcert.models import build_model
from graphcert.models.training import Training, train
from graphcert.noise import Gaussian, Hierarchical, Smoothing
from graphcert.sampling.philox import MAIN
from graphcert.voting.footprint import call_bytes
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sparse_input import SparseInput
from graphcert.voting.sparse_path import SparsePath

SCHEMES = {
    **NOISE, "hierarchical": Hierarchical(0.6, NOISE["features"]), "gaussian": Smoothing(Gaussian(0.3)),
}  # fmt: skip


def both(**changes):
    dense = small_graph(**changes)
    sparse = copy.copy(dense)
    sparse.x = dense.x.to_sparse_csr()
    return dense, sparse


def voted(model, data, scheme, **options):
    return gc.sample_votes(model, data, scheme, samples=12, pilot_samples=4, seed=1, **options)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_own_models_vote_the_same_to_the_bit(scheme):
    model = randomise(build_model("gcn", FEATURES + (scheme == "hierarchical"), 3))
    one, other = (voted(model, data, SCHEMES[scheme]) for data in both())
    assert one.manifest == other.manifest
    assert np.array_equal(one.counts, other.counts)
    assert np.array_equal(one.pilot_counts, other.pilot_counts)


@pytest.mark.parametrize("path", ["generic", "lazy", "auto"])
@pytest.mark.parametrize("scheme", ["both", "edges"])
def test_other_models_are_shown_dense_features(path, scheme):
    model = randomise(Perceptron())
    one, other = (voted(model, data, SCHEMES[scheme], path=path) for data in both())
    assert np.array_equal(one.counts, other.counts)


def test_a_model_that_needs_dense_features_asks_for_their_memory(monkeypatch):
    _, sparse = both()
    monkeypatch.setattr("graphcert.core.reading._LEAST", 0)
    monkeypatch.setenv("GRAPHCERT_MEMORY", "1K")
    with pytest.raises(DataError, match=r"the dense features that .* GRAPHCERT_MEMORY"):
        voted(randomise(Perceptron()), sparse, SCHEMES["both"], path="generic")


def test_noise_without_zeros_makes_dense_features_and_asks_for_their_memory(monkeypatch):
    _, sparse = both()
    model, problem = randomise(build_model("gcn", FEATURES, 3)), Problem.of(sparse, SCHEMES["gaussian"], 0)
    assert not problem.draws_sparse_rows
    assert call_bytes(problem, model.eval()).x == 4 * problem.nodes * FEATURES
    monkeypatch.setattr("graphcert.core.reading._LEAST", 0)
    monkeypatch.setenv("GRAPHCERT_MEMORY", "1K")
    with pytest.raises(DataError, match=r"the dense features that .* GRAPHCERT_MEMORY"):
        SparsePath(problem, model).agrees_with_torch()


@pytest.mark.parametrize("scheme", ["features", "edges", "both", "localized", "hierarchical"])
def test_several_sparse_graphs_are_a_union_as_dense_ones_are(scheme):
    problem = Problem.of(both()[1], SCHEMES[scheme], 0)
    assert problem.draws_sparse_rows
    near, rows = GenericInput(problem), SparseInput(problem)
    for start, count in ((0, 1), (3, 4)):
        (x, *edges), (found, *others) = (given.union(MAIN, start, count) for given in (near, rows))
        assert found.layout is torch.sparse_csr
        assert torch.equal(found.to_dense(), x)
        assert all(map(torch.equal, edges, others))


def test_normalised_sparse_rows_vote_as_dense_ones():
    dense, sparse = both()
    dense.x = dense.x / dense.x.sum(1, keepdim=True).clamp(min=1)
    sparse.x = dense.x.to_sparse_csr()
    with pytest.warns(UserWarning, match="normalised beforehand"):
        one, other = (voted(sparse_model("gcn"), data, SCHEMES["features"]) for data in (dense, sparse))
    assert np.array_equal(one.counts, other.counts)
    shown, rows = (gc.NoisyTransform(SCHEMES["features"], 3)(data).x for data in (dense, sparse))
    assert rows.layout is torch.sparse_csr
    assert torch.allclose(shown, rows.to_dense())


@pytest.mark.parametrize("scheme", ["both", "hierarchical", "gaussian"])
def test_the_transform_draws_the_same_noise(scheme):
    one, other = (gc.NoisyTransform(SCHEMES[scheme], 5)(data) for data in both())
    found = other.x.to_dense() if other.x.layout is torch.sparse_csr else other.x
    assert torch.equal(one.x, found)
    assert torch.equal(one.edge_index, other.edge_index)


def test_training_is_the_same_to_the_bit():
    states = []
    for data in both(nodes=60):
        torch.manual_seed(0)
        model, mask = sparse_model("gcn"), torch.arange(60) % 2 == 0
        problem = Problem.of(data, SCHEMES["both"], 0)
        train(model, problem.sampler, data.y, mask, ~mask, Training(epochs=3, validate_every=1))
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())


def test_a_model_that_remembers_is_refused_with_sparse_features():
    class Remembers(type(sparse_model("gcn"))):
        def after_first(self, hidden, edge_index):
            if getattr(self, "kept", None) is None or self.kept.shape != edge_index.shape:
                self.kept = edge_index.clone()
            return super().after_first(hidden, self.kept)

    model = randomise(Remembers(FEATURES, 3))
    for data in both():
        with pytest.raises(gc.errors.ModelError, match="remembers earlier graphs"):
            voted(model, data, SCHEMES["features"])


LARGE = """
import resource, sys
import graphcert as gc
from graphcert.data import data_fingerprint
from graphcert.models import build_model
from graphcert.models.training import Training, train
from graphcert.voting.noisy_graph import Problem
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = gc.load_dataset("synthetic", nodes=200_000, features=2000, degree=6, present=.02, background=.005, geometry="grid")
scheme = gc.Smoothing(gc.BernoulliFlip(1e-4, 0.4))
model, problem = build_model("gcn", 2000, 4, hidden=16), Problem.of(data, scheme, 0)
train(model, problem.sampler, data.y, data.train_mask, data.val_mask, Training(epochs=1, validation_samples=1))
votes = gc.sample_votes(model, data, scheme, samples=2, pilot_samples=1, workers=1)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


@pytest.mark.slow
def test_a_large_graph_takes_far_less_than_its_dense_size():
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", LARGE], capture_output=True, text=True, check=True)
    dense = 4 * 200_000 * 2000 / 2**30
    assert float(done.stdout) < 0.7 * dense
