"""A folder of images, from noise to report.

Votes are kept image by image, so that a killed run goes on; all results appear at the end, each file whole or not at all.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import tomli_w
from numpy.typing import NDArray

from graphcert.core.arrays import Integers
from graphcert.core.files import alone, atomic_write
from graphcert.errors import DataError, InputError
from graphcert.images import ImageFolder, ImageModel, sample_image_votes
from graphcert.images.image_files import check_classes, labelled, void_labels
from graphcert.images.segmenter import Segmenter
from graphcert.models.checkpoint import model_fingerprint
from graphcert.report.frame.wording import percent
from graphcert.report.images.claims import ImageClaims, Match, results_table
from graphcert.report.images.content import SegmentationContent, report_content
from graphcert.report.images.page import image_page
from graphcert.report.images.pictures import mask_picture, overlay_picture, png
from graphcert.run.commitment import (
    PLAN,
    chosen_after,
    commit,
    image_choices,
    image_plan,
    plan_digest,
    planned_again,
    read_plans,
)  # fmt: skip
from graphcert.run.folder import MANIFEST, MODEL, REPORT, RunFolder
from graphcert.run.image_claims import certify_image, image_sigmas, isotropic_counts
from graphcert.run.image_network import network_of
from graphcert.run.isotropic import strongest_noise
from graphcert.run.provenance import environment
from graphcert.run.settings.image_run import UNET, SegmentSettings, isotropic, read_settings
from graphcert.run.statement import stated
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

    _plans: tuple[str, ...] = ()

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
    @stated
    def _certify(self, settings: SegmentSettings, images: list[Loaded], began: float) -> SegmentationContent:
        """The same of images that are loaded, by a call that began at this time."""
        made = self._made(settings, images, began)
        said = self._after_votes(settings)
        facts = {**environment(), **made.facts, "plan": next(map(plan_digest, read_plans(self.folder)[-1:]), None)}
        content = made.content(settings, facts, made.timings, said)
        self.record_look(settings.to_dict(), settings.alpha, tau=settings.tau)
        for sentence in said:
            self.say(sentence)
        for name, picture in made.pictures(settings):
            with atomic_write(self.path(name)) as stream:
                stream.write(picture)
        self.write(SETTINGS, tomli_w.dumps({"segment": settings.to_dict()}))
        self.write(RESULTS, made.table(settings))
        facts |= {"timings": made.timings, "looks": self.looks(), "chosen_after_votes": said}
        self.write(MANIFEST, json.dumps(facts, indent=1) + "\n")
        image_page(content).write(self.path(REPORT))
        return content

    def rebuilt(self) -> dict[str, bytes]:
        """The files that show results, by name, made again from votes, settings, images and network; nothing is written.

        These are report.html, results.csv and the pictures. As long as nobody touched the run, the files have these very
        bytes. Votes that are missing or damaged are taken again, in a copy.

        Raises:
            DataError: if settings, plan, manifest and votes contradict each other.
        """
        settings, manifest = SegmentSettings.from_dict(read_settings(self.path(SETTINGS))), self.manifest()
        with TemporaryDirectory() as place:
            copy = SegmentRun(Path(place) / "run", workers=self.workers)
            shutil.copytree(self.path("votes"), copy.path("votes"))
            for name in filter(lambda name: self.path(name).is_file(), (MODEL, PLAN)):
                shutil.copyfile(self.path(name), copy.path(name))
            made = copy._made(settings, copy._load(settings), time.perf_counter())
            if read_plans(copy.folder) != read_plans(self.folder):
                raise DataError(f"{self.path(SETTINGS)} asks for other votes than {PLAN} says; certify again")
        self.refuse_other(**made.facts)
        content = made.content(settings, manifest, manifest.get("timings", {}), self._after_votes(settings))
        texts = {REPORT: image_page(content).html(), RESULTS: made.table(settings)}
        return {name: text.encode() for name, text in texts.items()} | dict(made.pictures(settings))

    def _after_votes(self, settings: SegmentSettings) -> list[str]:
        """What was chosen otherwise than planned, or planned again, in sentences."""
        plans = read_plans(self.folder)
        return [*planned_again(plans), *chosen_after(plans[-1], image_choices(settings))] if plans else []

    def _made(self, settings: SegmentSettings, images: list[Loaded], began: float) -> "_Made":
        """Take or read the votes and certify them; a plan is written before the first final vote."""
        segmenter = network_of(settings, self.path(MODEL), self.progress, self.say)
        model = ImageModel(segmenter.model, segmenter.model.classes)
        images = [one._replace(truth=_truth(one, segmenter, settings.void)) for one in images]
        shown = {one.name: one.image for one in images}, {one.name: one.sigma for one in images}
        self._plans = commit(self.folder, image_plan(settings, *shown, model_fingerprint(segmenter.model)))
        timings, curves, match = {"images and network": time.perf_counter() - began}, list[Curve](), None
        began = time.perf_counter()
        claims = [self._certify_image(model, loaded, settings, k, len(images)) for k, loaded in enumerate(images)]
        timings["votes and certificates"] = time.perf_counter() - began
        if settings.compare:
            began = time.perf_counter()
            match, curves = self._compare(model, images, claims, settings)
            timings["isotropic noise"] = time.perf_counter() - began
        return _Made(segmenter, images, claims, curves, match, timings)

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
                progress=f"isotropic {sigma:.3g}, {one.name}" if self.progress else False, plans=self._plans,
            )
            for one in images
        ]  # fmt: skip


class _Made(NamedTuple):
    """What a run over images found: claims about the images in their order, and what they are compared with."""

    segmenter: Segmenter
    images: list[Loaded]
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

    def content(
        self, settings: SegmentSettings, facts: Mapping[str, Any], timings: Mapping[str, float], warnings: Sequence[str]
    ) -> SegmentationContent:
        """What the report shows."""
        shown = [one.image for one in self.images]
        of = self.segmenter, settings, self.isotropic, self.match
        return report_content(shown, self.claims, *of, facts, timings, tuple(warnings))

    def table(self, settings: SegmentSettings) -> str:
        """The content of results.csv."""
        return results_table(self.claims, settings, self.segmenter.model.classes, self.isotropic)

    def pictures(self, settings: SegmentSettings) -> Iterator[tuple[str, bytes]]:
        """Names and PNGs, per image: the prediction, what SegCertify claims, and the certified pixels at every budget."""
        palette = self.segmenter.palette
        for one, found in zip(self.images, self.claims, strict=True):
            shown = {"prediction": None, "segcertify": found.kept}
            norms = zip(settings.norms(), found.per_pixel, strict=True)
            shown |= {f"certified-{norm:.3f}": mask for norm, mask in norms}
            drawn = {name: mask_picture(found.labels, palette, mask) for name, mask in shown.items()}
            drawn["overlay"] = overlay_picture(one.image, found.labels, palette, found.kept)
            for name, picture in drawn.items():
                yield f"pictures/{one.name}/{name}.png", png(picture)


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
