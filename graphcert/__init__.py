"""graphcert: provable robustness of node classifiers on graphs.

The public names are loaded on first use, so that the pure mathematics (`graphcert.tradeoff`, `graphcert.certificates`, …)
can be imported without PyTorch.
"""

import importlib
import logging
from typing import TYPE_CHECKING, Any

from graphcert._version import __version__
from graphcert.core.late import HOMES

if TYPE_CHECKING:
    from graphcert import errors, statistics
    from graphcert.certificates import (  # isort: skip
        Attack, Certificate, ElasticCertificate, MethodComparison, Prediction, ScoreCertificate, SegmentationCertificate,
        Until, certify, certify_elastic, certify_scores, predict, seg_certify,
    )  # fmt: skip
    from graphcert.collective import (  # isort: skip
        CollectiveCurve, collective_strictly_local, naive_bound, receptive_field, undirected_edges,
    )  # fmt: skip
    from graphcert.data import load_dataset, partition_graph, register_dataset, save_graph
    from graphcert.images import GridGraph, ImageFolder, ImageModel, PixelCounts, sample_image_votes
    from graphcert.models import Rownormalised, consistency_loss, register_model, stability_loss
    from graphcert.noise import (  # isort: skip
        Ablation, BernoulliFlip, Budget, Gaussian, Hierarchical, Laplace, Law, NodeDrop, Partition, RealLaw,
        Rotation, Smoothing, SubsetAblation, Tiles, Uniform, elastic_sigma,
    )  # fmt: skip
    from graphcert.outputs import OutputModel, sample_elastic_votes, sample_output_votes
    from graphcert.points import PointCloud, PointModel, load_points, point_cells, sample_point_votes
    from graphcert.run.one_call import certify_model
    from graphcert.run.plan import Plan, plan
    from graphcert.run.verify import verify
    from graphcert.sampling.unit_noise import register_law
    from graphcert.tradeoff import (  # isort: skip
        TradeOff, certified_turn, input_dependent_radius, input_dependent_threshold, trade_off, turn_shift,
    )  # fmt: skip
    from graphcert.tuning.search import tune
    from graphcert.tuning.tuned import Tuned
    from graphcert.verification import Findings
    from graphcert.votes import Scores, Votes
    from graphcert.voting import NoisyTransform, sample_votes

_NAMES = {
    "graphcert.certificates": "Attack Certificate ElasticCertificate MethodComparison Prediction ScoreCertificate "
    "SegmentationCertificate Until certify certify_elastic certify_scores predict seg_certify",
    "graphcert.collective": "CollectiveCurve collective_strictly_local naive_bound receptive_field undirected_edges",
    "graphcert.data": "load_dataset partition_graph register_dataset save_graph",
    "graphcert.images": "GridGraph ImageFolder ImageModel PixelCounts sample_image_votes",
    "graphcert.models": "Rownormalised consistency_loss register_model stability_loss",
    "graphcert.noise": "Ablation BernoulliFlip Budget Gaussian Hierarchical Laplace Law NodeDrop Partition RealLaw "
    "Rotation Smoothing SubsetAblation Tiles Uniform elastic_sigma",
    "graphcert.outputs": "OutputModel sample_elastic_votes sample_output_votes",
    "graphcert.points": "PointCloud PointModel load_points point_cells sample_point_votes",
    "graphcert.run.one_call": "certify_model",
    "graphcert.run.plan": "Plan plan",
    "graphcert.run.verify": "verify",
    "graphcert.sampling.unit_noise": "register_law",
    "graphcert.tradeoff": "TradeOff certified_turn input_dependent_radius input_dependent_threshold trade_off turn_shift",
    "graphcert.tuning.search": "tune",
    "graphcert.tuning.tuned": "Tuned",
    "graphcert.verification": "Findings",
    "graphcert.votes": "Scores Votes",
    "graphcert.voting": "NoisyTransform sample_votes",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}
# What the methods that show a result call; the layers of the results are below.
HOMES.update(
    report="graphcert.run.shown:write_certificate_report", plot="graphcert.run.shown:certificate_plot",
    numbers="graphcert.run.shown:certificate_numbers", headline="graphcert.run.shown:certificate_headline",
    plot_curve="graphcert.report.plots.figures:collective_figure",
)  # fmt: skip
# What happens on the way is told to whoever listens to this logger, and to nobody else.
logging.getLogger("graphcert").addHandler(logging.NullHandler())
_MODULES = ("errors", "statistics")
__all__ = [
    "Ablation", "Attack", "BernoulliFlip", "Budget", "Certificate", "CollectiveCurve", "ElasticCertificate",
    "Findings", "Gaussian", "GridGraph", "Hierarchical", "ImageFolder", "ImageModel", "Laplace", "Law",
    "MethodComparison", "NodeDrop", "NoisyTransform", "OutputModel", "Partition", "PixelCounts", "Plan", "PointCloud",
    "PointModel", "Prediction", "RealLaw", "Rotation", "Rownormalised", "ScoreCertificate", "Scores",
    "SegmentationCertificate", "Smoothing", "SubsetAblation", "Tiles", "TradeOff", "Tuned", "Uniform", "Until", "Votes",
    "__version__", "certified_turn", "certify", "certify_elastic", "certify_model", "certify_scores",
    "collective_strictly_local", "consistency_loss", "elastic_sigma", "errors", "input_dependent_radius",
    "input_dependent_threshold", "load_dataset", "load_points", "naive_bound", "partition_graph", "plan",
    "point_cells", "predict", "receptive_field", "register_dataset", "register_law", "register_model",
    "sample_elastic_votes", "sample_image_votes", "sample_output_votes", "sample_point_votes", "sample_votes",
    "save_graph", "seg_certify", "stability_loss", "statistics", "trade_off", "tune", "turn_shift", "undirected_edges",
    "verify",
]  # fmt: skip


if not TYPE_CHECKING:  # a type checker that saw this would take every name for a public one

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"graphcert.{name}")
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'graphcert' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
