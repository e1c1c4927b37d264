"""Pictures and pages of certified segmentations."""

import base64
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from graphcert.report.images.claims import ImageClaims
from graphcert.report.images.content import SegmentationContent
from graphcert.report.images.page import image_page
from graphcert.report.images.pictures import SCALE, VOID, mask_picture, overlay_picture, png
from graphcert.report.plots.budget_curves import BudgetAxis
from graphcert.run.settings.image_run import SegmentSettings
from graphcert.tradeoff.base import norm_words

PALETTE = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
CLASSES = arrays(np.int64, (6, 9), elements=st.integers(-1, 2))
MASKS = arrays(np.bool_, (6, 9))


def render(shown):
    return image_page(shown).html()


def colours(picture):
    """(H, W, 3) of every pixel of the mask: its four corners in the picture."""
    return np.array(picture.convert("RGB"))


@given(classes=CLASSES, certified=MASKS)
def test_a_class_is_shown_where_it_is_certified_and_nowhere_else(classes, certified):
    shown = colours(mask_picture(classes, PALETTE, certified))
    assert shown.shape == (6 * SCALE, 9 * SCALE, 3)
    classes, certified = (array.repeat(SCALE, 0).repeat(SCALE, 1) for array in (classes, certified))
    for k, colour in enumerate(PALETTE):
        assert ((shown == colour).all(axis=2) == ((classes == k) & certified)).all()


@given(classes=CLASSES)
def test_without_a_mask_every_class_is_shown(classes):
    everything = np.ones(classes.shape, np.bool_)
    assert np.array_equal(colours(mask_picture(classes, PALETTE)), colours(mask_picture(classes, PALETTE, everything)))


@given(classes=CLASSES, certified=MASKS)
def test_files_hold_the_pictures(classes, certified):
    picture = mask_picture(classes, PALETTE, certified)
    content = png(picture)
    assert content == png(picture)
    with Image.open(io.BytesIO(content)) as read:
        assert np.array_equal(colours(read), colours(picture))


def test_an_overlay_leaves_colour_only_where_it_is_certified():
    image = np.random.default_rng(0).integers(0, 256, (6, 9, 3)).astype(np.uint8)
    certified = np.zeros((6, 9), np.bool_)
    certified[:3] = True
    shown = np.array(overlay_picture(image, np.zeros((6, 9), np.int64), PALETTE, certified)).astype(int)
    top, bottom = shown[: 3 * SCALE], shown[3 * SCALE :]
    # Uncertified pixels are nearly grey; certified ones lean towards their class.
    assert np.ptp(bottom, axis=2).max() <= 4
    assert (top[..., 0] > top[..., 1:].max(axis=2) - 120).all()
    assert np.ptp(top, axis=2).mean() > 40


@given(norms=st.lists(st.floats(0, 5), min_size=2, max_size=9, unique=True), seed=st.integers(0, 1000))
def test_a_line_of_norms_never_claims_more_than_was_computed(norms, seed):
    shares = dict(zip(sorted(norms), np.sort(np.random.default_rng(seed).random(len(norms)))[::-1], strict=True))
    axis = BudgetAxis.of("feature_shift", norms)
    line = np.array([shares[norm] for norm in norms])[axis.place]
    for begin, end, value in zip(axis.at, axis.at[1:], line, strict=False):
        # Steps to the right: the value at `begin` lasts until `end`, where it is what was computed.
        assert value == shares[float(end)] <= shares[float(begin)]


@given(norm=st.floats(0, 1e6), digits=st.integers(2, 6))
def test_written_norms_are_never_larger(norm, digits):
    written = float(norm_words(norm, digits))
    assert norm * (1 - 10.0 ** (1 - digits)) <= written <= norm


def test_the_usual_rounding_would_be_caught():
    assert norm_words(0.0674489750) == "0.06744"
    assert norm_words(0.25) == "0.25"
    assert norm_words(0.0) == "0"
    assert float(f"{0.1686224:.3g}") > 0.1686224 > float(norm_words(0.1686224, 3))


NORMS = (0.0, 0.1, 0.2)
COUNTS = {"per_pixel": np.array([41, 20, 1]), "collective": np.array([41, 30, 20])}
ISOTROPIC = np.array([40, 20, 0]), np.array([30, 10, 0])
CORRECT = {"per_pixel": np.array([30, 20, 1]), "collective": np.array([30, 25, 15])}


