"""What is claimed about clouds of points, in rows of results.csv."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from graphcert.core.arrays import Floats
from graphcert.noise import Rotation
from graphcert.report.images.claims import ClaimSettings, ImageClaims, result_rows, table_text
from graphcert.tradeoff.rotation import certified_turn


class PointSettings(ClaimSettings, Protocol):
    """The part of the settings of a run that its report speaks about; those of the run explain them."""

    @property
    def sigma(self) -> tuple[float, ...]:
        """Standard deviations of the noise of coordinates; (near, far) with cells."""

    @property
    def cells(self) -> int | None:
        """How many cells localized noise has."""

    @property
    def turns(self) -> Rotation | None:
        """The noise of turns; None under noise of coordinates."""

    @property
    def turn_sigma(self) -> float | None:
        """Its deviation in degrees."""

    @property
    def up(self) -> str:
        """The upright axis."""

    @property
    def trained(self) -> bool:
        """Whether the run trained its network."""

    def sizes(self) -> tuple[float, ...]:
        """The budgets of the curves, 0 first: ℓ2 norms, or degrees of turns."""

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values without None."""


_NAMES = {
    "image": "shape", "sigma": "sigma", "budget": "budget", "claim": "claim", "pixels": "points", "labelled": "labelled",
    "pixel_accuracy": "accuracy", "miou": "miou", "abstained": "abstained", "certified": "certified",
    "certified_accuracy": "certified_accuracy", "certified_miou": "certified_miou",
    "together_certified": "together_certified", "together_accuracy": "together_accuracy", "together_miou": "together_miou",
}  # fmt: skip
"""What the columns of images are called here."""
HEADER = ("shape", "kind", *list(_NAMES.values())[1:3], "degrees", *list(_NAMES.values())[3:])


def points_table(claims: Sequence[ImageClaims], kinds: Sequence[str], settings: PointSettings, classes: int) -> str:
    """CSV text, as `result_rows` explains; `kinds` are those of the shapes.

    Budgets are shifts of the noise. Under turns there are degrees too: those that were asked for, whose shift is rounded up,
    and what SegCertify's radius stands for, rounded down.
    """
    return table_text(HEADER, _rows(claims, kinds, settings, classes))


def _rows(
    claims: Sequence[ImageClaims], kinds: Sequence[str], settings: PointSettings, classes: int
) -> Iterator[dict[str, Any]]:
    turns, sizes = settings.turns, settings.sizes()
    for k, row in enumerate(result_rows(claims, settings, classes)):
        shape, place = divmod(k, 1 + len(sizes))
        found = {_NAMES[name]: value for name, value in row.items()} | {"kind": kinds[shape]}
        if turns is not None:
            found["degrees"] = sizes[place - 1] if place else degrees_of(row["budget"], turns)
        yield found


def degrees_of(shift: float | Floats, turns: Rotation) -> float:
    """The turn in degrees that is certified by a shift, rounded down."""
    return float(np.asarray(certified_turn(shift, turns)))
