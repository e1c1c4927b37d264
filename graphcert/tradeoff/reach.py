"""Fast evaluation of a trade-off: the rounded vertices of a concave, piecewise linear function."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ldexp

import numpy as np
from numpy.typing import NDArray

from graphcert.tradeoff.atoms import Atom
from graphcert.tradeoff.base import Floats

_LIFT = 900
"""Clean masses are held times 2^900, so that tails far below the smallest float keep their relative accuracy."""

_TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Reach:
    """The largest P'-mass of an event of P-mass q, for many q at once.

    An event fills the atoms by decreasing ratio. Vertex k is reached when the first k atoms are full; from there the
    function rises by `gain[k]` over a step of `width[k]` in q. The abscissae are held as sums of two floats: measured
    from the origin of the adversary's order, the ordinate of a vertex is at least the slope behind it times the
    abscissa, so a relative error of 2^−106 in the abscissa costs less than 2^−105 however steep the slope. The other
    roundings, with u = 2^−53, add up to at most 7u on the rise, u on the base and u on the sum: less than 2^−49.

    Attributes:
        start: abscissae of the vertices, lifted by 2^900; leading part as real, the rest as imaginary part.
        width: clean masses of the atoms, lifted; positive.
        base: ordinates of the vertices.
        gain: perturbed masses of the atoms.
    """

    start: NDArray[np.complex128]
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
            start.append(complex(*_two_floats(clean, _LIFT - bits)))
            width.append(max(_two_floats(c, _LIFT - bits)[0], _TINY))
            base.append(_two_floats(perturbed, -bits)[0])
            gain.append(_two_floats(d, -bits)[0])
            clean, perturbed = clean + c, perturbed + d
        return cls(np.array(start), np.array(width), np.array(base), np.array(gain))

    def __call__(self, mass: Floats, rounding: Floats) -> Floats:
        """Evaluate at q = mass + rounding, where `mass` is the float nearest to q; same shape, in [0, 1]."""
        high, low = np.ldexp(mass, _LIFT), np.ldexp(rounding, _LIFT)
        # NumPy orders complex numbers lexicographically, which is the order of normalised sums of two floats. The
        # segment of q is the last one that starts strictly before it: at a vertex it is full, at 0 it is the first.
        k = np.maximum(np.searchsorted(self.start, high + 1j * low, side="left") - 1, 0)
        into = (high - self.start.real[k]) + (low - self.start.imag[k])
        share = np.clip(into / self.width[k], 0.0, 1.0)
        return np.asarray(np.minimum(self.base[k] + self.gain[k] * share, 1.0))


def _two_floats(integer: int, exponent: int) -> tuple[float, float]:
    """integer·2^exponent as the sum of two floats, to a relative error of 2^−105."""
    spare = max(integer.bit_length() - 160, 0)
    leading = integer >> spare
    high = float(leading)
    low = float(leading - int(high))
    return ldexp(high, exponent + spare), ldexp(low, exponent + spare)