def claimed(labels, truth=None, kept=None, per_pixel=None, certified=COUNTS, correct=CORRECT, name="street <1>"):
    """Claims about one image; without masks, everything is certified."""
    everything = np.ones(labels.shape, np.bool_)
    kept = everything if kept is None else kept
    per_pixel = np.array([everything] * len(NORMS) if per_pixel is None else per_pixel)
    return ImageClaims(name, labels, truth, kept, 0.5, (0.1,), per_pixel, certified, correct, "0" * 64)


def content(*claims, settings=None, isotropic=(ISOTROPIC,), **changes):
    """44 pixels, 40 of them with a class, under localized noise."""
    labels = np.zeros((4, 11), np.int64)
    labels[0, :2] = 1, 2
    truth = labels.copy()
    truth[3, :4] = -1
    claims = claims or (claimed(labels, truth, per_pixel=[labels < 2] * 3),)
    settings = settings or SegmentSettings(images="a", model="b", sigma=(0.1, 0.3), cells=(2, 2), budgets=NORMS)
    pictures = [np.zeros((*one.labels.shape, 3), np.uint8) for one in claims]
    return SegmentationContent(pictures, claims, ("a", "b", "c"), PALETTE, settings, isotropic, **changes)


def test_the_page_shows_what_it_was_given_and_escapes_it():
    page = render(content())
    assert page == render(content())
    assert "street &lt;1&gt;" in page
    assert "street <1>" not in page
    assert "68.1%" in page  # 30 of 44, rounded down
    assert "62.5%" in page  # 25 of 40
    assert re.search(r'style="background: #c81e1e"></i>a<', page)
    assert page.count("<img ") == 4


@pytest.mark.parametrize("images", [5, 9])
def test_many_images_are_folded_away(images):
    page = render(content(*content().claims * images))
    assert f"{images - 4} more images" in page


def test_one_budget_has_no_curve():
    settings = SegmentSettings(images="a", model="b", sigma=(0.1,), budgets=(0.0,))
    labels = np.zeros((2, 2), np.int64)
    alone = claimed(labels, per_pixel=[labels == 0], certified={"per_pixel": np.array([3])}, correct={})
    page = render(content(alone, settings=settings, isotropic=()))
    assert "<h2>By the size of the change" not in page


def legend_of(page):
    """Name → colour, and whether the hatching is explained."""
    listed = page.partition('<ul class="classes">')[2].partition("</ul>")[0]
    return dict(re.findall(r'background: #(\w+)"></i>([^<]+)<', listed)), "not certified" in listed


def picture_colours(page):
    """All colours of the drawn masks."""
    found = set()
    for data in re.findall(r"data:image/png;base64,([^\"]+)", page):
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            found |= {tuple(c) for c in np.array(picture.convert("RGB")).reshape(-1, 3).tolist()}
    return found


@given(truth=CLASSES, labels=arrays(np.int64, (6, 9), elements=st.integers(0, 2)), certified=MASKS)
def test_the_legend_names_every_colour_of_the_pictures_and_no_other(truth, labels, certified):
    page = render(content(claimed(labels, truth, certified, [certified] * 3)))
    named, hatched = legend_of(page)
    ground = {(238, 240, 243), (170, 178, 187)}
    drawn = picture_colours(page)
    assert {tuple(bytes.fromhex(colour)) for colour in named} == drawn - ground
    assert hatched == (not certified.all()) == bool(drawn & ground)
    assert ("no class" in named.values()) == bool((truth < 0).any()) == (VOID in drawn)


@given(labels=arrays(np.int64, (3, 4), elements=st.integers(0, 2)))
def test_no_picture_of_an_image_is_shown_twice(labels):
    everything, nothing = np.ones(labels.shape, np.bool_), np.zeros(labels.shape, np.bool_)
    page = render(content(claimed(labels, labels, nothing, [everything, everything, nothing])))
    addresses = re.findall(r'<img src="([^"]+)"', page)
    assert len(addresses) == len(set(addresses)) == 3
    shown = ("truth · prediction under noise · ‖δ‖₂ ≤ 0.1: 100.0%", "SegCertify, ‖δ‖₂ ≤ 0.1: 0.0% · ‖δ‖₂ ≤ 0.2: 0.0%")
    for caption in shown:
        assert f"<figcaption>{caption}</figcaption>" in page


def test_images_without_any_true_class_have_no_accuracy_and_no_nan():
    labels = np.zeros((2, 2), np.int64)
    page = render(content(claimed(labels, np.full((2, 2), -1))))
    assert "no class" in legend_of(page)[0].values()
    assert "nan" not in page.partition("<main>")[2].partition("data:")[0].lower()
    assert "Certified and correct" not in page
