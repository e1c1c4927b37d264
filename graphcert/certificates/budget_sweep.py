"""The budgets that a call names, and a refusal of those under which nothing can change."""

from collections.abc import Iterable
from itertools import product
from typing import Any

from graphcert.errors import InputError
from graphcert.noise import Budget, Scheme, refuse_subclass


def as_budget(add: Any = 0, delete: Any = 0, edge_add: Any = 0, edge_delete: Any = 0, nodes: Any = None) -> Budget:
    """One `Budget`, given as it is or by its numbers; refused as by `budget_sweep`."""
    (budget,) = budget_sweep([add], [delete], [edge_add], [edge_delete], [nodes])
    return budget


def budget_sweep(
    add: Any = 0, delete: Any = 0, edge_add: Any = 0, edge_delete: Any = 0, nodes: Any = None
) -> list[Budget]:
    """All combinations of the numbers given per axis, the last axis fastest; or a sequence of `Budget` as it is.

    Raises:
        InputError: if a count is not a whole number ≥ 0, an axis is empty, or budgets and numbers are mixed.
    """
    given = (add, delete, edge_add, edge_delete, nodes)
    axes = [tuple(axis) if isinstance(axis, Iterable) else (axis,) for axis in given]
    if not all(axes):
        raise InputError("every axis of a sweep of budgets needs at least one value")
    if not any(isinstance(value, Budget) for value in axes[0]):
        return [Budget(*values) for values in product(*axes)]
    if not all(isinstance(value, Budget) for value in axes[0]) or axes[1:] != [*[(0,)] * 3, (None,)]:
        raise InputError("give either a sequence of Budget or the numbers, not both")
    for budget in axes[0]:
        refuse_subclass(budget, (Budget,))
    return list(axes[0])


def refuse_vacuous(smoothing: Scheme, budgets: Iterable[Budget], shifts: Iterable[float] | None = None) -> None:
    """Raise `InputError` for a limit of nodes that limits nothing, or leaves no room for the changes it is given with.

    `nodes` says in how many rows features may change. Without feature bits (or a shift, under continuous noise) no feature
    changes at all, so that a claim about so many nodes would be empty (theory section 11, trap 22); only under ablation,
    where rows change at will, it is a budget of its own. Of several budgets, such as the cells of a grid, those at which an
    axis starts at 0 may be empty: if others give the same limit something to limit. They are then the statement without any
    change of features, as is a shift that is given as 0. The budget without any change and without a limit is always
    allowed: it tells who abstains.
    """
    at_will, measured = smoothing.hides_rows, shifts is not None and bool(smoothing.norm)
    limits = {
        (b.nodes, b.feature_add + b.feature_delete + shift > 0) for b, shift in product(budgets, shifts or (0.0,))
    }
    with_changes = {nodes for nodes, changes in limits if changes and nodes}
    if (0, True) in limits and not with_changes:
        raise InputError(
            "with nodes=0 no features can change, so the changes that are given with it prove nothing; give nodes of at "
            "least 1, or leave it out"
        )
    for nodes, changes in limits:
        if nodes and not (changes or at_will or measured or nodes in with_changes):
            give = "a shift" if smoothing.norm else "feature bits with it (add or delete)"
            raise InputError(
                f"nodes={nodes} limits in how many nodes features change, but this budget changes no feature, and a claim "
                f"about it would hold always; give {give}, or leave nodes out"
            )
