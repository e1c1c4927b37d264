"""The classifier of the largest mean score beside that of the most votes, each node alone."""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.certificates import Certificate, ScoreCertificate
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import SHIFT
from graphcert.errors import UnsupportedError
from graphcert.noise import Budget
from graphcert.report.frame.html import Section, block, gallery
from graphcert.report.frame.wording import (
    axis_words,
    besides,
    budget_words,
    method_name,
    number,
    percent,
    points,
    shift_words,
)
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import budget_at
from graphcert.report.graphs.noise_words import flip_words
from graphcert.report.graphs.sweep import Ladder, ladders
from graphcert.report.plots import ladder_plot
from graphcert.tradeoff.base import rounded_up

MEAN_SCORE = "mean score"
EXPLAINED = (
    "Mean score: the classifier of the largest mean score in place of the most votes, by a band around the distribution of "
    "its scores and the exact trade-offs. It may give other labels; its claims are its own and are never mixed with those "
    "of the votes."
)
_STEPS = 12
"""Norms above 0 of a curve, up to three standard deviations of the noise."""


class _Compared(NamedTuple):
    """Certified targets of both classifiers over B budgets of one axis.

    Attributes:
        heading: the axis.
        axis, values: its name and the budgets.
        words: (B,) the budgets in words.
        scores, votes: (B,) certified targets.
    """

    heading: str
    axis: str
    values: tuple[float, ...]
    words: list[str]
    scores: NDArray[np.int64]
    votes: NDArray[np.int64]


def mean_score(content: ReportContent) -> Section | None:
    """Both classifiers over the same budgets, unless sweeps of the collective certificate show them together anyway."""
    scores = content.scores
    if scores is None or content.mean_score:
        return None
    compared = [*_counted(content, scores), *_moved(content, scores)]
    claims, norm = content.certificate.claims, content.certificate.smoothing.norm
    figures, tables = [], []
    for i, one in enumerate(compared):
        ratios = {MEAN_SCORE: one.scores / claims, "votes": one.votes / claims}
        gain = f"{points(int((one.votes - one.scores).max()), claims)} points"
        svg = ladder_plot(one.axis, one.values, ratios, gain, f"score{i}", norm)
        figures.append((one.heading, Markup(svg)))
        rows = [
            [words, *(f"{number(count)} ({percent(count, claims)})" for count in counts)]
            for words, *counts in zip(one.words, one.scores.tolist(), one.votes.tolist(), strict=True)
        ]
        tables.append(block("table", f"{one.heading}, of {number(claims)}", ["budget", MEAN_SCORE, "votes"], rows))
    parts = [
        block("paragraphs", [EXPLAINED, _difference(content, scores)]),
        block("statement", scores.guarantee()),
        *([gallery(figures)] if figures else []),
        block("folded", "Both classifiers, budget by budget", block("columns", tables)) if tables else Markup(),
    ]
    return Section("Another classifier: the largest mean score", Markup().join(parts))


def _difference(content: ReportContent, scores: ScoreCertificate) -> str:
    """Whose labels differ, and what both statements are worth together."""
    certificate = content.certificate
    differ = int((certificate.targets & (certificate.labels != scores.labels)).sum())
    silent = int((scores.abstained & scores.targets).sum())
    targets = number(certificate.claims)
    words = f"It labels {number(differ)} of {targets} targets otherwise and abstains at {number(silent)}. "
    if content.has_truth:
        right = int((scores.targets & ~scores.abstained & scores.correct(content.truth)).sum())
        words += f"{percent(right, certificate.claims)} of the targets are certified and right without a change. "
    return (
        f"{words}Each target is judged alone. The claims of either classifier hold at α = {scores.alpha:g}; a statement "
        "that rests on both holds at twice that."
    )


def _counted(content: ReportContent, scores: ScoreCertificate) -> list[_Compared]:
    """Over the budgets of every curve of the report."""
    found = []
    for grid in content.curves:
        budgets = [budget_at(grid, (value,)) for value in grid.values[0]]
        heading = f"{axis_words(grid.axes[0]).capitalize()}{besides(grid.fixed)}"
        words = [budget_words(budget) for budget in budgets]
        both = [_certified(claims, [(budget, None) for budget in budgets]) for claims in (scores, content.certificate)]
        found.append(_Compared(heading, grid.axes[0], grid.values[0], words, *both))
    return found


