"""The guarantee of a certificate in plain words."""

from typing import TYPE_CHECKING

from graphcert.noise import (
    CHANNELS,
    CONTINUOUS,
    Ablation,
    BernoulliFlip,
    Gaussian,
    Scheme,
    Selected,
    SubsetAblation,
    Uniform,
)
from graphcert.noise.laws import FeatureLaw
from graphcert.statistics import confidence_words

if TYPE_CHECKING:
    from graphcert.certificates.node_claims import NodeClaims


def describe_guarantee(claims: "NodeClaims", classifier: str, rule: str, further: str) -> str:
    """One paragraph: the classifier, the adversary, the probability, the scope and what is left open.

    Args:
        claims: the certificate.
        classifier: what the certified classifier returns for each node; "{noise}" stands for what happens to the graph.
        rule: what is proved of the label.
        further: what is to be said besides about the probability, as the end of its sentence.
    """
    smoothing, level = claims.smoothing, confidence_words(claims.alpha)
    scope = (
        f"all claims about the {claims.claims:,} target nodes hold at once with probability at least {level} over the "
        f"{claims.samples:,} samples (each node is tested at {claims.alpha:g}/{claims.claims})"
        if claims.simultaneous
        else f"each single claim holds with probability at least {level} over the {claims.samples:,} samples; claims about "
        f"several nodes together are not covered"
    )
    unprotected = [
        f"Nothing is claimed against changes of {channel}, which are not smoothed."
        for channel in CHANNELS
        if not smoothing.perturbs(channel)
    ]
    return " ".join(
        [
            classifier.format(noise=describe_noise(smoothing)),
            f"A node is certified for a budget if it provably keeps its label under every perturbation that "
            f"{describe_adversary(smoothing)}, anywhere in the graph and at the same time: {rule}.",
            f"Under independent samples, {scope}{further}.",
            f"The targets are {claims.claims:,} of {claims.nodes:,} nodes; a node that is not certified is not proved to be "
            f"fragile.",
            *unprotected,
        ]
    )


def describe_noise(smoothing: Scheme) -> str:
    """What happens to features and edges: "feature bits are added with probability … and edges are …"."""
    parts = []
    if smoothing.perturbs("features"):
        levels = smoothing.levels("features")
        rows = [level.law if isinstance(level, Selected) else level for level in levels]
        parts.append(_features(rows))
        if isinstance(levels[0], Selected):
            select = _rates(sorted({level.select for level in levels}))
            parts[0] += f" in selected nodes (each with probability {select}, seen by the classifier)"
    if smoothing.perturbs("edges"):
        parts.append(f"edges are {flip_words(smoothing.levels('edges'))}")
    return " and ".join(parts)


def _features(laws: list[FeatureLaw]) -> str:
    flips = tuple(law for law in laws if isinstance(law, BernoulliFlip))
    if flips:
        return f"feature bits are {flip_words(flips)}"
    sigmas = sorted({law.sigma for law in laws if isinstance(law, Gaussian)})
    widths = sorted({law.half_width for law in laws if isinstance(law, Uniform)})
    if isinstance(laws[0], SubsetAblation):
        return f"the features of all nodes but {laws[0].kept} random ones are hidden"
    if not sigmas and not widths:
        return "features are hidden"
    scale = (
        f"Gaussian noise of standard deviation {_rates(sigmas)}"
        if sigmas
        else f"uniform noise of up to ±{_rates(widths)}"
    )
    steps = {law.lattice for law in laws if isinstance(law, CONTINUOUS) and law.lattice is not None}
    return f"features carry {scale}" + "".join(f", rounded to whole multiples of {step:g}" for step in steps)


def describe_adversary(smoothing: Scheme) -> str:
    """What a budget lets an adversary do."""
    level = next(iter(smoothing.levels("features")), None)
    law, limit = (level.law, " in at most that many nodes") if isinstance(level, Selected) else (level, "")
    if isinstance(law, CONTINUOUS):
        steps = "" if law.lattice is None else f" to other whole multiples of {law.lattice:g}"
        return (
            f"moves the features{steps} by at most that {law.norm} norm{limit}, or adds and deletes at most that many "
            f"undirected edges"
        )
    if isinstance(law, Ablation):
        return "changes the features of at most that many nodes and adds and deletes at most that many undirected edges"
    if limit:
        return f"adds and deletes at most that many feature bits{limit} and at most that many undirected edges"
    return "adds and deletes at most that many feature bits and undirected edges"


def flip_words(levels: tuple[BernoulliFlip, ...]) -> str:
    """The rates of one law, or their range over levels."""
    add, delete = (_rates(sorted({getattr(law, rate) for law in levels})) for rate in ("add", "delete"))
    return f"added with probability {add} and deleted with probability {delete}"


def _rates(rates: list[float]) -> str:
    """One rate, or the range of a localized scheme."""
    return f"{rates[0]:g}" if len(rates) == 1 else f"{rates[0]:g} to {rates[-1]:g} (by cluster)"
