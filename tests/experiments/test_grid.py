"""Cells are measured once, whoever measures them, and go on after an interrupt."""

import json

import counted
import pytest

from graphcert.errors import DataError
from graphcert.experiments.grid import CELLS, MADE, ROWS, measure, read_rows


def test_what_is_measured_is_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "well.txt").touch()
    experiment = counted.experiment(counted.noted)
    measure(experiment, tmp_path / "out", False, 2)
    first, log = (tmp_path / "out" / ROWS).read_bytes(), (tmp_path / "measured.txt").read_text()
    assert sorted(log.split()) == sorted(
        f"{kind}{size}{seed}" for kind in "ab" for size in range(3) for seed in range(2)
    )
    measure(experiment, tmp_path / "out", False, 2)
    assert (tmp_path / "measured.txt").read_text() == log
    assert (tmp_path / "out" / ROWS).read_bytes() == first
    measure(experiment, tmp_path / "out", False, 3)  # another seed, and nothing else
    assert (tmp_path / "measured.txt").read_text().removeprefix(log).split() == [
        "a02",
        "a12",
        "a22",
        "b02",
        "b12",
        "b22",
    ]


def test_an_interrupted_call_goes_on_where_it_was(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    experiment = counted.experiment(counted.noted)
    with pytest.raises(KeyboardInterrupt):
        measure(experiment, tmp_path / "out", False, 1)
    assert (tmp_path / "measured.txt").read_text().split() == ["a00", "a10", "a20", "b00", "b10"]
    assert len(list((tmp_path / "out" / CELLS).iterdir())) == 4
    assert not (tmp_path / "out" / ROWS).exists()
    (tmp_path / "well.txt").touch()
    with caplog.at_level("INFO", "graphcert"):
        measure(experiment, tmp_path / "out", False, 1)
    assert (tmp_path / "measured.txt").read_text().split()[5:] == ["b10", "b20"]
    assert caplog.messages == ["small: 4 of 6 cells are there already"]
    measure(experiment, tmp_path / "whole", False, 1)
    assert (tmp_path / "out" / ROWS).read_bytes() == (tmp_path / "whole" / ROWS).read_bytes()


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"rows": 3}', '{"rows": []}'])
def test_a_damaged_cell_is_measured_anew(tmp_path, damage):
    experiment = counted.experiment()
    measure(experiment, tmp_path / "out", True, 1)
    first = (tmp_path / "out" / ROWS).read_bytes()
    for file in (tmp_path / "out" / CELLS).iterdir():
        file.write_text(damage)
    measure(experiment, tmp_path / "out", True, 1)
    assert (tmp_path / "out" / ROWS).read_bytes() == first


def test_other_code_measures_anew(tmp_path, monkeypatch):
    experiment = counted.experiment()
    measure(experiment, tmp_path / "out", True, 1)
    monkeypatch.setattr("graphcert.experiments.grid.package_digest", lambda: b"other")
    measure(experiment, tmp_path / "out", True, 1)
    assert len(list((tmp_path / "out" / CELLS).iterdir())) == 4


def test_workers_of_a_scheduler_find_the_same(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYTHONPATH", str(counted.Path(counted.__file__).parent))
    experiment = counted.experiment()
    measure(experiment, tmp_path / "here", False, 2)
    measure(experiment, tmp_path / "there", False, 2, scheduler="local:2")
    assert (tmp_path / "here" / ROWS).read_bytes() == (tmp_path / "there" / ROWS).read_bytes()


def test_rows_come_back_as_they_were(tmp_path):
    measure(counted.experiment(), tmp_path / "small", False, 2)
    made, rows = read_rows(tmp_path / "small")
    assert (made["seeds"], made["cells"], made["fast"]) == (2, 12, False)
    assert rows == [row for cell in counted.cells(False, 2) for row in counted.measure(cell, None)]


@pytest.mark.parametrize("name", [ROWS, MADE])
def test_no_finished_experiment_is_a_sentence(tmp_path, name):
    measure(counted.experiment(), tmp_path / "small", True, 1)
    (tmp_path / "small" / name).unlink()
    with pytest.raises(DataError, match="graphcert experiment run small"):
        read_rows(tmp_path / "small")


def test_the_record_says_how_it_was_made(tmp_path):
    measure(counted.experiment(), tmp_path / "small", True, 1)
    made = json.loads((tmp_path / "small" / MADE).read_text())
    assert made["fast"] is True
    assert len(made["source"]) == 16
