"""The guarantee of a certificate in plain words."""

from graphcert.noise import BernoulliFlip, Smoothing


def describe_guarantee(
    smoothing: Smoothing, claims: int, nodes: int, samples: int, alpha: float, simultaneous: bool, method: str
) -> str:
    """One paragraph: the classifier, the threat, the probability, the scope and what is left open."""
    noise = " and ".join(
        f"{what} are {_flips(law)}"
        for what, law in (("feature bits", smoothing.features), ("edges", smoothing.edges))
        if law is not None and not law.silent
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
        f"Nothing is claimed against changes of {what}, which are not smoothed."
        for what, law in (("features", smoothing.features), ("edges", smoothing.edges))
        if law is None or law.silent
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


def _flips(law: BernoulliFlip) -> str:
    return f"added with probability {law.add:g} and deleted with probability {law.delete:g}"
