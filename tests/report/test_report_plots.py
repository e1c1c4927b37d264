"""What the plots show, read back from the SVG: positions against values, labels against each other."""

import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from svg_reading import apart, assert_apart, elements, paths, text_boxes, texts, touches

from graphcert.certificates import BudgetGrid
from graphcert.noise import Budget
from graphcert.report.frame.html import (
    ACCURACY,
    CORRECT,
    INK,
    LINES,
    MUTED,
    ON_CELL,
    PAGE,
    PALETTE,
    PANEL,
    RANK_CELL,
    RATIO,
    RATIO_CELL,
    UNKNOWN,
    WARNING,
    WRONG,
)
from graphcert.report.plots import Panel, curve_plot, has_border, has_numbers, heat_map_plot, margin_plot, shares_plot
from graphcert.report.plots.budget_curves import HEIGHT, MARGINS, MOST_LINES
from graphcert.report.plots.canvas import WIDTH
from graphcert.report.plots.cluster_map import TINT as CIRCLE_TINT


def one_axis(values: list[int], ratio: list[float], accuracy: list[float] | None) -> BudgetGrid:
    shares = None if accuracy is None else np.array(accuracy)
    return BudgetGrid(("feature_add",), (tuple(values),), Budget(), np.array(ratio), shares)


@st.composite
def curves(draw: st.DrawFn) -> BudgetGrid:
    """Falling ratios, accuracies below them, budgets with or without gaps."""
    values = sorted(draw(st.sets(st.integers(0, 60), min_size=2, max_size=25)))
    drops = draw(st.lists(st.floats(0, 1), min_size=len(values), max_size=len(values)))
    ratio = draw(st.floats(0, 1)) * np.cumprod(drops) if draw(st.booleans()) else np.sort(drops)[::-1]
    return one_axis(values, ratio.tolist(), (ratio * draw(st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0]))).tolist())


