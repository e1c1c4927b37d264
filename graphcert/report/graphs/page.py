"""The page about the nodes of a graph: its sections, and those in words."""

from collections.abc import Callable
from pathlib import Path

from graphcert.noise import CHANNELS, Scheme
from graphcert.report.frame.html import Page, Section, block, settings_section
from graphcert.report.frame.wording import channel_words, number
from graphcert.report.graphs.attacks import attacks
from graphcert.report.graphs.clusters import attack, clusters
from graphcert.report.graphs.collective import collective
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.injection import injection
from graphcert.report.graphs.nodes import nodes
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
    certificate = content.certificate
    noise = noise_words(certificate.smoothing)
    subtitle = [f"{number(certificate.claims)} targets", *noise, f"α = {certificate.alpha:g}"]
    sections = [section for build in SECTIONS if (section := build(content)) is not None]
    return Page(content.title, subtitle, _notices(content), sections, nodes=True)


def noise_words(smoothing: Scheme) -> list[str]:
    """The noise of every part of the graph, in a few words each."""
    noise = [channel_words(channel, smoothing.levels(channel)) for channel in CHANNELS if smoothing.perturbs(channel)]
    dropped = smoothing.dropped_nodes
    return [f"nodes dropped with probability {dropped:g}", *noise] if dropped else noise


def _notices(content: ReportContent) -> list[str]:
    """What the reader must know before believing a number: the caller's warnings, and what the content implies."""
    certificate = content.certificate
    unknown = int((content.truth[certificate.targets] < 0).sum())
    found = list(content.warnings)
    if not certificate.simultaneous:
        found.append(
            f"Each claim is made at α = {certificate.alpha:g} for itself: counts, ratios and curves on this page add "
            "up single claims and are no joint guarantee."
        )
    if certificate.abstained.all():
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
    if content.attacks is not None and content.attacks.violations:
        found.insert(
            0, "DEFECT: attacks refute this certificate; see the section Attacks. Believe none of its numbers."
        )
    return found


def reading(content: ReportContent) -> Section:
    """A few sentences for a reader who sees such a report for the first time."""
    budget = "how many feature bits or edges an adversary may add or delete"
    if content.certificate.smoothing.dropped_nodes:
        budget = "how many edges an adversary may add or delete, or how many nodes with so many edges each may be added"
    elif content.certificate.smoothing.hides_rows:
        budget = "how many nodes an adversary may touch, changing their features at will"
    elif content.norm == "turn":
        budget = "how far an adversary may turn the whole input, as the shift of the turn (gc.turn_shift)"
    elif content.norm:
        budget = f"how far an adversary may move the features, in {content.norm} norm over all of them together"
    sentences = [
        f"A budget says {budget}, wherever in the graph it hurts most; the certified ratio is the share of the "
        f"{number(content.certificate.claims)} targets whose predicted label provably survives every such change, and the "
        "certified accuracy counts only those whose label is also correct.",
        "Every target is judged by itself against the whole budget, so one attack that has to serve against many targets "
        "at once may well change fewer of them.",
        "A target that is not certified is not proved to be fragile: nothing is known about it at that budget.",
        "A target abstains if its votes do not even prove the label of the unchanged graph.",
    ]
    if content.collective:
        sentences[1] = (
            "Certified at once means that whichever single change is made, at least so many targets keep their labels; "
            "each target alone is judged by itself against the whole budget."
        )
    if any(grid.fixed.nodes is not None for grid in content.grids):
        limited = "A budget in at most r nodes may change the features of no more than r nodes, whichever they are."
        sentences.insert(2, limited)
    return Section("How to read this", block("paragraphs", [" ".join(sentences)]))


_MULTICLASS = (
    "This is the multi-class rule, the default with three classes or more: a label has to stay ahead of every other class, "
    "which is what the smoothed classifier needs. Older versions asked that it keeps more than one half of the probability, "
    "as --method binary does, and usually certified fewer targets."
)


def guarantee(content: ReportContent) -> Section:
    """The certificate's own words, and its error rate once more."""
    certificate = content.certificate
    scope = "any of these claims" if certificate.simultaneous else "a given one of these claims"
    rate = f"So α = {certificate.alpha:g} bounds the probability that the sampling made {scope} wrong."
    rule = [] if certificate.method == "binary" else [_MULTICLASS]
    words = block("statement", certificate.guarantee()) + block("paragraphs", [rate, *rule])
    return Section("What exactly is guaranteed", words)


def limits(content: ReportContent) -> Section:
    """What a reader could take for granted and must not."""
    certificate, votes = content.certificate, content.votes
    scope = "some claim is wrong" if certificate.simultaneous else "a given claim is wrong"
    points = [
        f"The guarantee is statistical: with probability up to α = {certificate.alpha:g} over the "
        f"{certificate._samples_words()} samples {scope}. Keeping the best of several seeds voids it, and so does "
        "choosing the number of samples, α or the targets after seeing a certificate.",
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
    result, collective, nodes, reading, guarantee, injection, others, clusters, attack, attacks, per_node, curves,
    heat_maps, mean_score, abstentions, limits, particulars,
)  # fmt: skip
"""In the order of the page."""
