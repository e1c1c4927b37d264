"""The report as one self-contained HTML page."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from graphcert.noise import CHANNELS, Law
from graphcert.report.frame.html import Page, Section, block, settings_section
from graphcert.report.frame.wording import number
from graphcert.report.graphs.clusters import attack, clusters
from graphcert.report.graphs.collective import collective
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.other_classifiers import mean_score, others
from graphcert.report.graphs.per_node import abstentions, curves, heat_maps
from graphcert.report.graphs.result import per_node, result


def render(content: ReportContent) -> str:
    """The page as HTML text."""
    return graph_page(content).html()


def write_report(path: Path, content: ReportContent) -> None:
    """Write the page to `path`, whole or not at all."""
    graph_page(content).write(path)


def graph_page(content: ReportContent) -> Page:
    """What is certified about the nodes of a graph; what holds for all targets at once comes first."""
    sections = [section for build in SECTIONS if (section := build(content)) is not None]
    return Page(content.title, _subtitle(content), notices(content), sections)


def _subtitle(content: ReportContent) -> list[str]:
    """What was certified against what, in a few words each."""
    certificate = content.certificate
    smoothing = certificate.smoothing
    noise = [_noise(channel, smoothing.levels(channel)) for channel in CHANNELS if smoothing.perturbs(channel)]
    return [f"{number(certificate.claims)} targets", *noise, f"α = {certificate.alpha:g}"]


def _noise(channel: str, levels: Sequence[Law]) -> str:
    """The parameters of a channel's noise, or their ranges over the levels of a localized scheme."""
    rows = [level.row for level in levels]
    shown = [f"{symbol} = {_range([getattr(law, field) for law in rows])}" for field, symbol in rows[0].symbols]
    words = f"{channel} {', '.join(shown) or 'hidden'}"
    if not levels[0].selects:
        return words
    return f"{words}, in rows selected with probability {_range([level.select for level in levels])}"


def _range(rates: Sequence[float]) -> str:
    low, high = min(rates), max(rates)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def notices(content: ReportContent) -> list[str]:
    """Sentences, the caller's first."""
    certificate = content.certificate
    unknown = int((content.truth[certificate.targets] < 0).sum())
    found = list(content.warnings)
    if not certificate.simultaneous:
        found.append(
            f"Each claim is made at α = {certificate.alpha:g} for itself: counts, ratios and curves on this page add "
            "up single claims and are no joint guarantee."
        )
    if bool(np.all(certificate.abstained)):
        found.append(
            "Every target abstains, so nothing is certified; take more samples, weaker noise, or train the model under "
            "the noise it is smoothed with."
        )
    if unknown == certificate.claims:
        found.append("No target has a known label, so there is no accuracy to report.")
    elif unknown:
        found.append(
            f"{number(unknown)} of {number(certificate.claims)} targets have no known label; certified accuracy counts "
            "them as not correct."
        )
    return found


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
    if smoothing.hides_rows:
        return "how many nodes an adversary may touch, changing their features at will"
    if norm := smoothing.norm:
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


def particulars(content: ReportContent) -> Section:
    """The settings that had a use, the votes' checksum, and the seconds of each stage."""
    used = {name: values for name, values in content.settings.items() if name != "collective" or content.collective}
    return settings_section({**used, "votes": {"sha256": content.votes.digest}}, content.timings)


SECTIONS: tuple[Callable[[ReportContent], Section | None], ...] = (
    result, reading, guarantee, collective, others, clusters, attack, per_node, curves, heat_maps, mean_score, abstentions,
    limits, particulars,
)  # fmt: skip
"""In the order of the page."""
