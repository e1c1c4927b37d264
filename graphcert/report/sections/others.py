"""Other classifiers over the budgets of the collective certificate: isotropic noise, and the largest mean score."""

from collections.abc import Mapping

from markupsafe import Markup

from graphcert.collective import CollectiveCurve
from graphcert.report.content import ReportContent
from graphcert.report.ladder import Ladder, ladders
from graphcert.report.laws import flip_words
from graphcert.report.page import block
from graphcert.report.plots import ladder_plot
from graphcert.report.sections.mean_score import EXPLAINED, MEAN_SCORE
from graphcert.report.sections.section import Section, gallery
from graphcert.report.wording import method_name, number, percent, points

_ISOTROPIC = "isotropic"


def others(content: ReportContent) -> Section | None:
    """The same budgets for the same model smoothed in another way."""
    swept = ladders(content)
    if not swept or (content.isotropic is None and not content.mean_score):
        return None
    parts = [block("points", _sentences(content))]
    figures = [plot for i, ladder in enumerate(swept) for plot in _curves(content, ladder, i)]
    if figures:
        parts.append(gallery(figures))
    tables = [_table(ladder, {method_name(ladder.strongest): ladder.best, **_beside(content, i)})
              for i, ladder in enumerate(swept)]  # fmt: skip
    parts.append(block("folded", "The numbers behind the curves", block("columns", tables)))
    return Section("Compared with other classifiers", Markup().join(parts))


def _beside(content: ReportContent, sweep: int) -> dict[str, CollectiveCurve]:
    """The curves of the other classifiers over one sweep."""
    found = {} if content.isotropic is None else {_ISOTROPIC: content.isotropic.curves[sweep]}
    return found | ({MEAN_SCORE: content.mean_score[sweep]} if content.mean_score else {})


def _sentences(content: ReportContent) -> list[str]:
    found = []
    if (other := content.isotropic) is not None:
        accuracy = f"{100 * other.accuracy:.1f}% against {100 * other.localized_accuracy:.1f}% of the targets right"
        found.append(
            f"Isotropic: the same model under the same noise everywhere, as strong as leaves it at equal accuracy "
            f"({accuracy}): {flip_words(other.smoothing)}. Each node is judged alone; under such noise all targets together "
            "survive exactly what each survives alone."
        )
    if content.mean_score:
        found.append(EXPLAINED)
    return found


def _curves(content: ReportContent, ladder: Ladder, sweep: int) -> list[tuple[str, Markup]]:
    """One plot per other classifier, if the sweep has one axis."""
    grid = ladder.panel(ladder.best.ratio)
    if grid is None or len(grid.axes) != 1:
        return []
    plots = []
    for name, curve in _beside(content, sweep).items():
        theirs = ladder.panel(curve.ratio)
        assert theirs is not None  # the budgets are those of the ladder
        most = int((ladder.best.certified - curve.certified).max())
        ratios = {name: theirs.numbers, f"votes, {method_name(ladder.strongest)}": grid.numbers}
        gain = f"{points(most, curve.targets)} points"
        svg = ladder_plot(grid.axes[0], grid.values[0], ratios, gain, f"{name[0]}{sweep}", ladder.norm)
        plots.append((ladder.heading, Markup(svg)))
    return plots


def _table(ladder: Ladder, curves: Mapping[str, CollectiveCurve]) -> Markup:
    rows = [
        [ladder.words(i), *(f"{number(int(c.certified[i]))} ({percent(int(c.certified[i]), c.targets)})"
                                 for c in curves.values())]
        for i in range(len(ladder.best))
    ]  # fmt: skip
    return block("table", f"Certified, of {number(ladder.best.targets)}", ["budget", *curves], rows)
