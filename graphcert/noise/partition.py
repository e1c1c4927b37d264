"""A partition of the nodes into clusters, and how near the clusters are to each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arrays import Integers, read_only
from graphcert.errors import InputError


@dataclass(frozen=True, eq=False)
class Partition:
    """Clusters of nodes, which serve as output groups i and as input blocks j, and their ranks (theory, section 8).

    Attributes:
        labels: (N,) the cluster of every node, 0 … C − 1; every cluster has at least one node.
        rank: (C, C) integers; rank[i, j] says how near block j is to group i: 0 is i itself, 1 the nearest other block.
            Every row is a permutation of 0 … C − 1 with rank[i, i] = 0. This is the *inverse* of the list of blocks
            sorted by nearness; using that list itself would put noise on the wrong blocks.
        method: how the clusters were found, for people.

    Raises:
        InputError: if a label or rank is outside its domain, or a cluster is empty.
    """

    labels: Integers
    rank: Integers
    method: str = "given"

    def __post_init__(self) -> None:
        for name in ("labels", "rank"):
            array = np.asarray(getattr(self, name))
            if array.size and not np.issubdtype(array.dtype, np.integer):
                raise InputError(f"the {name} of a partition must be integers, got {array.dtype}")
            object.__setattr__(self, name, read_only(np.array(array, dtype=np.int64)))
        if self.labels.ndim != 1 or not self.labels.size:
            raise InputError(f"a partition needs one cluster per node, got labels of shape {self.labels.shape}")
        clusters = self.rank.shape[0] if self.rank.ndim == 2 else -1
        if self.rank.shape != (clusters, clusters) or clusters < 1:
            raise InputError(f"the rank matrix must be square, got shape {self.rank.shape}")
        if self.labels.min() < 0 or self.labels.max() >= clusters:
            domain = f"cluster labels must lie in 0 … {clusters - 1}"
            raise InputError(f"{domain}, as the rank matrix has {clusters} clusters")
        empty = np.flatnonzero(np.bincount(self.labels, minlength=clusters) == 0)
        if empty.size:
            raise InputError(f"cluster {empty[0]} has no nodes; ask for fewer clusters or leave it out")
        if not (np.sort(self.rank, axis=1) == np.arange(clusters)).all() or self.rank.diagonal().any():
            raise InputError("every row of the rank matrix must be a permutation of 0 … C − 1 with 0 on the diagonal")

    @classmethod
    def of_affinity(cls, labels: ArrayLike, affinity: ArrayLike, method: str = "given") -> "Partition":
        """Rank the blocks of every group by falling affinity; the own block comes first, ties go to the smaller block.

        Args:
            labels: (N,) the cluster of every node.
            affinity: (C, C) finite; affinity[i, j] says how near block j is to group i. The diagonal does not matter.
            method: how the clusters were found, for people.

        Raises:
            InputError: if the affinity is not such a matrix, or the labels do not fit it.
        """
        try:
            scores = np.array(affinity, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError("the affinity of clusters must be a square matrix of numbers") from None
        if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or not np.isfinite(scores).all():
            raise InputError(f"the affinity of clusters must be a finite square matrix, got shape {scores.shape}")
        np.fill_diagonal(scores, np.inf)
        order = np.argsort(-scores, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(len(order))[None, :], axis=1)  # the inverse of every row of `order`
        return cls(np.asarray(labels), rank, method)

    @property
    def clusters(self) -> int:
        """Number of clusters C."""
        return int(self.rank.shape[0])

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return int(self.labels.size)

    @cached_property
    def sizes(self) -> Integers:
        """(C,) number of nodes per cluster."""
        return read_only(np.bincount(self.labels, minlength=self.clusters).astype(np.int64))

    @cached_property
    def _identity(self) -> str:
        return sha256(self.labels.astype("<i8").tobytes() + self.rank.astype("<i8").tobytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Partition) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def to_dict(self) -> dict[str, Any]:
        """A plain description; `from_dict` inverts it exactly."""
        return {"labels": self.labels.tolist(), "rank": self.rank.tolist(), "method": self.method}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "Partition":
        """Rebuild a partition from `to_dict`; raises `InputError` on anything else."""
        try:
            return cls(np.array(description["labels"]), np.array(description["rank"]), str(description["method"]))
        except Exception as error:  # whatever a value of another kind makes numpy stumble over
            raise InputError(f"a partition is described by labels, rank and method: {str(error)[:200]}") from None
