"""The parameters of noise in words."""

from collections.abc import Sequence

from graphcert.noise import CHANNELS, Law, Scheme


def flip_words(smoothing: Scheme) -> str:
    """The rates of isotropic flips: "features θ⁺ = 0.01, θ⁻ = 0.6"."""
    laws = {channel: smoothing.levels(channel) for channel in CHANNELS}
    return ", ".join(f"{c} θ⁺ = {law[0].add:.4g}, θ⁻ = {law[0].delete:.4g}" for c, law in laws.items() if law)


def channel_words(channel: str, levels: Sequence[Law]) -> str:
    """The parameters of a channel's noise, or their ranges over the levels of a localized scheme."""
    rows = [level.row for level in levels]
    shown = [f"{symbol} = {_range([getattr(law, field) for law in rows])}" for field, symbol in rows[0].symbols]
    words = f"{channel} {', '.join(shown) or 'hidden'}"
    if not levels[0].selects:
        return words
    return f"{words}, in rows selected with probability {_range([level.select for level in levels])}"


def parameters(law: Law) -> dict[str, str]:
    """The numbers of a law and of the selection of its rows, under their symbols; what it does not have is left out."""
    found = {"select": law.select} if law.selects else {}
    found |= {symbol: getattr(law.row, field) for field, symbol in law.row.symbols}
    if law.row.lattice is not None:
        found["lattice"] = law.row.lattice
    return {name: f"{value:.4g}" for name, value in found.items()}


def _range(rates: Sequence[float]) -> str:
    low, high = min(rates), max(rates)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
