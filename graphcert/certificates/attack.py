"""The worst known perturbation behind a collective certificate: where it changes what, and which targets may fall."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates.grid import Mask
from graphcert.collective import CollectiveCurve
from graphcert.errors import InputError
from graphcert.noise import AXES, Budget, Scheme

Integers = NDArray[np.int64]

OBJECTS: Mapping[str, tuple[str, str]] = {
    "feature_add": ("feature bit", "added"),
    "feature_delete": ("feature bit", "deleted"),
    "edge_add": ("edge", "added"),
    "edge_delete": ("edge", "deleted"),
}
"""What changes on each budget axis, and how."""


class Change(NamedTuple):
    """So many changes of one kind in one place.

    Attributes:
        axis: one of `AXES`.
        blocks: the cluster whose features change, or the two clusters between which edges change, twice the same for edges
            within one.
        amount: how many, > 0.
    """

    axis: str
    blocks: tuple[int, ...]
    amount: int

    @property
    def what(self) -> str:
        """ "2 feature bits added"."""
        thing, done = OBJECTS[self.axis]
        return f"{self.amount:,} {thing}{'' if self.amount == 1 else 's'} {done}"

    @property
    def where(self) -> str:
        """ "in cluster 3", "between clusters 0 and 4"."""
        first, last = self.blocks[0], self.blocks[-1]
        return f"in cluster {first}" if first == last else f"between clusters {first} and {last}"


class Attackable(Protocol):
    """A certificate that answers about allocations, such as `Certificate`."""

    @property
    def smoothing(self) -> Scheme:
        """The scheme."""

    @property
    def targets(self) -> Mask:
        """(N,) the nodes about which claims are made."""

    @property
    def abstained(self) -> Mask:
        """(N,) nodes about which nothing is said."""

    def robust_at(self, feature_add: Any, feature_delete: Any, edge_add: Any, edge_delete: Any) -> Mask:
        """(N,) the nodes that keep their label under one allocation."""


@dataclass(frozen=True, eq=False)
class Attack:
    """One allocation of changes over the clusters, and the targets that no certificate of these votes can save from it.

    It says where changes of which kind do most harm, not which bits. Some base classifier with the proved majorities loses
    all of `broken` in a cluster to it; the classifier at hand may well withstand.

    Attributes:
        feature_add, feature_delete: (J,) feature bits set and cleared per cluster.
        edge_add, edge_delete: (J, J) edges inserted and removed, entry [j, k] with j ≤ k between the clusters j and k.
        broken: (N,) targets with an answer that are not robust under this very allocation, by the exact trade-off.
        abstained: (N,) targets without an answer; the collective certificate counts them as changed.
    """

    feature_add: Integers
    feature_delete: Integers
    edge_add: Integers
    edge_delete: Integers
    broken: Mask
    abstained: Mask

    @classmethod
    def of(cls, certificate: Attackable, curve: CollectiveCurve, row: int = -1) -> "Attack":
        """The best attack that was found at one budget of a curve of `certificate.collective`.

        Args:
            certificate: whose curve it is.
            curve: one with attacks, such as that of method="tight".
            row: which budget, as an index into `curve.budgets`.

        Raises:
            InputError: if the curve has no attacks or no such budget, or is not of this certificate's scheme.
            UnsupportedError: if the allocation is too large for exact arithmetic.
        """
        found = allocation(certificate.smoothing, curve, row)
        robust, targets, silent = certificate.robust_at(*found), certificate.targets, certificate.abstained
        return cls(*found, broken=targets & ~robust & ~silent, abstained=targets & silent)

    @property
    def budget(self) -> Budget:
        """All changes together."""
        return Budget(*(int(changes.sum()) for changes in self._arrays))

    @property
    def changes(self) -> list[Change]:
        """What is changed where, the most first within a kind."""
        found = []
        for axis, array in zip(AXES, self._arrays, strict=True):
            here = [Change(axis, tuple(place), int(array[tuple(place)])) for place in np.argwhere(array).tolist()]
            found += sorted(here, key=lambda change: -change.amount)
        return found

    @property
    def words(self) -> str:
        """All changes in words; without clusters only how many."""
        alone = self.feature_add.size == 1
        parts = [change.what if alone else f"{change.what} {change.where}" for change in self.changes]
        return "; ".join(parts) or "no change"

    @property
    def _arrays(self) -> tuple[Integers, Integers, Integers, Integers]:
        return self.feature_add, self.feature_delete, self.edge_add, self.edge_delete


def allocation(smoothing: Scheme, curve: CollectiveCurve, row: int) -> tuple[Integers, Integers, Integers, Integers]:
    """The allocation of one attack, one array per axis of `AXES`, in the order that `smoothing_problem` gives its axes."""
    if curve.attacks is None:
        raise InputError("this curve holds no attacks; take one of collective(…, method='tight')")
    if not -len(curve) <= row < len(curve):
        raise InputError(f"the curve has {len(curve)} budgets, so there is no row {row}")
    blocks = smoothing.partition.clusters if smoothing.localized and smoothing.partition is not None else 1
    low, high = np.triu_indices(blocks)
    sizes = (blocks, blocks, low.size, low.size)
    attack = curve.attacks[row]
    if attack.size != sum(sizes):
        raise InputError(f"the attacks of this curve have {attack.size} places and the scheme has {sum(sizes)}")
    add, delete, *edges = np.split(attack, np.cumsum(sizes)[:-1])
    squares = np.zeros((2, blocks, blocks), np.int64)
    squares[:, low, high] = edges
    return add, delete, squares[0], squares[1]
