"""The page that compares runs: its numbers are those of the certificates, and what cannot be compared is said."""

from dataclasses import replace

import numpy as np
import pytest
from report_contents import ONLY_EDGES, Page, default_content, localized_content, make_content, make_votes, norm_content

from graphcert.errors import InputError
from graphcert.noise import Budget
from graphcert.report import ReportContent
from graphcert.report.frame.wording import number, percent
from graphcert.report.graphs.comparison import comparison_page, write_comparison


def compared(**runs: ReportContent) -> tuple[str, Page]:
    page = comparison_page(runs).html()
    return " ".join(page.split()), Page(page)


@pytest.fixture(scope="module")
def pair() -> dict[str, ReportContent]:
    """The same graph and targets under the same noise with other votes, and a curve that is longer."""
    votes, truth = make_votes(seed=1, clarity=60)
    other = make_content(votes, truth, targets=np.arange(0, votes.nodes, 2))
    grid = other.certificate.grid(delete=range(9), truth=truth)
    return {"first": default_content(), "second": replace(other, grids=(grid,))}


def test_the_numbers_are_those_of_the_certificates(pair: dict[str, ReportContent]) -> None:
    _, page = compared(**pair)
    rows = page.tables["Feature deletions, each target alone: certified ratio (and accuracy)"]
    assert rows[0] == ["budget", "1 first", "2 second"]
    assert [int(row[0]) for row in rows[1:]] == list(range(9))
    for budget, *cells in rows[1:]:
        for cell, content in zip(cells, pair.values(), strict=True):
            robust = content.certificate.robust(Budget(feature_delete=int(budget)))
            right, claims = robust & content.certificate.correct(content.truth), content.certificate.claims
            assert cell == f"{percent(int(robust.sum()), claims)} ({percent(int(right.sum()), claims)})"
    facts = {row[0]: row[1:] for row in page.tables["What was certified"]}
    assert facts["targets"] == [number(content.certificate.claims) for content in pair.values()]
    for cell, content in zip(facts["accuracy"], pair.values(), strict=True):
        right = content.certificate.correct(content.truth) & content.certificate.targets
        assert cell == percent(int(right.sum()), content.certificate.claims)


def test_runs_of_one_graph_targets_and_level_are_compared_without_a_warning(pair: dict[str, ReportContent]) -> None:
    text, _ = compared(**pair)
    assert "different" not in text.partition("<main>")[0]
    assert "together 0.02" in text


def test_what_cannot_be_compared_is_said(pair: dict[str, ReportContent]) -> None:
    first = pair["first"]
    votes, truth = make_votes()
    elsewhere = replace(votes, manifest={"data": "another graph"})
    cases = {
        "about different graphs": make_content(elsewhere, truth, targets=first.certificate.targets),
        "about different targets of the same graph": make_content(votes, truth),
        "different error rates (α = 0.01 for all claims together, α = 0.05 for all claims together)": make_content(
            votes, truth, targets=first.certificate.targets, alpha=0.05
        ),
        "α = 0.01 for each claim": make_content(
            votes, truth, targets=first.certificate.targets, simultaneous=False
        ),
    }  # fmt: skip
    for sentence, other in cases.items():
        text, _ = compared(first=first, other=other)
        assert sentence in text.partition("<main>")[0]
        assert [name for name in cases if name in text] == [sentence]


def test_a_run_that_says_nothing_about_a_change_is_named(pair: dict[str, ReportContent]) -> None:
    edges = make_content(*make_votes(smoothing=ONLY_EDGES))
    text, page = compared(features=pair["first"], edges=edges)
    assert page.tables["Edge deletions, each target alone: certified ratio (and accuracy)"][0] == ["budget", "2 edges"]
    assert "Edge deletions: nothing is claimed by 1 features." in text
    assert "Feature deletions: nothing is claimed by 2 edges." in text


def test_only_settings_that_differ_are_listed(pair: dict[str, ReportContent]) -> None:
    digest = "ab" * 32
    other = replace(pair["first"], settings={"model": {"sha256": digest}, "sampling": {"samples": 7, "resumed": False}})
    _, page = compared(first=pair["first"], other=other)
    rows = {row[0]: row[1:] for row in page.tables["Settings that differ"]}
    assert rows["sampling: samples"] == ["2000", "7"]
    assert rows["model: sha256"] == ["–", f"{digest[:12]}…"]
    assert "sampling: resumed" not in rows
    text, page = compared(first=pair["first"], same=pair["first"])
    assert "Nothing: all settings are the same." in text


def test_at_once_a_budget_between_two_has_what_holds_at_the_larger_one() -> None:
    content = localized_content()
    one = content.certificate.compare_methods(add=(0, 1, 2, 5), methods=("naive",), truth=content.truth)
    other = content.certificate.compare_methods(add=(0, 3, 4), methods=("naive",), truth=content.truth)
    runs = {"one": replace(content, collective=(one,)), "other": replace(content, collective=(other,))}
    _, page = compared(**runs)
    rows = page.tables["Feature additions, all targets at once: certified ratio (and accuracy)"][1:]
    assert [row[0] for row in rows] == ["0", "1", "2", "3", "4"]
    for k, places in ((1, (0, 1, 2, 3, 3)), (2, (0, 1, 1, 1, 2))):
        curve = (one, other)[k - 1].strongest
        shares = [percent(int(curve.certified[i]), curve.targets) for i in places]
        assert [row[k].partition(" ")[0] for row in rows] == shares


def test_norms_are_compared_up_to_the_largest_radius() -> None:
    content = norm_content()
    _, page = compared(one=content, other=content)
    caption = "ℓ2 norm of the change, each target alone: certified ratio (and accuracy)"
    rows = page.tables[caption]
    assert rows[-1][1].startswith("0.0%")
    assert float(rows[-1][0]) == pytest.approx(content.certificate.radius().max(), abs=1e-3)


def test_names_and_warnings_are_text_and_long_names_are_cut(pair: dict[str, ReportContent]) -> None:
    attack = "<script>alert(1)</script>" * 2
    page = comparison_page({attack: replace(pair["first"], warnings=(attack,)), "b": pair["second"]}).html()
    assert "<script" not in page


def test_one_run_and_too_many_are_refused(pair: dict[str, ReportContent], tmp_path) -> None:
    with pytest.raises(InputError, match="2 to 8 runs, got 1"):
        comparison_page({"one": pair["first"]})
    with pytest.raises(InputError, match="got 9"):
        write_comparison(tmp_path / "x.html", {str(k): pair["first"] for k in range(9)})
    assert not list(tmp_path.iterdir())
