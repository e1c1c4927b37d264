"""From the votes of one image, or of another input, to what is claimed about it, as plain numbers and masks."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates import Certificate, certify, seg_certify
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError
from graphcert.images import ImageFolder
from graphcert.noise import Budget, elastic_sigma
from graphcert.report.images.claims import ClaimSettings, ImageClaims, changes_of
from graphcert.run.settings.image_run import LATTICE, SegmentSettings
from graphcert.tradeoff import budget_trade_offs, certified_radius, gaussian_radius, input_dependent_radius
from graphcert.votes import Votes

SECONDS_PER_BUDGET = 20.0
"""Time limit of one solve; when it ends, what has been proved so far is reported."""


def certify_image(
    name: str, votes: Votes, truth: Integers | None, settings: ClaimSettings, size: tuple[int, ...]
) -> ImageClaims:
    """Certify one input of the shape `size` in every way that the settings ask for.

    SegCertify and the bounds of all pixels together (theory, sections 7 and 10) are two families of claims, each with the
    error rate `alpha`. Localized noise counts in SegCertify with the deviation of the own cell, its smallest. Noise that
    depends on the image has radii of its own: an adversary changes the noise too. Where elements are selected, the radii
    are those of a majority of τ with so many touched ones (theory, section 6).
    """
    shape, sigma = (*size, votes.classes), votes.smoothing.smallest_scale
    parts = seg_certify(
        votes.pilot_counts.reshape(shape), votes.counts.reshape(shape), settings.tau, settings.alpha, settings.method,
        sigma, settings.errors, total_variation=votes.total_variation, independent=votes.independent,
    )  # fmt: skip
    claims = _all_pixels(votes, settings)
    per_pixel = _per_pixel(claims, settings)
    flat = None if truth is None else truth.reshape(-1)
    certified = {"per_pixel": per_pixel.sum(axis=1)}
    correct = {} if flat is None else {"per_pixel": (per_pixel & claims.correct(flat)).sum(axis=1)}
    if settings.localized and settings.collective:
        together = _together(claims, flat, settings)
        certified["collective"] = together[0]
        if flat is not None:
            correct["collective"] = together[1]
    return ImageClaims(
        name=name, labels=votes.labels.reshape(size), truth=truth, kept=~parts.abstained, sigma=sigma,
        radii=_radii(votes, settings), per_pixel=per_pixel.reshape(-1, *size),
        certified=certified, correct=correct, digest=votes.digest,
    )  # fmt: skip


def _all_pixels(votes: Votes, settings: ClaimSettings) -> Certificate:
    """The bounds of all pixels together; where the noise depends on the image, radii need the mass of all other classes."""
    return certify(votes, settings.alpha, method=None if settings.elasticity is None else "binary")


def _radii(votes: Votes, settings: ClaimSettings) -> tuple[float, ...]:
    """The norms that labels of a probability above τ survive, see `ImageClaims.radii`."""
    scheme, sigma = votes.smoothing, votes.smoothing.smallest_scale
    if settings.elasticity is not None:  # τ is at least 1/2, so the difference is exact.
        assert sigma is not None  # such noise is Gaussian
        return (float(elastic_radii(1 - settings.tau, sigma, votes.nodes, settings.elasticity)),)
    if not settings.limits():
        assert sigma is not None  # nothing else is there without selection
        return (float(gaussian_radius(settings.tau, sigma)),)
    if sigma is not None:
        return tuple(float(certified_radius(scheme, settings.tau, None, limit)) for limit in settings.limits())
    offs = [budget_trade_offs(scheme, Budget(nodes=limit), 0.0, votes.nodes) for limit in settings.limits()]
    return tuple(math.inf if all(off.lower(settings.tau) > 0.5 for off in every) else 0.0 for every in offs)


def _per_pixel(claims: Certificate, settings: ClaimSettings) -> Mask:
    """(B, N) pixels that survive each change by the bounds of all of them."""
    if settings.elasticity is None:
        return np.array([claims._kept(Budget(nodes=one.touched), one.norm or 0.0) for one in changes_of(settings)])
    sigma = claims.smoothing.smallest_scale
    assert sigma is not None  # such noise is Gaussian
    radii = elastic_radii(claims.p_other_upper, sigma, claims.nodes, settings.elasticity)
    return np.array([radii >= norm if norm else claims._kept(Budget()) for norm in settings.norms()])


def _together(claims: Certificate, truth: Integers | None, settings: ClaimSettings) -> tuple[Integers, Integers]:
    """(B,) pixels that survive each change together, and those of them that have the right class (0 without a truth)."""
    norms, limits = settings.norms(), settings.limits()
    curve = claims.collective(
        nodes=limits or None, shift=norms or None, method="lp", truth=truth, time_limit=SECONDS_PER_BUDGET
    )
    order = np.arange(len(curve.certified))  # of the curve the limits run fastest, here the norms
    if limits and norms:
        order = order.reshape(len(norms), len(limits)).T.ravel()
    if curve.correct_upper is None or curve.correct_targets is None:
        return curve.certified[order], np.zeros_like(order)
    return curve.certified[order], (curve.correct_targets - curve.correct_upper)[order]


def isotropic_counts(votes: Votes, truth: Integers, settings: ClaimSettings) -> tuple[Integers, Integers]:
    """(B,) certified pixels, and those of them that are correct, of votes under isotropic noise."""
    claims = _all_pixels(votes, settings)
    per_pixel = _per_pixel(claims, settings)
    return per_pixel.sum(axis=1), (per_pixel & claims.correct(truth.reshape(-1))).sum(axis=1)


def image_sigmas(settings: SegmentSettings, images: Sequence[NDArray[np.uint8]]) -> list[float | None]:
    """The smallest standard deviation of the noise on each image (H, W, 3): σ(x) with an elasticity; None if pixels hide."""
    if settings.elasticity is None:
        return [settings.sigma[0] if settings.sigma else None] * len(images)
    assert settings.train_images is not None
    assert settings.neighbours is not None
    known = [image for _, image, _ in ImageFolder(settings.train_images)]
    sizes = {image.shape[:2] for image in (*known, *images)}
    if len(sizes) > 1:
        words = " and ".join(f"{width}×{height}" for height, width in sorted(sizes)[:2])
        raise InputError(f"an elasticity needs images and training images of one size, got {words} pixels")
    # Whole numbers from 0 to 255 have exact squares of distances; a distance in units of 255 has an elasticity in 1/255.
    x, y = (np.array([image.reshape(-1) for image in some], np.float64) for some in (known, images))
    found = elastic_sigma(x, y, settings.sigma[0], settings.elasticity * LATTICE, settings.neighbours)
    return [float(sigma) for sigma in found]


def elastic_radii(p_other: ArrayLike, sigma: float, pixels: int, elasticity: float) -> Floats:
    """ℓ2 radii of labels whose competitors have at most the mass `p_other` together, in an image of so many pixels.

    The same as `input_dependent_radius` in 3 · pixels dimensions; every distinct mass is asked for once.
    """
    distinct, place = np.unique(np.asarray(p_other, np.float64), return_inverse=True)
    radii = input_dependent_radius(distinct, sigma, 3 * pixels, elasticity)
    return np.asarray(radii[place].reshape(np.shape(p_other)))
