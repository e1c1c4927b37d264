"""Hierarchical, ablation and Gaussian noise from the command line: one command, its settings, and one sentence if not."""

import csv
import json

import numpy as np
import pytest

from graphcert.errors import InputError
from graphcert.models import load_model
from graphcert.noise import Ablation, BernoulliFlip, Gaussian, Hierarchical, Smoothing
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.stages import CertificateConfig
from graphcert.votes import Votes

SMALL = [
    "--dataset", "synthetic", "--dataset-option", "nodes=300", "--dataset-option", "classes=3",
    "--dataset-option", "features=40", "--training-option", "epochs=30", "--samples", "300", "--pilot-samples", "50",
]  # fmt: skip
FLIPS = ["--add", "0.05", "--delete", "0.6"]


def summary(folder):
    return json.loads((folder / "certificate.json").read_text())


def test_one_command_certifies_against_few_touched_nodes(run, tmp_path):
    folder = tmp_path / "run"
    command = ["certify", *SMALL, "--model", "gat", *FLIPS, "--select", "0.9", "--nodes", "1:3", "--out", folder]
    code, out, err = run(*command)
    assert code == 0, err
    assert "in at most 1 node" in out
    assert Votes.load(folder / "votes/votes.npz").smoothing == Hierarchical(0.9, BernoulliFlip(0.05, 0.6))
    assert load_model(folder / "model.pt").first_weight().shape[0] == 41
    found = {}
    for grid in summary(folder)["grids"]:
        found.setdefault(tuple(grid["axes"]), []).append((grid["fixed"]["nodes"], grid["certified_accuracy"]))
    assert set(found) == {("feature_add",), ("feature_delete",), ("feature_add", "feature_delete")}
    for curves in found.values():
        assert [nodes for nodes, _ in curves] == [1, 2, 3]
    # More nodes are never harmless: the curves lie below each other.
    for axis in (("feature_add",), ("feature_delete",)):
        one, two = found[axis][0][1], found[axis][1][1]
        assert all(b <= a for a, b in zip(one, two, strict=False))
    page = (folder / "report.html").read_text()
    assert "rows selected with probability 0.9" in page
    for nodes in ("1 node", "2 nodes", "3 nodes"):
        assert f"Feature deletions, in at most {nodes}" in page
    assert "rows selected" in page
    assert "may change the features of no more than r nodes" in page

    votes = (folder / "votes/votes.npz").read_bytes()
    assert run("certify", folder, "--nodes", "2")[0] == 0
    assert {grid["fixed"]["nodes"] for grid in summary(folder)["grids"]} == {2}
    assert (folder / "votes/votes.npz").read_bytes() == votes
    code, _, err = run(*[word if word != "0.9" else "0.8" for word in command])
    assert code == 2
    assert "smoothing.select = 0.9 instead of 0.8" in err


def test_ablation_counts_touched_nodes(run, tmp_path):
    folder = tmp_path / "run"
    code, out, err = run("certify", *SMALL, "--select", "0.9", "--ablate", "--out", folder)
    assert code == 0, err
    assert "1 node changed" in out
    assert Votes.load(folder / "votes/votes.npz").smoothing == Hierarchical(0.9, Ablation())
    (grid,) = summary(folder)["grids"]
    assert grid["axes"] == ["nodes"]
    assert grid["values"][0] == list(range(len(grid["values"][0])))
    assert grid["certified_ratio"][-1] == 0
    assert "Touched nodes" in (folder / "report.html").read_text()
    page = (folder / "report.html").read_text()
    assert "rows ablated" in page
    assert "how many nodes an adversary may touch" in page
    assert run("certify", folder, "--nodes", "1,4")[0] == 0
    assert summary(folder)["grids"][0]["values"] == [[0, 1, 4]]


