"""The sections of the page, each a function of its content."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from graphcert.collective.curve import SHIFT
from graphcert.config import norm_words
from graphcert.report.page import block
from graphcert.report.plots import ladder_plot
from graphcert.report.sections.particulars import settings_block
from graphcert.report.sections.section import Section, gallery
from graphcert.report.segmentation.content import Counts, Piece, SegmentationContent
from graphcert.report.segmentation.pictures import VOID, drawing, mask_picture, photograph
from graphcert.report.wording import number, percent, points

_OPEN = 4
"""Images that are shown at once; the others are folded away."""

_METHODS = {
    "isotropic": "isotropic",
    "elastic": "depends on the image",
    "alone": "each pixel alone",
    "together": "all pixels together",
}


def method_name(method: str) -> str:
    """The name of a curve where there is little room."""
    return _METHODS.get(method, method)


def result(content: SegmentationContent) -> Section:
    """The numbers to remember, and those of a few budgets."""
    parts = [block("facts", content.facts)]
    if content.curves.certified:
        parts.append(_at_budgets(content))
    return Section("Result", Markup().join(parts))


def pictures(content: SegmentationContent) -> Section:
    """The images side by side with what is known about them."""
    shown = [_piece(piece, content) for piece in content.pieces]
    rest = [block("folded", f"{number(len(shown) - _OPEN)} more images", Markup().join(shown[_OPEN:]))]
    body = [_legend(content), *shown[:_OPEN], *(rest if len(shown) > _OPEN else [])]
    return Section("Pictures", Markup().join(body))


def curves(content: SegmentationContent) -> Section | None:
    """What survives changes of a norm, by every method."""
    swept = content.curves
    if len(swept.budgets) < 2 or not swept.certified:
        return None
    found = [("Certified pixels", swept.certified, swept.pixels)]
    if swept.correct:
        found.append(("Certified and correct", swept.correct, swept.labelled))
    items = []
    for k, (caption, counts, total) in enumerate(found):
        lines = {method_name(method): shares / total for method, shares in counts.items()}
        weakest, *_, strongest = (*counts.values(), *counts.values())
        gain = f"{points(int((strongest - weakest).max()), total)} points"
        items.append((caption, Markup(ladder_plot(SHIFT, swept.budgets.tolist(), lines, gain, f"norm{k}"))))
    numbers = [_numbers(content, caption, counts, total) for caption, counts, total in found]
    note = "Between two budgets the lines show what holds at the larger one."
    parts = [
        gallery(items),
        block("notes", [note]),
        block("folded", "The numbers behind the curves", Markup().join(numbers)),
    ]
    return Section("By the size of the change", Markup().join(parts))


def guarantee(content: SegmentationContent) -> Section:
    """Statements, and what they rest on."""
    parts = [block("statement", text) for text in content.guarantee] + [block("points", content.conditions)]
    return Section("What is guaranteed", Markup().join(parts))


def images(content: SegmentationContent) -> Section:
    """Numbers of every image."""
    return Section("Image by image", block("table", "SegCertify, image by image", content.header, content.rows))


def particulars(content: SegmentationContent) -> Section:
    """The settings that had a use, and the seconds of each stage."""
    return Section("Settings", settings_block(content.settings, content.timings))


def _legend(content: SegmentationContent) -> Markup:
    """Every colour that occurs in the pictures, and the hatching if it does."""
    masks = [mask for piece in content.pieces for mask in (piece.labels, piece.truth) if mask is not None]
    present = sorted({int(k) for mask in masks for k in np.unique(mask)})
    colours = [(content.names[k], content.palette[k]) for k in present if k >= 0]
    if present and present[0] < 0:
        colours.append(("no class", VOID))
    hatched = any(not mask.all() for piece in content.pieces for _, mask in piece.certified)
    return block("classes", [(name, "#{:02x}{:02x}{:02x}".format(*colour)) for name, colour in colours], hatched)


SECTIONS = (result, pictures, curves, guarantee, images, particulars)


def _piece(piece: Piece, content: SegmentationContent) -> Markup:
    """One image beside its masks; masks that look the same are one picture under all their captions."""
    palette = content.palette
    rows = [("image", photograph(piece.image), f"The image {piece.name}")]
    if piece.truth is not None:
        rows.append(("truth", drawing(mask_picture(piece.truth, palette)), "Its true classes"))
    rows.append(("prediction under noise", drawing(mask_picture(piece.labels, palette)), "The predicted classes"))
    for caption, certified in piece.certified:
        picture = drawing(mask_picture(piece.labels, palette, certified))
        share = percent(int(certified.sum()), certified.size)
        rows.append((f"{caption}: {share}", picture, f"Classes of certified pixels, {caption}; the rest is hatched"))
    merged: dict[str, tuple[list[str], list[str]]] = {}
    for caption, address, description in rows:
        captions, descriptions = merged.setdefault(address, ([], []))
        captions.append(caption)
        descriptions.append(description)
    found = [(" · ".join(captions), address, ". ".join(words)) for address, (captions, words) in merged.items()]
    return block("piece", piece.name, piece.words, found)


def _at_budgets(content: SegmentationContent) -> Markup:
    """Every curve at a few budgets."""
    swept = content.curves
    header = ["‖δ‖₂ at most", *map(method_name, swept.certified)]
    header += [f"{method_name(method)}, correct" for method in swept.correct]
    rows = []
    for k in swept.milestones:
        cells = [percent(int(line[k]), swept.pixels) for line in swept.certified.values()]
        cells += [percent(int(line[k]), swept.labelled) for line in swept.correct.values()]
        rows.append([norm_words(float(swept.budgets[k])), *cells])
    return block("table", f"Certified, of {number(swept.pixels)} pixels", header, rows) if rows else Markup()


def _numbers(content: SegmentationContent, caption: str, counts: Mapping[str, Counts], total: int) -> Markup:
    budgets = content.curves.budgets
    header = ["ℓ2 norm", *map(method_name, counts)]
    rows = [
        [norm_words(budget), *(percent(int(line[k]), total) for line in counts.values())]
        for k, budget in enumerate(budgets.tolist())
    ]
    return block("table", f"{caption}, of {number(total)} pixels", header, rows)
