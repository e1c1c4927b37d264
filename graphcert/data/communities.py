"""From any grouping of the nodes to exactly C non-empty clusters: merge the smallest, halve the largest."""

from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import reverse_cuthill_mckee

Indices = NDArray[np.int64]


def exactly(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Indices:
    """Turn communities into exactly `clusters` non-empty ones, without chance.

    While there are too many, the smallest joins the one it shares most edges with; while there are too few, the largest
    is halved. Empty communities vanish. The result is numbered by the first node of every cluster.

    Args:
        adjacency: symmetric 0/1 matrix (N, N).
        labels: (N,) community of every node, any whole numbers.
        clusters: C, 1 ≤ C ≤ N.

    Returns:
        (N,) cluster of every node, 0 … C − 1.
    """
    return _by_first_node(_split(adjacency, _merge(adjacency, _by_first_node(labels), clusters), clusters))


def _by_first_node(labels: Indices) -> Indices:
    _, first, compact = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[compact]


def _merge(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Indices:
    """Merge until at most `clusters` are left; a community without outer edges joins the next smallest."""
    sizes = np.bincount(labels).tolist()
    shared = _shared_edges(adjacency, labels, len(sizes))
    joined = np.arange(len(sizes))
    smallest = [(size, label) for label, size in enumerate(sizes)]
    heapify(smallest)

    def pop() -> int:
        while True:  # a community that grew or vanished since it was pushed has another size by now
            size, label = heappop(smallest)
            if sizes[label] == size:
                return label

    for _ in range(len(sizes) - clusters):
        label = pop()
        edges = shared[label]
        target = min(edges, key=lambda other: (-edges[other], sizes[other], other)) if edges else pop()
        for other, count in edges.items():
            del shared[other][label]
            if other != target:
                shared[other][target] = shared[target][other] = shared[target].get(other, 0) + count
        joined[label] = target
        sizes[target], sizes[label] = sizes[target] + sizes[label], 0
        heappush(smallest, (sizes[target], target))
    while (joined[joined] != joined).any():
        joined = joined[joined]
    return joined[labels]


def _shared_edges(adjacency: "csr_array[Any]", labels: Indices, communities: int) -> list[dict[int, int]]:
    """For every community, the number of edges (counted the same way for all) to each other one that it touches."""
    edges = adjacency.tocoo()
    pairs, counts = np.unique(labels[edges.row] * communities + labels[edges.col], return_counts=True)
    shared: list[dict[int, int]] = [{} for _ in range(communities)]
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        one, other = divmod(pair, communities)
        if one != other:
            shared[one][other] = count
    return shared


def _split(adjacency: "csr_array[Any]", labels: Indices, clusters: int) -> Indices:
    """Halve the largest community until there are `clusters`, along its Cuthill–McKee order: neighbours stay together."""
    labels = _by_first_node(labels)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(labels))[:-1])
    largest = [(-group.size, label, group) for label, group in enumerate(groups)]
    heapify(largest)
    for label in range(len(groups), clusters):
        _, kept, group = heappop(largest)
        lined_up = group[reverse_cuthill_mckee(adjacency[group][:, group], symmetric_mode=True)]
        half = group.size // 2
        labels[lined_up[:half]] = label
        heappush(largest, (-half, label, np.sort(lined_up[:half])))
        heappush(largest, (half - group.size, kept, np.sort(lined_up[half:])))
    return labels
