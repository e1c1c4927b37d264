"""The settings of noise."""

from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import numpy as np

from graphcert.errors import InputError
from graphcert.noise import (
    Ablation,
    BernoulliFlip,
    Hierarchical,
    Law,
    NodeDrop,
    Partition,
    Selected,
    Smoothing,
    settings_of_laws,
)
from graphcert.noise.budget import count
from graphcert.noise.law import measured_options
from graphcert.run.settings.typed import check_types, check_value, setting

Rate = float | tuple[float, ...]


def near_far(what: str, value: Any) -> Rate:
    """One number, or (level 0, last level) of a localized scheme."""
    rates = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if len(rates) not in (1, 2):
        raise InputError(f"{what} is one number or the two numbers first:last, got {value!r}")
    return rates[0] if len(rates) == 1 else rates


def per_level(rate: Rate, levels: int) -> list[float]:
    """So many numbers, rising linearly from the first to the last."""
    near, far = rate if isinstance(rate, tuple) else (rate, rate)
    return [float(number) for number in np.linspace(near, far, levels)]


def ends(rate: Rate) -> tuple[float, ...]:
    """The numbers as they were given, one or two."""
    return rate if isinstance(rate, tuple) else (rate,)


@dataclass(frozen=True)
class RatesConfig:
    """Flip rates of one channel: a number each, or (level 0, last level) of a localized scheme."""

    add: Rate = 0.0
    delete: Rate = 0.0

    def __post_init__(self) -> None:
        check_types(self, "smoothing rate")
        for name in ("add", "delete"):
            value = near_far("a flip rate", getattr(self, name))
            for rate in ends(value):
                BernoulliFlip(rate, 0.0)
            object.__setattr__(self, name, value)

    @property
    def silent(self) -> bool:
        """Whether nothing is ever flipped."""
        return all(not np.any(rate) for rate in (self.add, self.delete))

    def laws(self, levels: int) -> tuple[BernoulliFlip, ...]:
        """The laws of so many levels, rates rising linearly from the first to the last."""
        adds, deletes = (per_level(rate, levels) for rate in (self.add, self.delete))
        return tuple(BernoulliFlip(a, d) for a, d in zip(adds, deletes, strict=True))


