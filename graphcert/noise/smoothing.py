"""Smoothing schemes: which law perturbs which elements, seen from which outputs."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import InputError
from graphcert.noise.laws import BernoulliFlip
from graphcert.noise.partition import Partition

Levels = tuple[BernoulliFlip, ...]
CHANNELS = ("features", "edges")


@dataclass(frozen=True)
class Smoothing:
    """Isotropic smoothing: one law per channel. Localized smoothing: laws per level and a partition.

    Isotropic (theory, sections 0 and 2): the law holds for every feature bit, or for every undirected edge. `None` means
    that the channel is not perturbed; then nothing can be certified against changes of it, and the certificate says so.
    The flip of an edge {u, v} is drawn once and seen in both directions.

    Localized (theory, section 8; Schuchardt et al. 2023): give a list of laws, level 0 first, and a partition. The nodes of
    cluster i are classified under their own noise: features of block j at level ⌊rank[i, j] · L / C⌋ out of L levels, edges
    between the blocks j and k at the level of the larger of the two ranks. Usually the noise rises with the level: little
    nearby, much far away. The scheme is frozen: it belongs to the clean graph and is never recomputed.

    Attributes:
        features: None, a law, or a tuple of laws, one per level.
        edges: likewise.
        partition: needed if a channel has more than one level.

    Raises:
        InputError: if a law is not a law, no channel is perturbed at all, or the levels do not fit the partition.
    """

    features: BernoulliFlip | Levels | None = None
    edges: BernoulliFlip | Levels | None = None
    partition: Partition | None = None

    def __post_init__(self) -> None:
        if self.partition is not None and not isinstance(self.partition, Partition):
            raise InputError(
                f"Smoothing(partition=…) takes a Partition, as partition_graph makes it, got {self.partition!r}"
            )
        for channel in CHANNELS:
            levels = self._checked_levels(channel)
            object.__setattr__(self, channel, levels if len(levels) > 1 else levels[0] if levels else None)
            _warn_about_order(channel, levels)
        if all(law.silent for channel in CHANNELS for law in self.levels(channel)):
            raise InputError("the smoothing perturbs nothing; give features=… or edges=… a law with a rate above 0")

    def _checked_levels(self, channel: str) -> Levels:
        given = getattr(self, channel)
        if given is None:
            return ()
        levels = tuple(given) if isinstance(given, Sequence) else (given,)
        for law in levels:
            if not isinstance(law, BernoulliFlip):
                raise InputError(f"Smoothing({channel}=…) takes laws such as BernoulliFlip(0.01, 0.6), got {law!r}")
        if not levels:
            raise InputError(f"Smoothing({channel}=[]) has no level; give at least one law, or None for no noise")
        if len(levels) > 1:
            if self.partition is None:
                raise InputError(
                    f"{len(levels)} levels of {channel} noise need a partition; make one with partition_graph"
                )
            if len(levels) > self.partition.clusters:
                raise InputError(
                    f"{len(levels)} levels of {channel} noise are more than the {self.partition.clusters} clusters; "
                    f"a level is a rank of clusters"
                )
        return levels

    def levels(self, channel: str) -> Levels:
        """The laws of a channel ("features" or "edges"), level 0 first; empty if the channel stays clean."""
        laws = getattr(self, channel)
        return () if laws is None else laws if isinstance(laws, tuple) else (laws,)

    def perturbs(self, channel: str) -> bool:
        """Whether some element of the channel can change."""
        return any(not law.silent for law in self.levels(channel))

    @property
    def localized(self) -> bool:
        """Whether different outputs see different noise (levels that are all equal are isotropic)."""
        return any(len(set(self.levels(channel))) > 1 for channel in CHANNELS)

    def law(self, channel: str) -> BernoulliFlip | None:
        """The one law of a channel of an isotropic scheme, None if the channel stays clean."""
        levels = self.levels(channel)
        if len(set(levels)) > 1:
            raise InputError(f"the {channel} have {len(set(levels))} levels of noise, not one law")
        return levels[0] if levels else None

    def nearest(self) -> "Smoothing":
        """The isotropic scheme of level 0: the noise that every cluster puts on itself."""
        features, edges = (levels[0] if (levels := self.levels(channel)) else None for channel in CHANNELS)
        return Smoothing(features, edges)

    def check_nodes(self, nodes: int) -> None:
        """Raise `InputError` unless the scheme fits a graph of so many nodes."""
        if self.partition is not None and self.partition.nodes != nodes:
            raise InputError(
                f"the partition of the smoothing has {self.partition.nodes} nodes but the graph has {nodes}; "
                f"partition this graph"
            )

    def level_of_rank(self, channel: str) -> NDArray[np.int64]:
        """(C,) the level at which a group sees a block of each rank."""
        if self.partition is None:
            return np.zeros(1, np.int64)
        clusters = self.partition.clusters
        return np.arange(clusters) * max(1, len(self.levels(channel))) // clusters

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON and TOML ready); `from_dict` inverts it exactly."""
        described: dict[str, Any] = {}
        for channel in CHANNELS:
            laws = [asdict(law) for law in self.levels(channel)]
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
            raise InputError(
                f"a smoothing description has the keys {', '.join(sorted(known))}, got {description!r:.200}"
            )
        laws = {channel: _laws(description[channel]) for channel in CHANNELS if channel in description}
        partition = description.get("partition")
        return cls(**laws, partition=None if partition is None else Partition.from_dict(partition))


def _laws(description: Any) -> BernoulliFlip | Levels:
    """One law, or one per level."""
    try:
        if isinstance(description, Mapping):
            return BernoulliFlip(**description)
        return tuple(BernoulliFlip(**law) for law in description)
    except TypeError as error:
        raise InputError(f"a flip law is described by add and delete: {error}") from None


def _warn_about_order(channel: str, levels: Levels) -> None:
    """Legal but unwise: noise that falls with the distance."""
    if any(far.add < near.add or far.delete < near.delete for near, far in pairwise(levels)):
        warnings.warn(
            f"the {channel} noise falls from one level to the next; level 0 is a group's own cluster, which should have "
            f"the least noise",
            stacklevel=4,
        )
