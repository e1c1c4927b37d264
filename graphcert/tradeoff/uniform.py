"""Trade-off of uniform noise (theory section 5)."""

from collections.abc import Iterable
from fractions import Fraction

from graphcert.errors import InputError
from graphcert.noise.laws import Uniform
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.discrete import IDENTITY
from graphcert.tradeoff.dispatch import trade_off_of_law
from graphcert.tradeoff.escape import escape
from graphcert.tradeoff.gaussian import checked_shift, refuse_bits


@trade_off_of_law.register
def uniform_trade_off(
    law: Uniform, add: int = 0, delete: int = 0, nodes: int | None = None, shift: float | None = None
) -> TradeOff:
    """The trade-off of uniform noise for the worst shift of ℓ1 norm `shift`: lower(p) = max(0, p − min(1, shift/(2λ))).

    *Proof.* Uniform noise around x and around x + δ fills two boxes of equal volume. Where they overlap both densities are
    the same; the rest belongs to one of them alone. So the pair is an `Escape` of the identity with the probability of
    `box_escape`, 1 − Π_d max(0, 1 − x_d) with x_d = |δ_d|/(2λ). For x_d in [0, 1], Π(1 − x_d) ≥ 1 − Σ x_d, by induction:
    (1 − a)(1 − b) = 1 − a − b + ab ≥ 1 − (a + b). Hence 1 − Π ≤ min(1, ‖δ‖₁/(2λ)), attained when one coordinate takes all.

    With other λ per part of a shared budget the sum Σ_j s_j/(2λ_j) is at most s/(2 min λ): all at the smallest. Rounding to
    a lattice is a post-processing: the same bound.
    """
    refuse_bits(law, add or delete)
    return escape(IDENTITY, box_escape([checked_shift(shift)], [law.half_width]))


def box_escape(shift: Iterable[float], half_width: Iterable[float]) -> Fraction:
    """1 − Π_d max(0, 1 − |δ_d|/(2λ_d)), the total variation between two boxes of uniform noise; an exact fraction.

    Args:
        shift: δ_d, how far each coordinate moves.
        half_width: λ_d > 0 of each coordinate.

    Raises:
        InputError: if a half-width is not above 0.
    """
    overlap = Fraction(1)
    for moved, width in zip(shift, half_width, strict=True):
        if not width > 0:
            raise InputError(f"half-widths must be above 0, got {width!r}")
        overlap *= max(Fraction(0), 1 - abs(Fraction(moved)) / (2 * Fraction(width)))
    return 1 - overlap
