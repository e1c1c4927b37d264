"""The sections of a report: functions from the content to a heading and its HTML, or to None."""

from collections.abc import Callable

from graphcert.report.content import ReportContent
from graphcert.report.sections.abstentions import abstentions
from graphcert.report.sections.attack import attack
from graphcert.report.sections.clusters import clusters
from graphcert.report.sections.collective import collective
from graphcert.report.sections.figures import curves, heat_maps
from graphcert.report.sections.mean_score import mean_score
from graphcert.report.sections.others import others
from graphcert.report.sections.particulars import particulars
from graphcert.report.sections.result import alone, result
from graphcert.report.sections.section import Section
from graphcert.report.sections.words import guarantee, limits, reading

SECTIONS: tuple[Callable[[ReportContent], Section | None], ...] = (
    result, reading, guarantee, collective, others, clusters, attack, alone, curves, heat_maps, mean_score, abstentions,
    limits, particulars,
)  # fmt: skip
"""In the order of the page: what holds for all targets at once comes before what holds for each alone."""

__all__ = ["SECTIONS", "Section"]
