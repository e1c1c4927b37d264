"""Runs over folders of images: claims, tables, pictures and pages from a network that was trained on coloured shapes."""

import csv
import math
import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shape_pictures import NAMES, pictures

import graphcert as gc
from graphcert.core.arrays import read_sealed
from graphcert.errors import DataError, InputError
from graphcert.images.segmenter import Segmenter
from graphcert.images.unet_training import UNetTraining
from graphcert.report.images.content import spread
from graphcert.run.commitment import plan_digest, read_plans
from graphcert.run.image_claims import certify_image
from graphcert.run.image_network import train_segmenter
from graphcert.run.images import SegmentRun
from graphcert.run.isotropic import STEPS, strongest_noise
from graphcert.run.settings.image_run import SegmentSettings, isotropic, read_settings
from graphcert.run.statement import read_statement

SIZE = (24, 32)
NORMS = (0.0, 0.05, 0.1, 0.2, 0.3)
FEW = {"samples": 150, "pilot_samples": 15, "budgets": NORMS}


def write(folder: Path, seed: int, count: int) -> None:
    images, masks = pictures(count, seed)
    for kind, arrays in (("images", images), ("masks", masks)):
        (folder / kind).mkdir(parents=True)
        for k, array in enumerate(arrays):
            Image.fromarray(array).save(folder / kind / f"{k:02d}.png")


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of images and masks, and a trained network."""
    root = tmp_path_factory.mktemp("shapes")
    write(root / "train", 0, 10)
    write(root / "test", 7, 2)
    train_segmenter(
        root / "net.pt", (str(root / "train/images"), str(root / "train/masks")), 0.3, names=NAMES,
        training=UNetTraining(steps=70, batch=4, learning_rate=0.02), shape={"width": 8, "depth": 2, "cell": 1},
    )  # fmt: skip
    return root


def settings(shapes: Path, **options: object) -> SegmentSettings:
    given: dict[str, object] = {"sigma": (0.15,), **FEW, **options}
    folders = {"images": str(shapes / "test/images"), "masks": str(shapes / "test/masks")}
    return SegmentSettings(model=str(shapes / "net.pt"), **{**folders, **given})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def localized(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run under localized noise."""
    folder = tmp_path_factory.mktemp("runs") / "localized"
    SegmentRun(folder).certify(settings(shapes, sigma=(0.1, 0.3), cells=(2, 2), compare=True))
    return folder


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "results.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_localized_run_leaves_everything(localized: Path) -> None:
    rows = table(localized)
    assert len(rows) == 2 * (1 + len(NORMS))
    for row in rows:
        share = {key: float(row[key]) for key in ("certified", "certified_accuracy", "pixel_accuracy", "abstained")}
        assert share["abstained"] == pytest.approx(1 - share["certified"])
        assert share["certified_accuracy"] <= share["pixel_accuracy"]
        assert float(row["certified_miou"]) <= float(row["miou"])
        if row["claim"] == "simultaneous":
            assert float(row["together_certified"]) >= share["certified"] - 1e-12
            assert float(row["together_accuracy"]) >= share["certified_accuracy"] - 1e-12
            assert 0 <= float(row["together_miou"]) <= float(row["miou"])
    for name in (
        "settings.toml",
        "manifest.json",
        "report.html",
        "pictures/00/overlay.png",
        "pictures/01/segcertify.png",
    ):
        assert (localized / name).is_file()
    with Image.open(localized / "pictures/00/certified-0.100.png") as picture:
        assert picture.size == (2 * SIZE[1], 2 * SIZE[0])


def test_shares_fall_as_the_change_grows(localized: Path) -> None:
    for name in ("certified", "together_certified", "isotropic_certified", "certified_accuracy", "together_accuracy"):
        for image in ("00", "01"):
            column = [float(r[name]) for r in table(localized) if r["image"] == image and r["claim"] == "simultaneous"]
            assert column == sorted(column, reverse=True)


