"""HiGHS through highspy: a linear program solved again and again with a hot start, and branch and bound."""

import re
from importlib.metadata import version
from typing import Any

import numpy as np

from graphcert.collective.solvers.program import FloatArray, LinearProgram, Solution
from graphcert.collective.solvers.safe_bounds import DUAL_TOLERANCE, solved_linear
from graphcert.errors import InputError

PROVED = frozenset(
    {"optimal", "time limit reached", "iteration limit reached", "solution limit reached", "interrupted by user"}
)
"""Statuses after which the best bound of branch and bound is a proved one: it finished, or it was stopped."""

SIMPLEX_ROWS = 8000
"""Above it a sweep runs faster by interior points, cold every time, than by the simplex method with a hot start (measured
at 20,000 nodes: 6 s against minutes). No vertex is needed, because the bound is recomputed from any duals."""


def load_highspy() -> Any:
    """The module highspy, or one sentence on how to get it (1.14 was seen to return wrong integer optima)."""
    sentence = "the collective certificate needs the solver HiGHS: pip install 'highspy>=1.15.1'"
    try:
        import highspy
    except ImportError:
        raise InputError(sentence) from None
    found = version("highspy")
    if tuple(int(part) for part in re.findall(r"\d+", found)[:3]) < (1, 15, 1):
        raise InputError(f"{sentence} (found {found}, whose integer optima are not reliable)")
    return highspy


class HighsSolver:
    """One HiGHS instance for a sweep: it keeps basis and factorisation while only the limits change.

    `time_limit` is in seconds per solve. HiGHS counts its limit over the life of an instance, so it is moved on before
    every run. One thread per process (theory of the house: parallelise over processes).
    """

    name = "highs"

    def __init__(self, time_limit: float | None = None) -> None:
        self._highspy = load_highspy()
        self._time_limit = time_limit
        self._linear = self._instance()
        self._matrix: Any = None

    def solve_linear(self, program: LinearProgram) -> Solution:
        """Solve the relaxation; hot start if `program` shares its matrix with the previous one.

        Duals are returned whatever the status is: any y ≥ 0 proves a bound, and the dual simplex method has a good one
        long before it is done.
        """
        solver = self._linear
        if self._matrix is program.matrix:
            self._change_limits(program)
        else:
            solver.passModel(self._model(program, integer=False))
            self._matrix = program.matrix
        status = self._run_linear(solver, program.matrix.shape[0] > SIMPLEX_ROWS)
        answer = solver.getSolution()
        # The model minimises −c·x, whose multipliers of ≤ rows are ≤ 0.
        duals = -np.asarray(answer.row_dual, dtype=np.float64)
        point = np.asarray(answer.col_value, dtype=np.float64)
        return Solution(status, duals=duals, point=_finite(point, program), trusted=status == "optimal")

    def solve_integer(self, program: LinearProgram, start: FloatArray | None = None) -> Solution:
        """Branch and bound, from the feasible point `start` if there is one. Every budget is a fresh solve.

        No bound is trusted if a column stays without a finite limit: there HiGHS 1.15.1 was seen to answer 11 for 12.
        """
        program = program.bounded()
        if not program.integer.any():
            return solved_linear(program, self.solve_linear(program))
        solver = self._instance()
        solver.setOptionValue("mip_rel_gap", 0.0)
        # Programs come reduced, and on their dense rows HiGHS's own presolve was seen to overrun a limit of 20 s by 90 s.
        solver.setOptionValue("presolve", "off")
        solver.passModel(self._model(program, integer=True))
        if start is not None:
            hint = self._highspy.HighsSolution()
            hint.col_value = start.tolist()
            hint.value_valid = True
            solver.setSolution(hint)
        status = self._run(solver)
        best_bound = -float(solver.getInfo().mip_dual_bound)
        point = np.asarray(solver.getSolution().col_value, dtype=np.float64)
        trusted = status in PROVED and bool(np.isfinite(program.column_upper).all())
        return Solution(status, best_bound=best_bound, point=_finite(point, program), trusted=trusted)

    def _run_linear(self, solver: Any, large: bool) -> str:
        """Interior points without crossover for large programs, and the simplex method wherever they end without proof."""
        solver.setOptionValue("solver", "ipm" if large else "choose")
        solver.setOptionValue("run_crossover", "off" if large else "on")
        status = self._run(solver)
        if large and status not in PROVED:
            return self._run_linear(solver, large=False)
        return status

    def _instance(self) -> Any:
        solver = self._highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.setOptionValue("dual_feasibility_tolerance", DUAL_TOLERANCE)
        return solver

    def _model(self, program: LinearProgram, integer: bool) -> Any:
        highspy = self._highspy
        rows, columns = program.matrix.shape
        model = highspy.HighsLp()
        model.num_row_, model.num_col_ = rows, columns
        model.col_cost_ = -program.objective
        model.col_lower_, model.col_upper_ = np.zeros(columns), program.column_upper
        model.row_lower_, model.row_upper_ = np.full(rows, -highspy.kHighsInf), program.row_upper
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = program.matrix.indptr
        model.a_matrix_.index_ = program.matrix.indices
        model.a_matrix_.value_ = program.matrix.data.astype(np.float64)
        if integer:
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            model.integrality_ = [kinds[whole] for whole in program.integer.tolist()]
        return model

    def _change_limits(self, program: LinearProgram) -> None:
        rows, columns = program.matrix.shape
        every_row, every_column = np.arange(rows, dtype=np.int32), np.arange(columns, dtype=np.int32)
        below = np.full(rows, -self._highspy.kHighsInf)
        self._linear.changeRowsBounds(rows, every_row, below, program.row_upper)
        self._linear.changeColsBounds(columns, every_column, np.zeros(columns), program.column_upper)
        self._linear.changeColsCost(columns, every_column, -program.objective)

    def _run(self, solver: Any) -> str:
        if self._time_limit is not None:
            solver.setOptionValue("time_limit", solver.getRunTime() + self._time_limit)
        outcome = solver.run()
        if outcome == self._highspy.HighsStatus.kError:
            # The pool of threads is shared by the process; if someone opened it with another size, use it as it is.
            solver.setOptionValue("threads", 0)
            solver.run()
        return str(solver.modelStatusToString(solver.getModelStatus())).lower()


def _finite(point: FloatArray, program: LinearProgram) -> FloatArray | None:
    """The solver's point if it is one (right length, all numbers)."""
    return point if point.shape == program.objective.shape and np.isfinite(point).all() else None
