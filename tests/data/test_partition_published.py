"""Clusters of the published citation graphs, loaded from the real files; they are found through GRAPHCERT_DATA."""

import os

import numpy as np
import pytest

from graphcert.data import load_dataset, partition_graph

needs_files = pytest.mark.skipif(
    not os.environ.get("GRAPHCERT_DATA"), reason="set GRAPHCERT_DATA to a folder with the published files"
)


@needs_files
@pytest.mark.parametrize("whole", [False, True], ids=["largest component", "all components"])
@pytest.mark.parametrize("method", ["metis", "spectral", "louvain", "label_propagation"])
@pytest.mark.parametrize("name", ["cora_ml", "citeseer"])
def test_five_clusters_keep_most_edges_inside(name, method, whole):
    data = load_dataset(name, largest_component=not whole)
    partition = partition_graph(data, 5, method)
    source, target = data.edge_index.numpy()
    between = float((partition.labels[source] != partition.labels[target]).mean())
    assert between <= 0.2, "clusters at random would have 0.8"
    assert partition.sizes.min() >= 10
    if method == "metis":
        assert np.ptp(partition.sizes) <= 0.05 * data.num_nodes


@needs_files
def test_metis_clusters_follow_the_topics_of_cora_ml():
    data = load_dataset("cora_ml")
    partition = partition_graph(data, 5)
    counts = np.zeros((5, data.classes), int)
    np.add.at(counts, (partition.labels, data.y.numpy()), 1)
    largest_class = np.bincount(data.y.numpy()).max() / data.num_nodes
    assert counts.max(axis=1).sum() / data.num_nodes >= largest_class + 0.2
    by_walk = partition_graph(data, 5, affinity="pagerank")
    assert np.array_equal(by_walk.labels, partition.labels)
