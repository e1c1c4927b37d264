"""From a smoothing scheme to its collective problem: which group sees which block's changes under which law."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.collective.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.receptive import undirected_edges
from graphcert.collective.threat import UNLIMITED
from graphcert.errors import InputError
from graphcert.noise import AXES, BernoulliFlip, Scheme, Views
from graphcert.tradeoff.half_spaces import Order


def smoothing_problem(
    smoothing: Scheme, eta: FloatArray, orders: Sequence[Order], data: Any = None
) -> LocalizedProblem:
    """The collective problem of N outputs under a scheme, over the four classes of `AXES`.

    Axes of change stand in this order: per feature class the blocks, per edge class the pairs of blocks j ≤ k, row by row.

    Args:
        smoothing: isotropic or localized; a channel without noise shows every change, so its weights are infinite.
        eta: (D, N), one row per direction, rounded down.
        orders: the D directions.
        data: the clean graph (`x`, `edge_index`), which limits how often a block can be changed; None for no limit.
    """
    views = Views.of_flips(smoothing, eta.shape[1])
    blocks = views.feature_law.shape[1]
    low, high = np.triu_indices(blocks)
    edge_law = len(views.feature_laws) + views.edge_law[:, low, high]
    laws = views.feature_laws + views.edge_laws
    classes = np.repeat(np.arange(len(AXES)), (blocks, blocks, low.size, low.size))
    law_of_axis = np.concatenate([views.feature_law, views.feature_law, edge_law, edge_law], axis=1)
    deletes = np.array([axis.endswith("delete") for axis in AXES])[classes]
    return LocalizedProblem(
        groups=views.of_node,
        eta=eta,
        weights=axis_weights(laws, law_of_axis, deletes, orders),
        axis_class=classes,
        capacity=np.full(classes.size, UNLIMITED) if data is None else _capacity(smoothing, views, data),
    )


def _capacity(smoothing: Scheme, views: Views[BernoulliFlip], data: Any) -> IntArray:
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
    if not smoothing.perturbs("features"):
        zeros, ones = np.full((2, blocks), UNLIMITED)
    return np.concatenate([zeros, ones, pairs - edges, edges])
