"""Rows, bits and edges in the same half-spaces, for any number of changed rows.

Under ablation without changed edges an output of majority p falls iff Π_j s_ij^r_j ≤ 3/2 − p, which is one half-space,
−Σ_j r_j ln s_ij ≥ −ln(3/2 − p), and exact (Scholten et al. 2022). By the multi-class rule (1 + p − q)/2 stands for p, as
p − δ ≤ q + δ says.

Otherwise orders α < 1 add up over rows and changes: outcomes in which some changed row is not selected are disjoint under
the two laws, so Σ P'^α P^(1−α) is Π_j s_ij^r_j times that of the lower laws, and a row weighs −ln s_ij/(1 − α). (For α ≥ 1
the divergence is infinite.) The least divergence that takes a majority away is that of section 4, at level 1/2, or by the
multi-class rule of section 9.
"""

import math

import numpy as np

from graphcert.collective.half_spaces.localized_problem import LocalizedProblem, axis_weights
from graphcert.collective.hierarchical.hierarchical_problem import HierarchicalProblem
from graphcert.collective.pairs import pair_cells
from graphcert.collective.solvers.program import FloatArray
from graphcert.noise import AXES
from graphcert.tradeoff.half_spaces import Order, pair_eta

ORDERS = tuple(Order(alpha) for alpha in (0.2, 0.4, 0.6, 0.75, 0.85, 0.93))
"""Small ones for few bits in many rows, large ones for many bits in few rows."""

_GUARD = 2.0**-48
"""Relative room for the rounding of a logarithm and a quotient."""


def joint_problem(problem: HierarchicalProblem) -> LocalizedProblem:
    """The half-spaces over the axes of the problem and one more per block: its changed rows, of a fifth budget class.

    It does not know that bits lie in changed rows only; sound side: that is more than an adversary can do. Under ablation it
    leaves edges out and is exact.
    """
    axes = problem.axes
    per_row = -np.log(problem.select)
    # s = 1 costs nothing, exactly; else the logarithm is rounded up.
    per_row = np.where(problem.select == 1.0, 0.0, per_row * (1 + _GUARD))
    if problem.ablated:
        weights = np.concatenate([np.zeros((1, *axes.law_of_axis.shape)), per_row[None]], axis=2)
        eta, groups = _ablation_eta(_middle(problem))[None], axes.groups
    else:
        changes = axis_weights(axes.laws, axes.law_of_axis, axes.deletes, ORDERS)
        rows = np.array([per_row / (1 - order.alpha) * (1 + _GUARD) for order in ORDERS])
        cells = pair_cells(axes.groups, problem.p_lower, problem.p_other)
        weights, groups = np.concatenate([changes, rows], axis=2)[:, cells.group], cells.of_output
        eta = np.array([pair_eta(problem.p_lower, cells.other[groups], *order) for order in ORDERS])
    return LocalizedProblem(
        groups=groups,
        eta=eta,
        weights=weights,
        axis_class=np.concatenate([axes.axis_class, np.full(problem.blocks, len(AXES))]),
        capacity=np.concatenate([axes.capacity, problem.rows]),
        classes=(*AXES, "nodes"),
    )


def _middle(problem: HierarchicalProblem) -> FloatArray:
    """(n,) the majority that falls when the label no longer leads: p, or (1 + p − q)/2 rounded down."""
    p, q = problem.p_lower, problem.p_other
    return p if q is None else np.maximum(p, np.nextafter((1.0 + (p - q)) / 2 - 2.0**-53, 0.0))


def _ablation_eta(p_lower: FloatArray) -> FloatArray:
    """−ln(3/2 − p), rounded down; 0 for p ≤ 1/2."""
    p = np.maximum(p_lower, 0.5)
    # 1 − p is exact and so is the sum to less than an ulp; log1p keeps small values accurate.
    eta: FloatArray = -np.log1p(-(p - 0.5)) * (1 - _GUARD)
    return np.where(p_lower > 0.5, np.maximum(eta - math.ulp(1.0), 0.0), 0.0)
