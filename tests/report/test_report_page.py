"""The page: self-contained, reproducible, escaped, and true to the certificate."""

import base64
import hashlib
import re
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from markupsafe import escape
from report_contents import BOTH, Page, default_content, make_content, make_votes, variants

import graphcert
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Budget
from graphcert.report import ReportContent, render, write_report
from graphcert.report.frame.wording import budget_words, channel_words, number, percent

VARIANTS = variants()
DEFAULT = VARIANTS["default"]
PAGE = render(DEFAULT)
SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> tuple[ReportContent, str]:
    content = VARIANTS[request.param]
    return content, render(content)


def test_nothing_is_loaded_and_only_the_script_of_the_package_may_run(variant: tuple[ReportContent, str]) -> None:
    script = (Path(graphcert.__file__).parent / "report/frame/nodes.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in variant[1]
    page = variant[1].replace('xmlns="http://www.w3.org/2000/svg"', "").replace(f"<script>{script}</script>", "", 1)
    assert not re.search(r"https?:|//[a-z]|@import|@font-face|javascript:|url\((?!#)", page)
    for tag, attributes in Page(page).tags:
        assert tag not in (
            "script",
            "link",
            "img",
            "iframe",
            "object",
            "embed",
            "base",
            "form",
            "image",
            "foreignobject",
        )
        assert not {"src", "srcset", "action", "data", "background"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")


def test_every_plot_is_well_formed_and_its_references_resolve_inside_it(variant: tuple[ReportContent, str]) -> None:
    identifiers: list[str] = []
    plots = SVG.findall(variant[1])
    for plot in plots:
        root = ElementTree.fromstring(plot)
        own = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
        used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', plot)
        assert {first or second for first, second in used} <= set(own)
        identifiers += own
        # A colour or font of its own would not follow the reader's light or dark mode; a style sheet would leak out.
        assert not re.search(
            r"#[0-9a-f]{3,8}\b(?!-)|font-family|<style|<metadata", re.sub(r'id="[^"]*"|#[\w-]+\)', "", plot)
        )
    assert len(identifiers) == len(set(identifiers))
    maps = sum(
        1 if grid.accuracy is None or not variant[0].has_truth or np.array_equal(grid.ratio, grid.accuracy) else 2
        for grid in variant[0].heat_maps
    )
    swept = [set(np.flatnonzero(np.ptp(next(iter(sweep.values())).budgets, axis=0))) for sweep in variant[0].collective]
    certified = [[curve.certified for curve in sweep.values()] for sweep in variant[0].collective]
    gained = sum(len(a) == 2 and bool((c[-1] > c[0]).any()) for a, c in zip(swept, certified, strict=True))
    together = sum(len(axes) in (1, 2) for axes in swept) + gained
    clusters = variant[0].certificate.smoothing.localized * (1 + (variant[0].links is not None))
    assert len(plots) == len(variant[0].curves) + maps + 1 + together + clusters


def test_the_guarantee_and_its_level_are_said(variant: tuple[ReportContent, str]) -> None:
    content, page = variant
    assert str(escape(content.certificate.guarantee())) in page
    assert f"α = {content.certificate.alpha:g}" in page
    assert ("no joint guarantee" in page) == (not content.certificate.simultaneous)


def test_equal_contents_give_equal_bytes_whatever_matplotlib_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in (
        ("font.size", 30), ("axes.facecolor", "red"), ("svg.hashsalt", "other"), ("svg.fonttype", "path"),
        ("savefig.dpi", 300), ("lines.linewidth", 9), ("axes.grid", True), ("figure.autolayout", True),
    ):  # fmt: skip
        monkeypatch.setitem(matplotlib.rcParams, key, value)
    assert render(default_content()) == PAGE
    assert matplotlib.rcParams["font.size"] == 30
    assert render(replace(DEFAULT, title="other")) != PAGE


def test_user_input_is_shown_as_text_and_never_as_html() -> None:
    attack = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    page = render(
        replace(
            DEFAULT,
            title=attack,
            settings={"dataset" + attack: {"name": attack, attack: {"nested": [attack]}}},
            timings={attack: 1.0},
            warnings=(attack,),
        )
    )
    parsed = Page(page)
    tags = [tag for tag, _ in parsed.tags]
    assert (tags.count("script"), tags.count("img")) == (1, 0)
    assert "".join(parsed.text).count("<script>alert(1)</script>") == 8  # title, heading, warning, 4 settings, 1 timing


def test_every_number_of_the_result_is_the_certificates(variant: tuple[ReportContent, str]) -> None:
    content, page = variant
    certificate, tables = content.certificate, Page(page).tables
    rows = {row[0]: row[1:] for row in tables[f"Certified targets, of {number(certificate.claims)}"][1:]}
    numbers = range(7)
    budgets = [
        Budget(*(k if i == axis else 0 for i in range(4))) for axis in range(4) for k in (*numbers, 10, 20, 50, 100)
    ]
    budgets += [Budget(1, 1), Budget(0, 0, 1, 1), *(Budget(1, k) for k in numbers), Budget(1, 1, 0, 1)]
    known = {budget_words(budget): budget for budget in budgets}
    assert "no change" in rows
    for words, cells in rows.items():
        robust = certificate.robust(known[words])
        expected = [number(robust.sum()), percent(int(robust.sum()), certificate.claims)]
        if content.has_truth:
            correct = robust & (certificate.labels == content.truth)
            expected.append(percent(int(correct.sum()), certificate.claims))
        assert cells == expected
    for grid in content.curves:
        assert budget_words(replace(grid.fixed, **{grid.axes[0]: 1})) in rows or max(grid.values[0]) == 0


def test_the_numbers_behind_the_curves_are_the_certificates() -> None:
    tables, certificate = Page(PAGE).tables, DEFAULT.certificate
    for caption, axis in (("Feature additions", "add"), ("Feature deletions", "delete")):
        rows = tables[caption][1:]
        assert [row[0] for row in rows] == [str(k) for k in range(7)]
        for row in rows:
            robust = certificate.robust(**{axis: int(row[0])})
            assert row[1] == number(robust.sum())
            assert float(row[2][:-1]) / 100 <= robust.sum() / certificate.claims < float(row[2][:-1]) / 100 + 0.001
            share = certificate.certified_accuracy(Budget(**{f"feature_{axis}": int(row[0])}), DEFAULT.truth)
            assert float(row[3][:-1]) / 100 <= share + 1e-12 < float(row[3][:-1]) / 100 + 0.001


def test_abstentions_are_counted_among_the_targets_and_per_class(variant: tuple[ReportContent, str]) -> None:
    content, page = variant
    certificate = content.certificate
    silent = certificate.abstained & certificate.targets
    parsed = Page(page)
    share = percent(int(silent.sum()), certificate.claims)
    text = " ".join("".join(parsed.text).split())
    assert f"{number(silent.sum())} of {number(certificate.claims)} targets ({share}) abstain" in text
    if content.has_truth and silent.any():
        known = silent & (content.truth >= 0)
        right = int((known & (content.truth == certificate.labels)).sum())
        assert f"Among the abstaining targets, {percent(right, int(known.sum()))} are labelled correctly" in text
    for name, labels in (("predicted", certificate.labels), ("true", content.truth)):
        caption = f"Abstentions by {name} label"
        assert (caption in parsed.tables) == (name == "predicted" or content.has_truth)
        for label, row in enumerate(parsed.tables.get(caption, [])[1:]):
            members = certificate.targets & (labels == label)
            assert row[:3] == [str(label), number(members.sum()), number((members & silent).sum())]


def test_settings_timings_and_warnings_are_shown() -> None:
    text = "".join(Page(render(VARIANTS["warned"])).text)
    for expected in (
        "made up", "nodes = 300, seeds = 1, 2", "0123456789abcdef" * 4, "no", "12.3 s", "3 min 07 s",
        "The training did not converge.", VARIANTS["warned"].votes.digest,
    ):  # fmt: skip
        assert expected in text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("all abstain", "Every target abstains, so nothing is certified"),
        ("unknown labels", "No target has a known label"),
        ("some unknown labels", "targets have no known label; certified accuracy counts them as not correct"),
        ("inexact sampler", "at most 1.0e-02 in total variation"),
        ("besides", "Feature deletions, besides 1 feature bit added"),
    ],
)
def test_what_the_reader_must_know_is_said_only_where_it_is_so(name: str, sentence: str) -> None:
    assert sentence in " ".join("".join(Page(render(VARIANTS[name])).text).split())
    assert sentence not in PAGE


