"""Uniform and localized Gaussian noise, lattices and kept rows from the command line, and sweeps over norms."""

import csv
import json

import numpy as np
import pytest

from graphcert.errors import InputError
from graphcert.noise import Gaussian, Hierarchical, Smoothing, SubsetAblation, Uniform
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.stages import CollectiveConfig
from graphcert.votes import Votes

FEW = ["--training-option", "epochs=20", "--samples", "300", "--pilot-samples", "30"]
DIGITS = ["--dataset", "digits", *FEW]
SMALL = [
    "--dataset", "synthetic", "--dataset-option", "nodes=200", "--dataset-option", "classes=3",
    "--dataset-option", "features=30", *FEW,
]  # fmt: skip
LOCALIZED = ["--sigma", "0.1:0.5", "--clusters", "3"]


def table(folder):
    with open(folder / "collective.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def scheme(folder):
    return Votes.load(folder / "votes/votes.npz").smoothing


def test_uniform_noise_certifies_l1_radii(run, tmp_path):
    code, _, err = run("certify", *SMALL, "--half-width", "0.5", "--out", tmp_path / "run")
    assert code == 0, err
    assert scheme(tmp_path / "run") == Smoothing(Uniform(0.5))
    found = json.loads((tmp_path / "run/certificate.json").read_text())
    assert max(found["radii"][0]["radius"]) > 0
    assert "ℓ1 norm" in page(tmp_path / "run")


def test_features_on_a_lattice_take_noise_on_it_and_others_are_refused(run, tmp_path):
    code, _, err = run("certify", *DIGITS, "--sigma", "0.25", "--lattice", "1/16", "--out", tmp_path / "run")
    assert code == 0, err
    assert scheme(tmp_path / "run") == Smoothing(Gaussian(0.25, lattice=1 / 16))
    assert "lattice of features" in page(tmp_path / "run")
    code, _, err = run("certify", *DIGITS, "--sigma", "0.25", "--lattice", "0.3", "--out", tmp_path / "other")
    assert code == 2
    assert "lattice" in err


def test_kept_rows_are_an_ablation(run, tmp_path):
    code, _, err = run("certify", *SMALL, "--keep", "12", "--nodes", "1:2", "--out", tmp_path / "run")
    assert code == 0, err
    assert scheme(tmp_path / "run") == Smoothing(SubsetAblation(12))
    (grid,) = json.loads((tmp_path / "run/certificate.json").read_text())["grids"]
    assert (grid["axes"], grid["values"]) == (["nodes"], [[0, 1, 2]])
    assert "how many nodes an adversary may touch" in page(tmp_path / "run")


@pytest.mark.parametrize("noise", [LOCALIZED, ["--half-width", "0.2:0.8", "--clusters", "3"]], ids=["ℓ2", "ℓ1"])
def test_localized_noise_is_swept_over_norms_without_being_asked(noise, run, tmp_path):
    folder = tmp_path / "run"
    code, out, err = run("certify", *SMALL, *noise, "--scores", "--out", folder)
    assert code == 0, err
    size = "‖δ‖₂" if noise is LOCALIZED else "‖δ‖₁"
    assert f"at {size} ≤ " in out
    rows = table(folder)
    assert {row["asked"] for row in rows} == {"naive", "lp", "milp", "mean_score"}
    assert "feature_add" not in rows[0]
    assert not (folder / "attacks.csv").exists()
    counts = {}
    for asked in ("naive", "lp", "milp"):
        mine = [(float(row["feature_shift"]), int(row["certified"])) for row in rows if row["asked"] == asked]
        assert mine[0][0] == 0
        assert mine == sorted(mine, key=lambda pair: (pair[0], -pair[1])), "a longer change is never less harmful"
        counts[asked] = [count for _, count in mine]
    assert len(counts["naive"]) > 10
    assert all(a <= b <= c for a, b, c in zip(*counts.values(), strict=True))
    assert sum(counts["milp"]) > sum(counts["naive"])
    assert counts["milp"][0] > 0 == counts["milp"][-1], "up to where nothing is certified"
    assert size in page(folder)
    assert "Where one perturbation does most harm" not in page(folder)


def test_norms_that_are_asked_for(run, tmp_path):
    folder = tmp_path / "run"
    assert run("certify", *SMALL, *LOCALIZED, "--collective", "none", "--scores", "--out", folder)[0] == 0
    assert not (folder / "collective.csv").exists()
    for method in ("naive", "lp", "milp", "tight", "all"):
        code, _, err = run("collective", folder, "--shift", "0:0.3:0.1", "--method", method)
        assert code == 0, err
        rows = table(folder)
        assert [row["feature_shift"] for row in rows if row["asked"] == "naive"] == ["0", "0.1", "0.2", "0.3"]
        assert {row["asked"] for row in rows} - {"naive", "lp", "milp", "mean_score"} == set()
    assert RunConfig.load(folder / "config.toml").collective.sweeps == ({"shift": "0:0.3:0.1"},)
    text = page(folder)
    assert run("report", folder)[0] == 0
    assert page(folder) == text
    before = (folder / "collective.csv").read_bytes()
    for arguments, needle in (
        (["--shift", "x"], "norms of at least 0"),
        (["--shift", "0:1"], "norms of at least 0"),
        (["--shift", "0.1", "--add", "1"], "leave the budgets of bits and edges out"),
        (["--shift", "0.1", "--edge-delete", "1"], "leave the budgets of bits and edges out"),
        (["--shift", "0.1", "--nodes", "2"], "hierarchical noise only"),
        (["--add", "1"], "sweep shift"),
        (["--nodes", "1:2"], "sweep shift"),
        (["--shift", "0.1", "--receptive-field"], "leave --receptive-field"),
        (["--shift", "0.1", "--compare"], "leave --receptive-field and --compare out"),
    ):
        code, _, err = run("collective", folder, *arguments)
        assert code == 2, arguments
        assert needle in err
        assert err.count("graphcert:") == len(err.strip().splitlines()) == 1, "refused before anything is solved"
    assert (folder / "collective.csv").read_bytes() == before
    assert RunConfig.load(folder / "config.toml").collective.sweeps == ({"shift": "0:0.3:0.1"},)


@pytest.mark.parametrize("select", [[], ["--select", "0.9"]], ids=["every row", "selected rows"])
def test_isotropic_noise_is_swept_over_norms_where_asked(select, run, tmp_path):
    folder = tmp_path / "run"
    code, out, err = run("certify", *SMALL, "--sigma", "0.5", *select, "--scores", "--out", folder)
    assert code == 0, err
    assert not (folder / "collective.csv").exists()
    assert "half of the targets hold up to ‖δ‖₂ ≤ " in out
    assert "Another classifier: the largest mean score" in page(folder)
    nodes = ["--nodes", "1:2"] if select else []
    code, _, err = run("collective", folder, "--shift", "0:0.4:0.2", *nodes)
    assert code == 0, err
    rows = [row for row in table(folder) if row["asked"] == "naive"]
    if select:
        pairs = [("0", "1"), ("0", "2"), ("0.2", "1"), ("0.2", "2"), ("0.4", "1"), ("0.4", "2")]
        assert sorted((row["feature_shift"], row["nodes"]) for row in rows) == pairs
    else:
        assert [row["feature_shift"] for row in rows] == ["0", "0.2", "0.4"]
    assert "mean_score" in {row["asked"] for row in table(folder)}
    assert "Compared with other classifiers" in page(folder)
    assert "Another classifier: the largest mean score" not in page(folder)


def test_flips_have_no_norm(run, tmp_path):
    folder = tmp_path / "run"
    assert run("certify", *SMALL, "--add", "0.05", "--delete", "0.3", "--scores", "--out", folder)[0] == 0
    assert "Another classifier: the largest mean score" in page(folder)
    code, _, err = run("collective", folder, "--shift", "0.1")
    assert code == 2
    assert "under --sigma or --laplace or --half-width only" in err


@pytest.mark.parametrize(
    "noise",
    [
        {"half_width": 0.25},
        {"half_width": [0.1, 0.4], "clusters": 3, "lattice": 0.0625},
        {"sigma": 0.25, "lattice": 1 / 255},
        {"sigma": [0.1, 0.4], "clusters": 3, "levels": 2, "edges": {"add": 0.0, "delete": 0.4}},
        {"keep": 20},
        {"half_width": 0.25, "select": 0.9},
    ],
)
def test_settings_survive_their_file(noise, tmp_path):
    values = {"smoothing": noise}
    if "keep" not in noise:
        values["collective"] = {"sweeps": [{"shift": "0:1:0.1"}, {"edge_delete": "0:2"}]}
    config = RunConfig.from_dict(values)
    config.save(tmp_path / "config.toml")
    again = RunConfig.load(tmp_path / "config.toml")
    assert again == config == RunConfig.from_dict(config.to_dict())
    assert again.differences(config) == []
    assert again.collective.sweeps == tuple(values.get("collective", {}).get("sweeps", ()))
    assert isinstance(again.smoothing.scheme(None), Hierarchical) == ("select" in noise) or noise.get("clusters")


def test_settings_make_the_laws_they_name():
    one = RunConfig.from_dict({"smoothing": {"half_width": 0.25, "lattice": 0.125}}).smoothing.scheme(None)
    assert one == Smoothing(Uniform(0.25, lattice=0.125))
    assert RunConfig.from_dict({"smoothing": {"keep": 7}}).smoothing.scheme(None) == Smoothing(SubsetAblation(7))
    with pytest.raises(InputError, match="shift takes up to 200 norms"):
        CollectiveConfig(sweeps=({"shift": "0:1"},))
    assert np.isclose(RunConfig.from_dict({"smoothing": {"sigma": 1}}).smoothing.laws["sigma"], 1)


BAD = {
    "two kinds of continuous noise": (["--sigma", "0.5", "--half-width", "0.5"], "feature noise is of one kind"),
    "uniform noise and flips": (["--half-width", "0.5", "--add", "0.1"], "feature noise is of one kind"),
    "kept rows and Gaussian noise": (["--keep", "5", "--sigma", "0.5"], "feature noise is of one kind"),
    "kept and selected rows": (["--keep", "5", "--select", "0.9"], "leave --select out"),
    "more kept rows than nodes": (["--keep", "5000"], "5000"),
    "half-width of zero": (["--half-width", "0"], "above 0"),
    "half-width that is no number": (["--half-width", "wide"], "--half-width takes a number above 0"),
    "near to far without clusters": (["--half-width", "0.1:0.5"], "set --clusters"),
    "lattice without noise": (["--lattice", "1/16"], "give --sigma or --laplace or --half-width with --lattice"),
    "lattice under flips": (
        ["--lattice", "1/16", "--add", "0.1"],
        "give --sigma or --laplace or --half-width with --lattice",
    ),
    "lattice that is no number": (["--lattice", "fine", "--sigma", "0.5"], "--lattice takes a step such as 1/255"),
    "lattice of two steps": (["--lattice", "0.1:0.2", "--sigma", "0.5", "--clusters", "2"], "lattice"),
    "lattice of zero": (["--lattice", "0", "--sigma", "0.5"], "lattice"),
    "limit of nodes under Gaussian noise": (["--sigma", "0.5", "--nodes", "2"], "give --select or --keep"),
    "receptive fields": ([*LOCALIZED, "--receptive-field"], "leave --receptive-field and --compare out"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_exit_code_two_and_leaves_nothing(case, run, tmp_path):
    arguments, needle = BAD[case]
    code, out, err = run("certify", *SMALL, *arguments, "--out", tmp_path / "out")
    lines = [line for line in err.strip().splitlines() if line.startswith("graphcert:")]
    assert code == 2, err
    assert len(lines) == 1, err
    assert needle in lines[0]
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "out").exists()
