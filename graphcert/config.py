"""The typed settings of a run and their TOML form."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tomli_w

from graphcert.certificates import METHODS
from graphcert.collective.localized import METHODS as METHODS_OF_SWEEPS
from graphcert.errors import DataError, InputError
from graphcert.files import atomic_write_text
from graphcert.models import Training
from graphcert.noise import CHANNELS, BernoulliFlip, Partition, Smoothing
from graphcert.noise.budget import count
from graphcert.statistics import check_level

Section = TypeVar("Section")

COLLECTIVE_METHODS = ("none", *METHODS_OF_SWEEPS)
SWEEP_AXES = ("add", "delete", "edge_add", "edge_delete")


@dataclass(frozen=True)
class DatasetConfig:
    """Which graph: a name (or the path of an .npz file) and options for `load_dataset`."""

    name: str = "digits"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelConfig:
    """Which model: a name and options for `build_model`."""

    name: str = "gcn"
    options: dict[str, Any] = field(default_factory=dict)


Rate = float | tuple[float, ...]


@dataclass(frozen=True)
class RatesConfig:
    """Flip rates of one channel: a number each, or (level 0, last level) of a localized scheme."""

    add: Rate = 0.0
    delete: Rate = 0.0

    def __post_init__(self) -> None:
        for name in ("add", "delete"):
            value = getattr(self, name)
            rates = tuple(value) if isinstance(value, (list, tuple)) else (value,)
            if len(rates) not in (1, 2):
                raise InputError(f"a flip rate is one number or the two numbers first:last, got {value!r}")
            for rate in rates:
                BernoulliFlip(rate, 0.0)
            object.__setattr__(self, name, rates[0] if len(rates) == 1 else rates)

    @property
    def silent(self) -> bool:
        """Whether nothing is ever flipped."""
        return all(not np.any(rate) for rate in (self.add, self.delete))

    def laws(self, levels: int) -> tuple[BernoulliFlip, ...]:
        """The laws of so many levels, rates rising linearly from the first to the last."""
        adds, deletes = (np.linspace(*self._ends(rate), levels) for rate in (self.add, self.delete))
        return tuple(BernoulliFlip(float(a), float(d)) for a, d in zip(adds, deletes, strict=True))

    @staticmethod
    def _ends(rate: Rate) -> tuple[float, float]:
        return (rate[0], rate[-1]) if isinstance(rate, tuple) else (rate, rate)


@dataclass(frozen=True)
class SmoothingConfig:
    """The noise. With several clusters and two rates per operation it is localized (Schuchardt et al. 2023).

    Attributes:
        features, edges: flip rates.
        clusters: number of clusters; 1 is isotropic smoothing.
        levels: number of noise levels; by default one per cluster.
        partition: how to cluster, see `partition_graph`.
        affinity: how to rank clusters, see `partition_graph`.
    """

    features: RatesConfig = field(default_factory=RatesConfig)
    edges: RatesConfig = field(default_factory=RatesConfig)
    clusters: int = 1
    levels: int | None = None
    partition: str = "metis"
    affinity: str = "edges"

    def __post_init__(self) -> None:
        if self.features.silent and self.edges.silent:
            raise InputError(
                "no noise was given; set --add and --delete for features, --edge-add and --edge-delete for edges"
            )
        if count("clusters", self.clusters) < 1:
            raise InputError(f"the number of clusters must be at least 1, got {self.clusters}")
        if self.levels is not None and not 1 <= count("levels", self.levels) <= self.clusters:
            raise InputError(
                f"the number of levels must lie between 1 and the {self.clusters} clusters, got {self.levels}"
            )
        if self.levels == 1 and self.clusters > 1:
            raise InputError("one level is the same noise for all clusters; leave --levels out or ask for at least 2")
        rates = (self.features.add, self.features.delete, self.edges.add, self.edges.delete)
        if self.clusters == 1 and any(isinstance(rate, tuple) for rate in rates):
            raise InputError("rates first:last need several clusters; set --clusters")

    def scheme(self, partition: Partition | None) -> Smoothing:
        """The frozen scheme over a partition (None for one cluster)."""
        levels = self.levels or self.clusters
        features, edges = (None if rates.silent else rates.laws(levels) for rates in (self.features, self.edges))
        if partition is None:
            return Smoothing(features and features[0], edges and edges[0])
        return Smoothing(features, edges, partition)


@dataclass(frozen=True)
class SamplingConfig:
    """How many votes, and whether class scores are counted with them."""

    samples: int = 10_000
    pilot_samples: int = 1_000
    scores: bool = False

    def __post_init__(self) -> None:
        for name in ("samples", "pilot_samples"):
            if count(name, getattr(self, name)) < 1:
                raise InputError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class CertificateConfig:
    """Which claims. `max_add` … are the ends of the budget grid; None extends it until nothing is certified."""

    alpha: float = 0.01
    method: str = "binary"
    simultaneous: bool = True
    max_add: int | None = None
    max_delete: int | None = None
    max_edge_add: int | None = None
    max_edge_delete: int | None = None

    def __post_init__(self) -> None:
        check_level(self.alpha)
        if self.method not in METHODS:
            raise InputError(f"the certificate method must be one of {', '.join(METHODS)}; got {self.method!r}")
        for name in ("max_add", "max_delete", "max_edge_add", "max_edge_delete"):
            if getattr(self, name) is not None:
                count(name, getattr(self, name))


@dataclass(frozen=True)
class CollectiveConfig:
    """Which collective certificates.

    Attributes:
        method: the strongest one of "naive", "lp" and "milp"; "none" for no collective certificate.
        time_limit: seconds per solve of an integer program; what has been proved by then is reported.
        sweeps: budgets per axis (named as in `Certificate.collective`), each as `budget_values` reads them. Without any,
            every axis of a smoothed channel is swept alone, up to where nothing is certified, if the noise is localized.
        receptive_field: count only the changes that a node can perceive through the model's layers.
        isotropic: also take votes of the same model under isotropic noise at equal accuracy, and show its curve.
    """

    method: str = "lp"
    time_limit: float = 20.0
    sweeps: tuple[dict[str, str], ...] = ()
    receptive_field: bool = False
    isotropic: bool = False

    def __post_init__(self) -> None:
        if self.method not in COLLECTIVE_METHODS:
            known = ", ".join(COLLECTIVE_METHODS)
            raise InputError(f"the collective method must be one of {known}; got {self.method!r}")
        if isinstance(self.time_limit, bool) or not isinstance(self.time_limit, (int, float)) or self.time_limit < 0:
            raise InputError(f"the time limit must be a number of seconds of at least 0, got {self.time_limit!r}")
        if not isinstance(self.sweeps, (list, tuple)) or not all(isinstance(sweep, Mapping) for sweep in self.sweeps):
            raise InputError('sweeps are a list of tables such as { add = "0:20" }')
        for sweep in self.sweeps:
            for axis, text in sweep.items():
                if axis not in SWEEP_AXES:
                    raise InputError(f"a sweep has no axis {axis!r}; it has {', '.join(SWEEP_AXES)}")
                budget_values(axis, text)
        object.__setattr__(self, "sweeps", tuple(dict(sweep) for sweep in self.sweeps))


def budget_values(axis: str, text: str | int) -> tuple[int, ...]:
    """Budgets written as "5", "0:20" (both ends included), "0:20:5" (every fifth) or "1,2,5".

    Raises:
        InputError: for anything else, a negative budget, or a range that runs backwards.
    """
    words = str(text)
    try:
        if ":" in words:
            first, last, step = (*(int(part) for part in words.split(":")), 1)[:3]
            values = tuple(range(first, last + 1, step)) if first >= 0 and step > 0 and words.count(":") < 3 else ()
        else:
            values = tuple(int(part) for part in words.split(","))
    except ValueError:
        values = ()
    if not values or min(values) < 0:
        raise InputError(
            f'the budgets {axis} must be whole numbers of at least 0 such as "5", "0:20", "0:20:5" or "1,2,5", got {words!r}'
        )
    return values


@dataclass(frozen=True)
class RunConfig:
    """Everything that determines a run's results.

    The first five fields determine the model; a run folder never holds results of two different values of them.
    """

    smoothing: SmoothingConfig
    seed: int = 0
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: Training = field(default_factory=Training)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    certificate: CertificateConfig = field(default_factory=CertificateConfig)
    collective: CollectiveConfig = field(default_factory=CollectiveConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values without None, as TOML has them."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Rebuild from `to_dict`; raises `InputError` for unknown sections and keys."""
        rest = dict(values)
        if "smoothing" not in rest:
            raise InputError(
                "the settings lack a [smoothing] section; give features or edges flip rates add and delete"
            )
        noise = dict(rest.pop("smoothing"))
        for channel in CHANNELS:
            noise[channel] = _section(RatesConfig, f"smoothing.{channel}", noise.get(channel, {}))
        smoothing = _section(SmoothingConfig, "smoothing", noise)
        sections = {"dataset": DatasetConfig, "model": ModelConfig, "training": Training}
        sections |= {"sampling": SamplingConfig, "certificate": CertificateConfig, "collective": CollectiveConfig}
        built: dict[str, Any] = {name: _section(kind, name, rest.pop(name, {})) for name, kind in sections.items()}
        seed = rest.pop("seed", 0)
        if rest:
            raise InputError(
                f"unknown settings: {', '.join(sorted(rest))}; known are seed, smoothing, {', '.join(sections)}"
            )
        return cls(smoothing=smoothing, seed=seed, **built)

    def save(self, path: Path) -> None:
        """Write TOML atomically."""
        atomic_write_text(path, tomli_w.dumps(self.to_dict()))

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read TOML; raises `DataError` if there is no file or no TOML in it."""
        try:
            return cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise DataError(f"there is no {path}; is {path.parent} the output folder of `graphcert train`?") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not valid TOML: {error}") from None

    def differences(self, other: "RunConfig") -> list[str]:
        """The settings, in words, by which two runs have different models."""
        ours, theirs = _flat(self.to_dict()), _flat(other.to_dict())
        determining = {
            key for key in {*ours, *theirs} if key.split(".")[0] not in ("sampling", "certificate", "collective")
        }
        return [
            f"{key} = {theirs.get(key, 'default')} instead of {ours.get(key, 'default')}"
            for key in sorted(determining)
            if ours.get(key) != theirs.get(key)
        ]


def _section(kind: type[Section], name: str, values: Any) -> Section:
    """One section as its dataclass."""
    if not isinstance(values, Mapping):
        raise InputError(f"the setting {name} must be a section [{name}]")
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise InputError(f"unknown setting {name}.{key}; known are {', '.join(known)}")
    return kind(**values)


def _plain(value: Any) -> Any:
    """Nested values without None and with lists for tuples, as TOML has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
