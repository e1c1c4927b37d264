"""What a report of segmentations shows, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graphcert.images import PixelCounts

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
Colour3 = tuple[int, int, int]


class ImageSettings(Protocol):
    """The part of the settings of a run that its report speaks about; `SegmentSettings` explains them."""

    @property
    def sigma(self) -> tuple[float, ...]:
        """Standard deviations of the noise; (near, far) with cells."""

    @property
    def cells(self) -> tuple[int, int] | None:
        """Rows and columns of the cells of localized noise."""

    @property
    def elasticity(self) -> float | None:
        """r of noise that depends on the image."""

    @property
    def neighbours(self) -> int | None:
        """How many training images the distance of such noise is averaged over."""

    @property
    def lattice(self) -> bool:
        """Whether the noise is rounded to 8-bit pixel values."""

    @property
    def tau(self) -> float:
        """τ of SegCertify, the probability that a claimed class exceeds."""

    @property
    def alpha(self) -> float:
        """Error rate of each family of claims about one image."""

    @property
    def errors(self) -> int:
        """How many claims of SegCertify about an image may be wrong all the same."""

    @property
    def model(self) -> str:
        """File of the network, or "unet"."""

    def norms(self) -> tuple[float, ...]:
        """The ℓ2 norms of the curves, 0 first."""

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values without None."""


class Match(NamedTuple):
    """Isotropic noise at equal pixel accuracy: its deviation, and the accuracies under it and under localized noise."""

    sigma: float
    isotropic: float
    localized: float


@dataclass(frozen=True, eq=False)
class ImageClaims:
    """What votes say about one image (H, W), over B budgets.

    Attributes:
        name: of the image.
        labels: (H, W) classes of the smoothed network, chosen by the pilot votes.
        truth: (H, W) classes, −1 where there is none, or None.
        kept: (H, W) pixels that SegCertify claims, each with a probability above τ.
        sigma: the smallest standard deviation of the noise.
        radius: the ℓ2 norm that all kept pixels survive together; rounded down.
        alone: (B, H, W) pixels that survive a change of that norm, all of these claims together at one α.
        certified: method → (B,) numbers of certified pixels; "alone", and "together" under localized noise.
        correct: method → (B,) numbers of pixels that are certified and have the right class; empty without a truth.
        digest: of the votes.
    """

    name: str
    labels: Counts
    truth: Counts | None
    kept: Mask
    sigma: float
    radius: float
    alone: Mask
    certified: Mapping[str, Counts]
    correct: Mapping[str, Counts]
    digest: str

    @property
    def void(self) -> bool:
        """Whether there is a mask in which no pixel has a class."""
        return self.truth is not None and not (self.truth >= 0).any()

    def counts(self, shown: Mask, classes: int) -> PixelCounts | None:
        """Pixels by class with the certified ones among them; None where no pixel has a true class."""
        if self.truth is None or self.void:
            return None
        return PixelCounts.of(self.labels, shown, self.truth, classes)


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
