"""The clusters of a graph as circles with lines between them, and what one perturbation does to them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import networkx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Wedge
from numpy.typing import NDArray

from graphcert.core.arrays import Integers
from graphcert.report.frame.html import INK, MUTED, PAGE, RANK_CELL, RULE, WRONG, Colour
from graphcert.report.frame.wording import number
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH, panel, picture
from graphcert.report.plots.matrices import NUMBER, RANK_HEIGHT

Reals = NDArray[np.float64]

_COVER, _LARGEST, _SMALLEST = 0.24, 0.17, 2.0
"""Circles: their share of the picture, the largest radius as a share of its width, and the smallest one in points."""
_GAP, _ROUNDS, _SHRINK, _ATTEMPTS = 4.0, 600, 0.85, 15
_MOST_COUNTED, _MOST_NAMED = 20, 60
_MARGIN = 3.0
_THICKEST, _THINNEST = 7.0, 0.25
"""Widths of lines in points; thinner ones are left out."""
_RING = 4.5
"""Width of the ring around a circle, in points, where there is room for it."""
TINT = 0.15
"""How much colour a circle has, of the full one."""


class Disk(NamedTuple):
    """A cluster in the picture, in points from its lower left corner.

    The area of the circle is proportional to the number of nodes, unless they are very few. The `lines` of the name are the
    cluster's number and, where there is room, its number of nodes; they stand in the circle, or in one line below it.
    """

    x: float
    y: float
    radius: float
    lines: tuple[str, ...]
    inside: bool

    @property
    def width(self) -> float:
        """Of circle and name together."""
        return max(2 * self.radius, 0.0 if self.inside else LETTER * max(map(len, self.lines), default=0))

    @property
    def below(self) -> float:
        """How much room the name takes below the circle."""
        return 0.0 if self.inside or not self.lines else TEXT + 1


def place_clusters(sizes: Integers, links: Integers, width: float, height: float) -> list[Disk]:
    """C disks within 0…`width` × 0…`height` points, pulled together by their links; equal input, equal picture.

    `sizes` (C,) are nodes per cluster, `links` (C, C) edges between clusters, symmetric.
    """
    relative = springs(links)
    radii = np.sqrt(sizes) * min(
        np.sqrt(_COVER * width * height / np.pi / sizes.sum()), _LARGEST * width / np.sqrt(sizes.max())
    )
    for _ in range(_ATTEMPTS):
        disks = [_disk(k, int(sizes[k]), max(_SMALLEST, float(radii[k])), len(sizes)) for k in range(len(sizes))]
        boxes = np.array([(disk.width, 2 * disk.radius + disk.below) for disk in disks])
        centres, apart = pushed_apart(boxes / 2 + relative * (np.array([width, height]) - boxes), boxes, width, height)
        if apart:
            break
        radii = radii * _SHRINK
    return [disk._replace(x=float(x), y=float(y + disk.below / 2)) for disk, (x, y) in zip(disks, centres, strict=True)]


def _disk(cluster: int, nodes: int, radius: float, clusters: int) -> Disk:
    """A disk somewhere, with the longest name for which there is room."""
    both = (str(cluster), number(nodes))
    half = LETTER * max(map(len, both)) / 2
    if radius >= np.hypot(half, TEXT) + 1:
        return Disk(0, 0, radius, both, inside=True)
    if clusters <= _MOST_COUNTED:
        return Disk(0, 0, radius, (" · ".join(both),), inside=False)
    if radius >= np.hypot(LETTER * len(both[0]), TEXT) / 2 + 1:
        return Disk(0, 0, radius, both[:1], inside=True)
    return Disk(0, 0, radius, both[:1] if clusters <= _MOST_NAMED else (), inside=False)


def springs(links: Integers) -> Reals:
    """(C, 2) positions within 0…1 on both axes."""
    between = links * (1.0 - np.eye(len(links)))
    ends = np.maximum(between.sum(axis=1), 1.0)
    graph = networkx.from_numpy_array(between / np.sqrt(np.outer(ends, ends)))
    few = len(links) <= 3
    found = networkx.circular_layout(graph) if few else networkx.spring_layout(graph, iterations=200, seed=0)
    positions = np.array([found[k] for k in range(len(links))])
    low, span = positions.min(axis=0), np.ptp(positions, axis=0)
    return np.asarray(np.where(span > 1e-6, (positions - low) / np.maximum(span, 1e-6), 0.5))


def pushed_apart(centres: Reals, boxes: Reals, width: float, height: float) -> tuple[Reals, bool]:
    """Centres of boxes (C, 2) moved until none of them overlap, and whether that came about."""
    least = (boxes[:, None] + boxes[None]) / 2 + _GAP
    order = np.sign(np.arange(len(boxes))[:, None] - np.arange(len(boxes))[None])[..., None]
    for _ in range(_ROUNDS):
        offset = centres[:, None] - centres[None]
        overlap = least - np.abs(offset)
        hit = (overlap > 0).all(axis=2) & (order[..., 0] != 0)
        if not hit.any():
            return centres, True
        direction = np.where(offset == 0, order, np.sign(offset))
        shorter = overlap == overlap.min(axis=2, keepdims=True)
        push = np.where(hit[..., None] & shorter, direction * (overlap / 2 + 0.05), 0.0).sum(axis=1)
        centres = np.clip(centres + push / 1.5, boxes / 2, np.array([width, height]) - boxes / 2)
    return centres, False


def cluster_plot(sizes: Integers, links: Integers, name: str) -> str:
    """Circles as SVG, their area by the nodes (C,), and lines, their width by the edges (C, C) between clusters."""

    def draw(figure: Figure) -> None:
        axes, disks = _clusters(figure, sizes, links)
        for disk in disks:
            _write(axes, disk)

    return picture(draw, RANK_HEIGHT, name, f"{len(sizes)} clusters of nodes and the edges between them")


def attack_plot(
    sizes: Integers, links: Integers, changed: Sequence[str], between: Integers, share: Reals, name: str
) -> str:
    """The clusters where `cluster_plot` puts them; rings are filled as far as targets may fall. As SVG.

    Args:
        changed: (C,) what changes in each cluster, in a few signs, such as "+3"; empty for nothing.
        between: (C, C) edges that change between two clusters, entry [j, k] with j < k.
        share: (C,) share of the targets that may fall, in [0, 1]; nan where there are none.
    """

    def draw(figure: Figure) -> None:
        axes, disks = _clusters(figure, sizes, links)
        for j, k in np.argwhere(between).tolist():
            _changed_edges(axes, disks[j], disks[k], int(between[j, k]))
        for cluster, disk in enumerate(disks):
            _ring(axes, disk, float(share[cluster]))
            full = (str(cluster), changed[cluster]) if disk.inside else (f"{cluster} · {changed[cluster]}",)
            room = len(disk.lines) == 2 if disk.inside else len(full[0]) <= max(map(len, disk.lines), default=0)
            # Where there is no room for what changes, the number of the cluster is coloured.
            lines = full if changed[cluster] and room else (str(cluster),) if disk.lines else ()
            _write(axes, disk._replace(lines=lines), INK if room or not changed[cluster] else WRONG, WRONG, TEXT)

    description = f"what changes in {len(sizes)} clusters, and the share of each that may fall"
    return picture(draw, RANK_HEIGHT, name, description)


def _clusters(figure: Figure, sizes: Integers, links: Integers) -> tuple[Axes, list[Disk]]:
    """Axes in points with the circles and the lines between them, the same in every picture of these clusters."""
    width, height = WIDTH - 2 * _MARGIN, RANK_HEIGHT - 2 * _MARGIN
    axes = panel(figure, RANK_HEIGHT, _MARGIN, _MARGIN, _MARGIN, _MARGIN)
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    disks = place_clusters(sizes, links, width, height)
    between = np.triu(links, 1)
    widths = _THICKEST * between / max(1, int(between.max()))
    for i, j in np.argwhere(widths >= _THINNEST).tolist():
        x, y = [disks[i].x, disks[j].x], [disks[i].y, disks[j].y]
        axes.plot(x, y, color=MUTED.light, alpha=0.35, linewidth=widths[i, j], solid_capstyle="butt")
    for disk in disks:
        centre = (disk.x, disk.y)
        axes.add_patch(Circle(centre, disk.radius, facecolor=PAGE.light, linewidth=0, zorder=3))
        axes.add_patch(Circle(centre, disk.radius, facecolor=(RANK_CELL.light, TINT), linewidth=0, zorder=4))
        axes.add_patch(Circle(centre, disk.radius, fill=False, edgecolor=RANK_CELL.light, linewidth=1, zorder=5))
    return axes, disks


def _write(axes: Axes, disk: Disk, first: Colour = INK, second: Colour = MUTED, size: float = NUMBER) -> None:
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


def _ring(axes: Axes, disk: Disk, share: float) -> None:
    """A ring inside the edge of a circle, filled clockwise from the top."""
    centre, style = (disk.x, disk.y), {"width": min(_RING, disk.radius), "linewidth": 0}
    axes.add_patch(Wedge(centre, disk.radius, 0, 360, facecolor=RULE.light, zorder=5, **style))
    if share > 0:
        start = 90 - 360 * share
        axes.add_patch(Wedge(centre, disk.radius, start, 90, facecolor=WRONG.light, zorder=5.5, **style))


def _changed_edges(axes: Axes, one: Disk, other: Disk, count: int) -> None:
    """A line between two circles, with the number of edges that change."""
    axes.plot([one.x, other.x], [one.y, other.y], color=WRONG.light, linewidth=1.5, zorder=2)
    axes.text(
        (one.x + other.x) / 2, (one.y + other.y) / 2, str(count),
        ha="center", va="center", color=WRONG.light, fontsize=TEXT, zorder=2.5,
        bbox={"facecolor": PAGE.light, "alpha": 0.85, "linewidth": 0, "pad": 0.6},
    )  # fmt: skip
