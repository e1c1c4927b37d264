"""What a report of segmentations shows, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Colour3 = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Piece:
    """One image and what is certified about it.

    Attributes:
        name: of the file.
        image: (H, W, 3) 8 bits.
        truth: (H, W) classes, −1 where there is none, or None.
        labels: (H, W) classes of the smoothed network.
        certified: (caption, mask (H, W)) of the pixels that are certified at some budgets.
        words: what to say about it in one line.
    """

    name: str
    image: NDArray[np.uint8]
    truth: Counts | None
    labels: Counts
    certified: tuple[tuple[str, NDArray[np.bool_]], ...]
    words: str


@dataclass(frozen=True, eq=False)
class Curves:
    """Pixels of all images that survive changes of some norm, by several methods, the weakest first.

    Attributes:
        budgets: (B,) ascending ℓ2 norms.
        certified: method → (B,) numbers of certified pixels.
        correct: method → (B,) numbers of certified pixels that have the right class; empty without masks.
        pixels, labelled: how many there are, and how many of them have a class in the masks.
        milestones: places of a few budgets, for a table.
    """

    budgets: NDArray[np.float64]
    certified: Mapping[str, Counts]
    correct: Mapping[str, Counts]
    pixels: int
    labelled: int
    milestones: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SegmentationContent:
    """Everything that the page shows.

    Attributes:
        title, subtitle, notices: of the header.
        facts: (value, name, note) to remember.
        names, palette: of the classes.
        pieces: images, in the order in which they are shown.
        curves: over the budgets.
        guarantee: statements that hold, each a claim of its own.
        conditions: what they rest on and what they do not say.
        header, rows: the table of all images.
        settings, timings: how the results were obtained.
    """

    title: str
    subtitle: list[str]
    notices: list[str]
    facts: list[tuple[str, str, str]]
    names: tuple[str, ...]
    palette: tuple[Colour3, ...]
    pieces: tuple[Piece, ...]
    curves: Curves
    guarantee: list[str]
    conditions: list[str]
    header: list[str]
    rows: list[list[str]]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
