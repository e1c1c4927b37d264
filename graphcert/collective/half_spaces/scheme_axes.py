"""From a smoothing scheme to its collective problem: which group sees which block's changes under which law."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphcert.collective.adversary import UNLIMITED
from graphcert.collective.half_spaces.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.receptive_field import undirected_edges
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
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


def scheme_axes(views: Views[BernoulliFlip], smoothed_features: bool, data: Any = None) -> SchemeAxes:
    """The axes that `views` see.

    Args:
        views: of a scheme of N outputs.
        smoothed_features: whether features carry noise; only then they are known to be bits.
        data: the clean graph (`x`, `edge_index`), which limits how often a block can be changed; None for no limit.
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
        capacity=np.full(classes.size, UNLIMITED) if data is None else _capacity(smoothed_features, views, data),
    )


def smoothing_problem(
    smoothing: Scheme, eta: FloatArray, orders: Sequence[Order], data: Any = None
) -> LocalizedProblem:
    """The collective problem of N outputs under a scheme of flips, over the axes of `SchemeAxes`.

    Args:
        smoothing: isotropic or localized; a channel without noise shows every change, so its weights are infinite.
        eta: (D, N), one row per direction, rounded down.
        orders: the D directions.
        data: the clean graph (`x`, `edge_index`), which limits how often a block can be changed; None for no limit.
    """
    axes = scheme_axes(Views.of_flips(smoothing, eta.shape[1]), smoothing.perturbs("features"), data)
    return LocalizedProblem(
        groups=axes.groups,
        eta=eta,
        weights=axis_weights(axes.laws, axes.law_of_axis, axes.deletes, orders),
        axis_class=axes.axis_class,
        capacity=axes.capacity,
    )


def _capacity(smoothed_features: bool, views: Views[BernoulliFlip], data: Any) -> IntArray:
    """How many zeros and ones of features, and of edges, every block (or pair of blocks) has.

    Features that are not smoothed need not be bits; nothing is assumed about how often they can change.
    """
    features = np.asarray(data.x)
    block, blocks = views.block, views.feature_law.shape[1]
    if features.shape[0] != block.size:
        raise InputError(
            f"the graph has {features.shape[0]} nodes but the certificate {block.size}; give its own graph"
        )
    sizes = np.bincount(block, minlength=blocks)
    ones = np.bincount(block, (features != 0).sum(axis=1), blocks).astype(np.int64)
    low, high = np.triu_indices(blocks)
    between = np.zeros((blocks, blocks), np.int64)
    np.add.at(between, tuple(np.sort(block[undirected_edges(data)], axis=0)), 1)
    pairs = np.where(low == high, sizes[low] * (sizes[low] - 1) // 2, sizes[low] * sizes[high])
    edges = between[low, high]
    zeros = sizes * features.shape[1] - ones
    if not smoothed_features:
        zeros, ones = np.full((2, blocks), UNLIMITED)
    return np.concatenate([zeros, ones, pairs - edges, edges])
