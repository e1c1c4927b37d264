"""What a run over a directed graph counts, and what its comparison with isotropic noise keeps of the scheme."""

import numpy as np
import torch
from torch_geometric.data import Data

import graphcert as gc
from graphcert.run.isotropic import between
from graphcert.run.provenance import cluster_links, edge_count

PARTITION = gc.Partition.of_affinity(np.array([0, 0, 1, 1, 2]), np.eye(3), "by hand")
EDGES = torch.tensor([[0, 1, 0, 2, 3, 4], [1, 0, 2, 3, 1, 0]])
FAR = [gc.BernoulliFlip(0.125, 0.25), gc.BernoulliFlip(0.25, 0.75)]


def scheme(**of_edges):
    return gc.Smoothing(edges=FAR, partition=PARTITION, **of_edges)


def test_directed_edges_are_counted_one_by_one():
    data = Data(torch.eye(5), EDGES)
    links = cluster_links(scheme(directed=True), data)
    assert links.tolist() == [[2, 2, 1], [2, 1, 0], [1, 0, 0]]
    assert np.triu(links).sum() == EDGES.shape[1]
    assert edge_count(scheme(directed=True), data) == {"directed edges": 6}
    both = Data(torch.eye(5), torch.cat([EDGES[:, 1:], EDGES[:, 1:].flip(0)], dim=1))
    assert cluster_links(scheme(), both).tolist() == [[1, 2, 1], [2, 1, 0], [1, 0, 0]]
    assert edge_count(scheme(), both) == {"edges": 5}


def test_isotropic_noise_is_on_the_same_edges():
    found = between(scheme(directed=True, added_weight=2.0).on_graph(True, "own"), 0.5)
    law = gc.BernoulliFlip(0.1875, 0.5)
    assert found == gc.Smoothing(edges=law, directed=True, added_weight=2.0).on_graph(True, "own")
    assert between(scheme(), 0.5) == gc.Smoothing(edges=law)
