"""Rows as tables in Markdown and as plots in SVG: means over the seeds, and standard deviations."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from graphcert.core.files import atomic_write_text
from graphcert.experiments.experiment import SEED, Front, Lines, Published, Row, Table, Value
from graphcert.report.frame.wording import NOTHING
from graphcert.report.plots.figures import figure_bytes

Key = tuple[Any, ...]
_BESIDE = 0.02
"""How far a front is drawn beside its least accurate design."""


class Spread:
    """A measurement over the seeds."""

    def __init__(self, values: Iterable[float]) -> None:
        self.values: NDArray[np.float64] = np.array(list(values), np.float64)

    @property
    def mean(self) -> float:
        """Of all seeds."""
        return float(self.values.mean())

    @property
    def deviation(self) -> float:
        """Standard deviation of a seed; 0 for one seed."""
        return float(self.values.std(ddof=1)) if len(self.values) > 1 else 0.0

    def words(self, percent: bool) -> str:
        """Mean ± deviation; percentages are rounded down, their deviations up."""
        scale, places = (100, 1) if percent else (1, 2)
        down, up = (
            _rounded(way, scale * value, places)
            for way, value in ((math.floor, self.mean), (math.ceil, self.deviation))
        )
        return f"{down:.{places}f}" + (f" ± {up:.{places}f}" if len(self.values) > 1 else "")


def _rounded(way: Callable[[float], int], value: float, places: int) -> float:
    # A mean of exact numbers may lie a little below what it is.
    nearest = round(value, places)
    if abs(value - nearest) < 1e-9 * max(1.0, abs(value)):
        return nearest
    scale = 10.0**places
    return way(value * scale) / scale


def chosen(rows: Sequence[Row], where: Mapping[str, Value]) -> list[Row]:
    """The rows in which keys have these values."""
    return [row for row in rows if all(row.get(key) == value for key, value in where.items())]


def grouped(rows: Sequence[Row], keys: Sequence[str]) -> dict[Key, list[Row]]:
    """The rows by their values of keys, in the order in which these appear; rows without one of the keys are left out."""
    found: dict[Key, list[Row]] = {}
    for row in rows:
        if all(key in row for key in keys):
            found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def spread(rows: Iterable[Row], value: str) -> Spread | None:
    """A measurement over the rows that have it, one of each seed; None if none has it."""
    by_seed: dict[Value, list[float]] = {}
    for row in rows:
        if isinstance(row.get(value), int | float):
            by_seed.setdefault(row[SEED], []).append(float(row[value]))
    return Spread(float(np.mean(of_seed)) for of_seed in by_seed.values()) if by_seed else None


def spread_words(rows: Iterable[Row], value: str, percent: bool = True) -> str:
    """A measurement over the seeds in words; a dash where no row has it."""
    found = spread(rows, value)
    return NOTHING if found is None else found.words(percent)


def table_text(table: Table, rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    wanted = [row for row in chosen(rows, table.where) if table.value in row]
    columns = [key[0] for key in grouped(wanted, [table.column])]
    lines, by_key = [], grouped(wanted, table.rows)
    places = [list(dict.fromkeys(parts)) for parts in zip(*by_key, strict=True)]
    for key in sorted(by_key, key=lambda key: [place.index(part) for place, part in zip(places, key, strict=True)]):
        cells = []
        for column in columns:
            cells.append(spread_words(chosen(by_key[key], {table.column: column}), table.value, table.percent))
        lines.append([*map(str, key), *cells])
    return markdown([*table.rows, *map(str, columns)], lines, len(table.rows))


def rows_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as comma-separated values under all of their keys, in the order in which these appear."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(dict.fromkeys(key for row in rows for key in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def published_text(found: Published) -> str:
    """Figures of a paper in Markdown."""
    return markdown(found.header, found.rows, 1)


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]], words: int) -> str:
    """A table in Markdown whose first columns are words and whose others are numbers."""
    rules = ["---"] * words + ["--:"] * (len(header) - words)
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rules, *lines))


def draw(plot: Lines | Front, rows: Sequence[Row], path: Path) -> None:
    """A plot as a file of SVG; the same rows give the same bytes."""
    import matplotlib

    wanted = chosen(rows, plot.where)
    panels = grouped(wanted, [plot.panel])
    colours = {line: f"C{number % 10}" for number, (line,) in enumerate(grouped(wanted, [plot.line]))}
    with matplotlib.rc_context(
        {"svg.hashsalt": plot.name, "font.size": 8, "axes.spines.top": False, "axes.spines.right": False}
    ):
        across = min(len(panels), 2)
        down = -(-len(panels) // across)
        figure = Figure(figsize=(3.9 * across, 3.0 * down + 0.5), layout="constrained")
        places = np.atleast_1d(figure.subplots(down, across)).ravel()
        for axes, ((name,), of_panel) in zip(places, panels.items(), strict=False):
            axes.set_title(str(name), fontsize=9)
            axes.set(xlabel=plot.x, ylabel=plot.y)
            axes.grid(alpha=0.25)
            for (line,), of_line in grouped(of_panel, [plot.line]).items():
                style = {"color": colours[line], "label": str(line)}
                if isinstance(plot, Front):
                    _front(axes, plot, of_line, style)
                else:
                    _line(axes, plot, of_line, style)
        for axes in places[len(panels) :]:
            axes.set_axis_off()
        handles = {
            label: handle for axes in places for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=across, fontsize=7)
        atomic_write_text(path, _undated(figure_bytes(figure, "svg").decode()))


def pareto(places: Mapping[Key, tuple[float, float]]) -> list[Key]:
    """The designs that no other one passes in one measurement and reaches in the other, by their first measurement."""
    kept = []
    for key, (x, y) in places.items():
        beaten = any(a >= x and b >= y and (a, b) != (x, y) for a, b in places.values())
        if not beaten:
            kept.append(key)
    return sorted(kept, key=lambda key: places[key])


def places_of(rows: Sequence[Row], design: str, x: str, y: str) -> dict[Key, tuple[float, float]]:
    """Means of two measurements over the seeds, by design."""
    found = {}
    for key, of_design in grouped(rows, [design]).items():
        across, upwards = spread(of_design, x), spread(of_design, y)
        if across is not None and upwards is not None:
            found[key] = across.mean, upwards.mean
    return found


def _front(axes: Axes, plot: Front, rows: Sequence[Row], style: Mapping[str, Any]) -> None:
    places = places_of(rows, plot.design, plot.x, plot.y)
    best = [places[key] for key in pareto(places)]
    (left, highest), (right, _) = best[0], best[-1]
    # What an accurate design reaches is reached by whoever asks for less accuracy, and nothing by who asks for more.
    x, y = np.transpose([(left - _BESIDE, highest), *best, (right, 0.0)])
    axes.step(x, y, where="pre", linewidth=1.2, **style)
    for of_design in grouped(rows, [plot.design]).values():
        across, upwards = spread(of_design, plot.x), spread(of_design, plot.y)
        if across is not None and upwards is not None:
            axes.errorbar(
                across.mean, upwards.mean, upwards.deviation, across.deviation, fmt="o", markersize=2.5, linewidth=0.4,
                color=style["color"], alpha=0.5,
            )  # fmt: skip


def _line(axes: Axes, plot: Lines, rows: Sequence[Row], style: Mapping[str, Any]) -> None:
    along = {float(key[0]): one for key, some in grouped(rows, [plot.x]).items() if (one := spread(some, plot.y))}
    at = np.array(sorted(along))
    found = [along[x] for x in sorted(along)]
    mean, deviation = (np.array([getattr(one, name) for one in found]) for name in ("mean", "deviation"))
    # What holds at a budget holds below it, and between two of them nothing else was computed.
    axes.step(at, mean, where="pre", marker=".", markersize=3, linewidth=1.1, **style)
    axes.fill_between(at, mean - deviation, mean + deviation, color=style["color"], alpha=0.12, linewidth=0, step="pre")


def _undated(svg: str) -> str:
    """Without the moment at which it was drawn."""
    return "\n".join(line.rstrip() for line in svg.splitlines() if "<dc:date>" not in line) + "\n"
