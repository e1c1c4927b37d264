"""The clusters of a graph as circles, and the edges between them as lines."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray

from graphcert.report.plots.canvas import TEXT, WIDTH, panel, picture
from graphcert.report.plots.layout import Disk, place_clusters
from graphcert.report.plots.ranks import HEIGHT
from graphcert.report.plots.shades import NUMBER
from graphcert.report.theme import INK, MUTED, PAGE, RANK_CELL, Colour

_MARGIN = 3.0
_THICKEST = 7.0
_THINNEST = 0.25
TINT = 0.15
"""How much colour a circle has, of the full one."""


def cluster_plot(sizes: NDArray[np.int64], links: NDArray[np.int64], name: str) -> str:
    """Circles as SVG, their area by the nodes, and lines between them, their width by the edges.

    Lines under 1/28 of the thickest are left out.

    Args:
        sizes: (C,) nodes per cluster.
        links: (C, C) symmetric, edges between clusters.
        name: unique in the page.
    """

    def draw(figure: Figure) -> None:
        disks, axes = place(sizes, links), open_space(figure)
        draw_links(axes, disks, links)
        for disk in disks:
            draw_circle(axes, disk)
            draw_name(axes, disk)

    return picture(draw, HEIGHT, name, f"{len(sizes)} clusters of nodes and the edges between them")


def place(sizes: NDArray[np.int64], links: NDArray[np.int64]) -> list[Disk]:
    """Where the clusters stand in every picture of them."""
    return place_clusters(sizes, links, WIDTH - 2 * _MARGIN, HEIGHT - 2 * _MARGIN)


def open_space(figure: Figure) -> Axes:
    """Axes in points, on which clusters are placed."""
    axes = panel(figure, HEIGHT, _MARGIN, _MARGIN, _MARGIN, _MARGIN)
    axes.set(xlim=(0, WIDTH - 2 * _MARGIN), ylim=(0, HEIGHT - 2 * _MARGIN))
    axes.set_axis_off()
    return axes


def draw_links(axes: Axes, disks: list[Disk], links: NDArray[np.int64]) -> None:
    """Lines between circles, their width by the edges."""
    between = np.triu(links, 1)
    widths = _THICKEST * between / max(1, int(between.max()))
    for i, j in np.argwhere(widths >= _THINNEST).tolist():
        axes.plot(
            [disks[i].x, disks[j].x], [disks[i].y, disks[j].y],
            color=MUTED.light, alpha=0.35, linewidth=widths[i, j], solid_capstyle="butt",
        )  # fmt: skip


def draw_circle(axes: Axes, disk: Disk) -> None:
    """A circle without its name."""
    centre = (disk.x, disk.y)
    axes.add_patch(Circle(centre, disk.radius, facecolor=PAGE.light, linewidth=0, zorder=3))
    axes.add_patch(Circle(centre, disk.radius, facecolor=(RANK_CELL.light, TINT), linewidth=0, zorder=4))
    axes.add_patch(Circle(centre, disk.radius, fill=False, edgecolor=RANK_CELL.light, linewidth=1, zorder=5))


def draw_name(axes: Axes, disk: Disk, first: Colour = INK, second: Colour = MUTED, size: float = NUMBER) -> None:
    """The name of a cluster, below its circle or inside, there with a second line of its own colour and size."""
    style: dict[str, Any] = {"ha": "center", "va": "center", "color": first.light, "zorder": 6}
    if not disk.inside:
        for text in disk.lines:
            axes.text(
                disk.x, disk.y - disk.radius - 1 - TEXT / 2, text, **style,
                bbox={"facecolor": PAGE.light, "alpha": 0.8, "linewidth": 0, "pad": 0.4},
            )  # fmt: skip
        return
    cluster, *count = disk.lines
    axes.text(disk.x, disk.y + len(count) * TEXT / 2, cluster, **style)
    for text in count:
        axes.text(disk.x, disk.y - TEXT / 2, text, **{**style, "color": second.light, "fontsize": size})
