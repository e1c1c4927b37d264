"""The tight collective certificate against half-spaces: what each certifies by budget, and how long it takes.

    python benchmarks/tight.py                     a table
    python benchmarks/tight.py --quick --json      a list of {"case", "certified_ratio", …}

The votes are made up: a quarter of the outputs unanimous, the rest spread out, five levels of noise of which the last is on
no chain with the others. "published" is the half-space of order 2, "orders" eight of them, both by branch and bound; "lp" is
the relaxation of the eight; "naive_or_star" is what the tight certificate knows before it searches. Every method has the
same time limit per budget; "boxes" are those that branch and bound looked at.
"""

import os
import time

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np

from graphcert.collective import CollectiveCurve, TightProblem, collective_localized, collective_tight
from graphcert.collective.localized import BINS
from graphcert.collective.tight.solve import BudgetSolver
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff.half_spaces import Order

LEVELS, LIMIT = 5, 60.0
CLASSES = ("feature_add", "feature_delete")


def problem(outputs: int, clusters: int) -> TightProblem:
    """Outputs, clusters and their ranks, drawn once."""
    rng = np.random.default_rng(0)
    unanimous = 1 - 5e-6  # what 10⁶ samples leave of a probability of 1, for thousands of outputs at once
    p_lower = np.where(
        rng.random(outputs) < 0.25, unanimous, np.minimum(1 - 0.5 * rng.beta(0.4, 3.0, outputs), unanimous)
    )
    laws = [
        BernoulliFlip(*rates)
        for rates in zip(np.linspace(0.05, 0.08, LEVELS), np.linspace(0.65, 0.95, LEVELS), strict=True)
    ]
    others = np.array([rng.permutation(np.delete(np.arange(clusters), i)) for i in range(clusters)])
    rank = np.zeros((clusters, clusters), dtype=int)
    np.put_along_axis(rank, others, np.arange(1, clusters)[None, :].repeat(clusters, axis=0), axis=1)
    return TightProblem(
        groups=rng.integers(0, clusters, outputs),
        p_lower=p_lower,
        laws=tuple(laws),
        law_of_axis=np.tile(rank * LEVELS // clusters, 2),
        axis_class=np.repeat([0, 1], clusters),
        capacity=np.full(2 * clusters, 10**6),
        classes=CLASSES,
    )


def half_spaces(given: TightProblem, budget: tuple[int, int], limit: float) -> dict[str, CollectiveCurve]:
    published, orders = given.half_spaces([Order(2.0)]), given.half_spaces()
    return {
        "published": collective_localized(published, [budget], method="milp", time_limit=limit),
        "lp": collective_localized(orders, [budget], method="lp", time_limit=limit),
        "orders": collective_localized(orders, [budget], method="milp", time_limit=limit),
    }


def compare(outputs: int, clusters: int, budget: tuple[int, int], limit: float, others: bool) -> dict[str, object]:
    given = problem(outputs, clusters)
    everything, nothing = np.ones(outputs, dtype=np.bool_), np.zeros(2 * clusters, dtype=np.int64)
    began = time.perf_counter()
    tight = BudgetSolver(given, limit, BINS).solve(np.array(budget), everything, nothing)
    seconds = time.perf_counter() - began
    alone = BudgetSolver(given, 0.0, BINS).solve(np.array(budget), everything, nothing)
    gap = int(tight.bound.attacked - tight.bound.attack)
    row: dict[str, object] = {
        "case": f"{outputs:,} outputs, {clusters} clusters, {budget[0]} additions and {budget[1]} deletions",
        "seconds": round(seconds, 3),
        "certified_ratio": round(1 - tight.bound.attacked / outputs, 4),
        "gap": gap,
        "gap_share": round(gap / outputs, 4),
        "method": tight.bound.method,
        "status": tight.bound.status,
        "boxes": tight.boxes,
        "naive_or_star": round(1 - alone.bound.attacked / outputs, 4),
    }
    if others:
        row |= {name: round(float(curve.ratio[0]), 4) for name, curve in half_spaces(given, budget, limit).items()}
    return row


def sweep(outputs: int, clusters: int, limit: float) -> dict[str, object]:
    budgets = [(amount, 0) for amount in range(1, 16)] + [(0, amount) for amount in range(1, 16)]
    began = time.perf_counter()
    curve = collective_tight(problem(outputs, clusters), budgets, time_limit=limit)
    return {
        "case": f"{outputs:,} outputs, {clusters} clusters, {len(budgets)} budgets of one operation",
        "seconds": round(time.perf_counter() - began, 3),
        "mean_certified_ratio": round(float(curve.ratio.mean()), 4),
        "open_gaps": int((curve.gap > 0).sum()),
    }


def measure_all(quick: bool) -> list[dict[str, object]]:
    collective_tight(problem(500, 10), [(4, 4)], time_limit=1.0)  # compile
    limit = 5.0 if quick else LIMIT
    budgets = [(5, 0), (20, 0), (0, 20), (5, 5), (10, 10), (20, 20)]
    rows = [compare(2810, 5, budget, limit, others=not quick) for budget in (budgets[:5] if quick else budgets)]
    rows.append(sweep(2810, 5, limit))
    for clusters in (10,) if quick else (10, 20):
        rows += [compare(2810, clusters, budget, limit, others=False) for budget in [(5, 0), (5, 5), (10, 10)]]
    rows += [compare(1_000_000, 50, budget, 5.0, others=False) for budget in [(10, 0), (5, 5), (10, 10)]]
    return rows


if __name__ == "__main__":
    command.run(__doc__, measure_all)
