"""The settings of a run over clouds of points, their domain, and their TOML form."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from graphcert.core.arguments import one_of
from graphcert.core.arrays import Floats
from graphcert.errors import InputError
from graphcert.noise import Gaussian, Rotation, Smoothing
from graphcert.run.settings.inputs import check_ascending, check_claims, check_deviations, check_enough, from_plain
from graphcert.run.settings.typed import check_types, read_section, setting
from graphcert.tradeoff.rotation import turn_shift

NETWORKS = ("pointnet", "edgeconv")
"""In place of a file: train one of these."""
AXIS, SPACE = "axis", "space"
_STEPS, _STEPS_PER_SIGMA = 18, 8
"""Without budgets the curves go so many eighths of the largest deviation: beyond that few samples prove anything."""
_MOST_POINTS = 100_000
_TRAIN_SHAPES = 400


@dataclass(frozen=True)
class PointSettings:
    """What to certify about clouds of points, and how.

    Coordinates, norms and deviations are in units of the sphere that every cloud is scaled into before anything else. The
    clouds are `shapes` generated ones or those of the folder `input`. `model` is the file of a network, or the name of one
    to train, under noise up to the largest deviation. `sigma` is (near, far) with cells. `turn_sigma` is the
    deviation of the angle, in degrees: about the upright axis, or about any axis to first order (`Rotation` in space has
    σ = √2 times it in radians). `budgets` ascend: norms, or degrees of turns; none stand for steps of an eighth of the
    largest deviation.

    Raises:
        InputError: if a value is out of its domain or two do not fit together.
    """

    shapes: int | None = setting(None, "Certify so many generated shapes.")
    input: str | None = setting(
        None, "Folder of clouds of points with their parts, in place of --shapes; see the docs."
    )
    model: str = setting(
        "pointnet",
        'File of a network from `graphcert points train`; "pointnet" (default) or "edgeconv" trains one first.',
    )
    sigma: tuple[float, ...] = setting(
        (), "Deviation of noise on coordinates, in units of the sphere; near:far with --cells.", metavar="SIGMA"
    )
    rotation: str | None = setting(
        None, "Turns in place of --sigma: axis (about the upright one) or space (about any).", metavar="axis|space"
    )
    turn_sigma: float | None = setting(None, "Deviation of the random turn in degrees, with --rotation.")
    up: str = setting("z", "The upright axis: x, y or z (default; ShapeNet has y).")
    cells: int | None = setting(None, "Cells of localized noise: so many k-means clusters of the points.")
    points: int = setting(1024, "Points of every cloud (default: 1024).")
    limit: int | None = setting(None, "Only so many clouds of --input, chosen at random by the seed.")
    train_shapes: int | None = setting(None, f"Generated shapes to train with (default: {_TRAIN_SHAPES}).")
    train_input: str | None = setting(None, "Folder of clouds to train with, for --input.")
    steps: int | None = setting(None, "Steps of training (default: those of the network).")
    samples: int = setting(1000, "Noisy clouds that bound probabilities (default: 1000).")
    pilot_samples: int = setting(100, "Noisy clouds that choose parts (default: 100).")
    tau: float = setting(0.75, "τ of SegCertify, from 1/2 to 1 (default: 0.75).")
    alpha: float = setting(0.01, "Error rate of each family of claims, per cloud.")
    method: str = setting("holm", "SegCertify by holm (default) or bonferroni.")
    errors: int = setting(0, "Wrong claims of SegCertify to tolerate per cloud.")
    budgets: tuple[float, ...] = setting(
        (), 'ℓ2 norms, or degrees, of the curves: "0.1,0.2" or first:last:step "0:1:0.1".'
    )
    collective: bool = setting(True, "Certify all points together (with --cells).", "--collective/--alone")
    seed: int = setting(0, "Of shapes, network and noise; same seed, same result.")

    def __post_init__(self) -> None:
        given: object = self.sigma
        if isinstance(given, Real):
            object.__setattr__(self, "sigma", (given,))
        check_types(self, "points")
        for name in ("sigma", "budgets"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        check_claims(self, ("samples", "pilot_samples", "limit", "steps", "shapes", "train_shapes"))
        if not 0 <= self.seed < 2**32:
            raise InputError(f"the seed must be a whole number from 0 to 2^32 − 1, got {self.seed!r}")
        if not 2 <= self.points <= _MOST_POINTS:
            raise InputError(f"a cloud has from 2 to {_MOST_POINTS:,} points, got {self.points}")
        one_of("the upright axis", self.up, ("x", "y", "z"))
        self._check_source()
        self._check_noise()
        check_ascending(self.budgets, "ℓ2 norms" if self.rotation is None else "degrees")
        if self.rotation is not None and self.budgets and self.budgets[-1] > 180:
            raise InputError(f"turns are budgets of 0 to 180 degrees, got {self.budgets[-1]:g}")
        if not self.collective and self.cells is None:
            raise InputError("--alone leaves out what is certified together, which only --cells does; leave it out")

    @property
    def trained(self) -> bool:
        """Whether the network is trained by this run."""
        return self.model in NETWORKS

    @property
    def localized(self) -> bool:
        """Whether points of different cells are classified under different noise."""
        return self.cells is not None

    @property
    def elasticity(self) -> float | None:
        """No noise here depends on the cloud."""
        return None

    @property
    def turns(self) -> Rotation | None:
        """The noise of turns; None under noise of coordinates."""
        if self.rotation is None or self.turn_sigma is None:
            return None
        radians = math.radians(self.turn_sigma)
        return Rotation(radians, self.up) if self.rotation == AXIS else Rotation(math.sqrt(2) * radians)

    @property
    def training_shapes(self) -> int:
        """How many generated shapes a network is trained with."""
        return _TRAIN_SHAPES if self.train_shapes is None else self.train_shapes

    def _check_source(self) -> None:
        """Raise `InputError` unless clouds come from one place, and training from another that fits, if there is one."""
        if (self.shapes is None) == (self.input is None):
            raise InputError("clouds of points come from --shapes NUMBER or --input FOLDER; give one of them")
        if self.shapes is not None and self.limit is not None:
            raise InputError("--limit is for the clouds of --input; --shapes says how many there are")
        if self.input is not None and self.input == self.train_input:
            raise InputError(
                "--input and --train-input are the same folder; certify other clouds than those of training"
            )
        unused = {"train_shapes": self.train_shapes, "train_input": self.train_input, "steps": self.steps}
        words = f"would train a network, but --model names a file; use --model {' or '.join(NETWORKS)}"
        if self.trained:
            if self.input is not None and self.train_input is None:
                raise InputError("training for --input needs --train-input; or name a file with --model")
            unused = (
                {"train_shapes": self.train_shapes} if self.input is not None else {"train_input": self.train_input}
            )
            words = "does not fit: generated shapes train for --shapes, folders for --input; leave it out"
        named = [f"--{name.replace('_', '-')}" for name, value in unused.items() if value is not None]
        if named:
            raise InputError(f"{', '.join(named)} {words}")

    def _check_noise(self) -> None:
        if self.rotation is None:
            if self.turn_sigma is not None:
                raise InputError("turn_sigma is the deviation of random turns; give --rotation too")
            if not self.sigma:
                raise InputError("give the noise: --sigma of coordinates, or --rotation with --turn-sigma")
            for deviation in self.sigma:
                Gaussian(deviation)
            if self.cells is not None and not 2 <= self.cells <= self.points:
                raise InputError(f"cells are from 2 to the number of points, {self.points}, got {self.cells}")
            check_deviations(self.sigma, self.cells, "NUMBER")
            return
        one_of("the rotation", self.rotation, (AXIS, SPACE))
        if self.sigma or self.cells is not None:
            raise InputError("random turns move all points alike, in place of --sigma and --cells; leave these out")
        if self.turn_sigma is None or not 0 < self.turn_sigma <= 180:
            raise InputError(f"turns need --turn-sigma, their deviation from 0 to 180 degrees, got {self.turn_sigma}")

    def smoothing(self, points: Floats) -> Smoothing:
        """The noise for one cloud (P, 3); levels rise linearly from the own cell to the farthest one."""
        turns = self.turns
        if turns is not None:
            return Smoothing(features=turns)
        if self.cells is None:
            return Smoothing(features=Gaussian(self.sigma[0]))
        from graphcert.points import point_cells

        partition = point_cells(points, self.cells, self.seed)
        levels = np.linspace(self.sigma[0], self.sigma[1], partition.clusters).tolist()
        return Smoothing(features=tuple(map(Gaussian, levels)), partition=partition)

    def sizes(self) -> tuple[float, ...]:
        """The budgets of the curves, 0 first: ℓ2 norms, or degrees of turns."""
        largest = self.sigma[-1] if self.turn_sigma is None else self.turn_sigma
        steps = (k * largest / _STEPS_PER_SIGMA for k in range(_STEPS + 1))
        given = self.budgets or tuple(size for size in steps if self.rotation is None or size <= 180)
        return given if given[0] == 0 else (0.0, *given)

    def norms(self) -> tuple[float, ...]:
        """The same as shifts of the noise: ℓ2 norms, or what turns are to `Rotation`, rounded up."""
        turns = self.turns
        return self.sizes() if turns is None else tuple(turn_shift(degrees, turns) for degrees in self.sizes())

    def limits(self) -> tuple[int, ...]:
        """Every point is noised, so a number of touched ones makes no difference."""
        return ()

    def check_samples(self, points: int) -> None:
        """Refuse so few samples that nothing could be claimed about clouds of so many points."""
        check_enough(self, points, "points")

    def to_dict(self) -> dict[str, Any]:
        """Plain values without None, and without what the noise is not made of."""
        return {key: value for key, value in asdict(self).items() if value not in (None, ())}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "PointSettings":
        """Rebuild from `to_dict`; lists stand for tuples, and budgets may be a text such as "0:1:0.1"."""
        return from_plain(cls, values, ())


def read_settings(path: Path) -> dict[str, Any]:
    """The [points] section of a TOML file; `DataError` if there is no file, or no such section alone in it."""
    return read_section(path, "points")
