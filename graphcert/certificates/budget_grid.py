"""The budgets that a call names: one, a sweep, or a grid with certified ratio and accuracy in every cell."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from graphcert.core.arrays import Floats, Mask
from graphcert.errors import InputError
from graphcert.noise import AXES, Budget, Scheme, refuse_subclass
from graphcert.noise.budget import Counts, count


@dataclass(frozen=True, eq=False)
class BudgetGrid:
    """Shares of the targets that are certified, one cell per budget.

    Attributes:
        axes: the names out of `AXES` and "nodes" that vary, one per dimension of the arrays.
        values: the budgets along each of these axes.
        fixed: the budget on the axes that do not vary (0, or no limit of nodes, on those that do). A cell in which nothing
            changes is the statement without any change, whatever its limit of nodes.
        ratio: certified ratio, of the shape given by `values`.
        accuracy: certified accuracy of the same shape, or None where no true labels were given.
    """

    axes: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    fixed: Budget
    ratio: Floats
    accuracy: Floats | None


def counted_axes(smoothing: Scheme) -> tuple[str, ...]:
    """The fields of `Budget` that count what can change under a scheme and is hidden by its noise; none for norms."""
    axes: tuple[str, ...] = ()
    if smoothing.perturbs("features") and smoothing.feature_law is not None:
        axes = {"bits": AXES[:2], "rows": ("nodes",), "reals": (), "turns": ()}[smoothing.feature_law.element]
    return (*axes, *(AXES[2:] if smoothing.perturbs("edges") else ()))


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


def evaluate_grid(
    robust: Callable[[Budget], Mask], targets: int, budgets: Sequence[Counts | None], correct: Mask | None
) -> BudgetGrid:
    """The share of so many `targets` that is robust, and that is correct besides, in every cell.

    `robust` gives (N,) at a budget. `budgets` has, per axis of `AXES` and for the limit of nodes, one number or those along
    a dimension, checked as by `budget_sweep`. A budget above one at which nobody is robust is not computed.
    """
    given = dict(zip((*AXES, "nodes"), budgets, strict=True))
    varying = {
        axis: tuple(count(axis, one) for one in budget)
        for axis, budget in given.items()
        if isinstance(budget, Iterable)
    }
    cells = budget_sweep(*(varying.get(axis, budget) for axis, budget in given.items()))
    certified, accurate = np.zeros(len(cells)), np.zeros(len(cells))
    hopeless: list[Budget] = []
    for index, budget in enumerate(cells):
        if any(within(small, budget) for small in hopeless):
            continue
        nodes = robust(budget)
        certified[index] = nodes.sum()
        accurate[index] = 0 if correct is None else (nodes & correct).sum()
        if not certified[index]:
            hopeless.append(budget)
    shape = tuple(map(len, varying.values()))
    return BudgetGrid(
        axes=tuple(varying),
        values=tuple(varying.values()),
        fixed=replace(cells[0], **{axis: None if axis == "nodes" else 0 for axis in varying}),  # type: ignore[arg-type]
        ratio=certified.reshape(shape) / targets,
        accuracy=None if correct is None else accurate.reshape(shape) / targets,
    )


def within(small: Budget, large: Budget) -> bool:
    """Whether every perturbation within `small` is also within `large`."""
    if any(s > b for s, b in zip(small.as_tuple(), large.as_tuple(), strict=True)):
        return False
    if small.nodes is None or large.nodes is None:
        return large.nodes is None
    # Without feature bits a number of nodes is a budget of its own under ablation: any change of so many rows.
    return small.nodes <= large.nodes and any(small.as_tuple()[:2]) == any(large.as_tuple()[:2])
