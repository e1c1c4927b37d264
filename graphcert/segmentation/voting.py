"""`sample_image_votes`: from a segmentation model, an image and a smoothing scheme to votes of every pixel."""

import copy
import os
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from graphcert.errors import InputError, ModelError
from graphcert.models.base import Floats
from graphcert.models.threads import single_torch_thread
from graphcert.noise import Scheme
from graphcert.sampling.philox import CHECK
from graphcert.segmentation.image_model import ImageModel
from graphcert.segmentation.images import image_fingerprint, pixel_values
from graphcert.segmentation.noise import ImageNoise
from graphcert.segmentation.windows import Window
from graphcert.votes import Votes
from graphcert.voting.inspection import NAN_LOGITS, evaluation_mode, refuse_training_layers, refuse_unusable_parameters
from graphcert.voting.paths import Path
from graphcert.voting.take import check_numbers, identity_of, take_votes
from graphcert.voting.tally import Tally

_CLOSE = 1e-4
"""How far logits may differ, relative to the largest, where they should differ by rounding alone."""


def sample_image_votes(
    model: nn.Module,
    image: ArrayLike,
    smoothing: Scheme,
    samples: int,
    pilot_samples: int = 1000,
    seed: int = 0,
    *,
    reach: int | None = None,
    workers: int | None = None,
    batch_size: int | None = None,
    store: str | os.PathLike[str] | None = None,
    shard_samples: int = 1000,
    progress: bool | str = False,
) -> Votes:
    """Segment noisy versions of an image and count how often each pixel is given each class.

    Pixels are the N = H · W nodes of the image's grid graph, row by row. Under localized noise a pixel votes where the
    image carries the noise of its own cell; all cells share one draw per sample. Same seed, same votes: they do not depend
    on `workers`, `batch_size`, `shard_samples`, nor on being interrupted.

    Args:
        model: an `ImageModel`, or a module that becomes one. It is put into evaluation mode while it votes.
        image: (H, W, C) uint8, or floats in [0, 1].
        smoothing: Gaussian noise of the channel values, isotropic or localized with a partition such as
            `GridGraph(H, W).cells(rows, columns)`.
        samples: number of final samples, which bound the probabilities.
        pilot_samples: number of independent samples that choose the labels.
        seed: whole number from 0 to 2^64 − 1.
        reach: how many pixels away a pixel can influence a logit; a cell is then computed from no more than that around
            it. By default what the model declares; whole images if it declares nothing. It is verified, not believed.
        workers: threads; by default one per processor.
        batch_size: samples that a thread takes at a time (default: about 16).
        store: folder for shards of votes; an interrupted call with the same arguments continues from them.
        shard_samples: samples per shard, the most that an interruption can lose.
        progress: show a bar with rate and remaining time; a text, such as the image's name, names it.

    Returns:
        Votes with provenance in `manifest`.

    Raises:
        InputError: for a number outside its domain, an image that is none, or a partition of another number of pixels.
        ModelError: for NaN, other shapes than (B, K, H, W), a model that is not deterministic, remembers earlier images,
            mixes the images of a batch, or sees further than `reach`.
        UnsupportedError: for noise other than Gaussian noise of the channel values.
        VotesError: if `store` holds votes of another run.
    """
    check_numbers(samples=samples, pilot_samples=pilot_samples, shard_samples=shard_samples)
    if reach is not None and (isinstance(reach, bool) or not isinstance(reach, (int, np.integer)) or reach < 0):
        raise InputError(f"reach must be a whole number of pixels of at least 0, got {reach!r}")
    wrapped = model if isinstance(model, ImageModel) else ImageModel(model)
    noise = ImageNoise.of(pixel_values(image), smoothing, seed)
    refuse_unusable_parameters(wrapped)
    with evaluation_mode(wrapped):
        refuse_training_layers(wrapped)
        path = ImagePath(noise, wrapped, wrapped.reach if reach is None else int(reach))
        identity = identity_of(wrapped, image_fingerprint(noise.image), smoothing, seed, path.name)
        return take_votes(
            path,
            noise.sampler.nodes,
            smoothing,
            noise.sampler.total_variation,
            identity | {"reach": path.reach},
            samples,
            pilot_samples,
            workers=workers,
            batch_size=batch_size,
            store=store,
            shard_samples=shard_samples,
            progress=progress,
        )


