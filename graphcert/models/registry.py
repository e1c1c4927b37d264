"""Models by name, for the command line and for checkpoints."""

import inspect
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import torch

from graphcert.errors import InputError
from graphcert.models.appnp import APPNP
from graphcert.models.base import SparseFirstModel
from graphcert.models.gat import GAT
from graphcert.models.gcn import GCN, SGC
from graphcert.models.sage import GraphSAGE

MODELS: Mapping[str, type[SparseFirstModel]] = {"gcn": GCN, "appnp": APPNP, "gat": GAT, "sgc": SGC, "sage": GraphSAGE}

_COUNTS = {"features": 1, "classes": 2, "hidden": 1, "heads": 1, "layers": 1, "hops": 0}
"""The least value of every option that is a whole number; all others are real numbers from 0 to 1."""

SIZES = tuple(name for name in _COUNTS if name != "hops")
"""The options that determine the shapes of weights."""


def build_model(name: str, features: int, classes: int, seed: int = 0, **options: Any) -> SparseFirstModel:
    """A freshly initialised model; the same seed gives the same weights and leaves torch's own generator alone.

    Raises:
        InputError: for an unknown name, an option that the model does not have, or a value outside its domain.
    """
    if name not in MODELS:
        raise InputError(f"unknown model {name!r}; choose one of {', '.join(MODELS)}")
    known = [key for key in inspect.signature(MODELS[name]).parameters if key not in ("features", "classes")]
    for key in options:
        if key not in known:
            raise InputError(f"the model {name} has no option {key!r}; it has {', '.join(known)}")
    for key, value in {"features": features, "classes": classes, **options}.items():
        _check_option(key, value)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[name](features, classes, **options)


def _check_option(name: str, value: Any) -> None:
    """Raise `InputError` unless `value` lies in the domain of the option `name`."""
    least = _COUNTS.get(name)
    if least is not None:
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InputError(f"the model option {name} must be a whole number of at least {least}, got {value!r}")
    elif isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise InputError(f"the model option {name} must be a number from 0 to 1, got {value!r}")
