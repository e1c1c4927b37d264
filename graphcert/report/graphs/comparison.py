"""The page that compares runs over the nodes of graphs: what they prove by budget, and what differs between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from graphcert.certificates.budget_grid import counted_axes
from graphcert.collective.curve import SHIFT
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget
from graphcert.report.frame.html import Page, Section, block, gallery
from graphcert.report.frame.wording import NOTHING, change_words, heading, number, percent, setting
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import standing
from graphcert.report.graphs.page import noise_words
from graphcert.report.graphs.sweep import Sweep
from graphcert.report.plots import shares_plot
from graphcert.report.plots.budget_curves import MOST_LINES
from graphcert.tradeoff.base import norm_words

_NORM_STEPS, _LONGEST_NAME, _DIGEST = 20, 24, 12
_INCOMPARABLE = "so their numbers do not measure the same thing, and no run is better than another by them."


class Line(NamedTuple):
    """What a run proves over budgets: certified targets (B,), and those of them that are correct, if labels are known."""

    certified: Sequence[int]
    correct: Sequence[int] | None
    claims: int


@dataclass(frozen=True)
class Axis:
    """One kind of change, and a line for every run that says something about it, over the same budgets."""

    axis: str
    title: str
    norm: str
    values: tuple[float, ...]
    lines: Mapping[str, Line]


def comparison_page(runs: Mapping[str, ReportContent]) -> Page:
    """At least two runs under their names, side by side.

    Raises:
        InputError: for fewer than two runs, or more than a plot can tell apart.
    """
    if not 2 <= len(runs) <= MOST_LINES:
        raise InputError(f"a comparison is about 2 to {MOST_LINES} runs, got {len(runs)}; name so many folders of runs")
    named = {f"{k} {_short(name)}": content for k, (name, content) in enumerate(runs.items(), 1)}
    sections = [_runs(named), *_curves(named), _differences(named), _reading(named)]
    return Page(f"{len(runs)} runs compared", list(named), _notices(named), sections)


def write_comparison(path: Path, runs: Mapping[str, ReportContent]) -> None:
    """Write the page to `path`, whole or not at all."""
    comparison_page(runs).write(path)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"


def _notices(runs: Mapping[str, ReportContent]) -> list[str]:
    """In what the runs cannot be compared, what choosing among them costs, and the warnings of each."""
    found = []
    graphs = {content.votes.manifest.get("data") for content in runs.values()}
    masks = {content.certificate.targets.tobytes() for content in runs.values()}
    if len(graphs) > 1:
        found.append(f"The runs are about different graphs, {_INCOMPARABLE}")
    elif len(masks) > 1:
        found.append(f"The runs are about different targets of the same graph, {_INCOMPARABLE}")
    levels = sorted({(one.certificate.alpha, one.certificate.simultaneous) for one in runs.values()})
    if len(levels) > 1:
        words = [f"α = {alpha:g} for {'all claims together' if joint else 'each claim'}" for alpha, joint in levels]
        found.append(
            f"The runs have different error rates ({', '.join(words)}): a laxer one certifies more for that alone."
        )
    spent = sum((Decimal(str(content.certificate.alpha)) for content in runs.values()), Decimal(0))
    found.append(
        f"Each run errs with the probability that it states, for itself. Whoever chooses a run by this page has spent the "
        f"error rates of all of them, together {spent.normalize():f}."
    )
    return found + [f"{name}: {sentence}" for name, content in runs.items() for sentence in content.warnings]


def _runs(runs: Mapping[str, ReportContent]) -> Section:
    """A column per run: what it is, and its accuracy."""
    columns = []
    for content in runs.values():
        certificate = content.certificate
        claims, silent = certificate.claims, int((certificate.abstained & certificate.targets).sum())
        known = certificate.targets & (content.truth >= 0)
        right = [int((known & certificate.correct(content.truth)).sum()), standing(content, Budget()).correct]
        accuracy = [percent(count, claims) if content.has_truth else NOTHING for count in right]
        columns.append(
            {
                "model and data": content.title, "noise": ", ".join(noise_words(certificate.smoothing)),
                "targets": number(claims), "samples of each": certificate._samples_words(), "α": f"{certificate.alpha:g}",
                "accuracy": accuracy[0], "proved and correct": accuracy[1], "abstain": percent(silent, claims),
            }
        )  # fmt: skip
    rows = [[fact, *(column[fact] for column in columns)] for fact in columns[0]]
    note = (
        "Accuracy is that of the smoothed classifier on the targets, with the labels of those that abstain; proved and "
        "correct are those whose label on the unchanged graph is both."
    )
    return Section("The runs", block("table", "What was certified", ["", *runs], rows) + block("notes", [note]))


def _curves(runs: Mapping[str, ReportContent]) -> list[Section]:
    """The sections with a plot and a table per kind of change: each target alone, and all at once."""
    alone = [*_counted(runs), *_norms(runs)]
    sections = []
    for title, axes, key in (("each target alone", alone, "alone"), ("all targets at once", _at_once(runs), "once")):
        if axes:
            figures = [(axis.title, Markup(_plot(axis, f"{key}{i}"))) for i, axis in enumerate(axes)]
            tables = Markup().join(_table(axis, title) for axis in axes)
            notes = block("notes", _silent(runs, axes))
            sections.append(Section(f"Certified ratio by budget, {title}", gallery(figures) + tables + notes))
    return sections


def _counted(runs: Mapping[str, ReportContent]) -> list[Axis]:
    """Axes of counts: those of any run's curves, at the budgets of all of them."""
    grids: dict[tuple[str, Budget], set[int]] = {}
    for content in runs.values():
        for grid in content.curves:
            grids.setdefault((grid.axes[0], grid.fixed), set()).update(grid.values[0])
    found = []
    for (axis, fixed), values in grids.items():
        budgets = [replace(fixed, **{axis: value}) for value in sorted(values)]
        lines = {
            name: _line(content, [_kept(content, budget) for budget in budgets])
            for name, content in runs.items()
            if axis in counted_axes(content.certificate.smoothing)
        }
        found.append(Axis(axis, heading(axis, fixed).capitalize(), "", tuple(sorted(values)), lines))
    return found


