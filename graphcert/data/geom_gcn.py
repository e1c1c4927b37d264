"""Web pages and their links in the text files of Geom-GCN (Pei et al. 2020): WebKB as torch_geometric has it."""

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphcert.core.archives import Archive
from graphcert.core.reading import PER_CHARACTER, check_memory, damage_refused
from graphcert.data.raw import RawGraph, as_float32, check_dense_size
from graphcert.data.splits import MASKS, with_masks
from graphcert.errors import DataError

FEATURES, EDGES = "out1_node_feature_label.txt", "out1_graph_edges.txt"
"""The two files of a graph."""


def read_geom_gcn(features: bytes, edges: bytes) -> RawGraph:
    """The graph of a table of nodes and a table of directed links, each with a line of titles, columns between tabs.

    Args:
        features: node, its features between commas, its class.
        edges: source, target.

    Raises:
        DataError: if a table is damaged, or they do not fit together.
    """
    check_memory(PER_CHARACTER * (len(features) + len(edges)), f"what {FEATURES} and {EDGES} say")
    with damage_refused("the text files of the graph are damaged", "use the published files"):
        lines = [line.split("\t") for line in features.decode().splitlines()[1:] if line]
        nodes = np.array([int(node) for node, _, _ in lines])
        if not np.array_equal(np.sort(nodes), np.arange(len(nodes))):
            raise DataError(f"{FEATURES} does not number its nodes from 0 without gaps; use the published file")
        check_dense_size(len(nodes), lines[0][1].count(",") + 1 if lines else 0)
        x = np.array([[float(value) for value in words.split(",")] for _, words, _ in lines])[np.argsort(nodes)]
        labels = np.array([int(label) for _, _, label in lines])[np.argsort(nodes)]
        links = np.array([line.split("\t") for line in edges.decode().splitlines()[1:] if line], np.int64)
        return RawGraph(as_float32("the features", x), links.reshape(-1, 2).T, labels, int(labels.max(initial=-1)) + 1)


def with_published_splits(graph: RawGraph, files: Sequence[BinaryIO]) -> RawGraph:
    """The graph with the masks (N, S) of S files of splits, each with `train_mask`, `val_mask` and `test_mask` (N,)."""
    with damage_refused("a file of splits is damaged", "use the published files"):
        masks: dict[str, list[NDArray[Any]]] = {name: [] for name in MASKS}
        for archive in map(Archive, files):
            for name in MASKS:
                masks[name].append(archive.array(name) != 0)
        return with_masks(graph, lambda name: np.stack(masks[name], axis=1), set(MASKS))
