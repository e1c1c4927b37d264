"""Random turns of all rows of coordinates together (theory section 13).

The normal numbers of a sample come from its own address (key, stream, sample), so a sample never depends on batches or
threads. Turned coordinates are computed in float64 and rounded once to float32, see `graphcert.sampling.dense`.
"""

from dataclasses import dataclass

import numpy as np

from graphcert.core.arrays import Floats as Floats64
from graphcert.core.arrays import Mask
from graphcert.errors import DataError
from graphcert.noise import Rotation
from graphcert.sampling import philox
from graphcert.sampling.csr import CSR, Floats
from graphcert.sampling.unit_noise import NORMAL, draw_units


def nearest_rotations(matrices: Floats64) -> Floats64:
    """(…, 3, 3) the rotation that is nearest to each matrix in Frobenius norm, det +1: its polar factor, by an SVD.

    For A = U S Vᵀ it is U diag(1, 1, det(U) det(V)) Vᵀ. It is unique but for matrices of probability 0, and hence that of
    A R is that of A times R for every rotation R.
    """
    left, _, right = np.linalg.svd(matrices)
    sign = np.sign(np.linalg.det(left) * np.linalg.det(right))
    left = left.copy()
    left[..., :, 2] *= sign[..., None]
    found: Floats64 = left @ right
    return found


def turns_about(direction: tuple[float, float, float], angles: Floats64) -> Floats64:
    """(…, 3, 3) the turns by these angles in radians about a direction of length 1 (Rodrigues' formula)."""
    a, b, c = direction
    cross = np.array([[0.0, -c, b], [c, 0.0, -a], [-b, a, 0.0]])
    along = np.outer(direction, direction)
    cosine, sine = (of(angles)[..., None, None] for of in (np.cos, np.sin))
    found: Floats64 = cosine * np.eye(3) + sine * cross + (1 - cosine) * along
    return found


def random_turns(law: Rotation, normals: Floats64) -> Floats64:
    """(…, 3, 3) the turns of a law from (…, 9) independent standard normal numbers, of which an axis needs the first."""
    direction = law.direction
    if direction is not None:
        return turns_about(direction, law.sigma * normals[..., 0])
    return nearest_rotations(np.eye(3) + law.sigma * normals.reshape(*normals.shape[:-1], 3, 3))


def turned(points: Floats64, turn: Floats64) -> Floats64:
    """(P, 3) the points, turned by a (3, 3) matrix; entry by entry, so that no library chooses the order of sums."""
    x, y, z = points[:, 0:1], points[:, 1:2], points[:, 2:3]
    moved: Floats64 = x * turn[:, 0] + y * turn[:, 1] + z * turn[:, 2]
    return moved


@dataclass(frozen=True, eq=False)
class TurnNoise:
    """Turns of clean coordinates (N, 3) float64 by one law; used like `DenseNoise`, with one view."""

    clean: Floats64
    law: Rotation

    @classmethod
    def of(cls, clean: CSR, width: int, law: Rotation) -> "TurnNoise":
        """Prepare; `DataError` unless there are three coordinates."""
        if width != 3:
            raise DataError(f"turns need rows of three coordinates (x, y, z), but there are {width} columns")
        points = np.zeros((clean.rows, 3), np.float32)
        clean.write(points)
        return cls(points.astype(np.float64), law)

    @property
    def total_variation(self) -> float:
        """0: rounding is not part of it, as for noise of real features without a lattice."""
        return 0.0

    def turn(self, key: np.uint64, purpose: int, sample: int) -> Floats64:
        """(3, 3) the turn of a sample."""
        normals, words = np.empty(9), np.empty((1, 20), np.uint32)
        stream = philox.stream_word(purpose, philox.TURN)
        draw_units(key, stream, sample, 0, NORMAL, np.empty((0, 9)), words, normals)
        return random_turns(self.law, normals)

    def fill(
        self, key: np.uint64, purpose: int, sample: int, view: int, out: Floats, selected: Mask | None = None
    ) -> None:
        """Write the turned coordinates to the first three columns of `out` (N, ≥ 3)."""
        out[:, :3] = turned(self.clean, self.turn(key, purpose, sample))

    def fill_views(self, key: np.uint64, purpose: int, sample: int, out: Floats, selected: Mask | None = None) -> None:
        """The same to `out` (1, N, ≥ 3)."""
        self.fill(key, purpose, sample, 0, out[0])

    def first_layer(
        self, key: np.uint64, purpose: int, sample: int, weight: Floats, clean_product: Floats, out: Floats,
        selected: Mask | None = None,
    ) -> None:  # fmt: skip
        """out[0] = the turned coordinates times the `weight` (3, H)."""
        shown = np.empty(self.clean.shape, np.float32)
        self.fill(key, purpose, sample, 0, shown)
        out[0] = shown[:, 0:1] * weight[0] + shown[:, 1:2] * weight[1] + shown[:, 2:3] * weight[2]
