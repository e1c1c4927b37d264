"""The tight collective certificate: |T| − max_b attacked(b) over whole allocations b (theory, section 9)."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import check_budgets
from graphcert.collective.bound_loop import Answer, CollectiveProblem, bound_loop
from graphcert.collective.curve import CollectiveCurve, strengthened
from graphcert.collective.exact.budget_solver import BudgetSolver, rounded_cells
from graphcert.collective.exact.exact_problem import TightProblem
from graphcert.collective.half_spaces.localized import BINS
from graphcert.collective.solvers import check_time
from graphcert.collective.solvers.program import BoolArray, IntArray
from graphcert.core.arguments import whole
from graphcert.errors import InputError


def collective_tight(
    problem: TightProblem,
    budgets: npt.ArrayLike,
    *,
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    robust_per_node: npt.ArrayLike | None = None,
    bins: int = BINS,
    time_limit: float | None = 60.0,
    branching: bool = True,
    cutoff: npt.ArrayLike | None = None,
) -> CollectiveCurve:
    """How many targets no single perturbation within the budget can change, by exact trade-offs; no paper has this.

    A target of group i falls under an allocation b of changes iff its p_lower is at most c_i(b), the critical probability
    of the exact trade-off of all changes as the group sees them. Nothing is linearised, so where the search ends the result
    is the best that any certificate can say which knows p_lower (and p_other) only: some base classifier with these
    probabilities loses that many targets, group by group, to the reported attack. Where budgets are very large, or outputs
    very many, bounds of other classes are rounded up to a few values, by `rounding` of the curve at most.

    Args:
        problem: n outputs in groups, and the laws under which groups see the axes of change.
        budgets: (B, classes) whole numbers, the global budget per class of `problem.classes`; a flat list if there is one.
        targets: (n,) bool, the outputs that count; all by default.
        correct: (n,) bool, correctly labelled outputs: adds the certified accuracy, from a solve of its own.
        robust_per_node: (B, n) bool, outputs that another certificate, from the same simultaneous bounds, proves robust
            against every use of the whole budget. (n,) for one budget.
        bins: the most thresholds per group to which p_lower is rounded in the linear program (the search does not round).
        time_limit: seconds per budget and solve; when they end, what has been proved so far is reported. None waits. By the
            multi-class rule, where the search does not end, that of the binary rule takes as long again.
        branching: whether to branch; without, the linear program is the last word, in seconds at any size.
        cutoff: (B,) whole numbers: as soon as no more targets than that can fall, a budget is done. For the largest of many
            problems, with what an attack on another one breaks. Not together with `correct`.

    Returns:
        A `CollectiveCurve` with `attacks`. Sound side: `certified` is never too large. `method` names what proves it:
        "naive" (each group by itself), "tight-lp" (a linear program, of hulls or half-spaces) or "tight" (branch and bound);
        `gap` counts up to the best attack found, and is 0 where the status is "closed". Critical probabilities are rounded
        up by 1e-12 or so, for the bound and for the attack alike.

    Raises:
        InputError: for budgets that are not whole numbers ≥ 0, masks of the wrong shape, no targets, or options outside
            their domain.
    """
    check_time(time_limit)
    sweep = check_budgets(budgets, len(problem.classes))
    goals = _cutoffs(cutoff, len(sweep), correct is not None)
    search = BudgetSolver(problem, time_limit, whole("bins", bins, 1), branching=branching)

    def answer(index: int, standing: BoolArray, begin: IntArray | None) -> Answer:
        """Every budget begins with the best attack of the smaller ones."""
        changes = np.zeros(problem.capacity.size, dtype=np.int64) if begin is None else begin
        found = search.solve(sweep[index], standing, changes, int(goals[index]))
        return Answer(found.bound, found.attack)

    family = CollectiveProblem(problem.classes, problem.outputs, lambda counted, budgets: answer)
    curve = bound_loop(family, sweep, targets=targets, correct=correct, robust_per_node=robust_per_node)
    curve = replace(curve, rounding=max((rounded_cells(problem, budget).rounding for budget in sweep), default=0.0))
    rows = np.flatnonzero((curve.attacked_upper > 0) & (curve.gap != 0))
    if problem.p_other is None or not rows.size or cutoff is not None:
        return curve
    # What falls by the multi-class rule falls by the binary one, whose search is faster and may come further in the time.
    proved = None if robust_per_node is None else np.atleast_2d(robust_per_node)[rows]
    binary = collective_tight(
        replace(problem, p_other=None), sweep[rows], targets=targets, correct=correct, robust_per_node=proved, bins=bins,
        time_limit=time_limit, branching=branching,
    )  # fmt: skip
    return strengthened(curve, binary, rows, same=True)


def _cutoffs(cutoff: npt.ArrayLike | None, budgets: int, with_correct: bool) -> IntArray:
    """(B,) the cutoffs, 0 where there are none."""
    if cutoff is None:
        return np.zeros(budgets, dtype=np.int64)
    if with_correct:
        raise InputError("a cutoff is about one set of targets; leave correct out and ask again with targets & correct")
    goals = np.asarray(cutoff)
    if goals.shape != (budgets,) or not np.issubdtype(goals.dtype, np.integer) or (goals < 0).any():
        raise InputError(f"cutoff must be one whole number of at least 0 per budget ({budgets})")
    return goals.astype(np.int64)
