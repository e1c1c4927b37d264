"""Descriptions of noise and of budgets: frozen values without behaviour."""

from graphcert.noise.ablation import Ablation, SubsetAblation
from graphcert.noise.bernoulli_flip import CLEAN, HIDDEN, BernoulliFlip, ReweightedFlip
from graphcert.noise.budget import AXES, Budget
from graphcert.noise.elastic import elastic_sigma
from graphcert.noise.gaussian import Gaussian
from graphcert.noise.hierarchical import Hierarchical, Selected, smoothing_from_dict
from graphcert.noise.laplace import Laplace
from graphcert.noise.law import LAWS, Interpreter, Law, RealLaw, Setting, refuse_subclass, settings_of_laws
from graphcert.noise.node_drop import NodeDrop
from graphcert.noise.partition import Partition
from graphcert.noise.rotation import Rotation
from graphcert.noise.scheme import CHANNELS, EdgeValues, Scheme
from graphcert.noise.smoothing import Smoothing, as_scheme
from graphcert.noise.tiles import Tiles
from graphcert.noise.uniform import Uniform
from graphcert.noise.views import Views

__all__ = [
    "AXES", "CHANNELS", "CLEAN", "HIDDEN", "LAWS", "Ablation", "BernoulliFlip", "Budget", "EdgeValues", "Gaussian",
    "Hierarchical", "Interpreter", "Laplace", "Law", "NodeDrop", "Partition", "RealLaw", "ReweightedFlip", "Rotation",
    "Scheme", "Selected", "Setting", "Smoothing", "SubsetAblation", "Tiles", "Uniform", "Views", "as_scheme",
    "elastic_sigma", "refuse_subclass", "settings_of_laws", "smoothing_from_dict",
]  # fmt: skip
