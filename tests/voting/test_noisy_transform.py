"""Noise for the training of models of one's own: the noise of the votes, fresh at each call, reproducible."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.transforms import BaseTransform, Compose
from voting_cases import FEATURES, NODES, NOISE, small_graph

import graphcert as gc
from graphcert.errors import DataError, InputError
from graphcert.sampling.philox import CHECK, MAIN, PILOT, TRAIN, VALIDATION
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.noisy_graph import Problem

DATA = small_graph()


def same(one: Data, two: Data) -> bool:
    return torch.equal(one.x, two.x) and torch.equal(one.edge_index, two.edge_index)


@pytest.mark.parametrize("noise", ["features", "edges", "both"])
def test_noise_is_drawn_as_votes_draw_it(noise):
    """Call n shows sample n of the training stream, which no vote uses."""
    transform, source = gc.NoisyTransform(NOISE[noise], seed=5), GenericInput(Problem.of(DATA, NOISE[noise], 5))
    shown = [transform(DATA) for _ in range(3)]
    for call, data in enumerate(shown, 1):
        x, edges = source.union(TRAIN, call, 1)
        assert same(data, Data(x=x, edge_index=edges))
        for purpose in (PILOT, MAIN, VALIDATION, CHECK):
            other_x, other_edges = source.union(purpose, call, 1)
            assert not same(data, Data(x=other_x, edge_index=other_edges))
    assert not same(shown[0], shown[1])
    again = gc.NoisyTransform(NOISE[noise], seed=5)
    assert all(same(again(DATA.clone()), data) for data in shown)
    assert not same(gc.NoisyTransform(NOISE[noise], seed=6)(DATA), shown[0])


def test_rates_are_those_of_the_law():
    data = Data(x=torch.zeros(400, 50), edge_index=torch.empty(2, 0, dtype=torch.long))
    data.x[:, :25] = 1
    x = gc.NoisyTransform(gc.BernoulliFlip(0.1, 0.3), seed=1)(data).x
    # Of 10,000 bits each; five deviations: a false alarm in two million.
    assert abs(x[:, 25:].mean().item() - 0.1) < 5 * np.sqrt(0.1 * 0.9 / 10_000)
    assert abs(x[:, :25].mean().item() - 0.7) < 5 * np.sqrt(0.3 * 0.7 / 10_000)


def test_the_data_stay_as_they_are():
    data = small_graph(train_mask=torch.arange(NODES) < 5)
    before = copy.deepcopy(data)
    shown = gc.NoisyTransform(NOISE["both"])(data)
    assert same(data, before)
    assert shown.train_mask is data.train_mask
    assert shown.y is data.y
    assert not shown.x.requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_that_of_the_data(dtype):
    data = small_graph()
    transform = gc.NoisyTransform(gc.Gaussian(0.3))
    data.x = data.x.to(dtype)
    if dtype == torch.float64:
        with pytest.raises(DataError, match="float32"):
            transform(data)
    else:
        assert transform(data).x.dtype == dtype


def test_a_changed_graph_is_noticed():
    """Also one that was changed where it lies."""
    transform = gc.NoisyTransform(gc.BernoulliFlip(0.0, 0.01))
    data = small_graph()
    transform(data)
    data.x.zero_()
    assert transform(data).x.sum() == 0
    data.x = torch.ones(NODES, FEATURES)
    assert transform(data).x.mean() > 0.9
    other = small_graph(nodes=10)
    assert transform(other).num_nodes == 10


def test_localized_noise_is_that_of_the_own_cluster():
    transform, nearest = gc.NoisyTransform(NOISE["localized"]), gc.NoisyTransform(NOISE["localized"].nearest())
    assert same(transform(DATA), nearest(DATA))


def test_selected_rows_are_marked():
    shown = gc.NoisyTransform(gc.Hierarchical(0.5, gc.Smoothing(gc.Gaussian(1.0))))(DATA)
    assert shown.x.shape == (NODES, FEATURES + 1)
    marked = shown.x[:, -1] == 1
    assert 0 < marked.sum() < NODES
    assert torch.equal(shown.x[~marked, :-1], DATA.x[~marked])


def test_weights_and_attributes_stay_with_their_edges():
    edges = DATA.edge_index
    weight = (edges.min(dim=0).values * NODES + edges.max(dim=0).values).float()
    data = small_graph(edge_weight=weight, edge_attr=weight[:, None] + 1)
    scheme = gc.Smoothing(edges=gc.BernoulliFlip(0.1, 0.3), added_weight=-1.0, added_attr=(-2.0,))
    shown = gc.NoisyTransform(scheme)(data)
    expected = (shown.edge_index.min(dim=0).values * NODES + shown.edge_index.max(dim=0).values).float()
    clean = set(weight.tolist())
    kept = torch.tensor([value in clean for value in expected.tolist()])
    assert 0 < kept.sum() < len(kept)
    assert torch.equal(shown.edge_weight, torch.where(kept, expected, torch.tensor(-1.0)))
    assert torch.equal(shown.edge_attr[:, 0], torch.where(kept, expected + 1, torch.tensor(-2.0)))


def test_normalised_rows_are_flipped_as_bits():
    data = small_graph()
    bits = gc.NoisyTransform(NOISE["features"])(data).x
    data.x = data.x / data.x.sum(-1, keepdim=True).clamp(min=1)
    assert torch.equal(gc.NoisyTransform(NOISE["features"])(data).x, bits / bits.sum(-1, keepdim=True).clamp(min=1))


def test_it_is_a_transform_among_others():
    transform = gc.NoisyTransform(NOISE["both"], seed=3)
    assert isinstance(transform, BaseTransform)
    assert "seed=3" in repr(transform)
    shown = Compose([transform, lambda data: data])(DATA)
    again = pickle.loads(pickle.dumps(gc.NoisyTransform(NOISE["both"], seed=3)))
    assert same(again(DATA), shown)


class Graphs(torch.utils.data.Dataset):
    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return 6

    def __getitem__(self, number):
        return self.transform(DATA)


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_of_a_loader_draw_noise_of_their_own(workers):
    """Six times the same graph: no two draws are alike, and torch's seed repeats all of them."""

    def epoch():
        transform = gc.NoisyTransform(NOISE["features"], seed=3)
        loader = DataLoader(Graphs(transform), batch_size=1, num_workers=workers)
        torch.manual_seed(11)
        return [batch.x for batch in loader]

    with torch.random.fork_rng(devices=[]):
        one, two = epoch(), epoch()
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(not torch.equal(one[i], one[j]) for i in range(6) for j in range(i))


def test_what_it_refuses():
    with pytest.raises(InputError, match="smoothing takes a Smoothing"):
        gc.NoisyTransform(0.3)
    with pytest.raises(InputError, match="seed"):
        gc.NoisyTransform(NOISE["both"], seed=-1)
    with pytest.raises(DataError, match="takes a torch_geometric"):
        gc.NoisyTransform(NOISE["both"])([DATA])
    with pytest.raises(DataError, match="self-loop"):
        gc.NoisyTransform(NOISE["both"])(small_graph(edge_index=torch.tensor([[0, 1, 1], [1, 0, 1]])))
    assert isinstance(Batch.from_data_list([gc.NoisyTransform(NOISE["both"])(DATA)]), Data)
