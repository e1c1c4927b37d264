"""Options of what is trained: data set, model and noise; and from options to settings."""

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from graphcert.cli.options import chosen, option, options_of
from graphcert.errors import InputError
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig
from graphcert.run.settings.sweeps import fraction

if TYPE_CHECKING:
    from graphcert.run.settings.graph_run import RunConfig

_BUILT_IN = ("gcn", "appnp", "gat", "sgc", "sage")
_FLIPS = {
    "add": "θ⁺ of features: probability that a zero becomes one; near:far with --clusters.",
    "delete": "θ⁻ of features: probability that a one becomes zero.",
    "edge_add": "θ⁺ of undirected edges.",
    "edge_delete": "θ⁻ of undirected edges.",
}
_KINDS = {
    "sigma": "a number above 0", "half_width": "a number above 0", "lattice": "a step such as 1/255",
}  # fmt: skip
"""What an option takes that is not a probability."""


def model_names() -> tuple[str, ...]:
    """The models of this process; without the room of models, which loads torch, those that everybody has."""
    registry = sys.modules.get("graphcert.models.registry")
    return _BUILT_IN if registry is None else tuple(registry.MODELS)


def model_options() -> list[Parameter]:
    """The options that determine a trained model and its noise, beside the data set."""
    *names, last = model_names()
    return [
        option("model", str, f"{', '.join(names)} or {last}.", default="gcn"),
        *(option(name, str, help, default="0", metavar="RATE") for name, help in _FLIPS.items()),
        *options_of(SmoothingConfig, shown=True),
        option("seed", int, "Of the split, the weights and the noise; same seed, same result.", default=0),
        option(
            "dataset_option", list[str] | None, "key=value for the data set, for example nodes=5000; may be repeated."
        ),
        option("split", int | None, "Which split, from 0 on, where the masks of an .npz graph hold several."),
        option("model_option", list[str] | None, "key=value for the model, for example hidden=32; repeatable."),
        option("training_option", list[str] | None, "key=value for training, for example epochs=300; repeatable."),
    ]


def run_config(given: Mapping[str, Any]) -> "RunConfig":
    """The settings of a run whose options were given."""
    from graphcert.models import MODELS, Training
    from graphcert.run.settings.graph_run import DatasetConfig, ModelConfig, RunConfig

    noise = noise_config(given)
    if given["dataset"] is None:
        raise InputError("name a data set with --dataset; `graphcert datasets` lists them")
    if given["model"] not in MODELS:
        raise InputError(f"unknown model {given['model']!r}; choose one of {', '.join(MODELS)}")
    training = _pairs(given["training_option"], "--training-option")
    known = [field.name for field in fields(Training)]
    for key in training:
        if key not in known:
            raise InputError(f"training has no option {key!r}; it has {', '.join(known)}")
    of_data, split = given["dataset_option"] or [], given["split"]
    of_data = of_data if split is None else [*of_data, f"split={split}"]
    return RunConfig(
        smoothing=noise,
        seed=given["seed"],
        dataset=DatasetConfig(given["dataset"], _pairs(of_data, "--dataset-option")),
        model=ModelConfig(given["model"], _pairs(given["model_option"], "--model-option")),
        training=Training(**training),
    )


def noise_config(given: Mapping[str, Any]) -> SmoothingConfig:
    """The noise whose options were given."""
    flips = [_rate(name, given[name]) for name in _FLIPS]
    settings = chosen(given, SmoothingConfig)
    read = {name: _rate(name, value) for name, value in settings.items() if name in ("select", *_KINDS)}
    return SmoothingConfig(RatesConfig(*flips[:2]), RatesConfig(*flips[2:]), **(settings | read))


def _rate(name: str, text: str) -> float | tuple[float, ...]:
    """A number, or near:far."""
    try:
        rates = tuple(float(fraction(part)) for part in text.split(":"))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(
            f"--{name.replace('_', '-')} takes {_KINDS.get(name, 'a probability')}, or near:far with --clusters, got "
            f"{text!r}"
        ) from None
    return rates[0] if len(rates) == 1 else rates


def _pairs(pairs: list[str] | None, flag: str) -> dict[str, Any]:
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
