"""Files of trained U-Nets with what their classes mean. Loading executes nothing."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from graphcert.core.reading import damage_refused
from graphcert.errors import DataError, InputError
from graphcert.models.checkpoint import model_fingerprint
from graphcert.models.tensor_files import built_like, read_tensors, write_tensors
from graphcert.segmentation.palette import Colour3
from graphcert.segmentation.unet import UNet
from graphcert.segmentation.void import Void, void_labels

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

    Raises:
        InputError: if names and colours do not fit the network, or a value is outside its domain.
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
        if not 0 <= self.sigma < math.inf:
            raise InputError(
                f"the deviation of noise in training must be a finite number of at least 0, got {self.sigma!r}"
            )

    def save(self, path: Path) -> None:
        """Write everything atomically.

        Raises:
            DataError: if the file cannot be written.
        """
        content = {
            "format": _FORMAT,
            "shape": {name: getattr(self.model, name) for name in _SHAPE},
            "state": self.model.state_dict(),
            "sha256": model_fingerprint(self.model),
            "names": list(self.names),
            "palette": [list(colour) for colour in self.palette],
            "ignore": list(void_labels(self.ignore)),
            "sigma": float(self.sigma),
            "training": self.training,
        }
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
