"""Noise under which every node is certified by itself only."""

from collections.abc import Sequence

import numpy as np

from graphcert.certificates.budget_grid import Mask
from graphcert.certificates.method_hierarchy import Method
from graphcert.certificates.query import Evidence, Family, Query
from graphcert.collective import CollectiveCurve
from graphcert.collective.adversary import budget_axes
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget, Scheme

_REFUSAL = "under {noise} every node is certified by itself only; use method='naive' without layers"


def per_node_curve(budgets: Sequence[Budget], robust: Mask, counted: Mask, right: Mask | None) -> CollectiveCurve:
    """The naive curve: whoever is not robust alone may fall. Nothing is known about attacks, so the gap is nan.

    Args:
        budgets: B budgets, all with a limit of nodes (then "nodes" is a fifth axis) or all without.
        robust: (B, N) the nodes that are robust alone.
        counted: (N,) the targets that count.
        right: (N,) which of them are correctly labelled, or None.

    Raises:
        InputError: if some budgets limit the nodes and some do not, or no target counts.
    """
    axes, rows = budget_axes(budgets)
    if not counted.any():
        raise InputError("there are no targets; mark at least one node in the boolean mask targets")
    attacked = (counted & ~robust).sum(axis=1)
    return CollectiveCurve(
        axes=axes,
        budgets=rows,
        targets=int(counted.sum()),
        bound=attacked.astype(np.float64),
        attacked_upper=attacked,
        method=np.full(len(budgets), "naive"),
        status=np.full(len(budgets), "not solved"),
        gap=np.full(len(budgets), np.nan),
        correct_upper=None if right is None else (right & ~robust).sum(axis=1),
        correct_targets=None if right is None else int(right.sum()),
    )


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
