"""Linear and integer programs, the solvers for them, and the bounds that are believed of what solvers say."""

from collections.abc import Callable
from typing import Protocol

from graphcert.collective.solvers.cvxpy_solver import CvxpySolver
from graphcert.collective.solvers.highs_solver import HighsSolver
from graphcert.collective.solvers.program import FloatArray, LinearProgram, Solution
from graphcert.errors import InputError

__all__ = ["SOLVERS", "Solver", "check_solver", "check_time", "make_solver"]


class Solver(Protocol):
    """What the loop over budgets asks of a solver; nothing it says is believed without `safe_bounds`."""

    def solve_linear(self, program: LinearProgram) -> Solution:
        """Solve the relaxation and return row multipliers."""

    def solve_integer(self, program: LinearProgram, start: FloatArray | None = None) -> Solution:
        """Solve by branch and bound and return the best bound."""


SOLVERS: dict[str, Callable[[float | None], Solver]] = {"highs": HighsSolver, "cvxpy": CvxpySolver}
"""The solvers by name; each is made with a time limit in seconds per solve."""


def make_solver(name: str, time_limit: float | None) -> Solver:
    """A solver by name, with a limit of seconds ≥ 0 per solve (None for no limit); `InputError` for anything else."""
    check_solver(name, time_limit)
    return SOLVERS[name](time_limit)


def check_solver(name: str, time_limit: float | None) -> None:
    """Raise `InputError` unless there is such a solver, installed or not, and such a limit."""
    if name not in SOLVERS:
        raise InputError(f"solver must be one of {', '.join(SOLVERS)}, got {name!r}")
    check_time(time_limit)


def check_time(time_limit: float | None) -> None:
    """Raise `InputError` unless the limit is a number of seconds ≥ 0, or None for no limit."""
    if time_limit is not None and not time_limit >= 0:
        raise InputError(f"time_limit must be a number of seconds of at least 0, got {time_limit!r}")
