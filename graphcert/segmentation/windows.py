"""Which part of an image a view needs: its own pixels and all that they can see."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Slices = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Window:
    """A rectangle of an image, and the pixels in it that vote.

    Attributes:
        outer: rows and columns of the rectangle in the image.
        members: (M,) the nodes that vote.
        inside: (M,) their positions in the rectangle, row by row.
    """

    outer: Slices
    members: NDArray[np.int64]
    inside: NDArray[np.int64]

    @cached_property
    def whole(self) -> bool:
        """Whether positions in the rectangle are nodes of the image."""
        return np.array_equal(self.members, self.inside)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the rectangle."""
        rows, columns = self.outer
        return rows.stop - rows.start, columns.stop - columns.start

    @property
    def area(self) -> int:
        """Number of pixels in the rectangle."""
        height, width = self.shape
        return height * width

    @classmethod
    def around(
        cls, members: NDArray[np.int64], height: int, width: int, reach: int | None = None, stride: int = 1
    ) -> "Window":
        """The smallest window that shows all pixels within `reach` of the members; the whole image if `reach` is None.

        It begins at multiples of `stride`, and ends at multiples of it or at the image's border, so that layers which merge
        pixels merge the same ones as in the whole image.

        Args:
            members: (M,) nodes of an image of height × width pixels, at least one.
        """
        row, column = np.divmod(members, width)
        if reach is None:
            rows, columns = slice(0, height), slice(0, width)
        else:
            rows, columns = _extent(row, reach, stride, height), _extent(column, reach, stride, width)
        inside = (row - rows.start) * (columns.stop - columns.start) + (column - columns.start)
        return cls((rows, columns), members, inside)


def _extent(positions: NDArray[np.int64], reach: int, stride: int, size: int) -> slice:
    first, last = int(positions.min()) - reach, int(positions.max()) + reach + 1
    return slice(max(0, first // stride * stride), min(size, -(-last // stride) * stride))
