"""What every smoothing scheme answers about itself: which law perturbs which elements, seen from which outputs."""

import copy
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import InputError
from graphcert.noise.law import Law, refuse_subclass
from graphcert.noise.partition import Partition
from graphcert.noise.tiles import Tiles

if TYPE_CHECKING:
    from graphcert.noise.smoothing import Smoothing

CHANNELS = ("features", "edges")

EdgeValues = Literal["as added", "own"]
"""What edges of a graph with weights or attributes carry: all of them what added edges carry, or some another one."""


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
    def tiles(self) -> Tiles | None:
        """What is selected together in an image; None if rows are selected on their own, or not at all."""
        return None

    @property
    @abstractmethod
    def unselected(self) -> "Smoothing":
        """The scheme without the selection of rows."""

    @abstractmethod
    def levels(self, channel: str) -> tuple[Any, ...]:
        """The laws of a channel ("features" or "edges"), level 0 first, all of one kind; empty if it stays clean."""

    @abstractmethod
    def on_graph(self, directed: bool, edge_values: EdgeValues | None) -> Self:
        """The scheme as votes carry it that were taken on such a graph; what it says of the graph itself stays.

        Args:
            directed: whether some edge of the graph lacks its reverse.
            edge_values: what its edges carry; None without weights and attributes.
        """

    @abstractmethod
    def as_added(self) -> Self:
        """The same scheme on a graph whose edges all carry what added ones do."""

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
    def directed(self) -> bool:
        """Whether every direction of an edge is an edge of its own: flipped, changed and counted apart."""
        return self.unselected.directed

    @property
    def edge_values(self) -> EdgeValues | None:
        """What the edges of the graph carry; None without weights and attributes."""
        return self.unselected.edge_values

    @property
    def reweighted(self) -> bool:
        """Whether deleted edges can only come back with another weight or attribute, and so show more (theory section 2)."""
        return self.unselected.reweighted

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
    def dropped_nodes(self) -> float:
        """The probability that a node loses all its edges; 0 under noise that draws every edge by itself."""
        return 0.0

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

    def counted_rows(self, nodes: int) -> int:
        """How many there are of what a budget of touched nodes counts in a graph of so many nodes: nodes, or tiles."""
        return nodes if self.tiles is None else self.tiles.count

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

    def check_outputs(self, outputs: int, rows: NDArray[np.int64] | None) -> None:
        """Raise `InputError` unless the scheme fits so many outputs.

        They are the nodes of one graph, or, with `rows` (N,), one of each of N inputs that have so many rows.
        """
        if rows is None:
            self.check_nodes(outputs)
            return
        if self.partition is not None:
            raise InputError(
                "a partition is of the rows of one input, and these are outputs of many inputs; give isotropic noise"
            )
        for count in np.unique(rows).tolist():
            self.check_nodes(count)

    def level_of_rank(self, channel: str) -> NDArray[np.int64]:
        """(C,) the level at which a group sees a block of each rank."""
        if self.partition is None:
            return np.zeros(1, np.int64)
        clusters = self.partition.clusters
        return np.arange(clusters) * max(1, len(self.levels(channel))) // clusters


AnyScheme = TypeVar("AnyScheme", bound=Scheme)


def changed(scheme: AnyScheme, **values: Any) -> AnyScheme:
    """A copy with other valid values of some fields, about which nothing is checked or warned of again."""
    twin = copy.copy(scheme)
    for name, value in values.items():
        object.__setattr__(twin, name, value)
    return twin
