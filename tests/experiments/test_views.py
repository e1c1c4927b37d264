"""Tables and plots: what a reader sees of rows."""

import counted
import pytest

import graphcert.experiments.catalogue
from graphcert.cli import main
from graphcert.errors import InputError
from graphcert.experiments.experiment import Table
from graphcert.experiments.grid import measure
from graphcert.experiments.results import write_results
from graphcert.experiments.steps import average_changes
from graphcert.experiments.views import Spread, draw, pareto, spread, table_text


def call(*arguments, monkeypatch):
    """Call `graphcert …`; returns the code with which it exits."""
    monkeypatch.setattr("sys.argv", ["graphcert", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize(
    ("values", "percent", "words"),
    [
        ([0.8199], True, "81.9"), ([0.5, 0.7], True, "60.0 ± 14.2"), ([0.29, 0.29], True, "29.0 ± 0.0"),
        ([0.1 + 0.2], True, "30.0"), ([2.999], False, "2.99"), ([1.0, 2.0], False, "1.50 ± 0.71"), ([0.99999], True, "99.9"),
    ],
)  # fmt: skip
def test_shares_are_rounded_down_and_deviations_up(values, percent, words):
    assert Spread(values).words(percent) == words


def test_a_table_has_means_over_seeds_and_dashes_for_what_was_not_measured():
    rows = [{"kind": "a", "size": 1, "seed": seed, "value": value} for seed, value in enumerate((0.2, 0.4))]
    rows += [{"kind": "b", "size": 2, "seed": 0, "value": 0.5}, {"kind": "c", "seed": 0, "size": 1}]
    text = table_text(Table("T", ("kind",), "size", "value"), rows)
    assert text.splitlines()[2:] == ["| a | 30.0 ± 14.2 | – |", "| b | – | 50.0 |"]


def test_rows_of_one_seed_are_one_observation():
    rows = [{"seed": 0, "v": 0.0}, {"seed": 0, "v": 1.0}, {"seed": 1, "v": 0.5}, {"seed": 2, "w": 9.0}]
    found = spread(rows, "v")
    assert (found.mean, found.deviation, len(found.values)) == (0.5, 0.0, 2)
    assert spread(rows, "nothing") is None


def test_a_front_keeps_what_nothing_passes():
    places = {("a",): (0.9, 1.0), ("b",): (0.8, 2.0), ("c",): (0.7, 1.5), ("d",): (0.8, 1.9), ("e",): (0.9, 1.0)}
    assert pareto(places) == [("b",), ("a",), ("e",)]


def test_an_average_counts_what_holds_at_the_end_of_each_step():
    rows = [{"budget": budget, "ratio": ratio} for budget, ratio in ((0, 1.0), (1, 0.9), (3, 0.5), (10, 0.0))]
    assert average_changes(rows, "ratio") == pytest.approx(0.9 + 2 * 0.5)


def test_the_same_rows_give_the_same_picture(tmp_path):
    rows = [row for cell in counted.cells(False, 3) for row in counted.measure(cell, None)]
    for plot in counted.experiment().plots:
        for name in ("one.svg", "two.svg"):
            draw(plot, rows, tmp_path / name)
        assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
        assert b"<svg" in (tmp_path / "one.svg").read_bytes()


def test_results_hold_tables_published_figures_findings_and_the_command(tmp_path):
    experiment = counted.experiment()
    with pytest.raises(InputError, match="no finished experiment"):
        write_results(tmp_path, [experiment])
    measure(experiment, tmp_path / "small", False, 2)
    text = write_results(tmp_path, [experiment]).read_text()
    for part in (
        f"`graphcert experiment run small --seeds 2 --out {tmp_path}`: 12 cells",
        "| a | 0.00 ± 0.01 | 0.10 ± 0.01 | 0.20 ± 0.01 |",
        "**Published: values** (a paper)", "- There are 12 rows.", "![Values by size](small/lines.svg)",
    ):  # fmt: skip
        assert part in text
    assert "--fast" not in text
    measure(experiment, tmp_path / "small", True, 2)
    assert "small settings of `--fast`" in write_results(tmp_path, [experiment]).read_text()


def test_the_command_runs_lists_and_writes_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(graphcert.experiments.catalogue, "EXPERIMENTS", {"small": counted.experiment()})
    assert call("experiment", "list", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.split()[:3] == ["name", "title", "small"]
    assert (
        call("experiment", "run", "small", "--fast", "--seeds", "2", "--out", tmp_path / "out", monkeypatch=monkeypatch)
        == 0
    )
    told = capsys.readouterr().out
    assert told == f"results: {tmp_path / 'out' / 'RESULTS.md'}\n"
    before = (tmp_path / "out" / "RESULTS.md").read_bytes()
    (tmp_path / "out" / "RESULTS.md").unlink()
    assert call("experiment", "results", tmp_path / "out", monkeypatch=monkeypatch) == 0
    assert (tmp_path / "out" / "RESULTS.md").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "smal"], "there is no experiment 'smal'; there are"),
        (["run", "sparse", "--seeds", "0"], "number of seeds"),
        (["run", "sparse", "--scheduler", "local:0"], "is no scheduler"), (["results", "nowhere"], "no finished experiment"),
        (["run", "strictly_local"], "needs base_certificates in the folder GRAPHCERT_DATA"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAPHCERT_DATA", raising=False)
    assert call("experiment", *arguments, monkeypatch=monkeypatch) == 2
    told = capsys.readouterr()
    assert words in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert not list(tmp_path.iterdir())
