"""Collective certificates: how many predictions a single perturbation can change, with bounds that can be trusted."""

from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.exact import TightProblem, collective_tight, tight_problem
from graphcert.collective.hierarchical import collective_hierarchical
from graphcert.collective.hierarchical_problem import HierarchicalProblem, hierarchical_problem
from graphcert.collective.localized import collective_localized
from graphcert.collective.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.norm_problem import NormProblem, collective_norm
from graphcert.collective.perceived import collective_perceived
from graphcert.collective.perceived_places import smoothing_places
from graphcert.collective.perceived_problem import check_reach
from graphcert.collective.receptive import receptive_field, undirected_edges
from graphcert.collective.scheme_perception import scheme_perception
from graphcert.collective.smoothing_problem import smoothing_problem
from graphcert.collective.strictly_local import collective_strictly_local, naive_bound

__all__ = [
    "CollectiveCurve",
    "HierarchicalProblem",
    "LocalizedProblem",
    "NormProblem",
    "TightProblem",
    "axis_weights",
    "check_reach",
    "collective_hierarchical",
    "collective_localized",
    "collective_norm",
    "collective_perceived",
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
