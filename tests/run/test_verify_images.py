"""Verification of runs over images: honest ones hold, and forgeries are found."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forgeries import (
    ALL,
    change_json,
    change_sealed,
    change_settings,
    change_text,
    check_forged,
    check_honest,
    raise_counts,
    said,
)
from PIL import Image

import graphcert as gc
from graphcert.images.unet_training import UNetTraining
from graphcert.run.image_network import train_segmenter
from graphcert.run.images import SegmentRun
from graphcert.run.settings.image_run import SegmentSettings, read_settings

MAIN, PILOT = "votes/00/main-000000000-000000150.npz", "votes/00/pilot-000000000-000000015.npz"


def draw(folder: Path, count: int, seed: int) -> tuple[str, str]:
    """Folders of images of a bright square on a dark ground, and of their masks."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for k in range(count):
        mask = np.zeros((12, 16), np.uint8)
        mask[3:9, (left := int(rng.integers(1, 9))) : left + 6] = 1
        image = (60 + 130 * mask[..., None] + rng.integers(-12, 13, (12, 16, 3))).astype(np.uint8)
        Image.fromarray(image).save(folder / f"images/{k:02d}.png")
        Image.fromarray(mask).save(folder / f"masks/{k:02d}.png")
    return str(folder / "images"), str(folder / "masks")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An honest run under localized noise compared with isotropic noise, and another one."""
    root = tmp_path_factory.mktemp("images")
    train_segmenter(
        root / "net.pt", draw(root / "train", 6, 0), 0.3, names=("ground", "square"),
        shape={"width": 4, "depth": 2, "cell": 1}, training=UNetTraining(steps=40, batch=4, learning_rate=0.02),
    )  # fmt: skip
    images, masks = draw(root / "test", 2, 1)
    for name, seed in (("honest", 0), ("another", 1)):
        SegmentRun(root / name).certify(SegmentSettings(
            images=images, masks=masks, model=str(root / "net.pt"), sigma=(0.1, 0.3), cells=(2, 2), samples=150,
            pilot_samples=15, budgets=(0.05, 0.1), compare=True, seed=seed,
        ))  # fmt: skip
    return root


def test_an_honest_run_holds_and_is_not_touched(runs: Path) -> None:
    found = check_honest(runs / "honest")
    assert sum("voted again" in one.what for one in found.of_kind("recomputed")) == 8
    made = {one.where for one in found.of_kind("recomputed")}
    assert {"results.csv", "report.html", "pictures/00/overlay.png"} <= made


def settings(**values: object) -> Callable[[Path], None]:
    return lambda run: change_settings(run / "settings.toml", lambda found: found["segment"].update(values))


def raised_and_named(run: Path) -> None:
    """Raised counts in the shard, and all results made of it anew by the package itself."""
    change_sealed(run / MAIN, raise_counts)
    SegmentRun(run).certify(SegmentSettings.from_dict(read_settings(run / "settings.toml")))


def other_picture(run: Path) -> None:
    shutil.copy(run / "pictures/01/segcertify.png", run / "pictures/00/segcertify.png")


FORGERIES: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "raised counts": (lambda run: change_sealed(run / MAIN, raise_counts), "manifest.json", 0),
    "raised counts, certified again": (raised_and_named, MAIN, ALL),
    "a lower threshold": (settings(tau=0.5), "results.csv", 0),
    "another level": (settings(alpha=0.2), "manifest.json", 0),
    "less noise": (settings(sigma=[0.1, 0.2]), "votes/00", 0),
    "another seed": (settings(seed=5), "votes/00", 0),
    "more samples": (settings(samples=10_000), "main-", 0),
    "fewer images": (settings(limit=1), "manifest.json", 0),
    "table altered": (lambda run: change_text(run / "results.csv", r"(?m)0\.\d+$", "0.999"), "results.csv", 0),
    "report altered": (lambda run: change_text(run / "report.html", r"\d\d\.\d%", "99.9%"), "report.html", 0),
    "report of another run": (lambda run: shutil.copy(run.parent / "another/report.html", run), "report.html", 0),
    "picture altered": (other_picture, "pictures/00/segcertify.png", 0),
    "picture removed": (lambda run: (run / "pictures/01/overlay.png").unlink(), "pictures/01/overlay.png", 0),
    "picture of nothing": (
        lambda run: shutil.copy(run / "pictures/00/overlay.png", run / "pictures/00/certified-9.000.png"), "certified-9", 0,
    ),
    "shard removed": (lambda run: (run / MAIN).unlink(), "main-000000000-000000150.npz", 0),
    "shard of another run": (lambda run: shutil.copy(run.parent / "another" / MAIN, run / MAIN), MAIN, 0),
    "pilot in place of final votes": (lambda run: shutil.copy(run / PILOT, run / MAIN), "votes/00", 0),
    "manifest of another run": (lambda run: shutil.copy(run.parent / "another/manifest.json", run), "manifest.json", 0),
    "votes in the manifest": (
        lambda run: change_json(run / "manifest.json", lambda found: found["votes"].update({"00": "0" * 64})), "manifest", 0,
    ),
    "comparison in the manifest": (
        lambda run: change_json(run / "manifest.json", lambda found: found["isotropic"].update(localized=0.1)),
        "manifest.json", 0,
    ),
    "looks removed": (lambda run: change_json(run / "manifest.json", lambda found: found.update(looks=[])), "manifest", 0),
    "plan altered": (
        lambda run: change_json(run / "plan.json", lambda found: found["plans"][0]["certificate"].update(tau=0.5)), MAIN, 0,
    ),
    "plan removed": (lambda run: (run / "plan.json").unlink(), MAIN, 0),
    "a file that nobody wrote": (lambda run: (run / "pictures/00/note.txt").write_text("seen"), "note.txt", 0),
}  # fmt: skip
"""What is done to a copy, where it must be noticed, and how many shards have to be voted again for that."""


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found(name: str, runs: Path) -> None:
    check_forged(runs / "honest", runs / "forged", *FORGERIES[name])


@pytest.fixture(scope="module")
def selected(runs: Path) -> Path:
    """An honest run in which tiles are selected over cells."""
    SegmentRun(runs / "selected").certify(SegmentSettings(
        images=str(runs / "test/images"), masks=str(runs / "test/masks"), model=str(runs / "net.pt"), sigma=(0.1, 0.3),
        cells=(2, 2), select=(0.9,), tile=3, touched=(1, 2), samples=150, pilot_samples=15, budgets=(0.05,), limit=1,
    ))  # fmt: skip
    return runs / "selected"


def test_an_honest_run_with_selected_tiles_holds(selected: Path) -> None:
    found = gc.verify(selected, resample=ALL)
    assert found, said(found)
    assert sum("touched" in one.what for one in found.of_kind("proved")) == 2 + 2 * 2


def hidden(run: Path) -> None:
    """Settings of hidden tiles, which fit together."""

    def edit(found: dict[str, dict[str, object]]) -> None:
        kept = {name: value for name, value in found["segment"].items() if name not in ("select", "cells", "budgets")}
        found["segment"] = {**kept, "ablate": [0.9], "sigma": []}

    change_settings(run / "settings.toml", edit)


OF_SELECTION: dict[str, tuple[Callable[[Path], object], str]] = {
    "fewer selected tiles": (settings(select=[0.5]), "votes/00"),
    "larger tiles": (settings(tile=4), "votes/00"),
    "tiles left out": (settings(tile=1), "votes/00"),
    "another number touched": (settings(touched=[1]), "manifest.json"),
    "more touched in the table": (
        lambda run: change_text(run / "results.csv", r"(?m)^(00,0\.1,[0-9.]+),1,segcertify", r"\1,2,segcertify"),
        "results.csv",
    ),
    "hidden in place of noised": (hidden, "votes/00"),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_SELECTION)
def test_forged_selection_is_found(name: str, selected: Path, tmp_path: Path) -> None:
    forge, where = OF_SELECTION[name]
    shutil.copytree(selected, tmp_path / "run")
    forge(tmp_path / "run")
    found = gc.verify(tmp_path / "run", resample=0)
    assert not found
    assert where in said(found)
