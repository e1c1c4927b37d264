"""Models by name, for the command line and for checkpoints; a user's own are registered beside those of the package."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from graphcert.core.arguments import real, whole
from graphcert.errors import InputError
from graphcert.models.appnp import APPNP
from graphcert.models.gat import GAT
from graphcert.models.gcn import GCN, SGC
from graphcert.models.sage import GraphSAGE

Builder = Callable[..., nn.Module]
"""(features, classes, **options) → a freshly initialised model."""

MODELS: dict[str, Builder] = {"gcn": GCN, "appnp": APPNP, "gat": GAT, "sgc": SGC, "sage": GraphSAGE}

_COUNTS = {"features": 1, "classes": 2, "hidden": 1, "heads": 1, "layers": 1, "hops": 0}
"""The least value of the options that are whole numbers."""

_SHARES = ("dropout", "restart", "slope")
"""The options that are real numbers from 0 to 1. Others are for the builder to check."""

SIZES = tuple(name for name in _COUNTS if name != "hops")
"""The options that determine the shapes of weights."""


def register_model(name: str, builder: Builder) -> None:
    """Make a model known by name to `build_model`, checkpoints, settings and the command line of this process.

    Args:
        name: by which it is known from now on; none that is taken.
        builder: called as builder(features, classes, **options), such as a class; returns a torch.nn.Module that is called
            as model(x, edge_index). A subclass of `graphcert.models.SparseFirstModel` votes on the sparse path and states
            its normalisation and its layers; any other module takes dense features and the generic path. Options called
            features, classes, hidden, heads, layers, hops, dropout, restart or slope have the domains of the package's own
            models; whole numbers among the others must not change how much memory the weights take, for a checkpoint is
            built before it is believed.

    Raises:
        InputError: if the name is taken or no name, or the builder cannot be called or lacks a piece.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(f"a model is registered by a name of letters, digits and underscores, got {name!r}")
    if name in MODELS:
        raise InputError(f"there is a model {name!r} already; register yours by another name")
    if not callable(builder):
        raise InputError(f"the builder of the model {name!r} must be a class or a function, got {builder!r}")
    missing = sorted(getattr(builder, "__abstractmethods__", ()))
    if missing:
        raise InputError(f"the model {name!r} does not state {', '.join(missing)}; a SparseFirstModel needs them all")
    takes = list(inspect.signature(builder).parameters)
    if takes[:2] != ["features", "classes"]:
        raise InputError(
            f"the model {name!r} is built as builder(features, classes, …), but its parameters are {', '.join(takes)}"
        )
    MODELS[name] = builder


def build_model(name: str, features: int, classes: int, seed: int = 0, **options: Any) -> nn.Module:
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
        if key in _COUNTS:
            whole(f"the model option {key}", value, _COUNTS[key])
        elif key in _SHARES:
            real(f"the model option {key}", value, 0, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = MODELS[name](features, classes, **options)
    if not isinstance(model, nn.Module):
        raise InputError(f"the builder of the model {name!r} must return a torch.nn.Module, got {type(model).__name__}")
    return model
