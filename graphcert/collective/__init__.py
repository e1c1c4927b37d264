"""Collective certificates: how many predictions a single perturbation can change, with bounds that can be trusted."""

from graphcert.collective.base_certificates.strictly_local import collective_strictly_local, naive_bound
from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.exact import TightProblem, collective_tight, tight_problem
from graphcert.collective.half_spaces.localized import collective_localized
from graphcert.collective.half_spaces.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.half_spaces.norm import NormProblem, collective_norm
from graphcert.collective.half_spaces.receptive import collective_receptive
from graphcert.collective.half_spaces.receptive_problem import check_reach
from graphcert.collective.half_spaces.scheme_axes import scheme_perception, smoothing_places, smoothing_problem
from graphcert.collective.hierarchical.hierarchical_certificate import collective_hierarchical
from graphcert.collective.hierarchical.hierarchical_problem import (
    HierarchicalProblem,
    hierarchical_problem,
)
from graphcert.collective.hierarchical.norm_rows import NormRows, collective_norm_rows
from graphcert.collective.receptive_field import receptive_field, undirected_edges

__all__ = [
    "CollectiveCurve",
    "HierarchicalProblem",
    "LocalizedProblem",
    "NormProblem",
    "NormRows",
    "TightProblem",
    "axis_weights",
    "check_reach",
    "collective_hierarchical",
    "collective_localized",
    "collective_norm",
    "collective_norm_rows",
    "collective_receptive",
    "collective_strictly_local",
    "collective_tight",
    "hierarchical_problem",
    "naive_bound",
    "receptive_field",
    "scheme_perception",
    "smoothing_places",
    "smoothing_problem",
    "tight_problem",
    "undirected_edges",
]
