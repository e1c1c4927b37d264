"""All targets at once: how many survive one and the same perturbation."""

import math

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.collective.curve import SHIFT
from graphcert.report.frame.html import Section, block, gallery
from graphcert.report.frame.theme import GAIN_CELL, RATIO_CELL
from graphcert.report.frame.wording import (
    NOTHING,
    method_name,
    method_words,
    number,
    percent,
    points,
    size_of_change,
)
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import MILESTONES
from graphcert.report.graphs.per_node import map_unit
from graphcert.report.graphs.sweep import Ladder, ladders, largest_gain
from graphcert.report.plots import heat_map_plot, ladder_plot

_ROWS = 6
_DRAWN = ("naive", "milp-2", "milp", "tight")
"""What a plot shows of a longer ladder than it has room for."""
_STEPS_OF_SCALE = 20


def collective(content: ReportContent) -> Section | None:
    """What is certified about one perturbation for all targets, by every method, and what it rests on."""
    swept = ladders(content)
    if not swept:
        return None
    numbers = Markup().join(_numbers(content, ladder) for ladder in swept)
    parts = [
        block("paragraphs", _introduction(content, swept)),
        _facts(content),
        *(gallery(items) for items in (_curves(swept), _maps(swept)) if items),
        block("notes", _between(swept)),
        _at_budgets(content, swept),
        block("points", proofs(swept)),
        block("folded", "The numbers behind all this, budget by budget", numbers),
    ]
    return Section("All targets at once", Markup().join(parts))


def _introduction(content: ReportContent, swept: list[Ladder]) -> list[str]:
    sentences = [
        "Judged alone, every target faces the worst perturbation for itself. But an adversary has only one perturbation",
        "for the whole graph, and what changes some targets may spare others. The numbers here take that into account:",
        f"whichever single perturbation within the budget is made, at least so many of the "
        f"{number(content.certificate.claims)} targets keep their label. Which ones these are depends on the "
        "perturbation.",
    ]
    if any(ladder.shifts is not None for ladder in swept):
        norm = swept[0].norm
        sentences.append(
            f"A budget is the {norm} norm of the change δ of all features together, {size_of_change(norm)}, which an "
            "adversary spreads over the nodes at will."
        )
    return [" ".join(sentences)]


def _facts(content: ReportContent) -> Markup:
    """The largest gain in large numbers."""
    found = largest_gain(content)
    if found is None:
        return Markup()
    ladder, i = found
    if ladder.gain[i] <= 0:
        sentence = f"At none of these budgets does this certify more than {method_words(ladder.weakest)}."
        return block("paragraphs", [sentence])
    claims, against = content.certificate.claims, f"against {ladder.words(i)}"
    weakest, strongest = ladder.weakest, ladder.strongest
    alone, together = (int(ladder.curves[method].certified[i]) for method in (weakest, strongest))
    facts = [
        (percent(together, claims), "certified at once", f"{number(together)} of {number(claims)}, {against}"),
        (percent(alone, claims), method_words(weakest), f"{number(alone)} of {number(claims)}, {against}"),
        (
            points(together - alone, claims),
            "percentage points gained",
            f"the most at any budget ({method_words(strongest)})",
        ),
    ]
    return block("facts", facts)


def _curves(swept: list[Ladder]) -> list[tuple[str, Markup]]:
    """A plot per sweep of one axis."""
    items = []
    for i, ladder in enumerate(swept):
        panel = ladder.panel(ladder.best.ratio)
        if panel is None or len(panel.axes) != 1:
            continue
        drawn = ladder.curves if len(ladder.curves) <= len(_DRAWN) else [m for m in ladder.curves if m in _DRAWN]
        ratios = {method_name(method): _along(ladder, ladder.curves[method].ratio) for method in drawn}
        gain = f"{points(int(ladder.gain.max()), ladder.best.targets)} points"
        svg = ladder_plot(panel.axes[0], panel.values[0], ratios, gain, f"ladder{i}", ladder.norm)
        items.append((ladder.heading, Markup(svg)))
    return items


