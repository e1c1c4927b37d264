"""A folder of images, from noise to report."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from graphcert.core.arrays import Integers
from graphcert.errors import InputError
from graphcert.images import ImageFolder, ImageModel, sample_image_votes
from graphcert.images.image_files import COLOURS, check_classes, labelled, void_labels
from graphcert.images.image_model import Unmarked
from graphcert.images.segmenter import Segmenter
from graphcert.models.checkpoint import model_fingerprint
from graphcert.report.frame.html import Page
from graphcert.report.frame.wording import percent
from graphcert.report.images.claims import Change, ImageClaims, Match, changes_of, results_table
from graphcert.report.images.content import SegmentationContent, report_content
from graphcert.report.images.page import image_page
from graphcert.report.images.pictures import mask_picture, overlay_picture, png
from graphcert.run.commitment import Plan, commit, image_plan
from graphcert.run.folder import MODEL
from graphcert.run.image_claims import certify_image, image_sigmas, isotropic_counts
from graphcert.run.image_network import network_of
from graphcert.run.inputs import RESULTS, InputRun
from graphcert.run.isotropic import strongest_noise
from graphcert.run.settings.image_run import UNET, SegmentSettings, isotropic
from graphcert.votes import Votes

Curve = tuple[Integers, Integers]
"""(B,) certified pixels, and those of them that are correct."""


class Loaded(NamedTuple):
    """One image (H, W, 3) of 8 bits with its truth (H, W), −1 where there is none, or None, and its smallest deviation."""

    name: str
    image: NDArray[np.uint8]
    truth: Integers | None
    sigma: float | None


class SegmentRun(InputRun[SegmentSettings, list[Loaded], SegmentationContent]):
    """A run over the pixels of images."""

    section = "segment"

    def _settings(self, values: Mapping[str, Any]) -> SegmentSettings:
        return SegmentSettings.from_dict(values)

    def _made(self, settings: SegmentSettings, images: list[Loaded], began: float) -> "_Made":
        """Take or read the votes and certify them; a plan is written before the first final vote."""
        segmenter = network_of(settings, self.path(MODEL), self.progress, self.log)
        _check_channels(segmenter, settings)
        model = shown_model(segmenter, settings)
        images = [one._replace(truth=_truth(one, segmenter, settings.void)) for one in images]
        shown = {one.name: one.image for one in images}, {one.name: one.sigma for one in images}
        plan = image_plan(settings, *shown, model_fingerprint(segmenter.model))
        self._plans = commit(self.folder, plan)
        timings, curves, match = {"images and network": time.perf_counter() - began}, list[Curve](), None
        began = time.perf_counter()
        claims = [self._certify_image(model, loaded, settings, k, len(images)) for k, loaded in enumerate(images)]
        timings["votes and certificates"] = time.perf_counter() - began
        if settings.compare:
            began = time.perf_counter()
            match, curves = self._compare(model, images, claims, settings)
            timings["isotropic noise"] = time.perf_counter() - began
        return _Made(segmenter, images, plan, claims, curves, match, timings)

    def _load(self, settings: SegmentSettings) -> list[Loaded]:
        """All images that are wanted with their masks as they are, after all checks that need no network."""
        if settings.model == UNET:
            for folders in filter(None, settings.training_folders()):
                ImageFolder(*folders)  # says what is missing
        found = [*islice(ImageFolder(settings.images, settings.masks), settings.limit)]
        for _, image, _ in found:
            settings.check_samples(image.shape[0] * image.shape[1])
            if settings.cells is not None:
                settings.smoothing(*image.shape[:2])
        sigmas = image_sigmas(settings, [image for _, image, _ in found])
        truths = [None if mask is None else mask.astype(np.int64) for *_, mask in found]
        return [Loaded(*one[:2], truth, sigma) for one, truth, sigma in zip(found, truths, sigmas, strict=True)]

    def _certify_image(
        self, model: ImageModel, loaded: Loaded, settings: SegmentSettings, place: int, total: int
    ) -> ImageClaims:
        height, width = size = loaded.image.shape[:2]
        title, noise = f"{loaded.name} ({place + 1} of {total})", settings.smoothing(height, width, loaded.sigma)
        votes = sample_image_votes(
            model, loaded.image, noise, settings.samples, settings.pilot_samples, settings.seed,
            workers=self.workers, store=self.path("votes") / loaded.name, progress=title if self.progress else False,
            plans=self._plans,
        )  # fmt: skip
        found = certify_image(loaded.name, votes, loaded.truth, settings, size)
        claimed = percent(int(found.kept.sum()), found.kept.size)
        self.log.info(f"{title}: {claimed} of the pixels claimed at tau = {settings.tau:g}")
        return found

    def _compare(
        self, model: ImageModel, images: list[Loaded], claims: list[ImageClaims], settings: SegmentSettings
    ) -> tuple[Match, list[Curve]]:
        """Bisect the deviation with pilot votes, then vote and certify."""
        localized = _accuracy(images, [found.labels for found in claims])
        sample = partial(self._isotropic, model, images, settings)

        def accuracy(votes: list[Votes]) -> float:
            return _accuracy(images, [found.labels for found in votes])

        near, far = settings.sigma
        sigma = strongest_noise(near, far, localized, lambda sigma: accuracy(sample(sigma, 1)))
        found = sample(sigma, settings.samples, self.path("votes") / f"isotropic-{sigma:.6f}")
        self.log.info(f"isotropic noise at equal pixel accuracy: sigma = {sigma:.4g}")
        pairs = zip(images, found, strict=True)
        counts = [isotropic_counts(votes, one.truth, settings) for one, votes in pairs if one.truth is not None]
        return Match(sigma, accuracy(found), localized), counts

    def _isotropic(
        self, model: ImageModel, images: list[Loaded], settings: SegmentSettings, sigma: float, samples: int,
        store: Path | None = None,
    ) -> list[Votes]:  # fmt: skip
        """Votes of all images under isotropic noise; without a store they are forgotten."""
        return [
            sample_image_votes(
                model, one.image, isotropic(sigma, settings.lattice), samples, settings.pilot_samples, settings.seed,
                workers=self.workers, store=None if store is None else store / one.name,
                progress=f"isotropic {sigma:.3g}, {one.name}" if self.progress else False, plans=self._plans,
            )
            for one in images
        ]  # fmt: skip


class _Made(NamedTuple):
    """What a run over images found: claims about the images in their order, and what they are compared with."""

    segmenter: Segmenter
    images: list[Loaded]
    plan: Plan
    claims: list[ImageClaims]
    isotropic: list[Curve]
    match: Match | None
    timings: dict[str, float]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that the results were made of."""
        return {
            "model": model_fingerprint(self.segmenter.model),
            "images": {one.name: sha256(one.image.tobytes()).hexdigest() for one in self.images},
            "sigma": {one.name: one.sigma for one in self.images},
            "votes": {one.name: one.digest for one in self.claims},
            **({} if self.match is None else {"isotropic": self.match._asdict()}),
        }  # fmt: skip

    def look(self, settings: SegmentSettings) -> dict[str, Any]:
        """τ of SegCertify."""
        return {"tau": settings.tau}

    def content(
        self, settings: SegmentSettings, facts: Mapping[str, Any], timings: Mapping[str, float], warnings: Sequence[str]
    ) -> SegmentationContent:
        """What the report shows."""
        shown = [one.image for one in self.images]
        of = self.segmenter, settings, self.isotropic, self.match
        return report_content(shown, self.claims, *of, facts, timings, tuple(warnings))

    def page(self, content: SegmentationContent) -> Page:
        """The report."""
        return image_page(content)

    def tables(self, settings: SegmentSettings) -> dict[str, str]:
        """The content of results.csv."""
        return {RESULTS: results_table(self.claims, settings, self.segmenter.model.classes, self.isotropic)}

    def pictures(self, settings: SegmentSettings) -> Iterator[tuple[str, bytes]]:
        """Names and PNGs, per image: the prediction, what SegCertify claims, and the certified pixels at every budget."""
        palette = self.segmenter.palette
        for one, found in zip(self.images, self.claims, strict=True):
            shown = {"prediction": None, "segcertify": found.kept}
            changes = zip(changes_of(settings), found.per_pixel, strict=True)
            shown |= {f"certified-{_short(change)}": mask for change, mask in changes}
            drawn = {name: mask_picture(found.labels, palette, mask) for name, mask in shown.items()}
            drawn["overlay"] = overlay_picture(one.image, found.labels, palette, found.kept)
            for name, picture in drawn.items():
                yield f"pictures/{one.name}/{name}.png", png(picture)


