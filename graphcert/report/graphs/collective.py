"""The section about all targets at once: how many survive one and the same perturbation."""

import math

import numpy as np
from markupsafe import Markup

from graphcert.collective.curve import SHIFT
from graphcert.report.frame.html import GAIN_CELL, RATIO_CELL, Section, block, gallery
from graphcert.report.frame.wording import NOTHING, method_name, method_words, number, percent, points, size_of_change
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.measures import MILESTONES
from graphcert.report.graphs.per_node import map_unit
from graphcert.report.graphs.sweep import Sweep, largest_gain
from graphcert.report.plots import heat_map_plot

_ROWS = 6
_DRAWN = ("naive", "milp-2", "milp", "enumerated", "tight")
"""What a plot shows of more methods than it has room for."""
_STEPS_OF_SCALE = 20
_PROVED = ("optimal", "not solved", "not needed", "closed")


def collective(content: ReportContent) -> Section | None:
    """What is certified about one perturbation for all targets, by every method, and what it rests on."""
    swept = content.sweeps
    if not swept:
        return None
    figures = [plot for i, sweep in enumerate(swept) for plot in _curves(sweep, i)]
    maps = [plot for i, sweep in enumerate(swept) for plot in _maps(sweep, i)]
    of_norms = any(sweep.axes == (SHIFT,) for sweep in swept)
    parts = [
        block("paragraphs", _introduction(content)),
        _facts(content),
        *(gallery(items) for items in (figures, maps) if items),
        block("notes", ["Between two norms a line shows what holds at the larger one."] * of_norms),
        _at_budgets(content),
        block("points", _proofs(swept)),
        block("folded", "The numbers behind all this, budget by budget", Markup().join(map(_numbers, swept))),
    ]
    return Section("All targets at once", Markup().join(parts))


def _introduction(content: ReportContent) -> list[str]:
    words = (
        "Judged alone, every target faces the worst perturbation for itself. But an adversary has only one perturbation "
        "for the whole graph, and what changes some targets may spare others. The numbers here take that into account: "
        f"whichever single perturbation within the budget is made, at least so many of the "
        f"{number(content.certificate.claims)} targets keep their label. Which ones these are depends on the perturbation."
    )
    if any(sweep.shifts is not None for sweep in content.sweeps):
        words += (
            " A budget is the shift of one turn of the whole input."
            if content.norm == "turn"
            else f" A budget is the {content.norm} norm of the change δ of all features together, "
            f"{size_of_change(content.norm)}, which an adversary spreads over the nodes at will."
        )
    return [words]


def _facts(content: ReportContent) -> Markup:
    """The largest gain in large numbers."""
    found = largest_gain(content.sweeps)
    if found is None:
        return Markup()
    sweep, i = found
    weakest, strongest = method_words(sweep.weakest), method_words(sweep.strongest)
    if sweep.gain[i] <= 0:
        return block("paragraphs", [f"At none of these budgets does this certify more than {weakest}."])
    claims = sweep.best.targets
    facts = []
    for curve, name in ((sweep.best, "certified at once"), (sweep.curves[sweep.weakest], weakest)):
        count = int(curve.certified[i])
        facts.append((percent(count, claims), name, f"{number(count)} of {number(claims)}, against {sweep.words(i)}"))
    gained = (points(int(sweep.gain[i]), claims), "percentage points gained", f"the most at any budget ({strongest})")
    return block("facts", [*facts, gained])


def _curves(sweep: Sweep, i: int) -> list[tuple[str, Markup]]:
    """A plot of a sweep of one axis."""
    drawn = sweep.curves if len(sweep.curves) <= len(_DRAWN) else [m for m in sweep.curves if m in _DRAWN]
    return sweep.plots({method_name(method): sweep.curves[method].certified for method in drawn}, f"sweep{i}")


def _maps(sweep: Sweep, i: int) -> list[tuple[str, Markup]]:
    """Two heat maps of a full sweep of two axes: what is certified, and what of it is gained."""
    panel, gained = sweep.panel(sweep.best.ratio), sweep.panel(sweep.gain.clip(0) / sweep.best.targets)
    if panel is None or gained is None or len(panel.axes) != 2:
        return []
    svg = heat_map_plot(panel, RATIO_CELL, f"collective{i}", "Ratio certified at once")
    items = [(f"Certified at once{map_unit(panel.numbers)}{sweep.besides}", Markup(svg))]
    gain = gained.numbers
    if gain.any():
        full = math.ceil(_STEPS_OF_SCALE * float(gain.max())) / _STEPS_OF_SCALE
        svg = heat_map_plot(gained, GAIN_CELL, f"gain{i}", "Gain in ratio", full)
        caption = f"Gain over {method_words(sweep.weakest)}{map_unit(gain, 'points')}{sweep.besides}"
        items.append((caption, Markup(svg)))
    return items


