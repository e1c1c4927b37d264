"""The numbers of a report against their definitions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_contents import CLASSES, ReportContent, make_content, make_votes, variants

from graphcert.noise import Budget
from graphcert.report import summary_lines
from graphcert.report.frame.wording import alternatives, budget_words, number, percent, seconds, setting
from graphcert.report.graphs.measures import abstention_threshold, class_counts, headline, out_of_reach, reach

VARIANTS = variants()


@given(st.integers(1, 10**6).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_percentages_are_rounded_down(pair: tuple[int, int]) -> None:
    count, total = pair
    shown = Fraction(percent(count, total)[:-1]) / 100
    assert shown <= Fraction(count, total) < shown + Fraction(1, 1000)


def test_a_share_of_nothing_is_no_number() -> None:
    assert percent(0, 0) == "–"


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(), "no change"),
        (Budget(1), "1 feature bit added"),
        (Budget(0, 2000), "2,000 feature bits deleted"),
        (Budget(2, 1), "2 feature bits added and 1 deleted"),
        (Budget(0, 1, 1, 3), "1 feature bit deleted, 1 edge added and 3 deleted"),
    ],
)
def test_budgets_in_words(budget: Budget, words: str) -> None:
    assert budget_words(budget) == words


def test_other_words() -> None:
    assert [alternatives(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a or b", "a, b or c"]
    assert [seconds(s) for s in (0.041, 9.96, 12.34, 59.9, 60, 187.4, 3599.9)] == [
        "0.04 s", "9.96 s", "12.3 s", "59.9 s", "1 min 00 s", "3 min 07 s", "60 min 00 s",
    ]  # fmt: skip
    assert [setting(v) for v in (None, True, 0.01, "", (), {}, ("a", None))] == [
        "–",
        "yes",
        "0.01",
        "",
        "–",
        "–",
        "a, –",
    ]


@pytest.mark.parametrize("share", [(9, 10), (1, 2), (1, 10), (1, 150), (1, 1)])
@pytest.mark.parametrize("name", ["default", "no abstentions", "all abstain", "gaps", "besides", "multi-class"])
def test_reach_is_a_quantile_of_the_nodes_own_reaches(name: str, share: tuple[int, int]) -> None:
    content = VARIANTS[name]
    certificate = content.certificate
    for grid in content.curves:
        own = np.full(certificate.nodes, -1)
        for value in sorted(grid.values[0]):
            own[certificate.robust(replace(grid.fixed, **{grid.axes[0]: value}))] = value
        descending = np.sort(own[certificate.targets])[::-1]
        needed = -(-share[0] * certificate.claims // share[1])
        expected = int(descending[needed - 1])
        found = reach(grid, certificate.claims, share)
        assert found.budget == (None if expected < 0 else expected)
        assert found.beyond == (expected == max(grid.values[0]))


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "all abstain, multi-class"])
def test_the_threshold_parts_those_who_abstain_from_those_who_do_not(name: str) -> None:
    content = VARIANTS[name]
    certificate, votes = content.certificate, content.votes
    threshold = abstention_threshold(content)
    shares = votes.successes / votes.samples
    assert threshold is not None
    if certificate.method == "binary":
        np.testing.assert_array_equal((shares >= threshold) & certificate.targets, ~certificate.abstained)
    else:
        assert threshold == shares[~certificate.abstained].min()


def test_without_any_hope_there_is_no_threshold() -> None:
    assert abstention_threshold(VARIANTS["all abstain, multi-class"]) is None
    assert abstention_threshold(make_content(*make_votes(samples=10))) is None


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_unanimous_votes_are_certified_up_to_what_is_out_of_reach(method: str) -> None:
    votes, truth = make_votes(samples=100, clarity=10**9)
    assert np.all(votes.successes == 100)
    content = make_content(votes, truth, method=method)
    for grid in content.curves:
        first = out_of_reach(content, grid)
        assert first is not None
        assert not content.certificate.robust(first).any()
        values = dict(zip(grid.axes, [getattr(first, grid.axes[0]) - 1], strict=True))
        assert content.certificate.robust(Budget(**values)).all()


def test_what_is_out_of_reach_does_not_depend_on_the_votes() -> None:
    clear, unclear = (make_content(*make_votes(clarity=clarity)) for clarity in (1000, 3))
    for one, other in zip(clear.curves, unclear.curves, strict=True):
        assert out_of_reach(clear, one) == out_of_reach(unclear, other)
    assert out_of_reach(clear, clear.certificate.grid(add=range(2))) is None
    assert out_of_reach(make_content(*make_votes(samples=10)), clear.curves[0]) == Budget()


def test_class_counts() -> None:
    content = VARIANTS["some unknown labels"]
    counts = class_counts(content, content.truth)
    targets = content.certificate.targets
    assert [count for count, _ in counts] == [int((targets & (content.truth == k)).sum()) for k in range(CLASSES)]
    assert sum(count for count, _ in counts) == int((content.truth >= 0).sum()) < content.certificate.claims


@pytest.mark.parametrize("name", VARIANTS)
def test_the_headline_begins_with_no_change_and_names_every_axis(name: str) -> None:
    content = VARIANTS[name]
    rows = headline(content)
    assert rows[0].budget == Budget()
    assert len({row.budget for row in rows}) == len(rows) <= 11
    for row in rows:
        robust = content.certificate.robust(row.budget)
        assert (row.certified, row.correct) == (
            robust.sum(),
            (robust & content.certificate.correct(content.truth)).sum(),
        )
    for grid in content.curves:
        assert any(getattr(row.budget, grid.axes[0]) == 1 for row in rows)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_summary_is_short_aligned_and_true(name: str) -> None:
    content: ReportContent = VARIANTS[name]
    lines, certificate = summary_lines(content), content.certificate
    assert 3 <= len(lines) <= 15
    assert not any("\n" in line for line in lines)
    assert f"α = {certificate.alpha:g}" in lines[0]
    assert ("all claims together" in lines[0]) == certificate.simultaneous
    table = [line for line in lines if line.startswith("  ")]
    assert len({len(line) for line in table}) == 1
    assert ("accuracy" in table[0]) == content.has_truth
    clean = next(line for line in table if "no change" in line).split()
    assert clean[2:4] == [
        number((~certificate.abstained).sum()),
        percent(int((~certificate.abstained).sum()), certificate.claims),
    ]
    silent = certificate.abstained & certificate.targets
    assert lines[-1].startswith(f"{number(silent.sum())} of {number(certificate.claims)} targets abstain")


def test_the_summary_says_how_far_half_of_the_targets_hold() -> None:
    content = VARIANTS["default"]
    words = []
    for axis in ("feature_add", "feature_delete"):
        holds = [k for k in range(7) if content.certificate.certified_ratio(Budget(**{axis: k})) >= 0.5]
        words.append(budget_words(Budget(**{axis: max(holds)})))
    assert f"half of the targets hold up to {words[0]} or {words[1]}" in summary_lines(content)
    assert "hold up to 1 feature bit added and 1 deleted" in "".join(summary_lines(VARIANTS["besides"]))
    assert "≥ 6 feature bits deleted" in "".join(summary_lines(VARIANTS["no abstentions"]))
    assert "hold up to" not in "".join(summary_lines(VARIANTS["all abstain"]))
