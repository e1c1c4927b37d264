"""The page about images: pictures beside pictures, and what holds under which change of an image."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.collective.curve import SHIFT
from graphcert.core.arrays import Mask
from graphcert.images.image_files import NO_LABELLED_PIXEL
from graphcert.report.frame.html import Page, Section, block, gallery, settings_section
from graphcert.report.frame.wording import NOTHING, number, percent
from graphcert.report.images.claims import ImageClaims
from graphcert.report.images.content import SegmentationContent, radius_words, rounded_down, spread
from graphcert.report.images.pictures import VOID, drawing, mask_picture, photograph
from graphcert.report.plots import counts_plot
from graphcert.statistics import confidence_words
from graphcert.tradeoff.base import norm_words

_OPEN, _BESIDE = 4, 2
"""Images that are shown at once, before others are folded away; and budgets shown as pictures besides SegCertify's."""


def image_page(content: SegmentationContent) -> Page:
    """What is certified about the pixels of images."""
    settings, count = content.settings, len(content.claims)
    sigma = f"σ = {settings.sigma[0]:g}"
    noise = f"Gaussian noise, {sigma}"
    if settings.elasticity is not None:
        noise = f"Gaussian noise that depends on the image, around {sigma}, r = {settings.elasticity:g}"
    elif settings.cells is not None:
        (near, far), (rows, columns) = settings.sigma, settings.cells
        noise = f"Gaussian noise, σ = {near:g} (near) to {far:g} (far), {rows} × {columns} cells"
    images = f"{number(count)} image{'s' * (count > 1)}"
    subtitle = [images, noise, f"τ = {settings.tau:g}", f"α = {settings.alpha:g} per image"]
    unrounded = (
        "The noise was not rounded to pixel values of 8 bits: the claims assume that the rounding of floating point "
        "numbers tells the network nothing about the image."
    )
    sections = [section for build in SECTIONS if (section := build(content)) is not None]
    sections.append(settings_section(content.particulars, content.timings))
    notices = [*([] if settings.lattice else [unrounded]), *content.warnings]
    return Page("Certified segmentation", subtitle, notices, sections, pictures=True)


def result(content: SegmentationContent) -> Section:
    """The numbers to remember, and those of a few budgets."""
    curves, rows = content.curves, []
    for k in content.milestones:
        cells = [percent(int(line[k]), content.pixels) for line in curves.certified.values()]
        cells += [percent(int(line[k]), content.labelled) for line in curves.correct.values()]
        rows.append([norm_words(float(content.norms[k])), *cells])
    header = ["‖δ‖₂ at most", *curves.certified, *(f"{method}, correct" for method in curves.correct)]
    caption = f"Certified, of {number(content.pixels)} pixels"
    table = block("table", caption, header, rows) if rows else Markup()
    return Section("Result", block("facts", content.facts) + table)


def pictures(content: SegmentationContent) -> Section:
    """The images side by side with what is known about them."""
    drawn = spread(content.per_pixel > 0, _BESIDE)
    shown, masks = [], []
    for image, found in zip(content.images, content.claims, strict=False):
        certified = [(f"SegCertify, ‖δ‖₂ ≤ {norm_words(found.radius)}", found.kept)]
        certified += [(f"‖δ‖₂ ≤ {norm_words(float(content.norms[k]))}", found.per_pixel[k]) for k in drawn]
        shown.append(_pictures_of(content, found, image, certified))
        masks += [mask for _, mask in certified]
    parts = [_legend(content, not all(mask.all() for mask in masks)), *shown[:_OPEN]]
    if len(shown) > _OPEN:
        parts.append(block("folded", f"{number(len(shown) - _OPEN)} more images", Markup().join(shown[_OPEN:])))
    return Section("Pictures", Markup().join(parts))


def curves(content: SegmentationContent) -> Section | None:
    """What survives changes of a norm, by every method."""
    if len(content.norms) < 2 or not content.curves.certified:
        return None
    found = [("Certified pixels", content.curves.certified, content.pixels)]
    if content.curves.correct:
        found.append(("Certified and correct", content.curves.correct, content.labelled))
    figures, tables = [], []
    for k, (caption, counts, total) in enumerate(found):
        figures.append((caption, Markup(counts_plot(SHIFT, content.norms.tolist(), counts, total, f"norm{k}"))))
        lines = zip(content.norms.tolist(), *(line.tolist() for line in counts.values()), strict=True)
        rows = [[norm_words(norm), *(percent(count, total) for count in row)] for norm, *row in lines]
        tables.append(block("table", f"{caption}, of {number(total)} pixels", ["ℓ2 norm", *counts], rows))
    note = block("notes", ["Between two budgets the lines show what holds at the larger one."])
    folded = block("folded", "The numbers behind the curves", Markup().join(tables))
    return Section("By the size of the change", gallery(figures) + note + folded)


