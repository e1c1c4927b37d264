"""What every smoothing scheme answers, whatever it is made of."""

from abc import ABC, abstractmethod
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import InputError
from graphcert.noise.exact import refuse_subclass
from graphcert.noise.laws import BernoulliFlip, Law, Selected, SubsetAblation
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

    @overload
    def levels(self, channel: Literal["edges"]) -> tuple[BernoulliFlip, ...]: ...

    @overload
    def levels(self, channel: str) -> tuple[Any, ...]: ...

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
    def flips_only(self) -> bool:
        """Whether all noise is independent flips: no selection of rows, no Gaussian noise, no ablation."""
        return all(isinstance(law, BernoulliFlip) for channel in CHANNELS for law in self.levels(channel))

    @property
    def flips_features(self) -> bool:
        """Whether feature bits are flipped, in every row or in selected ones, so that features must be 0 or 1."""
        rows = [law.law if isinstance(law, Selected) else law for law in self.levels("features")]
        return any(isinstance(law, BernoulliFlip) and not law.silent for law in rows)

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
            raise InputError(
                f"the partition of the smoothing has {self.partition.nodes} nodes but the graph has {nodes}; "
                f"partition this graph"
            )
        for law in self.levels("features"):
            if isinstance(law, SubsetAblation):
                law.among(nodes)

    def level_of_rank(self, channel: str) -> NDArray[np.int64]:
        """(C,) the level at which a group sees a block of each rank."""
        if self.partition is None:
            return np.zeros(1, np.int64)
        clusters = self.partition.clusters
        return np.arange(clusters) * max(1, len(self.levels(channel))) // clusters
