"""`graphcert attack`: an honest run survives it and shows it, a forged one is refuted with exit code 3."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typed import call

from graphcert.attacks.perturbation import Perturbation
from graphcert.run.attack import AttackSettings, attack_run
from graphcert.run.nodes import Run

SMALL = [
    "--dataset", "synthetic", "--dataset-option", "nodes=160", "--dataset-option", "classes=3",
    "--dataset-option", "features=20", "--training-option", "epochs=15", "--samples", "800", "--pilot-samples", "50",
    "--clusters", "2", "--add", "0.05:0.1", "--delete", "0.3:0.6", "--workers", "1",
]  # fmt: skip
QUICK = [
    "--targets",
    "1",
    "--samples",
    "300",
    "--pilot-samples",
    "50",
    "--methods",
    "gradient,collective",
    "--workers",
    "1",
]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attack") / "run"
    assert call("certify", *SMALL, "--out", folder) == 0
    return folder


@pytest.fixture
def copy(certified: Path, tmp_path: Path) -> Path:
    shutil.copytree(certified, tmp_path / "run")
    return tmp_path / "run"


def test_an_honest_run_survives_and_its_report_shows_it(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("attack", copy, "--add", "1:3", *QUICK) == 0
    assert "0 claims refuted" in capsys.readouterr().out
    record = json.loads((copy / "attack.json").read_text())
    assert [row["budget"]["feature_add"] for row in record["table"]] == [1, 2, 3]
    for row in record["table"]:
        assert row["certified"] <= row["surviving"] <= row["targets"]
        assert row["certified"] <= row["certified_at_once"] <= row["surviving_at_once"]
    assert all((copy / one["file"]).is_file() for one in record["perturbations"])
    assert len((copy / "attack.csv").read_text().splitlines()) == 1 + len(record["perturbations"])
    page = (copy / "report.html").read_bytes()
    assert b"<h2>Attacks</h2>" in page
    assert call("report", copy) == 0
    assert (copy / "report.html").read_bytes() == page


def test_the_same_seed_gives_the_same_bytes(certified: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        folder = tmp_path / name
        shutil.copytree(certified, folder)
        assert call("attack", folder, "--delete", "2", *QUICK) == 0
        files = [folder / "attack.json", folder / "attack.csv", *sorted((folder / "perturbations").iterdir())]
        found.append([path.read_bytes() for path in files])
    assert found[0] == found[1]


def test_a_forged_certificate_is_refuted_and_the_perturbation_kept(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every lower bound raised to almost 1: the certificate then covers what falls to a few bits."""
    path = copy / "certificate.json"
    content = json.loads(path.read_text())
    answers = [t and not a for t, a in zip(content["nodes"]["target"], content["nodes"]["abstained"], strict=True)]
    content["nodes"]["p_lower"] = [0.999999 if answer else 0.0 for answer in answers]
    path.write_text(json.dumps(content))
    assert call("attack", copy, "--add", "3", "--delete", "3", *QUICK) == 3
    assert "DEFECT: perturbation" in capsys.readouterr().out
    record = json.loads((copy / "attack.json").read_text())
    broken = record["violations"][0]
    listed = next(one for one in record["perturbations"] if one["number"] == broken["number"])
    assert listed["defect"] is not None
    assert set(broken["nodes"]) <= set(listed["fell"])
    assert Perturbation.load(copy / listed["file"]).rows.size > 0
    assert "DEFECT: attacks refute this certificate" in (copy / "report.html").read_text()


def test_a_perturbed_graph_from_a_file_is_judged_within_its_own_distance(copy: Path, tmp_path: Path) -> None:
    run = Run(copy, workers=1)
    data = run.load_data(run.load_config())
    changed = data.x.clone()
    changed[0, :2] = 1 - changed[0, :2]
    torch.save({"x": changed, "edge_index": data.edge_index, "y": data.y}, tmp_path / "published.pt")
    settings = AttackSettings(
        {"add": "2", "delete": "2"}, ("random",), 0, 200, 20, perturbed=[tmp_path / "published.pt"], seconds=1e-9
    )
    record = attack_run(run, settings)
    (one,) = record.perturbations
    assert one["feature_add"] + one["feature_delete"] == 2
    assert (one["method"], record.rows[0].perturbations) == ("published.pt", 1)


@pytest.mark.parametrize("other", [("--alpha", "0.05"), ("--method", "binary")])
def test_attacks_on_other_claims_are_not_shown(copy: Path, other: tuple[str, str]) -> None:
    assert call("attack", copy, "--add", "1", *QUICK) == 0
    assert call("certify", copy, *other, "--collective", "none") == 0
    page = (copy / "report.html").read_text()
    assert "<h2>Attacks</h2>" not in page
    assert "attack.json belongs to other claims" in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--methods", "magic"], "unknown attack magic; choose among"),
        (["--edge-add", "2"], "claims nothing about changes of edge_add"),
        (["--shift", "0.5"], "claims nothing about changes of a norm"),
        (["--add", "x"], "must be whole numbers"),
        (["--seconds", "0"], "a number of seconds above 0"),
        (["--samples", "0"], "samples must be"),
        (["--targets", "-1"], "must be"),
        (["--perturbed", "nowhere.npz"], "there is no file nowhere.npz"),
    ],
)
def test_bad_input_is_one_sentence(
    certified: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("attack", certified, *options) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert words in said


def test_a_folder_without_a_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("attack", tmp_path / "nothing") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not np.any([*tmp_path.iterdir()])
