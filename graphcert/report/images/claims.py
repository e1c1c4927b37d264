"""What is claimed about images, and its rows in results.csv."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Mask
from graphcert.images import PixelCounts
from graphcert.statistics.multiple import SegCertifySettings

Counts = NDArray[np.int64]
Isotropic = Sequence[tuple[Counts, Counts]]
"""(B,) certified pixels of every image under isotropic noise, and those of them that are correct."""


class ClaimSettings(SegCertifySettings, Protocol):
    """The part of the settings of a run that decides what is claimed about one input, an image or any other."""

    @property
    def localized(self) -> bool:
        """Whether elements of different cells are classified under different noise."""

    @property
    def collective(self) -> bool:
        """Whether all elements are certified together under localized noise."""

    @property
    def elasticity(self) -> float | None:
        """r of noise that depends on the input."""

    def norms(self) -> tuple[float, ...]:
        """The ℓ2 norms of the curves, 0 first; () where touched elements may change at will."""

    def limits(self) -> tuple[int, ...]:
        """How many elements, or tiles of them, may be touched, where only selected ones are noised; () elsewhere."""


class Change(NamedTuple):
    """What an adversary may do to one input.

    Attributes:
        norm: the largest ℓ2 norm; None where touched elements may change at will.
        touched: how many elements, or tiles, may be touched; None for all.
    """

    norm: float | None
    touched: int | None = None


def changes_of(settings: ClaimSettings) -> list[Change]:
    """The B changes against which claims are made, for each limit of touched elements every norm."""
    limits: tuple[int | None, ...] = settings.limits() or (None,)
    norms: tuple[float | None, ...] = settings.norms() or (None,)
    return [Change(norm, touched) for touched in limits for norm in norms]


class ImageSettings(ClaimSettings, Protocol):
    """The part of the settings of a run that its report speaks about; `SegmentSettings` explains them."""

    @property
    def sigma(self) -> tuple[float, ...]:
        """Standard deviations of the noise; (near, far) with cells; () where selected pixels are hidden."""

    @property
    def cells(self) -> tuple[int, int] | None:
        """Rows and columns of the cells of localized noise."""

    @property
    def neighbours(self) -> int | None:
        """How many training images the distance of such noise is averaged over."""

    @property
    def chosen(self) -> tuple[float, ...] | None:
        """The probabilities with which pixels, or tiles, are selected, (near, far) with cells; None for all pixels."""

    @property
    def tile(self) -> int | None:
        """Pixels per side of the tiles that are selected together."""

    @property
    def lattice(self) -> bool:
        """Whether the noise is rounded to 8-bit pixel values."""

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values without None."""


class Match(NamedTuple):
    """Isotropic noise at equal pixel accuracy: its deviation, and the accuracies under it and under localized noise."""

    sigma: float
    isotropic: float
    localized: float


@dataclass(frozen=True, eq=False)
class ImageClaims:
    """What votes say about one input of the shape S over B budgets: an image (H, W), or points (P,).

    Attributes:
        labels: (*S) classes of the smoothed network, chosen by the pilot votes.
        truth: (*S) classes, −1 where there is none, or None.
        kept: (*S) pixels that SegCertify claims, each with a probability above τ.
        sigma: the smallest standard deviation of the noise; None where selected pixels are hidden.
        radii: the ℓ2 norms that all kept pixels survive together, rounded down, for each limit of touched pixels one; or the
            only one. Where touched pixels may change at will it is infinite, or 0 if they do not survive that.
        per_pixel: (B, *S) pixels that survive each of `changes_of` the settings, all of these claims at once at one α.
        certified: method → (B,) numbers of certified pixels; "per_pixel", and "collective" under localized noise.
        correct: method → (B,) numbers of pixels that are certified and have the right class; empty without a truth.
        digest: of the votes.
    """

    name: str
    labels: Counts
    truth: Counts | None
    kept: Mask
    sigma: float | None
    radii: tuple[float, ...]
    per_pixel: Mask
    certified: Mapping[str, Counts]
    correct: Mapping[str, Counts]
    digest: str

    @property
    def radius(self) -> float:
        """The norm that all kept pixels survive together, within the first limit of touched pixels."""
        return self.radii[0]

    @property
    def void(self) -> bool:
        """Whether there is a mask in which no pixel has a class."""
        return self.truth is not None and not (self.truth >= 0).any()

    def counts(self, shown: Mask, classes: int) -> PixelCounts | None:
        """Pixels by class with the certified ones among them; None where no pixel has a true class."""
        if self.truth is None or self.void:
            return None
        return PixelCounts.of(self.labels, shown, self.truth, classes)


