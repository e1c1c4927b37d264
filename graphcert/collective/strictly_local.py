"""The strictly local collective certificate: one perturbation, seen only by those whose receptive field it touches."""

from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from graphcert.collective.curve import CollectiveCurve
from graphcert.collective.cvxpy_solver import CvxpySolver
from graphcert.collective.encoding import encode
from graphcert.collective.highs import HighsSolver
from graphcert.collective.linear import BoolArray, IntArray, Sparse
from graphcert.collective.masks import mask_of
from graphcert.collective.staircase import check_grid, minimal_broken_points
from graphcert.collective.sweep import Bound, Solver, curve_of, run_sweep
from graphcert.collective.threat import Threat, check_budgets, threat
from graphcert.errors import InputError

_SOLVERS: dict[str, Callable[[float | None], Solver]] = {"highs": HighsSolver, "cvxpy": CvxpySolver}


def collective_strictly_local(
    grid: npt.ArrayLike,
    axes: Sequence[str],
    perception: Sequence[Sparse],
    budgets: npt.ArrayLike,
    local_budget: Any = None,
    attackers: SupportsIndex | None = None,
    integer: bool = False,
    *,
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    endpoints: npt.ArrayLike | None = None,
    time_limit: float | None = None,
    reach_is_masked: bool = False,
    solver: str = "highs",
) -> CollectiveCurve:
    """How many targets no single perturbation within the budget can change (Schuchardt et al. 2021; theory, section 8).

    Valid only where nothing creates new reach: for changed features and deleted edges, under noise that adds no edges
    (θ⁺ of edges = 0), or for a model whose reach is masked independently of the noise.

    Args:
        grid: (N, S_1, …, S_A) bool, grid[n, i, j] True = node n is certified on its own at i changes on the first axis
            and j on the second. Outside the grid nothing is certified. A node with grid[n, 0, …, 0] False (abstained)
            counts as attacked at every budget.
        axes: a name per trailing dimension: "feature_add", "feature_delete", "edge_delete", "edge_add" (see
            `reach_is_masked`).
        perception: per axis a 0/1 matrix, what each node perceives (`receptive_field`): (N, N) on feature axes, whose
            column m stands for changes in the row of node m; (N, E) on edge axes, one column per edge.
        budgets: (B, A) whole numbers, the global budget per axis; a flat list if there is one axis.
        local_budget: the most changes at one node per axis: a number for all axes, a tuple with a number, array (N,) or
            None per axis, or one array (N,). On an edge axis it limits the changed edges at each of their ends.
        attackers: the most nodes that may be touched; a changed edge needs one of its ends among them.
        integer: False for the linear relaxation, True for branch and bound (never worse).
        targets: (N,) bool, the nodes that count; all by default.
        correct: (N,) bool, correctly labelled nodes: adds the certified accuracy, from a solve of its own.
        endpoints: (2, E) ends of the columns of an edge axis (`undirected_edges`), for local budgets and attackers.
        time_limit: seconds per solve; when it ends, what has been proved so far is reported.
        reach_is_masked: allow "edge_add", because the model's reach does not depend on the edges that are added.
        solver: "highs" (directly, hot start) or "cvxpy" (the same program through cvxpy, slower).

    Returns:
        A `CollectiveCurve`. Sound side: `certified` is never too large. The bound of the relaxation is recomputed from
        the duals in outward rounding (slack 0); that of branch and bound is the solver's proved best bound plus the
        slack of `bounds.branch_and_bound_slack`; no other status certifies anything beyond the relaxation.

    Raises:
        InputError: for a grid that is not boolean or not monotone, budgets that are not whole numbers ≥ 0, masks or
            matrices of the wrong shape, no targets, an unknown solver or one that is not installed.
        UnsupportedError: for "edge_add" without `reach_is_masked`.
    """
    if solver not in _SOLVERS:
        raise InputError(f"solver must be one of {', '.join(_SOLVERS)}, got {solver!r}")
    if time_limit is not None and not time_limit >= 0:
        raise InputError(f"time_limit must be a number of seconds of at least 0, got {time_limit!r}")
    checked, nodes, points, sweep = _problem(
        grid, axes, perception, budgets, local_budget, attackers, endpoints, reach_is_masked
    )
    backend = _SOLVERS[solver](time_limit)
    return _curve(checked, nodes, points, sweep, _masks(checked, targets, correct), backend, integer)


def naive_bound(
    grid: npt.ArrayLike,
    axes: Sequence[str],
    perception: Sequence[Sparse],
    budgets: npt.ArrayLike,
    local_budget: Any = None,
    attackers: SupportsIndex | None = None,
    *,
    targets: npt.ArrayLike | None = None,
    correct: npt.ArrayLike | None = None,
    endpoints: npt.ArrayLike | None = None,
    reach_is_masked: bool = False,
) -> CollectiveCurve:
    """The certificate without a solver: each node alone against all of the budget that its receptive field lets in.

    Node n is robust iff no minimal broken point v has v_axis ≤ min(budget, what the local budgets allow within its
    receptive field) on all axes. Arguments, errors and sound side as in `collective_strictly_local`, which never
    certifies less.
    """
    checked, nodes, points, sweep = _problem(
        grid, axes, perception, budgets, local_budget, attackers, endpoints, reach_is_masked
    )
    return _curve(checked, nodes, points, sweep, _masks(checked, targets, correct), None, False)


def _problem(
    grid: npt.ArrayLike,
    axes: Sequence[str],
    perception: Sequence[Sparse],
    budgets: npt.ArrayLike,
    local_budget: Any,
    attackers: Any,
    endpoints: npt.ArrayLike | None,
    reach_is_masked: bool,
) -> tuple[Threat, IntArray, IntArray, IntArray]:
    """The checked adversary, all minimal broken points, and the sweep."""
    names = (axes,) if isinstance(axes, str) else tuple(axes)
    base = check_grid(grid, len(names))
    checked = threat(names, perception, len(base), local_budget, attackers, endpoints, reach_is_masked)
    return checked, *minimal_broken_points(base), check_budgets(budgets, len(names))


def _masks(checked: Threat, targets: Any, correct: Any) -> tuple[BoolArray, BoolArray | None]:
    """The counted nodes, and the correct ones among them if labels are known."""
    size = checked.perception[0].shape[0]
    counted = np.ones(size, dtype=np.bool_) if targets is None else mask_of("targets", targets, (size,))
    if not counted.any():
        raise InputError("there are no targets; mark at least one node in the boolean mask targets")
    return counted, None if correct is None else counted & mask_of("correct", correct, (size,))


def _curve(
    checked: Threat,
    nodes: IntArray,
    points: IntArray,
    budgets: IntArray,
    masks: tuple[BoolArray, BoolArray | None],
    solver: Solver | None,
    integer: bool,
) -> CollectiveCurve:
    """Solve for the targets, then for the correct ones, and collect."""

    def bounds(mask: BoolArray) -> list[Bound]:
        return run_sweep(lambda most: encode(checked, nodes, points, mask, most), budgets, solver, integer)

    return curve_of(checked.axes, budgets, *masks, bounds)
