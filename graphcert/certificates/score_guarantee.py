"""The guarantee of a mean-score certificate in plain words."""

from graphcert.certificates.guarantee import flip_words
from graphcert.noise import CHANNELS, Smoothing

_BOUNDS = {"bernstein": "empirical Bernstein bounds", "dkw": "a band around the distribution of the score"}


def describe_mean_score(
    smoothing: Smoothing, claims: int, nodes: int, samples: int, alpha: float, simultaneous: bool, bounds: str
) -> str:
    """One paragraph: the classifier, the threat, the probability, the scope and what is left open."""
    noise = " and ".join(
        f"{what} are {flip_words(smoothing.levels(channel))}"
        for what, channel in (("feature bits", "features"), ("edges", "edges"))
        if smoothing.perturbs(channel)
    )
    scope = (
        f"all claims about the {claims:,} target nodes hold at once with probability at least {1 - alpha:.6g}"
        if simultaneous
        else f"each single claim holds with probability at least {1 - alpha:.6g}; claims about several nodes together "
        f"are not covered"
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
            "A node is certified for a budget if it provably keeps its label under every perturbation that adds and "
            "deletes at most that many feature bits and undirected edges, anywhere in the graph and at the same time: "
            "the mean score of the label stays above one half, and scores sum to at most one.",
            f"Under independent samples, {scope} over the {samples:,} samples; mean and variance are bounded by "
            f"{_BOUNDS[bounds]}.",
            f"The targets are {claims:,} of {nodes:,} nodes; a node that is not certified is not proved to be fragile.",
            *unprotected,
        ]
    )
