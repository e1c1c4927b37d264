"""Noise that depends on the input: σ(x) grows with the distance to known points (theory section 5; Súkeník et al. 2022)."""

import math
from typing import SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arrays import Floats
from graphcert.errors import InputError, UnsupportedError

SLACK = 2.0**-32
"""By so much, in ln σ and for two inputs together, a computed σ(x) may break semi-elasticity; certificates allow for it."""

_TREE_DIMENSION = 12
"""Up to this dimension a tree finds neighbours faster than all distances do."""

_BLOCK = 1 << 22
"""The most distances that are held at once."""


def elastic_sigma(
    points: ArrayLike, inputs: ArrayLike, base: SupportsFloat, elasticity: SupportsFloat, neighbours: SupportsIndex = 20,
    mean: SupportsFloat | None = None,
) -> Floats:  # fmt: skip
    """The standard deviation of the noise around each input: much noise far from the known points, little near them.

    σ(x) = σ_b · exp(r (d(x) − m)), with d(x) the average distance of x to its k nearest points. An average of k smallest
    distances moves by at most ‖x − x'‖, so |ln σ(x) − ln σ(x')| ≤ r ‖x − x'‖: σ is r-semi-elastic.

    *Frozen.* Points, k, m, σ_b and r are part of the classifier: fix them before any input is seen. Whoever deploys it
    computes σ anew for whatever input arrives, by this function.

    *Rounding.* The returned floats are within 2⁻³³ of the formula in ln σ; `input_dependent_radius` allows for two such
    errors. What cannot be proved so accurate is refused.

    Args:
        points: (P, D) known points, such as the training inputs; never the inputs to be certified.
        inputs: (M, D) where noise is asked for.
        base: σ_b > 0, the noise at an average distance of m.
        elasticity: r ≥ 0, in units of one over distance; 0 is constant noise.
        neighbours: k ≥ 1.
        mean: m; by default the mean, over the points, of their own average distance to their k nearest others.

    Returns:
        (M,) standard deviations.

    Raises:
        InputError: if an argument is outside its domain.
        UnsupportedError: if r times a distance is so large that rounding would break semi-elasticity.
    """
    known, asked = _rows("points", points), _rows("inputs", inputs)
    if known.shape[1] != asked.shape[1]:
        raise InputError(f"points and inputs must agree in dimension, got {known.shape[1]} and {asked.shape[1]}")
    sigma, rate, k = float(base), float(elasticity), int(neighbours)
    if not 0 < sigma < math.inf or not 0 <= rate < math.inf:
        domain = "the base must be finite and above 0, the elasticity finite and at least 0"
        raise InputError(f"{domain}: {base!r}, {elasticity!r}")
    most = len(known) - (mean is None)
    if not 1 <= k <= most:
        raise InputError(f"the number of neighbours must lie between 1 and {most} for {len(known)} points, got {k}")
    # Each point is its own nearest neighbour, at distance 0.
    centre = average_distance(known, known, k + 1).mean() * (k + 1) / k if mean is None else float(mean)
    if not math.isfinite(centre):
        raise InputError(f"the mean distance must be a finite number, got {mean!r}")
    distance = average_distance(known, asked, k)
    exponent = rate * (distance - centre)
    # Sums of D squares and of k distances, a root, a difference, a product, exp and a product.
    roundings = known.shape[1] / 2 + k + 8
    accurate = rate * (distance + abs(centre)) * roundings * 2.0**-52 + 2.0**-50 <= SLACK / 2
    if not np.all(accurate & (np.abs(exponent) <= 600)):
        too_large = "elasticity times distance is too large for accurate σ(x)"
        raise UnsupportedError(f"{too_large}; rescale, or take a smaller elasticity")
    return np.asarray(sigma * np.exp(exponent))


def average_distance(points: Floats, inputs: Floats, neighbours: int) -> Floats:
    """(M,) average Euclidean distance of each input to its nearest points."""
    from scipy.spatial import cKDTree  # half of the time that importing noise would take
    from scipy.spatial.distance import cdist

    if points.shape[1] <= _TREE_DIMENSION:
        distance, _ = cKDTree(points).query(inputs, k=[*range(1, neighbours + 1)])
        return np.asarray(np.mean(distance, axis=1))
    rows = max(1, _BLOCK // len(points))
    blocks = (cdist(inputs[first : first + rows], points) for first in range(0, len(inputs), rows))
    nearest = (np.partition(block, neighbours - 1, axis=1)[:, :neighbours] for block in blocks)
    return np.concatenate([block.mean(axis=1) for block in nearest])


def _rows(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.size == 0 or not np.all(np.isfinite(array)):
        shape = "shape (rows ≥ 1, dimensions ≥ 1)"
        raise InputError(f"{name} must be finite numbers of {shape}, got the shape {array.shape}")
    return array
