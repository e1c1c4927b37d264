"""Both ways from samples to votes show the model the same noisy graphs and count the same votes."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from voting_cases import (
    CLASSES,
    GENERIC_MODELS,
    NODES,
    SPARSE_MODELS,
    Perceptron,
    generic_model,
    randomise,
    small_graph,
    sparse_model,
)
from voting_cases import NOISE as COMMON_NOISE

from graphcert.errors import ModelError, UnsupportedError
from graphcert.models import GCN
from graphcert.models.base import edge_index_tensor
from graphcert.noise import Smoothing
from graphcert.sampling.philox import CHECK, MAIN, PILOT
from graphcert.voting import sample_votes
from graphcert.voting.lazy_path import LazyPath
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GenericPath
from graphcert.voting.sample import choose_path
from graphcert.voting.sparse_path import SparsePath

LOCALIZED = COMMON_NOISE["localized"]
NOISE = {
    **COMMON_NOISE,
    "localized features": Smoothing(LOCALIZED.features, partition=LOCALIZED.partition),
    "localized features, common edges": Smoothing(LOCALIZED.features, LOCALIZED.edges[-1], LOCALIZED.partition),
}
VIEWS = {"localized": 3, "localized features": 2, "localized features, common edges": 2}
every_noise = pytest.mark.parametrize("noise", NOISE)
pytestmark = pytest.mark.usefixtures("small_unions")


def problem_of(noise, data=None, seed=5):
    return Problem.of(data or small_graph(), NOISE[noise], seed)


def noisy_input(problem, purpose, sample, view=0):
    """Dense features and edges of one sample as one group of outputs sees them, straight from the sampler."""
    sampler = problem.sampler
    work = sampler.workspace()
    x = problem.x.clone()
    if sampler.noisy_features:
        ones = sampler.features(purpose, sample, work, view)
        x.zero_()
        x[np.repeat(np.arange(problem.nodes), np.diff(ones.indptr)), ones.indices] = 1
    return x, edge_index_tensor(sampler.graph(purpose, sample, work, view))


def logits_by_hand(problem, model, purpose, sample):
    """The model called on every view; each node is read off its own."""
    of_node = problem.sampler.views.of_node
    logits = np.empty((problem.nodes, CLASSES), np.float32)
    with torch.inference_mode():
        for view in range(problem.sampler.views.count):
            seen = model(*noisy_input(problem, purpose, sample, view)).numpy()
            logits[of_node == view] = seen[of_node == view]
    return logits


def votes_of(logits):
    return np.eye(logits.shape[1], dtype=np.int64)[np.asarray(logits).argmax(axis=1)]


def far_from_ties(logits):
    """Nodes whose vote rounding cannot change."""
    top = np.sort(logits, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0] > 1e-3


@every_noise
@pytest.mark.parametrize("name", SPARSE_MODELS)
def test_sparse_and_generic_path_agree_sample_by_sample(name, noise):
    problem, model = problem_of(noise), sparse_model(name)
    sparse, generic = SparsePath(problem, model), GenericPath(problem, model)
    assert sparse.agrees_with_torch()
    assert generic.unit > 1
    for purpose, sample in [(PILOT, 0), (MAIN, 0), (MAIN, 1), (MAIN, 777), (CHECK, 2)]:
        one, two = sparse.logits(purpose, sample), generic.logits(purpose, sample)
        assert one.shape == (NODES, CLASSES)
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-4)
        counts = [np.zeros((NODES, CLASSES), np.int64) for _ in range(2)]
        for path, count in zip((sparse, generic), counts, strict=True):
            path.add_votes(purpose, sample, sample + 1, count)
        sure = far_from_ties(one)
        assert sure.sum() > NODES / 2
        assert (counts[0][sure] == counts[1][sure]).all()
        assert (counts[0] == votes_of(one)).all()


@pytest.mark.parametrize("path", [GenericPath, LazyPath])
def test_unions_in_which_nobody_votes_are_not_evaluated(path, monkeypatch):
    monkeypatch.setattr(GenericPath, "_union_nodes", 1)
    problem, model = problem_of("localized"), generic_model("pyg gcn")
    whole = path(problem, model)
    view = problem.sampler.views.of_node[7]
    few, asked = whole.only(np.array([7])), []
    draw = few._input.draw
    monkeypatch.setattr(few._input, "draw", lambda *given: asked.append(given) or draw(*given))
    for sample in range(3):
        assert np.array_equal(few.logits(MAIN, sample)[7], whole.logits(MAIN, sample)[7])
    assert asked == [(MAIN, 3 * sample + view, 1) for sample in range(3)]


@every_noise
@pytest.mark.parametrize("name", SPARSE_MODELS)
def test_both_paths_give_the_same_votes(name, noise):
    """Whole votes, with logits far enough from ties: a difference would be another noisy graph."""
    data, model = small_graph(), sparse_model(name)
    one, two = (sample_votes(model, data, NOISE[noise], 60, 20, path=path, workers=1) for path in ("sparse", "generic"))
    sampler = Problem.of(data, NOISE[noise], 0).sampler
    assert len(np.unique(sampler.views.of_node)) == VIEWS.get(noise, 1)
    assert sampler.one_graph == (noise != "localized")
    assert (one.manifest["path"], two.manifest["path"]) == ("sparse", "generic")
    assert np.abs(one.counts - two.counts).sum() <= 2
    assert np.abs(one.pilot_counts - two.pilot_counts).sum() <= 2
    assert len(np.unique(one.counts)) > 3  # the noise does something


@every_noise
@pytest.mark.parametrize("asked", ["auto", "lazy", "generic"])
@pytest.mark.parametrize("name", GENERIC_MODELS)
def test_any_module_votes_as_if_called_on_every_sample_by_hand(name, asked, noise):
    problem, model = problem_of(noise), generic_model(name)
    path = choose_path(problem, model, asked)
    # A mean over all nodes needs the numbers; everything else of these models is recognised.
    automatic = "generic" if name == "centred" else "recognised"
    assert path.name == (automatic if asked == "auto" else asked)
    assert path.densified == (("aten.mean.dim",) if name == "centred" and asked != "generic" else ())
    expected = np.zeros((NODES, CLASSES), np.int64)
    sure = np.ones(NODES, bool)
    for sample in range(3, 20):
        logits = logits_by_hand(problem, model, MAIN, sample)
        np.testing.assert_allclose(path.logits(MAIN, sample), logits, rtol=0, atol=1e-4)
        expected += votes_of(logits)
        sure &= far_from_ties(logits)
    counts = np.zeros((NODES, CLASSES), np.int64)
    path.add_votes(MAIN, 3, 20, counts)
    assert sure.sum() > NODES / 2
    assert (counts[sure] == expected[sure]).all()
    assert (counts.sum(axis=1) == 17).all()


@pytest.mark.parametrize("name", ["pyg gcn", "perceptron", "normalised"])
def test_graphs_in_a_union_do_not_see_each_other(name, monkeypatch):
    problem, model = problem_of("both"), generic_model(name)
    together = GenericPath(problem, model)
    monkeypatch.setattr(GenericPath, "_union_nodes", 1)
    alone = GenericPath(problem, model)
    assert together.unit == 10
    assert alone.unit == 1
    for sample in range(4):
        np.testing.assert_allclose(together.logits(MAIN, sample), alone.logits(MAIN, sample), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["centred", "one by one"])
def test_models_that_look_at_the_whole_graph_are_shown_one_graph_at_a_time(name):
    assert GenericPath(problem_of("features"), generic_model(name)).unit == 1


class Small(Perceptron):
    """Small logits that depend on all nodes together."""

    def forward(self, x, edge_index):
        return 1e-6 * self.layers(x).softmax(dim=0)


class Seldom(Perceptron):
    """Looks at the whole graph, and hardly any noise makes a difference."""

    def __init__(self, seldom):
        super().__init__()
        self.seldom = seldom

    def forward(self, x, edge_index):
        return self.layers(x) + float(self.seldom(x, edge_index)) * torch.arange(CLASSES)


WHOLE = {
    "small logits": Small(),
    "a hub": Seldom(lambda x, edge_index: edge_index[1].bincount().max() > NODES - 2),
    "a full row": Seldom(lambda x, edge_index: x.mean(dim=1).max() == 1),
    "an empty row": Seldom(lambda x, edge_index: x.sum(dim=1).min() == 0 and edge_index.numel() > 0),
}


@pytest.mark.parametrize("name", WHOLE)
def test_what_a_whole_graph_seldom_decides_is_noticed(name):
    data = small_graph(x=torch.cat([torch.ones(NODES, 1), small_graph().x[:, 1:]], dim=1))
    assert GenericPath(problem_of("edges", data), randomise(WHOLE[name])).unit == 1


def test_large_graphs_come_alone():
    assert GenericPath(problem_of("features", small_graph(5 * NODES + 1)), generic_model("perceptron")).unit == 1


class Sharpened(GCN):
    """Changes the forward pass and inherits kernels that do not know."""

    factor = 1.5

    def forward(self, x, edge_index):
        return super().forward(x, edge_index) * x.new_tensor([1.0, self.factor, 1.0])


@pytest.mark.parametrize("scale", [0.5, 1e-4])
def test_a_model_that_its_kernels_do_not_reproduce_takes_another_path(scale):
    """However small its logits are."""
    problem, model = problem_of("both"), randomise(Sharpened(20, CLASSES), scale=scale)
    path = choose_path(problem, model)
    assert path.name == "lazy"
    expected = logits_by_hand(problem, model, MAIN, 4)
    np.testing.assert_allclose(path.logits(MAIN, 4), expected, rtol=0, atol=1e-4 * scale)
    with pytest.raises(UnsupportedError, match="Sharpened has no sparse path, or its kernels disagree"):
        choose_path(problem, model, "sparse")
    model.factor = 1.0
    assert choose_path(problem, model).name == "sparse"


class Insisting(Perceptron):
    """Works with numbers in memory."""

    def forward(self, x, edge_index):
        return self.layers(torch.from_numpy(x.numpy()))


def test_paths_are_refused_to_models_without_them():
    problem = problem_of("features")
    with pytest.raises(UnsupportedError, match=r"Centred has no sparse path.*; use path='generic'"):
        choose_path(problem, generic_model("centred"), "sparse")
    model = randomise(Insisting())
    with pytest.raises(UnsupportedError, match=r"Insisting has no lazy path.*; use path='generic'"):
        choose_path(problem, model, "lazy")
    assert choose_path(problem, model).name == "generic"


def test_the_manifest_names_the_path_and_what_made_features_dense():
    data, noise = small_graph(), NOISE["both"]
    taken = {name: sample_votes(generic_model(name), data, noise, 20, 10, workers=1) for name in ("pyg gcn", "centred")}
    assert taken["pyg gcn"].manifest["path"] == "recognised"
    assert "densified" not in taken["pyg gcn"].manifest
    assert taken["centred"].manifest["path"] == "generic"
    assert taken["centred"].manifest["densified"] == ["aten.mean.dim"]


class Remembering(Perceptron):
    """Two weights, and one that is new in every call."""

    def forward(self, x, edge_index):
        first = self.layers[0].weight
        sums = torch.zeros_like(x).index_add_(0, edge_index[1], x[edge_index[0]])
        hidden = F.linear(x, first) + F.linear(sums, first * edge_index.shape[1]) + x @ first.flip(0).t()
        return self.layers[1:](hidden)


@every_noise
def test_first_weights_are_known_by_their_numbers(noise):
    """One drawing of a sample gives all products; a weight that changes is multiplied anew."""
    problem, model = problem_of(noise), randomise(Remembering())
    lazy, generic = choose_path(problem, model), GenericPath(problem, model)
    assert lazy.name == "lazy"
    twin = lazy.fork()
    for sample in (4, 5, 4, 90):
        expected = generic.logits(MAIN, sample)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(lazy.logits(MAIN, sample), expected, rtol=0, atol=1e-5 * scale)
        assert np.array_equal(twin.logits(MAIN, sample), lazy.logits(MAIN, sample))


def test_the_generic_path_is_there_for_every_model():
    assert choose_path(problem_of("features"), sparse_model("gcn"), "generic").name == "generic"
    assert choose_path(problem_of("features"), sparse_model("gcn")).name == "sparse"


def test_a_model_for_other_features_is_refused():
    model = GCN(7, CLASSES).eval()
    with pytest.raises(ModelError, match="the model takes 7 features but the data have 20"):
        choose_path(problem_of("features"), model)


def test_forks_share_nothing_that_a_sample_writes_to():
    problem = problem_of("both")
    pyg = generic_model("pyg gcn")
    paths = [choose_path(problem, pyg, path) for path in ("sparse", "lazy", "generic")]
    for path in (SparsePath(problem, sparse_model("gcn")), *paths):
        twin = path.fork()
        expected = path.logits(MAIN, 1)
        kept = expected.copy()
        assert not np.array_equal(twin.logits(MAIN, 2), expected)
        assert np.array_equal(expected, kept)
        assert np.array_equal(twin.logits(MAIN, 1), kept)
