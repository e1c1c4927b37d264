"""One perturbation on the picture of the clusters: what changes where, and which share of every cluster may fall."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Wedge
from numpy.typing import NDArray

from graphcert.report.plots.canvas import TEXT, picture
from graphcert.report.plots.clusters import draw_circle, draw_links, draw_name, open_space, place
from graphcert.report.plots.layout import Disk
from graphcert.report.plots.ranks import HEIGHT
from graphcert.report.theme import INK, PAGE, RULE, WRONG

_RING = 4.5
"""Width of the ring around a circle, in points, where there is room for it."""


def attack_plot(
    sizes: NDArray[np.int64],
    links: NDArray[np.int64],
    changed: Sequence[str],
    between: NDArray[np.int64],
    share: NDArray[np.float64],
    name: str,
) -> str:
    """The clusters where `cluster_plot` puts them; rings are filled as far as targets may fall. As SVG.

    Args:
        sizes: (C,) nodes per cluster.
        links: (C, C) symmetric, edges between clusters.
        changed: (C,) what changes in each cluster, in a few signs, such as "+3"; empty for nothing.
        between: (C, C) edges that change between two clusters, entry [j, k] with j < k.
        share: (C,) share of the targets that may fall, in [0, 1]; nan where there are none.
        name: unique in the page.
    """

    def draw(figure: Figure) -> None:
        disks, axes = place(sizes, links), open_space(figure)
        draw_links(axes, disks, links)
        for j, k in np.argwhere(between).tolist():
            _changed_edges(axes, disks[j], disks[k], int(between[j, k]))
        for cluster, disk in enumerate(disks):
            draw_circle(axes, disk)
            _ring(axes, disk, float(share[cluster]))
            _name(axes, disk, cluster, changed[cluster])

    return picture(draw, HEIGHT, name, f"what changes in {len(sizes)} clusters, and the share of each that may fall")


def _name(axes: Axes, disk: Disk, cluster: int, changed: str) -> None:
    """The number of a cluster and what changes in it; where there is no room for that, a coloured number."""
    full = (str(cluster), changed) if disk.inside else (f"{cluster} · {changed}",)
    room = len(disk.lines) == 2 if disk.inside else len(full[0]) <= max(map(len, disk.lines), default=0)
    names = full if changed and room else (str(cluster),) if disk.lines else ()
    plain = INK if room or not changed else WRONG
    draw_name(axes, disk._replace(lines=names), plain, WRONG, TEXT)


def _ring(axes: Axes, disk: Disk, share: float) -> None:
    """A ring inside the edge of a circle, filled clockwise from the top."""
    width = min(_RING, disk.radius)
    centre = (disk.x, disk.y)
    axes.add_patch(Wedge(centre, disk.radius, 0, 360, width=width, facecolor=RULE.light, linewidth=0, zorder=5))
    if share > 0:
        start = 90 - 360 * share
        axes.add_patch(
            Wedge(centre, disk.radius, start, 90, width=width, facecolor=WRONG.light, linewidth=0, zorder=5.5)
        )


def _changed_edges(axes: Axes, one: Disk, other: Disk, count: int) -> None:
    """A line between two circles, with the number of edges that change."""
    axes.plot([one.x, other.x], [one.y, other.y], color=WRONG.light, linewidth=1.5, zorder=2)
    axes.text(
        (one.x + other.x) / 2, (one.y + other.y) / 2, str(count),
        ha="center", va="center", color=WRONG.light, fontsize=TEXT, zorder=2.5,
        bbox={"facecolor": PAGE.light, "alpha": 0.85, "linewidth": 0, "pad": 0.6},
    )  # fmt: skip
