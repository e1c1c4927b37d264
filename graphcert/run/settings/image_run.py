"""The settings of a run over images, their domain, and their TOML form."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from graphcert.core.arguments import half_open, real
from graphcert.errors import DataError, InputError
from graphcert.noise import Gaussian, Smoothing
from graphcert.run.settings.stages import MOST_SAMPLES, norm_values
from graphcert.run.settings.typed import check_types, option, read_toml, setting
from graphcert.statistics import check_errors, check_level, check_sample_size

LATTICE = 1 / 255
"""The step of 8-bit images whose values are scaled to [0, 1]."""
UNET = "unet"
"""In place of a file: train a U-Net."""
_STEPS, _STEPS_PER_SIGMA = 18, 8
"""Without budgets the curves go so many eighths of the largest deviation: beyond that few samples prove anything."""
_NEIGHBOURS, _NAMES = 20, ("holm", "bonferroni")


@dataclass(frozen=True)
class SegmentSettings:
    """What to certify, and how.

    Norms and deviations are in units of pixel values in [0, 1]. `model` is the file of a network (`Segmenter`), or "unet" to
    train one under noise up to the largest deviation; `sigma` is (near, far) with cells, and the noise where the distance
    to the training images is average with an elasticity. `budgets` ascend; none stand for steps of an eighth of the largest
    deviation. `void` adds to the void labels of the network.

    Raises:
        InputError: if a value is out of its domain or two do not fit together.
    """

    images: str = field(metadata=option("Folder of images."))
    model: str = field(
        metadata=option('File of a network from `graphcert segment train`; "unet" trains one first, with --train-….')
    )
    sigma: tuple[float, ...] = field(
        metadata=option("Deviation of the noise, pixel values in [0, 1]; near:far with --cells.", metavar="SIGMA")
    )
    masks: str | None = setting(None, "Folder of masks of the same names: one 8-bit class per pixel.")
    cells: tuple[int, int] | None = setting(
        None, "Cells of localized noise, rows × columns such as 3x5.", metavar="ROWSxCOLUMNS"
    )
    train_images: str | None = setting(None, "Training images, for --model unet and --elasticity.")
    train_masks: str | None = setting(None, "Their masks, for --model unet.")
    val_images: str | None = setting(None, "Images that choose the weights to keep.")
    val_masks: str | None = setting(None, "Their masks.")
    steps: int | None = setting(None, "Steps of training, for --model unet (default: 2000).")
    elasticity: float | None = setting(
        None, "r of noise that grows with the distance to the training images, such as 0.003; see the docs."
    )
    neighbours: int | None = setting(None, "Training images whose distances count, with --elasticity (default: 20).")
    lattice: bool = setting(True, "Noise in whole 8-bit steps (default): exact claims.", "--lattice/--no-lattice")
    samples: int = setting(1000, "Noisy images that bound probabilities (default: 1000).")
    pilot_samples: int = setting(100, "Noisy images that choose classes (default: 100).")
    tau: float = setting(0.75, "τ of SegCertify, from 1/2 to 1 (default: 0.75).")
    alpha: float = setting(0.01, "Error rate of each family of claims, per image.")
    method: str = setting("holm", "SegCertify by holm (default) or bonferroni.")
    errors: int = setting(0, "Wrong claims of SegCertify to tolerate per image.")
    budgets: tuple[float, ...] = setting((), 'ℓ2 norms of the curves: "0.1,0.2,0.5" or first:last:step "0:1:0.1".')
    collective: bool = setting(True, "Certify all pixels together (with --cells).", "--collective/--alone")
    compare: bool = setting(False, "Also vote under isotropic noise at equal pixel accuracy.", "--compare")
    limit: int | None = setting(None, "Only the first so many images by name.")
    void: tuple[int, ...] = setting(
        (), "Labels of masks that say nothing: 255, or 11,255; may be repeated.", "--void", "--ignore", kind=list[str]
    )
    seed: int = setting(0, "Of the noise; same seed, same result.")

    def __post_init__(self) -> None:
        given: object = self.sigma
        if isinstance(given, Real):
            object.__setattr__(self, "sigma", (given,))
        check_types(self, "segment")
        for name in ("sigma", "budgets"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        from graphcert.images.image_files import void_labels  # torch, which a command line without a run does not need

        object.__setattr__(self, "void", void_labels(self.void))
        if self.void and self.masks is None:
            raise InputError("void labels are labels of masks, and there are none; give --masks, or leave --void out")
        self._check_noise()
        self._check_elasticity()
        self._check_training()
        check_level(self.alpha)
        check_errors(self.errors)
        half_open("tau", self.tau, 0.5, 1)
        for name in ("samples", "pilot_samples", "limit", "steps", "neighbours"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MOST_SAMPLES:
                raise InputError(f"{name} must be a whole number from 1 to {MOST_SAMPLES:,}, got {value!r}")
        if self.method not in _NAMES:
            raise InputError(f"the method of SegCertify is one of {', '.join(_NAMES)}, got {self.method!r}")
        if any(a >= b for a, b in pairwise((-math.ulp(0), *self.budgets))):
            raise InputError(f"the budgets must be ascending ℓ2 norms of at least 0, got {self.budgets!r}")
        if self.compare and (self.cells is None or self.masks is None):
            raise InputError("a comparison at equal accuracy needs localized noise and masks; give --cells and --masks")

    @property
    def localized(self) -> bool:
        """Whether pixels of different cells are classified under different noise."""
        return self.cells is not None

    def _check_noise(self) -> None:
        for deviation in self.sigma:
            Gaussian(deviation)
        if self.cells is not None:
            object.__setattr__(self, "cells", tuple(self.cells))
            if min(self.cells) < 1 or self.cells == (1, 1):
                raise InputError(f"cells are rows × columns such as 3x5, more than one in all, got {self.cells!r}")
        if len(self.sigma) != (1 if self.cells is None else 2):
            raise InputError(
                "isotropic noise has one sigma, localized noise has near:far and --cells ROWSxCOLUMNS; got "
                f"sigma {':'.join(f'{deviation:g}' for deviation in self.sigma)} and cells {self.cells}"
            )
        near, far = self.sigma[0], self.sigma[-1]
        if near > far:
            raise InputError(f"localized noise rises with the distance: near ≤ far, got {near:g}:{far:g}")

    def _check_training(self) -> None:
        """Folders for training are there if and only if they are needed."""
        given = {name: getattr(self, name) for name in ("train_masks", "val_images", "val_masks", "steps")}
        if self.model == UNET:
            if self.train_images is None or self.train_masks is None:
                raise InputError("training a U-Net needs --train-images and --train-masks; or name a file with --model")
            if (self.val_images is None) != (self.val_masks is None):
                raise InputError("validation needs both --val-images and --val-masks")
            return
        if self.train_images is not None and self.elasticity is None:
            given["train_images"] = self.train_images
        unused = [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]
        if unused:
            raise InputError(f"{', '.join(unused)} would train a network, but --model names a file; use --model unet")

    def _check_elasticity(self) -> None:
        if self.elasticity is None:
            if self.neighbours is not None:
                raise InputError("neighbours say how noise depends on the image; give --elasticity too")
            return
        if self.cells is not None:
            raise InputError("noise that depends on the image is isotropic; give --elasticity or --cells, not both")
        if self.train_images is None:
            raise InputError("noise that depends on the image is measured from training images; give --train-images")
        object.__setattr__(self, "elasticity", real("the elasticity", self.elasticity, 0))
        object.__setattr__(self, "neighbours", _NEIGHBOURS if self.neighbours is None else self.neighbours)

    def training_folders(self) -> tuple[tuple[str, str], tuple[str, str] | None]:
        """(images, masks) to train with, and those to validate with or None; for the model "unet"."""
        assert self.train_images is not None
        assert self.train_masks is not None
        held_out = None if self.val_images is None or self.val_masks is None else (self.val_images, self.val_masks)
        return (self.train_images, self.train_masks), held_out

    def smoothing(self, height: int, width: int, sigma: float | None = None) -> Smoothing:
        """The noise for images of one size; levels rise linearly from the own cell to the farthest one.

        `sigma` is the deviation of isotropic noise on this image, where it depends on the image.
        """
        if self.cells is None:
            return isotropic(self.sigma[0] if sigma is None else sigma, self.lattice)
        from graphcert.images import GridGraph

        partition = GridGraph(height, width).cells(*self.cells)
        levels = np.linspace(self.sigma[0], self.sigma[1], partition.clusters).tolist()
        return Smoothing(features=tuple(_law(level, self.lattice) for level in levels), partition=partition)

    def norms(self) -> tuple[float, ...]:
        """The ℓ2 norms of the curves, 0 first."""
        given = self.budgets or tuple(k * self.sigma[-1] / _STEPS_PER_SIGMA for k in range(_STEPS + 1))
        return given if given[0] == 0 else (0.0, *given)

    def check_samples(self, pixels: int) -> None:
        """Refuse so few samples that nothing could be claimed about images of so many pixels."""
        check_sample_size(self.samples, self.alpha, pixels)
        share = (self.errors + 1) / pixels
        needed = math.ceil(math.log(self.alpha * share) / math.log(self.tau)) if self.tau < 1 else 0
        if self.samples < needed:
            raise InputError(
                f"{self.samples} samples cannot show that a class has a probability above tau = {self.tau:g} at "
                f"{pixels:,} pixels together; take at least {needed}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values without None."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SegmentSettings":
        """Rebuild from `to_dict`; lists stand for tuples, and budgets may be a text such as "0:1:0.1"."""
        known = {setting.name for setting in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"unknown settings: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        for name in ("images", "model", "sigma"):
            if name not in values:
                raise InputError(f"the setting {name} is missing; give it in the file or as --{name}")
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        if isinstance(plain.get("budgets"), str):
            plain["budgets"] = norm_values("budgets", plain["budgets"])
        return cls(**plain)


def read_settings(path: Path) -> dict[str, Any]:
    """The [segment] section of a TOML file; `DataError` if there is no file, or no such section alone in it."""
    values = read_toml(path, f"there is no file of settings at {path}")
    section = values.get("segment")
    if not isinstance(section, dict) or len(values) != 1:
        raise DataError(f"{path} must have one section [segment] and nothing else")
    return section


def isotropic(sigma: float, lattice: bool) -> Smoothing:
    """The same noise for all pixels."""
    return Smoothing(features=_law(sigma, lattice))


def _law(sigma: float, lattice: bool) -> Gaussian:
    return Gaussian(sigma, LATTICE if lattice else None)
