"""Training without the test nodes: what is left of the graph, and that nothing of the test nodes reaches the model."""

import numpy as np
import pytest
import torch

from graphcert.data import load_dataset, split_nodes, without_test_nodes
from graphcert.errors import DataError, InputError
from graphcert.models import Training, build_model, load_model, train
from graphcert.models.checkpoint import model_fingerprint
from graphcert.noise import Ablation, BernoulliFlip, Gaussian, Hierarchical, Smoothing
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import RunConfig
from graphcert.voting.noisy_graph import Problem

OPTIONS = {"nodes": 200, "classes": 3, "features": 30, "test_share": 0.5}


def test_the_graph_without_test_nodes_is_the_induced_one():
    data = load_dataset("synthetic", **OPTIONS)
    graph = without_test_nodes(data)
    kept = np.flatnonzero(~data.test_mask.numpy())
    assert not graph.test_mask.any()
    assert (graph.x == data.x[kept]).all()
    assert (graph.y == data.y[kept]).all()
    assert (graph.train_mask == data.train_mask[kept]).all()
    assert (graph.val_mask == data.val_mask[kept]).all()
    edges = {(int(kept[a]), int(kept[b])) for a, b in graph.edge_index.T.tolist()}
    whole = {(a, b) for a, b in data.edge_index.T.tolist()}
    inside = set(kept.tolist())
    assert edges == {(a, b) for a, b in whole if a in inside and b in inside}
    assert 0 < len(edges) < len(whole)
    assert graph.classes == data.classes


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999, 1.0])
def test_a_share_of_the_other_nodes_is_tested(share):
    labels = np.repeat([0, 1, 2], 50)
    if share == 0:
        with pytest.raises(DataError, match="raise test_share"):
            split_nodes(labels, 10, 10, 1, share)
        return
    train_mask, val_mask, test_mask = split_nodes(labels, 10, 10, 1, share)
    everything = split_nodes(labels, 10, 10, 1)
    assert (train_mask == everything[0]).all()
    assert (val_mask == everything[1]).all()
    assert not (test_mask & ~everything[2]).any()
    assert test_mask.sum() == int(np.ceil(share * 90))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "half"])
def test_a_share_outside_its_domain_is_refused(share):
    with pytest.raises(InputError, match=r"test_share must be a number in \[0, 1\]"):
        split_nodes(np.repeat([0, 1], 50), test_share=share)


def settings(folder, inductive):

    config = RunConfig.from_dict(
        {
            "dataset": {"name": "synthetic", "options": OPTIONS},
            "smoothing": {"select": 0.8, "features": {"add": 0.05, "delete": 0.4}},
            "training": {"epochs": 20, "inductive": inductive},
            "sampling": {"samples": 200, "pilot_samples": 20},
        }
    )
    run = Run(folder)
    run.train(config)
    return run


def test_a_run_trains_on_that_graph_and_votes_on_the_whole_one(tmp_path):

    run = settings(tmp_path / "inductive", True)
    data = load_dataset("synthetic", seed=0, **OPTIONS)
    graph = without_test_nodes(data)
    problem = Problem.of(graph, Hierarchical(0.8, BernoulliFlip(0.05, 0.4)), 0)
    model = build_model("gcn", problem.x.shape[1], 3, seed=0)
    train(model, problem.sampler, graph.y, graph.train_mask, graph.val_mask, Training(epochs=20, inductive=True), 0)
    assert model_fingerprint(load_model(run.path("model.pt"))) == model_fingerprint(model)
    assert run.sample().votes.nodes == 200
    other = settings(tmp_path / "transductive", False)
    assert other.path("model.pt").read_bytes() != run.path("model.pt").read_bytes()


def test_models_are_trained_under_every_kind_of_noise():
    """Marks and all: one column more under hierarchical noise, dense features under Gaussian noise."""

    data = load_dataset("synthetic", **OPTIONS)
    for noise in (Hierarchical(0.8, Ablation()), Hierarchical(0.8, Gaussian(0.2)), Smoothing(Gaussian(0.2))):
        problem = Problem.of(data, noise, 0)
        model = build_model("gcn", problem.sampler.columns, 3, seed=0)
        training = Training(epochs=60, validate_every=20)
        log = train(model, problem.sampler, data.y, data.train_mask, data.val_mask, training)
        assert log.best_accuracy > 0.6
        assert torch.isfinite(model.first_weight()).all()
