"""Files of trained U-Nets with what their classes mean, names and colours. Loading executes nothing."""

import colorsys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from graphcert.core.arguments import real
from graphcert.core.reading import damage_refused
from graphcert.errors import DataError, InputError
from graphcert.images.image_files import Void, void_labels
from graphcert.images.unet import UNet
from graphcert.models.checkpoint import built_like, model_fingerprint, read_tensors, write_tensors

Colour3 = tuple[int, int, int]

CAMVID = {
    "sky": (129, 183, 222), "building": (122, 108, 103), "pole": (214, 204, 160), "road": (96, 88, 122),
    "pavement": (203, 150, 189), "tree": (98, 148, 74), "sign": (240, 200, 60), "fence": (178, 132, 92),
    "car": (46, 84, 164), "pedestrian": (214, 66, 74), "bicyclist": (240, 138, 52),
}  # fmt: skip
"""The eleven classes of CamVid (Brostow et al. 2009) in the order of the usual masks, where 11 is void."""

_TURN = 0.61803398875
"""Hues that are so far apart never come close to each other."""


def colours(names: tuple[str, ...]) -> tuple[Colour3, ...]:
    """One colour per class: the usual one for the classes of CamVid, otherwise hues that are easy to tell apart."""
    return tuple(CAMVID.get(name) or _hue(k) for k, name in enumerate(names))


def _hue(k: int) -> Colour3:
    red, green, blue = colorsys.hls_to_rgb((0.58 + k * _TURN) % 1, (0.42, 0.58, 0.5)[k % 3], (0.55, 0.5)[k % 2])
    return round(255 * red), round(255 * green), round(255 * blue)


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
        for kind, given in (("names", self.names), ("colours", self.palette)):
            if len(given) != self.model.classes:
                raise InputError(f"the network knows {self.model.classes} classes, but there are {len(given)} {kind}")
        if not all(isinstance(name, str) for name in self.names):
            raise InputError("the names of classes must be text")
        if not all(0 <= part <= 255 for colour in self.palette for part in colour):
            raise InputError("the colours of classes must be numbers from 0 to 255")
        object.__setattr__(self, "ignore", void_labels(self.ignore))
        real("the deviation of noise in training", self.sigma, 0)

    def save(self, path: Path) -> None:
        """Write everything atomically; `DataError` if the file cannot be written."""
        content = {
            "format": _FORMAT, "shape": {name: getattr(self.model, name) for name in _SHAPE},
            "state": self.model.state_dict(), "sha256": model_fingerprint(self.model),
            "names": list(self.names), "palette": [list(colour) for colour in self.palette],
            "ignore": list(void_labels(self.ignore)), "sigma": float(self.sigma), "training": self.training,
        }  # fmt: skip
        write_tensors(path, content)

    @classmethod
    def load(cls, path: Path) -> "Segmenter":
        """Read a file that `save` wrote; only tensors and plain containers are read.

        Raises:
            DataError: if the file is missing, damaged, altered, too large for memory, not one of a U-Net, or has weights
                that are NaN, infinite or subnormal.
        """
        content = read_tensors(path, _FORMAT, "network", "no file of a U-Net", "graphcert segment train")
        with damage_refused(f"{path} does not describe a U-Net that this version can build", "train it again"):
            shape = {name: content["shape"][name] for name in _SHAPE}
            model = built_like(content["state"], shape, ("depth", "context"), lambda: UNet(**shape))
            assert isinstance(model, UNet)
            if not (model.deviation > 0).all():
                raise ValueError("a deviation of pixel values is not above 0")
            expected = content["sha256"]
            palette = tuple((int(r), int(g), int(b)) for r, g, b in content["palette"])
            names, ignore, sigma = tuple(content["names"]), content["ignore"], float(content["sigma"])
            found = cls(model.eval(), names, palette, ignore, sigma, dict(content["training"]))
        if model_fingerprint(model) != expected:
            raise DataError(f"{path} was altered: its weights do not have the sha256 {expected!s:.64}; train it again")
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return found
