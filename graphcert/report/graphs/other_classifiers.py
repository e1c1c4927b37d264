"""The sections about other classifiers beside that of the most votes: isotropic noise, and the largest mean score."""

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

import numpy as np
from markupsafe import Markup

from graphcert.certificates import Certificate, ScoreCertificate
from graphcert.collective.curve import SHIFT
from graphcert.errors import UnsupportedError
from graphcert.noise import Budget
from graphcert.report.frame.html import Section, block, gallery
from graphcert.report.frame.wording import (
    besides,
    budget_words,
    change_words,
    flip_words,
    heading,
    method_name,
    number,
    percent,
    shift_words,
)
from graphcert.report.graphs.content import MEAN_SCORE, ReportContent
from graphcert.report.graphs.measures import budget_at
from graphcert.report.graphs.sweep import Counts
from graphcert.report.plots import counts_plot
from graphcert.tradeoff.base import rounded_up

_MEAN_SCORE_WORDS = (
    "Mean score: the classifier of the largest mean score in place of the most votes, by a band around the distribution of "
    "its scores and the exact trade-offs. It may give other labels; its claims are its own and are never mixed with those "
    "of the votes."
)
_RULES = {
    "binary": " Its label is certified where the mean score stays above one half.",
    "multiclass": " Its label is certified where the mean score stays above that of every other class.",
}
_STEPS = 12
"""Norms above 0 of a curve, up to three times the scale of the noise."""


def others(content: ReportContent) -> Section | None:
    """The same model smoothed in another way, over the budgets of the collective certificate."""
    if not content.sweeps or (content.isotropic is None and not content.mean_score):
        return None
    figures, tables = [], []
    for i, sweep in enumerate(content.sweeps):
        strongest, beside = method_name(sweep.strongest), content.other_classifiers(i)
        for name, curve in beside.items():
            pair = {name: curve.certified, f"votes, {strongest}": sweep.best.certified}
            figures += sweep.plots(pair, f"{name[0]}{i}")
        counts = {strongest: sweep.best.certified, **{name: curve.certified for name, curve in beside.items()}}
        words = [sweep.words(k) for k in range(len(sweep.best))]
        tables.append(_table(f"Certified, of {number(sweep.best.targets)}", words, counts, sweep.best.targets))
    sentences = []
    if (other := content.isotropic) is not None:
        accuracy = f"{100 * other.accuracy:.1f}% against {100 * other.localized_accuracy:.1f}% of the targets right"
        sentences.append(
            f"Isotropic: the same model under the same noise everywhere, as strong as leaves it at equal accuracy "
            f"({accuracy}): {flip_words(other.smoothing)}. Each node is judged alone; under such noise all targets together "
            "survive exactly what each survives alone."
        )
    if content.mean_score:
        sentences.append(_MEAN_SCORE_WORDS + ("" if content.scores is None else _RULES[content.scores.method]))
    return _section("Compared with other classifiers", [block("points", sentences)], figures, tables)


def mean_score(content: ReportContent) -> Section | None:
    """Both classifiers over the same budgets, unless sweeps of the collective certificate show them together anyway."""
    scores = content.scores
    if scores is None or content.mean_score:
        return None
    claims, norm, figures, tables = content.certificate.claims, content.norm, [], []
    for i, (axis, title, changes) in enumerate(_axes(content)):
        values, words, budgets, shifts = zip(*changes, strict=True)
        counts = {
            name: _certified(claimed, budgets, shifts)
            for name, claimed in ((MEAN_SCORE, scores), ("votes", content.certificate))
        }
        figures.append((title, Markup(counts_plot(axis, values, counts, claims, f"score{i}", norm))))
        tables.append(_table(f"{title}, of {number(claims)}", words, counts, claims))
    text = block("paragraphs", [_MEAN_SCORE_WORDS, _difference(content, scores)])
    parts = [text, block("statement", scores.guarantee())]
    return _section("Another classifier: the largest mean score", parts, figures, tables)


def _section(
    title: str, parts: list[Markup], figures: Sequence[tuple[str, Markup]], tables: Sequence[Markup]
) -> Section:
    """Text, plots and the folded tables behind them."""
    if figures:
        parts = [*parts, gallery(figures)]
    if tables:
        parts = [*parts, block("folded", "The numbers behind the curves", block("columns", tables))]
    return Section(title, Markup().join(parts))


def _table(caption: str, words: Sequence[str], counts: dict[str, Counts], targets: int) -> Markup:
    """Counts and shares of every classifier by budget."""
    rows = [
        [budget, *(f"{number(count)} ({percent(count, targets)})" for count in row)]
        for budget, *row in zip(words, *(found.tolist() for found in counts.values()), strict=True)
    ]
    return block("table", caption, ["budget", *counts], rows)


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


def _axes(content: ReportContent) -> list[tuple[str, str, list[tuple[float, str, Budget, float]]]]:
    """Axes of budgets: name, heading, and per budget its value, words, counts and norm."""
    found = []
    for grid in content.curves:
        budgets = [budget_at(grid, value) for value in grid.values[0]]
        changes = [(float(v), budget_words(b), b, 0.0) for v, b in zip(grid.values[0], budgets, strict=True)]
        found.append((grid.axes[0], heading(grid.axes[0], grid.fixed).capitalize(), changes))
    scale, limit = content.certificate.smoothing.smallest_scale, content.node_limits[0]
    if scale is not None:
        written = [Fraction(f"{k * scale / 4:.4g}") for k in range(_STEPS + 1)]
        norms = [rounded_up(norm.numerator, norm.denominator) for norm in written]
        budget = Budget(nodes=limit)
        changes = [(norm, shift_words(content.norm, norm, limit), budget, norm) for norm in norms]
        found.append((SHIFT, change_words(content.norm) + besides(budget), changes))
    return found


def _certified(claims: Certificate | ScoreCertificate, budgets: Sequence[Budget], shifts: Sequence[float]) -> Counts:
    """(B,) robust targets; none where a budget is too large for exact arithmetic."""
    counts = np.zeros(len(budgets), np.int64)
    for i, (budget, shift) in enumerate(zip(budgets, shifts, strict=True)):
        with suppress(UnsupportedError):
            counts[i] = claims._kept(budget, shift).sum()
    return counts
