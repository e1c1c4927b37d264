"""Models by name, for the command line and for checkpoints."""

import inspect
from collections.abc import Mapping
from typing import Any

import torch

from graphcert.errors import InputError
from graphcert.models.appnp import APPNP
from graphcert.models.base import SparseFirstModel
from graphcert.models.gat import GAT
from graphcert.models.gcn import GCN
from graphcert.models.sage import GraphSAGE
from graphcert.models.sgc import SGC

MODELS: Mapping[str, type[SparseFirstModel]] = {"gcn": GCN, "appnp": APPNP, "gat": GAT, "sgc": SGC, "sage": GraphSAGE}


def build_model(name: str, features: int, classes: int, seed: int = 0, **options: Any) -> SparseFirstModel:
    """A freshly initialised model; the same seed gives the same weights and leaves torch's own generator alone.

    Raises:
        InputError: for an unknown name or an option that the model does not have.
    """
    if name not in MODELS:
        raise InputError(f"unknown model {name!r}; choose one of {', '.join(MODELS)}")
    known = [key for key in inspect.signature(MODELS[name]).parameters if key not in ("features", "classes")]
    for key in options:
        if key not in known:
            raise InputError(f"the model {name} has no option {key!r}; it has {', '.join(known)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MODELS[name](features, classes, **options)
