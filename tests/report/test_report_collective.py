"""What a report says about all targets at once, against the collective curves it was given."""

import math
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_contents import Page, default_content, localized_content, make_content, make_votes
from svg_reading import apart, elements, paths, text_boxes, texts, touches

from graphcert.collective import CollectiveCurve
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Budget
from graphcert.report import ReportContent, render, summary_lines
from graphcert.report.frame.wording import budget_words, method_name, method_words, number, percent, points
from graphcert.report.graphs.sweep import Sweep, largest_gain
from graphcert.report.plots import shares_plot
from graphcert.report.plots.budget_curves import HEIGHT, MARGINS
from graphcert.report.plots.canvas import WIDTH

LOCALIZED = localized_content()
PLAIN = default_content()
CLAIMS = PLAIN.certificate.claims


def made_up(certified: list[int], budgets: list[tuple[int, ...]], targets: int = CLAIMS, **changes) -> CollectiveCurve:
    attacked = targets - np.array(certified)
    curve = CollectiveCurve(
        axes=AXES,
        budgets=np.array(budgets, np.int64),
        targets=targets,
        bound=attacked.astype(float),
        attacked_upper=attacked,
        method=np.array(["milp"] * len(certified)),
        status=np.array(["optimal"] * len(certified)),
        gap=np.zeros(len(certified)),
    )
    return replace(curve, **changes)


def along_additions(*values: int) -> list[tuple[int, ...]]:
    return [(value, 0, 0, 0) for value in values]


def with_sweep(**curves: CollectiveCurve) -> ReportContent:
    return replace(PLAIN, collective=(curves,))


def words_of(content: ReportContent) -> str:
    return " ".join("".join(Page(render(content)).text).split())


def test_every_number_behind_the_plots_is_the_curves() -> None:
    tables = Page(render(LOCALIZED)).tables
    captions = (
        "Feature additions", "Feature deletions, besides 1 feature bit added",
        "Feature additions and feature deletions", "One budget",
    )  # fmt: skip
    for caption, sweep in zip(captions, LOCALIZED.collective, strict=True):
        # The section of single targets, further below, has tables of the same names.
        rows = tables[caption]
        begins = [i for i, row in enumerate(rows) if row[0] == "budget"]
        rows = rows[: [*begins, len(rows)][1]]
        naive, linear, best = sweep.values()
        assert rows[0] == [
            "budget", "each alone", "linear program", "integer program", "ratio", "accuracy", "at most changed", "gap",
            "proved by",
        ]  # fmt: skip
        for i, row in enumerate(rows[1:]):
            budget = best.budgets[i]
            varying = np.flatnonzero(np.ptp(best.budgets, axis=0))
            assert row[0] == (number(budget[varying[0]]) if len(varying) == 1 else budget_words(Budget(*budget)))
            assert row[1:5] == [
                *(number(curve.certified[i]) for curve in (naive, linear, best)),
                percent(int(best.certified[i]), best.targets),
            ]
            assert float(row[5][:-1]) / 100 <= best.accuracy[i] + 1e-12 < float(row[5][:-1]) / 100 + 0.001
            assert best.bound[i] <= float(row[6]) < best.bound[i] + 0.01
            assert row[7:] == [
                "–" if math.isnan(best.gap[i]) else number(int(best.gap[i])),
                method_name(best.method[i]),
            ]
        assert len(rows) == len(best) + 1


def test_the_table_of_a_few_budgets_is_true_and_holds_the_largest_gains() -> None:
    rows = Page(render(LOCALIZED)).tables[f"Certified at once, of {number(LOCALIZED.certificate.claims)} targets"]
    assert rows[0] == ["budget", "each alone", "linear program", "integer program", "gain", "accuracy"]
    shown = {row[0]: row[1:] for row in rows[1:]}
    assert len(shown) == len(rows) - 1
    known = {}
    for sweep in LOCALIZED.sweeps:
        for i, budget in enumerate(sweep.budgets):
            counts = [int(curve.certified[i]) for curve in sweep.curves.values()]
            correct = round(float(sweep.best.accuracy[i]) * sweep.best.targets)
            known[budget_words(budget)] = (counts, correct)
        assert sweep.gain.max() > 0
        assert budget_words(sweep.budgets[int(np.argmax(sweep.gain))]) in shown
    claims = LOCALIZED.certificate.claims
    for words, cells in shown.items():
        counts, correct = known[words]
        gain = points(counts[-1] - counts[0], claims)
        assert cells == [*(percent(count, claims) for count in counts), gain, percent(correct, claims)]


