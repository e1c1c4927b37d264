"""All targets at once by their mean scores: the exact certificate where it can be had, half-spaces elsewhere."""

from typing import Any

import numpy as np

from graphcert.certificates.budget_grid import Mask
from graphcert.certificates.query import Evidence, Query
from graphcert.certificates.score_allocations import Worst, worst_allocation
from graphcert.collective import CollectiveCurve, collective_localized, smoothing_problem, tight_problem
from graphcert.collective.solvers.program import IntArray
from graphcert.noise import AXES


def tight_scores(evidence: Evidence, query: Query, options: dict[str, Any]) -> CollectiveCurve:
    """Budget by budget the worst of all allocations, or the integer program where there are too many of them.

    Args:
        evidence: claims that rest on the tails of scores.
        query: what is asked.
        options: targets, correct, robust_per_node and time_limit of the collective certificate.
    """
    tails, alone, targets = evidence.tails(), options["robust_per_node"], options["targets"]
    assert tails is not None  # else there is no such method
    correct = None if options["correct"] is None else targets & options["correct"]
    problem = tight_problem(evidence.smoothing, np.zeros(evidence.nodes), query.data)
    answers = [
        worst_allocation(problem, tails, budget, targets & ~robust, correct)
        for budget, robust in zip(query.counts, alone, strict=True)
    ]
    found = _closed(query.counts, targets, alone, correct, answers, problem.capacity.size)
    open_rows = np.flatnonzero([answer is None for answer in answers])
    if not open_rows.size:
        return found
    used, eta = evidence.half_spaces(query.orders)
    rest = collective_localized(
        smoothing_problem(evidence.smoothing, eta, used, query.data), query.counts[open_rows],
        method="milp", solver=query.solver, bins=query.bins, **options | {"robust_per_node": alone[open_rows]},
    )  # fmt: skip
    for name in ("bound", "attacked_upper", "method", "status", "correct_upper"):
        values = getattr(rest, name)
        if values is not None:
            getattr(found, name)[open_rows] = values
    # What half-spaces lose to an attack need not be lost to it, and it is not among `attacks`.
    found.gap[open_rows] = np.where(rest.attacked_upper == 0, 0.0, np.nan)
    return found


def _closed(
    budgets: IntArray,
    targets: Mask,
    alone: Mask,
    correct: Mask | None,
    answers: list[Worst | None],
    axes: int,
) -> CollectiveCurve:
    """The curve of exact answers; where there is none, its rows are to be filled in."""
    naive = (targets & ~alone).sum(axis=1)
    attacked = np.array([n if a is None else a.attacked for n, a in zip(naive, answers, strict=True)], np.int64)
    attacks = [np.zeros(axes, np.int64) if answer is None else answer.attack for answer in answers]
    return CollectiveCurve(
        axes=AXES,
        budgets=budgets,
        targets=int(targets.sum()),
        bound=attacked.astype(np.float64),
        attacked_upper=attacked,
        method=np.where(attacked < naive, "tight", "naive").astype("<U32"),
        status=np.full(len(budgets), "closed", dtype="<U32"),
        gap=np.zeros(len(budgets)),
        attacks=np.array(attacks),
        correct_upper=None
        if correct is None
        else np.array([0 if a is None or a.correct is None else a.correct for a in answers], np.int64),
        correct_targets=None if correct is None else int(correct.sum()),
    )
