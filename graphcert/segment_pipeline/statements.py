"""What is guaranteed about images, in words."""

from collections.abc import Sequence
from typing import NamedTuple

from graphcert.config import norm_words
from graphcert.report.wording import number
from graphcert.segment_pipeline.settings import SegmentSettings
from graphcert.statistics import confidence_words


class Match(NamedTuple):
    """Isotropic noise at equal pixel accuracy: its deviation, and the accuracies under it and under localized noise."""

    sigma: float
    isotropic: float
    localized: float


def noise_words(settings: SegmentSettings) -> str:
    """The noise in a few words."""
    if settings.elasticity is not None:
        return (
            f"Gaussian noise that depends on the image, around σ = {settings.sigma[0]:g}, r = {settings.elasticity:g}"
        )
    if settings.cells is None:
        return f"Gaussian noise, σ = {settings.sigma[0]:g}"
    rows, columns = settings.cells
    return f"Gaussian noise, σ = {settings.sigma[0]:g} (near) to {settings.sigma[1]:g} (far), {rows} × {columns} cells"


def notices(settings: SegmentSettings) -> list[str]:
    """What a reader must know first."""
    if settings.lattice:
        return []
    return [
        "The noise was not rounded to pixel values of 8 bits: the claims assume that the rounding of floating point "
        "numbers tells the network nothing about the image."
    ]


def radius_words(radii: Sequence[float], digits: int = 4) -> str:
    """The radius of all images, or the smallest one if they differ."""
    words = norm_words(min(radii), digits)
    return words if min(radii) == max(radii) else f"{words} (or more, by image)"


def guarantees(settings: SegmentSettings, radii: Sequence[float], together: bool) -> list[str]:
    """The families of claims about every image, whose claims of SegCertify have these radii."""
    sure = f"with probability at least {confidence_words(settings.alpha)} over the samples"
    spared = "" if settings.errors == 0 else f" but at most {number(settings.errors)} of the"
    found = [
        f"SegCertify, for each image by itself: {sure}, all{spared} pixels that are not hatched have the class that is "
        f"shown with a probability above {settings.tau:g} under the noise, and the smoothed network keeps it under every "
        f"change of the image whose ℓ2 norm is at most {radius_words(radii, 6)}.",
        f"By the size of the change, for each image by itself: {sure}, the bounds of all its pixels hold at the same time, "
        f"and with them the masks {'and numbers ' * together}at all budgets.",
    ]
    if together:
        found.append(
            "All pixels together: whichever single change of the image within a budget is made, at least so many of its "
            "pixels keep their class. Which ones these are depends on the change."
        )
    return found


def conditions(settings: SegmentSettings, sigmas: Sequence[float], match: Match | None) -> list[str]:
    """What the statements rest on, and what they do not say; `sigmas` are the smallest deviations on the images."""
    found = [
        f"Every image has error rates of its own: {settings.alpha:g} for SegCertify and {settings.alpha:g} for the bounds; "
        "they add up in a statement that rests on both. Nothing is said about all images being right at the same time.",
        "Norms are ℓ2 norms over all pixels and channels, in units in which pixel values lie in [0, 1].",
        "A claim is about the smoothed network: the class that the network returns most often when noise is added to the "
        "image. It is not about the network without noise, and it does not say that the class is right.",
    ]
    if settings.lattice:
        found.append(
            "The noise is rounded to whole steps of 1/255. The claims are about changed images that are images of 8 bits "
            "themselves; for these they are exact."
        )
    if settings.cells is not None:
        found.append(
            "Localized noise: the pixels of a cell are classified under little noise on their own cell and more noise the "
            "farther away. SegCertify and single pixels count with the smallest deviation, that of the own cell, for a "
            "change may lie there as a whole."
        )
    if settings.elasticity is not None:
        found.append(
            f"The noise depends on the image: σ grows by exp(r · distance), r = {settings.elasticity:g}, with the average "
            f"distance to the {settings.neighbours} nearest training images. It is {settings.sigma[0]:g} where that is the "
            f"one that training images have to each other on average, and {min(sigmas):.4g} to {max(sigmas):.4g} on these "
            "images. Training images, r, the number of neighbours and σ belong to the smoothed network: whoever asks it "
            "about another image computes σ anew. All radii allow for what a change of the image does to the noise."
        )
    if match is not None:
        found.append(
            f"Isotropic noise for comparison: σ = {match.sigma:.4g}, the largest from the near to the far deviation with "
            f"which the network is at least as accurate on these images, bisected with pilot votes ({match.isotropic:.2%} "
            f"of the labelled pixels against {match.localized:.2%}). Its bounds have the error rate {settings.alpha:g} "
            "per image again."
        )
    return found
