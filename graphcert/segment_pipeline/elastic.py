"""Noise that depends on the image: more of it far from the training images (theory, section 5; Súkeník et al. 2022)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError
from graphcert.noise import elastic_sigma
from graphcert.segment_pipeline.settings import LATTICE, SegmentSettings
from graphcert.segmentation import ImageFolder
from graphcert.tradeoff import input_dependent_radius

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]


def image_sigmas(settings: SegmentSettings, images: Sequence[Pixels]) -> list[float]:
    """The smallest standard deviation of the noise on each image (H, W, 3): σ(x) with an elasticity.

    Raises:
        InputError: if an image has another size than the training images, or there are too few of these.
        UnsupportedError: if the elasticity is too large for accurate σ(x).
        DataError: for unreadable training images.
    """
    if settings.elasticity is None:
        return [settings.sigma[0]] * len(images)
    assert settings.train_images is not None
    assert settings.neighbours is not None
    known = [image for _, image, _ in ImageFolder(settings.train_images)]
    sizes = {image.shape[:2] for image in (*known, *images)}
    if len(sizes) > 1:
        words = " and ".join(f"{width}×{height}" for height, width in sorted(sizes)[:2])
        raise InputError(f"an elasticity needs images and training images of one size, got {words} pixels")
    # Whole numbers from 0 to 255 have exact squares of distances; a distance in units of 255 has an elasticity in 1/255.
    found = elastic_sigma(
        _rows(known), _rows(images), settings.sigma[0], settings.elasticity * LATTICE, settings.neighbours
    )
    return [float(sigma) for sigma in found]


def elastic_radii(p_other: ArrayLike, sigma: float, pixels: int, elasticity: float) -> Floats:
    """ℓ2 radii of labels whose competitors have at most the mass `p_other` together, in an image of so many pixels.

    The same as `input_dependent_radius` in 3 · pixels dimensions; every distinct mass is asked for once.
    """
    distinct, place = np.unique(np.asarray(p_other, np.float64), return_inverse=True)
    radii = input_dependent_radius(distinct, sigma, 3 * pixels, elasticity)
    return np.asarray(radii[place].reshape(np.shape(p_other)))


def _rows(images: Sequence[Pixels]) -> Floats:
    """(M, H · W · 3) values from 0 to 255."""
    return np.array([image.reshape(-1) for image in images], np.float64)
