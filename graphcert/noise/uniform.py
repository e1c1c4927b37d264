"""Uniform noise on real features."""

from dataclasses import dataclass

from graphcert.noise.law import RealLaw, Setting, known_law


@known_law
@dataclass(frozen=True)
class Uniform(RealLaw):
    """Independent uniform noise on [−λ, λ] on every entry of a real feature matrix (theory section 5).

    Perturbations are measured by their ℓ1 norm over all entries.

    Attributes:
        half_width: λ before rounding.
        lattice: the step h of rounded noise for features that are whole multiples of h (see `RealLaw`), or None.
    """

    half_width: float
    lattice: float | None = None
    name = "uniform"
    norm = "ℓ1"
    symbols = (("half_width", "λ"),)
    title = "uniform noise of up to ±{}"
    setting = Setting(
        "half_width", float, "Uniform feature noise on [−λ, λ] in place of --add and --delete.", "LAMBDA", "features λ"
    )

    def __post_init__(self) -> None:
        self._check("half-width")