def test_the_largest_gain_is_said_on_the_page_and_in_the_terminal() -> None:
    gains = [(int(sweep.gain[i]), sweep, i) for sweep in LOCALIZED.sweeps for i in range(len(sweep.budgets))]
    gain, sweep, i = max(gains, key=lambda entry: entry[0])
    assert gain > 0
    claims, at = LOCALIZED.certificate.claims, budget_words(sweep.budgets[i])
    together, alone = int(sweep.best.certified[i]), int(sweep.curves["naive"].certified[i])
    said = words_of(LOCALIZED)
    for count in (together, alone):
        assert f"{percent(count, claims)}" in said
        assert f"{number(count)} of {number(claims)}, against {at}" in said
    assert f"percentage points gained{points(gain, claims)}the most at any budget" in said
    line = f"all at once: {percent(together, claims)} at {at} (each alone {percent(alone, claims)})"
    assert line in summary_lines(LOCALIZED)


def test_without_a_gain_that_is_what_is_said() -> None:
    same = made_up([100, 20], along_additions(0, 1))
    content = with_sweep(naive=same, milp=same)
    assert "At none of these budgets does this certify more than each node alone." in words_of(content)
    assert "all at once: no more than each alone" in summary_lines(content)
    assert "Gain over" not in words_of(content)
    rows = Page(render(content)).tables[f"Certified at once, of {number(CLAIMS)} targets"]
    assert [row[0] for row in rows] == ["budget", "1 feature bit added"]
    assert not any(line.startswith("all at once") for line in summary_lines(with_sweep(milp=same)))
    assert largest_gain(PLAIN.sweeps) is None
    assert "All targets at once" not in words_of(PLAIN)


def test_unfinished_searches_and_unknown_gaps_are_said() -> None:
    budgets = along_additions(0, 1, 2, 1000)
    curve = made_up([150, 90, 7, 0], budgets, gap=np.array([0, 12, np.nan, np.nan]))
    finished = words_of(with_sweep(milp=curve))
    assert "The largest known gap here is 12 targets." in finished
    assert "stopped before its optimum" not in finished
    stopped = replace(curve, status=np.array(["optimal", "time limit", "time limit", "not solved"]))
    page = render(with_sweep(milp=stopped))
    assert "The solver stopped before its optimum at 2 of 4 budgets." in words_of(with_sweep(milp=stopped))
    rows = Page(page).tables["Feature additions"][1:5]
    assert [row[0] for row in rows] == ["0", "1", "2", "1,000"]
    assert [row[-3] for row in rows] == ["0", "12", "–", "–"]
    assert [row[-1] for row in rows] == ["", "time limit", "time limit", ""]


def test_bounds_are_rounded_up_and_gains_down() -> None:
    curve = made_up([149], along_additions(1), bound=np.array([1.2345]))
    assert Page(render(with_sweep(milp=curve))).tables["One budget"][-1][-3] == "1.24"
    assert [points(count, 300) for count in (0, 1, 67, -1, -300)] == ["+0.0", "+0.3", "+22.3", "−0.4", "−100.0"]


def test_methods_that_nobody_named_yet_are_shown_as_they_are() -> None:
    assert (method_words("<tight>"), method_name("<tight>")) == ("<tight>", "<tight>")
    assert method_words("milp") == "collective, integer program"
    budgets = along_additions(0, 1)
    content = with_sweep(**{"naive": made_up([9, 1], budgets), "<tight>": made_up([9, 5], budgets)})
    assert "&lt;tight&gt;" in render(content)
    assert "<tight>" not in render(content)
    assert "Linear program" not in words_of(content)


