"""Changes measured by a norm: which group of outputs sees which block's features at which scale of noise."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.budget_grid import Floats
from graphcert.collective import NormProblem
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CONTINUOUS, Gaussian, Scheme, Uniform, Views
from graphcert.tradeoff import TradeOff, trade_off
from graphcert.tradeoff.base import rounded_up
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.escape import escape
from graphcert.tradeoff.gaussian import checked_shift
from graphcert.tradeoff.uniform import box_escape


@dataclass(frozen=True, eq=False)
class BlockScales:
    """The scale (σ or λ) of the noise that a group of outputs sees on the features of a block.

    Axes: N nodes, G groups of equal scales, J input blocks. G = J = 1 under isotropic smoothing.

    Attributes:
        group: (N,) the group of every node.
        scale: (G, J).
        gaussian: whether the noise is Gaussian, so that norms are ℓ2; else uniform, and ℓ1.
    """

    group: NDArray[np.int64]
    scale: Floats
    gaussian: bool

    @classmethod
    def of(cls, smoothing: Scheme, nodes: int) -> "BlockScales":
        """The scales of a scheme over `nodes` nodes.

        Raises:
            InputError: if the partition is one of another number of nodes.
            UnsupportedError: unless the features carry Gaussian or uniform noise, without selection of rows.
        """
        views = Views.of(smoothing, nodes)
        laws = [law for law in views.feature_laws if isinstance(law, CONTINUOUS)]
        if len(laws) < len(views.feature_laws):
            raise UnsupportedError(
                "shifts are placed on blocks under Gaussian or uniform feature noise without selection of rows; ask "
                "robust(shift=…) about every node alone"
            )
        scales = np.array([law.sigma if isinstance(law, Gaussian) else law.half_width for law in laws])
        distinct, group = np.unique(scales[views.feature_law], axis=0, return_inverse=True)
        return cls(group.ravel()[views.of_node], distinct, isinstance(laws[0], Gaussian))

    def problem(self, distances: Floats) -> NormProblem:
        """The collective problem of nodes that withstand `distances` (N,) under noise of scale 1 (theory, sections 5 and 8).

        Gaussian noise: Σ_j b_j/σ_ij² against the squared distance, b_j the squared ℓ2 norm in block j. Uniform noise:
        Σ_j b_j/λ_ij against the distance, b_j the ℓ1 norm in block j. Weights are rounded up, η down.
        """
        power = 2 if self.gaussian else 1
        powers = {scale: Fraction(scale) ** power for scale in np.unique(self.scale).tolist()}
        weight = {scale: rounded_up(exact.denominator, exact.numerator) for scale, exact in powers.items()}
        eta = np.nextafter(distances * distances, 0.0) if self.gaussian else distances
        weights = np.vectorize(weight.__getitem__, otypes=[np.float64])(self.scale)
        return NormProblem(self.group, eta, weights, squared=self.gaussian)

    def trade_offs(self, shift: ArrayLike) -> tuple[TradeOff, ...]:
        """What every group sees of one allocation: changes of norm `shift` (J,), one per block; exact trade-offs.

        Under uniform noise the worst change of a block moves one entry.

        Raises:
            InputError: unless there is one finite norm of at least 0 per block.
        """
        norms = np.asarray(shift)
        blocks = self.scale.shape[1]
        if norms.shape != (blocks,):
            raise InputError(f"the shift of an allocation must be {blocks} norms, one per block, got {norms.shape}")
        moved = [checked_shift(norm) for norm in norms.tolist()]
        return tuple(self._seen(moved, row) for row in self.scale.tolist())

    def _seen(self, moved: Iterable[float], scales: Iterable[float]) -> TradeOff:
        if not self.gaussian:
            return escape(IDENTITY, box_escape(moved, scales))
        found: TradeOff = IDENTITY
        for norm, sigma in zip(moved, scales, strict=True):
            found = found * trade_off(Gaussian(sigma), shift=norm)
        return found


def unit_law(smoothing: Scheme) -> Gaussian | Uniform | None:
    """The feature noise at scale 1, if it is Gaussian or uniform without selection of rows."""
    law = next(iter(smoothing.levels("features")), None)
    if not isinstance(law, CONTINUOUS):
        return None
    return Gaussian(1.0) if isinstance(law, Gaussian) else Uniform(1.0)
