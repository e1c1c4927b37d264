"""What a report says about the parameters of noise."""

from collections.abc import Iterable, Sequence

from graphcert.noise import CHANNELS, Law, Scheme


def flip_words(smoothing: Scheme) -> str:
    """The rates of isotropic flips: "features θ⁺ = 0.01, θ⁻ = 0.6"."""
    laws = {channel: smoothing.levels(channel) for channel in CHANNELS}
    return ", ".join(f"{c} θ⁺ = {law[0].add:.4g}, θ⁻ = {law[0].delete:.4g}" for c, law in laws.items() if law)


def channel_words(channel: str, levels: Sequence[Law]) -> str:
    """The parameters of a channel's noise, or their ranges over the levels of a localized scheme."""
    rows = [level.row for level in levels]
    shown = [f"{symbol} = {_range(getattr(law, field) for law in rows)}" for field, symbol in rows[0].symbols]
    words = f"{channel} {', '.join(shown) or 'hidden'}"
    if not levels[0].selects:
        return words
    return f"{words}, in rows selected with probability {_range(level.select for level in levels)}"


def _range(rates: Iterable[float]) -> str:
    found = sorted(rates)
    low, high = found[0], found[-1]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
