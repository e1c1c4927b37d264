"""No option is ignored: it does something, or it is refused by name; and what a run keeps from before is said."""

import json
import shutil

import pytest
from typed import call

SMALL = [
    "--dataset", "synthetic", "--dataset-option", "nodes=200", "--dataset-option", "classes=3",
    "--dataset-option", "features=30", "--training-option", "epochs=20", "--add", "0.05", "--delete", "0.3",
]  # fmt: skip
VOTES = ["--samples", "300", "--pilot-samples", "50"]


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A run folder with a certificate of 300 samples."""
    folder = tmp_path_factory.mktemp("options") / "run"
    assert call("certify", *SMALL, *VOTES, "--out", folder) == 0
    return folder


def content(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


OF_NEW_RUNS = {
    "--dataset": "digits", "--config": "x.toml", "--model": "gat", "--add": "0.5", "--delete": "0.5", "--edge-add": "0.1",
    "--edge-delete": "0.1", "--added-weight": "2", "--added-attr": "1,2", "--directed": None,
    "--select": "0.5", "--ablate": None, "--sigma": "1", "--half-width": "1", "--lattice": "1/255",
    "--keep": "3", "--clusters": "2", "--levels": "2", "--partition": "spectral", "--affinity": "pagerank",
    "--samples": "5000", "--pilot-samples": "70", "--scores": None, "--look-again": None, "--seed": "7", "--split": "1",
    "--dataset-option": "nodes=5", "--model-option": "hidden=8", "--training-option": "epochs=3", "--batch-size": "3",
    "--workers": "1", "--memory": "2GiB", "--collective": "milp", "--time-limit": "3", "--receptive-field": None,
}  # fmt: skip


@pytest.mark.parametrize("flag", OF_NEW_RUNS)
def test_certify_of_a_run_refuses_what_it_cannot_use(certified, run, flag):
    before, value = content(certified), OF_NEW_RUNS[flag]
    code, out, err = run("certify", certified, flag, *([] if value is None else [value]))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert flag in err
    assert content(certified) == before, "nothing changes"


def test_several_options_are_named_together(certified, run):
    code, _, err = run("certify", certified, "--samples", 5000, "--add", 0.5, "--model", "gat", "--seed", 7)
    assert code == 2
    assert all(flag in err for flag in ("--samples", "--add", "--model", "--seed"))


@pytest.mark.parametrize("flag", [f for f in OF_NEW_RUNS if f not in (
    "--config", "--samples", "--pilot-samples", "--scores", "--look-again", "--batch-size", "--workers", "--memory",
    "--collective", "--time-limit", "--receptive-field")])  # fmt: skip
def test_a_file_of_settings_is_not_overruled_without_a_word(certified, run, tmp_path, flag):
    value = OF_NEW_RUNS[flag]
    arguments = [flag, *([] if value is None else [value])]
    code, out, err = run("certify", "--config", certified / "config.toml", *arguments, "--out", tmp_path / "new")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert flag in err
    assert not (tmp_path / "new").exists()


IDLE = {
    "a partition without clusters": ("certify", *SMALL, "--partition", "spectral"),
    "an affinity without clusters": ("train", *SMALL, "--affinity", "pagerank"),
    "levels without clusters": ("certify", *SMALL, "--levels", "1"),
    "a collective method under isotropic noise": ("certify", *SMALL, "--collective", "milp"),
    "a time limit of nothing": ("certify", *SMALL, "--collective", "none", "--time-limit", "3"),
    "an axis of clean edges": ("certify", *SMALL, "--max-edge-add", "3"),
    "a limit of nodes under flips": ("certify", *SMALL, "--nodes", "3"),
}


@pytest.mark.parametrize("arguments", IDLE.values(), ids=IDLE)
def test_options_without_effect_are_refused(run, tmp_path, arguments):
    code, out, err = run(*arguments, "--out", tmp_path / "new")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "arguments", [("--workers", 2), ("--memory", "2GiB"), ("--method", "naive", "--time-limit", 3), ("--compare",)]
)
def test_collective_refuses_what_it_cannot_use(certified, run, arguments):
    before = content(certified)
    code, out, err = run("collective", certified, "--add", "0:3", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert content(certified) == before


def test_options_before_the_training_of_a_segmenter_are_refused(run, tmp_path):
    code, _, err = run("segment", "--sigma", 0.3, "train", "--images", tmp_path, "--masks", tmp_path, "--sigma", 0.2,
                       "--out", tmp_path / "net.pt")  # fmt: skip
    assert code == 2
    assert "--sigma" in err


def test_settings_that_stay_are_said(certified, run, tmp_path):
    folder = tmp_path / "kept"
    shutil.copytree(certified, folder)
    code, _, err = run("certify", folder, "--alpha", 0.05, "--max-add", 3)
    assert code == 0
    assert "kept" not in err
    code, out, err = run("certify", folder)
    assert code == 0
    assert "alpha = 0.05" in err
    assert "max_add = 3" in err
    assert "α = 0.05" in out


def test_other_samples_after_a_certificate_are_asked_for_twice(certified, run, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(certified, folder)
    before = content(folder)
    for command in (["sample", folder], ["certify", *SMALL, "--pilot-samples", 50, "--out", folder]):
        code, _, err = run(*command, "--samples", 900)
        assert code == 2
        assert "--look-again" in err
        assert content(folder) == before
    assert run("sample", folder, "--samples", 300)[0] == 0, "the same votes are no second look"
    assert run("sample", folder, "--samples", 900, "--look-again")[0] == 0
    code, _, err = run("certify", folder)
    assert code == 0
    assert "together 0.02" in err
    looks = json.loads((folder / "manifest.json").read_text())["looks"]
    assert [look["samples"] for look in looks] == [300, 900]
    assert "certified 2 times" in (folder / "report.html").read_text()


def test_other_claims_from_the_same_votes_are_recorded(certified, run, tmp_path):
    folder = tmp_path / "claims"
    shutil.copytree(certified, folder)
    assert run("certify", folder, "--alpha", 0.05)[0] == 0
    assert run("certify", folder, "--alpha", 0.05)[0] == 0
    code, _, err = run("certify", folder, "--method", "binary")
    assert code == 0
    assert "certified 3 times" in err
    assert "together 0.11" in err
    for _ in range(2):
        code, _, err = run("certify", folder, "--method", "multiclass", "--label-share", 0.8)
        assert code == 0
        assert "certified 4 times" in err
        assert "0.8 of the level for the label" in err
        assert "together 0.16" in err
