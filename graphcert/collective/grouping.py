"""Nodes that no adversary can tell apart are counted once, with a multiplicity."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray, Sparse


@dataclass(frozen=True, eq=False)
class Groups:
    """G groups of nodes with equal perception on all axes and equal points.

    Attributes:
        nodes: (G,) one node of each group.
        weight: (G,) nodes per group.
        group: (V,) ascending, the group of each kept point.
        points: (V, A) the points of one node of each group.
    """

    nodes: IntArray
    weight: FloatArray
    group: IntArray
    points: IntArray


def group_nodes(perception: Sequence[Sparse], nodes: IntArray, points: IntArray) -> Groups:
    """Group the nodes that occur in `nodes` (V,), ascending, with their `points` (V, A).

    The matrices of `perception` are CSR with sorted indices, so that equal rows have equal bytes.
    """
    present, starts = np.unique(nodes, return_index=True)
    stops = np.append(starts[1:], len(nodes))
    first: dict[tuple[bytes, ...], int] = {}
    weight: list[int] = []
    chosen: list[int] = []
    for i, node in enumerate(present.tolist()):
        rows = [matrix.indices[matrix.indptr[node] : matrix.indptr[node + 1]].tobytes() for matrix in perception]
        key = (points[starts[i] : stops[i]].tobytes(), *rows)
        if key not in first:
            first[key] = len(chosen)
            chosen.append(i)
            weight.append(0)
        weight[first[key]] += 1
    spans = [np.arange(starts[i], stops[i]) for i in chosen]
    kept = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
    group = np.repeat(np.arange(len(chosen)), [len(span) for span in spans])
    return Groups(present[chosen], np.array(weight, dtype=np.float64), group, points[kept])
