"""Files of trained networks of parts with what their classes mean. Loading executes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from graphcert.models.segmenter_files import Colour3, check_segmenter, read_segmenter, write_segmenter
from graphcert.points.networks import NETWORKS, EdgeConvParts, PointNetParts

_FORMAT = "graphcert-points-1"
_COUNTS = ("classes", "width", "columns")


@dataclass(frozen=True, eq=False)
class PointSegmenter:
    """A network of points and what its outputs mean.

    Attributes:
        model: in evaluation mode.
        names, palette: of the K parts.
        sigma: the largest deviation of Gaussian noise that it was trained with, 0 without.
        training: how it was trained, as plain values.

    Raises:
        InputError: unless there is one name and one colour per class.
    """

    model: PointNetParts | EdgeConvParts
    names: tuple[str, ...]
    palette: tuple[Colour3, ...]
    sigma: float
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_segmenter(self)

    @property
    def network(self) -> str:
        """The name of the network in `NETWORKS`."""
        return next(name for name, kind in NETWORKS.items() if type(self.model) is kind)

    def save(self, path: Path) -> None:
        """Write everything atomically; `DataError` if the file cannot be written."""
        shape = {name: getattr(self.model, name) for name in (*_COUNTS, *_further(self.network))}
        write_segmenter(self, path, _FORMAT, {"network": self.network, **shape})

    @classmethod
    def load(cls, path: Path) -> "PointSegmenter":
        """Read a file that `save` wrote; only tensors and plain containers are read.

        Raises:
            DataError: if the file is missing, damaged, altered, too large for memory, not one of such a network, or has
                weights that are NaN, infinite or subnormal.
        """
        return read_segmenter(
            path, _FORMAT, "a network of points", "graphcert points train", _COUNTS, (), _network, cls._of
        )  # fmt: skip

    @classmethod
    def _of(cls, model: nn.Module, meaning: dict[str, Any], content: dict[str, Any]) -> "PointSegmenter":
        assert isinstance(model, (PointNetParts, EdgeConvParts))
        return cls(model, **meaning)


def _further(network: str) -> tuple[str, ...]:
    """What makes a network beside its counts, and no weight has the shape of."""
    return ("k",) if NETWORKS[network] is EdgeConvParts else ()


def _network(shape: Mapping[str, Any]) -> nn.Module:
    names = (*_COUNTS, *_further(shape["network"]))
    return NETWORKS[shape["network"]](**{name: shape[name] for name in names})
