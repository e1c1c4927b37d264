"""From a smoothing scheme to its collective problem: which group sees which block's changes under which law."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphcert.collective.half_spaces.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.half_spaces.receptive_problem import check_reach
from graphcert.collective.receptive_field import edge_columns, receptive_field
from graphcert.collective.solvers.program import UNLIMITED, BoolArray, FloatArray, IntArray, Sparse
from graphcert.core.features import ones_per_row, plain_features
from graphcert.errors import InputError
from graphcert.noise import AXES, BernoulliFlip, Scheme, Views
from graphcert.tradeoff.half_spaces import Order


@dataclass(frozen=True, eq=False)
class SchemeAxes:
    """The axes of change of a scheme over the four classes of `AXES`, and the law under which every group sees them.

    Axes of change stand in this order: per feature class the blocks, per edge class the pairs of blocks j ≤ k, row by row.

    Attributes:
        groups: (N,) the group of every output.
        laws: L laws; a channel without noise shows every change.
        law_of_axis: (C, A) index into `laws`.
        axis_class: (A,) index into `AXES`.
        capacity: (A,) how often a block can be changed that way.
    """

    groups: IntArray
    laws: tuple[BernoulliFlip, ...]
    law_of_axis: IntArray
    axis_class: IntArray
    capacity: IntArray

    @property
    def deletes(self) -> BoolArray:
        """(A,) whether an axis deletes (True) or adds (False)."""
        return np.array([axis.endswith("delete") for axis in AXES])[self.axis_class]


def scheme_axes(views: Views[BernoulliFlip], smoothed_features: bool, data: Any, directed: bool) -> SchemeAxes:
    """The axes that `views` see.

    Args:
        views: of a scheme of N outputs.
        smoothed_features: whether features carry noise; only then they are known to be bits.
        data: the clean graph (`x`, `edge_index`), which limits how often a block can be changed; None for no limit.
        directed: every direction between two blocks counts as a pair of nodes of its own.
    """
    blocks = views.feature_law.shape[1]
    low, high = np.triu_indices(blocks)
    edge_law = len(views.feature_laws) + views.edge_law[:, low, high]
    classes = np.repeat(np.arange(len(AXES)), (blocks, blocks, low.size, low.size))
    return SchemeAxes(
        groups=views.of_node,
        laws=views.feature_laws + views.edge_laws,
        law_of_axis=np.concatenate([views.feature_law, views.feature_law, edge_law, edge_law], axis=1),
        axis_class=classes,
        capacity=np.full(classes.size, UNLIMITED)
        if data is None
        else _capacity(smoothed_features, views, data, directed),
    )


def smoothing_problem(
    smoothing: Scheme, eta: FloatArray, orders: Sequence[Order], data: Any = None, kinds: IntArray | None = None
) -> LocalizedProblem:
    """The collective problem of N outputs under a scheme of flips, over the axes of `SchemeAxes`.

    Args:
        smoothing: isotropic or localized; a channel without noise shows every change, so its weights are infinite.
        eta: (D, N), one row per direction, rounded down.
        orders: the D directions.
        data: the clean graph (`x`, `edge_index`), which limits how often a block can be changed; None for no limit.
        kinds: (N,) whole numbers; outputs of one group are told apart by them, such as by their bounds of other classes,
            within which η rises in all directions at once.
    """
    views = Views.of_flips(smoothing, eta.shape[1])
    axes = scheme_axes(views, smoothing.perturbs("features"), data, smoothing.directed)
    weights, groups = axis_weights(axes.laws, axes.law_of_axis, axes.deletes, orders), axes.groups
    if kinds is not None:
        several = int(kinds.max(initial=0)) + 1
        pairs, groups = np.unique(groups * several + kinds, return_inverse=True)
        weights = weights[:, pairs // several]
    return LocalizedProblem(
        groups=groups.ravel(),
        eta=eta,
        weights=weights,
        axis_class=axes.axis_class,
        capacity=axes.capacity,
    )


def _capacity(smoothed_features: bool, views: Views[BernoulliFlip], data: Any, directed: bool) -> IntArray:
    """How many zeros and ones of features, and of edges, every block (or pair of blocks) has.

    Features that are not smoothed need not be bits; nothing is assumed about how often they can change.
    """
    features = plain_features(data.x)
    block, blocks = views.block, views.feature_law.shape[1]
    if features.shape[0] != block.size:
        raise InputError(
            f"the graph has {features.shape[0]} nodes but the certificate {block.size}; give its own graph"
        )
    sizes = np.bincount(block, minlength=blocks)
    ones = np.bincount(block, ones_per_row(features), blocks).astype(np.int64)
    low, high = np.triu_indices(blocks)
    between = np.zeros((blocks, blocks), np.int64)
    np.add.at(between, tuple(np.sort(block[edge_columns(data, directed=directed)], axis=0)), 1)
    pairs = np.where(low == high, sizes[low] * (sizes[low] - 1) // 2, sizes[low] * sizes[high]) * (1 + directed)
    edges = between[low, high]
    zeros = sizes * features.shape[1] - ones
    if not smoothed_features:
        zeros, ones = np.full((2, blocks), UNLIMITED)
    return np.concatenate([zeros, ones, pairs - edges, edges])


def smoothing_places(smoothing: Scheme, data: Any) -> dict[str, IntArray]:
    """The `axis_of` of `collective_receptive` for the problem that `smoothing_problem` makes of a scheme.

    Args:
        smoothing: isotropic or localized.
        data: the clean graph (`x`, `edge_index`).

    Returns:
        per axis name: for features (N,), the block of every node; for edges (E,), the pair of blocks of every edge of
        the graph, in the order of `edge_columns`. ("edge_add" on these columns is for a masked reach.)

    Raises:
        InputError: if the partition is one of another number of nodes.
    """
    nodes = plain_features(data.x).shape[0]
    views = Views.of_flips(smoothing, nodes)
    ends = edge_columns(data.edge_index, nodes, smoothing.directed)
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
        axis: receptive_field(
            data.edge_index, layers, axis, num_nodes=nodes, normalisation=normalisation, directed=smoothing.directed
        )
        for axis in ("feature_add", "edge_delete")
    }
    features = plain_features(data.x)
    ones = ones_per_row(features)
    room = {"feature_add": features.shape[1] - ones, "feature_delete": ones}
    return SchemePerception(
        dict(zip(_CLASSES, (field["feature_add"], field["feature_add"], field["edge_delete"]), strict=True)),
        {axis: places[axis] for axis in _CLASSES},
        room if smoothing.perturbs("features") else {},  # features without noise need not be bits
        edge_columns(data.edge_index, nodes, smoothing.directed),
    )
