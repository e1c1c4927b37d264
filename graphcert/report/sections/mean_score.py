"""The classifier of the largest mean score beside that of the most votes, each node alone."""

from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.certificates import Certificate, ScoreCertificate
from graphcert.collective.curve import SHIFT
from graphcert.config import norm_values
from graphcert.errors import UnsupportedError
from graphcert.noise import Budget, Selected
from graphcert.report.content import ReportContent
from graphcert.report.laws import norm_of, smallest_scale
from graphcert.report.measures import budget_at
from graphcert.report.page import block
from graphcert.report.plots import ladder_plot
from graphcert.report.sections.section import Section, gallery
from graphcert.report.wording import axis_words, besides, budget_words, number, percent, points, shift_words

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
    claims, norm = content.certificate.claims, norm_of(content.certificate.smoothing)
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
    scale, norm = smallest_scale(smoothing), norm_of(smoothing)
    if scale is None:
        return []
    limit = 1 if isinstance(smoothing.levels("features")[0], Selected) else None
    norms = norm_values(SHIFT, ",".join(f"{k * scale / 4:.4g}" for k in range(_STEPS + 1)))
    words = [shift_words(norm, size, limit) for size in norms]
    budget = Budget(nodes=limit)
    both = [_certified(claims, [(budget, size) for size in norms]) for claims in (scores, content.certificate)]
    return [_Compared(f"{norm} {axis_words(SHIFT)}{besides(budget)}", SHIFT, norms, words, *both)]


def _certified(claims: Certificate | ScoreCertificate, budgets: list[tuple[Budget, float | None]]) -> NDArray[np.int64]:
    """(B,) robust targets; none where a budget is too large for exact arithmetic."""
    counts = np.zeros(len(budgets), np.int64)
    for i, (budget, size) in enumerate(budgets):
        try:
            counts[i] = claims.robust(budget, shift=size).sum()
        except UnsupportedError:
            continue
    return counts
