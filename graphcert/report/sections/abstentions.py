"""How clear the votes are, and which targets abstain."""

import numpy as np
from markupsafe import Markup

from graphcert.report.content import ReportContent
from graphcert.report.measures import class_counts
from graphcert.report.page import block
from graphcert.report.plots import margin_plot
from graphcert.report.probe import abstention_threshold
from graphcert.report.sections.section import Section, gallery
from graphcert.report.theme import CORRECT, UNKNOWN, WRONG
from graphcert.report.wording import number, percent


def abstentions(content: ReportContent) -> Section:
    """The histogram of votes beside the abstentions in words, then the counts per class."""
    figure = ("Targets by their votes", _histogram(content))
    beside = block("columns", [gallery([figure]), block("paragraphs", _sentences(content))])
    return Section("Votes and abstentions", beside + _per_class(content))


def _histogram(content: ReportContent) -> Markup:
    certificate, votes = content.certificate, content.votes
    shares, targets = votes.successes / votes.samples, certificate.targets
    known = content.truth >= 0
    correct = certificate.correct(content.truth) & known
    groups = [
        ("correct", shares[targets & correct], CORRECT),
        ("wrong", shares[targets & known & ~correct], WRONG),
        ("label unknown", shares[targets & ~known], UNKNOWN),
    ]
    return Markup(margin_plot(groups, abstention_threshold(content), votes.samples, "votes"))


def _sentences(content: ReportContent) -> list[str]:
    certificate, votes = content.certificate, content.votes
    silent, claims = certificate.abstained & certificate.targets, certificate.claims
    count = int(silent.sum())
    found = [
        f"{number(count)} of {number(claims)} targets ({percent(count, claims)}) abstain: fewer of their "
        f"{number(votes.samples)} votes went to the predicted label than a proof needs. They count as not certified at "
        "every budget, and not even their label is claimed.",
    ]
    rates = [_correct_share(content, part) for part in (silent, certificate.targets & ~silent)]
    if content.has_truth and count:
        among = f"Among the abstaining targets, {rates[0]} are labelled correctly"
        found.append(f"{among}; among the others, {rates[1]}." if count < claims else f"{among}.")
    found.append(
        f"The label of a target is the majority of {number(votes.pilot_samples)} pilot votes, which are independent of "
        "the votes shown here; so a share below one half can occur."
    )
    return found


def _correct_share(content: ReportContent, nodes: np.ndarray) -> str:
    """The share of correct labels among those nodes whose true label is known."""
    known = nodes & (content.truth >= 0)
    return percent(int((known & content.certificate.correct(content.truth)).sum()), int(known.sum()))


def _per_class(content: ReportContent) -> Markup:
    labels = {"predicted": content.certificate.labels}
    if content.has_truth:
        labels["true"] = content.truth
    tables = []
    for name, classes in labels.items():
        counts = enumerate(class_counts(content, classes))
        rows = [[str(label), number(all_), number(silent), percent(silent, all_)] for label, (all_, silent) in counts]
        tables.append(block("table", f"Abstentions by {name} label", ["class", "targets", "abstain", "share"], rows))
    return block("columns", tables)
