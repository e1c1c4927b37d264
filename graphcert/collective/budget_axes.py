"""Budgets as the rows of a collective curve."""

from collections.abc import Sequence

import numpy as np

from graphcert.collective.linear import IntArray
from graphcert.errors import InputError
from graphcert.noise import AXES, Budget


def budget_axes(budgets: Sequence[Budget]) -> tuple[tuple[str, ...], IntArray]:
    """Names of the axes and (B, A) numbers: those of `AXES`, and "nodes" as a fifth one if the nodes are limited.

    Raises:
        InputError: if some budgets limit the nodes and some do not.
    """
    limits = [budget.nodes for budget in budgets if budget.nodes is not None]
    if limits and len(limits) < len(budgets):
        raise InputError("either all budgets of a sweep limit the nodes or none; give nodes to all of them")
    rows = [(*budget.as_tuple(), *([budget.nodes] if limits else [])) for budget in budgets]
    return (*AXES, "nodes") if limits else AXES, np.array(rows, np.int64)