@pytest.mark.parametrize("select", [[], ["--select", "0.95", "--nodes", "1:2"]], ids=["every row", "selected rows"])
def test_gaussian_noise_certifies_radii(run, tmp_path, select):
    folder = tmp_path / "run"
    code, _, err = run("certify", *SMALL, "--sigma", "0.25", *select, "--out", folder)
    assert code == 0, err
    law = Gaussian(0.25)
    expected = Hierarchical(0.95, law) if select else Smoothing(law)
    assert Votes.load(folder / "votes/votes.npz").smoothing == expected
    found = summary(folder)
    assert found["grids"] == []
    assert [row["nodes"] for row in found["radii"]] == ([1, 2] if select else [None])
    radii = [row["radius"] for row in found["radii"]]
    assert max(radii[0]) > 0
    assert all(two <= one for one, two in zip(radii[0], radii[-1], strict=True))
    assert "ℓ2" in (folder / "report.html").read_text()


def test_localized_selection_and_inductive_training(run, tmp_path):
    folder = tmp_path / "run"
    noise = ["--add", "0.01:0.05", "--delete", "0.2:0.6", "--select", "0.7:0.9", "--clusters", "3", "--nodes", "1"]
    options = ["--training-option", "inductive=true", "--dataset-option", "test_share=0.3"]
    code, _, err = run("certify", *SMALL, *noise, *options, "--out", folder)
    assert code == 0, err
    scheme = Votes.load(folder / "votes/votes.npz").smoothing
    assert scheme.select == pytest.approx((0.7, 0.8, 0.9))
    assert scheme.lower.levels("features")[-1] == BernoulliFlip(0.05, 0.6)
    config = RunConfig.load(folder / "config.toml")
    assert config.training.inductive
    assert sum(summary(folder)["nodes"]["target"]) == 54  # 0.3 of 300 − 3 · 40
    assert not (folder / "collective.json").exists()


