"""The typed settings of a run and their TOML form."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from graphcert.certificates import METHODS
from graphcert.errors import DataError, InputError
from graphcert.files import atomic_write_text
from graphcert.models import Training
from graphcert.noise import Smoothing
from graphcert.noise.budget import count
from graphcert.statistics import check_level

Section = TypeVar("Section")


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


@dataclass(frozen=True)
class SamplingConfig:
    """How many votes."""

    samples: int = 10_000
    pilot_samples: int = 1_000

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
class RunConfig:
    """Everything that determines a run's results.

    The first five fields determine the model; a run folder never holds results of two different values of them.
    """

    smoothing: Smoothing
    seed: int = 0
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: Training = field(default_factory=Training)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    certificate: CertificateConfig = field(default_factory=CertificateConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values without None, as TOML has them."""
        described = {**asdict(self), "smoothing": self.smoothing.to_dict()}
        plain: dict[str, Any] = _without_none(described)
        return plain

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Rebuild from `to_dict`; raises `InputError` for unknown sections and keys."""
        rest = dict(values)
        if "smoothing" not in rest:
            raise InputError(
                "the settings lack a [smoothing] section; give features or edges flip rates add and delete"
            )
        smoothing = Smoothing.from_dict(rest.pop("smoothing"))
        sections = {"dataset": DatasetConfig, "model": ModelConfig, "training": Training}
        sections |= {"sampling": SamplingConfig, "certificate": CertificateConfig}
        built = {name: _section(kind, name, rest.pop(name, {})) for name, kind in sections.items()}
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
        determining = {key for key in {*ours, *theirs} if key.split(".")[0] not in ("sampling", "certificate")}
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


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
