"""Gaussian noise on real features."""

from dataclasses import dataclass

from graphcert.noise.law import RealLaw, Setting, known_law


@known_law
@dataclass(frozen=True)
class Gaussian(RealLaw):
    """Independent Gaussian noise N(0, σ²) on every entry of a real feature matrix (theory section 5; Cohen et al. 2019).

    The law of one entry, so a level of noise on whole rows. Perturbations are measured by their ℓ2 norm over all entries.

    Attributes:
        sigma: standard deviation σ before rounding.
        lattice: the step h of rounded noise for features that are whole multiples of h (see `RealLaw`), or None.
    """

    sigma: float
    lattice: float | None = None
    name = "gaussian"
    norm = "ℓ2"
    symbols = (("sigma", "σ"),)
    title = "Gaussian noise of standard deviation {}"
    setting = Setting(
        "sigma", float, "Gaussian feature noise of this deviation in place of --add and --delete.", "SIGMA", "features σ",
    )  # fmt: skip

    def __post_init__(self) -> None:
        self._check("standard deviation")
