"""A cloud of points and its parts; clusters of its points."""

import warnings
from dataclasses import dataclass
from hashlib import sha256
from typing import SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from graphcert.core.arguments import whole
from graphcert.core.arrays import Floats, Integers, read_only
from graphcert.errors import DataError, InputError
from graphcert.noise import Partition

LARGEST = 10**6
"""Coordinates beyond are refused: float32 no longer tells their points apart."""


def checked_points(points: ArrayLike, what: str = "a cloud") -> Floats:
    """(P, 3) finite float64 coordinates; raises `DataError` for anything else, and for an empty cloud."""
    try:
        found = np.array(points, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{what} must hold numbers; give points (P, 3)") from None
    if found.ndim != 2 or found.shape[1] != 3 or not len(found):
        raise DataError(f"{what} must hold points of shape (P, 3) with P ≥ 1, got {found.shape}")
    if not (np.abs(found) <= LARGEST).all():  # False for NaN
        raise DataError(f"{what} has coordinates that are no finite numbers of at most {LARGEST:,}; repair or scale it")
    return found


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in space, and the part of each where it is known.

    Attributes:
        name: for people.
        points: (P, 3) float64 coordinates (x, y, z).
        parts: (P,) int64, the part of every point, −1 where it is unknown; None if no part is known.
        kind: what the shape is, such as "chair"; "" where that is unknown.

    Raises:
        DataError: if the points are not P ≥ 1 finite triples, or the parts no whole numbers ≥ −1, one per point.
    """

    name: str
    points: Floats
    parts: Integers | None = None
    kind: str = ""

    def __post_init__(self) -> None:
        points = checked_points(self.points, f"the cloud {self.name!r:.60}")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)
        if self.parts is None:
            return
        parts = np.asarray(self.parts)
        if parts.shape != (len(self.points),) or not np.issubdtype(parts.dtype, np.integer) or parts.min() < -1:
            raise DataError(f"the parts of {self.name!r:.60} must be a whole number ≥ −1 per point, got {parts.shape}")
        object.__setattr__(self, "parts", read_only(parts.astype(np.int64)))

    def normalised(self) -> "PointCloud":
        """The cloud, its centroid moved to the origin and then scaled so that the farthest point is at distance 1.

        The centroid of turned points is the turned centroid, and no distance changes: a turned cloud, normalised, is the
        normalised cloud, turned.
        """
        points = self.points - self.points.mean(axis=0)
        farthest = float(np.linalg.norm(points, axis=1).max())
        return PointCloud(self.name, points / farthest if farthest > 0 else points, self.parts, self.kind)

    def subset(self, count: int, rng: np.random.Generator) -> "PointCloud":
        """So many of its points, chosen at random without repetition, in their order; all if there are no more."""
        if count >= len(self.points):
            return self
        kept = np.sort(rng.permutation(len(self.points))[:count])
        return PointCloud(self.name, self.points[kept], None if self.parts is None else self.parts[kept], self.kind)


def points_fingerprint(points: ArrayLike) -> str:
    """64 hexadecimal digits that name the coordinates as a model sees them, rounded to float32."""
    shown = np.ascontiguousarray(points, dtype="<f4") + np.float32(0)  # no negative zeros
    return sha256(f"points {shown.shape}".encode() + shown.tobytes()).hexdigest()


def point_cells(points: ArrayLike, cells: SupportsIndex, seed: SupportsIndex = 0) -> Partition:
    """Cells of near points, by k-means, for localized smoothing; cells rank by the distance of their centres.

    The partition is part of the smoothed classifier: make it once, on the clean cloud, and keep it.

    Args:
        points: (P, 3) coordinates.
        cells: C, 1 ≤ C ≤ P; every cell gets at least one point. They are numbered by their first point.
        seed: whole number from 0 to 2³² − 1; the same seed gives the same cells (with the same versions of the libraries).

    Raises:
        InputError: if an argument is outside its domain, or there are fewer different points than cells.
        DataError: if the points are none.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped, unused-ignore]

    array, count, number = checked_points(points), whole("cells", cells, 1), whole("seed", seed)
    different = len(np.unique(array, axis=0))
    if count > different:
        raise InputError(f"{count} cells need as many different points, and there are {different}; ask for fewer cells")
    if number >= 2**32:
        raise InputError(f"the seed of cells must be a whole number from 0 to 2³² − 1, got {number}")
    with threadpool_limits(1), warnings.catch_warnings():  # sums of several threads round in any order
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(count, n_init=4, random_state=number).fit(array).labels_
    _, first, labels = np.unique(found, return_index=True, return_inverse=True)
    labels = np.argsort(np.argsort(first))[labels.ravel()]
    clusters = len(first)
    if clusters != count:
        raise InputError(f"only {clusters} of {count} cells have points; ask for fewer cells")
    centres = np.array([array[labels == cell].mean(axis=0) for cell in range(count)])
    distances = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    return Partition.of_affinity(labels, -distances, "k-means cells of points")