def guarantee(content: SegmentationContent) -> Section:
    """The families of claims about every image, and what they rest on."""
    settings, collective = content.settings, any("collective" in one.certified for one in content.claims)
    sure = f"with probability at least {confidence_words(settings.alpha)} over the samples"
    spared = "" if settings.errors == 0 else f" but at most {number(settings.errors)} of the"
    radius = radius_words([one.radius for one in content.claims], 6)
    statements = [
        f"SegCertify, for each image by itself: {sure}, all{spared} pixels that are not hatched have the class that is "
        f"shown with a probability above {settings.tau:g} under the noise, and the smoothed network keeps it under every "
        f"change of the image whose ℓ2 norm is at most {radius}.",
        f"By the size of the change, for each image by itself: {sure}, the bounds of all its pixels hold at the same time, "
        f"and with them the masks {'and numbers ' * collective}at all budgets.",
    ]
    if collective:
        statements.append(
            "All pixels together: whichever single change of the image within a budget is made, at least so many of its "
            "pixels keep their class. Which ones these are depends on the change."
        )
    parts = [block("statement", text) for text in statements] + [block("points", _conditions(content))]
    return Section("What is guaranteed", Markup().join(parts))


def images(content: SegmentationContent) -> Section:
    """What SegCertify says about every image; accuracies where masks have classes, radii where they differ."""
    known, elastic, rows = content.labelled > 0, content.settings.elasticity is not None, []
    for found in content.claims:
        kept, pixels, counts = int(found.kept.sum()), found.kept.size, content.counts(found)
        noise = [f"{found.sigma:.4g}", norm_words(found.radius)] * elastic
        cells = [found.name, *noise, percent(pixels - kept, pixels), percent(kept, pixels)]
        if counts is None:
            cells += [NOTHING] * 3 * known
        else:
            cells += [percent(int(part.sum()), counts.pixels) for part in (counts.hits, counts.certified_hits)]
            cells.append(rounded_down(counts.mean_iou))
        rows.append(cells)
    header = ["image", *["σ", "radius"] * elastic, "abstained", "claimed"]
    header += ["pixel accuracy", "claimed and correct", "mean IoU"] * known
    return Section("Image by image", block("table", "SegCertify, image by image", header, rows))


SECTIONS = (result, pictures, curves, guarantee, images)


def _legend(content: SegmentationContent, hatched: bool) -> Markup:
    """Every colour that occurs in the pictures, and the hatching if it does."""
    shown = content.claims[: len(content.images)]
    masks = [mask for one in shown for mask in (one.labels, one.truth) if mask is not None]
    present = sorted({int(k) for mask in masks for k in np.unique(mask)})
    colours = [(content.names[k], content.palette[k]) for k in present if k >= 0]
    if present and present[0] < 0:
        colours.append(("no class", VOID))
    return block("classes", [(name, "#{:02x}{:02x}{:02x}".format(*colour)) for name, colour in colours], hatched)


def _pictures_of(
    content: SegmentationContent, found: ImageClaims, image: NDArray[np.uint8], certified: Sequence[tuple[str, Mask]]
) -> Markup:
    """One image beside its masks; masks that look the same are one picture under all their captions."""
    palette = content.palette
    rows = [("image", photograph(image), f"The image {found.name}")]
    if found.truth is not None:
        rows.append(("truth", drawing(mask_picture(found.truth, palette)), "Its true classes"))
    rows.append(("prediction under noise", drawing(mask_picture(found.labels, palette)), "The predicted classes"))
    for caption, mask in certified:
        picture = drawing(mask_picture(found.labels, palette, mask))
        share = percent(int(mask.sum()), mask.size)
        rows.append((f"{caption}: {share}", picture, f"Classes of certified pixels, {caption}; the rest is hatched"))
    merged: dict[str, tuple[list[str], list[str]]] = {}
    for caption, address, description in rows:
        captions, descriptions = merged.setdefault(address, ([], []))
        captions.append(caption)
        descriptions.append(description)
    shown = [(" · ".join(captions), address, ". ".join(words)) for address, (captions, words) in merged.items()]
    words = f"{percent(int(found.kept.sum()), found.kept.size)} of the pixels claimed at τ = {content.settings.tau:g}"
    counts = content.counts(found)
    if found.void:
        words = f"{NO_LABELLED_PIXEL}; {words}"
    elif counts is not None:
        right = percent(int(counts.hits.sum()), counts.pixels)
        words = f"{right} of the labelled pixels right, mean IoU {rounded_down(counts.mean_iou)}; {words}"
    return block("piece", found.name, words, shown)


def _conditions(content: SegmentationContent) -> list[str]:
    """What the statements rest on, and what they do not say."""
    settings, match = content.settings, content.match
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
        sigmas = [one.sigma for one in content.claims]
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
