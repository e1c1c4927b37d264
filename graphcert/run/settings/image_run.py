"""The settings of a run over images, their domain, and their TOML form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from graphcert.core.arguments import real
from graphcert.errors import InputError
from graphcert.noise import Ablation, Gaussian, Hierarchical, Law, Selected, Smoothing, Tiles
from graphcert.run.settings.inputs import check_ascending, check_claims, check_deviations, check_enough, from_plain
from graphcert.run.settings.stages import budget_values
from graphcert.run.settings.typed import check_types, option, read_section, setting

LATTICE = 1 / 255
"""The step of 8-bit images whose values are scaled to [0, 1]."""
UNET = "unet"
"""In place of a file: train a U-Net."""
_STEPS, _STEPS_PER_SIGMA = 18, 8
"""Without budgets the curves go so many eighths of the largest deviation: beyond that few samples prove anything."""
_LARGEST_TILE = 2**16
_NEIGHBOURS = 20


@dataclass(frozen=True)
class SegmentSettings:
    """What to certify, and how.

    Norms and deviations are in units of pixel values in [0, 1]. `model` is the file of a network (`Segmenter`), or "unet" to
    train one under noise up to the largest deviation; `sigma` is (near, far) with cells, and the noise where the distance
    to the training images is average with an elasticity. `budgets` ascend; none stand for steps of an eighth of the largest
    deviation. `void` adds to the void labels of the network.

    With `select`, one probability or (near, far) with cells, only selected pixels are noised, or tiles of `tile` × `tile`
    pixels together (theory, section 6; Scholten et al. 2023); `ablate` likewise hides them instead, and then there is no
    `sigma`. `touched` are the numbers of pixels, or tiles, that an adversary may change, ascending.

    Raises:
        InputError: if a value is out of its domain or two do not fit together.
    """

    images: str = field(metadata=option("Folder of images."))
    model: str = field(
        metadata=option('File of a network from `graphcert segment train`; "unet" trains one first, with --train-….')
    )
    sigma: tuple[float, ...] = setting(
        (), "Deviation of the noise, pixel values in [0, 1]; near:far with --cells.", metavar="SIGMA"
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
    select: tuple[float, ...] | None = setting(
        None, "Hierarchical noise: probability that a pixel is noised; near:far with --cells.", metavar="RATE"
    )
    ablate: tuple[float, ...] | None = setting(
        None,
        "Ablation: probability that a pixel is hidden, in place of --sigma; near:far with --cells.",
        metavar="RATE",
    )
    tile: int | None = setting(None, "Select tiles of so many × so many pixels together (with --select or --ablate).")
    touched: tuple[int, ...] | None = setting(
        None, 'Pixels, or tiles, that an adversary may touch: "2", "1:3" or "1,2,5" (default: 1:3).', metavar="PIXELS"
    )

    def __post_init__(self) -> None:
        for name in ("sigma", "select", "ablate", "touched"):
            given: object = getattr(self, name)
            if isinstance(given, Real):
                object.__setattr__(self, name, (given,))
        check_types(self, "segment")
        for name in ("sigma", "budgets"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        self._check_rows()
        from graphcert.images.image_files import void_labels  # torch, which a command line without a run does not need

        object.__setattr__(self, "void", void_labels(self.void))
        if self.void and self.masks is None:
            raise InputError("void labels are labels of masks, and there are none; give --masks, or leave --void out")
        self._check_noise()
        self._check_elasticity()
        self._check_training()
        check_claims(self, ("samples", "pilot_samples", "limit", "steps", "neighbours"))
        check_ascending(self.budgets, "ℓ2 norms")
        if self.compare and (self.cells is None or self.masks is None):
            raise InputError("a comparison at equal accuracy needs localized noise and masks; give --cells and --masks")

    @property
    def localized(self) -> bool:
        """Whether pixels of different cells are classified under different noise."""
        return self.cells is not None

    @property
    def chosen(self) -> tuple[float, ...] | None:
        """The probabilities with which pixels, or tiles, are noised or hidden; None if every pixel is noised."""
        return self.select if self.ablate is None else self.ablate

    def _check_rows(self) -> None:
        """What selects pixels fits together, and nothing is given that could not be used."""
        if self.chosen is None:
            unused = [name for name in ("tile", "touched") if getattr(self, name) is not None]
            if unused:
                raise InputError(f"{unused[0]} is about selected pixels; give --select or --ablate with it")
            return
        option = "select" if self.ablate is None else "ablate"
        if self.select is not None and self.ablate is not None:
            raise InputError("pixels are noised or hidden; give --select (with --sigma) or --ablate, not both")
        for name in ("elasticity", "compare"):
            if getattr(self, name):
                raise InputError(f"{name} is about noise in every pixel; leave it out with --{option}")
        rates = tuple(float(rate) for rate in self.chosen)
        object.__setattr__(self, option, rates)
        for rate in rates:
            Selected(rate, Gaussian(1.0))
        if len(rates) not in (1, 1 if self.cells is None else 2) or rates[0] > rates[-1]:
            raise InputError(
                f"--{option} is one probability, or near:far with --cells and near ≤ far, got "
                f"{':'.join(f'{rate:g}' for rate in rates)} and cells {self.cells}"
            )
        if self.tile is not None:
            if not 1 <= self.tile <= _LARGEST_TILE:
                raise InputError(f"tile must be a whole number from 1 to {_LARGEST_TILE:,}, got {self.tile!r}")
            if len(rates) > 1:
                raise InputError(
                    f"a tile may lie in several cells, so tiles have one probability; give one to --{option}"
                )
        touched = (1, 2, 3) if self.touched is None else tuple(self.touched)
        if not touched or any(a >= b for a, b in pairwise((0, *touched))):
            raise InputError(f"touched must be ascending whole numbers of at least 1, one or several, got {touched!r}")
        object.__setattr__(self, "touched", touched)
        if self.ablate is not None:
            if self.sigma or self.budgets or not self.lattice:
                raise InputError("hidden pixels may change at will; leave --sigma, --budgets and --no-lattice out")
            if self.cells is not None and len(rates) == 1:
                raise InputError(
                    "hidden pixels are the same for all cells under one probability; give --ablate near:far"
                )

    def _check_noise(self) -> None:
        for deviation in self.sigma:
            Gaussian(deviation)
        if self.cells is not None:
            object.__setattr__(self, "cells", tuple(self.cells))
            if min(self.cells) < 1 or self.cells == (1, 1):
                raise InputError(f"cells are rows × columns such as 3x5, more than one in all, got {self.cells!r}")
        if self.ablate is None:
            check_deviations(self.sigma, self.cells, "ROWSxCOLUMNS")

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

    def smoothing(self, height: int, width: int, sigma: float | None = None) -> Smoothing | Hierarchical:
        """The noise for images of one size; levels rise linearly from the own cell to the farthest one.

        `sigma` is the deviation of isotropic noise on this image, where it depends on the image.
        """
        if self.cells is None:
            clusters, partition = 1, None
        else:
            from graphcert.images import GridGraph

            partition = GridGraph(height, width).cells(*self.cells)
            clusters = partition.clusters
        laws: tuple[Law, ...] = (Ablation(),) * clusters
        if self.ablate is None:
            near, far = (self.sigma[0], self.sigma[-1]) if sigma is None or clusters > 1 else (sigma, sigma)
            laws = tuple(_law(level, self.lattice) for level in np.linspace(near, far, clusters).tolist())
        lower = Smoothing(features=laws if clusters > 1 else laws[0], partition=partition)
        if self.chosen is None:
            return lower
        tiles = None if self.tile is None else Tiles(height, width, self.tile)
        rates = np.linspace(self.chosen[0], self.chosen[-1], clusters).tolist()
        return Hierarchical(rates if len(self.chosen) > 1 else rates[0], lower, tiles)

    def limits(self) -> tuple[int, ...]:
        """How many pixels, or tiles, may be touched, for each of which there are claims; () where none is selected.

        Where touched ones may change at will, 0 comes first.
        """
        return (0,) * (self.ablate is not None) + (self.touched or ())

    def norms(self) -> tuple[float, ...]:
        """The ℓ2 norms of the curves, 0 first; () where touched pixels may change at will."""
        if self.ablate is not None:
            return ()
        given = self.budgets or tuple(k * self.sigma[-1] / _STEPS_PER_SIGMA for k in range(_STEPS + 1))
        return given if given[0] == 0 else (0.0, *given)

    def check_samples(self, pixels: int) -> None:
        """Refuse so few samples that nothing could be claimed about images of so many pixels."""
        check_enough(self, pixels, "pixels")

    def to_dict(self) -> dict[str, Any]:
        """Plain values without None."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "SegmentSettings":
        """Rebuild from `to_dict`; lists stand for tuples, and budgets may be a text such as "0:1:0.1"."""
        touched, needed = values.get("touched"), ("images", "model")
        if isinstance(touched, str):
            values = {**values, "touched": budget_values("touched", touched)}
        return from_plain(cls, values, needed if values.get("ablate") is not None else (*needed, "sigma"))


def read_settings(path: Path) -> dict[str, Any]:
    """The [segment] section of a TOML file; `DataError` if there is no file, or no such section alone in it."""
    return read_section(path, "segment")


def isotropic(sigma: float, lattice: bool) -> Smoothing:
    """The same noise for all pixels."""
    return Smoothing(features=_law(sigma, lattice))


def _law(sigma: float, lattice: bool) -> Gaussian:
    return Gaussian(sigma, LATTICE if lattice else None)
