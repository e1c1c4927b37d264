"""Places of a smoothing scheme: to which axis of its collective problem a node's row and an edge belong."""

from typing import Any

import numpy as np

from graphcert.collective.receptive_field import undirected_edges
from graphcert.collective.solvers.program import IntArray
from graphcert.errors import InputError
from graphcert.noise import AXES, Scheme, Views


def smoothing_places(smoothing: Scheme, data: Any) -> dict[str, IntArray]:
    """The `axis_of` of `collective_receptive` for the problem that `smoothing_problem` makes of a scheme.

    Args:
        smoothing: isotropic or localized.
        data: the clean graph (`x`, `edge_index`).

    Returns:
        per axis name: for features (N,), the block of every node; for edges (E,), the pair of blocks of every edge of
        the graph, in the order of `undirected_edges`. ("edge_add" on these columns is for a masked reach.)

    Raises:
        InputError: if the partition is one of another number of nodes.
    """
    nodes = len(data.x)
    views = Views.of_flips(smoothing, nodes)
    ends = undirected_edges(data.edge_index, nodes)
    if ends.size and int(ends.max()) >= views.block.size:
        raise InputError(f"the graph has edges to node {int(ends.max())}, but features of {nodes} nodes only")
    blocks = views.feature_law.shape[1]
    low, high = np.triu_indices(blocks)
    pair = np.zeros((blocks, blocks), dtype=np.int64)
    pair[low, high] = pair[high, low] = np.arange(low.size)
    rows, edges = views.block, pair[views.block[ends[0]], views.block[ends[1]]]
    starts = (0, blocks, 2 * blocks, 2 * blocks + low.size)
    return {name: start + (rows if name.startswith("feature") else edges)
            for name, start in zip(AXES, starts, strict=True)}  # fmt: skip
