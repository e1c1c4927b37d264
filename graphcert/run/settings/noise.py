"""The settings of noise."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphcert.errors import InputError
from graphcert.noise import (
    Ablation,
    BernoulliFlip,
    Gaussian,
    Hierarchical,
    Partition,
    Selected,
    Smoothing,
    SubsetAblation,
    Uniform,
)
from graphcert.noise.budget import count
from graphcert.noise.laws import FeatureLaw
from graphcert.run.settings.typed import check_types, option

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

    Attributes:
        features, edges: flip rates.
        clusters: number of clusters; 1 is isotropic smoothing.
        levels: number of noise levels; by default one per cluster.
        partition: how to cluster, see `partition_graph`.
        affinity: how to rank clusters, see `partition_graph`.
        select: the probability that a row gets the feature noise, or (level 0, last level); None noises every row
            without a mark (Scholten et al. 2023).
        ablate: selected rows are hidden instead of flipped; then `select` is the probability of being ablated.
        sigma: standard deviation of Gaussian feature noise in place of flips, or (level 0, last level).
        half_width: λ of uniform feature noise on [−λ, λ] in place of flips, or (level 0, last level).
        lattice: the step that clean features and their continuous noise are whole multiples of; None for real noise.
        keep: exactly so many rows keep their features in every sample, all others are hidden (Levine & Feizi 2020).
    """

    features: RatesConfig = field(default_factory=RatesConfig)
    edges: RatesConfig = field(default_factory=RatesConfig)
    clusters: int = field(default=1, metadata=option("Clusters of localized smoothing; 1 is isotropic."))
    levels: int | None = field(
        default=None, metadata=option("Noise levels of localized smoothing (default: one per cluster).")
    )
    partition: str = field(default="metis", metadata=option("metis, spectral, louvain or label_propagation."))
    affinity: str = field(default="edges", metadata=option("Rank clusters by edges or pagerank."))
    select: Rate | None = field(
        default=None,
        metadata=option(
            "Hierarchical noise: probability that a node's row gets the feature noise; near:far with --clusters.",
            metavar="RATE",
        ),
    )
    ablate: bool = field(
        default=False,
        metadata=option(
            "Hide selected rows instead of flipping bits; then --select is the probability of being ablated.",
            "--ablate",
        ),
    )
    sigma: Rate | None = field(
        default=None,
        metadata=option("Gaussian feature noise of this deviation in place of --add and --delete.", metavar="SIGMA"),
    )
    half_width: Rate | None = field(
        default=None,
        metadata=option("Uniform feature noise on [−λ, λ] in place of --add and --delete.", metavar="LAMBDA"),
    )
    lattice: float | None = field(
        default=None,
        metadata=option(
            "Features and continuous noise are whole multiples of this step, e.g. 1/255.", metavar="STEP", kind=str
        ),
    )
    keep: int | None = field(
        default=None,
        metadata=option("Exactly so many rows keep their features, all others are hidden (ablation)."),
    )

    def __post_init__(self) -> None:
        check_types(self, "smoothing")
        self._check_rows()
        if self.edges.silent and not self._kinds:
            raise InputError(
                "no noise was given; set --add and --delete for features, --edge-add and --edge-delete for edges"
            )
        if count("clusters", self.clusters) < 1:
            raise InputError(f"the number of clusters must be at least 1, got {self.clusters}")
        if self.levels is not None and not 1 <= count("levels", self.levels) <= self.clusters:
            raise InputError(
                f"the number of levels must lie between 1 and the {self.clusters} clusters, got {self.levels}"
            )
        if self.clusters == 1 and (self.levels, self.partition, self.affinity) != (None, "metis", "edges"):
            raise InputError(
                "levels, partition and affinity are those of several clusters; set --clusters or leave them out"
            )
        if self.levels == 1 and self.clusters > 1:
            raise InputError("one level is the same noise for all clusters; leave --levels out or ask for at least 2")
        flips = (self.features.add, self.features.delete, self.edges.add, self.edges.delete)
        rates = (*flips, self.select, self.sigma, self.half_width)
        if self.clusters == 1 and any(isinstance(rate, tuple) for rate in rates):
            raise InputError("rates first:last need several clusters; set --clusters")

    @property
    def continuous(self) -> bool:
        """Whether the feature noise is Gaussian or uniform."""
        return self.sigma is not None or self.half_width is not None

    @property
    def _kinds(self) -> int:
        """How many kinds of feature noise were asked for."""
        given = (self.sigma is not None, self.half_width is not None, self.keep is not None)
        return sum((not self.features.silent, self.ablate, *given))

    def _check_rows(self) -> None:
        """What can happen to a row of features, and which rows it happens to."""
        if self._kinds > 1:
            raise InputError(
                "feature noise is of one kind: give --add and --delete (flips of bits), or --sigma (Gaussian noise), or "
                "--half-width (uniform noise), or --ablate, or --keep"
            )
        if self.lattice is not None and not self.continuous:
            raise InputError("a lattice is one of continuous noise; give --sigma or --half-width with --lattice")
        for name in ("sigma", "half_width", "select"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, near_far(name, getattr(self, name)))
        self._feature_laws(1 if self.clusters == 1 else 2)
        if self.select is None:
            if self.ablate:
                raise InputError("ablation hides selected rows; give --select, the probability that a row is ablated")
            return
        for select in ends(self.select):
            Selected(select, Ablation())
        if self.keep is not None:
            raise InputError("--keep says how many rows keep their features; leave --select out")
        if not self._kinds:
            raise InputError(
                "--select chooses the rows that get feature noise, and there is none; give --add and --delete, --sigma, "
                "--half-width or --ablate"
            )

    def scheme(self, partition: Partition | None) -> Smoothing | Hierarchical:
        """The frozen scheme over a partition (None for one cluster)."""
        levels = 1 if partition is None else self.levels or self.clusters
        features, edges = self._feature_laws(levels), None if self.edges.silent else self.edges.laws(levels)
        lower = Smoothing(features, edges, partition)
        return lower if self.select is None else Hierarchical(per_level(self.select, levels), lower)

    def _feature_laws(self, levels: int) -> tuple[FeatureLaw, ...] | None:
        if self.ablate:
            return (Ablation(),) * levels
        if self.keep is not None:
            return (SubsetAblation(self.keep),)
        if self.sigma is not None:
            return tuple(Gaussian(sigma, self.lattice) for sigma in per_level(self.sigma, levels))
        if self.half_width is not None:
            return tuple(Uniform(width, self.lattice) for width in per_level(self.half_width, levels))
        return None if self.features.silent else self.features.laws(levels)
