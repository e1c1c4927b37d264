"""The same linear program through cvxpy: slower than `highs`, and independent of how graphcert drives HiGHS."""

import warnings
from typing import Any

import numpy as np

from graphcert.collective.solvers.highs_solver import PROVED, load_highspy
from graphcert.collective.solvers.program import FloatArray, LinearProgram, Solution
from graphcert.collective.solvers.safe_bounds import solved_linear
from graphcert.errors import InputError


class CvxpySolver:
    """cvxpy with HiGHS by name (its default for linear programs is another solver, and not one for integers).

    After a time limit cvxpy may report the value 0.0, which would read as "nothing is attacked"; so its value is never
    used: the relaxation's bound comes from the duals, branch and bound's from the solver's own record.
    """

    name = "cvxpy"

    def __init__(self, time_limit: float | None = None) -> None:
        try:
            import cvxpy
        except ImportError:
            raise InputError("solver='cvxpy' needs cvxpy: pip install 'cvxpy>=1.9.2', or use solver='highs'") from None
        load_highspy()
        self._cvxpy = cvxpy
        self._options = {} if time_limit is None else {"time_limit": float(time_limit)}

    def solve_linear(self, program: LinearProgram) -> Solution:
        """Solve the relaxation; the duals are those of the rows A x ≤ row_upper."""
        x, rows, problem = self._problem(program, integer=False)
        status = self._solve(problem)
        duals = None if rows.dual_value is None else np.asarray(rows.dual_value, dtype=np.float64)
        return Solution(status, duals=duals, point=x.value, trusted=status == "optimal")

    def solve_integer(self, program: LinearProgram, start: FloatArray | None = None) -> Solution:
        """Branch and bound; `start` is not used (cvxpy offers HiGHS no first point). Limits as in `HighsSolver`."""
        program = program.bounded()
        if not program.integer.any():
            return solved_linear(program, self.solve_linear(program))
        x, _, problem = self._problem(program, integer=True)
        status = self._solve(problem, mip_rel_gap=0.0)
        record = problem.solver_stats.extra_stats if problem.solver_stats is not None else None
        # cvxpy hands HiGHS the minimisation of −c·x.
        best_bound = float("inf") if record is None else -float(record.mip_dual_bound)
        trusted = status in PROVED and bool(np.isfinite(program.column_upper).all())
        return Solution(status, best_bound=best_bound, point=x.value, trusted=trusted)

    def _problem(self, program: LinearProgram, integer: bool) -> tuple[Any, Any, Any]:
        cvxpy = self._cvxpy
        x = cvxpy.Variable(len(program.objective), integer=[np.flatnonzero(program.integer)] if integer else False)
        rows = program.matrix @ x <= program.row_upper
        bounds = [x >= 0, x <= program.column_upper]
        return x, rows, cvxpy.Problem(cvxpy.Maximize(program.objective @ x), [rows, *bounds])

    def _solve(self, problem: Any, **options: Any) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "solution may be inaccurate": it is checked, not believed
            try:
                problem.solve(solver=self._cvxpy.HIGHS, **self._options, **options)
            except self._cvxpy.error.SolverError as error:
                return f"solver error: {error}"
        return str(problem.status)
