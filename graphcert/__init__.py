"""graphcert: provable robustness of node classifiers on graphs.

The public names are loaded on first use, so that the pure mathematics (`graphcert.tradeoff`, `graphcert.certificates`, …)
can be imported without PyTorch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from graphcert._version import __version__

if TYPE_CHECKING:
    from graphcert import errors as errors
    from graphcert import statistics as statistics
    from graphcert.certificates import Attack as Attack
    from graphcert.certificates import Certificate as Certificate
    from graphcert.certificates import MethodComparison as MethodComparison
    from graphcert.certificates import Prediction as Prediction
    from graphcert.certificates import ScoreCertificate as ScoreCertificate
    from graphcert.certificates import SegmentationCertificate as SegmentationCertificate
    from graphcert.certificates import certify as certify
    from graphcert.certificates import certify_scores as certify_scores
    from graphcert.certificates import predict as predict
    from graphcert.certificates import seg_certify as seg_certify
    from graphcert.collective import CollectiveCurve as CollectiveCurve
    from graphcert.collective import collective_strictly_local as collective_strictly_local
    from graphcert.collective import naive_bound as naive_bound
    from graphcert.collective import receptive_field as receptive_field
    from graphcert.collective import undirected_edges as undirected_edges
    from graphcert.data import load_dataset as load_dataset
    from graphcert.data import partition_graph as partition_graph
    from graphcert.data import register_dataset as register_dataset
    from graphcert.images import GridGraph as GridGraph
    from graphcert.images import ImageFolder as ImageFolder
    from graphcert.images import ImageModel as ImageModel
    from graphcert.images import PixelCounts as PixelCounts
    from graphcert.images import sample_image_votes as sample_image_votes
    from graphcert.models import register_model as register_model
    from graphcert.noise import Ablation as Ablation
    from graphcert.noise import BernoulliFlip as BernoulliFlip
    from graphcert.noise import Budget as Budget
    from graphcert.noise import Gaussian as Gaussian
    from graphcert.noise import Hierarchical as Hierarchical
    from graphcert.noise import Laplace as Laplace
    from graphcert.noise import Law as Law
    from graphcert.noise import Partition as Partition
    from graphcert.noise import RealLaw as RealLaw
    from graphcert.noise import Smoothing as Smoothing
    from graphcert.noise import SubsetAblation as SubsetAblation
    from graphcert.noise import Uniform as Uniform
    from graphcert.noise import elastic_sigma as elastic_sigma
    from graphcert.sampling.unit_noise import register_law as register_law
    from graphcert.tradeoff import TradeOff as TradeOff
    from graphcert.tradeoff import input_dependent_radius as input_dependent_radius
    from graphcert.tradeoff import input_dependent_threshold as input_dependent_threshold
    from graphcert.tradeoff import trade_off as trade_off
    from graphcert.votes import Scores as Scores
    from graphcert.votes import Votes as Votes
    from graphcert.voting import sample_votes as sample_votes

_HOMES = {
    "Ablation": "graphcert.noise",
    "Attack": "graphcert.certificates",
    "BernoulliFlip": "graphcert.noise",
    "Budget": "graphcert.noise",
    "Certificate": "graphcert.certificates",
    "CollectiveCurve": "graphcert.collective",
    "Gaussian": "graphcert.noise",
    "GridGraph": "graphcert.images",
    "Hierarchical": "graphcert.noise",
    "ImageFolder": "graphcert.images",
    "ImageModel": "graphcert.images",
    "Laplace": "graphcert.noise",
    "Law": "graphcert.noise",
    "MethodComparison": "graphcert.certificates",
    "Partition": "graphcert.noise",
    "PixelCounts": "graphcert.images",
    "Prediction": "graphcert.certificates",
    "RealLaw": "graphcert.noise",
    "ScoreCertificate": "graphcert.certificates",
    "Scores": "graphcert.votes",
    "SegmentationCertificate": "graphcert.certificates",
    "Smoothing": "graphcert.noise",
    "SubsetAblation": "graphcert.noise",
    "TradeOff": "graphcert.tradeoff",
    "Uniform": "graphcert.noise",
    "Votes": "graphcert.votes",
    "certify": "graphcert.certificates",
    "certify_scores": "graphcert.certificates",
    "collective_strictly_local": "graphcert.collective",
    "elastic_sigma": "graphcert.noise",
    "input_dependent_radius": "graphcert.tradeoff",
    "input_dependent_threshold": "graphcert.tradeoff",
    "load_dataset": "graphcert.data",
    "naive_bound": "graphcert.collective",
    "partition_graph": "graphcert.data",
    "predict": "graphcert.certificates",
    "receptive_field": "graphcert.collective",
    "register_dataset": "graphcert.data",
    "register_law": "graphcert.sampling.unit_noise",
    "register_model": "graphcert.models",
    "sample_image_votes": "graphcert.images",
    "sample_votes": "graphcert.voting",
    "seg_certify": "graphcert.certificates",
    "trade_off": "graphcert.tradeoff",
    "undirected_edges": "graphcert.collective",
}
_MODULES = ("errors", "statistics")

__all__ = ["__version__", *_MODULES, *_HOMES]


if not TYPE_CHECKING:  # a type checker that saw this would take every name for a public one

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"graphcert.{name}")
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'graphcert' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
