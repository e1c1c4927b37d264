"""The page about clouds of points: what is certified on every shape, and under which change of it."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from graphcert.collective.curve import SHIFT
from graphcert.core.arrays import Floats, Mask
from graphcert.report.frame.html import Page, Section, block, gallery, settings_section
from graphcert.report.frame.wording import NOTHING, number, percent
from graphcert.report.images.claims import ImageClaims
from graphcert.report.images.content import rounded_down
from graphcert.report.images.pictures import VOID, drawing
from graphcert.report.plots import counts_plot
from graphcert.report.plots.budget_curves import TURN
from graphcert.report.points.content import PointContent
from graphcert.report.points.pictures import Marks, cloud_picture
from graphcert.statistics import confidence_words

_SHOWN, _OPEN = 12, 4
"""Shapes whose pictures are put into the page, and those that are not folded away."""
_AXIS = "the {} axis through the origin"


def point_page(content: PointContent) -> Page:
    """What is certified about the points of shapes."""
    settings, count = content.settings, len(content.claims)
    shapes = f"{number(count)} shape{'s' * (count > 1)}, {number(content.points)} points"
    subtitle = [shapes, _noise_words(content), f"τ = {settings.tau:g}", f"α = {settings.alpha:g} per shape"]
    sections = [section for build in SECTIONS if (section := build(content)) is not None]
    sections.append(settings_section(content.particulars, content.timings))
    return Page("Certified parts of point clouds", subtitle, list(content.warnings), sections, pictures=True)


def _noise_words(content: PointContent) -> str:
    settings, turns = content.settings, content.settings.turns
    if turns is not None:
        about = "in space" if turns.axis is None else f"about the {turns.axis} axis"
        return f"random turns {about}, deviation {settings.turn_sigma:g}°"
    if settings.cells is not None:
        near, far = settings.sigma
        return f"Gaussian noise, σ = {near:g} (near) to {far:g} (far), {settings.cells} cells"
    return f"Gaussian noise, σ = {settings.sigma[0]:g}"


def result(content: PointContent) -> Section:
    """The numbers to remember, and those of a few budgets."""
    curves, rows = content.curves, []
    for k in content.milestones:
        cells = [percent(int(line[k]), content.points) for line in curves.certified.values()]
        cells += [percent(int(line[k]), content.labelled) for line in curves.correct.values()]
        rows.append([content.size_words(k), *cells])
    header = [content.change, *curves.certified, *(f"{method}, correct" for method in curves.correct)]
    caption = f"Certified, of {number(content.points)} points"
    table = block("table", caption, header, rows) if rows else Markup()
    return Section("Result", block("facts", content.facts) + table)


def pictures(content: PointContent) -> Section:
    """The shapes from two sides with what is known about them."""
    shapes = list(zip(content.clouds, content.claims, strict=True))[:_SHOWN]
    shown = [_pictures_of(content, found, cloud) for cloud, found in shapes]
    parts = [_legend(content, [found for _, found in shapes]), *shown[:_OPEN]]
    if len(shown) > _OPEN:
        parts.append(block("folded", f"{number(len(shown) - _OPEN)} more shapes", Markup().join(shown[_OPEN:])))
    return Section("Pictures", Markup().join(parts))


def curves(content: PointContent) -> Section | None:
    """What survives changes of a size, by every method."""
    sizes, turned = content.settings.sizes(), content.settings.turns is not None
    if len(sizes) < 2:
        return None
    found = [("Certified points", content.curves.certified, content.points)]
    if content.curves.correct:
        found.append(("Certified and correct", content.curves.correct, content.labelled))
    figures, tables = [], []
    for k, (caption, counts, total) in enumerate(found):
        figures.append((caption, Markup(counts_plot(TURN if turned else SHIFT, sizes, counts, total, f"size{k}"))))
        lines = zip(range(len(sizes)), *(line.tolist() for line in counts.values()), strict=True)
        rows = [[content.size_words(b), *(percent(count, total) for count in row)] for b, *row in lines]
        header = ["turn" if turned else "ℓ2 norm", *counts]
        tables.append(block("table", f"{caption}, of {number(total)} points", header, rows))
    note = block("notes", ["Between two budgets the lines show what holds at the larger one."])
    folded = block("folded", "The numbers behind the curves", Markup().join(tables))
    return Section(f"By the size of the {'turn' if turned else 'change'}", gallery(figures) + note + folded)


def guarantee(content: PointContent) -> Section:
    """The families of claims about every shape, and what they rest on."""
    settings, collective = content.settings, any("collective" in one.certified for one in content.claims)
    sure = f"with probability at least {confidence_words(settings.alpha)} over the samples"
    spared = "" if settings.errors == 0 else f" but at most {number(settings.errors)} of the"
    statements = [
        f"SegCertify, for each shape by itself: {sure}, all{spared} points that are not hollow have the part that is "
        f"shown with a probability above {settings.tau:g} under the noise, and the smoothed network keeps it "
        f"{_survived(content)}.",
        f"By the size of the change, for each shape by itself: {sure}, the bounds of all its points hold at the same time, "
        f"and with them what is certified {'and counted ' * collective}at all budgets.",
    ]
    if collective:
        statements.append(
            "All points together: whichever single change of the cloud within a budget is made, at least so many of its "
            "points keep their part. Which ones these are depends on the change."
        )
    parts = [block("statement", text) for text in statements] + [block("points", _conditions(content))]
    return Section("What is guaranteed", Markup().join(parts))


def shapes(content: PointContent) -> Section:
    """What SegCertify says about every shape; accuracies where points have parts of their own."""
    known, rows = content.labelled > 0, []
    for kind, found in zip(content.kinds, content.claims, strict=True):
        kept, points, counts = int(found.kept.sum()), found.kept.size, content.counts(found)
        cells = [found.name, kind, percent(points - kept, points), percent(kept, points)]
        if counts is None:
            cells += [NOTHING] * 3 * known
        else:
            cells += [percent(int(part.sum()), counts.pixels) for part in (counts.hits, counts.certified_hits)]
            cells.append(rounded_down(counts.mean_iou))
        rows.append(cells)
    header = ["shape", "kind", "abstained", "claimed"] + ["accuracy", "claimed and correct", "mean part IoU"] * known
    caption = f"SegCertify, shape by shape; all claims hold up to {content.limit_words(content.radius_words)}"
    return Section("Shape by shape", block("table", caption, header, rows))


SECTIONS = (result, pictures, curves, guarantee, shapes)


def _survived(content: PointContent) -> str:
    """The changes that SegCertify speaks about, as the end of a sentence."""
    turns, radius = content.settings.turns, content.words_of(content.radius, 6)
    if turns is None:
        return f"under every change of the coordinates whose ℓ2 norm is at most {radius}"
    about = "any axis through the origin" if turns.axis is None else _AXIS.format(turns.axis)
    return f"when the whole cloud is turned about {about} by at most {radius}"


def _legend(content: PointContent, shown: Sequence[ImageClaims]) -> Markup:
    """Every colour and mark of the pictures."""
    parts = [array for one in shown for array in (one.labels, one.truth) if array is not None]
    present = sorted({int(k) for array in parts for k in np.unique(array)})
    colours = [(content.names[k], content.palette[k]) for k in present if k >= 0]
    if present and present[0] < 0:
        colours.append(("no part", VOID))
    marks = [("hollow", "not certified"), ("cross", "another part than the true one")]
    used = [not all(one.kept.all() for one in shown) or content.drawn, any(_wrong(one).any() for one in shown)]
    kept = [mark for mark, needed in zip(marks, used, strict=True) if needed]
    return block("classes", [(name, "#{:02x}{:02x}{:02x}".format(*colour)) for name, colour in colours], False, kept)


def _wrong(found: ImageClaims) -> Mask:
    """(P,) points with another part than their own."""
    if found.truth is None:
        return np.zeros(found.labels.shape, np.bool_)
    return np.asarray((found.truth >= 0) & (found.truth != found.labels))


def cloud_pictures(content: PointContent, found: ImageClaims) -> dict[str, tuple[str, Marks]]:
    """Name → caption and what is drawn: the truth if there is one, the prediction, and what is certified at few budgets."""
    wrong = _wrong(found)
    claimed = f"SegCertify, {content.limit_words(content.radius_words)}"
    shown = {} if found.truth is None else {"truth": ("truth", Marks(found.truth))}
    shown |= {
        "prediction": ("prediction under noise", Marks(found.labels, None, wrong)),
        "segcertify": (claimed, Marks(found.labels, found.kept, wrong)),
    }
    for k in content.drawn:
        words = content.size_words(k)
        name = f"certified-{words.removesuffix('°')}"
        shown[name] = (content.limit_words(words), Marks(found.labels, found.per_pixel[k], wrong))
    return shown


def _pictures_of(content: PointContent, found: ImageClaims, cloud: Floats) -> Markup:
    """One shape, as often as there is something to show of it."""
    rows = []
    for caption, marks in cloud_pictures(content, found).values():
        if marks.shown is not None:
            caption = f"{caption}: {percent(int(marks.shown.sum()), marks.shown.size)}"
        picture = cloud_picture(cloud, marks, content.palette, content.settings.up)
        rows.append((caption, drawing(picture), f"{found.name} from two sides: {caption}"))
    words = f"{percent(int(found.kept.sum()), found.kept.size)} of the points claimed at τ = {content.settings.tau:g}"
    counts = content.counts(found)
    if counts is not None:
        right = percent(int(counts.hits.sum()), counts.pixels)
        words = f"{right} of the points right, mean part IoU {rounded_down(counts.mean_iou)}; {words}"
    return block("piece", found.name, words, rows)


def _conditions(content: PointContent) -> list[str]:
    """What the statements rest on, and what they do not say."""
    settings, turns = content.settings, content.settings.turns
    found = [
        f"Every shape has error rates of its own: {settings.alpha:g} for SegCertify and {settings.alpha:g} for the bounds; "
        "they add up in a statement that rests on both. Nothing is said about all shapes being right at the same time.",
        "A claim is about the smoothed network: the part that the network names most often when the noise is added to the "
        "cloud. It is not about the network without noise, and it does not say that the part is right.",
        "A cloud is centred and scaled into the unit sphere before anything else. Changes are made, and measured, after "
        "that, and a changed cloud is not scaled again. No point comes or goes.",
        "Noise is a number of floating point: the claims assume that its rounding tells the network nothing about the "
        "cloud.",
    ]
    if turns is None:
        found.append("Norms are ℓ2 norms over all coordinates of all points together, in units of the sphere's radius.")
    else:
        found.append(
            "Nothing is said about points that move in another way than by one turn of the whole cloud about the origin, "
            "where its centroid is. A turned cloud is centred and scaled to the turned one, so it may be turned before that "
            "too."
        )
        if turns.axis is None:
            found.append(
                "The noise is the rotation nearest to the identity plus Gaussian noise on all nine entries; a turn by φ "
                "about any axis is a shift of length 2√2·sin(φ/2) under it. Noise on three Euler angles would not do."
            )
    if settings.cells is not None:
        found.append(
            "Localized noise: the points of a cell are classified under little noise on their own cell and more noise the "
            "farther away. The cells are those of the given cloud, whatever becomes of it. SegCertify and single points "
            "count with the smallest deviation, that of the own cell, for a change may lie there as a whole."
        )
    return found
