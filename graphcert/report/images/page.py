"""The page about images: pictures beside pictures, and what holds under which change of an image."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.collective.curve import SHIFT
from graphcert.core.arrays import Mask
from graphcert.images.image_files import NO_LABELLED_PIXEL
from graphcert.report.frame.html import Page, Section, block, gallery, settings_section
from graphcert.report.frame.wording import NOTHING, number, percent
from graphcert.report.images.claims import Counts, ImageClaims, segcertified
from graphcert.report.images.content import SegmentationContent, radius_words, rounded_down, spread
from graphcert.report.images.pictures import VOID, drawing, mask_picture, photograph
from graphcert.report.plots import counts_plot, shares_plot
from graphcert.report.plots.budget_curves import MOST_LINES
from graphcert.statistics import confidence_words
from graphcert.tradeoff.base import norm_words

_OPEN, _BESIDE, _COLUMNS = 4, 2, 5
"""Images that are shown at once, before others are folded away; budgets shown as pictures besides SegCertify's; and norms in
a table of two budgets."""


def image_page(content: SegmentationContent) -> Page:
    """What is certified about the pixels of images."""
    settings, count = content.settings, len(content.claims)
    noise = f"Gaussian noise, σ = {levels_words(settings.sigma)}" if settings.sigma else "Ablation"
    if settings.elasticity is not None:
        sigma = f"σ = {settings.sigma[0]:g}"
        noise = f"Gaussian noise that depends on the image, around {sigma}, r = {settings.elasticity:g}"
    if settings.chosen is not None:
        what = "pixels" if settings.tile is None else f"tiles of {settings.tile} × {settings.tile} pixels"
        noise += f" of {what} that are selected with probability {levels_words(settings.chosen)}"
    if settings.cells is not None:
        noise += ", {} × {} cells".format(*settings.cells)
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


def levels_words(levels: tuple[float, ...]) -> str:
    """A number, or those of the nearest and the farthest cell."""
    near, *far = levels
    return f"{near:g}" if not far else f"{near:g} (near) to {far[0]:g} (far)"


def result(content: SegmentationContent) -> Section:
    """The numbers to remember, and those of a few budgets."""
    curves, rows = content.curves, []
    if content.settings.limits() and content.settings.norms():
        return Section("Result", block("facts", content.facts) + two_budgets(content))
    for k in content.milestones:
        cells = [percent(int(line[k]), content.pixels) for line in curves.certified.values()]
        cells += [percent(int(line[k]), content.labelled) for line in curves.correct.values()]
        change = content.changes[k]
        plain = change.touched is None and change.norm is not None
        rows.append([norm_words(change.norm) if plain and change.norm is not None else content.words(change), *cells])
    first = "change" if content.settings.limits() else "‖δ‖₂ at most"
    header = [first, *curves.certified, *(f"{method}, correct" for method in curves.correct)]
    caption = f"Certified, of {number(content.pixels)} pixels"
    table = block("table", caption, header, rows) if rows else Markup()
    return Section("Result", block("facts", content.facts) + table)


def two_budgets(content: SegmentationContent) -> Markup:
    """What is certified by every method, a row per limit of touched pixels and a column per norm; few of the norms."""
    norms, limits = content.settings.norms(), content.settings.limits()
    alive = np.any([content.by_limit(line) for line in content.curves.certified.values()], axis=(0, 1)) & (
        np.array(norms) > 0
    )
    columns = spread(alive, _COLUMNS)
    parts = []
    for caption, counts, total in _kinds(content):
        for method, line in counts.items():
            by_limit = zip(limits, content.by_limit(line), strict=True)
            rows = [
                [f"≤ {content.touched(r)}", *(percent(int(part[k]), total) for k in columns)] for r, part in by_limit
            ]
            header = ["touched", *(f"‖δ‖₂ ≤ {norm_words(norms[k])}" for k in columns)]
            parts.append(block("table", f"{caption}, {method}, of {number(total)} pixels", header, rows))
    return Markup().join(parts) if columns else Markup()


def _kinds(content: SegmentationContent) -> list[tuple[str, Mapping[str, Counts], int]]:
    """Certified pixels, and those of them that are correct: a caption, counts by method, and how many pixels there are."""
    found = [("Certified", content.curves.certified, content.pixels)]
    if content.curves.correct:
        found.append(("Certified and correct", content.curves.correct, content.labelled))
    return found


def pictures(content: SegmentationContent) -> Section:
    """The images side by side with what is known about them."""
    drawn = spread((content.per_pixel > 0) & content.real, _BESIDE)
    shown, masks = [], []
    for image, found in zip(content.images, content.claims, strict=False):
        certified = [
            (f"SegCertify, {content.words(change)}", kept)
            for change, kept in segcertified(found, content.settings)[:_BESIDE]
            if kept.any() or not content.settings.limits()
        ]
        certified += [(content.words(content.changes[k]), found.per_pixel[k]) for k in drawn]
        shown.append(_pictures_of(content, found, image, certified))
        masks += [mask for _, mask in certified]
    parts = [_legend(content, not all(mask.all() for mask in masks)), *shown[:_OPEN]]
    if len(shown) > _OPEN:
        parts.append(block("folded", f"{number(len(shown) - _OPEN)} more images", Markup().join(shown[_OPEN:])))
    return Section("Pictures", Markup().join(parts))


def curves(content: SegmentationContent) -> Section | None:
    """What survives changes of a norm, by every method."""
    if len(content.changes) < 2 or not content.curves.certified:
        return None
    found = [("Certified pixels", content.curves.certified, content.pixels), *_kinds(content)[1:]]
    norms, limits = content.settings.norms(), content.settings.limits()
    axis, values, name = (SHIFT, norms, "ℓ2 norm") if norms else ("nodes", limits, "touched")
    panels = []
    for caption, counts, total in found:
        if not (norms and limits):
            panels.append((caption, counts, total))
            continue
        for (
            method,
            line,
        ) in counts.items():  # a panel with a line per limit, the weakest, which is the largest limit, first
            by_limit = zip(limits, content.by_limit(line), strict=True)
            each = {content.touched(limit): part for limit, part in by_limit}
            panels.append((f"{caption}, {method}", dict(reversed(each.items())), total))
    figures, tables = [], []
    for k, (caption, counts, total) in enumerate(panels):
        if norms and limits:
            drawn_lines = list(counts.items())[:: -(-len(counts) // MOST_LINES)]
            shares = {name: line / total for name, line in drawn_lines}
            drawn = shares_plot(axis, values, shares, "", f"norm{k}")
        else:
            drawn = counts_plot(axis, values, counts, total, f"norm{k}")
        figures.append((caption, Markup(drawn)))
        lines = zip(values, *(line.tolist() for line in counts.values()), strict=True)
        rows = [[norm_words(norm), *(percent(count, total) for count in row)] for norm, *row in lines]
        tables.append(block("table", f"{caption}, of {number(total)} pixels", [name, *counts], rows))
    note = block("notes", ["Between two budgets the lines show what holds at the larger one."])
    folded = block("folded", "The numbers behind the curves", Markup().join(tables))
    return Section("By the size of the change", gallery(figures) + note + folded)


def guarantee(content: SegmentationContent) -> Section:
    """The families of claims about every image, and what they rest on."""
    settings, collective = content.settings, any("collective" in one.certified for one in content.claims)
    sure = f"with probability at least {confidence_words(settings.alpha)} over the samples"
    spared = "" if settings.errors == 0 else f" but at most {number(settings.errors)} of the"
    radius = radius_words([one.radius for one in content.claims], 6)
    survived = f"the smoothed network keeps it under every change of the image whose ℓ2 norm is at most {radius}"
    if settings.limits():
        survived = f"of changes of the image {content.segcertified}"
    statements = [
        f"SegCertify, for each image by itself: {sure}, all{spared} pixels that are not hatched have the class that is "
        f"shown with a probability above {settings.tau:g} under the noise, and {survived}.",
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
        noise = [f"{found.sigma:.4g}", norm_words(found.radius)] if elastic else []
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


def _of_selection(content: SegmentationContent) -> list[str]:
    """What selected pixels mean for the claims; nothing where every pixel is noised."""
    settings = content.settings
    if settings.chosen is None:
        return []
    one = "pixel" if settings.tile is None else f"tile of {settings.tile} × {settings.tile} pixels"
    noised = "carries the noise" if settings.sigma else "is hidden"
    budgets = "the claims have two budgets, how many are touched and how far all of them move together"
    if not settings.sigma:
        budgets = "the claims are about how many are touched, and these may change at will"
    found = [
        f"Every {one} {noised} with probability s = {levels_words(settings.chosen)}, each on its own, and a further channel "
        f"of the image marks those. Of r touched ones some is not selected, and seen, with probability 1 − s^r: {budgets}.",
    ]
    if settings.tile is not None:
        found.append("A tile of which a single pixel changes is a touched tile; any part of it may change.")
    if settings.cells is not None:
        found.append(
            "The pixels of a cell are classified under noise and selection that depend on how far away it falls. SegCertify "
            "and single pixels count with the smallest deviation and the rarest selection, for a change may lie there."
        )
    if content.ignores_marks:
        found.append(
            "The network takes three channels and does not see the mark. The claims are sound all the same, not tight; a "
            "network that is trained with the mark (graphcert segment train --select) may be certified for more."
        )
    return found


def _conditions(content: SegmentationContent) -> list[str]:
    """What the statements rest on, and what they do not say."""
    settings, match = content.settings, content.match
    found = [
        f"Every image has error rates of its own: {settings.alpha:g} for SegCertify and {settings.alpha:g} for the bounds; "
        "they add up in a statement that rests on both. Nothing is said about all images being right at the same time.",
        *["Norms are ℓ2 norms over all pixels and channels, in units in which pixel values lie in [0, 1]."]
        * bool(settings.norms()),
        *_of_selection(content),
        "A claim is about the smoothed network: the class that the network returns most often when noise is added to the "
        "image. It is not about the network without noise, and it does not say that the class is right.",
    ]
    if settings.lattice and settings.sigma:
        found.append(
            "The noise is rounded to whole steps of 1/255. The claims are about changed images that are images of 8 bits "
            "themselves; for these they are exact."
        )
    if settings.cells is not None and settings.chosen is None:
        found.append(
            "Localized noise: the pixels of a cell are classified under little noise on their own cell and more noise the "
            "farther away. SegCertify and single pixels count with the smallest deviation, that of the own cell, for a "
            "change may lie there as a whole."
        )
    if settings.elasticity is not None:
        sigmas = [one.sigma for one in content.claims if one.sigma is not None]
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
