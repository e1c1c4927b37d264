"""Noise under which every node is certified by itself only."""

import numpy as np

from graphcert.certificates.method_hierarchy import Method
from graphcert.certificates.per_node import per_node_curve
from graphcert.certificates.query import Evidence, Family, Query
from graphcert.collective import CollectiveCurve
from graphcert.errors import UnsupportedError
from graphcert.noise import Scheme

_REFUSAL = "under {noise} every node is certified by itself only; use method='naive' without layers"


def noise_name(smoothing: Scheme) -> str:
    """The law of features by its name, such as "SubsetAblation of features"."""
    levels = smoothing.levels("features")
    if not levels:
        return "noise of edges"
    return f"{type(levels[0].row).__name__} of {'selected ' if levels[0].selects else ''}features"


def _methods(evidence: Evidence, query: Query) -> tuple[str, ...]:
    return ("naive",)


def _curve(evidence: Evidence, query: Query, method: Method) -> CollectiveCurve:
    if query.layers is not None:
        raise UnsupportedError(_REFUSAL.format(noise=noise_name(evidence.smoothing)))
    right = None if query.correct is None else query.targets & query.correct
    robust = np.array([evidence.robust(budget) for budget in query.budgets])
    return per_node_curve(query.budgets, robust, query.targets, right)


PER_NODE = Family(_methods, _curve, _REFUSAL)
