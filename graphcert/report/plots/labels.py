"""Places for the names of curves: close to their own curve, on top of none, with a line to it where that is unclear."""

from collections.abc import Sequence
from textwrap import wrap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.report.plots.canvas import LETTER, TEXT

Boxes = NDArray[np.float64]
"""(…, 4) left, bottom, right, top in points; a level or an upright line is a box without height or width."""

ROW = 1.15 * TEXT
"""From one row of a name to the next, in points."""

_GAP, _THIN, _STEP, _NEAR = 3.0, 1.0, 3.0, 9.0
_UNCLEAR, _DETOUR, _SHORTENED, _SAMPLES = 25.0, 20.0, 0.75, 24


class Named(NamedTuple):
    """A curve, its name, all of its `lines` (S, 4), and its `aim` (s, 4), by which it is told from the other curves."""

    text: str
    lines: Boxes
    aim: Boxes


class Place(NamedTuple):
    """Lower left corner of a name, its rows from above, and the ends of the line from it to its curve if one is needed."""

    x: float
    y: float
    rows: tuple[str, ...]
    leader: Boxes | None


def place_names(curves: Sequence[Named], width: float, height: float) -> list[Place]:
    """A place within 0…`width` × 0…`height` for every name, off all curves, names and lines that lead to a curve.

    A name is put as near to its curve as there is room, in one row or, if it is one of several names of a curve, in
    several. A line leads to the curve unless that is next to the name and no other one is about as near. Earlier names
    have the first choice.
    """
    taken, drawn = np.empty((0, 4)), np.concatenate([curve.lines for curve in curves])
    places = []
    for i, curve in enumerate(curves):
        layouts = _layouts(curve.text, int((width - 2 * _GAP) / LETTER))
        found = [_boxes(max(map(len, rows)) * LETTER, len(rows), width, height) for rows in layouts]
        boxes = np.concatenate(found)
        layout = np.repeat(np.arange(len(layouts)), [len(some) for some in found])
        others = np.concatenate([np.empty((0, 4)), *(other.lines for k, other in enumerate(curves) if k != i)])
        away = _distance(boxes, curve.aim)
        unclear = (away > _NEAR) | (_distance(boxes, others) < away + _GAP)
        covered = np.minimum(_distance(boxes, drawn), _distance(boxes, taken)) < _GAP
        cost = away + _UNCLEAR * unclear
        order = [k for k in np.argsort(cost, kind="stable") if not covered[k]] or [int(np.argmin(cost))]
        k = _chosen([int(k) for k in order], cost, unclear, boxes, curve.aim, taken, others)
        leader = _leader(boxes[k], curve.aim) if unclear[k] else None
        taken = np.concatenate([taken, boxes[k : k + 1]])
        drawn = drawn if leader is None else np.concatenate([drawn, _points(leader)])
        places.append(Place(float(boxes[k, 0]), float(boxes[k, 1]), layouts[layout[k]], leader))
    return places


def _chosen(
    order: list[int], cost: Boxes, unclear: NDArray[np.bool_], boxes: Boxes, aim: Boxes, taken: Boxes, others: Boxes
) -> int:
    """The cheapest place whose leader passes by all names and, unless that is much dearer, by other curves."""
    cheapest = None
    for k in order:
        if cheapest is not None and cost[k] > cost[cheapest] + _DETOUR:
            return cheapest
        leader = _leader(boxes[k], aim)
        # At its end, other curves may be as near as its own.
        shortened = np.concatenate([leader[:2], leader[:2] + _SHORTENED * (leader[2:] - leader[:2])])
        if not unclear[k] or (_free(leader, taken) and _free(shortened, others)):
            return k
        if cheapest is None and _free(leader, taken):
            cheapest = k
    return order[0] if cheapest is None else cheapest


def _layouts(text: str, longest: int) -> list[tuple[str, ...]]:
    """A name in one row, in rows of 2/3 and 1/3 of the width, and with a row for each side of an equation."""
    sides = [row for side in text.replace(" = ", " =\n").splitlines() for row in wrap(side, longest)]
    found = []
    for most in (longest, 2 * longest // 3, longest // 3, 0):
        rows = sides[:1]
        for side in sides[1:]:
            together = f"{rows[-1]} {side}"
            rows = [*rows[:-1], together] if len(together) <= most else [*rows, side]
        found.append(tuple(rows))
    return list(dict.fromkeys(found))


def _boxes(length: float, rows: int, width: float, height: float) -> Boxes:
    """(K, 4) where a text of some length and number of rows can stand, from below upwards."""
    tall = TEXT + (rows - 1) * ROW
    x = np.arange(_GAP, max(width - length, 2 * _GAP), _STEP)
    left, bottom = np.meshgrid(x, np.arange(_GAP, max(height - tall, 2 * _GAP), _STEP))
    return np.stack([left, bottom, left + length, bottom + tall], axis=-1).reshape(-1, 4)


def _distance(boxes: Boxes, lines: Boxes) -> NDArray[np.float64]:
    """(K,) how far each box is from the nearest line; ∞ if there is none."""
    if not len(lines):
        return np.full(len(boxes), np.inf)
    box, line = boxes[:, None], lines[None]
    apart = [np.maximum(line[..., a] - box[..., a + 2], box[..., a] - line[..., a + 2]).clip(0) for a in (0, 1)]
    return np.asarray(np.hypot(*apart).min(axis=1))


def _leader(box: Boxes, aim: Boxes) -> Boxes:
    """(4,) from the box (x, y) to the nearest point (x, y) of the curve."""
    nearest = aim[np.argmin([_distance(box[None], line[None])[0] for line in aim])]
    ends = np.empty((2, 2))
    for axis in (0, 1):
        low, high = max(box[axis], nearest[axis]), min(box[axis + 2], nearest[axis + 2])
        if low <= high:
            ends[:, axis] = (low + high) / 2
        else:
            # Apart along this axis: `low` is where the farther one begins, `high` where the nearer one ends.
            ends[:, axis] = (low, high) if low == box[axis] else (high, low)
    return ends.reshape(4)


def _free(leader: Boxes, taken: Boxes) -> bool:
    """Whether a line passes by all these boxes."""
    return bool(_distance(_points(leader), taken).min() > _THIN)


def _points(leader: Boxes) -> Boxes:
    """(n, 4) a slanted line as points on it."""
    along = np.linspace(leader[:2], leader[2:], _SAMPLES)
    return np.concatenate([along, along], axis=1)