@dataclass(frozen=True)
class SmoothingConfig:
    """The noise. With several clusters and two rates per operation it is localized (Schuchardt et al. 2023).

    `partition` and `affinity` say how to cluster and to rank clusters, see `partition_graph`.

    Attributes:
        clusters: number of clusters; 1 is isotropic smoothing.
        levels: number of noise levels; by default one per cluster.
        select: the probability that a row gets the feature noise, or (level 0, last level); None noises every row
            without a mark (Scholten et al. 2023).
        lattice: the step that clean features and their noise are whole multiples of; None for real noise.
        laws: feature noise in place of flips, {setting: value} by the setting of its law (`Law.setting`): sigma and
            half_width, a number or (level 0, last level); ablate, so that selected rows are hidden instead of flipped, and
            `select` is the probability of that; keep, so that exactly so many rows keep their features in every sample and
            all others are hidden (Levine & Feizi 2020); and those of registered laws. In a file, keys of this section.
        added_weight, added_attr, directed: as in `Smoothing`; None for its default.
        drop_nodes, drop_edges: the probabilities of `NodeDrop`, in place of all other noise; None for no such noise.
    """

    features: RatesConfig = field(default_factory=RatesConfig)
    edges: RatesConfig = field(default_factory=RatesConfig)
    clusters: int = setting(1, "Clusters of localized smoothing; 1 is isotropic.")
    levels: int | None = setting(None, "Noise levels of localized smoothing (default: one per cluster).")
    partition: str = setting("metis", "metis, spectral, louvain, label_propagation or consecutive.")
    affinity: str = setting("edges", "Rank clusters by edges or pagerank.")
    select: float | tuple[float, ...] | None = setting(
        None, "Hierarchical noise: probability that a node's row gets the feature noise; near:far with --clusters.",
        metavar="RATE",
    )  # fmt: skip
    lattice: float | None = setting(
        None, "Features and continuous noise are whole multiples of this step, e.g. 1/255.", metavar="STEP", kind=str
    )
    added_weight: float | None = setting(None, "Weight of edges that noise adds to weighted ones (default: 1).")
    added_attr: tuple[float, ...] | None = setting(
        None, "Attributes of edges that noise adds, one number per column: 0,1.", metavar="NUMBERS"
    )
    directed: bool = setting(
        False, "Noise and budgets of each direction of an edge apart (default: as the graph is).", "--directed"
    )
    drop_nodes: float | None = setting(
        None, "Probability that a node loses all its edges: noise against nodes that an adversary adds, by itself.",
        metavar="RATE",
    )  # fmt: skip
    drop_edges: float | None = setting(None, "With --drop-nodes: probability that an edge is deleted.", metavar="RATE")
    laws: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self, "smoothing")
        if self.drops:
            self._check_drops()
            return
        self._check_laws()
        self._check_rows()
        self._check_edges()
        if self.edges.silent and not self._kinds:
            options = "--add and --delete for features, --edge-add and --edge-delete for edges"
            raise InputError(f"no noise was given; set {options}")
        if count("clusters", self.clusters) < 1:
            raise InputError(f"the number of clusters must be at least 1, got {self.clusters}")
        if self.levels is not None and not 1 <= count("levels", self.levels) <= self.clusters:
            span = f"between 1 and the {self.clusters} clusters"
            raise InputError(f"the number of levels must lie {span}, got {self.levels}")
        if self.clusters == 1 and (self.levels, self.partition, self.affinity) != (None, "metis", "edges"):
            of_clusters = "levels, partition and affinity are those of several clusters"
            raise InputError(f"{of_clusters}; set --clusters or leave them out")
        if self.levels == 1 and self.clusters > 1:
            raise InputError("one level is the same noise for all clusters; leave --levels out or ask for at least 2")
        flips = (self.features.add, self.features.delete, self.edges.add, self.edges.delete)
        rates = (*flips, self.select, *self.laws.values())
        if self.clusters == 1 and any(isinstance(rate, tuple) for rate in rates):
            raise InputError("rates first:last need several clusters; set --clusters")

    @classmethod
    def keys(cls) -> list[str]:
        """The keys of a section [smoothing]."""
        return [*(one.name for one in fields(cls) if one.name != "laws"), *settings_of_laws()]

    @property
    def drops(self) -> bool:
        """Whether whole nodes are dropped."""
        return self.drop_nodes is not None or self.drop_edges is not None

    @property
    def law(self) -> type[Law] | None:
        """The law of features that was asked for in place of flips."""
        return next((settings_of_laws()[name] for name in self.laws), None)

    @property
    def measured(self) -> bool:
        """Whether changes of features are measured by a norm."""
        return self.law is not None and bool(self.law.norm)

    @property
    def limits_rows(self) -> bool:
        """Whether a number of touched nodes makes a difference."""
        return self.select is not None or (self.law is not None and self.law.of_all_rows)

    @property
    def _kinds(self) -> int:
        """How many kinds of feature noise were asked for."""
        return len(self.laws) + (not self.features.silent)

    def _check_drops(self) -> None:
        """Nodes are dropped by themselves, without any other noise."""
        if self.drop_nodes is None:
            raise InputError("--drop-edges deletes edges besides those of dropped nodes; give --drop-nodes too")
        NodeDrop(self.drop_nodes, self.drop_edges or 0.0)
        usual = [one.name for one in fields(self) if not one.name.startswith("drop") and one.default is not MISSING]
        other = [name for name in usual if getattr(self, name) != type(self).__dataclass_fields__[name].default]
        other += [name for name in ("features", "edges") if not getattr(self, name).silent]
        other += [name for name, value in self.laws.items() if value not in (None, False)]
        if other:
            raise InputError(
                f"dropped nodes are a noise by themselves; leave {', '.join(dict.fromkeys(other))} out, or --drop-nodes"
            )

    def _check_laws(self) -> None:
        """Settings of laws have the types that their laws declare; what is not set, or false, is left out."""
        known = settings_of_laws()
        laws = {name: value for name, value in self.laws.items() if value is not None and value is not False}
        hints = {float: Rate | None, int: int | None, bool: bool}
        for name, value in self.laws.items():
            setting = known[name].setting if name in known else None
            if setting is None:
                raise InputError(f"unknown setting smoothing.{name}; known are {', '.join(self.keys())}")
            check_value(value, hints[setting.kind], f"smoothing.{name}")
            if name in laws and setting.kind is float:
                laws[name] = near_far(name, value)
        object.__setattr__(self, "laws", laws)

    def _check_rows(self) -> None:
        """What can happen to a row of features, and which rows it happens to."""
        options = [law.setting.option for law in settings_of_laws().values() if law.setting is not None]
        if self._kinds > 1:
            raise InputError(
                f"feature noise is of one kind: give --add and --delete (flips of bits), or one of {', '.join(options)}"
            )
        if self.lattice is not None and not self.measured:
            raise InputError(f"a lattice is one of noise of real features; give {measured_options()} with --lattice")
        if self.select is not None:
            object.__setattr__(self, "select", near_far("select", self.select))
        self._feature_laws(1 if self.clusters == 1 else 2)
        if self.select is None:
            if self.law is Ablation:
                raise InputError("ablation hides selected rows; give --select, the probability that a row is ablated")
            return
        for select in ends(self.select):
            Selected(select, Ablation())
        if self.law is not None and self.law.of_all_rows:
            raise InputError(f"{self.law.__name__} chooses its rows itself; leave --select out")
        if not self._kinds:
            raise InputError(
                f"--select chooses the rows that get feature noise, and there is none; give --add and --delete, or one of "
                f"{', '.join(options)}"
            )

    def _check_edges(self) -> None:
        """What is said of edges has a use under this noise."""
        if self.added_attr is not None:
            object.__setattr__(self, "added_attr", tuple(self.added_attr))
        stated = [name for name in ("added_weight", "added_attr") if getattr(self, name) is not None]
        if stated and not np.any(self.edges.add):
            raise InputError(
                f"{' and '.join(stated)} is what edges carry that noise adds, and this noise adds none; give --edge-add, or "
                f"leave it out"
            )
        if self.directed and self.edges.silent:
            raise InputError("directed is about noise of edges, and there is none; give --edge-delete, or leave it out")

    def check_added(self, data: Any) -> None:
        """Raise `InputError` if it is said what added edges carry although no edge of the data carries it."""
        for name, values in (("added_weight", "edge_weight"), ("added_attr", "edge_attr")):
            if getattr(self, name) is not None and data.get(values) is None:
                raise InputError(f"the edges have no {values}, so added ones carry none; leave {name} out")

    def scheme(self, partition: Partition | None) -> Smoothing | Hierarchical | NodeDrop:
        """The frozen scheme over a partition (None for one cluster)."""
        if self.drop_nodes is not None:
            return NodeDrop(self.drop_nodes, self.drop_edges or 0.0)
        levels = 1 if partition is None else self.levels or self.clusters
        features, edges = self._feature_laws(levels), None if self.edges.silent else self.edges.laws(levels)
        weight = 1.0 if self.added_weight is None else self.added_weight
        of_edges: dict[str, Any] = {"added_weight": weight, "added_attr": self.added_attr, "directed": self.directed}
        lower = Smoothing(features, edges, partition, **of_edges)
        return lower if self.select is None else Hierarchical(per_level(self.select, levels), lower)

    def _feature_laws(self, levels: int) -> tuple[Law, ...] | None:
        if self.law is None:
            return None if self.features.silent else self.features.laws(levels)
        (value,), kind = self.laws.values(), self.law
        if kind.of_all_rows:
            return (kind.from_setting(value, self.lattice),)
        values = [value] * levels if isinstance(value, bool | int) else per_level(value, levels)
        return tuple(kind.from_setting(one, self.lattice) for one in values)
