"""`graphcert points`: what the options mean, and one sentence for what cannot work."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typed

from graphcert.points import PointSegmenter, generated_shapes
from graphcert.run.settings.point_run import PointSettings

SMALL = ["--points", "512", "--samples", "64", "--pilot-samples", "8", "--tau", "0.6"]
TRAIN = ["--model", "pointnet", "--steps", "1", "--train-shapes", "2"]


call = partial(typed.call, "points")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of a network that hardly learned anything."""
    path = tmp_path_factory.mktemp("net") / "net.pt"
    train = ["--model", "pointnet", "--steps", "3", "--batch", "2", "--train-shapes", "5", "--points", "512"]
    assert call("train", "--sigma", "0.1", *train, "--out", str(path)) == 0
    return str(path)


def folder_of(path: Path, seed: int) -> str:
    """Two chairs of 64 points in the text layout of ShapeNet Part."""
    chairs = path / "03001627"
    chairs.mkdir(parents=True)
    (path / "synsetoffset2category.txt").write_text("Chair\t03001627\n")
    for cloud in [one for one in generated_shapes(10, 512, seed) if one.kind == "chair"]:
        parts = 12 + (cloud.parts[:64] % 4)
        rows = np.column_stack([cloud.points[:64], np.zeros((64, 3)), parts])
        np.savetxt(chairs / f"{cloud.name.split()[1]}.txt", rows, "%.6f")
    return str(path)


def test_one_command_trains_once_and_certifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    command = ["--shapes", "2", *TRAIN, *SMALL, "--sigma", "0.1", "--budgets", "0:0.1:0.05", "--out", str(run)]
    assert call(*command) == 0
    told = capsys.readouterr()
    assert "claimed by SegCertify" in told.out
    assert "step 1: validation loss" in told.err
    assert "chair 1 (2 of 2)" in told.err
    rows = [*csv.DictReader((run / "results.csv").read_text().splitlines())]
    assert [row["shape"] for row in rows] == ["table 0"] * 4 + ["chair 1"] * 4
    assert {row["degrees"] for row in rows} == {""}
    first = (run / "results.csv").read_bytes()
    assert call(*command) == 0
    assert "validation loss" not in capsys.readouterr().err, "the network was trained again"
    assert (run / "results.csv").read_bytes() == first
    assert call(*command, "--steps", "2") == 2
    assert "trained with other settings (steps)" in capsys.readouterr().err
    found = PointSegmenter.load(run / "model.pt")
    assert found.training["noise"] == {"law": "gaussian", "sigma": 0.1}
    # No shape to certify is one to train with, whatever the seeds.
    trained = {one.points.tobytes() for one in generated_shapes(5, 512, 2**32)}
    assert not trained & {one.points.tobytes() for one in generated_shapes(5, 512, 0)}


