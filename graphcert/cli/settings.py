"""From options to settings."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphcert.errors import InputError

if TYPE_CHECKING:
    from graphcert.run.settings.graph_run import RunConfig
    from graphcert.run.settings.noise import SmoothingConfig


def run_config(
    dataset: str | None,
    model: str,
    noise: "SmoothingConfig",
    seed: int,
    dataset_option: list[str] | None,
    model_option: list[str] | None,
    training_option: list[str] | None,
) -> "RunConfig":
    """Settings from the command line."""
    from graphcert.models import MODELS, Training
    from graphcert.run.settings.graph_run import DatasetConfig, ModelConfig, RunConfig

    if dataset is None:
        raise InputError("name a data set with --dataset; `graphcert datasets` lists them")
    if model not in MODELS:
        raise InputError(f"unknown model {model!r}; choose one of {', '.join(MODELS)}")
    training = _options(training_option, "--training-option")
    known = list(Training.__dataclass_fields__)
    for key in training:
        if key not in known:
            raise InputError(f"training has no option {key!r}; it has {', '.join(known)}")
    return RunConfig(
        smoothing=noise,
        seed=seed,
        dataset=DatasetConfig(dataset, _options(dataset_option, "--dataset-option")),
        model=ModelConfig(model, _options(model_option, "--model-option")),
        training=Training(**training),
    )


def with_split(dataset_option: list[str] | None, split: int | None) -> list[str] | None:
    """The options of the data set with the one that has a name of its own."""
    return dataset_option if split is None else [*(dataset_option or []), f"split={split}"]


def read_settings(path: Path) -> "RunConfig":
    """Settings from a file."""
    from graphcert.run.settings.graph_run import RunConfig
    from graphcert.run.settings.typed import read_toml

    return RunConfig.from_dict(read_toml(path, f"there is no file of settings at {path}; experiments/ holds examples"))


def noise_config(
    flips: tuple[str, str],
    edges: tuple[str, str],
    rows: dict[str, Any],
    clusters: int,
    levels: int | None,
    partition: str,
    affinity: str,
) -> "SmoothingConfig":
    """The noise from the command line."""
    from graphcert.run.settings.noise import RatesConfig, SmoothingConfig

    return SmoothingConfig(
        RatesConfig(_rate("--add", flips[0]), _rate("--delete", flips[1])),
        RatesConfig(_rate("--edge-add", edges[0]), _rate("--edge-delete", edges[1])),
        clusters,
        levels,
        partition,
        affinity,
        **rows,
    )


def rows_of_noise(
    select: str | None, ablate: bool, sigma: str | None, half_width: str | None, lattice: str | None, keep: int | None
) -> dict[str, Any]:
    """The noise of whole rows from the command line, as settings."""
    given: dict[str, Any] = {"ablate": ablate, "keep": keep}
    for name, text, kind in (
        ("select", select, "a probability"),
        ("sigma", sigma, "a number above 0"),
        ("half_width", half_width, "a number above 0"),
        ("lattice", lattice, "a step such as 1/255"),
    ):
        if text is not None:
            given[name] = _rate(f"--{name.replace('_', '-')}", text, kind)
    return given


def _rate(flag: str, text: str, kind: str = "a probability") -> float | tuple[float, ...]:
    """A number, or near:far."""
    from graphcert.run.settings.sweeps import fraction

    try:
        rates = tuple(float(fraction(part)) for part in text.split(":"))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(f"{flag} takes {kind}, or near:far with --clusters, got {text!r}") from None
    return rates[0] if len(rates) == 1 else rates


def _options(pairs: list[str] | None, flag: str) -> dict[str, Any]:
    """key=value pairs; values are numbers, true, false or text."""
    options: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise InputError(f"{flag} takes key=value, got {pair!r}")
        try:
            options[key] = json.loads(text)
        except ValueError:
            options[key] = text
    return options
