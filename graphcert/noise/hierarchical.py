"""Hierarchical smoothing: only selected rows are noised, and the classifier sees which."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from graphcert.core.arguments import probability
from graphcert.errors import InputError
from graphcert.noise.law import Law, rates_words, refuse_subclass
from graphcert.noise.node_drop import NodeDrop
from graphcert.noise.partition import Partition
from graphcert.noise.scheme import EdgeValues, Scheme, changed
from graphcert.noise.smoothing import Smoothing, refuse_unknown
from graphcert.noise.tiles import Tiles


@dataclass(frozen=True)
class Selected(Law):
    """A row gets the noise `law` with probability `select`, and the classifier sees whether it did (theory section 6).

    The law of one row under `Hierarchical`. The row is *noised* with probability `select`, which is the probability of being
    ablated if the noise is `Ablation`.

    Raises:
        InputError: if `select` is no probability above 0, or `law` a subclass of a law.
    """

    select: float = field()  # and no default from `Law`
    law: Law
    selects = True

    def __post_init__(self) -> None:
        select = probability("the selection probability 'select'", self.select)
        if select == 0:
            why = "a row that is never noised hides nothing"
            raise InputError(f"the selection probability 'select' must be above 0: {why}")
        refuse_unknown(self.law)
        object.__setattr__(self, "select", select)

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything."""
        return self.law.silent

    @property
    def row(self) -> Law:
        """The noise of a selected row."""
        return self.law

    def dominates(self, weak: "Selected") -> bool:
        """See `Law.dominates`.

        A row that was seen unselected tells which of the two inputs it belongs to, so it can be noised afterwards.
        """
        return self.select <= weak.select and self.law.dominates(weak.law)

    @classmethod
    def worst(cls, levels: Sequence["Selected"]) -> "Selected":
        """The rarest selection of the worst noise."""
        rows = [level.law for level in levels]
        return Selected(min(level.select for level in levels), type(rows[0]).worst(rows))

    @classmethod
    def words(cls, levels: Sequence["Selected"]) -> str:
        """See `Law.words`."""
        rows = [level.law for level in levels]
        select = rates_words(level.select for level in levels)
        return f"{type(rows[0]).words(rows)} in selected nodes (each with probability {select}, seen by the classifier)"

    def adversary_words(self, limit: str = "", edges: str = "undirected edges") -> str:
        """See `Law.adversary_words`."""
        return self.law.adversary_words(" in at most that many nodes", edges)


