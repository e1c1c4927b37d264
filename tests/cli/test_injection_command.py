"""Nodes that an adversary adds, from the command line: noise, sweeps, tables, report, and one sentence if not."""

import csv
import json

import pytest

import graphcert as gc
from graphcert.run.settings.graph_run import RunConfig
from graphcert.votes import Votes

SMALL = [
    "--dataset", "synthetic", "--dataset-option", "nodes=200", "--dataset-option", "classes=3",
    "--dataset-option", "features=30", "--training-option", "epochs=40", "--samples", "600", "--pilot-samples", "50",
]  # fmt: skip


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    from typed import call

    folder = tmp_path_factory.mktemp("injection") / "run"
    assert call("certify", *SMALL, "--drop-nodes", "0.6", "--drop-edges", "0.5", "--out", folder) == 0
    return folder


def rows_of(folder, method):
    with (folder / "collective.csv").open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["asked"] == method]


def test_a_run_goes_from_noise_to_report_and_is_verified(run, certified):
    votes = Votes.load(certified / "votes/votes.npz")
    assert votes.smoothing == gc.NodeDrop(0.6, 0.5)
    assert RunConfig.load(certified / "config.toml").smoothing.drop_nodes == 0.6
    code, out, err = run("collective", certified, "--inject", "0:6:2", "--degree", "2", "--method", "milp")
    assert code == 0, err
    assert "4 nodes added with up to 2 edges each" in out
    naive, milp = rows_of(certified, "naive"), rows_of(certified, "milp")
    assert [int(row["injected"]) for row in milp] == [0, 2, 4, 6]
    assert {row["degree"] for row in milp} == {"2"}
    counts = [int(row["certified"]) for row in milp]
    assert counts == sorted(counts, reverse=True)
    assert all(int(a["certified"]) <= int(b["certified"]) for a, b in zip(naive, milp, strict=True))
    assert any(int(a["certified"]) < int(b["certified"]) for a, b in zip(naive, milp, strict=True))
    page = (certified / "report.html").read_text()
    for words in ("New nodes", "contacts it may notice", "nodes dropped with probability 0.6", "at itself"):
        assert words in page
    stored = json.loads((certified / "collective.json").read_text())
    assert stored["reach"] == {"layers": 2, "normalisation": "symmetric"}

    data = gc.load_dataset("synthetic", nodes=200, classes=3, features=30)
    certificate = gc.certify(votes, targets=data.test_mask.numpy())
    again = certificate.injection([0, 2, 4, 6], 2, data=data, layers=2, method="lp")
    assert again.certified.tolist() == [int(row["certified"]) for row in rows_of(certified, "lp")]

    code, out, _ = run("verify", certified)
    assert code == 0, out
    assert "report.html: drawn again" in out


def test_sweeps_over_two_axes_and_other_changes_besides(run, certified):
    budgets = ["--inject", "0:2", "--degree", "1", "--edges", "0:1", "--rows", "1"]
    code, out, err = run("collective", certified, *budgets, "--method", "lp")
    assert code == 0, err
    assert "the features of 1 node changed" in out
    assert {(row["injected"], row["edges"], row["rows"]) for row in rows_of(certified, "lp")} >= {("2", "1", "1")}
    assert "besides the features of 1 node changed" in (certified / "report.html").read_text()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--inject", "1:3"], "give --inject with --degree"),
        (["--degree", "3"], "give --inject with --degree"),
        (["--inject", "1:3", "--degree", "0"], "new node without an edge"),
        (["--inject", "1:3", "--degree", "2", "--add", "1"], "under dropped nodes a sweep has inject and degree"),
        (["--inject", "a", "--degree", "2"], "whole numbers"),
    ],
)
def test_sweeps_that_say_nothing_are_refused(run, certified, options, sentence):
    code, _, err = run("collective", certified, *options)
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--drop-edges", "0.5"], "give --drop-nodes too"),
        (["--drop-nodes", "1.5"], "probability"),
        (["--drop-nodes", "0"], "drops nothing"),
        (["--drop-nodes", "0.5", "--add", "0.1"], "leave features out"),
        (["--drop-nodes", "0.5", "--sigma", "0.1"], "leave sigma out"),
        (["--drop-nodes", "0.5", "--clusters", "3"], "leave clusters out"),
        (["--drop-nodes", "0.5", "--select", "0.5"], "leave select out"),
    ],
)
def test_noise_that_does_not_go_together_is_refused(run, tmp_path, options, sentence):
    code, _, err = run("certify", *SMALL, *options, "--out", tmp_path / "run")
    assert code == 2
    assert sentence in err
    assert not (tmp_path / "run").exists()


def test_new_nodes_need_noise_that_drops_nodes(run, tmp_path):
    folder = tmp_path / "run"
    assert run("certify", *SMALL, "--edge-delete", "0.5", "--out", folder)[0] == 0
    code, _, err = run("collective", folder, "--inject", "1", "--degree", "2")
    assert code == 2
    assert "train a run with --drop-nodes" in err
