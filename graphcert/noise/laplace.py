"""Laplace noise on real features."""

from dataclasses import dataclass, field

from graphcert.noise.law import RealLaw, Setting, known_law


@known_law
@dataclass(frozen=True)
class Laplace(RealLaw):
    """Independent Laplace noise on every entry of a real feature matrix, of density e^(−|z|/λ)/(2λ) (theory section 5).

    Perturbations are measured by their ℓ1 norm over all entries (Teng et al. 2020).

    Attributes:
        scale: λ before rounding.
        lattice: the step h of rounded noise for features that are whole multiples of h (see `RealLaw`), or None.
    """

    scale: float = field()  # and no default from `RealLaw`
    lattice: float | None = None
    name = "laplace"
    norm = "ℓ1"
    symbols = (("scale", "λ"),)
    title = "Laplace noise of scale {}"
    setting = Setting(
        "laplace", float, "Laplace feature noise of this scale in place of --add and --delete.", "LAMBDA", "features λ"
    )

    def __post_init__(self) -> None:
        self._check("scale")
