"""Where to draw the clusters of a graph: near each other if many edges link them, and never on top of each other."""

from typing import NamedTuple

import networkx
import numpy as np
from numpy.typing import NDArray

from graphcert.report.plots.canvas import LETTER, TEXT
from graphcert.report.wording import number

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]

_COVER = 0.24
_LARGEST = 0.17
_SMALLEST = 2.0
_GAP = 4.0
_ROUNDS = 600
_SHRINK = 0.85
_ATTEMPTS = 15
_CIRCULAR = 3
_MOST_COUNTED = 20
_MOST_NAMED = 60
_SEED = 0


class Disk(NamedTuple):
    """A cluster in the picture, in points from its lower left corner.

    Attributes:
        x, y: the centre of the circle.
        radius: of the circle; its area is proportional to the number of nodes, unless they are very few.
        lines: the name, line by line: the cluster's number and, where there is room, its number of nodes.
        inside: whether the name stands in the circle, or in one line below it.
    """

    x: float
    y: float
    radius: float
    lines: tuple[str, ...]
    inside: bool

    @property
    def width(self) -> float:
        """Of circle and name together."""
        return max(2 * self.radius, 0.0 if self.inside else max(map(_length, self.lines), default=0.0))

    @property
    def below(self) -> float:
        """How much room the name takes below the circle."""
        return 0.0 if self.inside or not self.lines else TEXT + 1

    @property
    def height(self) -> float:
        """Of circle and name together."""
        return 2 * self.radius + self.below


def place_clusters(sizes: Integers, links: Integers, width: float, height: float) -> list[Disk]:
    """C disks within 0…`width` × 0…`height`, pulled together by their links; equal input, equal picture.

    Args:
        sizes: (C,) nodes per cluster.
        links: (C, C) symmetric, edges between clusters.
        width, height: of the picture in points.
    """
    relative = _springs(links)
    radii = np.sqrt(sizes) * min(
        np.sqrt(_COVER * width * height / np.pi / sizes.sum()), _LARGEST * width / np.sqrt(sizes.max())
    )
    for _ in range(_ATTEMPTS):
        disks = [_disk(k, int(sizes[k]), max(_SMALLEST, float(radii[k])), len(sizes)) for k in range(len(sizes))]
        boxes = np.array([(disk.width, disk.height) for disk in disks])
        centres, apart = _pushed_apart(boxes / 2 + relative * (np.array([width, height]) - boxes), boxes, width, height)
        if apart:
            break
        radii = radii * _SHRINK
    return [disk._replace(x=float(x), y=float(y + disk.below / 2)) for disk, (x, y) in zip(disks, centres, strict=True)]


def _disk(cluster: int, nodes: int, radius: float, clusters: int) -> Disk:
    """A disk somewhere, with the longest name for which there is room."""
    both = (str(cluster), number(nodes))
    half = max(map(_length, both)) / 2
    if radius >= np.hypot(half, TEXT) + 1:
        return Disk(0, 0, radius, both, inside=True)
    if clusters <= _MOST_COUNTED:
        return Disk(0, 0, radius, (" · ".join(both),), inside=False)
    if radius >= np.hypot(_length(both[0]), TEXT) / 2 + 1:
        return Disk(0, 0, radius, both[:1], inside=True)
    return Disk(0, 0, radius, both[:1] if clusters <= _MOST_NAMED else (), inside=False)


def _length(text: str) -> float:
    return len(text) * LETTER


def _springs(links: Integers) -> Reals:
    """(C, 2) positions within 0…1 on both axes."""
    between = links * (1.0 - np.eye(len(links)))
    ends = np.maximum(between.sum(axis=1), 1.0)
    graph = networkx.from_numpy_array(between / np.sqrt(np.outer(ends, ends)))
    if len(links) <= _CIRCULAR:
        found = networkx.circular_layout(graph)
    else:
        found = networkx.spring_layout(graph, iterations=200, seed=_SEED)
    positions = np.array([found[k] for k in range(len(links))])
    low, span = positions.min(axis=0), np.ptp(positions, axis=0)
    return np.asarray(np.where(span > 1e-6, (positions - low) / np.maximum(span, 1e-6), 0.5))


def _pushed_apart(centres: Reals, boxes: Reals, width: float, height: float) -> tuple[Reals, bool]:
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
