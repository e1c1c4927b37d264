"""Noise under which every node is certified by itself only."""

import math

import numpy as np

from graphcert.certificates.method_hierarchy import Method
from graphcert.certificates.query import Family, Query
from graphcert.collective import CollectiveCurve
from graphcert.collective.adversary import budget_axes
from graphcert.collective.bound_loop import Answer, Bound, CollectiveProblem, bound_loop
from graphcert.collective.solvers.program import Amounts, IntArray
from graphcert.core.arrays import Mask
from graphcert.errors import UnsupportedError
from graphcert.noise import Scheme

_REFUSAL = "under {noise} every node is certified by itself only; use method='naive' without layers"

_REWEIGHTED = (
    "deleted edges carry other weights or attributes than added ones, so every node is certified by itself only; use "
    "method='naive' without layers, or noise that adds no edges, such as edges=BernoulliFlip(0, 0.4)"
)


def per_node_curve(axes: tuple[str, ...], budgets: Amounts, robust: Mask, query: Query) -> CollectiveCurve:
    """The naive curve: whoever is not `robust` (B, N) alone may fall. Nothing is known about attacks, so the gap is nan.

    Of the `budgets` (B, A), one that is larger on every axis allows more.
    """

    def answer(index: int, standing: Mask, begin: IntArray | None) -> Answer:
        naive = int(standing.sum())
        return Answer(Bound(float(naive), naive, "naive", "not solved", math.nan))

    problem = CollectiveProblem(axes, robust.shape[1], lambda counted, budgets: answer)
    return bound_loop(problem, budgets, targets=query.targets, correct=query.correct, robust_per_node=robust)


def noise_name(smoothing: Scheme) -> str:
    """The law of features by its name, such as "SubsetAblation of features"."""
    law = next(iter(smoothing.levels("features")), None)
    return f"{type(law.row).__name__} of {'selected ' if law.selects else ''}features" if law else "noise of edges"


def _curve(query: Query, method: Method) -> CollectiveCurve:
    if query.layers is not None:
        family = REWEIGHTED if query.smoothing.reweighted else PER_NODE
        raise UnsupportedError(family.refusal.format(noise=noise_name(query.smoothing)))
    robust = np.array([query.claims._kept(budget) for budget in query.budgets])
    return per_node_curve(*budget_axes(query.budgets), robust, query)


PER_NODE = Family(lambda query: ("naive",), _curve, _REFUSAL)

REWEIGHTED = PER_NODE._replace(refusal=_REWEIGHTED)
"""Deletions of edges that no noise can bring back with their own weight (theory, section 2)."""
