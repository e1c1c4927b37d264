"""The worst known perturbation behind a collective certificate: where it changes what, and which targets may fall."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from graphcert.certificates.score_certificate import ScoreCertificate
from graphcert.certificates.stored import Stored
from graphcert.certificates.vote_certificate import Certificate
from graphcert.collective import CollectiveCurve
from graphcert.core.arrays import Integers, Mask
from graphcert.errors import InputError
from graphcert.noise import AXES, Budget, Scheme

_Changes = tuple[Integers, Integers, Integers, Integers]

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


@dataclass(frozen=True, eq=False, repr=False)
class Attack(Stored):
    """One allocation of changes over the clusters, and the targets that no certificate of these votes can save from it.

    It says where changes of which kind do most harm, not which bits. Some base classifier with the proved majorities loses
    all of `broken` in a cluster to it; the classifier at hand may well withstand.

    Attributes:
        feature_add, feature_delete: (J,) feature bits set and cleared per cluster.
        edge_add, edge_delete: (J, J) edges inserted and removed, entry [j, k] with j ≤ k between the clusters j and k.
        broken: (N,) targets with an answer that are not robust under this very allocation, by the exact trade-off.
        abstained: (N,) targets without an answer; the collective certificate counts them as changed.
        rows: (J,) rows of features that change per cluster, in which all changed bits lie, under hierarchical noise; None
            under noise that does not select rows.
        possible: (N, K) the classes to which each target of `broken` could fall, as far as the bounds of each class tell;
            False elsewhere. What is left out is left out rightly with probability ≥ 1 − alpha of the certificate, a claim
            beside its other ones. None where the classes have no bounds of their own, as under the binary rule.
    """

    feature_add: Integers
    feature_delete: Integers
    edge_add: Integers
    edge_delete: Integers
    broken: Mask
    abstained: Mask
    rows: Integers | None = None
    possible: Mask | None = None

    _LATER_FIELDS = ("possible",)

    def __post_init__(self) -> None:
        super().__post_init__()
        blocks, counted = self.feature_add.size, () if self.rows is None else (self.rows,)
        changes = (*self._changes_per_axis, *counted)
        if [array.shape for array in changes] != [(blocks,)] * 2 + [(blocks, blocks)] * 2 + [(blocks,)] * len(counted):
            raise InputError("an attack has one number of changes per cluster, or per two clusters")
        if any((array < 0).any() for array in changes) or self.broken.shape != self.abstained.shape:
            raise InputError("an attack has numbers of changes of at least 0, and one mask entry per node")
        if self.possible is not None and (
            self.possible.ndim != 2
            or self.possible.shape[0] != self.broken.size
            or not np.array_equal(self.possible.any(axis=1), self.broken)
        ):
            raise InputError("possible classes have a row per node, with a class exactly for the targets that may fall")

    @classmethod
    def of(cls, certificate: Certificate | ScoreCertificate, curve: CollectiveCurve, row: int = -1) -> "Attack":
        """The best attack that was found at one budget of a curve of `certificate.collective`.

        Args:
            certificate: whose curve it is.
            curve: one with attacks, such as that of method="tight".
            row: which budget, as an index into `curve.budgets`.

        Raises:
            InputError: if the curve has no attacks or no such budget, or is not of this certificate's scheme.
            UnsupportedError: if the allocation is too large for exact arithmetic.
        """
        found, rows = allocation(certificate.smoothing, curve, row)
        options = {}
        if certificate.smoothing.selects_rows:
            # Where nobody counted rows, all of them are selected, and one row is as good as many.
            options["rows"] = np.minimum(found[0] + found[1], 1) if rows is None else rows
        robust = certificate.robust_at(*found, **options)
        targets, silent = certificate.targets, certificate.abstained
        broken = targets & ~robust & ~silent
        possible = None
        if isinstance(certificate, Certificate) and (reached := certificate.possible_at(*found, **options)) is not None:
            others = broken[:, None] & (certificate.labels[:, None] != np.arange(certificate.classes))
            possible = others & reached
            # A target falls because of some other class; where rounding hides which, it may be any.
            possible |= others & ~possible.any(axis=1)[:, None]
        return cls(*found, broken=broken, abstained=targets & silent, rows=rows, possible=possible)

    @property
    def budget(self) -> Budget:
        """All changes together."""
        counts = [int(changes.sum()) for changes in self._changes_per_axis]
        return replace(Budget(*counts), nodes=None if self.rows is None else int(self.rows.sum()))

    @property
    def changes(self) -> list[Change]:
        """What is changed where, the most first within a kind."""
        found = []
        for axis, array in zip(AXES, self._changes_per_axis, strict=True):
            here = [Change(axis, tuple(place), int(array[tuple(place)])) for place in np.argwhere(array).tolist()]
            found += sorted(here, key=lambda change: -change.amount)
        return found

    @property
    def words(self) -> str:
        """All changes in words; without clusters only how many."""
        alone = self.feature_add.size == 1
        parts = [change.what if alone else f"{change.what} {change.where}" for change in self.changes]
        if self.rows is not None and self.rows.any():
            counts = [(f"{n:,} node{'' if n == 1 else 's'}", j) for j, n in enumerate(self.rows.tolist()) if n]
            nodes = [words if alone else f"{words} of cluster {j}" for words, j in counts]
            parts.append(f"features change in {', '.join(nodes)}")
        return "; ".join(parts) or "no change"

    def summary(self) -> str:
        """One line: what is changed, and how many targets may fall."""
        fall, abstain = int(self.broken.sum()), int(self.abstained.sum())
        return f"Attack: {self.words}; {fall:,} targets may fall{self.possible_words}, {abstain:,} abstain"

    @property
    def possible_words(self) -> str:
        """ " (12 of them to one class only)"; nothing where it is not known to which."""
        if self.possible is None:
            return ""
        single = int((self.possible.sum(axis=1) == 1).sum())
        return f" ({single:,} of them to one class only)" if single else ""

    @property
    def _changes_per_axis(self) -> _Changes:
        return self.feature_add, self.feature_delete, self.edge_add, self.edge_delete


def allocation(smoothing: Scheme, curve: CollectiveCurve, row: int) -> tuple[_Changes, Integers | None]:
    """One attack: an array per axis of `AXES`, and (J,) the rows that change per cluster, None where they do not count.

    The changes stand in the order that `smoothing_problem` gives its axes, and changed rows behind them.
    """
    if curve.attacks is None:
        raise InputError("this curve holds no attacks; take one of collective(…, method='tight')")
    if not -len(curve) <= row < len(curve):
        raise InputError(f"the curve has {len(curve)} budgets, so there is no row {row}")
    blocks = smoothing.partition.clusters if smoothing.localized and smoothing.partition is not None else 1
    attack, places = curve.attacks[row], blocks * (blocks + 3)
    # Where every row is selected, changed rows make no difference and nobody counts them.
    if attack.size not in ((places, places + blocks) if smoothing.selects_rows else (places,)):
        raise InputError(f"the attacks of this curve have {attack.size} places and the scheme has {places}")
    low, high = np.triu_indices(blocks)
    add, delete, *edges, rows = np.split(attack, np.cumsum((blocks, blocks, low.size, low.size)))
    squares = np.zeros((2, blocks, blocks), np.int64)
    squares[:, low, high] = edges
    return (add, delete, squares[0], squares[1]), rows if rows.size else None
