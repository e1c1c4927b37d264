"""The guarantee of a certificate in plain words."""

from graphcert.noise import CHANNELS, BernoulliFlip, Scheme
from graphcert.statistics import confidence_words


def describe_guarantee(
    smoothing: Scheme, claims: int, nodes: int, samples: int, alpha: float, simultaneous: bool, method: str
) -> str:
    """One paragraph: the classifier, the adversary, the probability, the scope and what is left open."""
    noise = describe_noise(smoothing)
    scope = (
        f"all claims about the {claims:,} target nodes hold at once with probability at least {confidence_words(alpha)} "
        f"over the {samples:,} samples (each node is tested at {alpha:g}/{claims})"
        if simultaneous
        else f"each single claim holds with probability at least {confidence_words(alpha)} over the {samples:,} "
        f"samples; claims about several nodes together are not covered"
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
            f"A node is certified for a budget if it provably keeps its label under every perturbation that "
            f"{describe_adversary(smoothing)}, anywhere in the graph and at the same time: {rule}.",
            f"Under independent samples, {scope}.",
            f"The targets are {claims:,} of {nodes:,} nodes; a node that is not certified is not proved to be fragile.",
            *unprotected,
        ]
    )


def describe_noise(smoothing: Scheme) -> str:
    """What happens to features and edges: "feature bits are added with probability … and edges are …"."""
    parts = []
    if smoothing.perturbs("features"):
        levels = smoothing.levels("features")
        parts.append(type(levels[0]).words(levels))
    if smoothing.perturbs("edges"):
        parts.append(f"edges are {BernoulliFlip.rate_words(smoothing.levels('edges'))}")
    return " and ".join(parts)


def describe_adversary(smoothing: Scheme) -> str:
    """What a budget lets an adversary do."""
    law = next(iter(smoothing.levels("features")), None)
    return (
        "adds and deletes at most that many feature bits and undirected edges" if law is None else law.adversary_words()
    )


_BOUNDS = {
    "band": "the distribution of the score is bounded by a band, and the perturbed mean by exact trade-offs",
    "bernstein": "mean and variance are bounded by empirical Bernstein bounds",
    "dkw": "mean and variance are bounded by a band around the distribution of the score",
}


def describe_mean_score(
    smoothing: Scheme, claims: int, nodes: int, samples: int, alpha: float, simultaneous: bool, bounds: str
) -> str:
    """One paragraph: the classifier, the adversary, the probability, the scope and what is left open."""
    noise = describe_noise(smoothing)
    scope = (
        f"all claims about the {claims:,} target nodes hold at once with probability at least {confidence_words(alpha)}"
        if simultaneous
        else f"each single claim holds with probability at least {confidence_words(alpha)}; claims about several nodes "
        f"together are not covered"
    )
    unprotected = [
        f"Nothing is claimed against changes of {channel}, which are not smoothed."
        for channel in CHANNELS
        if not smoothing.perturbs(channel)
    ]
    return " ".join(
        [
            f"The certified classifier is the mean-score classifier: for each node, the class whose score is largest on "
            f"average when {noise}. It is not the majority vote, and its claims must not be mixed with claims about that.",
            f"A node is certified for a budget if it provably keeps its label under every perturbation that "
            f"{describe_adversary(smoothing)}, anywhere in the graph and at the same time: the mean score of the label "
            f"stays above one half, and scores sum to at most one.",
            f"Under independent samples, {scope} over the {samples:,} samples; {_BOUNDS[bounds]}. The error rates of "
            f"several certificates from the same votes, such as one about the majority vote, add up.",
            f"The targets are {claims:,} of {nodes:,} nodes; a node that is not certified is not proved to be fragile.",
            *unprotected,
        ]
    )
