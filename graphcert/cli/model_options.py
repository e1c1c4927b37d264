"""Options of what is trained: data set, model and noise; and from options to settings."""

import json
import sys
from collections.abc import Mapping
from dataclasses import fields
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from graphcert.cli.options import chosen, option, options_of
from graphcert.errors import InputError
from graphcert.noise import Setting, settings_of_laws
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig
from graphcert.run.settings.stages import fraction

if TYPE_CHECKING:
    from graphcert.run.settings.graph_run import RunConfig

_BUILT_IN = ("gcn", "appnp", "gat", "sgc", "sage")
_FLIPS = {
    "add": "θ⁺ of features: probability that a zero becomes one; near:far with --clusters.",
    "delete": "θ⁻ of features: probability that a one becomes zero.",
    "edge_add": "θ⁺ of undirected edges.",
    "edge_delete": "θ⁻ of undirected edges.",
}


def model_names() -> tuple[str, ...]:
    """The models of this process; without the room of models, which loads torch, those that everybody has."""
    registry = sys.modules.get("graphcert.models.registry")
    return _BUILT_IN if registry is None else tuple(registry.MODELS)


def model_options() -> list[Parameter]:
    """The options that determine a trained model and its noise, beside the data set."""
    *names, last = model_names()
    repeated = "may be repeated"
    options = [
        option("model", str, f"{', '.join(names)} or {last}.", default="gcn"),
        *(option(name, str, help, default="0", metavar="RATE") for name, help in _FLIPS.items()),
        *options_of(SmoothingConfig, ("select",)),
        *(_law_option(law.setting) for law in settings_of_laws().values() if law.setting is not None),
        *options_of(SmoothingConfig, ("lattice",)),
        *options_of(SmoothingConfig, ("clusters", "levels", "partition", "affinity"), shown=True),
        option("seed", int, "Of the split, the weights and the noise; same seed, same result.", default=0),
        option("dataset_option", list[str] | None, f"key=value for the data set, for example nodes=5000; {repeated}."),
        option("split", int | None, "Which split, from 0 on, where the masks of an .npz graph hold several."),
        option("model_option", list[str] | None, "key=value for the model, for example hidden=32; repeatable."),
        option("training_option", list[str] | None, "key=value for training, for example epochs=300; repeatable."),
    ]
    if len({parameter.name for parameter in options}) < len(options):
        raise InputError("a law of noise is asked for by the name of another option; give its setting another name")
    return options


def _law_option(setting: Setting) -> Parameter:
    """The option by which a law of features is asked for."""
    kind: Any = {float: str | None, int: int | None, bool: bool}[setting.kind]
    default = False if setting.kind is bool else None
    return option(setting.name, kind, setting.help, setting.option, default=default, metavar=setting.metavar)


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
    laws = {}
    for name, law in settings_of_laws().items():
        value = given[name]
        if value not in (None, False) and law.setting is not None:
            laws[name] = _rate(name, value, "a number above 0") if law.setting.kind is float else value
    settings = chosen(given, SmoothingConfig)
    kinds = {"select": "a probability", "lattice": "a step such as 1/255"}
    settings |= {name: _rate(name, settings[name], kind) for name, kind in kinds.items() if name in settings}
    flips = [_rate(name, given[name]) for name in _FLIPS]
    return SmoothingConfig(RatesConfig(*flips[:2]), RatesConfig(*flips[2:]), laws=laws, **settings)


def _rate(name: str, text: str, kind: str = "a probability") -> float | tuple[float, ...]:
    """A number, or near:far."""
    try:
        rates = tuple(float(fraction(part)) for part in text.split(":"))
    except (ValueError, ZeroDivisionError, OverflowError):
        flag = f"--{name.replace('_', '-')}"
        raise InputError(f"{flag} takes {kind}, or near:far with --clusters, got {text!r}") from None
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
