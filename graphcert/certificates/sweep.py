"""The budget or budgets that the arguments of a certificate's methods name."""

from collections.abc import Iterable
from itertools import product
from typing import Any

from graphcert.errors import InputError
from graphcert.noise import Budget
from graphcert.noise.exact import refuse_subclass


def as_budget(
    add: int | Budget = 0, delete: int = 0, edge_add: int = 0, edge_delete: int = 0, nodes: int | None = None
) -> Budget:
    """A `Budget` as it is, or one of the numbers.

    Raises:
        InputError: if a count is not a whole number ≥ 0, or a budget and numbers are mixed.
    """
    if not isinstance(add, Budget):
        return Budget(add, delete, edge_add, edge_delete, nodes)
    refuse_subclass(add, (Budget,))
    if (delete, edge_add, edge_delete, nodes) != (0, 0, 0, None):
        raise InputError("give either a Budget or the numbers, not both")
    return add


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
    if any(isinstance(value, Budget) for value in axes[0]):
        if not all(isinstance(value, Budget) for value in axes[0]) or axes[1:] != [*[(0,)] * 3, (None,)]:
            raise InputError("give either a sequence of Budget or the numbers, not both")
        for budget in axes[0]:
            refuse_subclass(budget, (Budget,))
        return list(axes[0])
    return [Budget(*values) for values in product(*axes)]
