"""An image as a grid graph: pixels are nodes, channel values are features, neighbouring pixels are joined."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch_geometric.data import Data

from graphcert.core.arguments import whole
from graphcert.errors import InputError
from graphcert.images.image_files import pixel_values
from graphcert.noise import Partition

_STEPS = {4: ((0, 1), (1, 0)), 8: ((0, 1), (1, 0), (1, 1), (1, -1))}
"""Half of the neighbours of a pixel, as (rows down, columns to the right); the other half are their reverses."""


@dataclass(frozen=True)
class GridGraph:
    """The grid graph of images of one size: N = height · width nodes, row by row.

    Attributes:
        height, width: H and W, in pixels.
        neighbourhood: 4 or 8 neighbours of an inner pixel.

    Raises:
        InputError: unless height and width are whole numbers of at least 1 and the neighbourhood is 4 or 8.
    """

    height: int
    width: int
    neighbourhood: int = 4

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            whole(f"the {name} of a grid graph", getattr(self, name), 1)
        if self.neighbourhood not in _STEPS:
            raise InputError(f"the neighbourhood of a pixel is 4 or 8, got {self.neighbourhood!r}")

    @property
    def size(self) -> int:
        """Number of nodes N, one per pixel."""
        return self.height * self.width

    def data(self, image: ArrayLike, mask: ArrayLike | None = None, void: int | Sequence[int] | None = None) -> Data:
        """The graph of one image, for models called as model(x, edge_index).

        Args:
            image: (H, W, C) uint8, or floats in [0, 1].
            mask: (H, W) integers, the true class of every pixel, or −1 where it has none.
            void: the classes of the mask that mean "no label", one or several; they become −1.

        Returns:
            `x` (N, C) float32 in [0, 1], `edge_index` (2, 2E) int64 with both directions of every edge, and with a mask `y`
            (N,) int64.

        Raises:
            InputError: if image or mask have another size or kind.
        """
        data = Data(x=torch.from_numpy(self.nodes(pixel_values(image))), edge_index=torch.from_numpy(self._edges()))
        if mask is not None:
            labels = np.asarray(mask)
            if not np.issubdtype(labels.dtype, np.integer):
                raise InputError(f"a mask holds whole numbers, one class per pixel, got {labels.dtype}")
            labels = self.nodes(labels).astype(np.int64)
            data.y = torch.from_numpy(labels if void is None else np.where(np.isin(labels, void), -1, labels))
        return data

    def _edges(self) -> NDArray[np.int64]:
        """(2, 2E) both directions of every edge."""
        node = np.arange(self.size, dtype=np.int64).reshape(self.height, self.width)
        pairs = []
        for down, right in _STEPS[self.neighbourhood]:
            here = node[: self.height - down, max(0, -right) : self.width - max(0, right)]
            there = node[down:, max(0, right) : self.width + min(0, right)]
            pairs.append(np.stack([here.ravel(), there.ravel()]))
        forward = np.concatenate(pairs, axis=1)
        return np.concatenate([forward, forward[::-1]], axis=1)

    def cells(self, rows: int, columns: int) -> Partition:
        """The partition into rows × columns rectangles of nearly equal size, numbered row by row.

        Blocks are ranked by their ring around a cell (the larger of the distances in rows and in columns of cells), within a
        ring by the distance of the centres in pixels, and among equals by number.

        Raises:
            InputError: unless there are at least as many rows and columns of pixels as of cells.
        """
        for name, count, size in (("rows", rows, self.height), ("columns", columns, self.width)):
            whole(f"the number of {name} of cells", count, 1)
            if count > size:
                raise InputError(f"{count} {name} of cells are more than the image's {size} {name} of pixels")
        row, column = np.divmod(np.arange(rows * columns), columns)
        cell_row = np.arange(self.height) * rows // self.height
        cell_column = np.arange(self.width) * columns // self.width
        ring = np.maximum(_distances(row), _distances(column))
        centre_row, centre_column = _doubled_centres(cell_row)[row], _doubled_centres(cell_column)[column]
        centre = _distances(centre_row) ** 2 + _distances(centre_column) ** 2
        # Whole numbers, and a stable sort: ties go to the smaller number.
        order = np.argsort(ring * (centre.max() + 1) + centre, axis=1, kind="stable")
        rank = np.argsort(order, axis=1)  # the inverse of every row of `order`
        labels = (cell_row[:, None] * columns + cell_column[None, :]).ravel()
        return Partition(labels, rank, f"{rows}×{columns} cells of {self.height}×{self.width} pixels")

    def pixels(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        """Values per node (N, …) as an image (H, W, …); `InputError` for another number of nodes."""
        if values.ndim < 1 or values.shape[0] != self.size:
            raise InputError(f"this grid graph has {self.size} nodes, got values of shape {values.shape}")
        return values.reshape(self.height, self.width, *values.shape[1:])

    def nodes(self, image: NDArray[np.generic]) -> NDArray[np.generic]:
        """The inverse of `pixels`: (H, W, …) as (N, …); `InputError` for another size."""
        if image.shape[:2] != (self.height, self.width):
            size = f"{self.height}×{self.width}"
            raise InputError(f"this grid graph is one of {size} pixels, got an image of shape {image.shape}")
        return image.reshape(self.size, *image.shape[2:])


def _distances(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """(J, J) absolute differences."""
    return np.asarray(np.abs(positions[:, None] - positions[None, :]))


def _doubled_centres(cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Twice the centre of every run of equal numbers in a rising sequence: whole numbers, so that ties are exact."""
    first = np.searchsorted(cell, np.unique(cell), side="left")
    last = np.searchsorted(cell, np.unique(cell), side="right") - 1
    return np.asarray(first + last)