def _moved(content: ReportContent, scores: ScoreCertificate) -> list[_Compared]:
    """Over norms, under continuous noise; of selected rows, one may move."""
    smoothing = content.certificate.smoothing
    scale, norm = smoothing.smallest_scale, smoothing.norm
    if scale is None:
        return []
    limit = 1 if smoothing.selects_rows else None
    written = [Fraction(f"{k * scale / 4:.4g}") for k in range(_STEPS + 1)]
    norms = tuple(rounded_up(norm.numerator, norm.denominator) for norm in written)
    words = [shift_words(norm, size, limit) for size in norms]
    budget = Budget(nodes=limit)
    both = [_certified(claims, [(budget, size) for size in norms]) for claims in (scores, content.certificate)]
    return [_Compared(f"{norm} {axis_words(SHIFT)}{besides(budget)}", SHIFT, norms, words, *both)]


def _certified(claims: Certificate | ScoreCertificate, budgets: list[tuple[Budget, float | None]]) -> NDArray[np.int64]:
    """(B,) robust targets; none where a budget is too large for exact arithmetic."""
    counts = np.zeros(len(budgets), np.int64)
    for i, (budget, size) in enumerate(budgets):
        try:
            counts[i] = claims._kept(budget, size or 0.0).sum()
        except UnsupportedError:
            continue
    return counts


_ISOTROPIC = "isotropic"


def others(content: ReportContent) -> Section | None:
    """The same budgets for the same model smoothed in another way."""
    swept = ladders(content)
    if not swept or (content.isotropic is None and not content.mean_score):
        return None
    parts = [block("points", _sentences(content))]
    figures = [plot for i, ladder in enumerate(swept) for plot in _curves(content, ladder, i)]
    if figures:
        parts.append(gallery(figures))
    tables = [_table(ladder, {method_name(ladder.strongest): ladder.best, **_beside(content, i)})
              for i, ladder in enumerate(swept)]  # fmt: skip
    parts.append(block("folded", "The numbers behind the curves", block("columns", tables)))
    return Section("Compared with other classifiers", Markup().join(parts))


def _beside(content: ReportContent, sweep: int) -> dict[str, CollectiveCurve]:
    """The curves of the other classifiers over one sweep."""
    found = {} if content.isotropic is None else {_ISOTROPIC: content.isotropic.curves[sweep]}
    return found | ({MEAN_SCORE: content.mean_score[sweep]} if content.mean_score else {})


def _sentences(content: ReportContent) -> list[str]:
    found = []
    if (other := content.isotropic) is not None:
        accuracy = f"{100 * other.accuracy:.1f}% against {100 * other.localized_accuracy:.1f}% of the targets right"
        found.append(
            f"Isotropic: the same model under the same noise everywhere, as strong as leaves it at equal accuracy "
            f"({accuracy}): {flip_words(other.smoothing)}. Each node is judged alone; under such noise all targets together "
            "survive exactly what each survives alone."
        )
    if content.mean_score:
        found.append(EXPLAINED)
    return found


def _curves(content: ReportContent, ladder: Ladder, sweep: int) -> list[tuple[str, Markup]]:
    """One plot per other classifier, if the sweep has one axis."""
    grid = ladder.panel(ladder.best.ratio)
    if grid is None or len(grid.axes) != 1:
        return []
    plots = []
    for name, curve in _beside(content, sweep).items():
        theirs = ladder.panel(curve.ratio)
        assert theirs is not None  # the budgets are those of the ladder
        most = int((ladder.best.certified - curve.certified).max())
        ratios = {name: theirs.numbers, f"votes, {method_name(ladder.strongest)}": grid.numbers}
        gain = f"{points(most, curve.targets)} points"
        svg = ladder_plot(grid.axes[0], grid.values[0], ratios, gain, f"{name[0]}{sweep}", ladder.norm)
        plots.append((ladder.heading, Markup(svg)))
    return plots


def _table(ladder: Ladder, curves: Mapping[str, CollectiveCurve]) -> Markup:
    rows = [
        [ladder.words(i), *(f"{number(int(c.certified[i]))} ({percent(int(c.certified[i]), c.targets)})"
                                 for c in curves.values())]
        for i in range(len(ladder.best))
    ]  # fmt: skip
    return block("table", f"Certified, of {number(ladder.best.targets)}", ["budget", *curves], rows)