def _short(change: Change) -> str:
    """A change in the name of a picture."""
    touched = [] if change.touched is None else [f"touched-{change.touched}"]
    return "-".join(touched if change.norm is None else [f"{change.norm:.3f}", *touched])


def shown_model(segmenter: Segmenter, settings: SegmentSettings) -> ImageModel:
    """The network as votes of a run are taken: where pixels are marked, one that takes three channels does not see it."""
    network: nn.Module = segmenter.model
    if settings.chosen is not None and segmenter.model.channels == COLOURS:
        network = Unmarked(network, COLOURS)
    return ImageModel(network, segmenter.model.classes)


def _check_channels(segmenter: Segmenter, settings: SegmentSettings) -> None:
    """Refuse a network for other images, or one that looks for marks where nothing is marked."""
    channels = segmenter.model.channels
    if channels == COLOURS + 1 and settings.chosen is None and "marking" in segmenter.training:
        raise InputError("the network was trained to see which pixels are noised; give --select or --ablate")
    if channels != COLOURS and (channels != COLOURS + 1 or settings.chosen is None):
        raise InputError(f"images have 3 channels, but the network takes {channels}")


def _truth(one: Loaded, segmenter: Segmenter, void: tuple[int, ...]) -> Integers | None:
    """The mask with −1 for what says nothing: the void labels of the network, and those that were given."""
    if one.truth is None:
        return None
    labels = void_labels((*void_labels(segmenter.ignore), *void))
    truth = labelled(one.truth, labels)
    check_classes(truth, segmenter.model.classes, labels, f"the mask of {one.name}")
    return truth


def _accuracy(images: list[Loaded], labels: list[Integers]) -> float:
    """Share of right pixels among all that have a true class; labels are (H, W) or flat."""
    pairs = [(one.truth, found) for one, found in zip(images, labels, strict=True) if one.truth is not None]
    right = sum(int((truth == found.reshape(truth.shape)).sum()) for truth, found in pairs)
    known = sum(int((truth >= 0).sum()) for truth, _ in pairs)
    if known == 0:
        raise InputError("no pixel of the masks has a class, so there is no accuracy to compare at")
    return right / known
