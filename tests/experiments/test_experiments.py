"""Every experiment: its cells can be kept and told apart, and its tables, plots and findings are about what it measures."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from graphcert.experiments.catalogue import EXPERIMENTS
from graphcert.experiments.experiment import SEED, Experiment, Lines, Row
from graphcert.experiments.grid import missing_data
from graphcert.experiments.views import chosen, draw, grouped, table_text

CHEAP = {"hierarchical": {"kind": "nodes"}, "injection": {}, "input_dependent": {}}
"""Experiments with a fast cell of few seconds, and what all such cells have."""


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
@pytest.mark.parametrize("fast", [True, False])
def test_cells_are_plain_and_differ(experiment: Experiment, fast: bool) -> None:
    cells = experiment.cells(fast, 2)
    texts = {json.dumps(cell, sort_keys=True) for cell in cells}
    assert len(texts) == len(cells)
    assert [json.loads(json.dumps(cell)) for cell in cells] == cells
    assert {cell[SEED] for cell in cells} == {0, 1}
    # More seeds add cells and leave those of fewer seeds as they are.
    assert {json.dumps(cell, sort_keys=True) for cell in experiment.cells(fast, 1)} < texts


@pytest.mark.parametrize("name", CHEAP)
def test_the_cheapest_cell(name: str) -> None:
    cell = chosen(EXPERIMENTS[name].cells(True, 1), CHEAP[name])[0]
    rows = EXPERIMENTS[name].measure(cell, 1)
    check_rows(EXPERIMENTS[name], rows)
    assert rows == EXPERIMENTS[name].measure(cell, 1)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_all_fast_cells(experiment: Experiment, tmp_path: Path) -> None:
    if lacking := missing_data(experiment):
        pytest.skip(f"needs {', '.join(lacking)} in GRAPHCERT_DATA")
    rows = [row for cell in experiment.cells(True, 1) for row in experiment.measure(cell, 1)]
    check_rows(experiment, rows)
    for table in experiment.tables:
        assert len(table_text(table, rows).splitlines()) > 2, f"nothing is in the table {table.title!r}"
    for plot in experiment.plots:
        draw(plot, rows, tmp_path / f"{plot.name}.svg")
        assert "</svg>" in (tmp_path / f"{plot.name}.svg").read_text()
    assert experiment.findings(rows)


def check_rows(experiment: Experiment, rows: Sequence[Row]) -> None:
    """Shares are shares, they fall along every curve, and rows are as plain as a table of text."""
    assert rows
    for row in rows:
        assert all(isinstance(value, str | int | float) for value in row.values())
        assert SEED in row
    for table in experiment.tables:
        shares = [float(row[table.value]) for row in chosen(rows, table.where) if table.value in row]
        assert not table.percent or all(0 <= share <= 1 for share in shares)
    for plot in experiment.plots:
        if isinstance(plot, Lines):
            for _, some in grouped(chosen(rows, plot.where), (plot.panel, plot.line, SEED)).items():
                curve = sorted((float(row[plot.x]), float(row[plot.y])) for row in some if plot.x in row)
                values = [share for _, share in curve]
                assert values == sorted(values, reverse=True), f"{plot.name} rises"