HEADER = (
    "image", "sigma", "budget", "claim", "pixels", "labelled", "pixel_accuracy", "miou", "abstained", "certified",
    "certified_accuracy", "certified_miou", "together_certified", "together_accuracy", "together_miou",
    "isotropic_certified", "isotropic_accuracy",
)  # fmt: skip
TOUCHED = "touched"
"""The column of runs in which pixels are selected."""


def results_table(
    claims: Sequence[ImageClaims], settings: ImageSettings, classes: int, isotropic: Isotropic = ()
) -> str:
    """CSV text of `result_rows`."""
    header = (*HEADER[:3], TOUCHED, *HEADER[3:]) if settings.limits() else HEADER
    return table_text(header, result_rows(claims, settings, classes, isotropic))


def table_text(header: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV text; what a row does not have is empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def result_rows(
    claims: Sequence[ImageClaims], settings: ClaimSettings, classes: int, isotropic: Isotropic = ()
) -> Iterator[dict[str, Any]]:
    """Rows with names of `HEADER`; shares are of all pixels, accuracies of those with a true class, left out where unknown.

    The certified mean IoU is the smallest that a change within the budget can bring about (`PixelCounts`); `sigma` is the
    smallest deviation of the noise on the image. The first rows of an image are about SegCertify at its own radii, the
    others about the bounds of all pixels. Where pixels are selected, `touched` says how many may be touched, and a radius of
    0 claims nothing.
    """
    for k, found in enumerate(claims):
        for change, kept in segcertified(found, settings):
            yield _row(found, change, "segcertify", kept, classes)
        for b, change in enumerate(changes_of(settings)):
            row = _row(found, change, "simultaneous", found.per_pixel[b], classes)
            if "collective" in found.certified:
                correct = int(found.correct["collective"][b]) if "collective" in found.correct else None
                row |= _shares(row, "together", int(found.certified["collective"][b]), correct)
                counts = found.counts(found.per_pixel[b], classes)
                if counts is not None:
                    changes = found.labels.size - int(found.certified["collective"][b])
                    row["together_miou"] = counts.mean_iou_after(changes)
            if isotropic:
                row |= _shares(row, "isotropic", int(isotropic[k][0][b]), int(isotropic[k][1][b]))
            yield row


def _shares(row: dict[str, Any], method: str, certified: int, correct: int | None) -> dict[str, Any]:
    """The columns of another method about the same pixels."""
    found: dict[str, Any] = {f"{method}_certified": certified / row["pixels"]}
    if correct is not None and "labelled" in row:
        found[f"{method}_accuracy"] = correct / row["labelled"]
    return found


def segcertified(found: ImageClaims, settings: ClaimSettings) -> list[tuple[Change, Mask]]:
    """What SegCertify claims: a change for each limit of touched pixels, and the pixels (*S) that survive it."""
    limits = settings.limits()
    if not limits:
        return [(Change(found.radius), found.kept)]
    # Nothing can change within a norm of 0: that all pixels survive it says nothing.
    kept = [found.kept & (radius > 0) for radius in found.radii]
    norms = [None if not settings.norms() else radius for radius in found.radii]
    return [(Change(norm, limit), mask) for norm, limit, mask in zip(norms, limits, kept, strict=True)]


def _row(found: ImageClaims, change: Change, claim: str, shown: Mask, classes: int) -> dict[str, Any]:
    pixels, certified = shown.size, int(shown.sum())
    row: dict[str, Any] = {
        "image": found.name, "sigma": found.sigma, "budget": change.norm, "claim": claim, "pixels": pixels,
    }  # fmt: skip
    if change.touched is not None:
        row[TOUCHED] = change.touched
    row |= {"abstained": (pixels - certified) / pixels, "certified": certified / pixels}
    counts = found.counts(shown, classes)
    if counts is not None:
        row |= {"labelled": counts.pixels, "pixel_accuracy": counts.accuracy, "miou": counts.mean_iou}
        row |= {"certified_accuracy": counts.certified_accuracy, "certified_miou": counts.mean_iou_lower}
    return row
