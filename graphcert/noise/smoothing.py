"""Smoothing schemes of one law per channel, or one per channel and level."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from itertools import pairwise
from typing import Any, get_args

from graphcert.core.arguments import real
from graphcert.errors import InputError
from graphcert.noise.bernoulli_flip import BernoulliFlip, ReweightedFlip
from graphcert.noise.law import LAWS, Law, law_from_dict, refuse_subclass
from graphcert.noise.partition import Partition
from graphcert.noise.scheme import CHANNELS, EdgeValues, Scheme, changed


@dataclass(frozen=True)
class Smoothing(Scheme):
    """Isotropic smoothing: one law per channel. Localized smoothing: laws per level and a partition.

    Isotropic (theory, sections 0 and 2): the law holds for every feature bit, or for every undirected edge. `None` means
    that the channel is not perturbed; then nothing can be certified against changes of it, and the certificate says so.
    The flip of an edge {u, v} is drawn once and seen in both directions; on a directed graph every ordered pair is an edge
    of its own. Weights and attributes stay with the edges that survive, and edges that are added carry stated ones.

    Localized (theory, section 8; Schuchardt et al. 2023): give a list of laws, level 0 first, and a partition. The nodes of
    cluster i are classified under their own noise: features of block j at level ⌊rank[i, j] · L / C⌋ out of L levels, edges
    between the blocks j and k at the level of the larger of the two ranks. Usually the noise rises with the level: little
    nearby, much far away. The scheme is frozen: it belongs to the clean graph and is never recomputed.

    Attributes:
        features: None, a law (`BernoulliFlip` for bits, `Gaussian` or `Uniform` for real features, `Ablation` or
            `SubsetAblation` of whole rows), or a tuple of laws of one kind, one per level; all levels have the same lattice.
        edges: likewise, flips only.
        partition: needed if a channel has more than one level.
        directed: flips of edges are drawn, and their changes counted, for every direction apart. Sampling a directed graph
            sets it; on an undirected one it lets a model see an edge in one direction only.
        added_weight: the weight of edges that noise or an adversary adds to data with `edge_weight`.
        added_attr: likewise the attributes, one number per column of `edge_attr`.
        edge_values: what the edges of the graph carry; sampling sets it, so leave it out.

    Raises:
        InputError: if a law is not a law or of a subclass of one, no channel is perturbed at all, or the levels do not fit
            the partition.
    """

    features: Law | tuple[Law, ...] | None = None
    edges: BernoulliFlip | tuple[BernoulliFlip, ...] | None = None
    partition: Partition | None = None
    _: KW_ONLY
    directed: bool = False
    added_weight: float = 1.0
    added_attr: tuple[float, ...] | None = None
    edge_values: EdgeValues | None = None

    def __post_init__(self) -> None:
        self._check_edges()
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

    def _check_edges(self) -> None:
        """Raise `InputError` unless directions and what edges carry are what they should be."""
        if not isinstance(self.directed, bool):
            raise InputError(f"Smoothing(directed=…) is True or False, got {self.directed!r}")
        if self.edge_values not in (None, *get_args(EdgeValues)):
            raise InputError(f"Smoothing(edge_values=…) is set by sampling, leave it out; got {self.edge_values!r}")
        object.__setattr__(self, "added_weight", _finite("added_weight", [self.added_weight])[0])
        if self.added_attr is not None:
            given = self.added_attr if isinstance(self.added_attr, Sequence) else (self.added_attr,)
            object.__setattr__(self, "added_attr", _finite("added_attr", given))

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
        laws = self._given(channel)
        if channel == "edges" and self.reweighted:
            return tuple(ReweightedFlip(law.add, law.delete) for law in laws)
        return laws

    def _given(self, channel: str) -> tuple[Any, ...]:
        laws = getattr(self, channel)
        return () if laws is None else laws if isinstance(laws, tuple) else (laws,)

    @property
    def reweighted(self) -> bool:
        """See `Scheme.reweighted`."""
        return self.edge_values == "own" and any(law.add > 0 for law in self._given("edges"))

    def on_graph(self, directed: bool, edge_values: EdgeValues | None) -> "Smoothing":
        """See `Scheme.on_graph`."""
        values = "own" if "own" in (self.edge_values, edge_values) else self.edge_values or edge_values
        return changed(self, directed=self.directed or directed, edge_values=values)

    def as_added(self) -> "Smoothing":
        """See `Scheme.as_added`."""
        return changed(self, edge_values=self.edge_values and "as added")

    def nearest(self) -> "Smoothing":
        """The isotropic scheme of level 0: the noise that every cluster puts on itself."""
        first = {channel: levels[0] if (levels := self._given(channel)) else None for channel in CHANNELS}
        return changed(self, **first, partition=None)

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON and TOML ready); `from_dict` inverts it exactly."""
        described: dict[str, Any] = {}
        for channel in CHANNELS:
            laws = [law.to_dict() for law in self._given(channel)]
            if laws:
                described[channel] = laws if isinstance(getattr(self, channel), tuple) else laws[0]
        if self.partition is not None:
            described["partition"] = self.partition.to_dict()
        # What is not set is not named, so that old descriptions stay.
        others = {field.name: getattr(self, field.name) for field in fields(self) if field.name in _EDGES}
        described |= {name: value for name, value in others.items() if value != getattr(type(self), name)}
        if self.added_attr is not None:
            described["added_attr"] = list(self.added_attr)
        return described

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "Smoothing":
        """Rebuild a scheme from `to_dict`; raises `InputError` on anything else."""
        known = {*CHANNELS, "partition", *_EDGES}
        if not isinstance(description, Mapping) or set(description) - known:
            keys = ", ".join(sorted(known))
            raise InputError(f"a smoothing description has the keys {keys}, got {description!r:.200}")
        laws = {channel: _laws(description[channel]) for channel in CHANNELS if channel in description}
        partition = description.get("partition")
        edges = {name: description[name] for name in _EDGES if name in description}
        return cls(**laws, partition=None if partition is None else Partition.from_dict(partition), **edges)


_EDGES = ("directed", "added_weight", "added_attr", "edge_values")


def _finite(name: str, values: Sequence[Any]) -> tuple[float, ...]:
    """Numbers as floats; raises `InputError` unless there are some and all are finite."""
    if not values:
        raise InputError(f"Smoothing({name}=()) has no number; give one per column of edge_attr, or leave it out")
    return tuple(real(name, value) + 0.0 for value in values)


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
