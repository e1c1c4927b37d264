"""Laws of noise from a user's own file."""

from collections.abc import Callable
from typing import Any

from graphcert.noise import RealLaw
from graphcert.noise.law import checked_real_law, known_law
from graphcert.sampling.unit_noise import GIVEN, Draw, UnitNoise, unit_noise
from graphcert.tradeoff.base import TradeOff
from graphcert.tradeoff.real_laws import Radius, radius_of_law, real_trade_off


def register_law(
    law: type[RealLaw],
    *,
    trade_off: Callable[[Any, float], TradeOff],
    draw: Draw,
    rounded_error: float | None = None,
    radius: Radius | None = None,
) -> None:
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