def test_a_sweep_that_cannot_be_compared_is_refused() -> None:
    curve = made_up([100, 20], along_additions(0, 1))
    with pytest.raises(InputError, match="counts 7 targets and the certificate 150"):
        with_sweep(lp=made_up([5, 2], along_additions(0, 1), targets=7))
    with pytest.raises(InputError, match="budgets of milp differ from those of naive"):
        with_sweep(naive=curve, milp=made_up([100, 20], along_additions(0, 2)))
    with pytest.raises(InputError, match="empty"):
        with_sweep()
    with pytest.raises(UnsupportedError, match=r"over the axes feature_add, .* shape \(2, 1\)"):
        with_sweep(lp=replace(curve, budgets=curve.budgets[:, :1]))
    with pytest.raises(UnsupportedError, match=r"shape \(0, 4\)"):
        with_sweep(lp=made_up([], np.empty((0, 4))))


def test_links_that_do_not_fit_the_clusters_are_refused() -> None:
    links = LOCALIZED.links
    assert links is not None
    for wrong in (links[:-1], links[:-1, :-1], links + np.eye(len(links), k=1, dtype=int), -1 - links):
        with pytest.raises(InputError, match="symmetric matrix of counts over its 4 clusters"):
            replace(LOCALIZED, links=wrong)
    with pytest.raises(InputError, match="without a partition"):
        replace(PLAIN, links=links)


@given(
    st.lists(st.sampled_from(range(4)), min_size=0, max_size=3, unique=True),
    st.lists(st.sets(st.integers(0, 50), min_size=2, max_size=4), min_size=3, max_size=3),
    st.data(),
)
def test_a_grid_is_found_exactly_where_all_combinations_are_there(
    axes: list[int], values: list[set[int]], data
) -> None:
    full = [[3, 0, 1, 0] for _ in product(*values[: len(axes)])]
    for row, chosen in zip(full, product(*values[: len(axes)]), strict=True):
        for axis, value in zip(axes, chosen, strict=True):
            row[axis] = value
    budgets = data.draw(st.permutations(full))
    if len(budgets) > 4 and data.draw(st.booleans()):
        budgets = budgets[1:]
    targets = 1000
    certified = list(range(len(budgets)))
    sweep = Sweep({"lp": made_up(certified, budgets, targets)})
    grid = sweep.panel(np.array(certified, float))
    assert (grid is not None) == (len(sweep.axes) in (1, 2) and (len(budgets) == len(full) or len(axes) == 1))
    if grid is not None:
        for place in np.ndindex(grid.numbers.shape):
            chosen = {axis: along[i] for axis, along, i in zip(grid.axes, grid.values, place, strict=True)}
            assert sweep.budgets.index(replace(sweep.budgets[0], **chosen)) == grid.numbers[place]


def test_sweeps_of_any_shape_are_shown_in_a_table() -> None:
    budgets = [(1, 0, 0, 0), (1, 0, 0, 0), (0, 2, 0, 1), (3, 1, 0, 0)]
    rows = Page(render(with_sweep(lp=made_up([9, 9, 7, 1], budgets)))).tables
    found = next(table for caption, table in rows.items() if caption.startswith("Feature additions and"))
    assert [row[0] for row in found[1:]] == [budget_words(Budget(*budget)) for budget in budgets]


METHODS = tuple(map(method_name, ("naive", "rows", "lp-2", "milp-2", "lp", "milp", "tight-lp", "tight")))
_FIRST = tuple({name[0] for name in METHODS})
Shares = dict[str, np.ndarray]


@st.composite
def rising_methods(draw: st.DrawFn) -> tuple[tuple[int, ...], Shares]:
    """Falling shares, larger from method to method, sometimes equal over parts or everywhere."""
    values = tuple(sorted(draw(st.sets(st.integers(0, 64), min_size=2, max_size=30))))
    count = draw(st.integers(1, len(METHODS)))
    shares, below = {}, np.zeros(len(values))
    for method in METHODS[-count:]:
        drops = draw(st.lists(st.floats(0, 1), min_size=len(values), max_size=len(values)))
        own = np.cumprod(drops) if draw(st.booleans()) else np.sort(drops)[::-1]
        own = own * draw(st.sampled_from([0.0, 0.3, 1.0]))
        below = np.maximum(below, own)
        shares[method] = below
    return values, shares


