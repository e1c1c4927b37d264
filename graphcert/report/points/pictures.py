"""Clouds of points as pictures from two sides: parts in colour, what is not certified hollow, what is wrong crossed."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.report.images.pictures import VOID, Colour3

SIDE = 260
"""Pixels of one view, up and across."""
SIDES = ((-0.6, 0.3), (1.1, 0.75))
"""Of the views: how far the eye has gone around the upright axis, and above the ground, in radians."""
GROUND, HOLLOW, CROSS = (250, 251, 252), (118, 127, 138), (196, 18, 48)
_FINE = 3
"""Pixels are drawn so many times finer, and averaged."""
_FAR, _RADIUS = 0.45, 2.6
"""How much of the farthest point's colour is the ground's, and the radius of the nearest of 1,024 points, in pixels."""
_ROOM = 1.06


class Marks(NamedTuple):
    """What a picture shows of P points.

    Attributes:
        parts: (P,) their colours by part, −1 for none.
        shown: (P,) points that are drawn in colour; the others are hollow and grey. None for all.
        wrong: (P,) points that are crossed out, if they are shown; None for none.
    """

    parts: Integers
    shown: Mask | None = None
    wrong: Mask | None = None


def cloud_picture(points: Floats, marks: Marks, palette: Sequence[Colour3], up: str = "z") -> Image.Image:
    """A cloud (P, 3) from the two sides, beside each other, seen from afar; equal arguments, equal pictures.

    Nearer points hide farther ones, and farther ones are paler and smaller. `up` names the coordinate that is upright.
    """
    turned = np.roll(points, 2 - "xyz".index(up), axis=1)  # keeps the hand: x → y → z → x
    extent = max(float(np.linalg.norm(turned, axis=1).max(initial=0.0)) * _ROOM, 1e-300)
    sheet = Image.new("RGB", (len(SIDES) * SIDE, SIDE), GROUND)
    for place, (around, above) in enumerate(SIDES):
        view = _seen(turned / extent, around, above)
        sheet.paste(_drawn(view, marks, palette), (place * SIDE, 0))
    return sheet.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _seen(points: Floats, around: float, above: float) -> Floats:
    """(P, 3) to the right, upwards, and towards the eye."""
    x, y, z = points.T
    right = np.cos(around) * x + np.sin(around) * y
    deep = np.cos(around) * y - np.sin(around) * x
    return np.stack([right, np.cos(above) * z + np.sin(above) * deep, np.sin(above) * z - np.cos(above) * deep], axis=1)


def _drawn(view: Floats, marks: Marks, palette: Sequence[Colour3]) -> Image.Image:
    """One view, the farthest points first."""
    size = SIDE * _FINE
    picture = Image.new("RGB", (size, size), GROUND)
    brush = ImageDraw.Draw(picture)
    largest = _RADIUS * _FINE * min(2.0, max(0.6, (1024 / max(1, len(view))) ** 0.3))
    shown = np.ones(len(view), np.bool_) if marks.shown is None else marks.shown
    wrong = np.zeros(len(view), np.bool_) if marks.wrong is None else marks.wrong & shown
    colours = np.array([*palette, VOID], np.float64)[marks.parts]
    near = np.clip((view[:, 2] + 1) / 2, 0, 1)
    for p in np.argsort(view[:, 2], kind="stable").tolist():
        x, y = size * (view[p, 0] + 1) / 2, size * (1 - view[p, 1]) / 2
        pale, radius = (1 - near[p]) * _FAR, largest * (0.75 + 0.25 * near[p])
        if not shown[p]:
            box = _box(x, y, 0.8 * radius)
            brush.ellipse(box, fill=GROUND, outline=_mixed(np.array(HOLLOW), pale), width=_FINE - 1)
            continue
        brush.ellipse(_box(x, y, radius), fill=_mixed(colours[p], pale))
        if wrong[p]:
            left, top, right, bottom = _box(x, y, 1.15 * radius)
            for line in ((left, top, right, bottom), (left, bottom, right, top)):
                brush.line(line, fill=GROUND, width=2 * _FINE)
            for line in ((left, top, right, bottom), (left, bottom, right, top)):
                brush.line(line, fill=CROSS, width=_FINE + 1)
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


def _mixed(colour: NDArray[np.float64], pale: float) -> Colour3:
    """A colour with some of the ground."""
    red, green, blue = ((1 - pale) * colour + pale * np.array(GROUND)).round().astype(int).tolist()
    return red, green, blue


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius
