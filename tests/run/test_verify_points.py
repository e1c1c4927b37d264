"""Verification of runs over clouds of points: honest ones hold, and forgeries are found."""

import shutil
from collections.abc import Callable
from fractions import Fraction
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
from mpmath import mp, mpf
from seeds import fresh_rng

import graphcert as gc
from graphcert.points import PointTraining, load_points, train_points
from graphcert.run.points import PointRun
from graphcert.run.settings.point_run import PointSettings, read_settings
from graphcert.verification.points import shift_above

MAIN, PILOT = "votes/Mug a/main-000000000-000000150.npz", "votes/Mug a/pilot-000000000-000000015.npz"


def draw(folder: Path, names: str, seed: int) -> str:
    """Mugs of 40 points in the text layout of ShapeNet Part: a ring, and a handle far from it."""
    rng = np.random.default_rng(seed)
    mugs = folder / "03797390"
    mugs.mkdir(parents=True)
    (folder / "synsetoffset2category.txt").write_text("Mug\t03797390\n")
    for name in names:
        angle, handle = rng.uniform(0, 6.3, 40), np.arange(40) < 12
        ring = np.stack([0.4 * np.cos(angle), 0.4 * np.sin(angle), rng.uniform(-0.5, 0.5, 40)], axis=1)
        ring[handle] = rng.normal((1.2, 0, 0), 0.1, (12, 3))
        np.savetxt(mugs / f"{name}.txt", np.column_stack([ring, np.zeros((40, 3)), 36 + handle]), "%.6f")
    return str(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An honest run under localized noise, one under turns in space, and another one of each."""
    root = tmp_path_factory.mktemp("points")
    clouds, names = load_points(draw(root / "train", "abcdef", 0))
    segmenter, _ = train_points(
        clouds, [gc.Gaussian(0.3), gc.Rotation(0.3)], names=names, shape={"width": 8},
        training=PointTraining(steps=30, batch=6, points=40, learning_rate=0.02),
    )  # fmt: skip
    segmenter.save(root / "net.pt")
    common = {"input": draw(root / "test", "ab", 1), "model": str(root / "net.pt"), "samples": 150, "pilot_samples": 15}
    localized = {"sigma": (0.1, 0.3), "cells": 2, "budgets": (0.05, 0.1)}
    turned = {"rotation": "space", "turn_sigma": 15.0, "budgets": (5.0, 10.0)}
    for name, given in (
        ("honest", localized), ("another", {**localized, "seed": 1}), ("turned", turned),
        ("another turned", {**turned, "seed": 1}),
    ):  # fmt: skip
        PointRun(root / name).certify(PointSettings.from_dict({**common, **given}))
    return root


@pytest.mark.parametrize("name", ["honest", "turned"])
def test_an_honest_run_holds_and_is_not_touched(name: str, runs: Path) -> None:
    found = check_honest(runs / name)
    assert sum("voted again" in one.what for one in found.of_kind("recomputed")) == 4
    made = {one.where for one in found.of_kind("recomputed")}
    assert {"results.csv", "report.html", "pictures/Mug a/truth.png", "pictures/Mug b/segcertify.png"} <= made
    proved = [one.what for one in found.of_kind("proved")]
    assert sum("points are claimed" in words for words in proved) == 2 * (1 + 3)
    assert sum("degrees" in words for words in proved) == (2 * (1 + 3) if name == "turned" else 0)
    # What is checked is no empty claim.
    assert any("SegCertify" in words and ": 0 of" not in words for words in proved)


def test_a_killed_run_goes_on_where_it_was(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "honest", tmp_path / "run")
    for path in [*(tmp_path / "run/votes/Mug b").iterdir(), tmp_path / "run/results.csv"]:
        path.unlink()
    PointRun(tmp_path / "run").certify(PointSettings.from_dict(read_settings(tmp_path / "run/settings.toml")))
    for name in ("results.csv", "plan.json", "pictures/Mug b/segcertify.png"):
        assert (tmp_path / "run" / name).read_bytes() == (runs / "honest" / name).read_bytes()


def settings(**values: object) -> Callable[[Path], None]:
    return lambda run: change_settings(run / "settings.toml", lambda found: found["points"].update(values))


def raised_and_named(run: Path) -> None:
    """Raised counts in the shard, and all results made of it anew by the package itself."""
    change_sealed(run / MAIN, raise_counts)
    PointRun(run).certify(PointSettings.from_dict(read_settings(run / "settings.toml")))


def degrees(run: Path) -> None:
    """More degrees than the shift beside them stands for."""
    change_text(run / "results.csv", r"(?m)^(Mug a,Mug,[^,]+,[^,]+),5\.0,", r"\1,5.1,")


Forged = tuple[str, Callable[[Path], object], str, int]
FORGERIES: dict[str, Forged] = {
    "raised counts": ("honest", lambda run: change_sealed(run / MAIN, raise_counts), "manifest.json", 0),
    "raised counts, certified again": ("honest", raised_and_named, MAIN, ALL),
    "a lower threshold": ("honest", settings(tau=0.5), "results.csv", 0),
    "another level": ("honest", settings(alpha=0.2), "manifest.json", 0),
    "less noise": ("honest", settings(sigma=[0.1, 0.2]), "votes/Mug a", 0),
    "other cells": ("honest", settings(cells=3), "votes/Mug a", 0),
    "less turning": ("turned", settings(turn_sigma=10.0), "votes/Mug a", 0),
    "turns about an axis": ("turned", settings(rotation="axis"), "votes/Mug a", 0),
    "another seed": ("honest", settings(seed=5), "votes/Mug a", 0),
    "more samples": ("honest", settings(samples=10_000), "main-", 0),
    "fewer shapes": ("honest", settings(limit=1), "manifest.json", 0),
    "other shapes": ("honest", lambda run: settings(input=str(run.parent / "train"))(run), "manifest.json", 0),
    "settings of images": (
        "honest", lambda run: change_text(run / "settings.toml", r"\[points\]", "[segment]"), "settings.toml", 0,
    ),
    "table altered": ("honest", lambda run: change_text(run / "results.csv", r"(?m)0\.\d+$", "0.999"), "results.csv", 0),
    "more degrees": ("turned", degrees, "results.csv", 0),
    "report altered": ("turned", lambda run: change_text(run / "report.html", r"\d°", "9°"), "report.html", 0),
    "report of another run": (
        "turned", lambda run: shutil.copy(run.parent / "another turned/report.html", run), "report.html", 0,
    ),
    "picture altered": (
        "honest", lambda run: shutil.copy(run / "pictures/Mug b/truth.png", run / "pictures/Mug a/truth.png"),
        "Mug a/truth", 0,
    ),
    "picture removed": ("honest", lambda run: (run / "pictures/Mug b/prediction.png").unlink(), "Mug b/prediction", 0),
    "picture of nothing": (
        "honest", lambda run: shutil.copy(run / "pictures/Mug a/truth.png", run / "pictures/Mug a/certified-9.png"),
        "certified-9", 0,
    ),
    "shard removed": ("honest", lambda run: (run / MAIN).unlink(), "main-000000000-000000150.npz", 0),
    "shard of another run": ("honest", lambda run: shutil.copy(run.parent / "another" / MAIN, run / MAIN), MAIN, 0),
    "shard of another noise": ("honest", lambda run: shutil.copy(run.parent / "turned" / MAIN, run / MAIN), MAIN, 0),
    "pilot in place of final votes": ("honest", lambda run: shutil.copy(run / PILOT, run / MAIN), "votes/Mug a", 0),
    "manifest of another run": (
        "honest", lambda run: shutil.copy(run.parent / "another/manifest.json", run), "manifest.json", 0,
    ),
    "votes in the manifest": (
        "honest", lambda run: change_json(run / "manifest.json", lambda found: found["votes"].update({"Mug a": "0" * 64})),
        "manifest", 0,
    ),
    "looks removed": (
        "honest", lambda run: change_json(run / "manifest.json", lambda found: found.update(looks=[])), "manifest", 0,
    ),
    "plan altered": (
        "honest",
        lambda run: change_json(run / "plan.json", lambda found: found["plans"][0]["certificate"].update(tau=0.5)), MAIN, 0,
    ),
    "plan removed": ("honest", lambda run: (run / "plan.json").unlink(), MAIN, 0),
    "a file that nobody wrote": ("honest", lambda run: (run / "pictures/Mug a/note.txt").write_text("seen"), "note.txt", 0),
}  # fmt: skip
"""Which run is copied, what is done to it, where it must be noticed, and how many shards have to be voted again for that."""


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found(name: str, runs: Path) -> None:
    honest, *forgery = FORGERIES[name]
    check_forged(runs / honest, runs / "forged", *forgery)


def test_more_degrees_are_contradicted_by_arithmetic_alone(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "turned", tmp_path / "run")
    degrees(tmp_path / "run")
    found = gc.verify(tmp_path / "run", resample=0)
    assert any("not proved that a turn by 5.1 degrees" in one.what for one in found.of_kind("contradiction")), said(
        found
    )


@pytest.mark.parametrize("in_space", [False, True])
def test_the_shift_of_a_turn_is_enclosed(in_space: bool) -> None:
    """Against fifty digits: above the exact shift, and by next to nothing."""
    angles = [0.0, 1e-300, 1e-9, 1.0, 90.0, 179.999999, 180.0, *fresh_rng().uniform(0, 180, 20).tolist()]
    with mp.workdps(50):
        for angle in angles:
            exact = mp.radians(mpf(angle))
            if in_space:
                exact = 2 * mp.sqrt(2) * mp.sin(exact / 2)
            found = shift_above(Fraction(angle), in_space)
            above = mpf(found.numerator) / mpf(found.denominator) - exact
            assert 0 <= above <= mpf(10) ** -35
