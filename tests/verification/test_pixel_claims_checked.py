"""Claims about images: those of the package hold, and one pixel more is a contradiction."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seeds import fresh_rng

import graphcert as gc
from graphcert.report.images.claims import results_table
from graphcert.run.image_claims import certify_image
from graphcert.run.settings.image_run import SegmentSettings
from graphcert.verification.run_files import read_votes
from graphcert.verification.segmentation import check_segmentation

SIZE = (12, 15)


def image(classes: int, folder: Path, **given: Any) -> tuple[dict[str, Any], Any, list[dict[str, str]]]:
    """Settings, votes and rows of results.csv of one image."""
    rng, pixels = fresh_rng(), SIZE[0] * SIZE[1]
    options = {"images": "i", "model": "m.pt", "sigma": (0.25,), "tau": 0.75, "alpha": 0.01, "samples": 400, **given}
    settings = SegmentSettings(**options)
    shares = rng.dirichlet([0.05] * classes, pixels)
    pilot, counts = (np.array([rng.multinomial(n, p) for p in shares]) for n in (50, settings.samples))
    votes = gc.Votes(pilot, counts, settings.smoothing(*SIZE), total_variation=1e-7)
    votes.save(folder / "votes.npz")
    claims = certify_image("one", votes, votes.labels.reshape(SIZE), settings, SIZE)
    table = results_table([claims], settings, classes)
    return settings.to_dict(), read_votes(folder / "votes.npz"), [*csv.DictReader(io.StringIO(table))]


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(
    "given", [{}, {"method": "bonferroni"}, {"errors": 3}, {"tau": 0.9, "alpha": 0.1}, {"tau": 0.5}]
)
def test_claims_hold_and_one_pixel_more_does_not(classes: int, given: dict[str, Any], tmp_path: Path) -> None:
    settings, votes, rows = image(classes, tmp_path, **given)
    found = [*check_segmentation(settings, votes, rows)]
    assert [one.kind for one in found] == ["proved"] * (len(rows) + 1)
    assert float(rows[0]["certified"]) > 0.3
    for place in (0, 1, 4):
        forged = [dict(row) for row in rows]
        forged[place]["certified"] = str(float(rows[place]["certified"]) + 1 / votes.counts.shape[0])
        (wrong,) = [one for one in check_segmentation(settings, votes, forged) if one.kind == "contradiction"]
        assert "are claimed" in wrong.what


@pytest.mark.parametrize(
    "change",
    [
        {"budget": "0.5"}, {"sigma": "0.5"}, {"pixels": "7"}, {"claim": "other"}, {"certified": "nan"}, {"certified": ""},
        {"budget": "-1"},
    ],
)  # fmt: skip
def test_forged_rows_are_contradicted(change: dict[str, str], tmp_path: Path) -> None:
    settings, votes, rows = image(3, tmp_path)
    rows[0] |= change
    assert any(one.kind == "contradiction" for one in check_segmentation(settings, votes, rows))


def test_forged_settings_are_contradicted_and_noise_of_the_image_is_believed(tmp_path: Path) -> None:
    settings, votes, rows = image(3, tmp_path)
    for forged in ({"tau": 0.4}, {"tau": 0.95}, {"alpha": 1e-9}, {"method": "none"}, {"errors": -1}):
        assert any(one.kind == "contradiction" for one in check_segmentation(settings | forged, votes, rows))
    assert [*check_segmentation(settings | {"elasticity": 0.1}, votes, rows)][-1].kind == "believed"
    other = votes._replace(scheme={"features": {"law": "uniform", "half_width": 0.25}})
    assert any(one.kind == "contradiction" for one in check_segmentation(settings, other, rows))


SELECTED = {
    "selected pixels": {"select": (0.9,), "touched": (1, 2)}, "selected tiles": {"select": (0.9,), "tile": 4},
    "every pixel": {"select": (1.0,), "touched": (2,)}, "hidden pixels": {"ablate": (0.9,), "sigma": ()},
    "hidden tiles": {"ablate": (0.95,), "sigma": (), "tile": 5, "touched": (1, 2, 9)},
    "selected cells": {"select": (0.85, 0.95), "sigma": (0.2, 0.4), "cells": (2, 3), "collective": False},
    "hidden cells": {"ablate": (0.85, 0.95), "sigma": (), "cells": (2, 3), "collective": False},
}  # fmt: skip


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", SELECTED)
def test_claims_about_selected_pixels_hold_and_one_pixel_more_does_not(name: str, classes: int, tmp_path: Path) -> None:
    settings, votes, rows = image(classes, tmp_path, **SELECTED[name])
    found = [*check_segmentation(settings, votes, rows)]
    assert [one.kind for one in found] == ["proved"] * (len(rows) + 1), [one.what for one in found]
    assert any(
        float(row["certified"]) > 0.3 and row["claim"] == "simultaneous" and row["touched"] != "0" for row in rows
    )
    for place in range(len(rows)):
        forged = [dict(row) for row in rows]
        forged[place]["certified"] = str(float(rows[place]["certified"]) + 1 / votes.counts.shape[0])
        wrong = [one.what for one in check_segmentation(settings, votes, forged) if one.kind == "contradiction"]
        # A radius of 0 is no change: more pixels than none survive that.
        vacuous = rows[place]["claim"] == "segcertify" and rows[place]["budget"] == "0.0"
        assert len(wrong) == (not vacuous)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("selected pixels", {"touched": "2"}), ("selected pixels", {"touched": "1.5"}), ("selected pixels", {"touched": ""}),
        ("selected pixels", {"budget": "0.12"}), ("selected pixels", {"sigma": ""}), ("hidden pixels", {"touched": "3"}),
        ("hidden pixels", {"touched": "-1"}), ("hidden pixels", {"sigma": "0.25"}),
    ],
)  # fmt: skip
def test_forged_rows_about_selected_pixels_are_contradicted(name: str, change: dict[str, str], tmp_path: Path) -> None:
    settings, votes, rows = image(3, tmp_path, **SELECTED[name])
    place = next(k for k, row in enumerate(rows) if row["claim"] == "segcertify" and row["touched"] == "1")
    assert float(rows[place]["certified"]) > 0.3
    rows[place] |= change
    assert any(one.kind == "contradiction" for one in check_segmentation(settings, votes, rows))


def test_rows_of_other_schemes_are_contradicted(tmp_path: Path) -> None:
    """Fewer selected pixels, plain noise in place of selected pixels, and tiles of another image."""
    settings, votes, rows = image(3, tmp_path, **SELECTED["selected tiles"])
    for scheme in (
        {**votes.scheme, "select": 0.5}, {**votes.scheme, "tiles": {"height": 3, "width": 15, "size": 4}},
        {**votes.scheme, "tiles": {"height": 12, "width": 15, "size": 0}}, {**votes.scheme, "tiles": None},
    ):  # fmt: skip
        found = [*check_segmentation(settings, votes._replace(scheme=scheme), rows)]
        assert any(one.kind == "contradiction" for one in found), scheme
