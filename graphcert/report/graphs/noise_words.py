"""What the noise of a report does to rows of features."""

from collections.abc import Iterable

from graphcert.noise import CHANNELS, CONTINUOUS, Gaussian, Scheme, Selected
from graphcert.noise.laws import Law


def without_selection(levels: Iterable[Law]) -> tuple[Law, ...]:
    """The noise of selected rows in place of the selection; other laws as they are."""
    return tuple(level.law if isinstance(level, Selected) else level for level in levels)


def row_laws(smoothing: Scheme) -> tuple[Law, ...]:
    """The feature noise of every level, without the selection of rows; empty if there is none."""
    return without_selection(smoothing.levels("features"))


def norm_of(smoothing: Scheme) -> str:
    """The norm that measures changes of features, "ℓ2" or "ℓ1"; empty if they are counted."""
    return next((law.norm for law in row_laws(smoothing) if isinstance(law, CONTINUOUS)), "")


def smallest_scale(smoothing: Scheme) -> float | None:
    """The smallest σ or λ of real noise on features; None under other noise."""
    laws = [law for law in row_laws(smoothing) if isinstance(law, CONTINUOUS)]
    return min((law.sigma if isinstance(law, Gaussian) else law.half_width for law in laws), default=None)


def flip_words(smoothing: Scheme) -> str:
    """The rates of isotropic flips: "features θ⁺ = 0.01, θ⁻ = 0.6"."""
    laws = {channel: smoothing.levels(channel) for channel in CHANNELS}
    return ", ".join(f"{c} θ⁺ = {law[0].add:.4g}, θ⁻ = {law[0].delete:.4g}" for c, law in laws.items() if law)