def _between(swept: list[Ladder]) -> list[str]:
    """How lines over norms are to be read."""
    shown = any(SHIFT in ladder.axes and len(ladder.axes) == 1 for ladder in swept)
    return ["Between two norms a line shows what holds at the larger one."] * shown


def _along(ladder: Ladder, shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers per budget in the order of the panel of a sweep that has one."""
    panel = ladder.panel(shares)
    assert panel is not None
    return panel.numbers


def _maps(swept: list[Ladder]) -> list[tuple[str, Markup]]:
    """Two heat maps per full sweep of two axes: what is certified, and what of it is gained."""
    items = []
    for i, ladder in enumerate(swept):
        panel = ladder.panel(ladder.best.ratio)
        if panel is None or len(panel.axes) != 2:
            continue
        svg = heat_map_plot(panel, panel.numbers, RATIO_CELL, f"together{i}", "Ratio certified at once")
        items.append((f"Certified at once{map_unit(panel.numbers)}{ladder.besides}", Markup(svg)))
        gain = _along(ladder, ladder.gain.clip(0) / ladder.best.targets)
        if gain.any():
            full = math.ceil(_STEPS_OF_SCALE * float(gain.max())) / _STEPS_OF_SCALE
            svg = heat_map_plot(panel, gain, GAIN_CELL, f"gain{i}", "Gain in ratio", full)
            items.append(
                (f"Gain over {method_words(ladder.weakest)}{map_unit(gain, 'points')}{ladder.besides}", Markup(svg))
            )
    return items


def _at_budgets(content: ReportContent, swept: list[Ladder]) -> Markup:
    """A table per set of methods, with a few budgets of every sweep that has them."""
    claims, tables = content.certificate.claims, []
    for methods in dict.fromkeys(tuple(ladder.curves) for ladder in swept):
        those = [ladder for ladder in swept if tuple(ladder.curves) == methods]
        gained = len(methods) > 1
        accurate = all(_accuracy(content, ladder) is not None for ladder in those)
        rows: dict[str, list[str]] = {}
        for ladder in those:
            correct = _accuracy(content, ladder)
            for i in _chosen(ladder):
                cells = [percent(int(curve.certified[i]), claims) for curve in ladder.curves.values()]
                cells += [points(int(ladder.gain[i]), claims)] * gained
                if accurate and correct is not None:
                    cells.append(percent(int(correct[i]), claims))
                rows.setdefault(ladder.words(i), cells)
        header = ["budget", *map(method_name, methods)] + ["gain"] * gained + ["accuracy"] * accurate
        lines = [[words, *cells] for words, cells in rows.items()]
        tables.append(block("table", f"Certified at once, of {number(claims)} targets", header, lines))
    return Markup().join(tables)


def _chosen(ladder: Ladder) -> list[int]:
    """Places of at most `_ROWS` budgets: that of the largest gain, and others that leave somebody certified."""
    columns = [ladder.best.axes.index(axis) for axis in ladder.axes] or slice(None)
    changed = ladder.best.budgets[:, columns]
    alive = np.flatnonzero((ladder.best.certified > 0) & (changed > 0).all(axis=1))
    if len(ladder.axes) == 1 and ladder.axes != (SHIFT,):
        alive = alive[np.isin(changed[alive, 0], MILESTONES)]
    size = ladder.best.budgets.sum(axis=1)
    alive = alive[np.lexsort((alive, size[alive]))]
    picked = alive[np.linspace(0, len(alive) - 1, min(_ROWS - 1, len(alive))).round().astype(int)]
    peak = {ladder.peak} if ladder.gain.any() or not picked.size else set()
    return sorted(peak | set(picked.tolist()), key=lambda i: (int(size[i]), i))


def _numbers(content: ReportContent, ladder: Ladder) -> Markup:
    """Everything that is known at every budget of a sweep; all but the first counts are those of the strongest method."""
    claims, best = content.certificate.claims, ladder.best
    accuracy = _accuracy(content, ladder)
    stopped = any(map(unproved, best.status.tolist()))
    rows = []
    for i, row in enumerate(best.rows()):
        cells = [ladder.place(i), *(number(int(curve.certified[i])) for curve in ladder.curves.values())]
        cells.append(percent(row["certified"], claims))
        if accuracy is not None:
            cells.append(percent(int(accuracy[i]), claims))
        cells += [_upwards(row["bound"]), _gap(row["gap"]), method_name(row["method"])]
        rows.append(cells + [row["status"] if unproved(row["status"]) else ""] * stopped)
    header = ["budget", *map(method_name, ladder.curves), "ratio"] + ["accuracy"] * (accuracy is not None)
    header += ["at most changed", "gap", "proved by"] + ["solver"] * stopped
    return block("table", ladder.heading, header, rows)


def _upwards(bound: float) -> str:
    """A bound from above with two decimals."""
    return f"{math.ceil(100 * bound) / 100:,.2f}" if math.isfinite(bound) else NOTHING


def _gap(gap: float) -> str:
    return number(math.ceil(gap)) if math.isfinite(gap) else NOTHING


def _accuracy(content: ReportContent, ladder: Ladder) -> NDArray[np.int64] | None:
    """(B,) targets that stay correct by the strongest method, or None where no true label is known."""
    best = ladder.best
    if best.correct_upper is None or best.correct_targets is None or not content.has_truth:
        return None
    return best.correct_targets - best.correct_upper


_PROVED = ("optimal", "not solved", "not needed", "closed")


def proofs(swept: list[Ladder]) -> list[str]:
    """What the numbers rest on, method by method, and where they could be larger."""
    methods = {method for ladder in swept for method in ladder.curves}
    found = [
        "Every number is a proved bound, rounded towards fewer certified targets. It follows from the claims about single "
        "targets and holds whenever these hold."
    ]
    if "lp" in methods:
        found.append(
            "Linear program: the bound is recomputed from the dual values that the solver found, with negative ones set "
            "to 0 and every rounding outwards. A solver that errs makes it worse, never false."
        )
    if "milp" in methods:
        found.append(
            "Integer program: the bound is the best one of branch and bound plus a slack for the solver’s tolerances. If "
            "the time limit ends the search, it is what had been proved by then."
        )
    if {"lp-2", "milp-2"} & methods:
        found.append(
            "Published: the same programs with half-spaces of order 2 only, as in the paper on localized smoothing."
        )
    if "tight" in methods:
        found.append(
            "Exact trade-offs: nothing is linearised. A search over where the changes are made compares every target’s "
            "votes with the exact critical probability; where it ends, no certificate from these votes can say "
            "more. If the time limit ends it, the number is what had been proved by then."
        )
    found.append(_open(swept))
    return found


def _open(swept: list[Ladder]) -> str:
    """How much more could be certified."""
    gaps = np.concatenate([ladder.best.gap for ladder in swept])
    known = gaps[~np.isnan(gaps)]
    sentences = [
        "Gap: the best attack that was found bounds what can be certified at all. A gap of k means that at most k more "
        f"targets could be certified by this method, 0 that none could; {NOTHING} says that no attack is known."
    ]
    if known.size:
        sentences.append(f"The largest known gap here is {number(round(known.max()))} targets.")
    stopped = sum(unproved(status) for ladder in swept for status in ladder.best.status.tolist())
    if stopped:
        sentences.append(f"The solver stopped before its optimum at {number(stopped)} of {number(len(gaps))} budgets.")
    return " ".join(sentences)


def unproved(status: str) -> bool:
    """Whether the solver stopped before its optimum."""
    return status not in _PROVED
