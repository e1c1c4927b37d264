"""All nodes together, because a node sees only its receptive field: strictly local collective certificates."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphcert.certificates import certify
from graphcert.collective import collective_strictly_local, naive_bound, receptive_field
from graphcert.experiments.experiment import Cell, Experiment, Published, Row, Table
from graphcert.experiments.grid import data_folder
from graphcert.experiments.steps import average_changes, curve_rows, graph, many_claims, trained
from graphcert.experiments.views import chosen, grouped, spread
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.voting import sample_votes

NOISE = Smoothing(features=BernoulliFlip(0.002, 0.6))
GIVEN = "base_certificates"
AXES = ("feature_add", "feature_delete")
PUBLISHED = {
    ("additions", 5): (0.4317, 0.812), ("additions", 9): (0.0, 0.615), ("deletions", 20): (0.4317, 0.775),
    ("deletions", 32): (0.0, 0.596),
}  # fmt: skip
"""Shares of the nodes on the published base certificates, each alone and together."""


def cells(fast: bool, seeds: int) -> list[Cell]:
    """The published base certificates, which are one graph, and runs of our own."""
    if fast:
        return [{"dataset": "synthetic", "seed": seed, "samples": 500, "pilot": 100} for seed in range(seeds)]
    own = [
        {"dataset": dataset, "seed": seed, "samples": 10_000, "pilot": 1000}
        for seed in range(seeds)
        for dataset in ("cora_ml", "citeseer")
    ]
    return [{"dataset": GIVEN, "seed": 0}, *own]


def measure(cell: Cell, workers: int | None) -> list[Row]:
    """Certified shares of all nodes against additions and deletions, each alone and together, and their averages."""
    grid, edges = _given() if cell["dataset"] == GIVEN else _own(cell, workers)
    field = receptive_field(edges, 2, "feature_add", num_nodes=len(grid))
    case: Any = {"axes": AXES, "perception": (field, field)}
    rows: list[Row] = []
    for place, changes in enumerate(("additions", "deletions")):
        sizes = _sizes(grid.shape[1 + place])
        budgets = [(size, 0) if place == 0 else (0, size) for size in sizes]
        for method, curve in (
            ("each node alone", naive_bound(grid, **case, budgets=budgets)),
            ("together", collective_strictly_local(grid, **case, budgets=budgets)),
        ):
            about = {"dataset": cell["dataset"], "changes": changes, "method": method, "seed": cell["seed"]}
            found = list(curve_rows(curve, sizes))
            rows.append({**about, "average changes": average_changes(found, "ratio")})
            rows.extend({**about, "budget": row["budget"], "ratio": row["ratio"]} for row in found)
    return rows


def _given() -> tuple[Any, Any]:
    """The published base certificates (2810, 7, 22) and the edges of their graph."""
    folder = data_folder(GIVEN)
    with np.load(folder / "cora_ml_lcc.npz") as found:
        edges = found["A"]
    return np.load(folder / "attr_grid.npy"), edges


def _own(cell: Cell, workers: int | None) -> tuple[Any, Any]:
    """Base certificates (N, A, D) of a GCN of two layers, all nodes at once, and the edges of its graph."""
    data = graph(cell["dataset"], cell["seed"])
    model = trained("gcn", data, NOISE, cell["seed"])
    votes = sample_votes(model, data, NOISE, cell["samples"], cell["pilot"], cell["seed"], workers=workers)
    with many_claims():
        certificate = certify(votes)
        columns = [list(_column(certificate, add)) for add in range(_last(certificate, "add") + 2)]
    grid = np.zeros((len(votes.labels), len(columns), max(map(len, columns))), bool)
    for add, column in enumerate(columns):
        for delete, robust in enumerate(column):
            grid[:, add, delete] = robust
    return grid, data.edge_index.numpy()


def _column(certificate: Any, add: int) -> Iterator[Any]:
    """Who is robust against so many additions and 0, 1, … deletions, to the first number that nobody survives."""
    delete, robust = 0, certificate.robust(add=add)
    while robust.any():
        yield robust
        delete += 1
        robust = certificate.robust(add=add, delete=delete)
    yield robust


def _last(certificate: Any, axis: str) -> int:
    size = 0
    while certificate.robust(**{axis: size + 1}).any():
        size += 1
    return size


def _sizes(length: int) -> list[int]:
    """All budgets to twice the end of the base certificates, then in growing steps to a hundred times it."""
    sizes = list(range(2 * length))
    while sizes[-1] < 100 * length:
        sizes.append(int(1.25 * sizes[-1]) + 1)
    return sizes


def findings(rows: Sequence[Row]) -> list[str]:
    """Our shares on the published base certificates beside the published ones, and what locality is worth on average."""
    sentences = []
    for (changes, budget), published in PUBLISHED.items():
        at = chosen(rows, {"dataset": GIVEN, "changes": changes, "budget": budget})
        alone, together = (spread(chosen(at, {"method": name}), "ratio") for name in ("each node alone", "together"))
        if alone is not None and together is not None:
            sentences.append(
                f"Published base certificates, {budget} {changes}: {alone.mean:.4f} alone and {together.mean:.3f} together "
                f"(published {published[0]:.4f} and {published[1]:.3f})."
            )
    averages = [row for row in rows if "average changes" in row]
    for (dataset, changes), some in grouped(averages, ("dataset", "changes")).items():
        alone, together = (
            spread(chosen(some, {"method": name}), "average changes") for name in ("each node alone", "together")
        )
        if alone is not None and together is not None and alone.mean:
            sentences.append(
                f"{dataset}, {changes}: {together.mean / alone.mean:.1f} times as many changes on average together as alone."
            )
    return sentences


EXPERIMENT = Experiment(
    name="strictly_local",
    title="Strictly local collective certificates",
    paper="Schuchardt, Bojchevski, Gasteiger, Günnemann: Collective Robustness Certificates (ICLR 2021)",
    cells=cells,
    measure=measure,
    tables=(
        Table(
            "Average number of changed features that a node survives, right or wrong", ("dataset", "changes"), "method",
            "average changes", percent=False,
        ),
    ),
    published=(
        Published(
            "average number of certifiable feature changes on Citeseer", "ICLR 2021, abstract",
            ("", "each node alone", "together"), (("Citeseer", "7", "351"),),
        ),
        Published(
            "Cora-ML, shares on the published base certificates", "ICLR 2021; alone exact, together read off a plot",
            ("change", "alone", "together"),
            tuple((f"{size} {changes}", f"{a:.4f}", f"{b:.3f}") for (changes, size), (a, b) in PUBLISHED.items()),
        ),
    ),
    setting="A GCN of two layers under flips of features (.002, .6), 10,000 samples, α = 0.01 for all nodes together, a "
    "linear program over the receptive fields. Averages count every budget to a hundred times the end of the base "
    "certificates, in steps whose ends count, so they are never too large. The noise and the number of samples behind the "
    "published averages are not known.",
    findings=findings,
    needs=lambda fast: () if fast else (GIVEN,),
)  # fmt: skip
