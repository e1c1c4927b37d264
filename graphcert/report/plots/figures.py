"""Plots of reports as figures of their own, for notebooks and for files."""

import io
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from graphcert.collective import CollectiveCurve
from graphcert.core.files import atomic_write
from graphcert.errors import InputError
from graphcert.report.frame.html import ACCURACY, RATIO
from graphcert.report.plots.budget_curves import HEIGHT, Shares, shares_drawing
from graphcert.report.plots.canvas import WIDTH, styled

_KINDS, _DPI = (".png", ".svg", ".pdf"), 200
_COLOURS = {"certified accuracy": ACCURACY, "certified ratio": RATIO}


class ShownFigure(Figure):
    """A figure that a notebook shows although no plotting session has made it."""

    def _repr_png_(self) -> bytes:
        return figure_bytes(self, "png")


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as the content of a file of some kind."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=_DPI)
    return stream.getvalue()


def shares_figure(
    axis: str, values: Any, ratio: Shares, accuracy: Shares | None, norm: str, path: str | os.PathLike[str] | None
) -> ShownFigure:
    """Certified ratio and accuracy (B,) over the budgets `values` (B,) on one axis; written to `path` if there is one."""
    lines: Mapping[str, Shares] = {"certified ratio": ratio}
    if accuracy is not None:
        lines = {"certified accuracy": accuracy, "certified ratio": ratio}
    figure = _figure(shares_drawing(axis, values, lines, norm=norm, colours=_COLOURS))
    if path is not None:
        content = figure_bytes(figure, kind_of_file(path))
        with atomic_write(Path(path)) as stream:
            stream.write(content)
    return figure


def kind_of_file(path: str | os.PathLike[str]) -> str:
    """The kind of a file of a plot, such as "png"; raises `InputError` for one that is not offered."""
    suffix = Path(path).suffix.lower()
    if suffix not in _KINDS:
        raise InputError(f"a plot is written as {', '.join(_KINDS)}; name such a file, got {os.fspath(path)!r}")
    return suffix[1:]


def collective_figure(
    curve: CollectiveCurve, axis: str | None = None, path: str | os.PathLike[str] | None = None
) -> ShownFigure:
    """See `CollectiveCurve.plot`."""
    varying = [name for name, column in zip(curve.axes, curve.budgets.T, strict=True) if np.ptp(column) > 0]
    chosen = axis or next(iter(varying), curve.axes[0])
    names = {name.removeprefix("feature_"): name for name in curve.axes} | {name: name for name in curve.axes}
    if chosen not in names or not len(curve):
        raise InputError(
            f"this curve has budgets on the axes {', '.join(varying) or 'of no change'}, got axis={axis!r}"
        )
    column = curve.axes.index(names[chosen])
    others = np.delete(curve.budgets, column, axis=1)
    rows = np.flatnonzero((others == others.min(axis=0)).all(axis=1))
    along, accuracy = curve.budgets[rows, column].tolist(), curve.accuracy
    return shares_figure(
        names[chosen], along, curve.ratio[rows], None if accuracy is None else accuracy[rows], "", path
    )


def _figure(draw: Callable[[Figure], None]) -> ShownFigure:
    with styled():
        figure = ShownFigure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=_DPI)
        draw(figure)
    return figure
