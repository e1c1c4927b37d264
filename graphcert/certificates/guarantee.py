"""The guarantee of a certificate in plain words."""

from typing import TYPE_CHECKING

from graphcert.noise import CHANNELS, BernoulliFlip, Scheme, Tiles
from graphcert.statistics import confidence_words

if TYPE_CHECKING:
    from graphcert.certificates.node_claims import NodeClaims


def describe_guarantee(claims: "NodeClaims", classifier: str, rule: str, further: str) -> str:
    """One paragraph: the classifier, the adversary, the probability, the scope and what is left open.

    `classifier` says what is returned for each node ("{noise}" stands for what happens to the graph), `rule` what is proved
    of the label; `further` ends the sentence about the probability.
    """
    smoothing, level, output = claims.smoothing, confidence_words(claims.alpha), claims._output
    scope = (
        f"all claims about the {claims.claims:,} target {output}s hold at once with probability at least {level} over the "
        f"{claims._samples_words()} samples (each {output} is tested at {claims.alpha:g}/{claims.claims})"
        if claims.simultaneous
        else f"each single claim holds with probability at least {level} over the {claims._samples_words()} samples; "
        f"claims about several {output}s together are not covered"
    )
    law = next(iter(smoothing.levels("features")), None)
    edges = "directed edges" if smoothing.directed else "undirected edges"
    change = (
        f"adds and deletes at most that many feature bits and {edges}"
        if law is None
        else law.adversary_words(edges=edges)
    )
    if smoothing.dropped_nodes:
        change = f"adds and deletes at most that many {edges}, or adds at most that many nodes with so many edges each"
    if smoothing.tiles is not None:
        change = change.replace("that many nodes", f"that many {tile_words(smoothing.tiles)}")
    unprotected = [channel for channel in CHANNELS if not smoothing.perturbs(channel)]
    return (
        f"{classifier.format(noise=describe_noise(smoothing, output))} "
        f"{_sentence(output)} is certified for a budget if it provably keeps its label under every perturbation that "
        f"{_of_rows(change, output)}, anywhere in the {'graph' if output == 'node' else 'input'} and at the same time: "
        f"{rule}. Under independent samples, {scope}{further}. "
        f"The targets are {claims.claims:,} of {claims.nodes:,} {output}s; "
        f"{_sentence(output).lower()} that is not certified is not proved to be fragile."
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


def tile_words(tiles: Tiles) -> str:
    """What is selected together, such as "tiles of 4 × 4 pixels"."""
    return f"tiles of {tiles.size} × {tiles.size} pixels"


def describe_noise(smoothing: Scheme, output: str = "node") -> str:
    """What happens to features and edges: "feature bits are added with probability … and edges are …"."""
    parts = []
    if smoothing.perturbs("features"):
        levels = smoothing.levels("features")
        words = type(levels[0]).words(levels)
        parts.append(words if smoothing.tiles is None else words.replace("selected nodes", "selected tiles"))
    if smoothing.dropped_nodes:
        parts.append(f"nodes lose all their edges with probability {smoothing.dropped_nodes:g}")
    if any(not law.silent for law in smoothing.levels("edges")):
        parts.append(f"edges are {BernoulliFlip.rate_words(smoothing.levels('edges'))}")
    return _of_rows(" and ".join(parts), output)


def _of_rows(words: str, output: str) -> str:
    """Words about a graph; where an output is an "input", what they call nodes are its rows."""
    return words if output == "node" else words.replace("nodes", "rows")


def _sentence(output: str) -> str:
    """The beginning of a sentence about one output."""
    return "A node" if output == "node" else "An input"
