"""The page about inputs that have one label each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from graphcert.collective.curve import SHIFT
from graphcert.noise import AXES
from graphcert.report.frame.html import ACCURACY, RATIO, Page, Section, block, gallery, settings_section
from graphcert.report.frame.wording import NOTHING, axis_words, budget_words, number, percent
from graphcert.report.outputs.claims import Cell, OutputClaims
from graphcert.report.plots import shares_plot
from graphcert.tradeoff.base import norm_words

MOST_PICTURES, _ACROSS = 24, 6
_ROWS = {"nodes": "changed rows"}
_COLOURS = {"certified and correct": ACCURACY, "certified": RATIO}


@dataclass(frozen=True, eq=False)
class OutputContent:
    """Everything that the page shows.

    Attributes:
        names: of the classes.
        pictures: addresses of pictures of the first inputs.
        noise: in a few words.
        norm: of changes of features; empty where they are counted.
        particulars: sections of names and values for the table of settings.
        timings: seconds per stage.
        notices: sentences the reader must know before believing a number.
        conditions: what the statements rest on.
    """

    claims: OutputClaims
    names: tuple[str, ...]
    pictures: Sequence[str]
    noise: str
    norm: str
    alpha: float
    particulars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    @property
    def facts(self) -> list[tuple[str, str, str]]:
        """Value, name and note of the numbers to remember."""
        claims, (certified, correct) = self.claims, self.claims.counts()
        of = f"of {number(claims.inputs)} inputs"
        facts = []
        right = claims.correct
        if right is not None:
            facts.append(
                (
                    percent(int(right.sum()), claims.inputs),
                    "smoothed accuracy",
                    f"{of}; the labels of all, also of those that abstain",
                )
            )
        silent = int(claims.abstained.sum())
        facts.append((percent(silent, claims.inputs), "abstain", f"{number(silent)} {of}"))
        for k in _milestones(certified):
            note = of if correct is None else f"{percent(int(correct[k]), claims.inputs)} certified and correct"
            facts.append(
                (percent(int(certified[k]), claims.inputs), f"certified against {self.words(claims.cells[k])}", note)
            )
        return facts

    def words(self, cell: Cell) -> str:
        """What a cell is about: "‖δ‖₂ ≤ 0.25 in at most 2 rows"."""
        budget, shift = cell
        parts = [budget_words(replace(budget, nodes=None))] if any(budget.as_tuple()) else []
        parts += [f"a change of {self.norm} norm {norm_words(shift)}"] if shift else []
        rows = "" if budget.nodes is None else f"at most {number(budget.nodes)} row{'s' * (budget.nodes > 1)}"
        return f"{' and '.join(parts)} in {rows}" if parts and rows else rows or " and ".join(parts) or "no change"


def output_page(content: OutputContent) -> Page:
    """What is certified about inputs."""
    subtitle = [
        f"{number(content.claims.inputs)} inputs",
        content.noise,
        f"α = {content.alpha:g} for all claims together",
    ]
    sections = [build(content) for build in (_result, _curves, _pictures, _guarantee, _inputs)]
    sections.append(settings_section(content.particulars, content.timings))
    return Page("Certified classification", subtitle, [*content.notices], sections, pictures=True)


def _result(content: OutputContent) -> Section:
    certified, correct = content.claims.counts()
    rows = []
    for k, cell in enumerate(content.claims.cells):
        shares = [percent(int(line[k]), content.claims.inputs) for line in (certified, correct) if line is not None]
        rows.append([content.words(cell), *shares])
    header = ["budget", "certified", *["certified and correct"] * (correct is not None)]
    table = block("table", f"Certified, of {number(content.claims.inputs)} inputs", header, rows)
    return Section("Result", block("facts", content.facts) + block("folded", "Every budget", table))


def _curves(content: OutputContent) -> Section:
    """Shares against each axis; where rows are selected, a line per limit of changed rows."""
    claims, figures = content.claims, list[tuple[str, Markup]]()
    certified, correct = (None if line is None else line / claims.inputs for line in claims.counts())
    assert certified is not None
    for axis in (SHIFT, *AXES, "nodes"):
        values, lines = _lines(claims, axis, certified)
        if len(values) < 2:
            continue
        against = _ROWS.get(axis, axis_words(axis))
        drawn = {f"Certified, against {against}": lines}
        if correct is not None:
            accurate = _lines(claims, axis, correct)[1]
            both = {"certified and correct": accurate["certified"], **lines} if "certified" in lines else {}
            drawn = (
                {f"Certified, against {against}": both}
                if both
                else drawn | {f"Certified and correct, against {against}": accurate}
            )
        for caption, shares in drawn.items():
            name = f"{len(figures)}-{axis}"
            figures.append(
                (caption, Markup(shares_plot(axis, values, shares, "", name, content.norm or "ℓ2", _COLOURS)))
            )
    note = block("notes", ["Between two budgets the lines show what holds at the larger one."])
    return Section("By the size of the change", gallery(figures) + note)


def _lines(claims: OutputClaims, axis: str, shares: Any) -> tuple[list[float], dict[str, Any]]:
    """The budgets along one axis, 0 first, and the shares (B,) there by limits of changed rows, the loosest first."""
    found: dict[str, dict[float, float]] = {}
    for (budget, shift), share in zip(claims.cells, shares.tolist(), strict=True):
        along = {SHIFT: shift, "nodes": budget.nodes or 0, **dict(zip(AXES, budget.as_tuple(), strict=True))}
        others = [name for name in (SHIFT, *AXES) if name != axis and along[name]]
        if others or not along[axis] or (axis != "nodes" and budget.nodes == 0):
            continue
        limit = budget.nodes if axis != "nodes" else None
        line = "any rows" if limit is None else f"≤ {limit} row{'s' * (limit > 1)}"
        found.setdefault(line, {0: float(shares[0])})[along[axis]] = share
    values = sorted({value for line in found.values() for value in line})
    ordered = sorted(found, key=lambda line: -int(line.split()[1]) if line.startswith("≤") else -np.inf)
    return values, {
        line if len(found) > 1 else "certified": np.array([found[line][v] for v in values]) for line in ordered
    }


def _pictures(content: OutputContent) -> Section:
    """The first inputs with their labels, and how far these are certified."""
    shown = []
    for k, address in enumerate(content.pictures):
        shown.append((_caption(content, k), address, f"Input {int(content.claims.numbers[k])}"))
    words = "The class of the smoothed classifier, whether it is right, and how far it is certified."
    return Section("Inputs", block("piece", f"The first {len(shown)} inputs", words, shown, _ACROSS))


def _caption(content: OutputContent, k: int) -> str:
    claims = content.claims
    label, truth = int(claims.labels[k]), None if claims.truth is None else int(claims.truth[k])
    said = content.names[label] if label < len(content.names) else str(label)
    if truth is not None:
        known = content.names[truth] if truth < len(content.names) else str(truth)
        said += " ✓" if truth == label else f" ✗ (true {known})"
    return f"{said} · {_reach(content, k)}"


def _reach(content: OutputContent, k: int) -> str:
    """How far the label of one input is certified, in a few words."""
    claims = content.claims
    if claims.abstained[k]:
        return "abstains"
    if claims.radii:
        limit = next(iter(claims.radii))
        rows = "" if limit is None else f" in {limit} row{'s' * (limit > 1)}"
        return f"radius {norm_words(float(claims.radii[limit][k]), 3)}{rows}"
    kept = [place for place in np.flatnonzero(claims.kept[:, k]).tolist() if place]
    return f"survives {content.words(claims.cells[kept[-1]])}" if kept else "answers"


def _guarantee(content: OutputContent) -> Section:
    statement = block("statement", content.claims.guarantee)
    return Section("What is guaranteed", statement + block("points", list(content.conditions)))


def _inputs(content: OutputContent) -> Section:
    claims, rows = content.claims, []
    for k in range(claims.inputs):
        cells = [f"{claims.numbers[k]}", f"{claims.labels[k]}"]
        cells += [] if claims.truth is None else [f"{claims.truth[k]}"]
        cells += [norm_words(float(claims.p_lower[k])), f"{claims.rows[k]}"]
        cells += [] if claims.sigma is None else [f"{claims.sigma[k]:.4g}"]
        radii = [float(radius[k]) for radius in claims.radii.values()]
        rows.append([*cells, *(NOTHING if claims.abstained[k] else norm_words(radius) for radius in radii)])
    header = ["input", "label", *["truth"] * (claims.truth is not None), "p of the label ≥", "rows"]
    header += ["σ"] * (claims.sigma is not None)
    header += ["radius" if limit is None else f"radius, ≤ {limit} rows" for limit in claims.radii]
    return Section("Input by input", block("folded", "Every input", block("table", "Bounds and radii", header, rows)))


def _milestones(certified: Any) -> list[int]:
    """Places of two cells beyond "no change" at which something is certified: a third and two thirds of the way."""
    alive = np.flatnonzero(certified > 0)[1:]
    return sorted({int(alive[len(alive) * part // 3]) for part in (1, 2)}) if alive.size else []