@dataclass(frozen=True, init=False)
class Hierarchical(Scheme):
    """Each node is selected on its own with probability `select`; only selected rows get the lower feature noise.

    The classifier sees the selection as an extra column of the features (theory, section 6; Scholten et al. 2023). Edge
    noise of the lower scheme stays as it is. `select` = 1 is the lower scheme. Note the direction: `select` is the
    probability of being *noised*; with `Ablation` as lower law that is the probability of being ablated.

    A scheme with `edges` or a partition is written as `Hierarchical(select, Smoothing(…))`. If its features are
    localized, `select` may be a list as well, one probability per level: group i selects the rows of block j with the
    probability of the level at which it sees block j.

    With `tiles` the pixels of a tile are selected together, and wherever changed rows are counted (`nodes`), tiles are: a
    tile of which some pixel changes is one touched tile, δ = 1 − s^(touched tiles).

    Attributes:
        select: a probability above 0, or a tuple of them, one per feature level.
        lower: the lower scheme; a law L given in its place stands for `Smoothing(features=L)`.
        tiles: what is selected together in an image; None if every row is selected on its own.

    Raises:
        InputError: if a probability is none or 0, `lower` is no law and no `Smoothing`, or leaves the features clean, the
            levels do not match, or tiles are given several probabilities (a tile may lie in several blocks).
    """

    select: float | tuple[float, ...]
    lower: Smoothing
    tiles: Tiles | None = None

    def __init__(
        self, select: float | list[float] | tuple[float, ...], lower: Smoothing | Law, tiles: Tiles | None = None
    ) -> None:
        if isinstance(lower, Law):
            lower = Smoothing(features=lower)
        if not isinstance(lower, Smoothing):
            raise InputError(
                f"Hierarchical(lower=…) takes a law such as BernoulliFlip(0.01, 0.6) or a Smoothing, got {lower!r}"
            )
        refuse_subclass(lower, (Smoothing,))
        if not lower.perturbs("features"):
            raise InputError("hierarchical smoothing selects rows for feature noise; give lower=… feature noise")
        laws = lower.levels("features")
        if laws[0].of_all_rows:
            name = type(laws[0]).__name__
            raise InputError(
                f"{name} is a law of all rows together; give it to Smoothing(features=…), not to Hierarchical"
            )
        given = tuple(select) if isinstance(select, (list, tuple)) else (select,)
        if len(given) != len(laws) and given != (select,):
            raise InputError(
                f"select has {len(given)} probabilities but the lower scheme {len(laws)} levels of feature noise; give "
                f"one per level (repeat a law to give it several levels), or one number for all"
            )
        chosen = tuple(Selected(probability, laws[0]).select for probability in given)
        if tiles is not None:
            if not isinstance(tiles, Tiles):
                raise InputError(f"tiles are Tiles(height, width, size), got {tiles!r}")
            if len(set(chosen)) > 1:
                raise InputError(
                    "a tile may lie in several blocks, so tiles have one probability of selection; give one"
                )
            chosen = chosen[:1]
        object.__setattr__(self, "select", chosen if len(chosen) > 1 else chosen[0])
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "tiles", tiles)
        if any(far < near for near, far in pairwise(chosen)):
            falls = "the probability of selection falls from one level to the next"
            nearest = "level 0 is a group's own cluster, which should have the least noise"
            warnings.warn(f"{falls}; {nearest}", stacklevel=2)

    @property
    def unselected(self) -> Smoothing:
        """The lower scheme."""
        return self.lower

    @property
    def partition(self) -> Partition | None:
        """The clusters and ranks of the lower scheme, or None."""
        return self.lower.partition

    def levels(self, channel: str) -> tuple[Any, ...]:
        """The laws of a channel, level 0 first: laws of whole rows (`Selected`) for "features", flips for "edges"."""
        laws = self.lower.levels(channel)
        if channel != "features":
            return laws
        selects = self.select if isinstance(self.select, tuple) else (self.select,) * len(laws)
        return tuple(Selected(s, law) for s, law in zip(selects, laws, strict=True))

    def check_nodes(self, nodes: int) -> None:
        """See `Scheme.check_nodes`."""
        super().check_nodes(nodes)
        if self.tiles is not None and self.tiles.height * self.tiles.width != nodes:
            size = f"{self.tiles.height} × {self.tiles.width} pixels"
            raise InputError(f"the tiles are those of an image of {size}, but there are {nodes} nodes; tile this image")

    def on_graph(self, directed: bool, edge_values: EdgeValues | None) -> "Hierarchical":
        """See `Scheme.on_graph`."""
        return changed(self, lower=self.lower.on_graph(directed, edge_values))

    def as_added(self) -> "Hierarchical":
        """See `Scheme.as_added`."""
        return changed(self, lower=self.lower.as_added())

    def nearest(self) -> "Hierarchical":
        """The isotropic scheme of level 0: the noise that every cluster puts on itself."""
        return Hierarchical(self.levels("features")[0].select, self.lower.nearest(), self.tiles)

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON and TOML ready); `from_dict` inverts it exactly."""
        select = list(self.select) if isinstance(self.select, tuple) else self.select
        tiles = {} if self.tiles is None else {"tiles": asdict(self.tiles)}
        return {"select": select, "lower": self.lower.to_dict(), **tiles}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "Hierarchical":
        """Rebuild a scheme from `to_dict`; raises `InputError` on anything else."""
        if not isinstance(description, Mapping) or set(description) - {"tiles"} != {"select", "lower"}:
            raise InputError(f"hierarchical smoothing is described by select and lower, got {description!r:.200}")
        tiles = description.get("tiles")
        if tiles is not None and not (isinstance(tiles, Mapping) and set(tiles) == {"height", "width", "size"}):
            raise InputError(f"tiles are described by height, width and size, got {tiles!r:.200}")
        of_tiles = None if tiles is None else Tiles(**tiles)
        return cls(description["select"], Smoothing.from_dict(description["lower"]), of_tiles)


def smoothing_from_dict(description: Mapping[str, Any]) -> Smoothing | Hierarchical | NodeDrop:
    """Rebuild any scheme from its `to_dict`; raises `InputError` on anything else."""
    if isinstance(description, Mapping) and "drop" in description:
        return NodeDrop.from_dict(description)
    if isinstance(description, Mapping) and "lower" in description:
        return Hierarchical.from_dict(description)
    return Smoothing.from_dict(description)
