"""What a report says about noise: its parameters, and how changes are measured under it."""

from collections.abc import Iterable, Sequence

from graphcert.noise import CHANNELS, CONTINUOUS, Ablation, BernoulliFlip, Gaussian, Scheme, Selected, Uniform
from graphcert.noise.laws import Law


def norm_of(smoothing: Scheme) -> str:
    """The norm that measures changes of features, "ℓ2" or "ℓ1"; empty if they are counted."""
    return next((law.norm for law in _row_laws(smoothing) if isinstance(law, CONTINUOUS)), "")


def smallest_scale(smoothing: Scheme) -> float | None:
    """The smallest σ or λ of real noise on features; None under other noise."""
    laws = [law for law in _row_laws(smoothing) if isinstance(law, CONTINUOUS)]
    return min((law.sigma if isinstance(law, Gaussian) else law.half_width for law in laws), default=None)


def hides_rows(smoothing: Scheme) -> bool:
    """Whether rows are ablated, so that a number of touched nodes is a budget of its own."""
    return any(isinstance(law, Ablation) for law in _row_laws(smoothing))


def selects_rows(smoothing: Scheme) -> bool:
    """Whether only selected rows of features are noisy."""
    return any(isinstance(law, Selected) for law in smoothing.levels("features"))


def flip_words(smoothing: Scheme) -> str:
    """The rates of isotropic flips: "features θ⁺ = 0.01, θ⁻ = 0.6"."""
    laws = {channel: smoothing.levels(channel) for channel in CHANNELS}
    return ", ".join(f"{c} θ⁺ = {law[0].add:.4g}, θ⁻ = {law[0].delete:.4g}" for c, law in laws.items() if law)


def channel_words(channel: str, levels: Sequence[Law]) -> str:
    """The parameters of a channel's noise, or their ranges over the levels of a localized scheme."""
    rows = _without_selection(levels)
    flips = [law for law in rows if isinstance(law, BernoulliFlip)]
    sigmas = [law.sigma for law in rows if isinstance(law, Gaussian)]
    widths = [law.half_width for law in rows if isinstance(law, Uniform)]
    words = f"{channel} hidden"
    if flips:
        words = f"{channel} θ⁺ = {_range(law.add for law in flips)}, θ⁻ = {_range(law.delete for law in flips)}"
    elif sigmas:
        words = f"{channel} σ = {_range(sigmas)}"
    elif widths:
        words = f"{channel} λ = {_range(widths)}"
    selects = [level.select for level in levels if isinstance(level, Selected)]
    return f"{words}, in rows selected with probability {_range(selects)}" if selects else words


def _without_selection(levels: Iterable[Law]) -> tuple[Law, ...]:
    """The noise of selected rows in place of the selection; other laws as they are."""
    return tuple(level.law if isinstance(level, Selected) else level for level in levels)


def _row_laws(smoothing: Scheme) -> tuple[Law, ...]:
    return _without_selection(smoothing.levels("features"))


def _range(rates: Iterable[float]) -> str:
    found = sorted(rates)
    low, high = found[0], found[-1]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
