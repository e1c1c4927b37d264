"""From a smoothing scheme, a graph and a depth to what each node perceives, and on which axis of the scheme it lies."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from graphcert.collective.half_spaces.places import smoothing_places
from graphcert.collective.half_spaces.receptive_problem import check_reach
from graphcert.collective.receptive_field import receptive_field, undirected_edges
from graphcert.collective.solvers.program import IntArray, Sparse
from graphcert.noise import Scheme

_CLASSES = ("feature_add", "feature_delete", "edge_delete")
"""The changes that create no new reach; edges that are added have no column."""


@dataclass(frozen=True, eq=False)
class SchemePerception:
    """The arguments of `collective_receptive` over the axes of `smoothing_problem`.

    Attributes:
        perception: per class a 0/1 matrix (N, N) or (N, E).
        axis_of: per class the axis of every column.
        room: per class of features that are bits (N,), how often every row can be changed that way.
        endpoints: (2, E) ends of the edges.
    """

    perception: dict[str, Sparse]
    axis_of: dict[str, IntArray]
    room: dict[str, IntArray]
    endpoints: IntArray


def scheme_perception(smoothing: Scheme, nodes: int, data: Any, layers: int, normalisation: str) -> SchemePerception:
    """What nodes perceive through `layers` rounds of message passing on the clean graph `data`.

    Raises:
        InputError: for a negative or fractional depth or an unknown normalisation.
        UnsupportedError: if the noise adds edges, which would create new reach.
    """
    check_reach(smoothing)
    places = smoothing_places(smoothing, data)
    field = {
        axis: receptive_field(data.edge_index, layers, axis, num_nodes=nodes, normalisation=normalisation)
        for axis in ("feature_add", "edge_delete")
    }
    ones = (np.asarray(data.x) != 0).sum(axis=1)
    room = {"feature_add": np.asarray(data.x).shape[1] - ones, "feature_delete": ones}
    return SchemePerception(
        dict(zip(_CLASSES, (field["feature_add"], field["feature_add"], field["edge_delete"]), strict=True)),
        {axis: places[axis] for axis in _CLASSES},
        room if smoothing.perturbs("features") else {},  # features without noise need not be bits
        undirected_edges(data.edge_index, nodes),
    )
