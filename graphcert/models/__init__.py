"""Node classifiers with a sparse first layer, their training under noise, and their checkpoints."""

from graphcert.models.appnp import APPNP
from graphcert.models.base import SparseFirstModel, message_passing
from graphcert.models.checkpoint import load_model, save_model
from graphcert.models.gat import GAT
from graphcert.models.gcn import GCN, SGC
from graphcert.models.objectives import consistency_loss, stability_loss
from graphcert.models.registry import MODELS, build_model, register_model
from graphcert.models.rownormalised import Rownormalised
from graphcert.models.sage import GraphSAGE
from graphcert.models.training import Training, TrainingLog, train

__all__ = [
    "APPNP",
    "GAT",
    "GCN",
    "MODELS",
    "SGC",
    "GraphSAGE",
    "Rownormalised",
    "SparseFirstModel",
    "Training",
    "TrainingLog",
    "build_model",
    "consistency_loss",
    "load_model",
    "message_passing",
    "register_model",
    "save_model",
    "stability_loss",
    "train",
]  # fmt: skip
