"""The classifier of the largest mean score in a report without sweeps: its own numbers, beside those of the votes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from report_contents import Page, make_content, make_votes

from graphcert.certificates import ScoreCertificate, certify_scores
from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Smoothing
from graphcert.report import ReportContent, render
from graphcert.report.frame.wording import budget_words, number, percent
from graphcert.votes import BINS, UNIT, Scores, Votes

NODES, SAMPLES = 60, 2000
HEADING = "Another classifier: the largest mean score"
SCHEMES: dict[str, Any] = {
    "flips": Smoothing(BernoulliFlip(0.05, 0.6)),
    "gaussian": Smoothing(Gaussian(0.5)),
    "selected rows": Hierarchical(0.9, Gaussian(0.5)),
}


def make_scores(votes: Votes, confidence: float = 0.9) -> Scores:
    """Scores of the label: as many high ones as votes, the rest low; labels of the first three nodes are other ones."""
    rows = np.arange(votes.nodes)
    low, high = int(0.05 * UNIT), int(confidence * UNIT)
    hits = votes.successes
    histogram = np.zeros((votes.nodes, BINS), np.int64)
    np.add.at(histogram, (rows, np.full(votes.nodes, high * BINS // UNIT)), hits)
    np.add.at(histogram, (rows, np.full(votes.nodes, low * BINS // UNIT)), votes.samples - hits)
    pilot = np.zeros((votes.nodes, votes.classes), np.int64)
    pilot[rows, (votes.labels + (rows < 3)) % votes.classes] = 1
    sums, squares = (hits * high**k + (votes.samples - hits) * low**k for k in (1, 2))
    return Scores(pilot, sums, squares, histogram)


def scored(scheme: Any) -> tuple[ReportContent, ScoreCertificate]:
    votes, truth = make_votes(NODES, scheme, SAMPLES, clarity=100)
    votes = replace(votes, scores=make_scores(votes))
    content = make_content(votes, truth, targets=np.arange(0, NODES, 2))
    scores = certify_scores(votes, content.certificate.alpha, targets=content.certificate.targets)
    return replace(content, scores=scores), scores


@pytest.mark.parametrize("name", SCHEMES)
def test_both_classifiers_stand_side_by_side_each_with_its_own_numbers(name: str) -> None:
    content, scores = scored(SCHEMES[name])
    page = Page(render(content))
    said = " ".join("".join(page.text).split())
    assert HEADING in said
    assert " ".join(scores.guarantee().split()) in said
    assert f"It labels 2 of {number(scores.claims)} targets otherwise" in said, "nodes 0 and 2 of every second"
    tables = {caption: rows for caption, rows in page.tables.items() if rows[0] == ["budget", "mean score", "votes"]}
    assert len(tables) == (2 if name == "flips" else 1)
    different = 0
    for caption, rows in tables.items():
        for words, *cells in rows[1:]:
            counts = []
            for claims in (scores, content.certificate):
                if "‖δ‖₂" in words or caption.startswith("ℓ2"):
                    limit = 1 if name == "selected rows" else None
                    norm = float(words.split("≤ ")[1].split(" ")[0]) if "≤" in words else 0.0
                    counts.append(int(claims.robust(nodes=limit, shift=norm).sum()))
                else:
                    (budget,) = (b for b in _budgets(content, caption) if budget_words(b) == words)
                    counts.append(int(claims.robust(budget).sum()))
            assert cells == [f"{number(count)} ({percent(count, scores.claims)})" for count in counts]
            different += counts[0] != counts[1]
    assert different > 2, "one classifier's numbers in the place of the other's would be seen"


def _budgets(content: ReportContent, caption: str) -> list[Any]:
    (grid,) = (grid for grid in content.curves if caption.startswith(f"Feature {grid.axes[0].split('_')[1][:3]}"))
    return [replace(grid.fixed, **{grid.axes[0]: value}) for value in grid.values[0]]


def test_without_scores_or_with_sweeps_of_both_there_is_no_such_section() -> None:
    content, _ = scored(SCHEMES["flips"])
    assert HEADING not in render(replace(content, scores=None))
    curve = content.certificate.collective(add=(0, 1), method="naive")
    swept = replace(content, collective=({"naive": curve},), mean_score=(curve,))
    assert HEADING not in render(swept)
    assert "Compared with other classifiers" in render(swept)


@pytest.mark.parametrize(("method", "words"), [("binary", "one half"), ("multiclass", "that of every other class")])
def test_the_rule_of_the_mean_scores_is_named(method: str, words: str) -> None:
    content, scores = scored(SCHEMES["flips"])
    content = replace(content, scores=replace(scores, method=method))
    assert words in render(content)
    curve = content.certificate.collective(add=(0, 1), method="naive")
    swept = render(replace(content, collective=({"naive": curve},), mean_score=(curve,)))
    assert f"certified where the mean score stays above {words}" in swept


def test_scores_about_other_targets_are_refused() -> None:
    content, _ = scored(SCHEMES["flips"])
    other = certify_scores(content.votes, targets=[1, 3])
    with pytest.raises(InputError, match="about the targets of its certificate"):
        replace(content, scores=other)
