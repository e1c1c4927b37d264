"""Squares of pixels that hierarchical noise selects together."""

from dataclasses import dataclass

import numpy as np

from graphcert.core.arguments import whole
from graphcert.core.arrays import Integers


@dataclass(frozen=True)
class Tiles:
    """Squares of pixels that are selected together, for a patch touches few of them (theory, section 6).

    An image of `height` × `width` pixels, row by row, is cut into squares of `size` × `size` from its upper left corner on;
    those at the lower and right border hold what is left. Tiles are numbered row by row.

    Raises:
        InputError: unless all three are whole numbers of at least 1.
    """

    height: int
    width: int
    size: int

    def __post_init__(self) -> None:
        for name in ("height", "width", "size"):
            object.__setattr__(self, name, whole(f"the {name} of tiles", getattr(self, name), 1))

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return -(-self.height // self.size) * -(-self.width // self.size)

    @property
    def of_row(self) -> Integers:
        """(height · width,) the tile of every pixel, row by row."""
        row, column = np.arange(self.height) // self.size, np.arange(self.width) // self.size
        return (row[:, None] * -(-self.width // self.size) + column[None, :]).ravel()
