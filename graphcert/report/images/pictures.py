"""Masks as pictures: classes in colour, what is not certified hatched."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from graphcert.core.arrays import Mask

Colour3 = tuple[int, int, int]
Classes = NDArray[np.int64]

SCALE = 2
"""Pixels of a picture per pixel of a mask, so that the hatching is finer than what it covers."""
VOID = (214, 218, 223)
"""Of pixels without a label."""
_GROUND, _STROKE = (238, 240, 243), (170, 178, 187)
"""Of hatched pixels."""
_PERIOD = 7
_WIDTH = 2
_LIGHT = 0.55
"""How much of an overlay is the colour of the class."""


def mask_picture(classes: Classes, palette: Sequence[Colour3], certified: Mask | None = None) -> Image.Image:
    """A mask (H, W) of classes 0 … K − 1, or −1 without a label, in the colours of its classes, twice as large.

    Pixels that are not certified are hatched, if `certified` says which ones are.
    """
    colours = [*palette, VOID, _GROUND, _STROKE]
    void, ground, stroke = range(len(palette), len(colours))
    chosen = np.where(classes < 0, void, classes)
    shown = chosen.repeat(SCALE, 0).repeat(SCALE, 1)
    if certified is not None:
        hidden = ~certified.repeat(SCALE, 0).repeat(SCALE, 1)
        shown = np.where(hidden, np.where(_hatching(*shown.shape), stroke, ground), shown)
    picture = Image.fromarray(shown.astype(np.uint8))
    picture.putpalette([part for colour in colours for part in colour])
    return picture


def overlay_picture(
    image: NDArray[np.uint8], classes: Classes, palette: Sequence[Colour3], certified: Mask
) -> Image.Image:
    """The image with certified pixels in the light of their class, and the others grey and hatched; twice as large."""
    colour = np.array([*palette, VOID])[classes]
    grey = image.mean(axis=2, keepdims=True).repeat(3, 2) * 0.6 + 95
    light = np.where(certified[..., None], (1 - _LIGHT) * image + _LIGHT * colour, grey)
    large = light.repeat(SCALE, 0).repeat(SCALE, 1)
    lines = ~certified.repeat(SCALE, 0).repeat(SCALE, 1) & _hatching(*large.shape[:2])
    large[lines] = 0.5 * large[lines] + 0.5 * np.array(_GROUND)
    return Image.fromarray(large.round().clip(0, 255).astype(np.uint8))


def png(picture: Image.Image) -> bytes:
    """The picture as a PNG file; equal pictures give equal bytes."""
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def photograph(image: NDArray[np.uint8]) -> str:
    """An image (H, W, 3) as an address that holds it, compressed with little loss, for a page only."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, format="JPEG", quality=88)
    return _address("jpeg", stream.getvalue())


def drawing(picture: Image.Image) -> str:
    """A picture of few colours as an address that holds it, without loss."""
    return _address("png", png(picture))


def _hatching(height: int, width: int) -> Mask:
    rows, columns = np.ogrid[:height, :width]
    return np.asarray((rows + columns) % _PERIOD < _WIDTH)


def _address(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
