"""Pictures, tables and pages of certified clouds of points."""

import csv
import io
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from seeds import fresh_rng

import graphcert as gc
from graphcert.report.images.claims import ImageClaims
from graphcert.report.images.pictures import png
from graphcert.report.points.claims import points_table
from graphcert.report.points.content import PointContent
from graphcert.report.points.page import point_page
from graphcert.report.points.pictures import CROSS, GROUND, HOLLOW, SIDE, SIDES, Marks, cloud_picture
from graphcert.run.settings.point_run import PointSettings

PALETTE = ((20, 90, 200), (20, 160, 60), (240, 180, 20))
CLOUD = arrays(np.float64, (12, 3), elements=st.floats(-1, 1))


def pixels(points, marks, up="z"):
    """(H, W, 3) of the picture."""
    return np.array(cloud_picture(points, marks, PALETTE, up).convert("RGB")).astype(int)


def near(shown, colour, most=40):
    """Whether any pixel is close to a colour."""
    return bool((np.abs(shown - np.array(colour)).sum(axis=2) <= most).any())


@given(points=CLOUD)
def test_equal_clouds_give_equal_files_and_nothing_lies_outside(points):
    marks = Marks(np.arange(12) % 3)
    shown = cloud_picture(points, marks, PALETTE)
    assert shown.size == (len(SIDES) * SIDE, SIDE)
    assert png(shown) == png(cloud_picture(points.copy(), marks, PALETTE))
    rim = pixels(points, marks)[[0, -1]]
    assert (np.abs(rim - np.array(GROUND)) <= 8).all()


def test_a_point_is_shown_in_colour_only_where_it_is_certified_and_crossed_only_where_it_is_wrong():
    alone, part = np.array([[0.0, -0.9, 0.0]]), np.array([0])
    yes, no = np.array([True]), np.array([False])
    assert near(pixels(alone, Marks(part)), PALETTE[0], 90)
    for hidden in (Marks(part, no), Marks(part, no, yes)):
        shown = pixels(alone, hidden)
        assert not near(shown, PALETTE[0], 150)
        assert not near(shown, CROSS, 150)
        assert near(shown, HOLLOW, 200)
    assert near(pixels(alone, Marks(part, yes, yes)), CROSS, 90)
    assert not near(pixels(alone, Marks(part, yes, no)), CROSS, 150)


def test_the_nearer_point_hides_the_farther_one_and_the_upright_axis_is_upright():
    eye = np.array([-np.sin(SIDES[0][0]) * -np.cos(SIDES[0][1]), np.cos(SIDES[0][0]) * -np.cos(SIDES[0][1]), 0])
    cloud = np.array([0.9 * eye, -0.9 * eye])
    cloud[:, 2] = np.array([0.9, -0.9]) * np.sin(SIDES[0][1])
    first = pixels(cloud, Marks(np.array([0, 1])))[:, :SIDE]
    assert near(first, PALETTE[0], 60)
    assert not near(first, PALETTE[1], 150)
    for k, up in enumerate("xyz"):
        high = np.zeros((2, 3))
        high[0, k], high[1, k] = 1, -1
        shown = pixels(high, Marks(np.array([0, 1])), up)
        top, bottom = shown[: SIDE // 2], shown[SIDE // 2 :]
        assert near(top, PALETTE[0], 120)
        assert not near(top, PALETTE[1], 150)
        assert near(bottom, PALETTE[1], 150)
        assert not near(bottom, PALETTE[0], 120)


def test_turning_about_the_upright_axis_keeps_the_hand():
    """A left shoe is no right shoe: the three ways up are turns of the same cloud, not mirrors."""
    cloud = fresh_rng().normal(size=(20, 3)) / 3
    marks = Marks(np.arange(20) % 3)
    expected = pixels(cloud, marks, "z")
    assert np.array_equal(pixels(np.roll(cloud, 1, axis=1), marks, "x"), expected)  # z → x: (z, x, y)
    assert np.array_equal(pixels(np.roll(cloud, 2, axis=1), marks, "y"), expected)


NORMS = (0.0, 0.1, 0.2)


def claims(settings, name="chair <1>", truth=True):
    """40 points, of which half keep their part at the first budget and a quarter at the second."""
    labels = np.arange(40) % 3
    wrong = np.arange(40) < 4
    parts = np.where(wrong, (labels + 1) % 3, labels) if truth else None
    per_point = np.array([np.ones(40, bool), np.arange(40) % 2 == 0, np.arange(40) % 4 == 0])
    counts = per_point.sum(axis=1)
    certified = {"per_pixel": counts}
    correct = {"per_pixel": (per_point & ~wrong).sum(axis=1)} if truth else {}
    if settings.cells is not None:
        certified["collective"] = np.maximum(counts, [40, 30, 15])
        correct |= {"collective": np.maximum(correct["per_pixel"], [36, 26, 11])} if truth else {}
    turns = settings.turns
    sigma = settings.sigma[0] if turns is None else turns.sigma
    return ImageClaims(
        name, labels, parts, np.arange(40) >= 8, sigma, (0.125,), per_point, certified, correct, "0" * 64
    )


def content(settings, *found, **changes):
    found = found or (claims(settings),)
    clouds = [np.random.default_rng(k).uniform(-0.6, 0.6, (40, 3)) for k in range(len(found))]
    return PointContent(clouds, ["chair"] * len(found), found, ("seat", "back", "leg"), PALETTE, settings, **changes)


ISOTROPIC = PointSettings(shapes=1, sigma=(0.25,), budgets=NORMS)
LOCALIZED = PointSettings(shapes=1, sigma=(0.1, 0.3), cells=3, budgets=NORMS)
AXIS = PointSettings(shapes=1, rotation="axis", turn_sigma=15.0, budgets=(0.0, 5.0, 10.0))
SPACE = PointSettings(shapes=1, rotation="space", turn_sigma=15.0, budgets=(0.0, 5.0, 10.0), up="y")
ALL = {"isotropic": ISOTROPIC, "localized": LOCALIZED, "about an axis": AXIS, "in space": SPACE}


@pytest.mark.parametrize("settings", ALL.values(), ids=ALL)
def test_the_page_shows_what_it_was_given_and_escapes_it(settings):
    page = point_page(content(settings)).html()
    assert page == point_page(content(settings)).html()
    assert "chair &lt;1&gt;" in page
    assert "chair <1>" not in page
    assert "80.0%" in page  # 32 of 40 are claimed
    assert "50.0%" in page  # at the first budget
    assert "another part than the true one" in page
    assert page.count("<img ") == 5
    assert "nan" not in page.partition("<main>")[2].partition("data:")[0].lower()


@pytest.mark.parametrize(("settings", "words"), [
    (ISOTROPIC, "under every change of the coordinates whose ℓ2 norm is at most 0.125"),
    (AXIS, "when the whole cloud is turned about the z axis through the origin by at most 7.16197°"),
    (SPACE, "when the whole cloud is turned about any axis through the origin by at most 5.06592°"),
])  # fmt: skip
def test_the_guarantee_names_the_change_in_its_own_measure(settings, words):
    page = point_page(content(settings)).html()
    assert words in page
    assert ("Euler" in page) == (settings is SPACE)
    assert "unit sphere" in page
    assert "is not scaled again" in page
    if settings.turns is not None:
        assert "turn in degrees" in page
        assert re.search(r"‖δ‖", page) is None
        # 0.125 is the shift: an angle in radians, or 2√2·sin(φ/2).
        exact = math.degrees(0.125 if settings is AXIS else 2 * math.asin(0.125 / math.sqrt(8)))
        shown = float(re.search(r"by at most ([\d.]+)°", page)[1])
        assert exact * (1 - 1e-5) < shown <= exact
    else:
        assert "°" not in page.partition("<main>")[2].partition("data:")[0]


def test_all_points_together_stand_beside_each_alone():
    page = point_page(content(LOCALIZED)).html()
    assert "All points together:" in page
    assert "each point alone 50.0%" in page  # 30 of 40 together, 20 alone
    assert "75.0%" in page
    assert "The cells are those of the given cloud" in page
    assert "All points together:" not in point_page(content(ISOTROPIC)).html()


def test_shapes_without_parts_of_their_own_have_no_accuracy():
    page = point_page(content(ISOTROPIC, claims(ISOTROPIC, truth=False))).html()
    assert "accuracy" not in page.partition("<main>")[2]
    assert page.count("<img ") == 4  # no truth
    assert "another part than the true one" not in page


@pytest.mark.parametrize("count", [5, 14])
def test_many_shapes_are_folded_away_and_the_last_ones_stand_in_the_table_alone(count):
    found = [claims(ISOTROPIC, f"chair {k}") for k in range(count)]
    page = point_page(content(ISOTROPIC, *found)).html()
    assert f"{min(count, 12) - 4} more shapes" in page
    assert page.count('<div class="piece">') == min(count, 12)
    assert page.partition("Shape by shape")[2].count('<th scope="row">chair') == count


@pytest.mark.parametrize("settings", ALL.values(), ids=ALL)
def test_the_table_says_budgets_as_shifts_and_degrees(settings):
    rows = [*csv.DictReader(io.StringIO(points_table([claims(settings)], ["chair"], settings, 3)))]
    claimed, *bounds = rows
    assert {row["kind"] for row in rows} == {"chair"}
    assert float(claimed["certified"]) == 0.8
    assert float(claimed["abstained"]) == 0.2
    assert [float(row["certified"]) for row in bounds] == [1.0, 0.5, 0.25]
    assert float(claimed["accuracy"]) == 0.9
    assert (bounds[1]["together_certified"] == "0.75") == (settings is LOCALIZED)
    turns = settings.turns
    if turns is None:
        assert [row["degrees"] for row in rows] == [""] * 4
        assert [float(row["budget"]) for row in bounds] == list(NORMS)
    else:
        assert [float(row["degrees"]) for row in bounds] == [0, 5, 10]
        assert all(float(row["budget"]) == gc.turn_shift(float(row["degrees"]), turns) for row in bounds)
        assert gc.turn_shift(float(claimed["degrees"]), turns) <= float(claimed["budget"]) == 0.125
