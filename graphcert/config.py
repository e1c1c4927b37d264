"""The typed settings of a run and their TOML form."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tomli_w

from graphcert.certificates import METHODS
from graphcert.certificates.rungs import BESIDE
from graphcert.errors import DataError, InputError
from graphcert.files import atomic_write_text
from graphcert.models import Training
from graphcert.noise import CHANNELS, Ablation, BernoulliFlip, Gaussian, Hierarchical, Partition, Selected, Smoothing
from graphcert.noise.budget import count
from graphcert.noise.laws import FeatureLaw
from graphcert.statistics import check_level

Section = TypeVar("Section")

COLLECTIVE_METHODS = ("none", *BESIDE)
SWEEP_AXES = ("add", "delete", "edge_add", "edge_delete", "nodes")


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


def _near_far(what: str, value: Any) -> Rate:
    """One number, or (level 0, last level) of a localized scheme."""
    rates = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if len(rates) not in (1, 2):
        raise InputError(f"{what} is one number or the two numbers first:last, got {value!r}")
    return rates[0] if len(rates) == 1 else rates


def _per_level(rate: Rate, levels: int) -> list[float]:
    """So many numbers, rising linearly from the first to the last."""
    near, far = rate if isinstance(rate, tuple) else (rate, rate)
    return [float(number) for number in np.linspace(near, far, levels)]


def _ends(rate: Rate) -> tuple[float, ...]:
    return rate if isinstance(rate, tuple) else (rate,)


@dataclass(frozen=True)
class RatesConfig:
    """Flip rates of one channel: a number each, or (level 0, last level) of a localized scheme."""

    add: Rate = 0.0
    delete: Rate = 0.0

    def __post_init__(self) -> None:
        for name in ("add", "delete"):
            value = _near_far("a flip rate", getattr(self, name))
            for rate in _ends(value):
                BernoulliFlip(rate, 0.0)
            object.__setattr__(self, name, value)

    @property
    def silent(self) -> bool:
        """Whether nothing is ever flipped."""
        return all(not np.any(rate) for rate in (self.add, self.delete))

    def laws(self, levels: int) -> tuple[BernoulliFlip, ...]:
        """The laws of so many levels, rates rising linearly from the first to the last."""
        adds, deletes = (_per_level(rate, levels) for rate in (self.add, self.delete))
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
    """

    features: RatesConfig = field(default_factory=RatesConfig)
    edges: RatesConfig = field(default_factory=RatesConfig)
    clusters: int = 1
    levels: int | None = None
    partition: str = "metis"
    affinity: str = "edges"
    select: Rate | None = None
    ablate: bool = False
    sigma: Rate | None = None

    def __post_init__(self) -> None:
        self._check_rows()
        if self.features.silent and self.edges.silent and self.sigma is None and not self.ablate:
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
        rates = (self.features.add, self.features.delete, self.edges.add, self.edges.delete, self.select, self.sigma)
        if self.clusters == 1 and any(isinstance(rate, tuple) for rate in rates):
            raise InputError("rates first:last need several clusters; set --clusters")

    def _check_rows(self) -> None:
        """What can happen to a row of features, and which rows it happens to."""
        if not isinstance(self.ablate, bool):
            raise InputError(f"ablate must be true or false, got {self.ablate!r}")
        if self.sigma is not None:
            object.__setattr__(self, "sigma", _near_far("sigma", self.sigma))
            for sigma in _ends(self.sigma):
                Gaussian(sigma)
        kinds = [not self.features.silent, self.sigma is not None, self.ablate]
        if sum(kinds) > 1:
            raise InputError(
                "feature noise is of one kind: give either --add and --delete (flips of bits), or --sigma (Gaussian "
                "noise), or --ablate"
            )
        if self.select is None:
            if self.ablate:
                raise InputError("ablation hides selected rows; give --select, the probability that a row is ablated")
            return
        object.__setattr__(self, "select", _near_far("select", self.select))
        for select in _ends(self.select):
            Selected(select, Ablation())
        if not any(kinds):
            raise InputError(
                "--select chooses the rows that get feature noise, and there is none; give --add and --delete, --sigma or "
                "--ablate"
            )

    def scheme(self, partition: Partition | None) -> Smoothing | Hierarchical:
        """The frozen scheme over a partition (None for one cluster)."""
        levels = 1 if partition is None else self.levels or self.clusters
        features, edges = self._feature_laws(levels), None if self.edges.silent else self.edges.laws(levels)
        lower = Smoothing(features, edges, partition)
        return lower if self.select is None else Hierarchical(_per_level(self.select, levels), lower)

    def _feature_laws(self, levels: int) -> tuple[FeatureLaw, ...] | None:
        if self.ablate:
            return (Ablation(),) * levels
        if self.sigma is not None:
            return tuple(Gaussian(sigma) for sigma in _per_level(self.sigma, levels))
        return None if self.features.silent else self.features.laws(levels)


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
    """Which claims. `max_add` … are the ends of the budget grid; None extends it until nothing is certified.

    `nodes` limits how many nodes are touched, under hierarchical noise: numbers as `budget_values` reads them, each with
    curves of its own. Without it a budget of r bits may touch r nodes.
    """

    alpha: float = 0.01
    method: str = "binary"
    simultaneous: bool = True
    max_add: int | None = None
    max_delete: int | None = None
    max_edge_add: int | None = None
    max_edge_delete: int | None = None
    nodes: str | None = None

    def __post_init__(self) -> None:
        check_level(self.alpha)
        if self.method not in METHODS:
            raise InputError(f"the certificate method must be one of {', '.join(METHODS)}; got {self.method!r}")
        for name in ("max_add", "max_delete", "max_edge_add", "max_edge_delete"):
            if getattr(self, name) is not None:
                count(name, getattr(self, name))
        if any(limit < 1 for limit in self.node_limits):
            raise InputError(f"the limits of nodes must be at least 1, got {self.nodes!r}")

    @property
    def node_limits(self) -> tuple[int, ...]:
        """The numbers of nodes that an adversary may touch; empty for no limit."""
        return () if self.nodes is None else budget_values("nodes", self.nodes)


