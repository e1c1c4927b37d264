"""`graphcert tune`: the command, and the run that its settings are for."""

import csv
import json
import math
import re
from typing import Any

import pytest
from typed import call

from graphcert.run.settings.graph_run import RunConfig

SMALL = [
    "tune", "--dataset", "synthetic", "--dataset-option", "nodes=150", "--dataset-option", "classes=3", "--dataset-option",
    "features=30", "--dataset-option", "present=0.3", "--dataset-option", "background=0.1", "--training-option",
    "epochs=20", "--clusters", "1,2", "--candidates", "8", "--rounds", "2", "--votes", "100", "--samples", "500",
    "--budgets", "0:6", "--workers", "1", "--floor", "0.5", "--out",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = tmp_path_factory.mktemp("tune") / "out"
    assert call(*SMALL, found) == 0
    return found


def test_the_same_command_goes_on(folder: Any, run: Any) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, out, errors = run(*SMALL, folder)
    assert code == 0
    assert f"best: {folder / 'best.toml'}" in out
    assert re.search(r"^most changes by kind: isotropic \S+ \(candidate .*\), localized ", out, flags=re.MULTILINE)
    assert "round 1 of 2: 8 of 8 trials are known already" in errors
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_tables_and_trials_agree(folder: Any) -> None:
    rows = list(csv.DictReader((folder / "front.csv").read_text().splitlines()))
    assert rows
    assert all(0.5 <= float(row["accuracy"]) <= 1 for row in rows)
    places = [(float(row["accuracy"]), float(row["average changes"])) for row in rows]
    found = [json.loads(trial.read_text()) for trial in (folder / "trials").iterdir()]
    assert set(places) <= {(row["accuracy"], row["average changes"]) for row in found}
    for row in found:
        assert math.isclose(row["average changes"], sum(row["certified accuracy"][1:]), abs_tol=1e-12)


def test_the_best_settings_certify(folder: Any, tmp_path: Any, run: Any) -> None:
    text = (folder / "best.toml").read_text()
    assert text.startswith("# Noise tuned on seed 1001 and 60 validation nodes, for add 0:6:\n")
    config = RunConfig.load(folder / "best.toml")
    assert config.seed == 0
    code, out, errors = run("certify", "--config", folder / "best.toml", "--out", tmp_path / "run")
    assert code == 0, errors
    assert "report: " in out
    assert RunConfig.load(tmp_path / "run" / "config.toml") == config
    for choice in (folder / "settings").iterdir():
        RunConfig.load(choice)


def test_a_floor_out_of_reach_exits_with_1(tmp_path: Any, run: Any) -> None:
    command = [*SMALL[:-1], "--floor", "1", "--training-option", "epochs=1", "--candidates", "1", "--rounds", "1"]
    command += ["--clusters", "1", "--add", "0.45", "--delete", "0.5"]
    code, out, _ = run(*command, "--out", tmp_path)
    assert code == 1
    assert "lower the floor" in out
    assert (tmp_path / "front.csv").is_file()
    assert not (tmp_path / "best.toml").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--delete", "much"], "--delete takes a number, or least:most to search, got 'much'"),
        (["--delete", "0.1:0.2:0.3"], "--delete takes a number, or least:most"),
        (["--clusters", "a"], "--clusters takes whole numbers between commas"),
        (["--seeds", "0,5"], "the seed 0 is that of the final run"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--objective", "shift"], "this noise certifies nothing against shift"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Any, run: Any, options: Any, sentence: str) -> None:
    ranges = [] if "--delete" in options else ["--delete", "0.3:0.6"]
    code, _, errors = run(*SMALL[:3], *ranges, *options, "--out", tmp_path / "out")
    assert code == 2
    assert sentence in errors.splitlines()[-1]
    assert not (tmp_path / "out").exists()
