"""Files of trained U-Nets with what their classes mean, names and colours. Loading executes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graphcert.images.image_files import Void, void_labels
from graphcert.images.unet import UNet
from graphcert.models.segmenter_files import Colour3, check_segmenter, read_segmenter, write_segmenter
from graphcert.models.segmenter_files import colours as told_apart

CAMVID = {
    "sky": (129, 183, 222), "building": (122, 108, 103), "pole": (214, 204, 160), "road": (96, 88, 122),
    "pavement": (203, 150, 189), "tree": (98, 148, 74), "sign": (240, 200, 60), "fence": (178, 132, 92),
    "car": (46, 84, 164), "pedestrian": (214, 66, 74), "bicyclist": (240, 138, 52),
}  # fmt: skip
"""The eleven classes of CamVid (Brostow et al. 2009) in the order of the usual masks, where 11 is void."""


def colours(names: tuple[str, ...]) -> tuple[Colour3, ...]:
    """One colour per class: the usual one for the classes of CamVid, otherwise hues that are easy to tell apart."""
    return told_apart(names, CAMVID)


_FORMAT = "graphcert-unet-1"
_SHAPE = ("channels", "classes", "width", "depth", "context", "cell")


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A network and what its outputs mean.

    Attributes:
        model: in evaluation mode; its normalisation of pixel values is part of it.
        names, palette: of the K classes.
        ignore: the void labels, values of masks that say nothing; one, several or none, kept in ascending order.
        sigma: the largest deviation of noise that it was trained with.
        training: how it was trained, as plain values.
    """

    model: UNet
    names: tuple[str, ...]
    palette: tuple[Colour3, ...]
    ignore: Void
    sigma: float
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_segmenter(self)
        object.__setattr__(self, "ignore", void_labels(self.ignore))

    def save(self, path: Path) -> None:
        """Write everything atomically; `DataError` if the file cannot be written."""
        shape = {name: getattr(self.model, name) for name in _SHAPE}
        write_segmenter(self, path, _FORMAT, shape, ignore=list(void_labels(self.ignore)))

    @classmethod
    def load(cls, path: Path) -> "Segmenter":
        """Read a file that `save` wrote; only tensors and plain containers are read.

        Raises:
            DataError: if the file is missing, damaged, altered, too large for memory, not one of a U-Net, or has weights
                that are NaN, infinite or subnormal.
        """
        found = read_segmenter(
            path, _FORMAT, "a U-Net", "graphcert segment train", _SHAPE, ("depth", "context"), _unet, cls._of
        )  # fmt: skip
        found.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return found

    @classmethod
    def _of(cls, model: nn.Module, meaning: dict[str, Any], content: dict[str, Any]) -> "Segmenter":
        assert isinstance(model, UNet)
        if not (model.deviation > 0).all():
            raise ValueError("a deviation of pixel values is not above 0")
        return cls(model, ignore=content["ignore"], **meaning)


def _unet(shape: Mapping[str, Any]) -> UNet:
    return UNet(**{name: shape[name] for name in _SHAPE})