def method_lines(svg: str) -> list[np.ndarray]:
    """The curves: all lines over the whole width of the panel but those of the grid and the axis."""
    across = WIDTH - MARGINS["left"] - MARGINS["right"]
    drawn = [*paths(svg, "stroke: var(--ratio)"), *paths(svg, "stroke: var(--line-")]
    return [line for line in drawn if len(line) > 1 and np.ptp(line[:, 0]) > 0.99 * across]


@settings(max_examples=30, deadline=None)
@given(rising_methods())
def test_the_lines_of_methods_are_told_by_names_that_touch_nothing(case: tuple[tuple[int, ...], Shares]) -> None:
    values, shares = case
    svg = shares_plot("feature_add", values, shares, "+9.9 points", "l")
    boxes = [(text, box) for text, box in text_boxes(svg) if text != "feature additions"]
    names = [(text, box) for text, box in boxes if text[0] in (*_FIRST, "+")]
    told = [name for text, _ in names if text[0] != "+" for name in text.removesuffix(" =").split(" = ")]
    assert sorted(told) == sorted(shares)
    gain = max(list(shares.values())[-1] - next(iter(shares.values())))
    assert ("+9.9 points" in dict(names)) == (gain > 1e-9)
    others = [(text, box) for text, box in text_boxes(svg) if (text, box) not in names]
    for i, (text, box) in enumerate(names):
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= WIDTH
        assert box[3] <= HEIGHT
        assert all(apart(box, other) for _, other in names[i + 1 :] + others), text
        assert not any(touches(line, box) for line in method_lines(svg)), text


@settings(max_examples=30, deadline=None)
@given(rising_methods())
def test_the_lines_of_methods_show_their_ratios(case: tuple[tuple[int, ...], Shares]) -> None:
    values, shares = case
    svg = shares_plot("feature_add", values, shares, "+9.9 points", "l")
    bottom, top = HEIGHT - MARGINS["bottom"], MARGINS["top"]
    across = WIDTH - MARGINS["left"] - MARGINS["right"]
    curves = []
    for line in method_lines(svg):
        budgets = values[0] + (line[:, 0] - MARGINS["left"]) / across * (values[-1] - values[0])
        heights = (bottom - line[:, 1]) / (bottom - top)
        # At a budget the line has come down to its value; before it, it never was above what holds there.
        curves.append([heights[np.flatnonzero(budgets <= value + 0.02)[-1]] for value in values])
    for own in shares.values():
        assert any(np.allclose(curve, own, atol=2e-3) for curve in curves)
    assert len(curves) == len({own.tobytes() for own in shares.values()})


def test_the_strongest_line_is_full_and_the_others_are_dashed() -> None:
    shares = dict(zip(METHODS[-3:], ([0.9, 0.1], [0.9, 0.4], [0.9, 0.7]), strict=True))
    svg = shares_plot("edge_delete", (0, 1), {name: np.array(values) for name, values in shares.items()}, "+60.0", "l")
    curves = {}
    for path in elements(svg, "path"):
        points = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.attrib["d"]), float)
        if "fill: none" in path.attrib.get("style", "") and len(points) > 2:
            curves[points[-1, 1]] = path.attrib["style"]
    assert len(curves) == 3
    strongest, *weaker = (style for _, style in sorted(curves.items()))
    assert "stroke-dasharray" not in strongest
    assert len({re.search(r"stroke-dasharray: ([^;]+)", style)[1] for style in weaker}) == 2
    assert "60.0" in "".join(texts(svg))


def test_equal_contents_give_equal_bytes() -> None:
    assert render(localized_content()) == render(LOCALIZED)


def test_unknown_labels_leave_no_accuracy() -> None:
    votes, truth = make_votes(60)
    content = make_content(votes, np.full_like(truth, -1))
    curve = content.certificate.collective(range(3), method="lp", truth=truth)
    rows = Page(render(replace(content, collective=({"lp": curve},)))).tables["Certified at once, of 60 targets"]
    assert "accuracy" not in rows[0]
