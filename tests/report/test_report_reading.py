"""What a reader meets: tiles about robustness, no picture twice, captions that hold, tables that scroll, settings in use."""

import re
from dataclasses import replace

import numpy as np
import pytest
from report_contents import (
    SETTINGS,
    Page,
    default_content,
    localized_content,
    make_content,
    make_votes,
    norm_content,
    selected_norm_content,
    variants,
)

from graphcert.noise import BernoulliFlip, Budget, Hierarchical
from graphcert.report import ReportContent, render
from graphcert.report.frame.html import settings_section
from graphcert.report.frame.wording import number, percent

VARIANTS = variants()
TILE = re.compile(r'<div><dt>(.*?)</dt><dd>(.*?)</dd>(?:<dd class="note">(.*?)</dd>)?</div>')
FIGURE = re.compile(r"<figure><figcaption>(.*?)</figcaption>(<svg.*?</svg>)</figure>", re.DOTALL)


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> tuple[ReportContent, str]:
    content = VARIANTS[request.param]
    return content, render(content)


def tiles(page: str) -> list[tuple[str, str, str]]:
    """Name, value and note of the tiles of the result."""
    return TILE.findall(page.partition("<h2>Result</h2>")[2].partition("</section>")[0])


def headings(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_no_tile_is_about_the_unchanged_graph(variant: tuple[ReportContent, str]) -> None:
    for name, value, note in tiles(variant[1]):
        assert "without a change" not in f"{name} {note}"
        assert "against no change" not in name
        assert re.search("against|survived", f"{name} {note}")
        assert re.fullmatch(r"\d+\.\d%|(≥ )?[\d,]+", value)
        assert "nan" not in f"{name} {value} {note}".lower()


def test_tiles_hold_what_the_certificate_says_at_the_first_budgets() -> None:
    content = default_content()
    shown = {name: (value, note) for name, value, note in tiles(render(content))}
    claims, robust = content.certificate.claims, content.certificate.robust
    correct = content.certificate.correct(content.truth)
    for words, budget in (("added", Budget(feature_add=1)), ("deleted", Budget(feature_delete=1))):
        certified = robust(budget)
        value, note = shown[f"certified against 1 feature bit {words}"]
        assert value == percent(int(certified.sum()), claims)
        right = percent(int((certified & correct).sum()), claims)
        assert note == f"{number(int(certified.sum()))} of {number(claims)} targets; {right} certified and correct"


def test_a_budget_that_was_asked_for_first_is_the_one_of_the_tile() -> None:
    content = default_content()
    grid = content.certificate.grid(delete=(0, 3, 5), truth=content.truth)
    name, value, _ = tiles(render(replace(content, grids=(grid,))))[0]
    assert name == "certified against 3 feature bits deleted"
    certified = int(content.certificate.robust(Budget(feature_delete=3)).sum())
    assert value == percent(certified, content.certificate.claims)


@pytest.mark.parametrize("content", [norm_content(clusters=3), localized_content(both=True, methods=("naive", "lp"))])
def test_a_localized_report_leads_with_what_holds_at_once(content: ReportContent) -> None:
    page = render(content)
    assert headings(page)[0] == "Result"
    order = [headings(page).index(name) for name in ("All targets at once", "Each target alone")]
    assert order == sorted(order)
    for heading in headings(page)[: order[1]]:
        assert "each target alone" not in heading
    shown = tiles(page)
    assert shown
    best = [list(sweep.values())[-1] for sweep in content.collective]
    counts = {percent(int(count), curve.targets) for curve in best for count in curve.certified}
    for name, value, note in shown:
        assert name.startswith("certified at once against ")
        assert value in counts
        assert "each alone: " in note
    result = page.partition("<h2>Result</h2>")[2].partition("</section>")[0]
    assert "<table>" not in result


def test_under_selected_rows_no_tile_is_about_nodes_without_bits() -> None:
    votes, truth = make_votes(60, Hierarchical(0.9, BernoulliFlip(0.05, 0.6)))
    content = make_content(votes, truth, grids=())
    sweep = content.certificate.compare_methods(add=(0, 1), nodes=(1, 2), methods=("naive",), truth=truth)
    for name, _, _ in tiles(render(replace(content, collective=(sweep,)))):
        assert "feature bit added in at most" in name
    assert tiles(render(selected_norm_content()))


def test_no_picture_is_shown_twice(variant: tuple[ReportContent, str]) -> None:
    pictures = []
    for _, svg in FIGURE.findall(variant[1]):
        names = re.findall(r' id="([^"]+)"', svg)
        for k, name in enumerate(names):
            svg = svg.replace(f'"{name}"', f'"{k}"').replace(f"#{name}", f"#{k}")
        pictures.append(svg)
    assert len(pictures) == len(set(pictures)) > 0


def test_equal_curves_of_two_limits_share_a_picture() -> None:
    votes, truth = make_votes(60, Hierarchical(0.9, BernoulliFlip(0.05, 0.6)))
    content = make_content(votes, truth, grids=())
    grids = tuple(content.certificate.grid(add=(0, 1), nodes=limit, truth=truth) for limit in (1, 2))
    captions = [caption for caption, _ in FIGURE.findall(render(replace(content, grids=grids)))]
    assert "Feature additions, in at most 1 node · Feature additions, in at most 2 nodes" in captions


def test_captions_speak_of_numbers_and_lines_exactly_where_they_are(variant: tuple[ReportContent, str]) -> None:
    content, page = variant
    for caption, svg in FIGURE.findall(page):
        inside = re.findall(r">(\d+)</text>", re.sub(r"<text[^>]*fill: var\(--muted\)[^>]*>[^<]*</text>", "", svg))
        if "in whole" in caption:
            cells = svg.count("-cell); fill-opacity") + svg.count("-cell)")
            assert cells
            assert inside
        elif caption.startswith(("Certified ratio", "Certified accuracy", "Certified at once", "Gain over")):
            assert not inside
    said = "The line marks where the share falls below one half." in page
    shares = [s for g in content.heat_maps for s in (g.ratio, g.accuracy) if s is not None]
    mixed = any((s >= 0.5).any() and (s < 0.5).any() for s in shares)
    assert said <= mixed


def test_tables_scroll_by_hand_and_by_key_and_show_that_there_is_more(variant: tuple[ReportContent, str]) -> None:
    page = variant[1]
    wrapped = re.findall(
        r'<div class="scroll(?: nodes)?" role="region" aria-label="([^"]+)" tabindex="0"><table>\s*<caption>(.*?)</caption>',
        page,
    )
    assert len(wrapped) == page.count("<table>") > 0
    assert all(label == caption for label, caption in wrapped)
    rule = page.partition(".scroll {")[2].partition("}")[0]
    assert "overflow-x: auto" in rule
    assert rule.count("local") == rule.count("scroll,") + rule.count("scroll;") == 2
    assert ".scroll:focus-visible" in page


def test_sections_are_not_empty_and_say_no_nan(variant: tuple[ReportContent, str]) -> None:
    for section in re.findall(r"<section>\s*<h[23]>.*?</section>", variant[1], re.DOTALL):
        assert len(re.sub(r"<h[23]>.*?</h[23]>|<[^>]*>|\s", "", section, flags=re.DOTALL)) > 3
    assert not re.search(r"\bnan\b", " ".join(Page(variant[1]).text), re.IGNORECASE)
    assert '<dl class="facts" style="--across: 0"' not in variant[1]


def test_settings_that_had_no_use_are_not_shown() -> None:
    block = settings_section({
        "collective": {"method": "tight", "sweeps": (), "isotropic": False, "time_limit": 20.0},
        "sampling": {"samples": 2000, "scores": False, "seed": 0, "workers": None},
        "nothing": {"path": "", "options": {}},
    }, {}).html  # fmt: skip
    assert re.findall(r"<dt>(.*?)</dt>", block) == ["method", "time_limit", "samples", "seed"]
    assert "<h3>nothing" not in block
    assert "<h3>timings" not in block


def test_settings_of_the_collective_certificate_are_shown_only_beside_one() -> None:
    settings = {**SETTINGS, "collective": {"method": "tight", "time_limit": 20.0}}
    assert "time_limit" not in render(replace(default_content(), settings=settings))
    assert "time_limit" in render(replace(localized_content(methods=("naive", "lp")), settings=settings))


def test_every_axis_says_what_it_counts(variant: tuple[ReportContent, str]) -> None:
    for _, svg in FIGURE.findall(variant[1]):
        assert ">budget</text>" not in svg
        assert 'role="img" aria-label="' in svg


def test_votes_of_all_kinds_have_a_joint_map_where_all_certified_targets_are_correct() -> None:
    page = render(VARIANTS["everything correct"])
    captions = [caption for caption, _ in FIGURE.findall(page)]
    assert sum(caption.startswith("Certified ratio, which is the accuracy") for caption in captions) == 1
    assert not any(caption.startswith("Certified accuracy") for caption in captions)
    assert np.array_equal(
        *(getattr(VARIANTS["everything correct"].heat_maps[0], name) for name in ("ratio", "accuracy"))
    )
