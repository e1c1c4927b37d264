"""The result in numbers."""

from markupsafe import Markup

from graphcert.report.content import ReportContent
from graphcert.report.laws import norm_of, smallest_scale
from graphcert.report.measures import headline, reach
from graphcert.report.page import block
from graphcert.report.sections.facts import facts_alone, facts_at_once, norm_limits, norms, reach_words
from graphcert.report.sections.section import Section
from graphcert.report.wording import axis_words, besides, budget_words, number, percent


def result(content: ReportContent) -> Section:
    """The numbers to remember: what holds at once if that is known, otherwise what holds for each target alone."""
    if content.collective:
        return Section("Result", block("facts", facts_at_once(content)))
    facts = facts_alone(content)
    return Section("Result", (block("facts", facts) if facts else Markup()) + _tables(content))


def alone(content: ReportContent) -> Section | None:
    """The numbers of each target alone, where the result is about all of them at once."""
    return Section("Each target alone", _tables(content)) if content.collective else None


def _tables(content: ReportContent) -> Markup:
    """At a few budgets, and how far shares of the targets hold."""
    return block("columns", [_at_budgets(content), *_reaches(content), *_radii(content)])


def _at_budgets(content: ReportContent) -> Markup:
    claims, accuracy = content.certificate.claims, content.has_truth
    rows = [
        [budget_words(row.budget), number(row.certified), percent(row.certified, claims)]
        + [percent(row.correct, claims)] * accuracy
        for row in headline(content)
    ]
    header = ["budget", "certified", "ratio"] + ["accuracy"] * accuracy
    return block("table", f"Certified targets, of {number(claims)}", header, rows)


def _reaches(content: ReportContent) -> list[Markup]:
    if not content.curves:
        return []
    claims = content.certificate.claims
    shares = {"9 in 10": (9, 10), "half": (1, 2), "1 in 10": (1, 10), "any": (1, claims)}
    rows = [
        [
            axis_words(grid.axes[0]) + besides(grid.fixed),
            *(reach_words(reach(grid, claims, share)) for share in shares.values()),
        ]
        for grid in content.curves
    ]
    return [block("table", "Largest budget at which so many targets are certified", ["budget of", *shares], rows)]


def _radii(content: ReportContent) -> list[Markup]:
    """Under Gaussian or uniform noise: how many targets survive a change of all features together of so large a norm."""
    certificate, claims = content.certificate, content.certificate.claims
    smoothing = certificate.smoothing
    scale = smallest_scale(smoothing)
    if scale is None:
        return []
    limits = norm_limits(content)
    radii = [certificate.radius(limit) for limit in limits]
    found = [[norm, *(percent(int((r > float(norm)).sum()), claims) for r in radii)] for norm in norms(scale)]
    header = [f"{norm_of(smoothing)} norm", *("ratio" if limit is None else f"nodes ≤ {limit}" for limit in limits)]
    return [block("table", "Certified ratio against moved features", header, found)]