def _at_budgets(content: ReportContent) -> Markup:
    """A table per set of methods, with a few budgets of every sweep that has them."""
    claims, tables = content.certificate.claims, []
    for methods in dict.fromkeys(tuple(sweep.curves) for sweep in content.sweeps):
        those = [sweep for sweep in content.sweeps if tuple(sweep.curves) == methods]
        gained, accurate = len(methods) > 1, all(sweep.correct is not None for sweep in those)
        rows: dict[str, list[str]] = {}
        for sweep in those:
            for i in _chosen(sweep):
                cells = [percent(int(curve.certified[i]), claims) for curve in sweep.curves.values()]
                cells += [points(int(sweep.gain[i]), claims)] * gained
                if accurate and sweep.correct is not None:
                    cells.append(percent(int(sweep.correct[i]), claims))
                rows.setdefault(sweep.words(i), cells)
        header = ["budget", *map(method_name, methods)] + ["gain"] * gained + ["accuracy"] * accurate
        lines = [[words, *cells] for words, cells in rows.items()]
        tables.append(block("table", f"Certified at once, of {number(claims)} targets", header, lines))
    return Markup().join(tables)


def _chosen(sweep: Sweep) -> list[int]:
    """Places of at most `_ROWS` budgets: that of the largest gain, and others that leave somebody certified.

    Few budgets that are not all combinations over some axes were asked for one by one, and each is shown.
    """
    if len(sweep.best) <= _ROWS and len(sweep.axes) > 1 and sweep.panel(sweep.gain) is None:
        return list(range(len(sweep.best)))
    columns = [sweep.best.axes.index(axis) for axis in sweep.axes] or slice(None)
    changed = sweep.best.budgets[:, columns]
    alive = np.flatnonzero((sweep.best.certified > 0) & (changed > 0).all(axis=1))
    if len(sweep.axes) == 1 and sweep.axes != (SHIFT,):
        alive = alive[np.isin(changed[alive, 0], MILESTONES)]
    size = sweep.best.budgets.sum(axis=1)
    alive = alive[np.lexsort((alive, size[alive]))]
    picked = alive[np.linspace(0, len(alive) - 1, min(_ROWS - 1, len(alive))).round().astype(int)]
    peak = {sweep.peak} if sweep.gain.any() or not picked.size else set()
    return sorted(peak | set(picked.tolist()), key=lambda i: (int(size[i]), i))


def _numbers(sweep: Sweep) -> Markup:
    """Everything that is known at every budget of a sweep; all but the first counts are those of the strongest method."""
    best, correct = sweep.best, sweep.correct
    stopped = any(map(_unproved, best.status.tolist()))
    rows = []
    for i, row in enumerate(best.rows()):
        cells = [sweep.place(i), *(number(int(curve.certified[i])) for curve in sweep.curves.values())]
        cells.append(percent(row["certified"], best.targets))
        if correct is not None:
            cells.append(percent(int(correct[i]), best.targets))
        bound = f"{math.ceil(100 * row['bound']) / 100:,.2f}" if math.isfinite(row["bound"]) else NOTHING
        cells += [bound, sweep.gap(i), method_name(row["method"])]
        rows.append(cells + [row["status"] if _unproved(row["status"]) else ""] * stopped)
    header = ["budget", *map(method_name, sweep.curves), "ratio"] + ["accuracy"] * (correct is not None)
    header += ["at most changed", "gap", "proved by"] + ["solver"] * stopped
    return block("table", sweep.heading, header, rows)


def _unproved(status: str) -> bool:
    """Whether the solver stopped before its optimum."""
    return status not in _PROVED


def _proofs(swept: list[Sweep]) -> list[str]:
    """What the numbers rest on, method by method, and how much more could be certified."""
    methods = {method for sweep in swept for method in sweep.curves}
    found = [
        "Every number is a proved bound, rounded towards fewer certified targets. It follows from the claims about single "
        "targets and holds whenever these hold."
    ]
    if "lp" in methods:
        found.append(
            "Linear program: the bound is recomputed from the dual values that the solver found, with negative ones set "
            "to 0 and every rounding outwards. A solver that errs makes it worse, never false."
        )
    if {"milp", "enumerated"} & methods:
        found.append(
            "Integer program: the bound is the best one of branch and bound plus a slack for the solver’s tolerances. If "
            "the time limit ends the search, it is what had been proved by then."
        )
    if {"lp-2", "milp-2"} & methods:
        found.append(
            "Published: the same programs with half-spaces of order 2 only, as in the paper on localized smoothing."
        )
    if "enumerated" in methods:
        found.append(
            "All attacks: where new nodes can be joined to the graph in few ways only, every one of them is looked at; "
            "elsewhere the bound is that of the integer program."
        )
    if "tight" in methods:
        found.append(
            "Exact trade-offs: nothing is linearised. A search over where the changes are made compares every target’s "
            "votes with the exact critical probability; where it ends, no certificate from these votes can say "
            "more. If the time limit ends it, the number is what had been proved by then."
        )
    gaps = np.concatenate([sweep.best.gap for sweep in swept])
    sentences = [
        "Gap: the best attack that was found bounds what can be certified at all. A gap of k means that at most k more "
        f"targets could be certified by this method, 0 that none could; {NOTHING} says that no attack is known."
    ]
    if not np.isnan(gaps).all():
        sentences.append(f"The largest known gap here is {number(math.ceil(np.nanmax(gaps)))} targets.")
    if stopped := sum(_unproved(status) for sweep in swept for status in sweep.best.status.tolist()):
        sentences.append(f"The solver stopped before its optimum at {number(stopped)} of {number(len(gaps))} budgets.")
    return [*found, " ".join(sentences)]
