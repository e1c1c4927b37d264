"""Intersection over union under attack, against every labelling of small masks."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert import PixelCounts
from graphcert.errors import InputError
from graphcert.images import certified_mask

VOID = 3


@st.composite
def small_masks(draw, most=5):
    """(labels, certified, truth, K) of a few pixels; some without a true class."""
    classes, pixels = draw(st.integers(2, 3)), draw(st.integers(1, most))

    def numbers(*choices):
        return np.array(draw(st.lists(st.sampled_from(choices), min_size=pixels, max_size=pixels)))

    return numbers(*range(classes)), numbers(False, True), numbers(*range(classes), VOID, -1), classes


def plain_ious(labels, truth, classes):
    """The definition: intersection over union of the sets of pixels, for the classes of the truth."""
    known = (truth >= 0) & (truth != VOID)
    sets = [(known & (truth == k), known & (labels == k)) for k in range(classes)]
    return np.array([(t & p).sum() / (t | p).sum() if t.any() else np.nan for t, p in sets])


def labellings(labels, may_change, classes):
    """All labellings in which only some pixels change."""
    choices = [range(classes) if change else [label] for label, change in zip(labels, may_change, strict=True)]
    return map(np.array, product(*choices))


@given(small_masks())
def test_nothing_that_open_pixels_do_beats_the_bounds(case):
    labels, certified, truth, classes = case
    counts = PixelCounts.of(labels, certified, truth, classes, VOID)
    if not counts.pixels:
        assert np.isnan(counts.mean_iou_lower)
        return
    present = counts.present
    attacked = [plain_ious(other, truth, classes) for other in labellings(labels, ~certified, classes)]
    worst = np.min(attacked, axis=0)
    assert np.allclose(counts.iou_lower[present], worst[present], rtol=1e-12), "attained, class by class"
    assert np.isnan(counts.iou_lower[~present]).all()
    mean = min(np.nanmean(ious) for ious in attacked)
    assert counts.mean_iou_lower <= mean + 1e-15
    assert counts.mean_iou_lower >= np.nanmean(worst) - 1e-11
    correct = min(((other == truth) & (truth >= 0)).sum() for other in labellings(labels, ~certified, classes))
    assert counts.certified_accuracy == pytest.approx(correct / counts.pixels)


@given(small_masks(most=4), st.integers(0, 4))
def test_no_few_changes_beat_the_bounds_of_few_changes(case, changes):
    labels, certified, truth, classes = case
    counts = PixelCounts.of(labels, certified, truth, classes, VOID)
    known = (truth >= 0) & (truth != VOID)
    if not counts.pixels:
        return
    for other in labellings(labels, ~certified, classes):
        if ((other != labels) & known).sum() <= changes:
            assert counts.mean_iou_after(changes) <= np.nanmean(plain_ious(other, truth, classes)) + 1e-15
            assert counts.accuracy_after(changes) <= ((other == truth) & known).sum() / counts.pixels + 1e-15
    assert counts.mean_iou_after(changes) >= counts.mean_iou_lower


@given(small_masks())
def test_without_open_pixels_or_changes_nothing_is_lost(case):
    labels, _, truth, classes = case
    counts = PixelCounts.of(labels, np.ones(len(labels)), truth, classes, VOID)
    if not counts.pixels:
        return
    assert np.allclose(counts.iou, plain_ious(labels, truth, classes), equal_nan=True)
    assert counts.mean_iou_lower == pytest.approx(counts.mean_iou, abs=1e-11)
    assert counts.mean_iou_after(0) == pytest.approx(counts.mean_iou, abs=1e-11)
    assert counts.certified_accuracy == counts.accuracy
    assert counts.open_ratio == 0


def greedy(hits, union, room, total):
    """The exact minimum of Σ hits / (union + x) over whole x: one pixel after the other where it costs most (convex)."""
    x = np.zeros_like(union)
    for _ in range(total):
        loss = np.where(x < room, hits / (union + x) - hits / (union + x + 1), -1.0)
        x[loss.argmax()] += 1
    return (hits / (union + x)).sum()


@given(st.integers(0, 2**32 - 1))
def test_the_dual_bound_is_all_but_exact_on_real_sizes(seed):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 4, 400)
    labels = np.where(generator.random(400) < 0.8, truth, generator.integers(0, 4, 400))
    certified = generator.random(400) < generator.random()
    counts = PixelCounts.of(labels, certified, truth, 4)
    opened = counts.open.sum()
    exact = greedy(counts.certified_hits, counts.truth + counts.certified_false, opened - counts.open, opened) / 4
    assert exact - 1e-4 <= counts.mean_iou_lower <= exact


def test_images_add_up_and_an_attack_on_each_is_covered():
    one = PixelCounts.of([0, 1], [True, False], [0, 0], 2)
    two = PixelCounts.of([1, 1], [False, True], [1, 0], 2)
    both = one + two
    assert both.truth.tolist() == [3, 1]
    joined = PixelCounts.of([0, 1, 1, 1], [1, 0, 0, 1], [0, 0, 1, 0], 2)
    assert both.mean_iou_lower == joined.mean_iou_lower
    assert both.iou_lower.tolist() == joined.iou_lower.tolist()


def test_leaving_out_that_open_pixels_join_other_classes_would_be_caught():
    labels, certified, truth = np.array([0, 0, 1]), np.array([True, True, False]), np.array([0, 0, 1])
    counts = PixelCounts.of(labels, certified, truth, 2)
    wrong = counts.certified_hits / counts.truth
    attacked = plain_ious(np.array([0, 0, 0]), truth, 2)
    assert wrong[0] == 1 > attacked[0] == counts.iou_lower[0]


def test_sizes_and_classes_are_checked():
    with pytest.raises(InputError, match="one size, got 2, 3, 2"):
        PixelCounts.of([0, 1], [1, 1, 1], [0, 1], 2)
    with pytest.raises(InputError, match=r"true class 11 .* name void"):
        PixelCounts.of([0, 1], [1, 1], [0, 11], 2)
    with pytest.raises(InputError, match="label 2"):
        PixelCounts.of([0, 2], [1, 1], [0, 1], 2)


def test_a_certified_mask_shows_certified_labels_alone():
    shown = certified_mask([3, 1, 2, 0], [True, False, True, True], (2, 2))
    assert shown.tolist() == [[3, -1], [2, 0]]
    with pytest.raises(InputError, match="2×3 pixels"):
        certified_mask([0] * 4, [True] * 4, (2, 3))