def test_a_hundred_thousand_nodes_take_less_than_five_seconds() -> None:
    content = make_content(*make_votes(nodes=100_000, smoothing=BOTH))
    began = time.process_time()
    page = render(content)
    assert time.process_time() - began < 5
    assert "of 100,000 targets" in page
    assert len(page) < 1_000_000


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new folder" / "report.html"
    write_report(path, DEFAULT)
    assert path.read_bytes() == PAGE.encode()
    monkeypatch.setattr("graphcert.core.files.os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(DataError, match="disk full"):
        write_report(path, replace(DEFAULT, title="second"))
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    assert path.read_bytes() == PAGE.encode()


def test_a_report_mixes_neither_votes_nor_dimensions() -> None:
    votes, truth = make_votes(60)
    other, _ = make_votes(60, seed=1)
    content = make_content(votes, truth)
    with pytest.raises(InputError, match="made from its votes"):
        replace(content, votes=other)
    with pytest.raises(InputError, match="true labels must be 60 integers"):
        replace(content, truth=truth[:-1])
    with pytest.raises(InputError, match="true labels must be 60 integers"):
        replace(content, truth=truth.astype(float))
    with pytest.raises(UnsupportedError, match="one or two axes, got 3"):
        replace(content, grids=(content.certificate.grid([0], [0], [0]),))
    with pytest.raises(UnsupportedError, match="got 0"):
        replace(content, grids=(content.certificate.grid(),))


def test_a_localized_scheme_is_described_by_the_ranges_of_its_rates() -> None:
    levels = (BernoulliFlip(0.01, 0.4), BernoulliFlip(0.05, 0.4))
    assert channel_words("features", levels) == "features θ⁺ = 0.01 to 0.05, θ⁻ = 0.4"
    assert "features θ⁺ = 0.05, θ⁻ = 0.6" in PAGE
