"""Votes under hierarchical, ablation and Gaussian noise: both paths, any threads and batches, and exact probabilities."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch_geometric.data import Data
from torch_geometric.nn import GAT, GraphSAGE
from voting_cases import CLASSES, FEATURES, NODES, SPARSE_MODELS, Perceptron, randomise, small_graph

from graphcert.errors import DataError, ModelError, VotesError
from graphcert.models import GCN, build_model
from graphcert.noise import Ablation, BernoulliFlip, Gaussian, Hierarchical, Partition, Smoothing
from graphcert.sampling.philox import MAIN
from graphcert.voting import sample_votes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GenericPath
from graphcert.voting.sample import choose_path
from graphcert.voting.sparse_path import SparsePath

FLIPS, EDGES = BernoulliFlip(0.05, 0.4), BernoulliFlip(0.02, 0.3)
PARTITION = Partition.of_affinity(np.arange(NODES) % 3, np.arange(9).reshape(3, 3))
NEAR_FAR = [BernoulliFlip(0.02, 0.2), BernoulliFlip(0.08, 0.6)]
NOISE = {
    "flips": Hierarchical(0.7, FLIPS),
    "flips and edges": Hierarchical(0.7, Smoothing(FLIPS, EDGES)),
    "ablation": Hierarchical(0.6, Ablation()),
    "Gaussian rows": Hierarchical(0.7, Gaussian(0.4)),
    "Gaussian": Smoothing(Gaussian(0.4), EDGES),
    "localized": Hierarchical([0.5, 0.9], Smoothing(NEAR_FAR, EDGES, PARTITION)),
    "localized selection": Hierarchical([0.3, 0.6, 0.9], Smoothing([FLIPS] * 3, partition=PARTITION)),
    "localized Gaussian": Hierarchical([0.5, 0.9], Smoothing((Gaussian(0.2), Gaussian(1)), partition=PARTITION)),
}
every_noise = pytest.mark.parametrize("noise", NOISE)
pytestmark = pytest.mark.usefixtures("small_unions")


def columns(noise):
    return FEATURES + isinstance(NOISE[noise], Hierarchical)


def model_of(noise, name="gcn", seed=0):
    return randomise(build_model(name, columns(noise), CLASSES), seed)


class Wide(Perceptron):
    """Ignores the edges and reads the mark of a row."""

    def __init__(self, features):
        super().__init__()
        self.layers[0] = torch.nn.Linear(features, 9)


@every_noise
@pytest.mark.parametrize("name", SPARSE_MODELS)
def test_sparse_and_generic_path_agree_sample_by_sample(name, noise):
    problem, model = Problem.of(small_graph(), NOISE[noise], 5), model_of(noise, name)
    sparse, generic = SparsePath(problem, model), GenericPath(problem, model)
    assert sparse.agrees_with_torch()
    found = []
    for sample in (0, 1, 777):
        one, two = sparse.logits(MAIN, sample), generic.logits(MAIN, sample)
        np.testing.assert_allclose(one, two, rtol=0, atol=1e-4)
        found.append(one)
    assert not np.allclose(found[0], found[1])
    assert choose_path(problem, model).name == "sparse"


@every_noise
@pytest.mark.parametrize("kind", [GAT, GraphSAGE])
def test_layers_of_torch_geometric_agree_on_every_path(kind, noise):
    problem, model = Problem.of(small_graph(), NOISE[noise], 5), randomise(kind(columns(noise), 8, 2, CLASSES))
    paths = [choose_path(problem, model, path) for path in ("auto", "lazy", "generic")]
    assert [path.name for path in paths] == ["recognised", "lazy", "generic"]
    for sample in (0, 1, 777):
        found = [path.logits(MAIN, sample) for path in paths]
        for logits in found[:2]:
            np.testing.assert_allclose(logits, found[2], rtol=0, atol=1e-4)


@every_noise
@pytest.mark.parametrize("path", ["sparse", "recognised", "lazy", "generic"])
def test_votes_do_not_depend_on_threads_batches_and_shards(noise, path):
    model = model_of(noise) if path == "sparse" else randomise(Wide(columns(noise)))
    data = small_graph()

    def take(**options):
        asked = path if path in ("lazy", "generic") else "auto"
        return sample_votes(model, data, NOISE[noise], 61, 23, 3, path=asked, **options)

    expected = take(workers=1, batch_size=1000)
    assert expected.manifest["path"] == path
    for options in (
        {"workers": 3, "batch_size": 7},
        {"workers": 2, "shard_samples": 10},
        {"workers": 1, "batch_size": 1},
    ):
        assert take(**options) == expected
    assert sample_votes(model, data, NOISE[noise], 61, 23, 4) != expected


@every_noise
def test_an_interrupted_store_is_continued_and_belongs_to_its_noise(noise, tmp_path, monkeypatch):
    data, model = small_graph(), model_of(noise)
    options = {"store": tmp_path, "shard_samples": 20, "workers": 2}
    expected = sample_votes(model, data, NOISE[noise], 100, 40, 3)
    calls = []
    add_to = SparsePath.add_to

    def interrupt(self, *arguments):
        calls.append(arguments)
        if len(calls) > 5:
            raise KeyboardInterrupt
        add_to(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(SparsePath, "add_to", interrupt)
        with pytest.raises(KeyboardInterrupt):
            sample_votes(model, data, NOISE[noise], 100, 40, 3, **options)
    there = {file.name: file.read_bytes() for file in tmp_path.glob("*.npz")}
    assert 0 < len(there) < 7
    assert sample_votes(model, data, NOISE[noise], 100, 40, 3, **options) == expected
    assert all((tmp_path / name).read_bytes() == content for name, content in there.items())
    other = Hierarchical(0.71, FLIPS)
    with pytest.raises((VotesError, ModelError)):
        sample_votes(model, data, other, 100, 40, 3, **options)


@pytest.mark.parametrize("name", SPARSE_MODELS)
@pytest.mark.parametrize("path", ["sparse", "generic"])
@pytest.mark.parametrize(
    "lower",
    [Smoothing(FLIPS, EDGES), Smoothing(NEAR_FAR, EDGES, PARTITION), Smoothing(Gaussian(0.4))],
    ids=["flips", "localized", "Gaussian"],
)
def test_select_one_is_the_lower_level_vote_for_vote(name, path, lower):
    """The weights of the mark are zero: a product must not see the extra column at all."""
    plain = randomise(build_model(name, FEATURES, CLASSES))
    marked = build_model(name, FEATURES + 1, CLASSES)
    state = plain.state_dict()
    with torch.no_grad():
        for key, value in marked.state_dict().items():
            value.zero_()
            value[tuple(slice(size) for size in state[key].shape)] = state[key]
    data = small_graph()
    expected = sample_votes(plain, data, lower, 80, 30, 6, path=path)
    found = sample_votes(marked.eval(), data, Hierarchical(1.0, lower), 80, 30, 6, path=path)
    different = int(
        np.abs(found.counts - expected.counts).sum() + np.abs(found.pilot_counts - expected.pilot_counts).sum()
    )
    # torch may sum a longer product in another order, which can turn a tie; kernels add the zero at the end.
    assert different <= (0 if path == "sparse" else 2)


TINY = Data(
    x=torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    edge_index=torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
)
"""Three nodes on a path with two features each: their 5^3 noisy versions can be listed."""


def tiny_model():
    """Votes for the feature, or the mark, that is most common nearby; no two classes ever tie."""
    model = GCN(3, CLASSES, hidden=3).eval()
    with torch.no_grad():
        model.weights[0].copy_(torch.eye(3))
        model.weights[1].copy_(torch.diag(torch.tensor([1.0, 1.13, 0.77])))
        model.biases[1].copy_(torch.tensor([0.013, 0.0, 0.029]))
    return model


def tiny_rows(bits, select, law):
    """[(probability, row with its mark)] of one node."""
    rows = [(1 - select, (*bits, 0.0))]
    if isinstance(law, Ablation):
        return [*rows, (select, (0.0,) * len(bits) + (1.0,))]
    for values in product((0.0, 1.0), repeat=len(bits)):
        probability = select
        for bit, value in zip(bits, values, strict=True):
            flip = law.delete if bit else law.add
            probability *= flip if bit != value else 1 - flip
        rows.append((probability, (*values, 1.0)))
    return rows


def exact_probabilities(model, select, law):
    """(N, K) by enumeration of selections and flips of all rows."""
    total = np.zeros((3, CLASSES))
    for rows in product(*(tiny_rows(bits, select, law) for bits in TINY.x.tolist())):
        probability = np.prod([share for share, _ in rows])
        with torch.inference_mode():
            labels = model(torch.tensor([row for _, row in rows]), TINY.edge_index).argmax(dim=1)
        total[np.arange(3), labels] += probability
    return total


@pytest.mark.parametrize("law", [BernoulliFlip(0.3, 0.6), Ablation()], ids=str)
@pytest.mark.parametrize("path", ["sparse", "generic"])
def test_votes_follow_the_exact_probabilities_of_a_tiny_graph(law, path):
    """Every count is binomial with the enumerated probability; false-alarm rate 1e-6 per case."""
    model, select, samples = tiny_model(), 0.7, 20_000
    exact = exact_probabilities(model, select, law)
    assert ((exact > 0.02) & (exact < 0.98)).sum() >= 4  # the noise decides something
    votes = sample_votes(model, TINY, Hierarchical(select, law), samples, 10, 1, path=path)
    tails = np.minimum(binom.cdf(votes.counts, samples, exact), binom.sf(votes.counts - 1, samples, exact))
    assert tails.min() > 1e-6 / (2 * exact.size)
    wrong = exact_probabilities(model, 0.65, law)
    tails = np.minimum(binom.cdf(votes.counts, samples, wrong), binom.sf(votes.counts - 1, samples, wrong))
    assert tails.min() < 1e-6 / (2 * exact.size)


def test_a_model_without_an_input_for_the_mark_is_told_how_many_it_needs():
    with pytest.raises(
        ModelError, match="takes 20 features but hierarchical noise shows it 21: the 20 of the data and"
    ):
        choose_path(Problem.of(small_graph(), NOISE["flips"], 0), build_model("gcn", FEATURES, CLASSES).eval())


def test_real_features_take_gaussian_noise_and_ablation_but_no_flips():
    generator = torch.Generator().manual_seed(1)
    data = small_graph(x=torch.randn(NODES, FEATURES, generator=generator))
    for noise in ("Gaussian", "Gaussian rows", "ablation"):
        problem, model = Problem.of(data, NOISE[noise], 5), model_of(noise)
        np.testing.assert_allclose(
            SparsePath(problem, model).logits(MAIN, 3), GenericPath(problem, model).logits(MAIN, 3), rtol=0, atol=1e-4
        )
    with pytest.raises(DataError, match="Bernoulli noise needs binary features"):
        Problem.of(data, NOISE["flips"], 5)


def test_the_model_sees_no_mark_on_the_clean_graph():
    problem = Problem.of(small_graph(), NOISE["flips"], 0)
    assert problem.x.shape == (NODES, FEATURES + 1)
    assert (problem.x[:, -1] == 0).all()
