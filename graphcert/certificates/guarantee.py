"""The guarantee of a certificate in plain words."""

from typing import TYPE_CHECKING

from graphcert.noise import CHANNELS, BernoulliFlip, Scheme
from graphcert.statistics import confidence_words

if TYPE_CHECKING:
    from graphcert.certificates.node_claims import NodeClaims


def describe_guarantee(claims: "NodeClaims", classifier: str, rule: str, further: str) -> str:
    """One paragraph: the classifier, the adversary, the probability, the scope and what is left open.

    `classifier` says what is returned for each node ("{noise}" stands for what happens to the graph), `rule` what is proved
    of the label; `further` ends the sentence about the probability.
    """
    smoothing, level = claims.smoothing, confidence_words(claims.alpha)
    scope = (
        f"all claims about the {claims.claims:,} target nodes hold at once with probability at least {level} over the "
        f"{claims._samples_words()} samples (each node is tested at {claims.alpha:g}/{claims.claims})"
        if claims.simultaneous
        else f"each single claim holds with probability at least {level} over the {claims._samples_words()} samples; "
        f"claims about several nodes together are not covered"
    )
    law = next(iter(smoothing.levels("features")), None)
    edges = "directed edges" if smoothing.directed else "undirected edges"
    change = (
        f"adds and deletes at most that many feature bits and {edges}"
        if law is None
        else law.adversary_words(edges=edges)
    )
    unprotected = [channel for channel in CHANNELS if not smoothing.perturbs(channel)]
    return (
        f"{classifier.format(noise=describe_noise(smoothing))} "
        f"A node is certified for a budget if it provably keeps its label under every perturbation that {change}, "
        f"anywhere in the graph and at the same time: {rule}. Under independent samples, {scope}{further}. "
        f"The targets are {claims.claims:,} of {claims.nodes:,} nodes; a node that is not certified is not proved to be "
        f"fragile."
    ) + "".join(
        f" {sentence}."
        for sentence in [*claims._stops(), *_of_edges(smoothing), *(_UNPROTECTED.format(c) for c in unprotected)]
    )


_UNPROTECTED = "Nothing is claimed against changes of {}, which are not smoothed"


def _of_edges(smoothing: Scheme) -> list[str]:
    """What the adversary can do to weights and attributes of edges."""
    if smoothing.edge_values is None or not smoothing.perturbs("edges"):
        return []
    scheme = smoothing.unselected
    attributes = "" if scheme.added_attr is None else f" and the attributes {scheme.added_attr}"
    return [
        f"Edges that noise or the adversary adds carry the weight {scheme.added_weight:g}{attributes}; edges that stay keep "
        f"their own, and nothing is claimed against changes of weights and attributes, nor against an edge that is deleted "
        f"and added again"
    ]


def describe_noise(smoothing: Scheme) -> str:
    """What happens to features and edges: "feature bits are added with probability … and edges are …"."""
    parts = []
    if smoothing.perturbs("features"):
        levels = smoothing.levels("features")
        parts.append(type(levels[0]).words(levels))
    if smoothing.perturbs("edges"):
        parts.append(f"edges are {BernoulliFlip.rate_words(smoothing.levels('edges'))}")
    return " and ".join(parts)
