"""Certified ratio and accuracy over a grid of budgets."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates.budget_sweep import budget_sweep
from graphcert.noise import AXES, Budget
from graphcert.noise.budget import Counts, count

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


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


def evaluate_grid(
    robust: Callable[[Budget], Mask], targets: int, budgets: Sequence[Counts | None], correct: Mask | None
) -> BudgetGrid:
    """Count the robust nodes in every cell; a budget above one at which nobody is robust is not computed.

    Args:
        robust: the robust nodes (N,) at a budget; fewer at a larger budget.
        targets: the number of targets, by which counts are divided.
        budgets: per axis of `AXES`, and for the limit of nodes, one number or the numbers along a dimension.
        correct: (N,) correctly labelled nodes, if known.

    Raises:
        InputError: if an axis is empty or a budget is not a whole number ≥ 0.
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
