"""The tight collective certificate against half-spaces: what each certifies by budget, and how long it takes.

    python benchmarks/tight.py                     a table
    python benchmarks/tight.py --quick --json      a list of {"case", "certified_ratio", …}
    GRAPHCERT_VOTES=runs/localized/votes/votes.npz python benchmarks/tight.py
    GRAPHCERT_RULE=multiclass python benchmarks/tight.py

With the votes of a run (experiments/cora_ml_appnp_localized.toml) the methods are compared on these. Otherwise the votes are
made up: a quarter of the outputs unanimous, the rest spread out, five levels of noise of which the last is on no chain with
the others. Columns, from the weakest to the strongest: "naive_order_2" and "naive" (each output alone, by one half-space and
exactly), "published_lp" and "published" (the half-space of order 2, relaxed and by branch and bound), "orders_lp" and
"orders" (eight of them), "tight_lp" (concave hulls or tight half-spaces, no branching), "tight". All methods but the last
have a quarter of the time limit per budget; "boxes" are those that the tight search looked at, "processor_seconds" its own
time on a busy machine. By the multi-class rule the other classes of made-up votes share their rest unevenly. Measured
figures: benchmarks/results/tight.json.
"""

import os
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import command
import numpy as np

import graphcert as gc
from graphcert.collective import TightProblem, collective_localized, collective_tight, tight_problem
from graphcert.collective.exact.budget_solver import BudgetSolver
from graphcert.collective.half_spaces.localized import BINS
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff.half_spaces import Order

LEVELS, LIMIT, LARGE_LIMIT = 5, 60.0, 4.0
CLASSES = ("feature_add", "feature_delete")
VOTES, RULE = os.environ.get("GRAPHCERT_VOTES"), os.environ.get("GRAPHCERT_RULE", "binary")


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
        p_other=(1 - p_lower) * rng.uniform(0.35, 1.0, outputs) if RULE == "multiclass" else None,
    )


def voted() -> tuple[TightProblem, str]:
    """The problem of stored votes, all claims together at 99 %, and what to call it; made up if there are none."""
    if VOTES is None:
        return problem(2810, 5), "2,810 outputs, 5 clusters"
    votes = gc.Votes.load(Path(VOTES))
    certificate = gc.certify(votes, alpha=0.01, method=RULE)
    other = certificate.p_other_upper if RULE == "multiclass" else None
    given = tight_problem(certificate.smoothing, certificate.p_lower, p_other=other)
    return (
        given,
        f"{given.outputs:,} voted outputs of {certificate.samples:,} samples, {len(given.law_of_axis)} clusters",
    )


def others(given: TightProblem, budget: list[int], limit: float) -> dict[str, float]:
    """Certified ratio by every other method."""
    published, orders = given.half_spaces([Order(2.0)]), given.half_spaces()
    curves = {
        "naive_order_2": collective_localized(published, [budget], method="naive"),
        "naive": collective_tight(given, [budget], time_limit=0),
        "published_lp": collective_localized(published, [budget], method="lp", time_limit=limit),
        "published": collective_localized(published, [budget], method="milp", time_limit=limit),
        "orders_lp": collective_localized(orders, [budget], method="lp", time_limit=limit),
        "orders": collective_localized(orders, [budget], method="milp", time_limit=limit),
        "tight_lp": collective_tight(given, [budget], time_limit=limit, branching=False),
    }
    return {name: round(float(curve.ratio[0]), 4) for name, curve in curves.items()}


def compare(given: TightProblem, name: str, budget: tuple[int, int], limit: float, everyone: bool) -> dict[str, object]:
    outputs, axes = given.outputs, given.capacity.size
    amounts = [*budget, *[0] * (len(given.classes) - 2)]
    everything, nothing = np.ones(outputs, dtype=np.bool_), np.zeros(axes, dtype=np.int64)
    began, busy = time.perf_counter(), time.process_time()
    tight = BudgetSolver(given, limit, BINS).solve(np.array(amounts), everything, nothing)
    seconds, busy = time.perf_counter() - began, time.process_time() - busy
    gap = int(tight.bound.attacked - tight.bound.attack)
    return {
        "case": f"{name}, {budget[0]} additions and {budget[1]} deletions",
        "seconds": round(seconds, 3),
        "processor_seconds": round(busy, 3),
        "time_limit": limit,
        "certified_ratio": round(1 - tight.bound.attacked / outputs, 4),
        "gap": gap,
        "gap_share": round(gap / outputs, 4),
        "method": tight.bound.method,
        "status": tight.bound.status,
        "boxes": tight.boxes,
    } | (others(given, amounts, limit / 4) if everyone else {})


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


def made_up(outputs: int, clusters: int) -> tuple[TightProblem, str]:
    return problem(outputs, clusters), f"{outputs:,} outputs, {clusters} clusters"


def measure_all(quick: bool, limit: float | None = None) -> list[dict[str, object]]:
    collective_tight(problem(500, 10), [(4, 4)], time_limit=1.0)  # compile
    limit = limit or (5.0 if quick else LIMIT)
    budgets = [(5, 0), (20, 0), (0, 20), (5, 5), (10, 10), (20, 20)]
    given, name = voted()
    rows = [compare(given, name, budget, limit, not quick) for budget in (budgets[:5] if quick else budgets)]
    rows.append(sweep(2810, 5, limit))
    for clusters in (10,) if quick else (10, 20):
        given, name = made_up(2810, clusters)
        rows += [compare(given, name, budget, limit, False) for budget in [(5, 0), (5, 5), (10, 10)]]
    given, name = made_up(1_000_000, 50)
    rows += [compare(given, name, budget, LARGE_LIMIT, False) for budget in [(10, 0), (5, 5), (10, 10)]]
    return rows


if __name__ == "__main__":
    command.run(__doc__, measure_all)
