"""Collective certificates over a sweep of budgets, against the program of the paper rebuilt in cvxpy for every budget.

    python benchmarks/collective.py                  a table
    python benchmarks/collective.py --quick --json   a list of {"case", "ratio", …}

The baseline has one variable per output and one row per output and direction, nothing grouped, and goes through cvxpy to
HiGHS with a time limit per budget. It is run on budgets spread evenly over the sweep and its mean is multiplied by the
number of budgets; a budget that reaches the limit counts with the limit, so the ratio is then a lower bound ("at_least").
A million outputs are beyond it; there it gets a hundred times fewer (with --quick 500 times), and nothing is scaled up.
"""

import os
import resource
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "collective"))  # the plain program that the tests use

import command
import numpy as np
from localized_reference import LocalizedReference

from graphcert.collective import LocalizedProblem, axis_weights, collective_localized
from graphcert.errors import GraphcertError
from graphcert.noise import BernoulliFlip
from graphcert.statistics import clopper_pearson_lower
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, order_eta

SAMPLES, ALPHA, LEVELS = 10_000, 0.01, 5
BUDGETS = [(add, delete) for add in range(1, 11) for delete in range(0, 10, 2)]


def problem(outputs: int, clusters: int) -> LocalizedProblem:
    """Votes like those of a trained model: a quarter unanimous, the rest spread out; five levels of noise."""
    rng = np.random.default_rng(0)
    majority = np.where(rng.random(outputs) < 0.25, 1.0, 1 - 0.5 * rng.beta(0.35, 1.2, outputs))
    p_lower = clopper_pearson_lower(rng.binomial(SAMPLES, majority), SAMPLES, ALPHA / outputs)
    laws = [
        BernoulliFlip(*rates)
        for rates in zip(np.linspace(0.05, 0.08, LEVELS), np.linspace(0.65, 0.95, LEVELS), strict=True)
    ]
    others = np.array([rng.permutation(np.delete(np.arange(clusters), i)) for i in range(clusters)])
    rank = np.zeros((clusters, clusters), dtype=int)
    np.put_along_axis(rank, others, np.arange(1, clusters)[None, :].repeat(clusters, axis=0), axis=1)
    return LocalizedProblem(
        groups=rng.integers(0, clusters, outputs),
        eta=np.stack([order_eta(p_lower, *order) for order in DEFAULT_ORDERS]),
        weights=axis_weights(laws, np.tile(rank * LEVELS // clusters, 2), np.repeat([False, True], clusters)),
        axis_class=np.repeat([0, 1], clusters),
        capacity=np.full(2 * clusters, 10**6),
        classes=("feature_add", "feature_delete"),
    )


def ours(given: LocalizedProblem, budgets: list[tuple[int, int]], method: str):
    began = time.perf_counter()
    curve = collective_localized(given, budgets, method=method, time_limit=60.0)
    return time.perf_counter() - began, curve


def theirs(given: LocalizedProblem, budgets: list[tuple[int, int]], method: str, tries: int, limit: float):
    """Mean seconds per budget, and whether some budget reached the limit."""
    chosen = [budgets[i] for i in np.linspace(0, len(budgets) - 1, tries + 2).astype(int)[1:-1]]
    seconds, stopped = [], False
    for budget in chosen:
        began = time.perf_counter()
        plain = LocalizedReference(
            given, np.ones(given.outputs, dtype=bool), np.array(budget), integer=method == "milp"
        )
        try:
            plain.attacked(np.array(budget), time_limit=limit)
        except GraphcertError:
            stopped = True
        seconds.append(time.perf_counter() - began)
    return float(np.mean(seconds)), stopped


def compare(outputs: int, clusters: int, method: str, budgets, tries: int, limit: float) -> dict[str, object]:
    given = problem(outputs, clusters)
    mine, curve = ours(given, budgets, method)
    plain, stopped = theirs(given, budgets, method, tries, limit)
    return {
        "case": f"{method}, {outputs:,} outputs, {clusters} clusters, {len(budgets)} budgets",
        "ratio": round(plain * len(budgets) / mine, 1),
        "at_least": stopped,
        "seconds": round(mine, 3),
        "baseline_seconds_per_budget": round(plain, 3),
        "mean_certified_ratio": round(float(curve.ratio.mean()), 4),
        "statuses": sorted(set(curve.status.tolist())),
    }


def large(outputs: int, clusters: int, budgets, fewer: int, limit: float) -> dict[str, object]:
    """The relaxation at a size that the baseline does not reach, against the baseline on `fewer` outputs."""
    began = time.perf_counter()
    given = problem(outputs, clusters)
    setup = time.perf_counter() - began
    mine, curve = ours(given, budgets, "lp")
    plain, _ = theirs(problem(fewer, clusters), budgets, "lp", 1, limit)
    return {
        "case": f"lp, {outputs:,} outputs against {fewer:,} of the baseline, {clusters} clusters, {len(budgets)} budgets",
        "ratio": round(plain * len(budgets) / mine, 1),
        "at_least": True,
        "seconds": round(mine, 3),
        "seconds_for_eta_and_weights": round(setup, 3),
        "baseline_seconds_per_budget": round(plain, 3),
        "mean_certified_ratio": round(float(curve.ratio.mean()), 4),
        "statuses": sorted(set(curve.status.tolist())),
    }


def measure_all(quick: bool) -> list[dict[str, object]]:
    ours(problem(100, 2), [(1, 1)], "milp")  # load the solver
    some = BUDGETS[::6] if quick else BUDGETS
    rows = [
        compare(2810, 5, "lp", BUDGETS, tries=3 if quick else 10, limit=60.0),
        compare(2810, 5, "milp", some, tries=1 if quick else 3, limit=30.0 if quick else 60.0),
        large(1_000_000, 50, BUDGETS, fewer=2_000 if quick else 10_000, limit=60.0 if quick else 120.0),
    ]
    for row in rows:
        row["peak_memory_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return rows


if __name__ == "__main__":
    command.run(__doc__, measure_all)
