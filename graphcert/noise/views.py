"""The different noises that the outputs of a scheme see: one view per group of outputs with the same noise everywhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import UnsupportedError
from graphcert.noise.laws import BernoulliFlip
from graphcert.noise.scheme import Scheme

Integers = NDArray[np.int64]
_CLEAN = BernoulliFlip(0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Views:
    """Which view an output has, and which law it puts on every block.

    Axes: N nodes, V views, J input blocks. Isotropic schemes have V = J = 1. Clusters that put equal laws on all blocks
    share a view, so that equal levels are isotropic smoothing, vote for vote.

    Attributes:
        of_node: (N,) the view of every output.
        block: (N,) the input block of every node.
        feature_laws, edge_laws: the distinct laws of each channel.
        feature_law: (V, J) index into `feature_laws`.
        edge_law: (V, J, J) index into `edge_laws`, symmetric in the blocks.
    """

    of_node: Integers
    block: Integers
    feature_laws: tuple[BernoulliFlip, ...]
    edge_laws: tuple[BernoulliFlip, ...]
    feature_law: Integers
    edge_law: Integers

    @property
    def count(self) -> int:
        """Number of views V."""
        return int(self.feature_law.shape[0])

    @classmethod
    def of(cls, smoothing: Scheme, nodes: int) -> "Views":
        """The views of a scheme of flips over `nodes` nodes.

        Raises:
            InputError: if the partition is one of another number of nodes.
            UnsupportedError: for hierarchical schemes and laws other than flips: these views know nothing of selected rows,
                and whoever draws noise or places changes by them alone would claim what was not sampled.
        """
        smoothing.check_nodes(nodes)
        if not smoothing.flips_only:
            raise UnsupportedError(
                "this is offered for Smoothing with BernoulliFlip laws, not for hierarchical, Gaussian or ablation noise"
            )
        feature_laws, feature_of_level = _distinct(smoothing.levels("features"))
        edge_laws, edge_of_level = _distinct(smoothing.levels("edges"))
        if smoothing.partition is None or not smoothing.localized:
            nobody = np.zeros(nodes, np.int64)
            feature, edge = np.zeros((1, 1), np.int64), np.zeros((1, 1, 1), np.int64)
            return cls(nobody, nobody, feature_laws, edge_laws, feature, edge)
        rank, labels = smoothing.partition.rank, smoothing.partition.labels
        larger = np.maximum(rank[:, :, None], rank[:, None, :])
        feature = feature_of_level[smoothing.level_of_rank("features")[rank]]
        edge = edge_of_level[smoothing.level_of_rank("edges")[larger]]
        everything = np.concatenate([feature, edge.reshape(len(edge), -1)], axis=1)
        _, first, view_of_cluster = np.unique(everything, axis=0, return_index=True, return_inverse=True)
        return cls(view_of_cluster.ravel()[labels], labels, feature_laws, edge_laws, feature[first], edge[first])


def _distinct(levels: tuple[BernoulliFlip, ...]) -> tuple[tuple[BernoulliFlip, ...], Integers]:
    """The distinct laws in order of appearance, and the index of each level's law."""
    laws = tuple(dict.fromkeys(levels)) or (_CLEAN,)
    return laws, np.array([laws.index(law) for law in levels] or [0], np.int64)
