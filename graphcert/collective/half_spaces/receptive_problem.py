"""A localized problem whose outputs perceive only part of the graph: changes have places, and places have perceivers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.adversary import Adversary, adversary, largest, whole
from graphcert.collective.half_spaces.localized_problem import LocalizedProblem
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray, Sparse
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Scheme


@dataclass(frozen=True, eq=False)
class ReceptiveProblem:
    """Half-spaces, places of change and who perceives them, checked (build it with `receptive_problem`).

    Output n of group i is broken only if every direction d is crossed by the changes b that it perceives:
    Σ_axes a weights[d, i, a] · Σ_{columns m of a with P[n, m] = 1} b_m ≥ eta[d, n].

    Attributes:
        localized: groups, η, weights, classes, and the capacity of every axis.
        adversary: per perceived class who perceives which column, how often a column can be changed, extra limits.
        class_of: per perceived class its index among `localized.classes`.
        axis_of: per perceived class (M,) int, the axis of every column.
    """

    localized: LocalizedProblem
    adversary: Adversary
    class_of: tuple[int, ...]
    axis_of: tuple[IntArray, ...]

    def rooms(self, budget: IntArray) -> IntArray:
        """(n, A) the most changes of each axis that each output can be made to perceive. Sound side: above."""
        found = np.zeros((self.localized.outputs, self.localized.capacity.size), dtype=np.int64)
        for place, axis, columns, matrix in self._by_axis:
            most = min(int(budget[self.class_of[place]]), int(self.localized.capacity[axis]))
            local = np.minimum(self.adversary.capacity[place][columns], most)
            if self.adversary.attackers is not None and self.adversary.incidence[place] is None:
                matrix = largest(matrix, local, self.adversary.attackers)
            found[:, axis] = np.minimum(matrix.astype(np.int64) @ local, most)
        return found

    def reach(self, budget: IntArray, finite: bool = False) -> FloatArray:
        """(D, n) the largest sum of each half-space when the whole budget is placed to hurt it most.

        Sound side: above (rounded up). Each class fills the heaviest axes that the output perceives first. `finite`
        leaves changes of infinite weight out.
        """
        problem, rooms = self.localized, self.rooms(budget)
        weights = np.where(np.isinf(problem.weights), 0.0, problem.weights) if finite else problem.weights
        total = np.zeros(problem.eta.shape)
        for index in np.unique(problem.axis_class).tolist():
            mine = np.flatnonzero(problem.axis_class == index)
            mine = mine[rooms[:, mine].any(axis=0)]
            for d, of_group in enumerate(weights[:, :, mine]):
                order = np.argsort(-of_group, axis=1)[problem.groups]
                room = np.take_along_axis(rooms[:, mine], order, axis=1)
                taken = np.clip(budget[index] - (np.cumsum(room, axis=1) - room), 0, room).astype(np.float64)
                heavy = np.take_along_axis(of_group[problem.groups], order, axis=1)
                total[d] += np.multiply(heavy, taken, out=np.zeros_like(heavy), where=taken > 0).sum(axis=1)
        # A sum of A products, all ≥ 0, errs by less than (A + classes + 1) roundings.
        bound: FloatArray = total * (1.0 + (problem.capacity.size + 16) * 2.0**-52)
        return bound

    def breakable(self, budget: IntArray) -> BoolArray:
        """(n,) which outputs do not survive all of `budget` on their own; the others are robust (the naive bound)."""
        return np.asarray((self.localized.eta <= self.reach(budget)).all(axis=0))

    @cached_property
    def _by_axis(self) -> list[tuple[int, int, IntArray, Sparse]]:
        """Per axis its perceived class, itself, its columns and who perceives them (CSR)."""
        found = []
        for place, (axes, perception) in enumerate(zip(self.axis_of, self.adversary.perception, strict=True)):
            by_column = perception.tocsc()
            for axis in np.unique(axes).tolist():
                columns = np.flatnonzero(axes == axis)
                found.append((place, axis, columns, by_column[:, columns].tocsr()))
        return found


def receptive_problem(
    problem: LocalizedProblem,
    perception: Mapping[str, Sparse],
    axis_of: Mapping[str, npt.ArrayLike],
    budgets: IntArray,
    local_budget: Any = None,
    attackers: Any = None,
    endpoints: npt.ArrayLike | None = None,
    reach_is_masked: bool = False,
    room: Mapping[str, npt.ArrayLike] | None = None,
) -> ReceptiveProblem:
    """Check every part against the others; arguments as in `collective_receptive`, `budgets` (B, classes) checked."""
    for name, given in (("perception", perception), ("axis_of", axis_of)):
        if not isinstance(given, Mapping):
            raise InputError(f"{name} must be a mapping from class names to arrays, got {type(given).__name__}")
    unknown = [name for name in perception if name not in problem.classes]
    if unknown:
        raise InputError(f"perception names the class {unknown[0]!r}, which is none of {', '.join(problem.classes)}")
    for index, name in enumerate(problem.classes):
        if name not in perception and budgets[:, index].any():
            raise InputError(
                f"the budgets spend on {name}, so perception needs a matrix for {name}: who perceives what"
            )
    names = tuple(name for name in problem.classes if name in perception)
    if not names:
        raise InputError("perception must hold the matrix of at least one class, such as receptive_field(…)")
    limits = _limits_by_class(local_budget, problem.classes, names)
    matrices = [perception[name] for name in names]
    checked = adversary(names, matrices, problem.outputs, limits, attackers, endpoints, reach_is_masked)
    checked = replace(checked, capacity=_within_room(checked, room or {}))
    class_of = tuple(problem.classes.index(name) for name in names)
    axes = tuple(
        _axes_of_columns(problem, name, index, axis_of, matrix.shape[1])
        for name, index, matrix in zip(names, class_of, checked.perception, strict=True)
    )
    return ReceptiveProblem(problem, checked, class_of, axes)


def check_reach(smoothing: Scheme, reach_is_masked: bool = False) -> None:
    """Refuse noise under which receptive fields of the clean graph say nothing.

    Raises:
        UnsupportedError: if some level of edge noise adds edges and the model's reach is not masked.
    """
    if not reach_is_masked and any(law.add > 0 for law in smoothing.levels("edges")):
        raise UnsupportedError(
            "the edge noise adds edges, so what an output perceives is not its receptive field in the clean graph; use "
            "edge noise without additions (BernoulliFlip(0, …)), leave perception out, or pass reach_is_masked=True for "
            "a model whose reach is fixed in advance"
        )


def _limits_by_class(local_budget: Any, classes: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """The local budgets in the order of the perceived classes `names`."""
    if isinstance(local_budget, Mapping):
        unknown = [name for name in local_budget if name not in classes]
        if unknown:
            raise InputError(f"local_budget names the class {unknown[0]!r}, which is none of {', '.join(classes)}")
        return tuple(local_budget.get(name) for name in names)
    if isinstance(local_budget, (tuple, list)):
        if len(local_budget) != len(classes):
            raise InputError(
                f"a tuple of local budgets needs one entry per class ({len(classes)}), got {len(local_budget)}; "
                f"None where there is no limit"
            )
        return tuple(local_budget[classes.index(name)] for name in names)
    return local_budget


def _within_room(checked: Adversary, room: Mapping[str, npt.ArrayLike]) -> tuple[IntArray, ...]:
    """The capacities of the columns of every class, at most the room of their rows."""
    capacities = list(checked.capacity)
    for name, given in room.items():
        rows = whole(f"the room of {name}", given)
        place = checked.axes.index(name) if name in checked.axes else None
        if place is None or not name.startswith("feature") or rows.shape != capacities[place].shape:
            raise InputError(
                f"room holds one number per row for perceived classes of features, which {name!r} does not fit"
            )
        capacities[place] = np.minimum(capacities[place], rows)
    return tuple(capacities)


def _axes_of_columns(
    problem: LocalizedProblem, name: str, index: int, axis_of: Mapping[str, npt.ArrayLike], columns: int
) -> IntArray:
    if name not in axis_of:
        raise InputError(f"axis_of needs the axis of every column of {name}, an integer array of length {columns}")
    axes = np.asarray(axis_of[name])
    if axes.shape != (columns,) or (axes.size and axes.dtype.kind not in "iu"):
        raise InputError(f"axis_of[{name!r}] must be {columns} integers, got {axes.dtype} of shape {axes.shape}")
    most = problem.capacity.size
    if axes.size and not (axes.min() >= 0 and axes.max() < most):
        raise InputError(f"axis_of[{name!r}] must lie between 0 and {most - 1}, got {axes.min()} to {axes.max()}")
    axes = axes.astype(np.int64)
    strangers = np.flatnonzero(problem.axis_class[axes] != index)
    if strangers.size:
        other = problem.classes[int(problem.axis_class[axes[strangers[0]]])]
        raise InputError(
            f"axis_of[{name!r}] puts column {strangers[0]} on axis {axes[strangers[0]]}, which is of {other}"
        )
    return axes
