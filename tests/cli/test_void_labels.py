"""Labels of masks that say nothing: `--void` for certifying and training, and images in which nothing else is."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from seeds import fresh_rng
from typed import call

from graphcert.images.segmenter import Segmenter
from graphcert.images.unet import UNet

CLASSES = 2


@pytest.fixture
def folders(tmp_path):
    """Three images of 16×16 pixels; mask 0 names classes and the labels 7 and 255, masks 1 and 2 name 255 alone."""
    rng = fresh_rng()
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    for k in range(3):
        left = np.arange(16) < 8
        image = np.where(left[None, :, None], 40, 210) + rng.integers(-20, 20, (16, 16, 3))
        mask = np.broadcast_to(np.where(left, 0, 1), (16, 16)).astype(np.uint8).copy()
        mask[0], mask[1] = 7, 255
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / "images" / f"{k}.png")
        Image.fromarray(mask if k == 0 else np.full_like(mask, 255)).save(tmp_path / "masks" / f"{k}.png")
    torch.manual_seed(0)
    network = UNet(3, CLASSES, width=4, depth=2, mean=[0.5] * 3, deviation=[0.3] * 3).eval()
    Segmenter(network, ("dark", "bright"), ((0, 0, 0), (255, 255, 255)), 255, 0.1).save(tmp_path / "net.pt")
    return tmp_path


def certify(folders, *more, out="run"):
    return call(
        "segment", "--images", folders / "images", "--masks", folders / "masks", "--model", folders / "net.pt",
        "--sigma", 0.1, "--samples", 1000, "--pilot-samples", 10, *more, "--out", folders / out,
    )  # fmt: skip


def test_an_unknown_label_is_told_of_void(folders, capsys):
    assert certify(folders) == 2
    said = capsys.readouterr().err
    assert "names class 7" in said
    assert "--void 7,255" in said
    assert said.count("graphcert:") == 1


@pytest.mark.parametrize(
    "void", [("--void", "7"), ("--void", "7,255"), ("--void", "255", "--void", "7"), ("--ignore", "7")]
)
def test_void_labels_are_not_counted_and_nothing_is_nan(folders, void, capsys):
    assert certify(folders, *void) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    rows = list(csv.DictReader((folders / "run/results.csv").read_text().splitlines()))
    assert {row["labelled"] for row in rows if row["image"] == "0"} == {str(14 * 16)}
    assert {row["labelled"] for row in rows if row["image"] != "0"} == {""}, "nothing is known of these"
    report = (folders / "run/report.html").read_text()
    for text in (out, (folders / "run/results.csv").read_text(), (folders / "run/manifest.json").read_text()):
        assert "nan" not in text.lower()
    assert ">nan" not in report.lower()


def test_void_images_alone_have_no_accuracy(folders, capsys):
    for kind in ("images", "masks"):
        (folders / kind / "0.png").unlink()
    assert certify(folders) == 0, capsys.readouterr().err
    assert "accuracy" not in capsys.readouterr().out
    assert "nan" not in (folders / "run/results.csv").read_text().lower()
    assert certify(folders, "--cells", "1x2", "--compare", "--sigma", "0.1:0.2", out="other") == 2


def test_training_leaves_void_labels_out(folders, capsys):
    arguments = ["segment", "train", "--images", folders / "images", "--masks", folders / "masks", "--sigma", 0.1,
                 "--steps", 3, "--width", 4, "--depth", 2, "--out", folders / "trained.pt"]  # fmt: skip
    assert call(*arguments, "--void", "7,255") == 0, capsys.readouterr().err
    found = Segmenter.load(folders / "trained.pt")
    assert (found.model.classes, found.ignore) == (CLASSES, (7, 255))
    assert all(torch.isfinite(value).all() for value in found.model.state_dict().values() if value.is_floating_point())
    assert call(*arguments, "--void", "0,1,7,255") == 2
    assert "void" in capsys.readouterr().err


@pytest.mark.parametrize("void", ["x", "256", "-1", "1.5", ""])
def test_what_is_no_label_is_refused(folders, void, capsys):
    assert certify(folders, f"--void={void}") == 2
    assert capsys.readouterr().err.count("graphcert:") == 1
    assert not (folders / "run").exists()


def test_other_samples_after_a_certificate_are_asked_for_twice(folders, capsys):
    assert certify(folders, "--void", "7") == 0
    capsys.readouterr()
    assert certify(folders, "--void", "7", "--pilot-samples", 20) == 2
    assert "--look-again" in capsys.readouterr().err
    assert certify(folders, "--void", "7") == 0
    assert certify(folders, "--void", "7", "--tau", 0.8) == 0
    assert "certified 2 times" in capsys.readouterr().err