def test_all_targets_at_once_with_a_limit_of_nodes(run, tmp_path):
    folder = tmp_path / "run"
    noise = ["--add", "0.01:0.05", "--delete", "0.2:0.6", "--select", "0.9:0.98", "--clusters", "3"]
    assert run("certify", *SMALL, *noise, "--out", folder)[0] == 0
    assert run("collective", folder, "--delete", "1:2", "--nodes", "1:2", "--method", "all")[0] == 0
    with open(folder / "collective.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["nodes"] for row in rows] == ["1", "2"] * 8
    counts = [[int(row["certified"]) for row in rows if row["asked"] == m] for m in ("naive", "lp", "milp", "tight")]
    assert (np.diff(counts, axis=0) >= 0).all()
    assert "in at most 2 nodes" in (folder / "report.html").read_text(encoding="utf-8")
    # Where one perturbation does most harm: changed rows lie within the limit, and no row changes without a bit.
    with open(folder / "attacks.csv", newline="", encoding="utf-8") as file:
        worst = list(csv.DictReader(file))
    for limit in (1, 2):
        touched = [
            int(row["rows"])
            for row in worst
            if row["budget_nodes"] == str(limit) and row["budget_feature_delete"] == "2"
        ]
        assert 0 < sum(touched) <= limit
    assert all(int(row["rows"]) <= int(row["feature_delete"]) for row in worst)
    assert "Where one perturbation does most harm" in (folder / "report.html").read_text(encoding="utf-8")
    # A sweep without a limit beside one with it.
    assert run("collective", folder, "--delete", "1", "--method", "lp")[0] == 0
    with open(folder / "collective.csv", newline="", encoding="utf-8") as file:
        assert {row["nodes"] for row in csv.DictReader(file)} == {"", "1", "2"}
    code, _, err = run("collective", folder)
    assert code == 0, err
    code, _, err = run("collective", folder, "--delete", "1", "--compare")
    assert code == 2
    assert "leave --receptive-field and --compare out" in err


@pytest.mark.parametrize(
    "noise",
    [
        {"select": 0.81, "features": {"add": 0.05, "delete": 0.8}},
        {"select": [0.7, 0.9], "features": {"add": 0.05, "delete": 0.8}, "clusters": 3},
        {"select": 0.9, "ablate": True},
        {"sigma": 0.25, "edges": {"add": 0.0, "delete": 0.4}},
        {"sigma": [0.1, 0.5], "select": 1, "clusters": 2},
    ],
)
def test_settings_survive_their_file(noise, tmp_path):
    values = {"smoothing": noise}
    if "select" in noise:
        values["certificate"] = {"nodes": "1:3"}
    config = RunConfig.from_dict(values)
    config.save(tmp_path / "config.toml")
    again = RunConfig.load(tmp_path / "config.toml")
    assert again == config
    assert again.differences(config) == []
    assert again.certificate.node_limits == ((1, 2, 3) if "select" in noise else ())


def test_a_limit_of_nodes_does_not_make_another_model():
    one, two = (
        RunConfig.from_dict(
            {"smoothing": {"select": 0.8, "features": {"add": 0.1, "delete": 0.1}}, "certificate": {"nodes": nodes}}
        )
        for nodes in ("1", "1:3")
    )
    assert one.differences(two) == []
    with pytest.raises(InputError, match="at least 1"):
        CertificateConfig(nodes="0:2")


CHAIN = ["certify", *SMALL]
BAD = {
    "select above one": ([*CHAIN, *FLIPS, "--select", "1.5"], "'select' must be a probability between 0 and 1"),
    "select of zero": ([*CHAIN, *FLIPS, "--select", "0"], "'select' must be above 0"),
    "select that is no number": ([*CHAIN, *FLIPS, "--select", "often"], "--select takes a probability"),
    "select near to far without clusters": ([*CHAIN, *FLIPS, "--select", "0.5:0.9"], "set --clusters"),
    "three numbers": (
        [*CHAIN, *FLIPS, "--select", "0.5:0.7:0.9", "--clusters", "3"],
        "select is one number or the two",
    ),
    "select without noise": ([*CHAIN, "--select", "0.5"], "chooses the rows that get feature noise, and there is none"),
    "select with edge noise only": ([*CHAIN, "--select", "0.5", "--edge-delete", "0.4"], "and there is none"),
    "sigma and flips": ([*CHAIN, *FLIPS, "--sigma", "0.5"], "feature noise is of one kind"),
    "sigma of zero": ([*CHAIN, "--sigma", "0"], "'sigma' must be a finite number above 0"),
    "sigma that is no number": ([*CHAIN, "--sigma", "wide"], "--sigma takes a number above 0"),
    "ablation and flips": ([*CHAIN, *FLIPS, "--ablate", "--select", "0.9"], "feature noise is of one kind"),
    "ablation of nobody knows whom": ([*CHAIN, "--ablate"], "give --select, the probability that a row is ablated"),
    "no node": ([*CHAIN, *FLIPS, "--select", "0.9", "--nodes", "0"], "limits of nodes must be at least 1"),
    "negative nodes": ([*CHAIN, *FLIPS, "--select", "0.9", "--nodes=-1"], "the budgets nodes must be whole numbers"),
    "nodes without selection": (
        [*CHAIN, *FLIPS, "--nodes", "2"],
        "under hierarchical noise and ablation only; give --select",
    ),
    "receptive fields": (
        [*CHAIN, *FLIPS, "--select", "0.9", "--receptive-field"],
        "leave --receptive-field and --compare out",
    ),
    "no share": ([*CHAIN, *FLIPS, "--dataset-option", "test_share=2"], "test_share must be a number in [0, 1]"),
    "inductive that is no switch": ([*CHAIN, *FLIPS, "--training-option", "inductive=3"], "must be true or false"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_exit_code_two_and_leaves_nothing(case, run, tmp_path):
    arguments, needle = BAD[case]
    code, out, err = run(*arguments, "--out", tmp_path / "out")
    lines = [line for line in err.strip().splitlines() if line.startswith("graphcert:")]
    assert code == 2, err
    assert len(lines) == 1, err
    assert needle in lines[0]
    assert out == ""
    assert not (tmp_path / "out").exists()