def _norms(runs: Mapping[str, ReportContent]) -> list[Axis]:
    """Norms of the change, from 0 to the largest radius of any run."""
    found = []
    for norm in dict.fromkeys(content.norm for content in runs.values() if content.norm):
        measured = {name: content for name, content in runs.items() if content.norm == norm}
        for limit in dict.fromkeys(content.node_limits[0] for content in measured.values()):
            radii = {
                name: one.certificate.radius(limit) for name, one in measured.items() if one.node_limits[0] == limit
            }
            ends = [float(radius[np.isfinite(radius)].max(initial=0.0)) for radius in radii.values()]
            values = np.linspace(0, max(ends) or 1.0, _NORM_STEPS + 1)
            lines = {
                name: _line(runs[name], [radius > value for value in values.tolist()]) for name, radius in radii.items()
            }
            words = change_words(norm) if limit is None else f"{change_words(norm)} in at most {limit} node"
            found.append(Axis(SHIFT, words, norm, tuple(values.tolist()), lines))
    return found


def _kept(content: ReportContent, budget: Budget) -> Mask:
    """(N,) certified targets; beyond exact arithmetic nobody is."""
    try:
        return content.certificate._kept(budget)
    except UnsupportedError:
        return np.zeros(content.certificate.nodes, np.bool_)


def _line(content: ReportContent, masks: Sequence[Mask]) -> Line:
    right = content.certificate.correct(content.truth)
    correct = [int((mask & right).sum()) for mask in masks] if content.has_truth else None
    return Line([int(mask.sum()) for mask in masks], correct, content.certificate.claims)


