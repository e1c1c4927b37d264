"""The result in numbers."""

from markupsafe import Markup

from graphcert.noise import Budget, Selected
from graphcert.report.content import ReportContent
from graphcert.report.laws import norm_of, smallest_scale
from graphcert.report.measures import Reach, headline, reach, standing
from graphcert.report.page import block
from graphcert.report.sections.section import Section
from graphcert.report.wording import NOTHING, axis_words, besides, budget_words, number, percent

_SHARES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Norms of changes, in standard deviations of the noise."""

_LIMITS = (1, 2, 3)


def result(content: ReportContent) -> Section:
    """The numbers to remember: as large facts, at a few budgets, and how far shares of the targets hold."""
    tables = block("columns", [_at_budgets(content), *_reaches(content), *_radii(content)])
    return Section("Result", block("facts", _facts(content)) + tables)


def _facts(content: ReportContent) -> list[tuple[str, str, str]]:
    claims, clean = content.certificate.claims, standing(content, Budget())
    of = f"of {number(claims)} targets, without a change"
    facts = [(percent(clean.certified, claims), "certified ratio", f"{number(clean.certified)} {of}")]
    if content.has_truth:
        facts.append((percent(clean.correct, claims), "certified accuracy", f"{number(clean.correct)} {of}"))
    for grid in content.curves:
        far = reach_words(reach(grid, claims, (1, 2)))
        facts.append((far, axis_words(grid.axes[0]) + besides(grid.fixed), "survived by half of the targets"))
    return facts


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
    limits = _LIMITS if isinstance(smoothing.levels("features")[0], Selected) else (None,)
    radii = [certificate.radius(limit) for limit in limits]
    norms = [f"{share * scale:.3g}" for share in _SHARES]
    found = [[norm, *(percent(int((r > float(norm)).sum()), claims) for r in radii)] for norm in norms]
    header = [f"{norm_of(smoothing)} norm", *("ratio" if limit is None else f"in ≤ {limit} nodes" for limit in limits)]
    return [block("table", "Certified ratio against moved features", header, found)]


def reach_words(found: Reach) -> str:
    """ "12", "≥ 20" where the evaluated budgets end before the targets do, or a dash."""
    if found.budget is None:
        return NOTHING
    return f"≥ {number(found.budget)}" if found.beyond else number(found.budget)
