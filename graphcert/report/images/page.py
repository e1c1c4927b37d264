"""The sections of the page, each a function of its content."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from graphcert.collective.curve import SHIFT
from graphcert.report.frame.html import Page, Section, block, gallery, settings_section
from graphcert.report.frame.wording import number, percent, points
from graphcert.report.images.content import Counts, ImageSettings, Match, Piece, SegmentationContent
from graphcert.report.images.pictures import VOID, drawing, mask_picture, photograph
from graphcert.report.plots import ladder_plot
from graphcert.statistics import confidence_words
from graphcert.tradeoff.base import norm_words

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
    return settings_section(content.settings, content.timings)


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


def noise_words(settings: ImageSettings) -> str:
    """The noise in a few words."""
    if settings.elasticity is not None:
        return (
            f"Gaussian noise that depends on the image, around σ = {settings.sigma[0]:g}, r = {settings.elasticity:g}"
        )
    if settings.cells is None:
        return f"Gaussian noise, σ = {settings.sigma[0]:g}"
    rows, columns = settings.cells
    return f"Gaussian noise, σ = {settings.sigma[0]:g} (near) to {settings.sigma[1]:g} (far), {rows} × {columns} cells"


def notices(settings: ImageSettings) -> list[str]:
    """What a reader must know first."""
    if settings.lattice:
        return []
    return [
        "The noise was not rounded to pixel values of 8 bits: the claims assume that the rounding of floating point "
        "numbers tells the network nothing about the image."
    ]


def radius_words(radii: Sequence[float], digits: int = 4) -> str:
    """The radius of all images, or the smallest one if they differ."""
    words = norm_words(min(radii), digits)
    return words if min(radii) == max(radii) else f"{words} (or more, by image)"


def guarantees(settings: ImageSettings, radii: Sequence[float], together: bool) -> list[str]:
    """The families of claims about every image, whose claims of SegCertify have these radii."""
    sure = f"with probability at least {confidence_words(settings.alpha)} over the samples"
    spared = "" if settings.errors == 0 else f" but at most {number(settings.errors)} of the"
    found = [
        f"SegCertify, for each image by itself: {sure}, all{spared} pixels that are not hatched have the class that is "
        f"shown with a probability above {settings.tau:g} under the noise, and the smoothed network keeps it under every "
        f"change of the image whose ℓ2 norm is at most {radius_words(radii, 6)}.",
        f"By the size of the change, for each image by itself: {sure}, the bounds of all its pixels hold at the same time, "
        f"and with them the masks {'and numbers ' * together}at all budgets.",
    ]
    if together:
        found.append(
            "All pixels together: whichever single change of the image within a budget is made, at least so many of its "
            "pixels keep their class. Which ones these are depends on the change."
        )
    return found


def conditions(settings: ImageSettings, sigmas: Sequence[float], match: Match | None) -> list[str]:
    """What the statements rest on, and what they do not say; `sigmas` are the smallest deviations on the images."""
    found = [
        f"Every image has error rates of its own: {settings.alpha:g} for SegCertify and {settings.alpha:g} for the bounds; "
        "they add up in a statement that rests on both. Nothing is said about all images being right at the same time.",
        "Norms are ℓ2 norms over all pixels and channels, in units in which pixel values lie in [0, 1].",
        "A claim is about the smoothed network: the class that the network returns most often when noise is added to the "
        "image. It is not about the network without noise, and it does not say that the class is right.",
    ]
    if settings.lattice:
        found.append(
            "The noise is rounded to whole steps of 1/255. The claims are about changed images that are images of 8 bits "
            "themselves; for these they are exact."
        )
    if settings.cells is not None:
        found.append(
            "Localized noise: the pixels of a cell are classified under little noise on their own cell and more noise the "
            "farther away. SegCertify and single pixels count with the smallest deviation, that of the own cell, for a "
            "change may lie there as a whole."
        )
    if settings.elasticity is not None:
        found.append(
            f"The noise depends on the image: σ grows by exp(r · distance), r = {settings.elasticity:g}, with the average "
            f"distance to the {settings.neighbours} nearest training images. It is {settings.sigma[0]:g} where that is the "
            f"one that training images have to each other on average, and {min(sigmas):.4g} to {max(sigmas):.4g} on these "
            "images. Training images, r, the number of neighbours and σ belong to the smoothed network: whoever asks it "
            "about another image computes σ anew. All radii allow for what a change of the image does to the noise."
        )
    if match is not None:
        found.append(
            f"Isotropic noise for comparison: σ = {match.sigma:.4g}, the largest from the near to the far deviation with "
            f"which the network is at least as accurate on these images, bisected with pilot votes ({match.isotropic:.2%} "
            f"of the labelled pixels against {match.localized:.2%}). Its bounds have the error rate {settings.alpha:g} "
            "per image again."
        )
    return found


def render(content: SegmentationContent) -> str:
    """The page as HTML text."""
    return image_page(content).html()


def write_report(path: Path, content: SegmentationContent) -> None:
    """Write the page to `path`, whole or not at all."""
    image_page(content).write(path)


def image_page(content: SegmentationContent) -> Page:
    """Pictures beside pictures, and what holds under which change of an image."""
    sections = [section for build in SECTIONS if (section := build(content)) is not None]
    return Page(content.title, content.subtitle, content.notices, sections, pictures=True)
