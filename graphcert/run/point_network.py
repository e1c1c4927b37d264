"""Where clouds of points come from, and from clouds to a file of a trained network."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from logging import Logger
from pathlib import Path
from typing import Any, NamedTuple

from graphcert.errors import DataError, InputError
from graphcert.models.fitting import FitLog, Report
from graphcert.noise import Gaussian, Law
from graphcert.points import (
    PARTS,
    PointCloud,
    PointSegmenter,
    PointTraining,
    generated_shapes,
    load_points,
    train_points,
)
from graphcert.points.files import SHAPES
from graphcert.run.settings.point_run import PointSettings
from graphcert.run.training import refuse_other_training, training_bar, training_words

_TRAINING, _VALIDATION, _HELD_OUT = 2**32, 2**33, 25
"""Added to the seed of generated shapes to train and to validate with, so that none of them is ever certified."""


class Shape(NamedTuple):
    """A cloud to certify, its `fingerprint`, and the names of all parts that its numbers may mean."""

    name: str
    cloud: PointCloud
    digest: str
    names: tuple[str, ...]


def shapes_of(settings: PointSettings) -> list[Shape]:
    """The clouds to certify.

    Raises:
        DataError: if a name of one cannot be that of a folder, or two have the same.
    """
    source, limit = (SHAPES, settings.shapes) if settings.input is None else (settings.input, settings.limit)
    clouds, parts = load_points(source, points=settings.points, seed=settings.seed, limit=limit)
    names = [cloud.name for cloud in clouds]
    for name in names:
        if name.startswith(".") or not name.isprintable() or not name or {"/", "\\"} & set(name) or len(name) > 100:
            raise DataError(f"a cloud is named {name!r:.110}, which cannot be a name of a folder; rename it")
    if len(set(names)) < len(names):
        raise DataError(f"two clouds of {source} have the same name; rename one")
    return [Shape(cloud.name, cloud, fingerprint(cloud), parts) for cloud in clouds]


def check_parts(segmenter: PointSegmenter, shapes: Sequence[Shape]) -> None:
    """Raise `DataError` for a shape with parts that the network does not know under their names."""
    for shape in shapes:
        used = 0 if shape.cloud.parts is None else int(shape.cloud.parts.max()) + 1
        if segmenter.names[:used] != shape.names[:used]:
            raise DataError(
                f"{shape.name} has parts among {', '.join(shape.names[:used])[:200]}, which are not those of the network, "
                f"{', '.join(segmenter.names)[:200]}; train one with these parts"
            )


def fingerprint(cloud: PointCloud) -> str:
    """sha256 of the coordinates and the parts of a cloud."""
    digest = sha256(f"{cloud.points.shape} {cloud.kind}\n".encode() + cloud.points.tobytes())
    digest.update(b"no parts" if cloud.parts is None else cloud.parts.tobytes())
    return digest.hexdigest()


def training_clouds(settings: PointSettings) -> tuple[list[PointCloud], list[PointCloud] | None, tuple[str, ...]]:
    """Clouds to train with, held-out ones to choose the weights by or None, and the names of all parts."""
    if settings.train_input is None:
        seed, points = settings.seed, settings.points
        training = generated_shapes(settings.training_shapes, points, seed + _TRAINING)
        return training, generated_shapes(_HELD_OUT, points, seed + _VALIDATION), PARTS
    training, names = load_points(settings.train_input, points=settings.points, seed=settings.seed)
    if len(names) < 2:
        raise InputError(
            f"the clouds in {settings.train_input} do not have two parts or more; give others to train with"
        )
    return training, None, names


def train_network(
    settings: PointSettings, training: PointTraining, path: Path, report: Report | None = None,
    keep_interrupted: bool = True,
) -> tuple[PointSegmenter, FitLog]:  # fmt: skip
    """Train the network that `settings.model` names, and write it to a file; see `train_points`.

    Raises:
        KeyboardInterrupt: for an interrupted training, unless `keep_interrupted`, which writes the best weights so far.
        InputError, DataError: for clouds that nothing can be learned from, or if the file cannot be written.
    """
    if path.is_dir():
        raise InputError(f"the output {path} is a folder; name a file")
    clouds, held_out, names = training_clouds(settings)
    segmenter, log = train_points(
        clouds, _noise(settings), names=names, validation=held_out, network=settings.model, training=training,
        seed=settings.seed, report=report,
    )  # fmt: skip
    if log.interrupted and not keep_interrupted:
        raise KeyboardInterrupt
    described = _described(settings, training, clouds, held_out)
    segmenter = replace(segmenter, training={**segmenter.training, **described})
    segmenter.save(path)
    return segmenter, log


def network_of(settings: PointSettings, path: Path, progress: bool, log: Logger) -> PointSegmenter:
    """What `settings.model` names; "pointnet" or "edgeconv" is trained once and kept at `path`.

    A network there that was trained otherwise than the settings say is refused; an interrupted training leaves nothing.
    """
    if not settings.trained:
        return PointSegmenter.load(Path(settings.model))
    training = PointTraining() if settings.steps is None else PointTraining(steps=settings.steps)
    if path.is_file():
        found = PointSegmenter.load(path)
        clouds, held_out, _ = training_clouds(settings)
        refuse_other_training(path, found.training, _described(settings, training, clouds, held_out))
        return found
    with training_bar(training.steps, progress) as report:
        segmenter, fitted = train_network(settings, training, path, report, keep_interrupted=False)
    for words in training_words(fitted, "point"):
        log.info(words)
    return segmenter


def _noise(settings: PointSettings) -> Law:
    """The noise to train under: turns, or that of the largest deviation."""
    return Gaussian(settings.sigma[-1]) if settings.turns is None else settings.turns


def _described(
    settings: PointSettings,
    training: PointTraining,
    clouds: Sequence[PointCloud],
    held_out: Sequence[PointCloud] | None,
) -> dict[str, Any]:
    """What determines a training, as plain values."""
    digest = sha256()
    for some in (clouds, held_out or ()):
        digest.update(f"{len(some)} clouds\n".encode())
        for cloud in some:
            digest.update(fingerprint(cloud).encode())
    return {
        **asdict(training), "network": settings.model, "seed": settings.seed, "data": digest.hexdigest(),
        "noise": _noise(settings).to_dict(),
    }  # fmt: skip
