"""Changes measured by a norm, under Gaussian and uniform noise: half-spaces in real shares (theory, sections 5 and 8)."""

from dataclasses import replace
from itertools import product

import numpy as np

from graphcert.certificates.method_hierarchy import Method
from graphcert.certificates.norms import BlockScales
from graphcert.certificates.per_node_family import per_node_curve
from graphcert.certificates.query import Evidence, Family, Query
from graphcert.collective import CollectiveCurve, collective_norm
from graphcert.collective.curve import SHIFT
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget

_REFUSAL = (
    "against a shift there are method='naive', and 'lp' and 'milp' for votes under Gaussian or uniform noise without "
    "selection of rows; all without layers and orders"
)

_BRIEF_BINS, _BRIEF_SECONDS = 64, 0.25


def _methods(evidence: Evidence, query: Query) -> tuple[str, ...]:
    return ("naive",) if evidence.distances() is None else ("naive", "lp", "milp")


def _curve(evidence: Evidence, query: Query, method: Method) -> CollectiveCurve:
    if query.layers is not None or query.orders is not None:
        raise UnsupportedError(_REFUSAL)
    if query.counts.any():
        raise UnsupportedError(
            "changes of bits or edges besides a shift are certified by robust(…) only; leave them out"
        )
    shifts = list(query.shift or ())
    if not shifts:
        raise InputError("a sweep of shifts needs at least one norm")
    distances = evidence.distances()
    if distances is None:
        return _alone(evidence, query, shifts)
    if any(budget.nodes is not None for budget in query.budgets):
        raise UnsupportedError("a limit of nodes makes a difference under hierarchical noise only; leave nodes out")
    problem = BlockScales.of(evidence.smoothing, evidence.nodes).problem(distances)
    return collective_norm(
        problem, shifts, method=method.program, targets=query.targets, correct=query.correct,
        robust_per_node=np.array([evidence.robust(Budget(), shift) for shift in shifts]), bins=query.bins,
        time_limit=query.time_limit, solver=query.solver,
    )  # fmt: skip


def _alone(evidence: Evidence, query: Query, shifts: list[float]) -> CollectiveCurve:
    """Every node by itself, over shifts and limits of nodes, the last one running fastest."""
    sweep = list(product(shifts, query.budgets))
    robust = np.array([evidence.robust(budget, shift) for shift, budget in sweep])
    right = None if query.correct is None else query.targets & query.correct
    curve = per_node_curve([budget for _, budget in sweep], robust, query.targets, right)
    rows = [(shift,) if budget.nodes is None else (shift, float(budget.nodes)) for shift, budget in sweep]
    axes = (SHIFT, "nodes") if "nodes" in curve.axes else (SHIFT,)
    return replace(curve, axes=axes, budgets=np.array(rows, np.float64))


def _brief(query: Query) -> Query:
    """Few steps and little time per budget: a sweep of thirty takes some ten seconds (docs/collective.md)."""
    bins = _BRIEF_BINS if query.bins is None else min(query.bins, _BRIEF_BINS)
    seconds = _BRIEF_SECONDS if query.time_limit is None else min(query.time_limit, _BRIEF_SECONDS)
    return replace(query, bins=bins, time_limit=seconds)


NORM = Family(_methods, _curve, _REFUSAL, brief=_brief)
