"""Tiny pictures of coloured shapes with their masks."""

import numpy as np
from numpy.typing import NDArray

NAMES = ("ground", "square", "disc")
COLOURS = np.array([[40, 60, 90], [220, 120, 30], [120, 210, 120]], np.int64)
VOID = 255


def picture(seed: int, height: int = 24, width: int = 32) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A square and a disc of about a third of the height on a ground, (H, W, 3); masks with a void corner, (H, W)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    half = height // 5
    y, x = rng.integers(half, height - half), rng.integers(half, width // 2)
    mask[(abs(rows - y) <= half) & (abs(columns - x) <= half)] = 1
    y, x = rng.integers(half, height - half), rng.integers(width // 2, width - half)
    mask[(rows - y) ** 2 + (columns - x) ** 2 <= half**2] = 2
    image = (COLOURS[mask] + rng.integers(-12, 13, (height, width, 1))).clip(0, 255).astype(np.uint8)
    mask[:2, :2] = VOID
    return image, mask


def pictures(count: int, seed: int = 0, **size: int) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Several of them: images and masks."""
    drawn = [picture(seed * 1000 + k, **size) for k in range(count)]
    return [image for image, _ in drawn], [mask for _, mask in drawn]
