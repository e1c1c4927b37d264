"""What one call asks about, targets and budgets in any of their forms, checked before anything slow happens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from numpy.typing import ArrayLike

from graphcert.certificates.budget_grid import budget_sweep, refuse_vacuous
from graphcert.core.arguments import target_mask
from graphcert.core.arrays import Mask
from graphcert.errors import DataError, InputError
from graphcert.noise import Budget, Scheme
from graphcert.noise.law import measured_laws
from graphcert.run.settings.stages import MOST_BUDGETS, SWEEP_AXES
from graphcert.tradeoff import budget_trade_offs
from graphcert.tradeoff.base import checked_shift

Budgets = Budget | Iterable[Budget] | Mapping[str, Any]
"""One budget, several, or the numbers per axis of `SWEEP_AXES`, each one number or a sequence of them."""

Cell = tuple[Budget, float]
"""A budget of counts, and a norm of the change of real features (0 for none)."""


def asked_targets(data: Any, targets: ArrayLike | None) -> Mask:
    """(N,) the targets of a call: those that are given, else `data.test_mask` where it is there, else all nodes.

    Raises:
        DataError: if the data have no features of shape (N, D).
        InputError: if the targets are neither a mask of N booleans nor the numbers of some nodes.
    """
    x: Any = getattr(data, "x", None)
    if getattr(x, "ndim", 0) != 2:
        raise DataError("the data need features x (N, D) and edge_index (2, 2E), as torch_geometric.data.Data has them")
    given: Any = getattr(data, "test_mask", None) if targets is None else targets
    return target_mask(given.cpu() if hasattr(given, "cpu") else given, x.shape[0])


@dataclass(frozen=True)
class AskedBudgets:
    """Budgets, all of one kind.

    Attributes:
        sweep: the arguments of `Certificate.collective` that name them.
        cells: every single one of them.
        varying: the axes of counts along which they are all combinations; none for budgets that are given one by one.
    """

    sweep: dict[str, Any]
    cells: tuple[Cell, ...]
    varying: tuple[str, ...] = ()

    @classmethod
    def of(cls, budgets: Budgets, smoothing: Scheme, nodes: int) -> "AskedBudgets":
        """Budgets against a scheme over so many nodes.

        Raises:
            InputError: for anything but budgets, an unknown axis, a count that is no whole number ≥ 0, or a limit of nodes
                that limits nothing.
            UnsupportedError: for changes of a kind that cannot be certified under this noise.
        """
        sweep = _by_axis(budgets) if isinstance(budgets, Mapping) else {"add": _one_by_one(budgets)}
        shifts = sweep.get("shift")
        if shifts is not None and not smoothing.norm:
            words = "have a measure for a shift; give add, delete, edges or nodes"
            raise InputError(f"only {measured_laws()} noise {words}")
        norms = None if shifts is None else [checked_shift(shift) for shift in _along(shifts)]
        counts = budget_sweep(**{axis: values for axis, values in sweep.items() if axis != "shift"})
        cells = tuple(product(counts, norms or (0.0,)))
        if len(cells) > MOST_BUDGETS:
            raise InputError(f"budgets names {len(cells):,} budgets; name at most {MOST_BUDGETS:,}")
        refuse_vacuous(smoothing, counts, norms)
        for budget, shift in _smallest(cells):
            budget_trade_offs(smoothing, budget, shift, nodes)
        several = [axis for axis, values in sweep.items() if isinstance(budgets, Mapping) and isinstance(values, tuple)]
        return cls(sweep, cells, tuple(axis for axis in several if axis != "shift"))


def _along(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, Iterable) else (values,)


def _by_axis(budgets: Mapping[str, Any]) -> dict[str, Any]:
    unknown = [axis for axis in budgets if axis not in SWEEP_AXES]
    if unknown or not budgets:
        raise InputError(
            f"budgets has no axis {', '.join(map(repr, unknown))}; its axes are {', '.join(SWEEP_AXES)}"
            if unknown
            else f"budgets is empty; name an axis out of {', '.join(SWEEP_AXES)}, or leave budgets out"
        )
    given = {axis: tuple(values) if isinstance(values, Iterable) else values for axis, values in budgets.items()}
    return {
        axis: values[0] if isinstance(values, tuple) and len(values) == 1 else values for axis, values in given.items()
    }


def _one_by_one(budgets: Budget | Iterable[Budget]) -> tuple[Budget, ...]:
    found = (budgets,) if isinstance(budgets, Budget) else tuple(budgets) if isinstance(budgets, Iterable) else ()
    if not found or not all(isinstance(budget, Budget) for budget in found):
        raise InputError(
            f"budgets takes a Budget, several of them, or numbers per axis such as dict(add=range(5)), got {budgets!r:.100}"
        )
    return found


def _smallest(cells: tuple[Cell, ...]) -> list[Cell]:
    """The smallest cell of every combination of changes: what it lets change decides whether it can be certified at all."""
    kinds: dict[tuple[bool, ...], Cell] = {}
    for budget, shift in sorted(cells, key=lambda cell: (sum(cell[0].as_tuple()), cell[0].nodes or 0, cell[1])):
        kinds.setdefault((*map(bool, budget.as_tuple()), bool(budget.nodes), bool(shift)), (budget, shift))
    return list(kinds.values())