class ImagePath(Path):
    """A segmentation model on noisy images; every view only where it matters.

    Images are evaluated in batches of `unit` at fixed places (multiples of `unit`), whatever range is asked for: a
    convolution may round differently in batches of another size.

    Attributes:
        reach: how far around its pixels a view is computed; None if whole images are.
    """

    name = "image"

    def __init__(self, noise: ImageNoise, model: ImageModel, reach: int | None) -> None:
        self.noise, self.unit = noise, model.batch
        height, width = noise.image.shape[:2]
        views = noise.sampler.views
        self.reach = reach if noise.views > 1 else None
        self._windows = [
            Window.around(np.flatnonzero(views.of_node == view), height, width, self.reach, model.stride)
            for view in range(noise.views)
        ]
        self._deviations = [noise.deviations(view, window) for view, window in enumerate(self._windows)]
        self._take_model(model)
        with single_torch_thread():
            self.classes = int(self._call(noise.image[None]).shape[-1])
            self._inspect(model)

    def _take_model(self, model: ImageModel) -> None:
        """A copy of the model, for it may keep scratch values on itself, and memory to write to."""
        self.model = _channels_last(model)
        self._units = [self.noise.units() for _ in range(self.unit)]
        self._images: dict[tuple[int, ...], Floats] = {}

    def fork(self) -> "ImagePath":
        """A path with its own copy of the model."""
        twin = copy.copy(self)
        twin._take_model(self.model)
        return twin

    def _call(self, images: Floats) -> Floats:
        """(B, h, w, C) → logits (B, h, w, K)."""
        with torch.inference_mode():
            given: Tensor = torch.from_numpy(images).permute(0, 3, 1, 2).to(self.model.device)
            logits: Floats = self.model(given).cpu().permute(0, 2, 3, 1).contiguous().numpy()
        return logits

    def _shown(self, purpose: int, first: int) -> Iterator[tuple[Window, Floats]]:
        """(window, logits (unit, h, w, K)) of every view for the samples first … first + unit − 1."""
        for k, units in enumerate(self._units):
            self.noise.draw(purpose, first + k, units)
        for window, deviations in zip(self._windows, self._deviations, strict=True):
            shape = (self.unit, *window.shape, self.noise.image.shape[-1])
            images = self._images.setdefault(shape, np.empty(shape, np.float32))
            for k, units in enumerate(self._units):
                self.noise.show(window, deviations, units, images[k])
            yield window, self._call(images)

    def logits(self, purpose: int, sample: int) -> Floats:
        """(N, K) logits of one sample, each pixel's under its own view."""
        result = np.empty((self.noise.sampler.nodes, self.classes), np.float32)
        for window, logits in self._shown(purpose, sample - sample % self.unit):
            result[window.members] = logits[sample % self.unit].reshape(-1, self.classes)[window.inside]
        return result

    def add_to(self, tally: Tally, purpose: int, start: int, stop: int) -> None:
        """Batch by batch; images of a batch that belong to other samples are not counted."""
        shown = np.empty((self.noise.sampler.nodes, self.classes), np.float32)
        for first in range(start - start % self.unit, stop, self.unit):
            for window, logits in self._shown(purpose, first):
                for sample in range(max(start, first), min(stop, first + self.unit)):
                    shown[window.members] = logits[sample - first].reshape(-1, self.classes)[window.inside]
                    if not tally.add(shown, window.members):
                        raise ModelError(NAN_LOGITS)

    def _inspect(self, untouched: ImageModel) -> None:
        """Raise `ModelError` for whatever would make votes mean something else than they say."""
        clean, noisy = self.noise.image[None], self._noisy(0)
        expected = self._call(noisy)
        if np.isnan(expected).any():
            raise ModelError(NAN_LOGITS)
        if not self._same(expected, self._call(noisy)):
            raise ModelError("the model gives different outputs for identical images; remove what is random in it")
        if not self._same(self._fresh(untouched, clean), self._call(clean)):
            raise ModelError(
                "the model remembers earlier images and would ignore noise; remove what it keeps between calls"
            )
        if self.unit > 1:
            several = np.concatenate([self._noisy(k) for k in range(self.unit)])
            alone = np.concatenate([self._call(one[None]) for one in several])
            if not _close(self._call(several), alone):
                raise ModelError("the images of a batch influence each other; use ImageModel(…, batch=1)")
        if self.reach is not None:
            for whole in (clean, noisy):
                self._verify_windows(whole)

    def _verify_windows(self, images: Floats) -> None:
        """Raise `ModelError` unless the windows give what the whole image gives."""
        expected = self._call(images)[0].reshape(-1, self.classes)
        for window in self._windows:
            found = self._call(np.ascontiguousarray(images[:, *window.outer]))[0].reshape(-1, self.classes)
            if not _close(found[window.inside], expected[window.members]):
                raise ModelError(
                    f"the model sees further than {self.reach} pixels, or its stride is not {self.model.stride}: a window "
                    f"gives other logits than the whole image; give a larger reach, or none for whole images"
                )

    def _noisy(self, sample: int) -> Floats:
        """(1, H, W, C) a noisy image that no vote uses, as the first view would show all of it."""
        height, width, _ = self.noise.image.shape
        whole = Window.around(np.arange(height * width), height, width)
        units, image = self.noise.units(), np.empty(self.noise.image.shape, np.float32)
        self.noise.draw(CHECK, sample, units)
        self.noise.show(whole, self.noise.deviations(0, whole), units, image)
        return image[None]

    def _fresh(self, model: ImageModel, images: Floats) -> Floats:
        """What a copy that has seen nothing says."""
        twin = copy.copy(self)
        twin.model = _channels_last(model)
        return twin._call(images)

    def _same(self, one: Floats, two: Floats) -> bool:
        """Bit for bit on a processor; accelerators may add in any order."""
        return np.array_equal(one, two) if self.model.device.type == "cpu" else _close(one, two)


def _channels_last(model: ImageModel) -> ImageModel:
    """A copy whose convolutions expect the channels of a pixel side by side, as images have them: faster on processors."""
    twin = copy.deepcopy(model)
    for parameter in twin.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return twin


def _close(one: Floats, two: Floats) -> bool:
    """Whether logits differ by rounding alone; infinite ones must be equal."""
    scale = np.abs(two[np.isfinite(two)]).max(initial=0)
    return bool(one.shape == two.shape and np.allclose(one, two, rtol=0, atol=_CLOSE * scale))
