"""The commands as a user types them: the chain, each command alone, and one sentence with exit code 2 for bad input."""

import hashlib
import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from typed import call

from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.image_run import SegmentSettings
from graphcert.run.settings.point_run import PointSettings
from graphcert.votes import Votes

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FOLDERS = {"images": "images", "masks": "masks", "model": "model.pt"}
SMALL = [
    "--dataset", "synthetic", "--dataset-option", "nodes=300", "--dataset-option", "classes=3",
    "--dataset-option", "features=40", "--training-option", "epochs=30",
]  # fmt: skip
NOISE = ["--add", "0.05", "--delete", "0.3", "--edge-add", "0.001", "--edge-delete", "0.2"]


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """A folder after the whole chain on a small graph."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    assert call("certify", *SMALL, *NOISE, "--samples", 300, "--pilot-samples", 50, "--out", folder) == 0
    return folder


def test_the_whole_chain_leaves_every_file_of_a_run(certified):
    for name in ("config.toml", "manifest.json", "model.pt", "votes/votes.npz", "certificate.json", "report.html"):
        assert (certified / name).stat().st_size > 0, name
    summary = json.loads((certified / "certificate.json").read_text())
    assert summary["samples"] == 300
    assert {tuple(grid["axes"]) for grid in summary["grids"]} == {
        ("feature_add",), ("feature_delete",), ("feature_add", "feature_delete"),
        ("edge_add",), ("edge_delete",), ("edge_add", "edge_delete"),
    }  # fmt: skip
    assert len(summary["nodes"]["p_lower"]) == 300


def test_each_command_works_alone_on_the_output_of_the_one_before(certified, run, tmp_path):
    folder = tmp_path / "steps"
    code, _, _ = run("train", *SMALL, *NOISE, "--out", folder)
    assert code == 0
    assert run("sample", folder, "--samples", 300, "--pilot-samples", 50, "--workers", 1, "--batch-size", 7)[0] == 0
    code, out, _ = run("certify", folder)
    assert code == 0
    assert "certified" in out
    code, out, _ = run("report", folder)
    assert code == 0
    assert "report.html" in out
    for name in ("votes/votes.npz", "certificate.json"):
        assert (folder / name).read_bytes() == (certified / name).read_bytes(), "same seed, same result"


def test_certify_again_with_another_level_changes_the_certificate_only(certified, run, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(certified, folder)
    votes = (folder / "votes/votes.npz").read_bytes()
    code, _, _ = run("certify", folder, "--alpha", 0.2, "--method", "multiclass", "--max-add", 3)
    assert code == 0
    summary = json.loads((folder / "certificate.json").read_text())
    assert (summary["alpha"], summary["method"]) == (0.2, "multiclass")
    assert [grid["values"] for grid in summary["grids"] if grid["axes"] == ["feature_add"]] == [[[0, 1, 2, 3]]]
    assert (folder / "votes/votes.npz").read_bytes() == votes
    assert "multiclass" in (folder / "config.toml").read_text()


def test_a_finished_run_is_repeated_without_sampling(certified, run):
    before = {path: path.stat().st_mtime_ns for path in (certified / "votes").glob("*-*.npz")}
    code, _, _ = run("certify", *SMALL, *NOISE, "--samples", 300, "--pilot-samples", 50, "--out", certified)
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_votes_can_be_extended(certified, run, tmp_path):
    folder = tmp_path / "longer"
    shutil.copytree(certified, folder)
    assert run("sample", folder, "--samples", 1500, "--look-again")[0] == 0
    assert run("certify", folder)[0] == 0
    assert json.loads((folder / "certificate.json").read_text())["samples"] == 1500


def test_datasets_lists_names_and_json(run):
    code, out, _ = run("datasets")
    assert code == 0
    assert "cora_ml" in out
    assert "digits" in out
    code, out, _ = run("datasets", "--json")
    assert {row["name"] for row in json.loads(out)} >= {"digits", "synthetic", "cora_ml"}


CHAIN = ["certify", *SMALL, "--samples", "300"]
BAD = {
    "unknown data set": (["certify", "--dataset", "kora", "--add", "0.1"], "unknown data set 'kora'"),
    "unknown model": ([*CHAIN, "--model", "gnc", "--add", "0.1"], "unknown model 'gnc'"),
    "no data set": (["certify", "--add", "0.1"], "--dataset"),
    "no noise": (CHAIN, "no noise"),
    "probability above one": ([*CHAIN, "--add", "1.5"], "between 0 and 1"),
    "negative probability": ([*CHAIN, "--edge-delete", "-0.1"], "between 0 and 1"),
    "not a number": ([*CHAIN, "--add", "nan"], "--add takes a probability"),
    "too few samples": ([*CHAIN, "--add", "0.1", "--samples", "5"], "cannot certify anything"),
    "level outside its domain": ([*CHAIN, "--add", "0.1", "--alpha", "2"], "alpha"),
    "unknown certificate": ([*CHAIN, "--add", "0.1", "--method", "magic"], "method"),
    "negative budget": ([*CHAIN, "--add", "0.1", "--max-add", "-1"], "must be at least 0"),
    "zero workers": ([*CHAIN, "--add", "0.1", "--workers", "0"], "workers"),
    "negative seed": ([*CHAIN, "--add", "0.1", "--seed", "-1"], "seed"),
    "unknown model option": ([*CHAIN, "--add", "0.1", "--model-option", "depth=3"], "no option 'depth'"),
    "unknown training option": ([*CHAIN, "--add", "0.1", "--training-option", "speed=3"], "no option 'speed'"),
    "broken option": ([*CHAIN, "--add", "0.1", "--model-option", "hidden"], "key=value"),
    "wrong type of option": ([*CHAIN, "--add", "0.1", "--training-option", "epochs=many"], "epochs"),
    "wrong type of model option": ([*CHAIN, "--add", "0.1", "--model-option", "hidden=wide"], "hidden"),
    "missing npz": (["certify", "--dataset", "nowhere.npz", "--add", "0.1"], "nowhere.npz"),
}


@pytest.mark.parametrize("case", BAD, ids=str)
def test_bad_input_gets_one_sentence_exit_code_two_and_leaves_nothing(case, run, tmp_path):
    arguments, needle = BAD[case]
    folder = tmp_path / "out"
    code, out, err = run(*arguments, "--out", folder)
    lines = [line for line in err.strip().splitlines() if line.startswith("graphcert:")]
    assert code == 2, err
    assert len(lines) == 1, err
    assert needle in lines[0]
    assert "Traceback" not in err
    assert out == ""
    assert not folder.exists()


def test_stages_without_their_input_say_what_to_run_first(run, tmp_path):
    for command in ("sample", "certify", "report"):
        code, _, err = run(command, tmp_path / "nothing")
        assert code == 2
        assert "graphcert train" in err
    assert not (tmp_path / "nothing").exists()


def test_a_folder_with_another_run_is_not_overwritten(certified, run):
    digest = hashlib.sha256((certified / "model.pt").read_bytes()).hexdigest()
    code, _, err = run("certify", *SMALL, *NOISE, "--samples", 300, "--seed", 1, "--out", certified)
    assert code == 2
    assert "seed = 0 instead of 1" in err
    assert hashlib.sha256((certified / "model.pt").read_bytes()).hexdigest() == digest


def test_votes_that_do_not_match_the_smoothing_they_claim(certified, run, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(certified, folder)
    config = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(config.replace("add = 0.05", "add = 0.01"))
    code, _, err = run("certify", folder)
    assert code == 2
    assert "do not match the smoothing" in err


@pytest.mark.parametrize("name", ["votes/votes.npz", "model.pt"])
def test_tampered_and_truncated_files_are_named(certified, run, tmp_path, name):
    for damage in (lambda content: content[: len(content) // 2], lambda content: bytes(reversed(content))):
        folder = tmp_path / "damaged"
        shutil.copytree(certified, folder)
        path = folder / name
        path.write_bytes(damage(path.read_bytes()))
        code, _, err = run("certify" if name.endswith("npz") else "sample", folder)
        assert code == 2
        assert Path(name).name in err
        shutil.rmtree(folder)


def test_an_output_that_is_a_file(run, tmp_path):
    (tmp_path / "file").write_text("precious")
    code, _, err = run("certify", *SMALL, *NOISE, "--samples", 300, "--out", tmp_path / "file")
    assert code == 2
    assert "is a file" in err
    assert (tmp_path / "file").read_text() == "precious"


def test_a_user_graph_from_a_file_with_directed_edges_is_refused(run, tmp_path):
    path = tmp_path / "mine.npz"
    n = 60
    rng = np.random.default_rng(0)
    x = np.stack([np.repeat(np.arange(n), 3), rng.integers(0, 9, 3 * n)])
    np.savez(path, A=np.array([[0, 1, 2], [1, 2, 3]]), X=x, y=np.arange(n) % 2)
    code, _, err = run(
        "certify", "--dataset", path, "--dataset-option", "standardise=false", "--add", "0.1", "--samples", 300,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 2
    assert "directed" in err


def test_a_file_of_settings_replaces_the_options(certified, run, tmp_path):
    code, _, _ = run("certify", "--config", certified / "config.toml", "--out", tmp_path / "again")
    assert code == 0
    for name in ("config.toml", "votes/votes.npz", "certificate.json"):
        assert (tmp_path / "again" / name).read_bytes() == (certified / name).read_bytes()
    for arguments, needle in (
        (["--config", tmp_path / "none.toml"], "no file of settings"),
        (["--config", certified / "config.toml", "--dataset", "digits"], "leave --dataset out"),
        (["--config", certified / "model.pt"], "not valid TOML"),
    ):
        code, _, err = run("certify", *arguments, "--out", tmp_path / "bad")
        assert code == 2
        assert needle in err
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_experiment_has_settings_that_can_be_read(path):
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    if "segment" in values:  # images, see `graphcert segment --config`
        settings = SegmentSettings.from_dict({**FOLDERS, **values["segment"]})
        assert SegmentSettings.from_dict(settings.to_dict()) == settings
    elif "points" in values:
        points = PointSettings.from_dict(values["points"])
        assert PointSettings.from_dict(points.to_dict()) == points
    else:
        config = RunConfig.load(path)
        assert RunConfig.from_dict(config.to_dict()) == config
    assert f"({path.name})" in (EXPERIMENTS / "README.md").read_text(encoding="utf-8")


def test_localized_noise_over_clusters(run, tmp_path):
    folder = tmp_path / "localized"
    noise = ["--add", "0.02:0.1", "--delete", "0.2:0.6", "--clusters", 3, "--levels", 2]
    code, out, _ = run("certify", *SMALL, *noise, "--samples", 300, "--pilot-samples", 50, "--out", folder)
    assert code == 0
    assert "certified" in out
    assert len(json.loads((folder / "partition.json").read_text())["rank"]) == 3
    assert Votes.load(folder / "votes/votes.npz").smoothing.localized
    partition = (folder / "partition.json").read_text()
    (folder / "partition.json").write_text(partition.replace('"rank": [[0, 1, 2]', '"rank": [[0, 2, 1]'))
    code, _, err = run("certify", folder)
    assert (code == 2) == ((folder / "partition.json").read_text() != partition)
    (folder / "partition.json").unlink()
    code, _, err = run("certify", folder)
    assert code == 2
    assert "partition.json" in err


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["--add", "0.1:0.2"], "--clusters"),
        (["--add", "0.1:0.2", "--clusters", "400"], "400"),
        (["--add", "0.1:0.2", "--clusters", "0"], "at least 1"),
        (["--add", "0.1:0.2", "--clusters", "3", "--levels", "4"], "levels"),
        (["--add", "0.1:0.2", "--clusters", "3", "--levels", "1"], "level"),
        (["--add", "0.1:0.2:0.3", "--clusters", "3"], "two numbers"),
        (["--add", "low", "--clusters", "3"], "takes a probability"),
        (["--add", "0.1:0.2", "--clusters", "3", "--partition", "magic"], "magic"),
        (["--add", "0.1:0.2", "--clusters", "3", "--affinity", "magic"], "magic"),
    ],
)
def test_bad_localized_noise(arguments, needle, run, tmp_path):
    code, _, err = run(*CHAIN, *arguments, "--out", tmp_path / "out")
    assert code == 2
    assert needle in err
    assert not (tmp_path / "out").exists()


def test_the_help_shows_defaults_that_are_found_later(run):
    code, out, _ = run("certify", "--help")
    assert code == 0
    for default in ("10000", "1000", "0.01", "one per cluster", "one per processor"):
        assert f"(default: {default})" in " ".join(out.replace("│", " ").split())
