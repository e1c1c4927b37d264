"""The notebook runs from its first cell to its last plot, and what its cells show can be shown."""

import ast
import json
from pathlib import Path

import pytest
import torch

NOTEBOOK = Path(__file__).parents[1] / "examples" / "own_model.ipynb"


def code_cells():
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "code"]


def test_it_begins_with_an_installation_and_ends_with_a_plot():
    first, *_, last = code_cells()
    assert first.startswith("%pip install")
    assert last.endswith(".plot()")


@pytest.mark.slow
def test_every_cell_runs(tmp_path, monkeypatch):
    """As Jupyter runs them, the value of the last line of a cell is shown: as a table, a figure or text."""
    monkeypatch.chdir(tmp_path)
    namespace, shown = {}, []
    with torch.random.fork_rng(devices=[]):
        for number, source in enumerate(code_cells()):
            if source.startswith("%"):
                continue
            *body, last = ast.parse(source).body
            ends_with_value = isinstance(last, ast.Expr)
            exec(
                compile(ast.Module(body if ends_with_value else [*body, last], []), f"cell {number}", "exec"), namespace
            )
            if ends_with_value:
                shown.append(eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), namespace))
    tables = [table for value in shown if hasattr(value, "_repr_html_") and (table := value._repr_html_())]
    figures = [value for value in shown if hasattr(value, "savefig")]
    assert len(tables) >= 3
    assert all("<table" in table for table in tables)
    assert len(figures) == 2
    assert namespace["certificate"].certified_ratio(namespace["gc"].Budget(feature_delete=1)) > 0.5
    assert (tmp_path / "report.html").stat().st_size > 10_000
