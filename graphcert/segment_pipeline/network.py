"""The network of a run: read from a file, or trained under the noise of the run and kept in its folder."""

from collections.abc import Callable
from pathlib import Path

from graphcert.errors import InputError
from graphcert.segment_pipeline.settings import UNET, SegmentSettings
from graphcert.segment_pipeline.train import described, read_pictures, train_segmenter, training_bar, training_words
from graphcert.segmentation.checkpoint import Segmenter
from graphcert.segmentation.unet_training import UNetTraining


def network_of(settings: SegmentSettings, path: Path, progress: bool, say: Callable[[str], None]) -> Segmenter:
    """What `settings.model` names; "unet" is trained once, up to the largest deviation, and kept at `path`.

    Raises:
        InputError: if the network at `path` was trained otherwise than the settings say.
        DataError: for a missing or damaged network, image or mask.
        KeyboardInterrupt: if training is interrupted; nothing is kept of it.
    """
    if settings.model != UNET:
        return Segmenter.load(Path(settings.model))
    schedule = UNetTraining() if settings.steps is None else UNetTraining(steps=settings.steps)
    folders, validation = settings.training_folders()
    sigma = settings.sigma[-1]
    if path.is_file():
        found = Segmenter.load(path)
        held_out = None if validation is None else read_pictures(validation)
        wanted = {**described(read_pictures(folders), held_out, schedule, None, settings.seed), "sigma": sigma}
        known = {**found.training, "sigma": found.sigma}
        differing = [name for name, value in wanted.items() if known.get(name) != value]
        if differing:
            raise InputError(
                f"{path} was trained with other settings ({', '.join(differing)}); remove it or name another folder"
            )
        return found
    with training_bar(schedule.steps, progress) as report:
        segmenter, log = train_segmenter(
            path, folders, sigma, validation=validation, training=schedule, seed=settings.seed, report=report,
            ignore=settings.void or None, keep_interrupted=False,
        )  # fmt: skip
    for words in training_words(log):
        say(words)
    return segmenter