def test_a_second_run_repeats_the_first_from_its_votes(
    shapes: Path, localized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings(shapes, sigma=(0.1, 0.3), cells=(2, 2), limit=1)
    SegmentRun(tmp_path, workers=2).certify(wanted)
    first = (tmp_path / "results.csv").read_bytes()
    assert [r["certified"] for r in table(tmp_path)] == [r["certified"] for r in table(localized) if r["image"] == "00"]
    # A run that was killed after some votes: the rest is taken again, and nothing else.
    shards = sorted((tmp_path / "votes/00").iterdir())
    shards[0].unlink()
    (tmp_path / "results.csv").unlink()
    SegmentRun(tmp_path).certify(wanted)
    assert (tmp_path / "results.csv").read_bytes() == first
    monkeypatch.setattr("graphcert.images.image_path.ImagePath.add_to", lambda *_: pytest.fail("voted again"))
    SegmentRun(tmp_path).certify(wanted)
    assert (tmp_path / "results.csv").read_bytes() == first


def test_more_images_may_match_another_isotropic_noise(
    shapes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"sigma": (0.1, 0.3), "cells": (1, 2), "compare": True, "samples": 80, "pilot_samples": 5, "tau": 0.6}
    for limit, sigma in ((1, 0.15), (2, 0.2)):
        monkeypatch.setattr("graphcert.run.images.strongest_noise", lambda *_, found=sigma: found)
        content = SegmentRun(tmp_path).certify(settings(shapes, limit=limit, **wanted))
        assert len(content.images) == limit


def test_what_shows_results_follows_from_the_votes(localized: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in localized.rglob("*") if path.is_file()}
    rebuilt = SegmentRun(localized).rebuilt()
    shown = {
        str(path.relative_to(localized)) for path in localized.rglob("*") if path.suffix in (".html", ".csv", ".png")
    }
    assert rebuilt.keys() == shown
    assert all(content == (localized / name).read_bytes() for name, content in rebuilt.items())
    assert {path: path.read_bytes() for path in localized.rglob("*") if path.is_file()} == before
    copy = shutil.copytree(localized, tmp_path / "copy")
    for name, old, new in (
        ("manifest.json", '"sigma": {', '"sigma": {"x": 1, '),
        ("settings.toml", "samples = 150", "samples = 99"),
    ):
        text = (copy / name).read_text()
        (copy / name).write_text(text.replace(old, new))
        assert (copy / name).read_text() != text
        with pytest.raises(
            DataError, match="another sigma" if name == "manifest.json" else "other votes than plan.json says"
        ):
            SegmentRun(copy).rebuilt()
        (copy / name).write_text(text)


def test_images_are_planned_before_their_votes_and_what_changes_is_said(
    shapes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    SegmentRun(tmp_path).certify(settings(shapes, limit=1))
    caplog.set_level("INFO", "graphcert")
    content = SegmentRun(tmp_path).certify(settings(shapes, limit=1, tau=0.8))
    words = "Chosen after the votes: τ = 0.8 instead of the planned 0.75."
    assert words in caplog.messages
    assert content.warnings == (words,)
    assert words in (tmp_path / "report.html").read_text()
    SegmentRun(tmp_path).certify(settings(shapes, limit=2))
    first, second = read_plans(tmp_path)
    assert (first["previous"], second["previous"]) == (None, plan_digest(first))
    assert set(first["images"]) < set(second["images"]) == {"00", "01"}
    statement = read_statement(tmp_path)["predicate"]
    assert statement["plan"] == plan_digest(second)
    assert statement["images"] == second["images"]
    named = [read_sealed(path, "shard", None)[0]["plan"] for path in sorted((tmp_path / "votes").rglob("main-*"))]
    assert named == [plan_digest(first), plan_digest(second)]


def test_votes_of_another_run_are_never_mixed_in(shapes: Path, tmp_path: Path) -> None:
    SegmentRun(tmp_path).certify(settings(shapes, limit=1))
    before = (tmp_path / "results.csv").read_bytes()
    with pytest.raises(DataError, match="another run"):
        SegmentRun(tmp_path).certify(settings(shapes, limit=1, seed=1))
    assert (tmp_path / "results.csv").read_bytes() == before


@given(data=st.data(), seed=st.integers(0, 2**32))
def test_claims_are_those_of_the_library(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, samples = (3, 4), data.draw(st.integers(50, 400))
    share = rng.random((12, 1)) ** 0.1
    hits = rng.binomial(samples, share[:, 0])
    counts = np.stack([hits, samples - hits], axis=1)
    pilot = np.tile([[5, 0]], (12, 1))
    wanted = SegmentSettings(images="", model="", sigma=(0.2,), samples=samples, budgets=(0.1, 0.2), tau=0.6)
    truth = rng.integers(-1, 2, size)
    votes = gc.Votes(pilot, counts, isotropic(0.2, True))
    found = certify_image("x", votes, truth, wanted, size)
    parts = gc.seg_certify(pilot, counts, 0.6, wanted.alpha, sigma=0.2)
    assert np.array_equal(found.kept.ravel(), ~parts.abstained)
    # The radius that is written beside the mask never exceeds the exact one.
    assert found.radius <= 0.2 * 0.25334710313579983
    alone = gc.certify(votes, wanted.alpha)
    for k, norm in enumerate(wanted.norms()):
        assert np.array_equal(found.per_pixel[k].ravel(), alone.robust(shift=norm))
        assert found.correct["per_pixel"][k] == (found.per_pixel[k] & (truth == 0)).sum()


def test_an_isotropic_run_without_masks(shapes: Path, tmp_path: Path) -> None:
    content = SegmentRun(tmp_path).certify(settings(shapes, masks=None, limit=1))
    at_budget = "of the pixels certified against ‖δ‖₂ ≤ 0.05"
    assert [name for _, name, _ in content.facts] == [at_budget, "claimed by SegCertify"]
    assert table(tmp_path)[0]["pixel_accuracy"] == ""
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "accuracy" not in page.partition("<main>")[2]
    assert page.count("data:image/") == 2 + 1 + 2  # image, prediction, SegCertify, two budgets
    assert "probability at least 0.99 over" in page


def test_pages_load_nothing_and_state_the_level(localized: Path) -> None:
    page = (localized / "report.html").read_text(encoding="utf-8")
    assert "img-src data:" in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")
    assert "Nothing is said about all images being right at the same time" in page
    assert "at least as accurate on these images" in page
    assert "all pixels together" in page


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samples": 10}, "at least"),
        ({"tau": 0.97, "samples": 200}, "tau"),
        ({"tau": 0.3}, "tau"),
        ({"cells": (2, 2)}, "near:far"),
        ({"sigma": (0.1, 0.2)}, "cells"),
        ({"sigma": (0.3, 0.1), "cells": (2, 2)}, "near"),
        ({"cells": (1, 1), "sigma": (0.1, 0.2)}, "more than one"),
        ({"cells": (99, 2), "sigma": (0.1, 0.2)}, "rows"),
        ({"budgets": (0.2, 0.1)}, "ascending"),
        ({"compare": True}, "comparison"),
        ({"alpha": 0.0}, "alpha"),
        ({"method": "none"}, "holm"),
        ({"errors": -1}, "errors"),
        ({"limit": 0}, "limit"),
    ],
)
def test_settings_that_cannot_work_leave_nothing_behind(
    shapes: Path, tmp_path: Path, options: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        SegmentRun(tmp_path / "run").certify(settings(shapes, **options))
    assert not (tmp_path / "run").exists()


def test_a_mask_of_unknown_classes_is_refused(shapes: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", 3, 1)
    Image.fromarray(np.full(SIZE, 7, np.uint8)).save(tmp_path / "other/masks/00.png")
    with pytest.raises(InputError, match="class 7"):
        SegmentRun(tmp_path / "run").certify(
            settings(shapes, **{k: str(tmp_path / "other" / k) for k in ("images", "masks")})
        )


@given(alive=st.lists(st.booleans(), min_size=1, max_size=30), count=st.integers(1, 6))
def test_shown_budgets_are_alive_and_reach_the_last_one(alive: list[bool], count: int) -> None:
    chosen = spread(np.array(alive), count)
    places = [k for k, lives in enumerate(alive) if lives and k]
    assert set(chosen) <= set(places)
    assert len(chosen) == min(count, len(places))
    assert not places or chosen[-1] == places[-1]


@given(least=st.floats(0, 1), near=st.floats(0.05, 0.3), more=st.floats(0.01, 0.5), slope=st.floats(0.1, 3))
def test_matched_noise_is_as_accurate_as_it_must_be(least: float, near: float, more: float, slope: float) -> None:
    def accuracy(sigma: float) -> float:
        return math.exp(-slope * sigma)

    found = strongest_noise(near, near + more, least, accuracy)
    assert near <= found <= near + more
    if accuracy(near) >= least:
        assert accuracy(found) >= least
        step = more / 2**STEPS
        assert found == near + more or accuracy(found + 1.001 * step) < least
    else:
        assert found == near


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text('[segment]\nimages = "a"\nmodel = "b"\nsigma = [0.1, 0.2]\ncells = [3, 5]\nbudgets = [0.1, 0.5]\n')
    found = SegmentSettings.from_dict(read_settings(path))
    assert found == SegmentSettings(images="a", model="b", sigma=(0.1, 0.2), cells=(3, 5), budgets=(0.1, 0.5))
    assert found.norms() == (0.0, 0.1, 0.5)
    text = SegmentSettings.from_dict({"images": "a", "model": "b", "sigma": 0.1, "budgets": "0:0.3:0.1"})
    assert text.norms() == pytest.approx((0, 0.1, 0.2, 0.3))
    assert text.norms()[3] >= Fraction(3, 10)
    path.write_text("seed = 1\n[segment]\n")
    with pytest.raises(DataError, match="one section"):
        read_settings(path)
    with pytest.raises(InputError, match="unknown settings: sigmas"):
        SegmentSettings.from_dict({"images": "a", "model": "b", "sigma": 0.1, "sigmas": 1})
    with pytest.raises(InputError, match="setting model is missing"):
        SegmentSettings.from_dict({"images": "a", "sigma": 0.1})


def test_levels_rise_from_the_own_cell_on_the_lattice() -> None:
    scheme = SegmentSettings(images="", model="", sigma=(0.1, 0.4), cells=(2, 3)).smoothing(12, 18)
    levels = scheme.levels("features")
    assert [law.sigma for law in levels] == pytest.approx(np.linspace(0.1, 0.4, 6))
    assert {law.lattice for law in levels} == {1 / 255}
    assert scheme.partition is not None
    assert scheme.partition.clusters == 6


@pytest.mark.skipif("GRAPHCERT_DATA" not in os.environ, reason="needs the street images")
def test_street_images_are_certified(tmp_path: Path) -> None:
    root = Path(os.environ["GRAPHCERT_DATA"]) / "camvid"
    if not root.is_dir():
        pytest.skip("GRAPHCERT_DATA has no camvid")
    torch.manual_seed(0)
    train_segmenter(
        tmp_path / "net.pt", (str(root / "val/images"), str(root / "val/masks")), 0.2,
        training=UNetTraining(steps=6, batch=2), shape={"width": 8},
    )  # fmt: skip
    assert Segmenter.load(tmp_path / "net.pt").names[3] == "road"
    wanted = SegmentSettings(
        images=str(root / "test/images"), masks=str(root / "test/masks"), model=str(tmp_path / "net.pt"), sigma=(0.1,),
        samples=60, pilot_samples=5, limit=2, tau=0.7,
    )  # fmt: skip
    SegmentRun(tmp_path / "run").certify(wanted)
    rows = table(tmp_path / "run")
    assert len({row["image"] for row in rows}) == 2
    assert {row["pixels"] for row in rows} == {str(180 * 240)}
