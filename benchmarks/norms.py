"""Collective certificates against shifts under localized Gaussian noise, against the plain program in cvxpy.

    python benchmarks/norms.py                  a table
    python benchmarks/norms.py --quick --json   a list of {"case", "ratio", …}

A picture of 240 × 180 pixels in 5 × 3 cells: 43,200 outputs, half of which all samples agree on; noise rises with the
distance of the cells. The sweep has 30 budgets. The baseline has one variable and one row per output, nothing
grouped, and goes through cvxpy to HiGHS for every budget; it gets a tenth of the outputs (with --quick a fortieth)
and budgets spread evenly over those at which something is left to prove, and its mean is multiplied by the number of
budgets. "baseline_not_better" says that its relaxation proved at most a thousandth of the outputs more on each of
these.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import cvxpy
import numpy as np

from graphcert.collective import CollectiveCurve, NormProblem, collective_norm
from graphcert.statistics import clopper_pearson_lower
from graphcert.tradeoff import gaussian_radius

SAMPLES, ALPHA = 1000, 0.01
COLUMNS, ROWS = 5, 3
SHIFTS = np.linspace(0.025, 0.75, 30)


def problem(outputs: int) -> NormProblem:
    """Votes on the pixels of a picture, σ from 0.2 in the own cell to 0.8 in the farthest."""
    rng = np.random.default_rng(0)
    cell = rng.integers(0, COLUMNS * ROWS, outputs)
    hardness = np.linspace(0.3, 0.7, COLUMNS * ROWS)[cell]  # some cells are easier than others
    agreed = rng.random(outputs) > hardness
    majority = np.where(agreed, 1.0, 1 - 0.5 * rng.beta(0.35, 1.2, outputs))
    p_lower = clopper_pearson_lower(rng.binomial(SAMPLES, majority), SAMPLES, ALPHA / outputs)
    row, column = np.divmod(np.arange(COLUMNS * ROWS), COLUMNS)
    distance = np.hypot(row[:, None] - row, column[:, None] - column)
    sigma = 0.2 + 0.6 * distance / distance.max()
    return NormProblem(cell, gaussian_radius(p_lower, 1.0) ** 2, 1 / sigma**2)


def seconds_of(given: NormProblem, method: str, shifts, **options) -> tuple[float, CollectiveCurve]:
    began = time.perf_counter()
    curve = collective_norm(given, shifts, method=method, **options)
    return time.perf_counter() - began, curve


def plain(given: NormProblem, shift: float) -> float:
    """The value of the relaxation with one variable and one row per output; who survives alone is left out."""
    fallible = given.eta <= given.weights.max(axis=1)[given.groups] * shift**2
    t, b = cvxpy.Variable(int(fallible.sum())), cvxpy.Variable(given.weights.shape[1])
    rows = [
        given.weights[given.groups[fallible]] @ b >= cvxpy.multiply(given.eta[fallible], t),
        cvxpy.sum(b) <= shift**2, b >= 0, t >= 0, t <= 1,
    ]  # fmt: skip
    return float(cvxpy.Problem(cvxpy.Maximize(cvxpy.sum(t)), rows).solve(solver=cvxpy.HIGHS))


def compare(outputs: int, tries: int) -> dict[str, object]:
    """One sweep of ours against `tries` budgets of the baseline, on the same outputs."""
    given = problem(outputs)
    mine, curve = seconds_of(given, "lp", SHIFTS)
    open_budgets = np.flatnonzero((curve.certified > 0) & (curve.certified < curve.targets))
    chosen = open_budgets[np.linspace(0, len(open_budgets) - 1, tries).astype(int)]
    seconds, values = [], []
    for index in chosen.tolist():
        began = time.perf_counter()
        values.append(plain(given, SHIFTS[index]))
        seconds.append(time.perf_counter() - began)
    return {
        "case": f"lp, {outputs:,} outputs, {COLUMNS * ROWS} cells, {len(SHIFTS)} budgets, against the plain relaxation",
        "ratio": round(float(np.mean(seconds)) * len(SHIFTS) / mine, 1),
        "seconds": round(mine, 3),
        "baseline_seconds_per_budget": round(float(np.mean(seconds)), 3),
        "baseline_not_better": bool((np.array(values) >= curve.bound[chosen] - 1e-3 * outputs).all()),
        "mean_certified_ratio": round(float(curve.ratio.mean()), 4),
    }


def sweep(outputs: int, method: str, shifts, **options) -> dict[str, object]:
    """A whole sweep and what it gains over each output alone."""
    given = problem(outputs)
    seconds, curve = seconds_of(given, method, shifts, **options)
    _, naive = seconds_of(given, "naive", shifts)
    return {
        "case": f"{method}, {outputs:,} outputs, {COLUMNS * ROWS} cells, {len(shifts)} budgets",
        "seconds": round(seconds, 3),
        "mean_certified_ratio": round(float(curve.ratio.mean()), 4),
        "mean_naive_ratio": round(float(naive.ratio.mean()), 4),
        "largest_gap": int(np.nanmax(curve.gap)),
    }


def measure_all(quick: bool) -> list[dict[str, object]]:
    seconds_of(problem(100), "milp", [0.2])  # load the solver
    plain(problem(100), 0.2)  # and cvxpy
    picture = 240 * 180
    return [
        compare(picture // (40 if quick else 10), tries=2 if quick else 5),
        sweep(picture, "lp", SHIFTS),
        sweep(picture, "milp", SHIFTS[4::10], time_limit=5.0 if quick else 20.0),
        *([] if quick else [sweep(1_000_000, "lp", SHIFTS)]),
    ]


if __name__ == "__main__":
    command.run(__doc__, measure_all)
