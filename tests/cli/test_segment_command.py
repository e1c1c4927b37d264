"""`graphcert segment`: what the options mean, and one sentence for what cannot work."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typed
from PIL import Image

from graphcert.run.settings.stages import norm_values

call = partial(typed.call, "segment")


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Grey images with a bright left or right half, and masks of it."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for k in range(4):
        mask = np.zeros((16, 20), np.uint8)
        mask[:, (10 * (k % 2)) : (10 + 10 * (k % 2))] = 1
        Image.fromarray(mask).save(tmp_path / f"masks/{k}.png")
        Image.fromarray((60 + 140 * mask[..., None]).repeat(3, 2).astype(np.uint8)).save(tmp_path / f"images/{k}.png")
    return tmp_path


def test_train_and_certify_from_the_command_line(squares: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--images", str(squares / "images"), "--masks", str(squares / "masks")]
    net, run = str(squares / "net.pt"), squares / "run"
    small = ["--steps", "40", "--batch", "2", "--width", "6", "--depth", "2", "--cell", "1", "--learning-rate", "0.02"]
    validation = ["--val-images", str(squares / "images"), "--val-masks", str(squares / "masks")]
    assert call("train", *data, "--sigma", "0.2", *small, *validation, "--names", "dark,bright", "--out", net) == 0
    told = capsys.readouterr()
    assert "weights of step 40" in told.out
    assert "step 40: validation loss" in told.err
    (squares / "settings.toml").write_text("[segment]\nsigma = [0.05, 0.2]\ncells = [1, 2]\nsamples = 100\nlimit = 4\n")
    options = [
        "--config",
        str(squares / "settings.toml"),
        "--limit",
        "1",
        "--pilot-samples",
        "10",
        "--budgets",
        "0:0.2:0.1",
    ]
    assert call(*data, "--model", net, *options, "--out", str(run)) == 0
    told = capsys.readouterr()
    assert "pixel accuracy" in told.out
    assert "0 (1 of 1)" in told.err
    # The option goes before the file, and the file before the default.
    written = (run / "settings.toml").read_text()
    assert "limit = 1" in written
    assert "samples = 100\n" in written
    assert (run / "results.csv").read_text().count("\n") == 1 + 1 + 3


def test_one_command_trains_and_certifies_with_noise_of_each_image(
    squares: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = {"images": "images", "masks": "masks", "train-images": "images", "train-masks": "masks"}
    folders |= {"val-images": "images", "val-masks": "masks"}
    data = [part for name, folder in folders.items() for part in (f"--{name}", str(squares / folder))]
    options = ["--sigma", "0.1", "--samples", "60", "--pilot-samples", "5", "--tau", "0.6", "--limit", "2"]
    elastic = ["--elasticity", "0.02", "--neighbours", "2"]
    command = [*data, "--model", "unet", "--steps", "2", *options, *elastic, "--out", str(squares / "run")]
    assert call(*command) == 0
    assert "step 2: validation loss" in capsys.readouterr().err
    first = (squares / "run/results.csv").read_bytes()
    assert call(*command) == 0
    assert "validation loss" not in capsys.readouterr().err, "the network was trained again"
    assert (squares / "run/results.csv").read_bytes() == first
    assert call(*command, "--steps", "3") == 2
    assert "trained with other settings (steps)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sigma", "0.2"], "--out"),
        (["--out", "{run}", "--sigma", "0.2"], "images is missing"),
        (["--out", "{run}", "--images", "{images}", "--model", "{run}/none.pt", "--sigma", "0.2"], "no network"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "much"], "--sigma"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "0.1:0.2", "--cells", "three"], "--cells"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "-1"], "above 0"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--budgets", "0:1:0"], "--budgets"),
        (["--out", "{images}/0.png", "--images", "{images}", "--model", "x", "--sigma", "1"], "is a file"),
        (["--out", "{run}", "--config", "{run}/none.toml"], "no file of settings"),
        (["--out", "{run}", "--images", "{images}", "--model", "unet", "--sigma", "1"], "--train-images and --train-masks"),
        (["--out", "{run}", "--images", "{images}", "--model", "unet", "--sigma", "1", "--train-images", "{run}/x",
          "--train-masks", "{masks}"], "no folder"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--steps", "5"], "--model unet"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--elasticity", "1"], "--train-images"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1:2", "--cells", "1x2", "--elasticity",
          "0.1"], "not both"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--sigma", "-1", "--out", "{run}"], "sigma"),
        (["train", "--images", "{images}", "--masks", "{run}", "--sigma", "1", "--out", "{run}"], "no folder"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--sigma", "1", "--out", "{images}"], "is a folder"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--sigma", "1", "--out", "{run}", "--steps", "0"], "steps"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--sigma", "1", "--out", "{run}", "--names", "a"], "names"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--sigma", "1", "--out", "{run}", "--val-images", "x"],
         "--val-masks"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--tile", "4"], "--select or --ablate"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--touched", "2"],
         "--select or --ablate"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--ablate", "0.9"], "at will"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--select", "0.9"], "sigma is missing"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--select", "most"], "--select"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--select", "2"], "select"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--select", "0.9", "--touched", "0:2"],
         "at least 1"),
        (["--out", "{run}", "--images", "{images}", "--model", "x", "--sigma", "1", "--select", "0.9", "--touched", "a"],
         "--touched"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--out", "{run}"], "--sigma"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--out", "{run}", "--sigma", "1", "--ablate", "0.9"],
         "--ablate"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--out", "{run}", "--sigma", "1", "--tile", "4"],
         "--select or --ablate"),
        (["train", "--images", "{images}", "--masks", "{masks}", "--out", "{run}", "--ablate", "0.9:0.8"], "selection"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    squares: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {name: str(squares / name) for name in ("images", "masks", "run")}
    assert call(*(argument.format(**places) for argument in arguments)) == 2
    told = capsys.readouterr().err
    assert told.startswith("graphcert: ")
    assert words in told
    assert told.count("\n") == 1
    assert not (squares / "run").exists()


@pytest.mark.parametrize("noise", [["--sigma", "0.1", "--select", "0.9"], ["--ablate", "0.9"]])
def test_selected_pixels_from_the_command_line(
    squares: Path, noise: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--images", str(squares / "images"), "--masks", str(squares / "masks")]
    net, run = str(squares / "net.pt"), squares / "run"
    small = ["--steps", "40", "--batch", "2", "--width", "6", "--depth", "2", "--cell", "1", "--learning-rate", "0.02"]
    assert call("train", *data, *noise, "--tile", "4", *small, "--out", net) == 0
    options = ["--tile", "4", "--touched", "1:2", "--samples", "100", "--pilot-samples", "10", "--limit", "1"]
    budgets = ["--budgets", "0.05"] if "--sigma" in noise else []
    assert call(*data, *noise, "--model", net, *options, *budgets, "--out", str(run)) == 0
    told = capsys.readouterr().out
    assert "≤ 1 tile" in told
    lines = (run / "results.csv").read_text().splitlines()
    assert lines[0].startswith("image,sigma,budget,touched,claim")
    assert len(lines) == 1 + (2 + 4 if budgets else 3 + 3)


def test_norms_are_read_as_lists_and_ranges() -> None:
    assert norm_values("--budgets", "0.1,0.25") == (0.1, 0.25)
    assert norm_values("--budgets", "0:0.3:0.1") == norm_values("--budgets", "0,0.1,0.2,0.3")
    assert norm_values("--budgets", "1") == (1.0,)
