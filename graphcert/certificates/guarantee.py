"""The guarantee of a certificate in plain words."""

from graphcert.noise import CHANNELS, BernoulliFlip, Smoothing


def describe_guarantee(
    smoothing: Smoothing, claims: int, nodes: int, samples: int, alpha: float, simultaneous: bool, method: str
) -> str:
    """One paragraph: the classifier, the threat, the probability, the scope and what is left open."""
    noise = " and ".join(
        f"{what} are {_flips(smoothing.levels(channel))}"
        for what, channel in (("feature bits", "features"), ("edges", "edges"))
        if smoothing.perturbs(channel)
    )
    scope = (
        f"all claims about the {claims:,} target nodes hold at once with probability at least {1 - alpha:.6g} over the "
        f"{samples:,} samples (each node is tested at {alpha:g}/{claims})"
        if simultaneous
        else f"each single claim holds with probability at least {1 - alpha:.6g} over the {samples:,} samples; claims "
        f"about several nodes together are not covered"
    )
    rule = (
        "its probability stays above one half"
        if method == "binary"
        else "its probability stays above that of every other class"
    )
    unprotected = [
        f"Nothing is claimed against changes of {channel}, which are not smoothed."
        for channel in CHANNELS
        if not smoothing.perturbs(channel)
    ]
    return " ".join(
        [
            f"The certified classifier returns, for each node, the class that the base classifier returns most often "
            f"when {noise}.",
            "A node is certified for a budget if it provably keeps its label under every perturbation that adds and "
            "deletes at most that many feature bits and undirected edges, anywhere in the graph and at the same time: "
            f"{rule}.",
            f"Under independent samples, {scope}.",
            f"The targets are {claims:,} of {nodes:,} nodes; a node that is not certified is not proved to be fragile.",
            *unprotected,
        ]
    )


def _flips(levels: tuple[BernoulliFlip, ...]) -> str:
    add, delete = (_rates(sorted({getattr(law, rate) for law in levels})) for rate in ("add", "delete"))
    return f"added with probability {add} and deleted with probability {delete}"


def _rates(rates: list[float]) -> str:
    """One rate, or the range of a localized scheme."""
    return f"{rates[0]:g}" if len(rates) == 1 else f"{rates[0]:g} to {rates[-1]:g} (by cluster)"
