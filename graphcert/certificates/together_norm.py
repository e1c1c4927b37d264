"""Changes measured by a norm, under Gaussian and uniform noise: half-spaces in real shares (theory, sections 5 and 8)."""

from dataclasses import replace
from itertools import product

import numpy as np

from graphcert.certificates.alone import alone_curve
from graphcert.certificates.norms import BlockScales
from graphcert.certificates.question import Evidence, Kind, Question
from graphcert.certificates.rungs import Rung
from graphcert.collective import CollectiveCurve, collective_norm
from graphcert.collective.curve import SHIFT
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget

_REFUSAL = (
    "against a shift there are method='naive', and 'lp' and 'milp' for votes under Gaussian or uniform noise without "
    "selection of rows; all without layers and orders"
)

_BRIEF_BINS, _BRIEF_SECONDS = 64, 0.25


def _rungs(evidence: Evidence, question: Question) -> tuple[str, ...]:
    return ("naive",) if evidence.distances() is None else ("naive", "lp", "milp")


def _curve(evidence: Evidence, question: Question, rung: Rung) -> CollectiveCurve:
    if question.layers is not None or question.orders is not None:
        raise UnsupportedError(_REFUSAL)
    if question.counts.any():
        raise UnsupportedError(
            "changes of bits or edges besides a shift are certified by robust(…) only; leave them out"
        )
    shifts = list(question.shift or ())
    if not shifts:
        raise InputError("a sweep of shifts needs at least one norm")
    distances = evidence.distances()
    if distances is None:
        return _alone(evidence, question, shifts)
    if any(budget.nodes is not None for budget in question.budgets):
        raise UnsupportedError("a limit of nodes makes a difference under hierarchical noise only; leave nodes out")
    problem = BlockScales.of(evidence.smoothing, evidence.nodes).problem(distances)
    return collective_norm(
        problem, shifts, method=rung.method, targets=question.targets, correct=question.correct,
        robust_alone=np.array([evidence.robust(Budget(), shift) for shift in shifts]), bins=question.bins,
        time_limit=question.time_limit, solver=question.solver,
    )  # fmt: skip


def _alone(evidence: Evidence, question: Question, shifts: list[float]) -> CollectiveCurve:
    """Every node by itself, over shifts and limits of nodes, the last one running fastest."""
    sweep = list(product(shifts, question.budgets))
    robust = np.array([evidence.robust(budget, shift) for shift, budget in sweep])
    right = None if question.correct is None else question.targets & question.correct
    curve = alone_curve([budget for _, budget in sweep], robust, question.targets, right)
    rows = [(shift,) if budget.nodes is None else (shift, float(budget.nodes)) for shift, budget in sweep]
    axes = (SHIFT, "nodes") if "nodes" in curve.axes else (SHIFT,)
    return replace(curve, axes=axes, budgets=np.array(rows, np.float64))


def _brief(question: Question) -> Question:
    """Few steps and little time per budget: a sweep of thirty takes some ten seconds (docs/collective.md)."""
    bins = _BRIEF_BINS if question.bins is None else min(question.bins, _BRIEF_BINS)
    seconds = _BRIEF_SECONDS if question.time_limit is None else min(question.time_limit, _BRIEF_SECONDS)
    return replace(question, bins=bins, time_limit=seconds)


NORM = Kind(_rungs, _curve, _REFUSAL, brief=_brief)
