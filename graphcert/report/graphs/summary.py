"""The result in a few lines of plain text, for a terminal."""

from collections.abc import Sequence

import numpy as np

from graphcert.report.frame.wording import alternatives, budget_words, method_name, number, percent, shift_words
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import budget_at, headline_table, reach
from graphcert.report.graphs.sweep import Sweep, largest_gain

_LONGEST_TABLE = 9
_LONGEST_SWEEP = 12


def summary_lines(content: ReportContent) -> list[str]:
    """At most 15 lines: what was certified, the certified ratio at a few budgets, the median target, who abstained."""
    certificate, claims = content.certificate, content.certificate.claims
    scope = "all claims together" if certificate.simultaneous else "each claim by itself"
    silent = certificate.abstained & certificate.targets
    abstain = int(silent.sum())
    last = f"{number(abstain)} of {number(claims)} targets abstain ({percent(abstain, claims)})"
    if content.has_truth and abstain:
        right = int((silent & certificate.correct(content.truth)).sum())
        last += f"; {percent(right, abstain)} of them are labelled correctly"
    return [
        f"{content.title}: {number(claims)} targets, α = {certificate.alpha:g} ({scope})",
        *_aligned(headline_table(content)[: 1 + _LONGEST_TABLE]), *_half(content), *_collective(content), last,
    ]  # fmt: skip


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of cells in columns; the first is set to the left."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    numbers = ["".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)) for row in rows]
    return [f"  {row[0]:<{widths[0]}}{cells}" for row, cells in zip(rows, numbers, strict=True)]


def _half(content: ReportContent) -> list[str]:
    """How far half of the targets hold, axis by axis and in the norm of real noise; no line if they do not at all."""
    certificate, limit, far = content.certificate, content.node_limits[0], []
    for grid in content.curves:
        reached = reach(grid, certificate.claims, (1, 2))
        if reached.budget:
            far.append(f"{'≥ ' if reached.beyond else ''}{budget_words(budget_at(grid, reached.budget))}")
    if content.norm:
        radii = np.sort(certificate.radius(limit)[certificate.targets])[::-1]
        middle = float(radii[(len(radii) - 1) // 2])
        far += [shift_words(content.norm, middle, limit)] if 0 < middle < np.inf else []
    return [f"half of the targets hold up to {alternatives(far)}"] if far else []


def _collective(content: ReportContent) -> list[str]:
    """What the collective certificate says where it gains most; no line if there is none to compare."""
    found = largest_gain(content.sweeps)
    if found is None:
        return []
    sweep, i = found
    weakest = method_name(sweep.weakest)
    if sweep.gain[i] <= 0:
        return [f"all at once: no more than {weakest}"]
    best, least = (percent(int(c.certified[i]), c.targets) for c in (sweep.best, sweep.curves[sweep.weakest]))
    return [f"all at once: {best} at {sweep.words(i)} ({weakest} {least})"]


def collective_lines(content: ReportContent) -> list[str]:
    """A table per sweep: the certified ratio by every method, then count, accuracy and gap of the strongest one."""
    claims = content.certificate.claims
    lines = [f"{content.title}: {number(claims)} targets at once, α = {content.certificate.alpha:g}"]
    for k, sweep in enumerate(content.sweeps):
        chosen = np.unique(np.linspace(0, len(sweep.best) - 1, _LONGEST_SWEEP).round().astype(int)).tolist()
        few = f"{len(chosen)} of {number(len(sweep.best))} budgets, the others are in collective.csv"
        shown = few if len(chosen) < len(sweep.best) else "every budget"
        lines += [f"{sweep.heading} ({shown}); count and gap by {method_name(sweep.strongest)}"]
        lines += _aligned(_sweep_rows(content, sweep, k, chosen))
    return lines


def _sweep_rows(content: ReportContent, sweep: Sweep, k: int, chosen: Sequence[int]) -> list[list[str]]:
    """A header, and a row per chosen budget of the sweep at place `k`."""
    claims, right, others = content.certificate.claims, sweep.correct, content.other_classifiers(k)
    accuracy = ["accuracy"] * (right is not None)
    rows = [["budget", *map(method_name, sweep.curves), "certified", *accuracy, "gap", *others]]
    for i in chosen:
        shares, beside = (
            [percent(int(curve.certified[i]), claims) for curve in curves.values()] for curves in (sweep.curves, others)
        )
        correct = [] if right is None else [percent(int(right[i]), claims)]
        rows.append([sweep.words(i), *shares, number(int(sweep.best.certified[i])), *correct, sweep.gap(i), *beside])
    return rows
