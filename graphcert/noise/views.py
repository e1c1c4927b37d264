"""The different noises that the outputs of a scheme see: one view per group of outputs with the same noise everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from graphcert.core.arrays import Integers
from graphcert.errors import UnsupportedError
from graphcert.noise.bernoulli_flip import CLEAN, HIDDEN, BernoulliFlip
from graphcert.noise.hierarchical import Selected
from graphcert.noise.law import AnyLaw, Law
from graphcert.noise.scheme import Scheme

RowLaw = TypeVar("RowLaw", bound=Law, covariant=True)


@dataclass(frozen=True, eq=False)
class Views(Generic[RowLaw]):
    """Which view an output has, and which law it puts on every block.

    Axes: N nodes, V views, J input blocks. Isotropic schemes have V = J = 1. Clusters that put equal laws on all blocks
    share a view, so that equal levels are isotropic smoothing, vote for vote.

    Attributes:
        of_node, block: (N,) the view of every output, and the input block of every node.
        feature_laws, edge_laws: the distinct laws, those of features of any kind (`Selected` under hierarchical smoothing).
        feature_law, edge_law: (V, J) and (V, J, J) indices into them, the latter symmetric in the blocks.
    """

    of_node: Integers
    block: Integers
    feature_laws: tuple[RowLaw, ...]
    edge_laws: tuple[BernoulliFlip, ...]
    feature_law: Integers
    edge_law: Integers

    @property
    def count(self) -> int:
        """Number of views V."""
        return int(self.feature_law.shape[0])

    @staticmethod
    def of(smoothing: Scheme, nodes: int) -> "Views[Law]":
        """The views of any scheme over `nodes` nodes; a channel without noise has a law that changes nothing."""
        return _views(smoothing, nodes)

    @staticmethod
    def of_flips(smoothing: Scheme, nodes: int) -> "Views[BernoulliFlip]":
        """The same for whoever counts changed bits and edges under flips, and nothing else; other noise is refused."""
        smoothing.check_nodes(nodes)
        if not smoothing.flips_only:
            raise UnsupportedError(
                "this is offered for Smoothing with BernoulliFlip laws, not for hierarchical, continuous or ablation noise"
            )
        return _views(smoothing, nodes)

    @staticmethod
    def of_selected(smoothing: Scheme, nodes: int) -> "Views[Selected]":
        """The same for whoever counts changed rows under hierarchical noise; other noise is refused."""
        if not smoothing.selects_rows:
            raise UnsupportedError("changed rows are counted under hierarchical noise and ablation only")
        return _views(smoothing, nodes)

    def flips_of_rows(self) -> "Views[BernoulliFlip]":
        """The same views of the noise within rows, as flips: of a hidden row nothing is seen. Real features are refused."""
        rows = [law.row if law.row.element == "bits" else HIDDEN for law in self.feature_laws]
        if any(law.row.norm for law in self.feature_laws):
            raise UnsupportedError("changed rows are counted under hierarchical flips and ablation; use one of the two")
        flips = tuple(law for law in rows if isinstance(law, BernoulliFlip))
        return Views(self.of_node, self.block, flips, self.edge_laws, self.feature_law, self.edge_law)


def _views(smoothing: Scheme, nodes: int) -> Views[Any]:
    smoothing.check_nodes(nodes)
    feature_laws, feature_of_level = _distinct(smoothing.levels("features") or (CLEAN,))
    edge_laws, edge_of_level = _distinct(smoothing.levels("edges") or (CLEAN,))
    if smoothing.partition is None or not smoothing.localized:
        nobody = np.zeros(nodes, np.int64)
        feature, edge = np.zeros((1, 1), np.int64), np.zeros((1, 1, 1), np.int64)
        return Views(nobody, nobody, feature_laws, edge_laws, feature, edge)
    rank, labels = smoothing.partition.rank, smoothing.partition.labels
    larger = np.maximum(rank[:, :, None], rank[:, None, :])
    feature = feature_of_level[smoothing.level_of_rank("features")[rank]]
    edge = edge_of_level[smoothing.level_of_rank("edges")[larger]]
    everything = np.concatenate([feature, edge.reshape(len(edge), -1)], axis=1)
    _, first, view_of_cluster = np.unique(everything, axis=0, return_index=True, return_inverse=True)
    return Views(view_of_cluster.ravel()[labels], labels, feature_laws, edge_laws, feature[first], edge[first])


def _distinct(levels: Sequence[AnyLaw]) -> tuple[tuple[AnyLaw, ...], Integers]:
    """The distinct laws in order of appearance, and the index of each level's law."""
    laws = tuple(dict.fromkeys(levels))
    return laws, np.array([laws.index(law) for law in levels], np.int64)
