"""Noise of scale 1 on one row of real features: how each law is drawn from counter-based bits.

The numbers of a row come from its own address (key, stream, sample, row), two per block of random bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphcert.core.arrays import Floats as Floats64
from graphcert.core.compiled import kernel
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Gaussian, Interpreter, Laplace, RealLaw, Uniform
from graphcert.noise.law import checked_real_law, known_law
from graphcert.sampling import philox
from graphcert.sampling.philox import fill_blocks
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.real_laws import Radius, radius_of_law, real_trade_off

Draw = Callable[[np.random.Generator, tuple[int, int]], Floats64]

NORMAL, UNIFORM, GIVEN, LAPLACE = range(4)
"""Branches of `draw_units`."""


@dataclass(frozen=True)
class UnitNoise:
    """How the noise ε of a law of real features is drawn at scale 1.

    Attributes:
        branch, channel: of `draw_units` (`GIVEN` for a law with a `draw` of its own), and which random bits, see `philox`.
        error: bound on the total variation between round(S ε) as drawn and as described, for one number, over S + 1; None
            if none is known. See `rounded_error`.
        draw: the noise of a whole sample (N, D) from a generator that belongs to the sample alone; for `GIVEN`.
    """

    branch: int
    error: float | None
    channel: int = philox.UNIFORM
    draw: Draw | None = None

    def stream(self, purpose: int) -> int:
        """The counter word of a purpose (PILOT, MAIN, …)."""
        return philox.stream_word(purpose, self.channel)

    def given(self, key: np.uint64, stream: int, sample: int, shape: tuple[int, int]) -> Floats64:
        """(N, D) the noise of a sample from `draw`; (0, D) if it is drawn row by row."""
        if self.draw is None:
            return np.empty((0, shape[1]))
        counter = np.array([0, 0, sample, stream], np.uint64)
        generator = np.random.Generator(np.random.Philox(key=int(key), counter=counter))
        noise = np.array(self.draw(generator, shape), np.float64)
        if noise.shape != shape or not np.isfinite(noise).all():
            raise InputError(f"a sampler of noise must return finite numbers of shape {shape}, got {noise.shape}")
        return noise

    def check_lattice(self, law: RealLaw) -> None:
        """Raise `UnsupportedError` if the error of rounded noise is not known."""
        if self.error is None:
            raise UnsupportedError(f"no sampler of {type(law).__name__} noise on a lattice is known; leave lattice out")

    def rounded_error(self, scale: float) -> float:
        """Bound on the total variation between round(S ε) as it is drawn and as it is described, for one number.

        u = 2⁻⁵³, S ≤ 2²⁰ is the scale, and log, sin and cos are assumed to be within 4 units in the last place (8u). Couple
        the 64 random bits with the real uniform number whose leading bits they are: the two laws differ at most by the
        probability that rounding falls differently, that is, that a half-integer lies between S ε and what is computed for
        it. The entries of `unit_noise` say for each law why this is at most `error` · (S + 1).
        """
        assert self.error is not None  # see `check_lattice`
        return self.error * (scale + 1)


unit_noise: Interpreter[UnitNoise] = Interpreter("sampler")

unit_noise.register(Uniform)(UnitNoise(UNIFORM, 2.0**-50))
"""The computed number is off by at most 3.02uS, S ε has the density 1/(2S), and at most 2S + 2 half-integers are in reach:
(2S + 2) · 2 · 3.02uS/(2S) ≤ 8u(S + 1)."""

unit_noise.register(Laplace)(UnitNoise(LAPLACE, 2.0**-48))
"""One bit is the sign, and ε = −ln U from the other 63; both signs round alike. Computed are Ũ in [U(1 − 2.01u), (U +
2⁻⁶³)(1 + 2.01u)] and a further factor within 9.1u of 1. The exact number passes t = (k + ½)/S where U passes U* =
e^(−t), the computed one disagrees only for U in a window of length at most 2U*(9.3u t + 2.1u) + 2⁻⁶³, and beyond t = 44
no U is left but 2⁻⁶². Σ U* ≤ S (a midpoint sum of a convex function) and Σ U* t ≤ S + 0.4: less than 2u(9.3(S + 0.4) +
2.1S) + (44S + 3) 2⁻⁶³ < 32u(S + 1)."""

unit_noise.register(Gaussian)(UnitNoise(NORMAL, 2.0**-46, philox.NORMAL))
"""Box and Muller (1958), ε = √(−2 ln U) · C with C = cos 2πV. Computed are Ũ in [U(1 − 2.01u), (U + 2⁻⁶⁴)(1 + 2.01u)],
C̃ within 28u of C, and a further factor within 8.2u of 1. Given C > 0 and a half-integer, t = (k + ½)/S in units of ε,
the exact number passes t where U passes U* = exp(−t²/(2C²)); with y = t/C and q = 8.3u + 28.1u/C the computed one
disagrees only for U in a window of length at most 2U*(1.01 q y² + 2.03u) + 2⁻⁶³. Sums over k are bounded by integrals:
Σ U* ≤ 1 + 1.26S and Σ U* y² ≤ 1.26SC + 0.74. If C < 1/(19S), nothing is ever passed (ε is below 9.44 unless U < 2⁻⁶⁴),
and over the rest E[1/C] ≤ 0.64 (3.64 + ln S). Together less than 128u(S + 1)."""


@kernel
def two_sided_exponential(word):  # type: ignore[no-untyped-def]
    """A number of density e^(−|z|)/2 from 64 random bits: the last one is its sign."""
    one = np.uint64(1)
    # In (0, 1], so that the logarithm is finite.
    size = -np.log((np.float64(word >> one) + 1) * np.float64(2.0**-63))
    return size if word & one == one else -size


@kernel
def draw_units(key, stream, sample, row, branch, given, words, out):  # type: ignore[no-untyped-def]
    """Write the noise of scale 1 of one address to `out` (D,) float64: uniform on [−1, 1), standard normal …

    `given` (N, D) is the noise of all rows for the branch `GIVEN`; `words` (1, a multiple of four) uint32 is scratch.
    """
    if branch == GIVEN:
        for c in range(out.size):
            out[c] = given[row, c]
        return
    turn = np.float64(2 * np.pi)
    unit = np.float64(2.0**-64)
    half = np.uint64(32)
    size = words.shape[1] // 4
    for begin in range(0, (out.size + 1) // 2, size):
        fill_blocks(key, stream, sample, row, 1, begin, words)
        for k in range(min(size, (out.size + 1) // 2 - begin)):
            first = (np.uint64(words[0, 4 * k]) << half) | np.uint64(words[0, 4 * k + 1])
            second = (np.uint64(words[0, 4 * k + 2]) << half) | np.uint64(words[0, 4 * k + 3])
            at = 2 * (begin + k)
            if branch == LAPLACE:
                out[at] = two_sided_exponential(first)
                if at + 1 < out.size:
                    out[at + 1] = two_sided_exponential(second)
                continue
            if branch == UNIFORM:
                # The same 64 bits, read as a signed number, are uniform around 0.
                out[at] = np.float64(np.int64(first)) * (2 * unit)
                if at + 1 < out.size:
                    out[at + 1] = np.float64(np.int64(second)) * (2 * unit)
                continue
            # In (0, 1], so that the logarithm is finite.
            radius = np.sqrt(-2 * np.log((np.float64(first) + 1) * unit))
            angle = turn * (np.float64(second) * unit)
            out[at] = radius * np.cos(angle)
            if at + 1 < out.size:
                out[at + 1] = radius * np.sin(angle)


def register_law(
    law: type[RealLaw], *, trade_off: Callable[[Any, float], TradeOff], draw: Draw,
    rounded_error: float | None = None, radius: Radius | None = None,
) -> None:  # fmt: skip
    """Make a law of real features known: to samplers, certificates, reports, files of settings and the command line.

    The law says what every law says (`RealLaw`): a frozen dataclass, its scale first, `lattice` second, with the class
    attributes `name`, `norm`, `symbols`, `title` and `setting`. Entries of its noise are independent, scale times a number
    whose law does not depend on the scale.

    Args:
        law: the class.
        trade_off: from (law, norm > 0) to the trade-off of the worst change of at most that norm; it falls as the norm
            grows, and as the scale falls. Sound side: a `lower` that is never above the exact value.
        draw: from (generator, shape) to the noise at scale 1 of all features of a sample. The generator belongs to the
            sample; what it draws is the law certified, but for the rounding of floats.
        rounded_error: bound on the total variation between round(S ε) as drawn and as described, for one number, over
            S + 1; without it noise on a lattice is refused.
        radius: a closed form of radii, called with the law, p_lower, p_other_upper (None for the binary rule) and the
            probability δ that some changed row is not noised; never above the exact radius. By default radii are searched
            by `trade_off`.

    Raises:
        InputError: if the class is no such law, or its name or setting is taken.
    """
    known_law(checked_real_law(law))
    real_trade_off(law)(trade_off)
    unit_noise.register(law)(UnitNoise(GIVEN, rounded_error, draw=draw))
    if radius is not None:
        radius_of_law.register(law)(radius)
