"""From folders of images and masks to a file of a trained network."""

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import InputError
from graphcert.images import ImageFolder
from graphcert.images.image_files import Void, void_labels
from graphcert.images.segmenter import CAMVID, Segmenter, colours
from graphcert.images.unet_training import Marking, UNetTraining, train_unet
from graphcert.models.fitting import FitLog, Report
from graphcert.run.settings.image_run import UNET, SegmentSettings
from graphcert.run.training import refuse_other_training, training_bar, training_words

Pictures = tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]


def train_segmenter(
    out: Path, folders: tuple[str, str], sigma: float, *, validation: tuple[str, str] | None = None,
    names: Sequence[str] | None = None, ignore: Void = None, training: UNetTraining | None = None,
    shape: dict[str, Any] | None = None, seed: int = 0, report: Report | None = None, keep_interrupted: bool = True,
    marking: Marking | None = None,
) -> tuple[Segmenter, FitLog]:  # fmt: skip
    """Train a `UNet` from folders of images and of masks, and write it to the file `out`; see `train_unet`.

    `sigma` is the largest deviation of the noise, 0 if `marking` says that selected pixels are hidden. `names` are those of
    the K classes 0 … K − 1; by default those of CamVid if the masks name its classes and void, otherwise numbers. `ignore`
    are values of masks that say nothing; by default 255, and 11 for CamVid.

    Raises:
        KeyboardInterrupt: for an interrupted training, unless `keep_interrupted`, which writes the best weights so far.
        InputError: for masks without classes, or names that do not fit them.
        DataError: for missing or damaged files, or if `out` cannot be written.
    """
    if out.is_dir():
        raise InputError(f"the output {out} is a folder; name a file")
    images, masks = read_pictures(folders)
    held_out = None if validation is None else read_pictures(validation)
    known, void = _classes(masks, names, ignore)
    schedule = UNetTraining() if training is None else training
    model, log = train_unet(
        images, masks, sigma, len(known), ignore=void, validation=held_out, training=schedule, shape=shape, seed=seed,
        report=report, marking=marking,
    )  # fmt: skip
    if log.interrupted and not keep_interrupted:
        raise KeyboardInterrupt
    how = {**described((images, masks), held_out, schedule, shape, seed, marking), "best_step": log.best_step}
    segmenter = Segmenter(model, known, colours(known), void, float(sigma), how)
    segmenter.save(out)
    return segmenter, log


def described(
    pictures: Pictures, held_out: Pictures | None, schedule: UNetTraining, shape: dict[str, Any] | None, seed: int,
    marking: Marking | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What determines a training besides its noise, as plain values."""
    digest = sha256()
    for kind in (*pictures, *(held_out or ())):
        digest.update(f"{len(kind)} arrays\n".encode())
        for array in kind:
            digest.update(f"{array.shape}\n".encode() + array.tobytes())
    return {
        **asdict(schedule), "shape": shape or {}, "seed": seed, "images": len(pictures[0]), "data": digest.hexdigest(),
        **({} if marking is None else {"marking": asdict(marking)}),
    }  # fmt: skip


def read_pictures(folders: tuple[str, str]) -> Pictures:
    """All images (H, W, 3) and masks (H, W) of two folders."""
    images, masks = [], []
    for _, image, mask in ImageFolder(*folders):
        assert mask is not None
        images.append(image)
        masks.append(mask)
    return images, masks


def _classes(
    masks: Sequence[NDArray[np.uint8]], names: Sequence[str] | None, ignore: Void
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the classes, and the void labels."""
    found = sorted({int(value) for mask in masks for value in np.unique(mask)})
    void = void_labels(ignore)
    if names is None and void in ((), (len(CAMVID),)) and found == list(range(len(CAMVID) + 1)):
        return tuple(CAMVID), (len(CAMVID),)
    void = void_labels(255 if ignore is None and 255 in found else ignore)
    highest = max((value for value in found if value not in void), default=-1)
    given = tuple(names) if names is not None else tuple(str(k) for k in range(max(highest + 1, 2)))
    if highest < 0:
        raise InputError("the masks name no class: all their pixels are void; give masks that name classes")
    if len(given) < 2 or highest >= len(given):
        raise InputError(
            f"the masks name the classes 0 to {highest}, but {len(given)} names were given; name all, or say "
            f"--void {highest}"
        )
    return given, void


def marking_of(settings: SegmentSettings) -> Marking | None:
    """How pixels are marked in training as in the votes of a run; None where every pixel is noised."""
    if settings.chosen is None:
        return None
    return Marking(settings.chosen[0], settings.chosen[-1], settings.tile or 1, settings.ablate is not None)


def network_of(settings: SegmentSettings, path: Path, progress: bool, log: Logger) -> Segmenter:
    """What `settings.model` names; "unet" is trained once, up to the largest deviation, and kept at `path`.

    A network there that was trained otherwise than the settings say is refused; an interrupted training leaves nothing.
    """
    if settings.model != UNET:
        return Segmenter.load(Path(settings.model))
    schedule = UNetTraining() if settings.steps is None else UNetTraining(steps=settings.steps)
    folders, validation = settings.training_folders()
    sigma, marking = settings.sigma[-1] if settings.sigma else 0.0, marking_of(settings)
    if path.is_file():
        found = Segmenter.load(path)
        held_out = None if validation is None else read_pictures(validation)
        wanted = described(read_pictures(folders), held_out, schedule, None, settings.seed, marking)
        known = {**found.training, "sigma": found.sigma}
        refuse_other_training(path, known, {"marking": None, **wanted, "sigma": sigma})
        return found
    with training_bar(schedule.steps, progress) as report:
        segmenter, fitted = train_segmenter(
            path, folders, sigma, validation=validation, training=schedule, seed=settings.seed, report=report,
            ignore=settings.void or None, keep_interrupted=False, marking=marking,
        )  # fmt: skip
    for words in training_words(fitted):
        log.info(words)
    return segmenter
