"""Smoothing schemes: which law perturbs which elements, seen from which outputs."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import InputError
from graphcert.noise.bernoulli_flip import BernoulliFlip
from graphcert.noise.law import LAWS, Law, law_from_dict, refuse_subclass
from graphcert.noise.partition import Partition

CHANNELS = ("features", "edges")


class Scheme(ABC):
    """A smoothing scheme: which law perturbs which elements, seen from which outputs (theory, section 0).

    Votes carry one, and certificates are about one. All that they ask follows from the laws per channel and level, and
    from the partition. A subclass is frozen and hashable.
    """

    @property
    @abstractmethod
    def partition(self) -> Partition | None:
        """The clusters and ranks of a localized scheme, or None."""

    @property
    @abstractmethod
    def unselected(self) -> "Smoothing":
        """The scheme without the selection of rows."""

    @abstractmethod
    def levels(self, channel: str) -> tuple[Any, ...]:
        """The laws of a channel ("features" or "edges"), level 0 first, all of one kind; empty if it stays clean."""

    @abstractmethod
    def nearest(self) -> "Scheme":
        """The isotropic scheme of level 0: the noise that every cluster puts on itself."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON and TOML ready); `smoothing_from_dict` inverts it exactly."""

    def perturbs(self, channel: str) -> bool:
        """Whether some element of the channel can change."""
        return any(not law.silent for law in self.levels(channel))

    @property
    def localized(self) -> bool:
        """Whether different outputs see different noise (levels that are all equal are isotropic)."""
        return any(len(set(self.levels(channel))) > 1 for channel in CHANNELS)

    @property
    def feature_law(self) -> Law | None:
        """The feature noise of level 0, without the selection of rows; every level is of its kind. None if there is none."""
        return next(iter(self.unselected.levels("features")), None)

    @property
    def selects_rows(self) -> bool:
        """Whether only selected rows get the feature noise, and the classifier sees which."""
        return any(law.selects for law in self.levels("features"))

    @property
    def hides_rows(self) -> bool:
        """Whether rows are hidden, so that they may change at will and their number is a budget of its own."""
        return self.feature_law is not None and self.feature_law.element == "rows"

    @property
    def norm(self) -> str:
        """The norm that measures changes of features, "ℓ2" or "ℓ1"; empty if they are counted."""
        return "" if self.feature_law is None else self.feature_law.norm

    @property
    def smallest_scale(self) -> float | None:
        """The smallest scale of noise on real features; None under other noise."""
        return min((law.scale for law in self.unselected.levels("features")), default=None) if self.norm else None

    @property
    def flips_only(self) -> bool:
        """Whether all noise is independent flips: no selection of rows, no Gaussian noise, no ablation."""
        return not self.selects_rows and (self.feature_law is None or self.feature_law.element == "bits")

    @property
    def flips_features(self) -> bool:
        """Whether feature bits are flipped, in every row or in selected ones, so that features must be 0 or 1."""
        return any(law.element == "bits" and not law.silent for law in self.unselected.levels("features"))

    def law(self, channel: str) -> Law | None:
        """The one law of a channel of an isotropic scheme, None if the channel stays clean."""
        levels = self.levels(channel)
        if len(set(levels)) > 1:
            raise InputError(f"the {channel} have {len(set(levels))} levels of noise, not one law")
        return levels[0] if levels else None

    def check_nodes(self, nodes: int) -> None:
        """Raise `InputError` unless the scheme fits a graph of so many nodes and is of no subclass of a known scheme."""
        refuse_subclass(self, Scheme.__subclasses__())
        if self.partition is not None and self.partition.nodes != nodes:
            found = f"the partition of the smoothing has {self.partition.nodes} nodes but the graph has {nodes}"
            raise InputError(f"{found}; partition this graph")
        for law in self.levels("features"):
            law.among(nodes)

    def level_of_rank(self, channel: str) -> NDArray[np.int64]:
        """(C,) the level at which a group sees a block of each rank."""
        if self.partition is None:
            return np.zeros(1, np.int64)
        clusters = self.partition.clusters
        return np.arange(clusters) * max(1, len(self.levels(channel))) // clusters


