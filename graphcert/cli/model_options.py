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
    from graphcert.run.settings.graph_run import ModelConfig, RunConfig

_BUILT_IN = ("gcn", "appnp", "gat", "sgc", "sage")
DATASETS = (
    "digits", "synthetic", "cora_ml", "citeseer", "cora", "planetoid_cora", "planetoid_citeseer", "polblogs", "wisconsin",
)  # fmt: skip
"""The data sets that everybody has: completing a word does not wait for torch."""
FACTORY = "package.module:function that makes one of your own; its code runs."
_FLIPS = {
    "add": "θ⁺ of features: probability that a zero becomes one; near:far with --clusters.",
    "delete": "θ⁻ of features: probability that a one becomes zero.",
    "edge_add": "θ⁺ of edges; in a directed graph, of every direction.",
    "edge_delete": "θ⁻ of edges.",
}


def model_names() -> tuple[str, ...]:
    """The models of this process; without the room of models, which loads torch, those that everybody has."""
    registry = sys.modules.get("graphcert.models.registry")
    return _BUILT_IN if registry is None else tuple(registry.MODELS)


def model_options() -> list[Parameter]:
    """The options that determine a trained model and its noise, beside the data set."""
    repeated = "may be repeated"
    options = [
        option(
            "model",
            str | None,
            f"{', '.join(model_names())} (default: gcn), or {FACTORY}",
            metavar="NAME",
            values=model_names,
        ),
        option("weights", str | None, "File of weights (a state dict) in place of training.", metavar="FILE|as-built"),
        option("call", str | None, "How your model is called, such as data or x,adj_t (default: by its signature)."),
        option("output", str | None, "Which part of its output are the logits: a position, a key or an attribute."),
        *(option(name, str, help, default="0", metavar="RATE") for name, help in _FLIPS.items()),
        *options_of(SmoothingConfig, ("added_weight", "added_attr", "directed")),
        *options_of(SmoothingConfig, ("select",)),
        *(_law_option(law.setting) for law in settings_of_laws().values() if law.setting is not None),
        *options_of(SmoothingConfig, ("lattice",)),
        *options_of(SmoothingConfig, ("drop_nodes", "drop_edges")),
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


def run_config(given: Mapping[str, Any], noise: SmoothingConfig | None = None) -> "RunConfig":
    """The settings of a run whose options were given, with their noise or another one."""
    from graphcert.models import Training
    from graphcert.run.settings.graph_run import DatasetConfig, RunConfig

    noise = noise_config(given) if noise is None else noise
    if given["dataset"] is None:
        raise InputError("name a data set with --dataset; `graphcert datasets` lists them")
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
        model=_model_config(given),
        training=Training(**training),
    )


def _model_config(given: Mapping[str, Any]) -> "ModelConfig":
    """The model that was asked for: a registered name, or a factory, whose name has a colon."""
    from graphcert.models import MODELS
    from graphcert.run.settings.graph_run import ModelConfig

    name, output = given["model"], given["output"]
    own = name is not None and ":" in name
    if not own and name not in (None, *MODELS):
        known = ", ".join(MODELS)
        raise InputError(f"unknown model {name!r}; choose one of {known}, or name your own as package.module:function")
    return ModelConfig(
        None if own else name, _pairs(given["model_option"], "--model-option"), name if own else None, given["weights"],
        given["call"], int(output) if output is not None and output.isdecimal() else output,
    )  # fmt: skip


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
    if "added_attr" in settings:
        settings["added_attr"] = _numbers("--added-attr", settings["added_attr"])
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


def _numbers(flag: str, text: str) -> tuple[float, ...]:
    """Numbers between commas."""
    try:
        return tuple(float(fraction(part)) for part in text.split(","))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise InputError(f"{flag} takes numbers between commas, such as 0,1, got {text!r}") from None


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
