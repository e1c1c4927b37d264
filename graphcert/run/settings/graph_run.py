"""All settings of a run and their TOML form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from graphcert.core.files import atomic_write_text
from graphcert.errors import InputError
from graphcert.models import Training
from graphcert.noise import CHANNELS, settings_of_laws
from graphcert.noise.law import measured_options
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig
from graphcert.run.settings.stages import INJECTION_AXES, CertificateConfig, CollectiveConfig, SamplingConfig
from graphcert.run.settings.typed import check_types, check_values, read_toml
from graphcert.sampling.philox import seed_key

Section = TypeVar("Section")

AS_BUILT = "as-built"
"""In place of a file: the weights that a factory gives its model."""


@dataclass(frozen=True)
class DatasetConfig:
    """Which graph: a name (or the path of an .npz file) and options for `load_dataset`."""

    name: str = "digits"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_types(self, "dataset")


@dataclass(frozen=True)
class ModelConfig:
    """Which model: a registered name and options for `build_model`, or a factory of the user's own and options for it.

    Attributes:
        name: of a registered model; None with a factory.
        factory: `package.module:function`, see `graphcert.run.own_model`.
        weights: file of weights, in place of training; "as-built" for those that the factory gives its model.
        call, output: how what the factory returns is called, and which part of its output are the logits, as in
            `sample_votes`.
    """

    name: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    factory: str | None = None
    weights: str | None = None
    call: str | None = None
    output: int | str | None = None

    def __post_init__(self) -> None:
        check_types(self, "model")
        if self.factory is None:
            object.__setattr__(self, "name", self.name or "gcn")
            unused = [name for name in ("call", "output") if getattr(self, name) is not None]
            if unused or self.weights == AS_BUILT:
                what = unused[0] if unused else f"weights = {AS_BUILT}"
                raise InputError(f"{what} is for a model of your own, package.module:function; leave it out")
        elif self.name is not None:
            raise InputError(f"the model {self.name} and the factory {self.factory} are both named; leave one out")

    @property
    def title(self) -> str:
        """What the model is called."""
        return self.factory or str(self.name)


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
        check_types(self, "")
        seed_key(self.seed)
        if self.model.weights is not None and self.training != Training():
            raise InputError("weights take the place of training; leave the options of training out")
        noise, of_flips = self.smoothing, self.collective.isotropic or self.collective.receptive_field
        if of_flips and (noise.select is not None or noise.law is not None):
            raise InputError(
                "receptive fields and the comparison with isotropic noise are offered under flips of every row; leave "
                "--receptive-field and --compare out"
            )
        if self.certificate.nodes is not None and not noise.limits_rows:
            raise InputError(
                "a limit of touched nodes makes a difference under hierarchical noise and ablation only; give --select or "
                "--keep, or leave --nodes out"
            )
        silent = dict.fromkeys(("max_add", "max_delete"), noise.features.silent)
        silent |= dict.fromkeys(("max_edge_add", "max_edge_delete"), noise.edges.silent)
        unused = [name for name in silent if silent[name] and getattr(self.certificate, name) is not None]
        if unused:
            raise InputError(
                f"{', '.join(unused)} would end an axis of budgets that this noise does not have; leave it out, or give "
                f"flip rates of that channel"
            )
        for sweep in self.collective.sweeps:
            _check_axes(set(sweep), noise)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values without None, as TOML has them."""
        described = asdict(self)
        described["smoothing"] |= described["smoothing"].pop("laws")
        return dict(_plain(described))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Rebuild from `to_dict`; raises `InputError` for unknown sections and keys."""
        rest = dict(values)
        if not isinstance(rest.get("smoothing", {}), Mapping):
            raise InputError("the setting smoothing must be a section [smoothing]")
        if "smoothing" not in rest:
            rates = "features or edges flip rates add and delete"
            raise InputError(f"the settings lack a [smoothing] section; give {rates}")
        noise = dict(rest.pop("smoothing"))
        for channel in CHANNELS:
            noise[channel] = _section(RatesConfig, f"smoothing.{channel}", noise.get(channel, {}))
        laws = {key: noise.pop(key) for key in settings_of_laws() if key in noise}
        _refuse_unknown(noise, "smoothing", SmoothingConfig.keys())
        smoothing = _section(SmoothingConfig, "smoothing", {**noise, "laws": laws})
        sections = {"dataset": DatasetConfig, "model": ModelConfig, "training": Training}
        sections |= {"sampling": SamplingConfig, "certificate": CertificateConfig, "collective": CollectiveConfig}
        built: dict[str, Any] = {name: _section(kind, name, rest.pop(name, {})) for name, kind in sections.items()}
        seed = rest.pop("seed", 0)
        if rest:
            known = ", ".join(("seed", "smoothing", *sections))
            raise InputError(f"unknown settings: {', '.join(sorted(rest))}; known are {known}")
        return cls(smoothing=smoothing, seed=seed, **built)

    def save(self, path: Path) -> None:
        """Write TOML atomically."""
        atomic_write_text(path, tomli_w.dumps(self.to_dict()))

    @classmethod
    def load(cls, path: Path) -> "RunConfig":
        """Read TOML; raises `DataError` if there is no file or no TOML in it."""
        missing = f"there is no {path}; is {path.parent} the output folder of `graphcert train`?"
        return cls.from_dict(read_toml(path, missing))

    def differences(self, other: "RunConfig") -> list[str]:
        """The settings, in words, by which two runs have different models."""
        ours, theirs = _flat(self.to_dict()), _flat(other.to_dict())
        return [
            f"{key} = {theirs.get(key, 'default')} instead of {ours.get(key, 'default')}"
            for key in sorted({*ours, *theirs})
            if key.split(".")[0] not in ("sampling", "certificate", "collective") and ours.get(key) != theirs.get(key)
        ]


def _check_axes(axes: set[str], noise: SmoothingConfig) -> None:
    """Refuse a sweep that this noise says nothing about."""
    if noise.drops:
        if axes - set(INJECTION_AXES) or ("degree" in axes) != ("inject" in axes):
            raise InputError(
                "under dropped nodes a sweep has inject and degree, new nodes and edges of each, and edges and rows that "
                "change besides; give --inject with --degree"
            )
        return
    if axes & set(INJECTION_AXES):
        raise InputError("new nodes are hidden by noise that drops nodes; train a run with --drop-nodes for --inject")
    if "shift" not in axes:
        if noise.measured and axes & {"add", "delete", "nodes"}:
            raise InputError("budgets of bits say nothing under continuous noise; sweep shift, the norm of a change")
        return
    if not noise.measured:
        raise InputError(f"a shift is a change of real features; sweep it under {measured_options()} only")
    if axes - {"shift", "nodes"}:
        raise InputError("a shift is swept by itself or with nodes; leave the budgets of bits and edges out")
    if "nodes" in axes and noise.select is None:
        raise InputError("a limit of moved nodes makes a difference under hierarchical noise only; leave --nodes out")


def _section(kind: type[Section], name: str, values: Any) -> Section:
    """One section as its dataclass."""
    if not isinstance(values, Mapping):
        raise InputError(f"the setting {name} must be a section [{name}]")
    _refuse_unknown(values, name, [f.name for f in fields(kind)])  # type: ignore[arg-type]
    # Before the section's own checks, whose sentences show values of any length.
    check_values(kind, values, name)
    return kind(**values)


def _refuse_unknown(values: Mapping[str, Any], name: str, known: list[str]) -> None:
    for key in values:
        if key not in known:
            raise InputError(f"unknown setting {name}.{key}; known are {', '.join(known)}")


def _plain(value: Any) -> Any:
    """Nested values without None and with lists for tuples, as TOML has them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested sections as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