def _at_once(runs: Mapping[str, ReportContent]) -> list[Axis]:
    """Sweeps over one axis that at least two runs have, up to where the shortest of them ends.

    A budget that a run was not asked about has what the run proves at the next larger one.
    """
    groups: dict[tuple[str, str, str], dict[str, Sweep]] = {}
    for name, content in runs.items():
        for sweep in content.sweeps:
            if len(sweep.axes) == 1 and not sweep.injected:
                key = sweep.axes[0], sweep.heading, sweep.norm if sweep.axes[0] == SHIFT else ""
                groups.setdefault(key, {}).setdefault(name, sweep)
    found = []
    for (axis, title, norm), swept in groups.items():
        if len(swept) < 2:
            continue
        own = {name: sweep.best.budgets[:, sweep.best.axes.index(axis)] for name, sweep in swept.items()}
        end = min(float(values.max()) for values in own.values())
        values = sorted({value for along in own.values() for value in along.tolist() if value <= end})
        lines = {name: _swept(swept[name], own[name], values) for name in swept}
        found.append(Axis(axis, title, norm, tuple(values), lines))
    return found


def _swept(sweep: Sweep, own: Integers | Floats, values: Sequence[float]) -> Line:
    order = np.argsort(own, kind="stable")
    places = order[np.searchsorted(own[order], values)]
    correct = None if sweep.correct is None else sweep.correct[places].tolist()
    return Line(sweep.best.certified[places].tolist(), correct, sweep.best.targets)


def _plot(axis: Axis, name: str) -> str:
    shares = {run: np.array(line.certified) / line.claims for run, line in axis.lines.items()}
    return shares_plot(axis.axis, axis.values, shares, "", name, axis.norm or "ℓ2")


def _table(axis: Axis, scope: str) -> Markup:
    """The certified ratio of every run by budget and, in brackets, the certified accuracy."""
    shown = []
    for line in axis.lines.values():
        cells = [percent(count, line.claims) for count in line.certified]
        if line.correct is not None:
            cells = [f"{cell} ({percent(n, line.claims)})" for cell, n in zip(cells, line.correct, strict=True)]
        shown.append(cells)
    values = [norm_words(value) if axis.axis == SHIFT else number(int(value)) for value in axis.values]
    rows = [list(row) for row in zip(values, *shown, strict=True)]
    accuracy = " (and accuracy)" if any(line.correct is not None for line in axis.lines.values()) else ""
    return block("table", f"{axis.title}, {scope}: certified ratio{accuracy}", ["budget", *axis.lines], rows)


def _silent(runs: Mapping[str, ReportContent], axes: Sequence[Axis]) -> list[str]:
    """Which runs are missing where."""
    found = []
    for axis in axes:
        missing = [name for name in runs if name not in axis.lines]
        if missing:
            found.append(f"{axis.title}: nothing is claimed by {', '.join(missing)}.")
    return found


def _differences(runs: Mapping[str, ReportContent]) -> Section:
    """The settings that are not the same in all runs."""
    flat = {name: _flat(content) for name, content in runs.items()}
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    rows = []
    for key in keys:
        values = [settings.get(key, NOTHING) for settings in flat.values()]
        if len(set(values)) > 1:
            rows.append([key, *(_cut(value) for value in values)])
    if not rows:
        return Section("What differs in the settings", block("paragraphs", ["Nothing: all settings are the same."]))
    same = number(len(keys) - len(rows))
    note = block("notes", [f"{same} other settings are the same in all runs."])
    return Section("What differs in the settings", block("table", "Settings that differ", ["", *runs], rows) + note)


def _flat(content: ReportContent) -> dict[str, str]:
    """All settings as "section: name" and a text; those of the collective certificate only where there is one."""
    return {
        f"{section}: {name}": setting(value)
        for section, values in content.settings.items()
        if section != "collective" or content.collective
        for name, value in values.items()
    }


def _cut(value: str) -> str:
    """A digest by its first digits, for people."""
    return f"{value[:_DIGEST]}…" if len(value) == 64 and set(value) <= set("0123456789abcdef") else value


def _reading(runs: Mapping[str, ReportContent]) -> Section:
    """What the numbers mean, and what they do not say."""
    sentences = [
        "The certified ratio is the share of a run's targets whose label provably survives every change within the budget; "
        "the accuracy behind it counts only those whose label is also correct. Every run is about a smoothed classifier of "
        "its own.",
        "All numbers are lower bounds: a run with more samples proves more about the same classifier. A difference between "
        "two runs of different seeds may be chance.",
    ]
    return Section("How to read this", block("paragraphs", sentences))