@dataclass(frozen=True)
class CollectiveConfig:
    """Which collective certificates.

    Attributes:
        method: the strongest one of "naive", "lp", "milp" and "tight"; "all" of them with the published ones; or "none".
        time_limit: seconds per solve; what has been proved by then is reported.
        sweeps: budgets per axis (named as in `Certificate.collective`), each as `budget_values` reads them. Without any,
            every axis of a smoothed channel is swept alone, up to where nothing is certified, if the noise is localized.
        receptive_field: count only the changes that a node can perceive through the model's layers.
        isotropic: also take votes of the same model under isotropic noise at equal accuracy, and show its curve.
    """

    method: str = "tight"
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

    def __post_init__(self) -> None:
        noise = self.smoothing
        if noise.select is not None or noise.sigma is not None:
            self._check_beyond_flips()
        if self.certificate.nodes is not None and noise.select is None:
            raise InputError(
                "a limit of touched nodes makes a difference under hierarchical noise only; give --select, or leave "
                "--nodes out"
            )

    def _check_beyond_flips(self) -> None:
        """Refuse, before anything is sampled, what is offered under flips only."""
        together = self.collective
        if together.isotropic or together.receptive_field:
            raise InputError(
                "receptive fields and the comparison with isotropic noise are offered under flips of every row; leave "
                "--receptive-field and --compare out"
            )
        if together.sweeps and together.method != "naive" and self.smoothing.sigma is not None:
            raise InputError(
                "budgets of bits say nothing under Gaussian noise, and every node is certified by itself only against "
                "those of edges; set the collective method to naive"
            )

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
