"""A folder of images, from noise to report.

Votes are kept image by image, so that a killed run goes on; all results appear at the end, each file whole or not at all.
"""

import json
import time
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tomli_w
from numpy.typing import NDArray

from graphcert.core.arrays import Integers
from graphcert.core.files import alone, atomic_write
from graphcert.errors import InputError
from graphcert.images import ImageFolder, ImageModel, sample_image_votes
from graphcert.images.image_files import check_classes, labelled, void_labels
from graphcert.images.segmenter import Segmenter
from graphcert.models.checkpoint import model_fingerprint
from graphcert.report.frame.wording import percent
from graphcert.report.images.claims import ImageClaims, Match, results_table
from graphcert.report.images.content import SegmentationContent, report_content
from graphcert.report.images.page import image_page
from graphcert.report.images.pictures import mask_picture, overlay_picture, png
from graphcert.run.folder import MANIFEST, MODEL, REPORT, RunFolder
from graphcert.run.image_claims import certify_image, image_sigmas, isotropic_counts
from graphcert.run.image_network import network_of
from graphcert.run.isotropic import strongest_noise
from graphcert.run.provenance import environment
from graphcert.run.settings.image_run import UNET, SegmentSettings, isotropic
from graphcert.votes import Votes

Curve = tuple[Integers, Integers]
"""(B,) certified pixels, and those of them that are correct."""

SETTINGS, RESULTS = "settings.toml", "results.csv"


class Loaded(NamedTuple):
    """One image (H, W, 3) of 8 bits with its truth (H, W), −1 where there is none, or None, and its smallest deviation."""

    name: str
    image: NDArray[np.uint8]
    truth: Integers | None
    sigma: float


class SegmentRun(RunFolder):
    """A run over the pixels of images; votes are kept image by image, so that a killed run goes on."""

    def certify(self, settings: SegmentSettings, look_again: bool = False) -> SegmentationContent:
        """Take votes of every image, certify them, and write pictures, results.csv, manifest.json and report.html.

        A killed run continues where it was: votes of the same noise, network, image and seed are found again. Settings that
        cannot work are refused before anything is sampled, and so are, without `look_again`, other numbers of samples than
        those of the results in this folder.
        """
        began = time.perf_counter()
        self.refuse_second_look(settings.to_dict(), look_again)
        return self._certify(settings, self._load(settings), began)

    @alone(new=True)
    def _certify(self, settings: SegmentSettings, images: list[Loaded], began: float) -> SegmentationContent:
        """The same of images that are loaded, by a call that began at this time."""
        segmenter = network_of(settings, self.path(MODEL), self.progress, self.say)
        model = ImageModel(segmenter.model, segmenter.model.classes)
        images = [one._replace(truth=_truth(one, segmenter, settings.void)) for one in images]
        timings, isotropic_curves, match = {"images and network": time.perf_counter() - began}, list[Curve](), None
        began = time.perf_counter()
        claims = [self._certify_image(model, loaded, settings, k, len(images)) for k, loaded in enumerate(images)]
        timings["votes and certificates"] = time.perf_counter() - began
        if settings.compare:
            began = time.perf_counter()
            match, isotropic_curves = self._compare(model, images, claims, settings)
            timings["isotropic noise"] = time.perf_counter() - began
        provenance = self._provenance(segmenter, images, claims, match)
        shown = [one.image for one in images]
        content = report_content(shown, claims, segmenter, settings, isotropic_curves, match, provenance, timings)
        self.record_look(settings.to_dict(), settings.alpha, tau=settings.tau)
        for one, found in zip(images, claims, strict=True):
            self._draw(one, found, segmenter, settings)
        self.write(SETTINGS, tomli_w.dumps({"segment": settings.to_dict()}))
        self.write(RESULTS, results_table(claims, settings, segmenter.model.classes, isotropic_curves))
        self.write(MANIFEST, json.dumps(provenance | {"timings": timings, "looks": self.looks()}, indent=1) + "\n")
        image_page(content).write(self.path(REPORT))
        return content

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
        )  # fmt: skip
        found = certify_image(loaded.name, votes, loaded.truth, settings, size)
        claimed = percent(int(found.kept.sum()), found.kept.size)
        self.say(f"{title}: {claimed} of the pixels claimed at tau = {settings.tau:g}")
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
        self.say(f"isotropic noise at equal pixel accuracy: sigma = {sigma:.4g}")
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
                progress=f"isotropic {sigma:.3g}, {one.name}" if self.progress else False,
            )
            for one in images
        ]  # fmt: skip

    def _provenance(
        self, segmenter: Segmenter, images: list[Loaded], claims: list[ImageClaims], match: Match | None
    ) -> dict[str, Any]:
        """Everything that the results were made of."""
        return {
            **environment(), "model": model_fingerprint(segmenter.model),
            "images": {one.name: sha256(one.image.tobytes()).hexdigest() for one in images},
            "sigma": {one.name: one.sigma for one in images}, "votes": {one.name: one.digest for one in claims},
            **({} if match is None else {"isotropic": match._asdict()}),
        }  # fmt: skip

    def _draw(self, one: Loaded, found: ImageClaims, segmenter: Segmenter, settings: SegmentSettings) -> None:
        """The prediction, the claims of SegCertify over the image, and the certified pixels at every budget."""
        folder, palette = self.path("pictures") / one.name, segmenter.palette
        shown = {"prediction": None, "segcertify": found.kept}
        shown |= {f"certified-{norm:.3f}": mask for norm, mask in zip(settings.norms(), found.per_pixel, strict=True)}
        drawn = {name: mask_picture(found.labels, palette, mask) for name, mask in shown.items()}
        drawn["overlay"] = overlay_picture(one.image, found.labels, palette, found.kept)
        for name, picture in drawn.items():
            with atomic_write(folder / f"{name}.png") as stream:
                stream.write(png(picture))


def _truth(one: Loaded, segmenter: Segmenter, void: tuple[int, ...]) -> Integers | None:
    """The mask with −1 for what says nothing: the void labels of the network, and those that were given."""
    if segmenter.model.channels != 3:
        raise InputError(f"images have 3 channels, but the network takes {segmenter.model.channels}")
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
