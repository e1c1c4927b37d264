"""What cannot be smoothed honestly is refused in one clear sentence, before any vote is taken."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch_geometric.data import Data
from torch_geometric.nn import APPNP, GCN, GCNConv, Sequential, SGConv
from voting_cases import (
    CLASSES,
    FEATURES,
    NODES,
    NOISE,
    Perceptron,
    generic_model,
    randomise,
    small_graph,
    sparse_model,
)

from graphcert.errors import DataError, InputError, ModelError
from graphcert.models import GCN as OurGCN
from graphcert.sampling.philox import MAIN
from graphcert.voting import sample_votes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.sparse_path import SparsePath

DATA = small_graph()


class Spy(Perceptron):
    """Counts its calls."""

    calls = 0

    def forward(self, x, edge_index):
        self.calls += 1
        return super().forward(x, edge_index)


def take(model=None, data=DATA, noise="both", samples=10, pilot=5, seed=0, **options):
    return sample_votes(model or sparse_model("gcn"), data, NOISE[noise], samples, pilot, seed, **options)


def refused(error, sentence, **changes):
    """The call fails with this one sentence; no model has been called and no file been written."""
    with pytest.raises(error, match=sentence) as caught:
        take(**changes)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    return message


# Numbers


@pytest.mark.parametrize("name", ["samples", "pilot"])
@pytest.mark.parametrize("value", [0, -3, 2.5, True, "10", None, math.nan])
def test_counts_of_samples(name, value):
    no_number = name == "samples" and value is None
    sentence = "give one of both" if no_number else r"must be (a whole number|at least 1), got"
    refused(InputError, sentence, **{name: value})


@pytest.mark.parametrize("name", ["workers", "batch_size", "shard_samples"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "2", True])
def test_workers_and_batches(name, value):
    message = refused(InputError, rf"{name} must be (a whole number|at least 1), got", **{name: value})
    assert repr(value) in message


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, None])
def test_seeds(seed):
    refused(InputError, "the seed must be a whole number from 0 to 2\\^64 − 1", seed=seed)


def test_paths():
    refused(InputError, "unknown path 'fast'; choose one of auto, sparse, lazy, generic", path="fast")


def test_too_few_samples_are_refused_before_anything_is_sampled(tmp_path):
    model = randomise(Spy())
    message = refused(InputError, "10 samples cannot certify anything at alpha = 0.01 over 24", model=model, alpha=0.01)
    assert "take at least 12" in message
    refused(InputError, "over 1000 simultaneous claims", model=model, alpha=0.01, claims=1000, store=tmp_path / "votes")
    assert model.calls == 0
    assert not (tmp_path / "votes").exists()
    assert take(model, samples=12, alpha=0.01).samples == 12
    assert take(model, samples=7, alpha=0.01, claims=1).samples == 7


# Data


def changed_features(value, where=(3, 4)):
    x = DATA.x.clone()
    x[where] = value
    return small_graph(x=x)


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0])
@pytest.mark.parametrize("noise", ["features", "both"])
def test_features_that_are_not_binary(value, noise):
    refused(
        DataError,
        r"Bernoulli noise needs binary features, but data.x\[3, 4\]",
        data=changed_features(value),
        noise=noise,
    )


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_that_are_no_numbers(value, noise):
    refused(DataError, "data.x holds NaN or infinite values", data=changed_features(value), noise=noise)


def test_real_features_are_welcome_under_edge_noise_alone():
    data = changed_features(0.5)
    assert take(data=data, noise="edges").manifest["path"] == "sparse"
    one, two = (take(data=data, noise="edges", samples=80, path=path) for path in ("sparse", "generic"))
    assert np.abs(one.counts - two.counts).sum() <= 2


EDGES = DATA.edge_index
FIRST = EDGES[:, :1]
BAD_EDGES = {
    "the graph has a self-loop at node 2": torch.cat([EDGES, torch.tensor([[2], [2]])], dim=1),
    "is listed more than once": torch.cat([EDGES, FIRST, FIRST.flip(0)], dim=1),
    "data.edge_index names node 24": torch.cat([EDGES, torch.tensor([[24, 3], [3, 24]])], dim=1),
    "data.edge_index names node -1": torch.cat([EDGES, torch.tensor([[-1, 3], [3, -1]])], dim=1),
    "data.edge_index must be int64": EDGES.int(),
    r"data.edge_index must be a tensor of shape \(2, ": EDGES.T,
}


@pytest.mark.parametrize("sentence", BAD_EDGES)
@pytest.mark.parametrize("noise", NOISE)
def test_edges_that_are_no_simple_graph(sentence, noise):
    refused(DataError, sentence, data=small_graph(edge_index=BAD_EDGES[sentence]), noise=noise)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (Data(x=DATA.x), "the data need tensors x"),
        (Data(edge_index=DATA.edge_index), "the data need tensors x"),
        (None, "the data need tensors x"),
        (small_graph(x=DATA.x.double()), "data.x must be float32"),
        (small_graph(x=DATA.x[0]), "data.x must be a dense or a sparse CSR tensor"),
        (Data(torch.zeros(0, FEATURES), torch.zeros(2, 0, dtype=torch.int64)), "the graph has no nodes"),
    ],
)
def test_data_of_another_form(data, sentence):
    with pytest.raises(DataError, match=sentence):
        sample_votes(sparse_model("gcn"), data, NOISE["both"], 10, 5)


def test_the_data_stay_as_they_were():
    data = small_graph()
    x, edges = data.x.clone(), data.edge_index.clone()
    for model in (sparse_model("gat"), generic_model("pyg gcn")):
        take(model, data)
    assert torch.equal(data.x, x)
    assert torch.equal(data.edge_index, edges)


# Models


class Wrapped(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, edge_index):
        return self.layer(x, edge_index)


CACHING = {
    r"the layer 'layer' \(GCNConv\)": lambda: Wrapped(GCNConv(FEATURES, CLASSES, cached=True)),
    "the model GCNConv": lambda: GCNConv(FEATURES, CLASSES, cached=True),
    r"the layer 'convs.0' \(GCNConv\)": lambda: GCN(FEATURES, 8, num_layers=2, out_channels=CLASSES, cached=True),
    r"the layer 'module_1' \(APPNP\)": lambda: Sequential(
        "x, edge_index",
        [(nn.Linear(FEATURES, CLASSES), "x -> x"), (APPNP(2, 0.1, cached=True), "x, edge_index -> x")],
    ),
    "the model SGConv": lambda: SGConv(FEATURES, CLASSES, cached=True),
}


@pytest.mark.parametrize("where", CACHING)
@pytest.mark.parametrize("noise", NOISE)
def test_cached_normalisation(where, noise):
    """It silently ignores edge noise (theory, section 11, trap 8), even if it has seen another graph before."""
    refused(
        ModelError,
        f"{where} caches the normalised adjacency and would ignore edge noise",
        model=CACHING[where](),
        noise=noise,
    )


def test_layers_that_do_not_cache_are_welcome():
    assert take(randomise(Wrapped(GCNConv(FEATURES, CLASSES)))).samples == 10


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("kind", ["sparse", "generic", "buffer"])
def test_parameters_and_buffers_that_are_no_numbers(value, kind):
    models = {"sparse": lambda: sparse_model("gcn"), "generic": lambda: generic_model("perceptron")}
    model = models.get(kind, lambda: generic_model("normalised"))()
    tensor = model.norm.running_mean if kind == "buffer" else next(model.parameters())
    with torch.no_grad():
        tensor.view(-1)[0] = value
    refused(ModelError, "the parameter '.*' holds NaN or infinite values; train the model again", model=model)


class Moody(Perceptron):
    """NaN for graphs whose first feature has an odd number of ones; the clean one has an even number."""

    def forward(self, x, edge_index):
        logits = super().forward(x, edge_index).reshape(-1, NODES, CLASSES)
        odd = x[:, 0].reshape(-1, NODES).sum(dim=1) % 2 == 1
        return torch.where(odd[:, None, None], math.nan, logits).reshape(-1, CLASSES)


def overflowing():
    """Finite weights whose sum overflows only at a node to which noise has added both of two features."""
    model = sparse_model("appnp")
    with torch.no_grad():
        model.weight_in[:2] = 2e38
        model.weight_out.zero_()  # infinity times zero is not a number
    return model


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", ["sparse", "generic"])
def test_logits_that_are_no_numbers_under_noise_alone(kind, workers, tmp_path):
    """Clean logits are fine; the first sample that is not stops everything, and nothing of its shard is kept."""
    x = DATA.x.clone()
    x[:, :2] = 0
    data = small_graph(x=x)
    model = overflowing() if kind == "sparse" else randomise(Moody())
    with torch.inference_mode():
        assert model(data.x, data.edge_index).isfinite().all()
    options = {"data": data, "samples": 500, "pilot": 500, "workers": workers, "store": tmp_path}
    refused(ModelError, "the model returned NaN logits under noise", model=model, **options)
    assert list(tmp_path.iterdir()) == []


def test_kernels_do_not_vote_for_what_is_no_number():
    x = DATA.x.clone()
    x[:, :2] = 0
    path = SparsePath(Problem.of(small_graph(x=x), NOISE["both"], 0), overflowing())
    with pytest.raises(ModelError, match="the model returned NaN logits under noise"):
        path.add_votes(MAIN, 0, 500, np.zeros((NODES, CLASSES), np.int64))


class Restless(Perceptron):
    """Dropout that evaluation mode does not switch off."""

    def forward(self, x, edge_index):
        return F.dropout(super().forward(x, edge_index), 0.5, training=True)


class Counting(Perceptron):
    """Remembers how often it was called."""

    calls = 0

    def forward(self, x, edge_index):
        self.calls += 1
        return super().forward(x, edge_index) + 1e-6 * self.calls


class RestlessGCN(OurGCN):
    def after_first(self, hidden, edge_index):
        return super().after_first(F.dropout(hidden, 0.5, training=True), edge_index)


@pytest.mark.parametrize("build", [Restless, Counting, lambda: RestlessGCN(FEATURES, CLASSES)])
def test_models_that_change_their_output_between_two_identical_calls(build):
    refused(ModelError, "the model gives different outputs for identical inputs", model=randomise(build()))


class Returning(nn.Module):
    """Returns what it is told to."""

    def __init__(self, result):
        super().__init__()
        self.result = result

    def forward(self, x, edge_index):
        return self.result(x)


@pytest.mark.parametrize(
    "result",
    [
        lambda x: x[:, 0],
        lambda x: x[:, :1],
        lambda x: x[:-1, :3],
        lambda x: x[None, :, :3],
        lambda x: (x[:, :3], None),
        lambda x: None,
    ],
)
def test_outputs_that_are_no_logits(result):
    refused(ModelError, r"the model must return logits of shape \(24, K ≥ 2\), got", model=Returning(result))


@pytest.mark.parametrize("build", [lambda k: OurGCN(FEATURES, k), lambda k: Returning(lambda x: x[:, :k])])
def test_models_with_another_number_of_classes_than_the_data(build):
    refused(ModelError, "the model has 2 classes but the data have 3; train it on these data", model=build(2))
    data = small_graph(y=None)
    assert take(build(2), data).classes == 2
    data.classes = 5
    refused(ModelError, "the model has 3 classes but the data have 5", model=build(3), data=data)
    data.classes = 2
    refused(ModelError, "the model has 3 classes but the data have 2", model=build(3), data=data)


def test_a_sparse_model_for_other_features():
    refused(ModelError, "the model takes 7 features but the data have 20", model=OurGCN(7, CLASSES))


@pytest.mark.parametrize("workers", [1, 3])
def test_an_error_of_the_model_itself_reaches_the_caller(workers):
    class Broken(Perceptron):
        calls = 0

        def forward(self, x, edge_index):
            self.calls += 1
            if self.calls > 6:
                raise ZeroDivisionError("of my own")
            return super().forward(x, edge_index)

    with pytest.raises(ZeroDivisionError, match="of my own"):
        take(randomise(Broken()), samples=4000, workers=workers)
