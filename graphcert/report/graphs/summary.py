"""The result in a few lines of plain text, for a terminal."""

import math
from collections.abc import Sequence

import numpy as np

from graphcert.report.frame.wording import (
    NOTHING,
    alternatives,
    budget_words,
    method_name,
    number,
    percent,
    shift_words,
)
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import budget_at, headline, reach
from graphcert.report.graphs.sweep import Ladder, ladders, largest_gain

_LONGEST_TABLE = 9
_LONGEST_SWEEP = 12


def summary_lines(content: ReportContent) -> list[str]:
    """At most 15 lines: what was certified, the certified ratio at a few budgets, the median target, who abstained."""
    certificate, claims = content.certificate, content.certificate.claims
    together = "all claims together" if certificate.simultaneous else "each claim by itself"
    lines = [f"{content.title}: {number(claims)} targets, α = {certificate.alpha:g} ({together})"]
    lines += _table(content)
    lines += _half(content)
    lines += _together(content)
    silent = certificate.abstained & certificate.targets
    line = f"{number(int(silent.sum()))} of {number(claims)} targets abstain ({percent(int(silent.sum()), claims)})"
    if content.has_truth and silent.any():
        right = int((silent & certificate.correct(content.truth)).sum())
        line += f"; {percent(right, int(silent.sum()))} of them are labelled correctly"
    return [*lines, line]


def _table(content: ReportContent) -> list[str]:
    """The certified ratio (and accuracy) at a few budgets, in aligned columns."""
    claims = content.certificate.claims
    rows = [("budget", "certified", "ratio", "accuracy")]
    for row in headline(content)[:_LONGEST_TABLE]:
        words, certified = budget_words(row.budget), number(row.certified)
        rows.append((words, certified, percent(row.certified, claims), percent(row.correct, claims)))
    kept = rows if content.has_truth else [row[:3] for row in rows]
    return _aligned(kept)


def _aligned(kept: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells in columns; the first is set to the left."""
    widths = [max(len(row[i]) for row in kept) for i in range(len(kept[0]))]
    numbers = ["".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)) for row in kept]
    return [f"  {row[0]:<{widths[0]}}{cells}" for row, cells in zip(kept, numbers, strict=True)]


def _half(content: ReportContent) -> list[str]:
    """How far half of the targets hold, axis by axis; no line if they do not even survive one change."""
    found = [(grid, reach(grid, content.certificate.claims, (1, 2))) for grid in content.curves]
    far = [
        f"{'≥ ' if reached.beyond else ''}{budget_words(budget_at(grid, (reached.budget,)))}"
        for grid, reached in found
        if reached.budget
    ]
    far += _half_moved(content)
    return [f"half of the targets hold up to {alternatives(far)}"] if far else []


def _half_moved(content: ReportContent) -> list[str]:
    """The same in the norm of continuous noise; of selected rows, one may move."""
    smoothing = content.certificate.smoothing
    norm = smoothing.norm
    if not norm:
        return []
    limit = 1 if smoothing.selects_rows else None
    radii = np.sort(content.certificate.radius(limit)[content.certificate.targets])[::-1]
    middle = float(radii[(len(radii) - 1) // 2])
    return [shift_words(norm, middle, limit)] if 0 < middle < np.inf else []


def _together(content: ReportContent) -> list[str]:
    """What the collective certificate says where it gains most; no line if there is none to compare."""
    found = largest_gain(content)
    if found is None:
        return []
    ladder, i = found
    claims, weakest = content.certificate.claims, method_name(ladder.weakest)
    if ladder.gain[i] <= 0:
        return [f"all at once: no more than {weakest}"]
    together, alone = (int(curve.certified[i]) for curve in (ladder.best, ladder.curves[ladder.weakest]))
    at = ladder.words(i)
    return [f"all at once: {percent(together, claims)} at {at} ({weakest} {percent(alone, claims)})"]


def collective_lines(content: ReportContent) -> list[str]:
    """A table per sweep: the certified ratio by every method, then count, accuracy and gap of the strongest one."""
    claims = content.certificate.claims
    lines = [f"{content.title}: {number(claims)} targets at once, α = {content.certificate.alpha:g}"]
    for sweep, ladder in enumerate(ladders(content)):
        chosen = np.unique(np.linspace(0, len(ladder.best) - 1, _LONGEST_SWEEP).round().astype(int)).tolist()
        few = f"{len(chosen)} of {number(len(ladder.best))} budgets, the others are in collective.csv"
        shown = few if len(chosen) < len(ladder.best) else "every budget"
        lines += [f"{ladder.heading} ({shown}); count and gap by {method_name(ladder.strongest)}"]
        lines += _aligned(_sweep_rows(content, ladder, sweep, chosen))
    return lines


def _sweep_rows(content: ReportContent, ladder: Ladder, sweep: int, chosen: Sequence[int]) -> list[list[str]]:
    claims, best = content.certificate.claims, ladder.best
    beside = {} if content.isotropic is None else {"isotropic": content.isotropic.curves[sweep]}
    beside |= {"mean score": content.mean_score[sweep]} if content.mean_score else {}
    right = None
    if best.correct_targets is not None and best.correct_upper is not None and content.has_truth:
        right = best.correct_targets - best.correct_upper
    header = [
        "budget",
        *map(method_name, ladder.curves),
        "certified",
        *["accuracy"] * (right is not None),
        "gap",
        *beside,
    ]
    rows = [header]
    for i in chosen:
        row = [ladder.words(i), *(percent(int(curve.certified[i]), claims) for curve in ladder.curves.values())]
        row += [number(int(best.certified[i])), *([] if right is None else [percent(int(right[i]), claims)])]
        gap = float(best.gap[i])
        row += [number(math.ceil(gap)) if math.isfinite(gap) else NOTHING]
        rows.append(row + [percent(int(curve.certified[i]), claims) for curve in beside.values()])
    return rows
