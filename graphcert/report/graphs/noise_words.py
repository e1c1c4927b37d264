"""What the noise of a report does, in words."""

from graphcert.noise import CHANNELS, Scheme


def flip_words(smoothing: Scheme) -> str:
    """The rates of isotropic flips: "features θ⁺ = 0.01, θ⁻ = 0.6"."""
    laws = {channel: smoothing.levels(channel) for channel in CHANNELS}
    return ", ".join(f"{c} θ⁺ = {law[0].add:.4g}, θ⁻ = {law[0].delete:.4g}" for c, law in laws.items() if law)
