"""Fast evaluation of a trade-off: the rounded vertices of a concave, piecewise linear function."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ldexp

import numpy as np

from graphcert.tradeoff.atoms import Atom
from graphcert.tradeoff.base import Floats

_LIFT = 900
"""Clean masses are held times 2^900, so that tails far below the smallest float keep their relative accuracy."""

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Reach:
    """The largest P'-mass of an event of P-mass q, for many q at once; the error is below 2^−49.

    An event fills the atoms by decreasing ratio. Vertex k is reached when the first k atoms are full; from there the
    function rises by `gain[k]` over a step of `width[k]` in q. Steep slopes do no harm in this order: no later slope
    exceeds the quotient of the coordinates of a vertex, so that a relative error u = 2^−53 of an abscissa costs at most
    u of the ordinate. That holds for `start` and for a rounded q alike. The difference from the vertex, its quotient by
    `width` (itself rounded), the product with `gain` (rounded) and the sum with `base` (rounded) add at most 7u.

    Attributes:
        start: abscissae of the vertices, lifted by 2^900.
        width: clean masses of the atoms, lifted; positive.
        base: ordinates of the vertices.
        gain: perturbed masses of the atoms.
    """

    start: Floats
    width: Floats
    base: Floats
    gain: Floats

    @classmethod
    def from_atoms(cls, atoms: Sequence[Atom], bits: int) -> "Reach":
        """Round the exact vertices of atoms sorted by decreasing ratio (masses times 2^−bits)."""
        singular = [d for c, d in atoms if c == 0]
        clean, perturbed = 0, sum(singular)
        start, width, base, gain = [], [], [], []
        for c, d in atoms[len(singular) :]:
            start.append(_nearest(clean, _LIFT - bits))
            width.append(max(_nearest(c, _LIFT - bits), _TINY))
            base.append(_nearest(perturbed, -bits))
            gain.append(_nearest(d, -bits))
            clean, perturbed = clean + c, perturbed + d
        return cls(np.array(start), np.array(width), np.array(base), np.array(gain))

    def __call__(self, q: Floats) -> Floats:
        """Evaluate at probabilities q of any shape; values in [0, 1]."""
        lifted = np.ldexp(q, _LIFT)
        # The last segment that starts strictly before q: a vertex ends the segment before it, and 0 starts the first.
        k = np.maximum(np.searchsorted(self.start, lifted, side="left") - 1, 0)
        share = np.clip((lifted - self.start[k]) / self.width[k], 0.0, 1.0)
        reached: Floats = np.minimum(self.base[k] + self.gain[k] * share, 1.0)
        return reached


def _nearest(integer: int, exponent: int) -> float:
    """integer·2^exponent as a float, for integers of any length."""
    spare = max(integer.bit_length() - 128, 0)
    return ldexp(float(integer >> spare), exponent + spare)
