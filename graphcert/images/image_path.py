"""Votes of pixels: every view of a noisy image, computed only in the windows where it matters."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphcert.errors import ModelError
from graphcert.images.image_model import ImageModel
from graphcert.models.base import Floats, single_torch_thread
from graphcert.voting.input_path import InputPath, Part, logits_close
from graphcert.voting.noisy_graph import Problem


class Window(Part):
    """A rectangle `outer` of an image and the pixels (M,) in it that vote, `inside` it at the positions (M,), row by row."""

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


class ImagePath(InputPath):
    """A segmentation model, in evaluation mode, on noisy images of `size` (H, W); every view only where it matters.

    A view is computed up to `reach` pixels around its own; None stands for whole images.
    """

    name, kind = "image", "images"
    model: ImageModel

    def __init__(self, problem: Problem, size: tuple[int, int], model: ImageModel, reach: int | None) -> None:
        self.reach, self._stride = reach if len(problem.members) > 1 else None, model.stride
        super().__init__(problem, size, model, model.device, model.batch)
        if self.reach is not None:
            with single_torch_thread():
                for whole in (self._input(problem.x.numpy()), self._noisy(0)):
                    self._verify_windows(whole)

    def _parts_of(self, view: int) -> list[Window]:
        """One window around all pixels of a view, or one around each of its clusters, whatever is smaller."""
        members = self.problem.members[view]
        cluster = self.problem.sampler.views.block[members]
        height, width = self.size
        groups = [[members], [members[cluster == c] for c in np.unique(cluster)]]
        found = [[Window.around(group, height, width, self.reach, self._stride) for group in each] for each in groups]
        return min(found, key=lambda windows: sum(math.prod(window.shape) for window in windows))

    def _prepare(self, model: nn.Module) -> None:
        for parameter in model.parameters():
            if parameter.dim() == 4:  # the channels of a pixel side by side, as images have them: faster on processors
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def _logits(self, model: nn.Module, given: Tensor) -> Tensor:
        logits: Tensor = model(given.permute(0, 3, 1, 2))
        return logits.permute(0, 2, 3, 1)

    def _verify_windows(self, images: Floats) -> None:
        """Raise `ModelError` unless the windows give what the whole image gives."""
        expected = self._call(images)[0].reshape(-1, self.classes)
        for _, window in self._parts:
            found = self._call(np.ascontiguousarray(images[:, *window.outer]))[0].reshape(-1, self.classes)
            if not logits_close(found[window.inside], expected[window.members]):
                raise ModelError(
                    f"the model sees further than {self.reach} pixels, or its stride is not {self._stride}: a window "
                    f"gives other logits than the whole image; give a larger reach, or none for whole images"
                )
