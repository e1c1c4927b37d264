"""From samples to votes of pixels: every view of a noisy image, computed only in the windows where it matters."""

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphcert.core.arrays import Mask
from graphcert.errors import ModelError
from graphcert.images.image_model import ImageModel
from graphcert.models.base import Floats, single_torch_thread
from graphcert.sampling.philox import CHECK
from graphcert.voting.cache_detection import Pair, copied, refuse_memory
from graphcert.voting.model_checks import NAN_LOGITS
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path

Slices = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Window:
    """A rectangle `outer` of an image and the nodes (M,) in it that vote, `inside` it at the positions (M,), row by row."""

    outer: Slices
    members: NDArray[np.int64]
    inside: NDArray[np.int64]

    def only(self, votes: Mask) -> "Window":
        """The same rectangle with those of its nodes that vote (N,)."""
        voting = votes[self.members]
        return Window(self.outer, self.members[voting], self.inside[voting])

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the rectangle."""
        rows, columns = self.outer
        return rows.stop - rows.start, columns.stop - columns.start

    @classmethod
    def around(
        cls, members: NDArray[np.int64], height: int, width: int, reach: int | None = None, stride: int = 1
    ) -> "Window":
        """The smallest window that shows all pixels within `reach` of the M ≥ 1 members; the whole image if it is None.

        It begins at multiples of `stride`, and ends at multiples of it or at the image's border, so that layers which merge
        pixels merge the same ones as in the whole image.
        """
        row, column = np.divmod(members, width)
        rows, columns = slice(0, height), slice(0, width)
        if reach is not None:
            rows, columns = _extent(row, reach, stride, height), _extent(column, reach, stride, width)
        inside = (row - rows.start) * (columns.stop - columns.start) + (column - columns.start)
        return cls((rows, columns), members, inside)


def _extent(positions: NDArray[np.int64], reach: int, stride: int, size: int) -> slice:
    first, last = int(positions.min()) - reach, int(positions.max()) + reach + 1
    return slice(max(0, first // stride * stride), min(size, -(-last // stride) * stride))


_CLOSE = 1e-4
"""How far logits may differ, relative to the largest, where they should differ by rounding alone."""


class ImagePath(Path):
    """A segmentation model, in evaluation mode, on noisy images of `size` (H, W); every view only where it matters.

    Images are evaluated in batches of `unit` at fixed places (multiples of `unit`), whatever range is asked for: a
    convolution may round differently in batches of another size. A view is computed up to `reach` pixels around its own;
    None stands for whole images.
    """

    name = "image"

    def __init__(self, problem: Problem, size: tuple[int, int], model: ImageModel, reach: int | None) -> None:
        self.problem, self.members, self.size, self.unit = problem, problem.members, size, model.batch
        self.reach = reach if len(problem.members) > 1 else None
        views = range(len(problem.members))
        self._every_window = [(view, window) for view in views for window in self._windows_of(view, model.stride)]
        self._windows = self._every_window
        self._take_model(model)
        with single_torch_thread():
            self.classes = int(self._call(self._image(problem.x.numpy())).shape[-1])
            self._inspect(model)

    def _windows_of(self, view: int, stride: int) -> list[Window]:
        """One window around all pixels of a view, or one around each of its clusters, whatever is smaller."""
        members = self.problem.members[view]
        cluster = self.problem.sampler.views.block[members]
        together = [Window.around(members, *self.size, self.reach, stride)]
        apart = [Window.around(members[cluster == c], *self.size, self.reach, stride) for c in np.unique(cluster)]
        return min(together, apart, key=lambda windows: sum(math.prod(window.shape) for window in windows))

    def _take_model(self, model: ImageModel) -> None:
        """A copy of the model, for it may keep scratch values on itself, and memory to write to."""
        self.model, self._device = copied(model), model.device
        for parameter in self.model.parameters():
            if parameter.dim() == 4:  # the channels of a pixel side by side, as images have them: faster on processors
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        sampler = self.problem.sampler
        self._work = sampler.workspace()
        self._drawn = np.empty((len(self.problem.members), sampler.nodes, sampler.columns), np.float32)
        self._shown = [np.empty((self.unit, *window.shape, sampler.columns), np.float32) for _, window in self._windows]

    def fork(self) -> "ImagePath":
        """A path with its own copy of the model."""
        twin = copy.copy(self)
        twin._take_model(self.model)
        return twin

    def only(self, nodes: NDArray[np.int64] | None) -> "ImagePath":
        """See `Path.only`; windows in which nobody votes are left out, the others stay as they are."""
        twin = copy.copy(self)
        twin.members = self._voters(nodes)
        votes = np.isin(np.arange(self.problem.nodes), np.concatenate(twin.members))
        windows = [(view, window.only(votes)) for view, window in self._every_window]
        twin._windows = [(view, window) for view, window in windows if window.members.size]
        twin._take_model(self.model)
        return twin

    def _image(self, pixels: Floats) -> Floats:
        """Pixels (…, N, C) as one batch of images (B, H, W, C)."""
        return pixels.reshape(-1, *self.size, pixels.shape[-1])

    def _draw(self, purpose: int, sample: int) -> Floats:
        """(V, H, W, C) what all views show of one sample; valid until the next one."""
        self._drawn[...] = 0
        self.problem.sampler.fill_features_of_all_views(purpose, sample, self._work, self._drawn)
        return self._image(self._drawn)

    def _call(self, images: Floats, model: nn.Module | None = None) -> Floats:
        """(B, h, w, C) → logits (B, h, w, K); the images stay as they are, whatever the model does to its input."""
        with torch.inference_mode():
            given: Tensor = torch.from_numpy(images).permute(0, 3, 1, 2).to(self._device, copy=True)
            logits: Floats = (model or self.model)(given).cpu().permute(0, 2, 3, 1).contiguous().numpy()
        return logits

    def _batch(self, purpose: int, first: int) -> Iterator[tuple[Window, Floats]]:
        """(window, logits (unit, h · w, K)) of every view for the samples first … first + unit − 1."""
        for k in range(self.unit):
            views = self._draw(purpose, first + k)
            for (view, window), shown in zip(self._windows, self._shown, strict=True):
                shown[k] = views[view][window.outer]
        for (_, window), shown in zip(self._windows, self._shown, strict=True):
            yield window, self._call(shown).reshape(self.unit, -1, self.classes)

    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """Batch by batch; images of a batch that belong to other samples are left out."""
        for first in range(start - start % self.unit, stop, self.unit):
            for window, logits in self._batch(purpose, first):
                for own in logits[max(start - first, 0) : stop - first]:
                    yield window.members, own[window.inside]

    def _inspect(self, untouched: ImageModel) -> None:
        """Raise `ModelError` for whatever would make votes mean something else than they say."""
        clean, noisy = self._image(self.problem.x.numpy()), self._noisy(0)
        expected = self._call(noisy)
        if np.isnan(expected).any():
            raise ModelError(NAN_LOGITS)
        if not self._same(expected, self._call(noisy)):
            raise ModelError("the model gives different outputs for identical images; remove what is random in it")
        other, rows = self._noisy(1), self.size[0] // 2
        pairs: list[Pair] = [((other,), (noisy,))]
        if rows:  # cut to about half their height, so that a model is asked about another shape in between
            pairs.append(((other[:, :rows].copy(),), (noisy[:, -rows:].copy(),)))
        refuse_memory(untouched, lambda model, given: self._call(given[0], model).copy(), pairs, "images")
        if self.unit > 1:
            several = np.concatenate([self._noisy(k) for k in range(self.unit)])
            alone = np.concatenate([self._call(one) for one in several[:, None]])
            if not _close(self._call(several), alone):
                raise ModelError("the images of a batch influence each other; use ImageModel(…, batch=1)")
        if self.reach is not None:
            for whole in (clean, noisy):
                self._verify_windows(whole)

    def _verify_windows(self, images: Floats) -> None:
        """Raise `ModelError` unless the windows give what the whole image gives."""
        expected = self._call(images)[0].reshape(-1, self.classes)
        for _, window in self._windows:
            found = self._call(np.ascontiguousarray(images[:, *window.outer]))[0].reshape(-1, self.classes)
            if not _close(found[window.inside], expected[window.members]):
                raise ModelError(
                    f"the model sees further than {self.reach} pixels, or its stride is not {self.model.stride}: a window "
                    f"gives other logits than the whole image; give a larger reach, or none for whole images"
                )

    def _noisy(self, sample: int) -> Floats:
        """(1, H, W, C) a noisy image that no vote uses, as the last view would show all of it."""
        return self._draw(CHECK, sample)[-1:].copy()

    def _same(self, one: Floats, two: Floats) -> bool:
        """Bit for bit on a processor; accelerators may add in any order."""
        return np.array_equal(one, two) if self._device.type == "cpu" else _close(one, two)


def _close(one: Floats, two: Floats) -> bool:
    """Whether logits differ by rounding alone; infinite ones must be equal."""
    scale = np.abs(two[np.isfinite(two)]).max(initial=0)
    return bool(one.shape == two.shape and np.allclose(one, two, rtol=0, atol=_CLOSE * scale))
