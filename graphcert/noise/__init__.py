"""Descriptions of noise and of budgets: frozen values without behaviour."""

from graphcert.noise.budget import AXES, Budget
from graphcert.noise.elastic import elastic_sigma
from graphcert.noise.hierarchical import Hierarchical, smoothing_from_dict
from graphcert.noise.laws import CONTINUOUS, Ablation, BernoulliFlip, Gaussian, Selected, SubsetAblation, Uniform
from graphcert.noise.partition import Partition
from graphcert.noise.scheme import CHANNELS, Scheme
from graphcert.noise.smoothing import Smoothing, as_scheme
from graphcert.noise.views import Views

__all__ = [
    "AXES",
    "CHANNELS",
    "CONTINUOUS",
    "Ablation",
    "BernoulliFlip",
    "Budget",
    "Gaussian",
    "Hierarchical",
    "Partition",
    "Scheme",
    "Selected",
    "Smoothing",
    "SubsetAblation",
    "Uniform",
    "Views",
    "as_scheme",
    "elastic_sigma",
    "smoothing_from_dict",
]
