"""Reports as a browser shows them: nothing is fetched, nothing overflows, and tables can be searched and sorted."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typed import call

from graphcert.noise import Budget
from graphcert.report import ReportContent
from graphcert.report.graphs.nodes import PRINTED_ROWS, shown_change
from graphcert.run.stored_run import StoredRun

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome is installed")

RUN = [
    "certify", "--dataset", "synthetic", "--dataset-option", "nodes=240", "--dataset-option", "classes=3",
    "--dataset-option", "features=20", "--training-option", "epochs=20", "--samples", "150", "--pilot-samples", "50",
]  # fmt: skip
LOCALIZED = ["--clusters", "3", "--add", "0.05:0.1", "--delete", "0.4:0.7"]
WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A localized run, an isotropic one, and the page that compares them."""
    place = tmp_path_factory.mktemp("browser")
    found = {"localized": place / "localized", "isotropic": place / "isotropic"}
    assert call(*RUN, *LOCALIZED, "--out", found["localized"]) == 0
    assert call(*RUN, "--add", "0.05", "--delete", "0.5", "--seed", "1", "--out", found["isotropic"]) == 0
    page = place / "comparison.html"
    assert call("report", *found.values(), "--out", page) == 0
    return {**{name: folder / "report.html" for name, folder in found.items()}, "comparison": page}


@pytest.fixture(scope="module")
def content(runs: dict[str, Path]) -> ReportContent:
    return StoredRun(runs["localized"].parent).content()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as started:
        # Root, as in a container, has no sandbox.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        found = started.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="module")
def page(browser: Any, runs: dict[str, Path]) -> Any:
    """The page of the localized run."""
    found = browser.new_page(viewport={"width": 1280, "height": 900})
    found.goto(runs["localized"].as_uri())
    return found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["localized", "isotropic", "comparison"])
def test_nothing_is_fetched_nothing_fails_and_nothing_overflows(
    browser: Any, runs: dict[str, Path], name: str, width: int
) -> None:
    opened, said, asked = browser.new_page(viewport={"width": width, "height": 900}), [], []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(runs[name].as_uri())
    assert asked == [runs[name].as_uri()]
    assert said == []
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    opened.close()


def table(page: Any) -> list[dict[str, str]]:
    """The rows of the table of nodes that are shown, in their order."""
    return page.evaluate("""() => {
        const heads = [...document.querySelectorAll(".nodes thead th")].map((head) => head.textContent);
        const rows = [...document.querySelectorAll(".nodes tbody tr")].filter((row) => row.checkVisibility());
        return rows.map((row) => Object.fromEntries([...row.cells].map((cell, k) => [heads[k], cell.textContent])));
    }""")


def test_the_numbers_of_the_table_are_those_of_the_certificate(page: Any, content: ReportContent) -> None:
    certificate, votes = content.certificate, content.votes
    rows = {int(row["node"]): row for row in table(page)}
    assert list(rows) == np.flatnonzero(certificate.targets).tolist()
    frame = certificate.to_pandas(content.truth)
    change = shown_change(content)
    for v, row in rows.items():
        assert int(row["label"]) == certificate.labels[v]
        assert int(row["true"]) == content.truth[v]
        assert int(row["votes"]) == votes.counts[v, certificate.labels[v]]
        state = "certified" if change.certified[v] else "abstains" if certificate.abstained[v] else "not certified"
        assert row["status"] == state
        for operation in ("add", "delete"):
            shown = row[f"feature {'additions' if operation == 'add' else 'deletions'}"]
            largest = frame[f"largest_feature_{operation}"][v]
            assert shown == ("–" if certificate.abstained[v] else str(largest))
    for k in (0, 1, 2):
        robust = certificate.robust(Budget(feature_delete=k))
        said = [v for v, row in rows.items() if row["feature deletions"] != "–" and int(row["feature deletions"]) >= k]
        assert said == np.flatnonzero(robust).tolist()


def test_a_number_finds_its_node_and_a_word_the_rows_that_have_it(page: Any, content: ReportContent) -> None:
    rows = table(page)
    wanted = rows[len(rows) // 2]
    page.locator("input.find").fill(wanted["node"])
    assert table(page) == [wanted]
    assert page.locator("output.found").text_content() == f"1 of {len(rows)} rows"
    page.locator("input.find").fill("not cert")
    silent = [row for row in rows if row["status"] == "not certified"]
    assert 0 < len(silent) < len(rows)
    assert table(page) == silent
    page.locator("input.find").fill("")
    assert table(page) == rows


def test_a_head_sorts_the_table_both_ways_by_numbers(page: Any) -> None:
    rows = table(page)
    head = page.locator(".nodes thead th", has_text="votes")
    for direction in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == direction
        found = [int(row["votes"]) for row in table(page)]
        assert found == sorted((int(row["votes"]) for row in rows), reverse=direction == "descending")
    page.locator(".nodes thead th", has_text=re.compile("^node$")).locator("button").click()
    assert table(page) == rows


def test_the_picture_shows_every_node_by_its_state_and_names_the_one_that_is_pointed_at(
    page: Any, content: ReportContent
) -> None:
    certificate, change = content.certificate, shown_change(content)
    titles = {
        kind: page.locator(f"svg.graph g.{kind} circle title").all_text_contents()
        for kind in ("certified", "open", "abstained", "fell", "other")
    }
    shown = {kind: {int(re.match(r"node (\d+)", text)[1]) for text in texts} for kind, texts in titles.items()}
    assert sum(map(len, shown.values())) == certificate.nodes
    targets = certificate.targets
    assert shown["fell"] == set(np.flatnonzero(change.fallen).tolist())
    assert shown["certified"] == set(np.flatnonzero(change.certified & ~change.fallen).tolist())
    assert shown["abstained"] == set(np.flatnonzero(targets & certificate.abstained).tolist())
    assert shown["other"] == set(np.flatnonzero(~targets).tolist())
    dot = page.locator("svg.graph g.certified circle, svg.graph g.fell circle").first
    dot.scroll_into_view_if_needed()
    dot.hover()
    words = dot.locator("title").text_content()
    assert page.locator("output.node").text_content() == words
    node = int(re.match(r"node (\d+)", words)[1])
    assert f"label {certificate.labels[node]}, true {content.truth[node]}, votes" in words
    dot.click()
    assert [row["node"] for row in table(page)] == [str(node)]
    page.locator("input.find").fill("")


def test_paper_shows_no_part_that_needs_a_script_and_so_many_rows(page: Any) -> None:
    assert page.locator("input.find").is_visible()
    assert not page.locator(".printed").is_visible()
    everything = table(page)
    page.emulate_media(media="print")
    assert not page.locator(".scripted").first.is_visible()
    assert not page.locator("input.find").is_visible()
    assert page.locator(".printed").is_visible()
    assert table(page) == everything[:PRINTED_ROWS]
    assert page.evaluate("""() => [...document.querySelectorAll("*")].every(
        (one) => !["sticky", "fixed"].includes(getComputedStyle(one).position))""")
    assert page.evaluate("""() => [...document.querySelectorAll("table, figure")].every(
        (one) => getComputedStyle(one).breakInside === "avoid")""")
    page.emulate_media(media="screen")


def test_without_scripts_the_page_is_complete(browser: Any, runs: dict[str, Path], page: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    silent = context.new_page()
    silent.goto(runs["localized"].as_uri())
    assert not silent.locator("input.find").is_visible()
    rows = silent.locator(".nodes tbody tr")
    assert rows.count() == len(table(page))
    assert rows.first.is_visible()
    assert silent.locator("svg.graph circle").count() == 240
    context.close()
