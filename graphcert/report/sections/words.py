"""The sections in words: how to read the numbers, what is guaranteed, what is not."""

from graphcert.noise import Ablation
from graphcert.report.content import ReportContent
from graphcert.report.laws import norm_of, row_laws
from graphcert.report.page import block
from graphcert.report.sections.section import Section
from graphcert.report.wording import number


def reading(content: ReportContent) -> Section:
    """Four sentences for a reader who sees such a report for the first time."""
    targets = number(content.certificate.claims)
    sentences = [
        f"A budget says {_threat(content)}, wherever in the graph it",
        f"hurts most; the certified ratio is the share of the {targets} targets whose predicted label provably",
        "survives every such change, and the certified accuracy counts only those whose label is also correct.",
        *_scope(content),
        *_limits(content),
        "A target that is not certified is not proved to be fragile: nothing is known about it at that budget.",
        "A target abstains if its votes do not even prove the label of the unchanged graph.",
    ]
    return Section("How to read this", block("paragraphs", [" ".join(sentences)]))


def _scope(content: ReportContent) -> list[str]:
    """Whether a change is made against one target or against all of them."""
    if content.collective:
        return [
            "Certified at once means that whichever single change is made, at least so many targets keep their labels;",
            "each target alone is judged by itself against the whole budget.",
        ]
    return [
        "Every target is judged by itself against the whole budget, so one attack that has to serve against many",
        "targets at once may well change fewer of them.",
    ]


def _threat(content: ReportContent) -> str:
    """What a budget counts."""
    smoothing = content.certificate.smoothing
    if any(isinstance(law, Ablation) for law in row_laws(smoothing)):
        return "how many nodes an adversary may touch, changing their features at will"
    if norm := norm_of(smoothing):
        return f"how far an adversary may move the features, in {norm} norm over all of them together"
    return "how many feature bits or edges an adversary may add or delete"


def _limits(content: ReportContent) -> list[str]:
    """What a limit of touched nodes means, if a grid has one."""
    if all(grid.fixed.nodes is None for grid in content.grids):
        return []
    return ["A budget in at most r nodes may change the features of no more than r nodes, whichever they are."]


def guarantee(content: ReportContent) -> Section:
    """The certificate's own words, and its error rate once more."""
    certificate = content.certificate
    scope = "any of these claims" if certificate.simultaneous else "a given one of these claims"
    rate = f"So α = {certificate.alpha:g} bounds the probability that the sampling made {scope} wrong."
    return Section(
        "What exactly is guaranteed", block("statement", certificate.guarantee()) + block("paragraphs", [rate])
    )


def limits(content: ReportContent) -> Section:
    """What a reader could take for granted and must not."""
    certificate, votes = content.certificate, content.votes
    scope = "some claim is wrong" if certificate.simultaneous else "a given claim is wrong"
    points = [
        f"The guarantee is statistical: with probability up to α = {certificate.alpha:g} over the "
        f"{number(votes.samples)} samples {scope}. Keeping the best of several seeds voids it, and so does choosing the "
        "number of samples, α or the targets after seeing a certificate.",
        "It speaks about the smoothed classifier, which answers by majority vote under noise. A single prediction of "
        "the base classifier, with or without noise, is not protected; only the vote is, and has to be deployed.",
        "The smoothing scheme was fixed on the graph as it was given. Noise that is chosen anew from a changed graph "
        "makes another scheme, about which nothing is said.",
        "It speaks about changes at prediction time. The training data and the trained weights are taken as given; "
        "poisoned training data are another matter.",
        "Certified accuracy is measured on these targets of this graph; it is no estimate for other nodes or graphs.",
        "The pseudo-random numbers of the sampler are taken for independent random ones.",
    ]
    if votes.total_variation > 0:
        points.append(
            f"One sample’s law differs from the stated noise by at most {votes.total_variation:.1e} in total "
            "variation; the bounds are already lowered by that."
        )
    return Section("What is not claimed", block("points", points))