def share_of(line: np.ndarray, svg: str, values: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of a line as budgets and shares, by means of the axis: its first and last tick labels."""
    boxes = texts(svg)
    grid_lines = np.sort(np.concatenate([path[:, 1] for path in paths(svg, "stroke: var(--rule); stroke-width: 0.8")]))
    bottom, top = grid_lines[-1], grid_lines[0]
    assert {"0%", "100%"} <= set(boxes)
    left = min(path[:, 0].min() for path in paths(svg, "stroke: var(--rule); stroke-width: 0.8"))
    right = max(path[:, 0].max() for path in paths(svg, "stroke: var(--rule); stroke-width: 0.8"))
    budgets = values[0] + (line[:, 0] - left) / (right - left) * (values[-1] - values[0])
    return budgets, (bottom - line[:, 1]) / (bottom - top)


@settings(max_examples=25)
@given(curves())
def test_curves_show_the_grid_and_never_claim_more_between_its_budgets(grid: BudgetGrid) -> None:
    svg = curve_plot(grid, "c")
    assert grid.accuracy is not None
    values = np.array(grid.values[0])
    shown_shares = [(RATIO, grid.ratio), (ACCURACY, grid.accuracy)]
    for colour, shares in shown_shares[: 1 if np.array_equal(grid.ratio, grid.accuracy) else 2]:
        drawn = (path for path in paths(svg, f"fill: none; stroke: var(--{colour.name})") if len(path) > 1)
        line = max(drawn, key=lambda path: np.ptp(path[:, 0]))  # the other one leads from the name to its curve
        budgets, shown = share_of(line, svg, grid.values[0])
        # From a whole number to the next the line is level, at what is known about the next budget of the grid.
        for number in range(values[0], values[-1] + 1):
            expected = shares[np.searchsorted(values, number)]
            reached = shown[np.flatnonzero(budgets <= number + 0.02)[-1]]
            assert reached == pytest.approx(expected, abs=1e-3)
        assert np.all(np.diff(budgets) >= -1e-9)
        assert np.all(np.diff(shown) <= 1e-9)


@settings(max_examples=40)
@given(curves())
def test_names_of_curves_touch_neither_each_other_nor_a_curve(grid: BudgetGrid) -> None:
    svg = curve_plot(grid, "c")
    words = {word: box for word, box in texts(svg).items() if word[0] in "ra"}
    assert words
    for word, (left, top, right, bottom) in words.items():
        assert left >= 0
        assert right <= WIDTH + 1
        assert top >= 0
        for colour in (RATIO, ACCURACY):
            for line in paths(svg, f"fill: none; stroke: var(--{colour.name})"):
                if np.ptp(line[:, 0]) < 0.99 * (WIDTH - MARGINS["left"] - MARGINS["right"]):
                    continue  # leads from a name to its curve
                assert not touches(line, (left, top, right, bottom)), f"{word} touches the {colour.name} curve"
    assert_apart(words)


def test_a_curve_without_known_labels_shows_only_the_ratio() -> None:
    svg = curve_plot(one_axis([0, 1, 2], [0.9, 0.5, 0.1], None), "c")
    assert "accuracy" not in texts(svg)
    assert not paths(svg, "stroke: var(--accuracy)")


def map_cells(svg: str) -> list[tuple[np.ndarray, float]]:
    """Upper left corner and opacity of the cells that are not empty; the key of the colours is right of them."""
    found = []
    for path in elements(svg, "path"):
        style = path.attrib.get("style", "")
        corners = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.attrib["d"]), dtype=float)
        if "fill: var(--ratio-cell)" in style and corners[:, 0].max() < WIDTH - 40:
            opacity = re.search(r"fill-opacity: ([\d.]+)", style)
            found.append((corners.min(axis=0), float(opacity[1]) if opacity else 1.0))
    return found


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (4, 13), (24, 24), (30, 2)])
def test_heat_maps_show_every_cell_at_its_place(shape: tuple[int, int]) -> None:
    rows, columns = shape
    ratio = np.linspace(1, 0, rows)[:, None] * np.linspace(1, 0.05, columns) if rows > 1 else np.linspace(1, 0, columns)
    ratio = np.broadcast_to(ratio, shape).copy()
    values = (tuple(range(rows)), tuple(range(0, 3 * columns, 3)))
    svg = heat_map_plot(Panel(("edge_add", "edge_delete"), values, ratio), RATIO_CELL, "h", "Certified ratio")
    side = (WIDTH - 86) / columns, 220 / rows
    shown = np.zeros(shape)
    for corner, opacity in map_cells(svg):
        shown[rows - 1 - round((corner[1] - 10) / side[1]), round((corner[0] - 40) / side[0])] += opacity
    np.testing.assert_allclose(shown, ratio, atol=1e-5)
    numbers = sorted(int(text) for text in _numbers_in_cells(svg))
    if shape == (4, 13):
        assert numbers == sorted(int(100 * v + 1e-9) for v in ratio.ravel())
    assert len(numbers) == has_numbers(ratio) * ratio.size
    if shape == (24, 24):
        assert not numbers


@pytest.mark.parametrize("shape", [(1, 1), (3, 20), (20, 20), (24, 15)])
def test_numbers_of_two_digits_stand_inside_their_cells(shape: tuple[int, int]) -> None:
    ratio = np.full(shape, 0.99)
    panel = Panel(("edge_add", "edge_delete"), tuple(map(tuple, map(range, shape))), ratio)
    svg = heat_map_plot(panel, RATIO_CELL, "h", "Certified ratio")
    assert has_numbers(ratio)
    assert not has_border(ratio)
    boxes = [box for text, box in text_boxes(svg) if text == "99"]
    assert len(boxes) == ratio.size
    side = (WIDTH - 86) / shape[1], 220 / shape[0]
    cells = {(int((left - 40) / side[0]), int((top - 10) / side[1])) for left, top, _, _ in boxes}
    assert len(cells) == ratio.size
    for left, top, right, bottom in boxes:
        assert int((left - 40) / side[0]) == int((right - 40) / side[0])
        assert bottom - top <= side[1]


def _numbers_in_cells(svg: str) -> list[str]:
    """The texts inside cells: those in one of the two colours of cells."""
    inside = [
        text for text in elements(svg, "text") if re.search(r"fill: var\(--(ink|on-cell)\)", text.attrib["style"])
    ]
    return [text.text or "" for text in inside]


def test_the_line_of_a_heat_map_runs_where_the_share_falls_below_one_half() -> None:
    ratio = np.array([[0.9, 0.6, 0.5, 0.4], [0.7, 0.4, 0.1, 0.0]])
    panel = Panel(("feature_add", "feature_delete"), ((0, 1), (0, 1, 2, 3)), ratio)
    svg = heat_map_plot(panel, RATIO_CELL, "h", "Certified ratio")
    lines = [line for line in paths(svg, "stroke: var(--ink); stroke-width: 1.2") if len(line) == 2]
    left, top, width, height = 40, 10, (WIDTH - 86) / 4, 220 / 2
    found = {
        tuple(sorted((round((x - left) / width), 2 - round((y - top) / height)) for x, y in line.tolist()))
        for line in lines
        if line[:, 0].max() < WIDTH - 40
    }
    assert found == {((3, 0), (3, 1)), ((1, 1), (2, 1)), ((2, 1), (3, 1)), ((1, 1), (1, 2))}


@pytest.mark.parametrize("threshold", [None, 0.5, 0.543, 0.95, 1.0])
@pytest.mark.parametrize("samples", [3, 20, 1000])
def test_the_histogram_holds_every_target_and_parts_them_at_the_threshold(
    threshold: float | None, samples: int
) -> None:
    rng = np.random.default_rng(0)
    right, wrong = (rng.integers(0, samples + 1, size) / samples for size in (400, 100))
    groups = [("correct", right, CORRECT), ("wrong", wrong, WRONG), ("label unknown", right[:0], UNKNOWN)]
    svg = margin_plot(groups, threshold, samples, "m")
    assert {"correct", "wrong"} <= set(texts(svg))
    assert "label unknown" not in texts(svg)
    scale = _counts_per_point(svg)
    mark = paths(svg, "stroke-dasharray")
    assert len(mark) == (threshold is not None)
    for shares, colour in ((right, CORRECT), (wrong, WRONG)):
        bars = paths(svg, f"fill: var(--{colour.name})")
        heights = np.array([np.ptp(bar[:, 1]) * scale for bar in bars])
        assert heights.sum() == pytest.approx(len(shares), rel=0.01)
        if threshold is not None and threshold < 1:
            above = np.array([bar[:, 0].min() >= mark[0][0, 0] - 0.01 for bar in bars])
            assert heights[above].sum() == pytest.approx(np.sum(shares >= threshold), abs=0.01 * len(shares) + 0.5)


def _counts_per_point(svg: str) -> float:
    """The scale of the upright axis, from its tick labels and grid lines."""
    ticks = sorted(
        int(text.text.replace(",", "")) for text in elements(svg, "text") if re.fullmatch(r"[\d,]+", text.text or "")
    )
    lines = np.sort([path[0, 1] for path in paths(svg, "stroke: var(--rule); stroke-width: 0.8")])
    return float((ticks[-1] - ticks[0]) / (lines[-1] - lines[0]))


@pytest.mark.parametrize("threshold", [0.01, 0.52, 0.99])
def test_the_texts_above_the_histogram_do_not_overlap(threshold: float) -> None:
    shares = np.linspace(0, 1, 30)
    groups = [("correct", shares, CORRECT), ("wrong", shares, WRONG), ("label unknown", shares, UNKNOWN)]
    boxes = texts(margin_plot(groups, threshold, 100, "m"))
    assert_apart({word: box for word, box in boxes.items() if word[0].isalpha()})
    mark = boxes[f"abstains below {100 * threshold:.1f}%"]
    assert 0 <= mark[0] < mark[2] <= WIDTH


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_all_text_is_readable_in_light_and_in_dark_mode(mode: str) -> None:
    pairs = [(text, PAGE) for text in (INK, MUTED, RATIO, ACCURACY, CORRECT, WRONG, UNKNOWN, *LINES)]
    pairs += [(INK, PANEL), (MUTED, PANEL), (INK, WARNING)]
    for text, ground in pairs:
        assert contrast(getattr(text, mode), getattr(ground, mode)) >= 4.5, (text, ground)


def mixed(colour: str, page: str, share: float) -> str:
    """A colour in front of the page, which shines through."""
    parts = [share * int(colour[i : i + 2], 16) + (1 - share) * int(page[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part):02x}" for part in parts)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_names_of_clusters_are_readable_on_their_circles(mode: str) -> None:
    ground = mixed(getattr(RANK_CELL, mode), getattr(PAGE, mode), CIRCLE_TINT)
    assert contrast(getattr(INK, mode), ground) >= 4.5
    assert contrast(getattr(MUTED, mode), ground) >= 4.5


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_numbers_in_cells_are_readable_on_every_shade(mode: str) -> None:
    for colour in PALETTE:
        if not colour.name.endswith("-cell") or colour is ON_CELL:
            continue
        for share in np.linspace(0, 1, 101):
            full, page = getattr(colour, mode), getattr(PAGE, mode)
            shade = mixed(full, page, share)
            text = ON_CELL if share >= 0.78 else INK
            assert contrast(getattr(text, mode), shade) >= 3.5, (colour.name, share)


def test_light_colours_differ_so_that_each_maps_to_its_own_variable() -> None:
    assert len({colour.light for colour in PALETTE}) == len({colour.name for colour in PALETTE}) == len(PALETTE)


_VISION = {
    "usual": np.eye(3),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "tritanopia": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}
"""What becomes of linear RGB (Machado et al. 2009)."""


def seen(colour: str, vision: str) -> np.ndarray:
    """A colour in CIELAB (D65) as it is seen."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    linear = (_VISION[vision] @ linear).clip(0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ linear
    x, y, z = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", _VISION)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_eight_lines_differ_for_readers_of_every_colour_vision(mode: str, vision: str) -> None:
    colours = [seen(getattr(colour, mode), vision) for colour in (RATIO, *LINES)]
    assert len(colours) == MOST_LINES == 8
    distances = [np.linalg.norm(one - other) for one, other in combinations(colours, 2)]
    assert min(distances) >= (30 if vision == "usual" else 15)


def test_eight_methods_are_drawn_in_eight_colours_and_dashes_that_do_not_depend_on_shared_lines() -> None:
    names = [f"method {k}" for k in range(MOST_LINES)]
    falling = {name: np.array([0.9, 0.1 + 0.1 * k, 0.05 * k]) for k, name in enumerate(names)}
    looks = _looks(shares_plot("feature_add", (0, 1, 2), falling, "+9.9 points", "l"))
    assert len(looks) == len(set(looks)) == len({colour for colour, _ in looks}) == MOST_LINES
    assert len({dashes for _, dashes in looks}) == MOST_LINES
    falling["method 0"] = falling["method 1"]
    assert set(_looks(shares_plot("feature_add", (0, 1, 2), falling, "+9.9 points", "l"))) < set(looks)


def _looks(svg: str) -> list[tuple[str, str]]:
    """Colour and dashes of every curve."""
    across = WIDTH - MARGINS["left"] - MARGINS["right"]
    found = []
    for path in elements(svg, "path"):
        style, x = path.attrib.get("style", ""), re.findall(r"(-?[\d.]+) -?[\d.]+", path.attrib["d"])
        colour = re.search(r"stroke: var\(--(ratio|line-\d)\)", style)
        if colour and len(x) > 2 and np.ptp(np.array(x, float)) > 0.99 * across:
            dashes = re.search(r"stroke-dasharray: ([^;]+)", style)
            found.append((colour[1], dashes[1] if dashes else ""))
    return found


def test_long_names_are_broken_into_rows_that_stay_in_the_picture() -> None:
    shares = np.array([0.9, 0.5, 0.2])
    names = {f"a method with a long name, number {k}": shares for k in range(6)} | {"x" * 90: 0.5 * shares}
    boxes = text_boxes(shares_plot("feature_add", (0, 1, 2), names, "+9.9 points", "l"))
    words = " ".join(text for text, _ in boxes)
    assert words.count("a method") == 6
    assert words.count("x") == 90
    for _, (left, top, right, bottom) in boxes:
        assert left >= 0
        assert top >= 0
        assert right <= WIDTH
        assert bottom <= HEIGHT
    for (_, one), (_, other) in combinations(boxes, 2):
        assert apart(one, other)
