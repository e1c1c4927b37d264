"""The section about attacks: what is certified, what no attack has felled, and what lies between."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup

from graphcert.attacks.record import AttackRecord
from graphcert.attacks.sandwich import Row
from graphcert.collective.curve import SHIFT
from graphcert.core.arrays import Integers
from graphcert.core.tables import Table
from graphcert.noise import AXES
from graphcert.report.frame.html import Section, block, gallery
from graphcert.report.frame.wording import NOTHING, axis_words, budget_words, number, percent, shift_words
from graphcert.report.graphs.content import ReportContent
from graphcert.report.plots.budget_curves import shares_plot

_LINES = {
    "certified, each alone": "certified", "certified at once": "certified_at_once",
    "survive, each alone": "surviving", "survive one attack": "surviving_at_once",
}  # fmt: skip
"""Name in a plot and field of a row, the lowest first."""


def attacks(content: ReportContent) -> Section | None:
    """Facts, a plot per axis, the table, and what the numbers mean."""
    record = content.attacks
    if record is None or not record.rows:
        return None
    tried, defects = len(record.perturbations), len(record.violations)
    facts = [
        (number(defects), "claims refuted", "certified labels that fell, or more of them at once than may fall"),
        (number(tried), "perturbations tried", f"by {', '.join(map(str, record.settings['methods']))}"),
        (number(record.smallest_gap), "targets in the smallest gap", "between certificate and attack, at any budget"),
    ]
    level, samples = record.settings["level"], record.settings["samples"]
    words = (
        f"Perturbations of the clean graph were searched within these budgets and voted on under the same frozen noise by "
        f"{number(samples)} fresh samples each. A label fell if another class is proved to be more likely; all verdicts "
        f"together are wrong with probability at most {level:g}. The truth lies between what is certified and what "
        f"survives: attacks are no proof, and a stronger one may fell more."
    )
    figures = gallery(_plots(content, record.rows))
    broken = block("points", [f"DEFECT: {one.words}." for one in record.violations]) if defects else Markup()
    parts = [block("paragraphs", [words]), block("facts", facts), broken, figures, _table(content, record.rows)]
    return Section("Attacks", Markup().join(parts))


def attack_words(record: AttackRecord, norm: str = "") -> list[str | Table]:
    """The same for a terminal: a table with a row per budget, and a line per refuted claim."""
    table = [["budget", *_LINES, "tried"]]
    for row in record.rows:
        words = shift_words(norm or "ℓ", row.shift, row.budget.nodes) if row.shift else budget_words(row.budget)
        counts = *(getattr(row, name) for name in _LINES.values()), row.perturbations
        table.append([words, *map(number, counts)])
    summary = (
        f"{len(record.violations)} claims refuted by {len(record.perturbations):,} perturbations; smallest gap between "
        f"certificate and attack: {record.smallest_gap:,} targets"
    )
    return [Table(table), summary, *(f"DEFECT: {one.words}" for one in record.violations)]


def _table(content: ReportContent, rows: Sequence[Row]) -> Markup:
    header = ["budget", *_LINES, "unclear", "perturbations", "smaller gap"]
    cells = []
    for row in rows:
        shown = [
            f"{number(getattr(row, name))} ({percent(getattr(row, name), row.targets)})" for name in _LINES.values()
        ]
        gap = number(min(row.gap, row.gap_at_once)) if row.perturbations else NOTHING
        cells.append([_words(content, row), *shown, number(row.unclear), number(row.perturbations), gap])
    return block("table", f"Certificate and attack, of {number(rows[0].targets)} targets", header, cells)


def _words(content: ReportContent, row: Row) -> str:
    return shift_words(content.norm, row.shift, row.budget.nodes) if row.shift else budget_words(row.budget)


def _plots(content: ReportContent, rows: Sequence[Row]) -> list[tuple[str, Markup]]:
    """A plot per axis along which at least two budgets differ in nothing else."""
    found, groups = [], dict[tuple[str, object], list[tuple[float, Row]]]()
    for row in rows:
        values = {axis: getattr(row.budget, axis) for axis in AXES if getattr(row.budget, axis)}
        values |= {SHIFT: row.shift} if row.shift else {}
        if not values and row.budget.nodes:
            groups.setdefault(("nodes", None), []).append((row.budget.nodes, row))
        elif len(values) == 1:
            ((axis, value),) = values.items()
            groups.setdefault((axis, row.budget.nodes), []).append((value, row))
    for k, ((axis, limit), placed) in enumerate(groups.items()):
        if len({value for value, _ in placed}) > 1:
            places, counts = _filled(axis, dict(sorted(placed, key=lambda one: one[0])))
            shares = {name: found / rows[0].targets for name, found in counts.items()}
            svg = shares_plot(axis, places, shares, "", f"attack{k}", content.norm or "ℓ2")
            title = f"{axis_words(axis)}" + (f" in at most {limit} nodes" if limit is not None else "")
            found.append((title.capitalize(), Markup(svg)))
    return found


def _filled(axis: str, placed: Mapping[float, Row]) -> tuple[list[float], dict[str, Integers]]:
    """Budgets and counts per line; between two budgets the larger one certifies and the smaller one fells."""
    values = np.array(list(placed))
    places = values if axis == SHIFT else np.arange(values[0], values[-1] + 1)
    above = np.searchsorted(values, places)
    below = np.searchsorted(values, places, side="right") - 1
    if axis == SHIFT:  # a line shows from each norm on what stands at the next one
        below = np.maximum(above - 1, 0)
    rows, counts = list(placed.values()), {}
    for name, field in _LINES.items():
        numbers = np.array([getattr(row, field) for row in rows])
        counts[name] = numbers[above if field.startswith("certified") else below]
    return places.tolist(), counts