@dataclass(frozen=True)
class Smoothing(Scheme):
    """Isotropic smoothing: one law per channel. Localized smoothing: laws per level and a partition.

    Isotropic (theory, sections 0 and 2): the law holds for every feature bit, or for every undirected edge. `None` means
    that the channel is not perturbed; then nothing can be certified against changes of it, and the certificate says so.
    The flip of an edge {u, v} is drawn once and seen in both directions.

    Localized (theory, section 8; Schuchardt et al. 2023): give a list of laws, level 0 first, and a partition. The nodes of
    cluster i are classified under their own noise: features of block j at level ⌊rank[i, j] · L / C⌋ out of L levels, edges
    between the blocks j and k at the level of the larger of the two ranks. Usually the noise rises with the level: little
    nearby, much far away. The scheme is frozen: it belongs to the clean graph and is never recomputed.

    Attributes:
        features: None, a law (`BernoulliFlip` for bits, `Gaussian` or `Uniform` for real features, `Ablation` or
            `SubsetAblation` of whole rows), or a tuple of laws of one kind, one per level; all levels have the same lattice.
        edges: likewise, flips only.
        partition: needed if a channel has more than one level.

    Raises:
        InputError: if a law is not a law or of a subclass of one, no channel is perturbed at all, or the levels do not fit
            the partition.
    """

    features: Law | tuple[Law, ...] | None = None
    edges: BernoulliFlip | tuple[BernoulliFlip, ...] | None = None
    partition: Partition | None = None

    def __post_init__(self) -> None:
        if self.partition is not None and not isinstance(self.partition, Partition):
            raise InputError(
                f"Smoothing(partition=…) takes a Partition, as partition_graph makes it, got {self.partition!r}"
            )
        refuse_subclass(self.partition, (Partition,))
        for channel in CHANNELS:
            levels = self._checked_levels(channel)
            object.__setattr__(self, channel, levels if len(levels) > 1 else levels[0] if levels else None)
            _warn_about_order(channel, levels)
        if all(law.silent for channel in CHANNELS for law in self.levels(channel)):
            raise InputError("the smoothing perturbs nothing; give features=… or edges=… a law with a rate above 0")

    def _checked_levels(self, channel: str) -> tuple[Law, ...]:
        given = getattr(self, channel)
        if given is None:
            return ()
        levels = tuple(given) if isinstance(given, Sequence) else (given,)
        for law in levels:
            if not isinstance(law, Law if channel == "features" else BernoulliFlip) or law.selects:
                raise InputError(f"Smoothing({channel}=…) takes laws such as BernoulliFlip(0.01, 0.6), got {law!r}")
            refuse_unknown(law)
        if len({type(law) for law in levels}) > 1:
            raise InputError(f"all levels of {channel} noise must be laws of one kind, got {levels}")
        if len({law.lattice for law in levels}) > 1:
            raise InputError(f"all levels of {channel} noise must have the same lattice, got {levels}")
        if len(levels) > 1 and levels[0].of_all_rows:
            name = type(levels[0]).__name__
            raise InputError(f"{name} is a law of all rows together and has no levels; give it alone")
        if not levels:
            raise InputError(f"Smoothing({channel}=[]) has no level; give at least one law, or None for no noise")
        if len(levels) > 1:
            several = f"{len(levels)} levels of {channel} noise"
            if self.partition is None:
                raise InputError(f"{several} need a partition; make one with partition_graph")
            if len(levels) > (clusters := self.partition.clusters):
                raise InputError(f"{several} are more than the {clusters} clusters; a level is a rank of clusters")
        return levels

    @property
    def unselected(self) -> "Smoothing":
        """The scheme without the selection of rows: itself."""
        return self

    def levels(self, channel: str) -> tuple[Any, ...]:
        """The laws of a channel ("features" or "edges"), level 0 first; empty if the channel stays clean."""
        laws = getattr(self, channel)
        return () if laws is None else laws if isinstance(laws, tuple) else (laws,)

    def nearest(self) -> "Smoothing":
        """The isotropic scheme of level 0: the noise that every cluster puts on itself."""
        features, edges = (levels[0] if (levels := self.levels(channel)) else None for channel in CHANNELS)
        return Smoothing(features, edges)

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON and TOML ready); `from_dict` inverts it exactly."""
        described: dict[str, Any] = {}
        for channel in CHANNELS:
            laws = [law.to_dict() for law in self.levels(channel)]
            if laws:
                described[channel] = laws if isinstance(getattr(self, channel), tuple) else laws[0]
        if self.partition is not None:
            described["partition"] = self.partition.to_dict()
        return described

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "Smoothing":
        """Rebuild a scheme from `to_dict`; raises `InputError` on anything else."""
        known = {*CHANNELS, "partition"}
        if not isinstance(description, Mapping) or set(description) - known:
            keys = ", ".join(sorted(known))
            raise InputError(f"a smoothing description has the keys {keys}, got {description!r:.200}")
        laws = {channel: _laws(description[channel]) for channel in CHANNELS if channel in description}
        partition = description.get("partition")
        return cls(**laws, partition=None if partition is None else Partition.from_dict(partition))


def as_scheme(smoothing: object) -> Scheme:
    """The scheme itself, or `Smoothing(features=law)` for a bare law of features; raises `InputError` if it is neither."""
    if isinstance(smoothing, Scheme):
        return smoothing
    if isinstance(smoothing, Law):
        return Smoothing(features=smoothing)
    raise InputError(
        f"smoothing takes a Smoothing, such as Smoothing(features=BernoulliFlip(0.01, 0.6)), or one law of features, "
        f"got {smoothing!r:.200}"
    )


def refuse_unknown(law: Law) -> None:
    """Raise `InputError` for a law of a subclass of a known one, or that nobody registered."""
    refuse_subclass(law, LAWS)
    if type(law) not in LAWS:
        raise InputError(f"{type(law).__name__} is not known as a law of noise; register it with register_law first")


def _laws(description: Any) -> Any:
    """One law, or one per level."""
    if isinstance(description, Mapping):
        return law_from_dict(description)
    try:
        return tuple(law_from_dict(law) for law in description)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"a channel is described by a law or a list of laws: {error}") from None


def _warn_about_order(channel: str, levels: tuple[Law, ...]) -> None:
    """Legal but unwise: noise that falls with the distance."""
    rates = [[getattr(law, field) for field, _ in law.symbols] for law in levels]
    if any(f < n for near, far in pairwise(rates) for n, f in zip(near, far, strict=True)):
        nearest = "level 0 is a group's own cluster, which should have the least noise"
        warnings.warn(f"the {channel} noise falls from one level to the next; {nearest}", stacklevel=4)