@pytest.mark.parametrize("rotation", ["axis", "space"])
def test_turns_are_in_degrees(rotation: str, net: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turns = ["--rotation", rotation, "--turn-sigma", "10", "--budgets", "0,2.5,180"]
    assert call("--shapes", "1", "--model", net, *SMALL, *turns, "--out", str(tmp_path / "run")) == 0
    claimed, *bounds = csv.DictReader((tmp_path / "run/results.csv").read_text().splitlines())
    assert [row["degrees"] for row in bounds] == ["0.0", "2.5", "180.0"]
    assert 0 < float(claimed["degrees"]) < 10
    assert float(bounds[2]["certified"]) == 0
    assert "turns ≤" in capsys.readouterr().out
    assert "turned about" in (tmp_path / "run/report.html").read_text()


def test_the_option_goes_before_the_file(net: str, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        '[points]\nshapes = 3\nsigma = [0.05, 0.2]\ncells = 2\ntau = 0.9\nbudgets = "0.02"\n'
    )
    options = ["--config", str(tmp_path / "settings.toml"), "--model", net, "--shapes", "1", *SMALL]
    assert call(*options, "--out", str(tmp_path / "run")) == 0
    written = (tmp_path / "run/settings.toml").read_text()
    for line in ("shapes = 1\n", "cells = 2\n", "tau = 0.6\n", "samples = 64\n"):
        assert line in written
    rows = [*csv.DictReader((tmp_path / "run/results.csv").read_text().splitlines())][1:]
    assert all(float(row["together_certified"]) >= float(row["certified"]) for row in rows)


def test_a_folder_of_clouds_is_certified_by_a_network_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test, train = folder_of(tmp_path / "test", 0), folder_of(tmp_path / "train", 1)
    source = ["--input", test, "--train-input", train, "--model", "pointnet", "--steps", "1", "--up", "y"]
    few = ["--sigma", "0.1", "--samples", "60", "--pilot-samples", "5", "--tau", "0.6", "--limit", "1"]
    assert call(*source, *few, "--out", str(tmp_path / "run")) == 0
    capsys.readouterr()
    assert PointSegmenter.load(tmp_path / "run/model.pt").names[12] == "Chair 1"
    assert call("--input", test, "--model", str(tmp_path / "run/model.pt"), *few, "--out", str(tmp_path / "again")) == 0
    capsys.readouterr()
    # A network of other parts is refused, and so is training on what is certified.
    assert call("train", "--model", "pointnet", "--steps", "1", "--train-shapes", "2", "--points", "512", "--sigma", "0.1",
                "--out", str(tmp_path / "other.pt")) == 0  # fmt: skip
    assert call("--input", test, "--model", str(tmp_path / "other.pt"), *few, "--out", str(tmp_path / "no")) == 2
    assert "not those of the network" in capsys.readouterr().err
    assert call("--input", test, "--train-input", test, *few, "--out", str(tmp_path / "no")) == 2
    assert "same folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--shapes", "1", "--sigma", "0.2"], "--out"),
        (["--out", "{run}", "--sigma", "0.2"], "--shapes NUMBER or --input FOLDER"),
        (["--out", "{run}", "--shapes", "1", "--input", "{run}", "--sigma", "0.2"], "give one of them"),
        (["--out", "{run}", "--shapes", "1"], "give the noise"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "much"], "--sigma"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "-1"], "above 0"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1:0.2"], "--cells NUMBER"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.2:0.1", "--cells", "3"], "near ≤ far"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1:0.2", "--cells", "1"], "cells"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--alone"], "--alone"),
        (["--out", "{run}", "--shapes", "1", "--rotation", "axis"], "--turn-sigma"),
        (["--out", "{run}", "--shapes", "1", "--turn-sigma", "5", "--sigma", "1"], "--rotation"),
        (["--out", "{run}", "--shapes", "1", "--rotation", "euler", "--turn-sigma", "5"], "axis"),
        (["--out", "{run}", "--shapes", "1", "--rotation", "space", "--turn-sigma", "5", "--sigma", "1"], "in place of"),
        (["--out", "{run}", "--shapes", "1", "--rotation", "space", "--turn-sigma", "5", "--budgets", "190"], "180"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--points", "40"], "points"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--samples", "20"], "take at least"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--limit", "1"], "--limit"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--train-input", "{here}"], "--train-input"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--model", "x.pt", "--steps", "5"], "--steps"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--model", "x.pt"], "no network"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--up", "w"], "upright"),
        (["--out", "{run}", "--shapes", "1", "--sigma", "0.1", "--seed", "-1"], "seed"),
        (["--out", "{run}", "--input", "{here}", "--sigma", "0.1"], "--train-input"),
        (["--out", "{run}", "--input", "{here}", "--model", "x.pt", "--sigma", "0.1"], "neither"),
        (["--out", "{run}", "--config", "{run}/none.toml"], "no file of settings"),
        (["train", "--sigma", "0.1:0.2", "--out", "{run}"], "one sigma"),
        (["train", "--sigma", "0.1", "--model", "unet", "--out", "{run}"], "--model"),
        (["train", "--sigma", "0.1", "--train-shapes", "2", "--steps", "0", "--out", "{run}"], "steps"),
        (["train", "--sigma", "0.1", "--train-shapes", "2", "--out", "{here}"], "is a folder"),
        (["--sigma", "0.1", "train", "--sigma", "0.1", "--out", "{run}"], "before train"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here").mkdir()
    places = {"run": str(tmp_path / "run"), "here": str(tmp_path / "here")}
    assert call(*(argument.format(**places) for argument in arguments)) == 2
    told = capsys.readouterr().err
    assert told.startswith("graphcert: ")
    assert words in told
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "settings",
    [
        PointSettings(shapes=2, sigma=(0.2,)), PointSettings(shapes=2, sigma=(0.1, 0.3), cells=4, collective=False),
        PointSettings(shapes=2, rotation="space", turn_sigma=12.0, up="y", budgets=(0.0, 20.0)),
        PointSettings(input="a", train_input="b", sigma=(0.2,), errors=3, method="bonferroni"),
    ],
    ids=["isotropic", "localized", "turns", "folder"],
)  # fmt: skip
def test_settings_survive_their_plain_form(settings: PointSettings) -> None:
    assert PointSettings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize("rotation", ["axis", "space"])
def test_budgets_of_turns_never_ask_for_less_than_the_turn(rotation: str) -> None:
    settings = PointSettings(shapes=1, rotation=rotation, turn_sigma=30.0, budgets=(0.0, 1e-6, 20.0, 180.0))
    angles = np.radians(settings.sizes())
    exact = angles if rotation == "axis" else 2 * np.sqrt(2) * np.sin(angles / 2)
    assert (np.array(settings.norms()) >= exact).all()
    assert np.allclose(settings.norms(), exact, rtol=1e-10)
    # Noise of the same deviation on the angle, to first order: ‖R − I‖ = √2 φ, and σ = √2 turn_sigma.
    turns = settings.turns
    assert turns is not None
    assert np.isclose(settings.norms()[1] / turns.sigma, np.radians(1e-6) / np.radians(30.0))
