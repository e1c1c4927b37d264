"""The budgets of a sweep."""

from collections.abc import Iterable
from itertools import product
from typing import Any

from graphcert.errors import InputError
from graphcert.noise import Budget


def budget_sweep(add: Any, delete: Any, edge_add: Any, edge_delete: Any, nodes: Any = None) -> list[Budget]:
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
        return list(axes[0])
    return [Budget(*values) for values in product(*axes)]
