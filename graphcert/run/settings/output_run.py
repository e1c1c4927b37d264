"""The settings of a run over inputs with one label each, their domain, and their TOML form."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from graphcert.certificates.vote_certificate import chosen_method
from graphcert.core.arguments import real
from graphcert.errors import InputError
from graphcert.noise import (
    AXES,
    Ablation,
    BernoulliFlip,
    Budget,
    Gaussian,
    Hierarchical,
    Scheme,
    Smoothing,
    SubsetAblation,
)
from graphcert.run.settings.stages import MOST_SAMPLES, budget_values, norm_values
from graphcert.run.settings.typed import check_types, option, read_section, setting
from graphcert.statistics import check_level

SECTION = "classify"
_NEIGHBOURS, _NORM_STEPS, _MOST_ROWS = 20, 16, 8
_RATES = dict(zip(("add", "delete", "edge_add", "edge_delete"), AXES, strict=True))
_METHODS = ("binary", "multiclass")

Cell = tuple[Budget, float]
"""What is claimed against: counts of changes, and the norm of a change (0 under other noise)."""


@dataclass(frozen=True)
class OutputSettings:
    """What to certify, and how.

    The noise is one of: `sigma` (Gaussian), `ablate` (rows hidden with that probability), `keep` (so many rows kept),
    flips of feature bits (`add`, `delete`); beside it or alone flips of edges of graphs. `select` chooses the rows that get
    Gaussian noise or flips of bits, and `elasticity` lets sigma depend on the input.

    `budgets` are norms under Gaussian noise, numbers of rows under ablation, and numbers of changes on every axis by itself
    under flips; `touched` limits the rows in which features change, with `select` only.

    Raises:
        InputError: if a value is out of its domain or two do not fit together.
    """

    inputs: str = field(
        metadata=option('"digits", an .npz file with inputs and labels, or a folder of graphs (TU format).')
    )
    model: str | None = setting(None, "File of a network that `graphcert classify` trained (default: train one).")
    sigma: float | None = setting(None, "Deviation of Gaussian noise on every number of an input.")
    select: float | None = setting(None, "Noise only selected rows, each with this probability, and mark them.")
    elasticity: float | None = setting(None, "r of a sigma that grows with the distance to the training inputs.")
    neighbours: int | None = setting(None, "Training inputs whose distances count, with --elasticity (default: 20).")
    ablate: float | None = setting(None, "Hide every row with this probability.")
    keep: int | None = setting(None, "Keep exactly so many rows in every sample, and hide the others.")
    add: float | None = setting(None, "Probability that a feature bit is set.")
    delete: float | None = setting(None, "Probability that a feature bit is cleared.")
    edge_add: float | None = setting(None, "Probability that an edge is added (graphs).")
    edge_delete: float | None = setting(None, "Probability that an edge is deleted (graphs).")
    samples: int = setting(1000, "Noisy versions of an input that bound probabilities (default: 1000).")
    pilot_samples: int = setting(100, "Noisy versions of an input that choose its label (default: 100).")
    alpha: float = setting(0.01, "Error rate of all claims together.")
    method: str | None = setting(None, "binary or multiclass (default: multiclass from three classes on).")
    budgets: str | None = setting(None, 'Norms "0:1:0.1" under --sigma; otherwise whole numbers such as "0:8".')
    touched: str | None = setting(
        None, 'With --select: at most so many changed rows, such as "1:3" (default: 1:4 and all).'
    )
    limit: int | None = setting(None, "Inputs to certify (default: a quarter of them; the others train).")
    steps: int | None = setting(None, "Steps of training, without --model (default: 1000).")
    seed: int = setting(0, "Of division, training and noise; same seed, same result.")

    def __post_init__(self) -> None:
        check_types(self, SECTION)
        check_level(self.alpha)
        for name in ("samples", "pilot_samples", "limit", "steps", "neighbours"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MOST_SAMPLES:
                raise InputError(f"{name} must be a whole number from 1 to {MOST_SAMPLES:,}, got {value!r}")
        if self.method not in (None, *_METHODS):
            raise InputError(f"the method is one of {', '.join(_METHODS)}, got {self.method!r}")
        if self.model is not None and self.steps is not None:
            raise InputError("--steps would train a network, but --model names a file; leave one of them out")
        self._check_noise()
        self._check_elasticity()
        self._check_claims()

    def _given(self, *names: str) -> list[str]:
        """The options of these settings that are set."""
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]

    def _check_noise(self) -> None:
        kinds = [*self._given("sigma"), *self._given("ablate"), *self._given("keep")]
        kinds += ["--add and --delete"] * bool(self._given("add", "delete"))
        if len(kinds) > 1:
            raise InputError(
                f"feature noise is of one kind, and {' and '.join(kinds)} are several; leave all but one out"
            )
        if not kinds and not self._given("edge_add", "edge_delete"):
            raise InputError("no noise was given; set --sigma, --ablate, --keep, --add and --delete, or --edge-delete")
        if self.select is not None and self.sigma is None and not self._given("add", "delete"):
            raise InputError("--select chooses the rows that get noise; give --sigma, or --add and --delete, with it")
        self.smoothing()

    def _check_elasticity(self) -> None:
        if self.elasticity is None:
            if self.neighbours is not None:
                raise InputError("neighbours say how noise depends on the input; give --elasticity too")
            return
        others = self._given("select", "edge_add", "edge_delete")
        if self.sigma is None or others or self.method == "multiclass":
            words = f", without {', '.join(others)}" if others else " and the binary method"
            raise InputError(f"noise that depends on the input is Gaussian noise of every row; give --sigma{words}")
        object.__setattr__(self, "elasticity", real("the elasticity", self.elasticity, 0))
        object.__setattr__(self, "neighbours", _NEIGHBOURS if self.neighbours is None else self.neighbours)

    def _check_claims(self) -> None:
        if self.touched is not None:
            if self.select is None:
                raise InputError(
                    "--touched limits changed rows, which makes a difference with --select only; leave it out"
                )
            if 0 in budget_values("touched", self.touched):
                raise InputError("--touched counts changed rows, and with 0 of them nothing changes; begin at 1")
        self.cells()

    @property
    def measured(self) -> bool:
        """Whether changes of features are measured by a norm."""
        return self.sigma is not None

    def rule(self, classes: int) -> str:
        """The rule of the certificate for so many classes; radii of noise that depends on the input need the binary one."""
        return chosen_method("binary" if self.elasticity is not None else self.method, classes)

    def smoothing(self, sigma: float | None = None) -> Scheme:
        """The noise; `sigma` is its deviation where that depends on the input."""
        law: Any = None
        if self.sigma is not None:
            law = Gaussian(self.sigma if sigma is None else sigma)
        elif self.ablate is not None:
            law = Ablation()
        elif self.keep is not None:
            law = SubsetAblation(self.keep)
        elif self._given("add", "delete"):
            law = BernoulliFlip(self.add or 0.0, self.delete or 0.0)
        edges = self._given("edge_add", "edge_delete")
        lower = Smoothing(law, BernoulliFlip(self.edge_add or 0.0, self.edge_delete or 0.0) if edges else None)
        select = self.ablate if self.ablate is not None else self.select
        return lower if select is None else Hierarchical(select, lower)

    def limits(self) -> tuple[int | None, ...]:
        """The limits of changed rows, ascending, None for no limit; (None,) where they make no difference."""
        if self.select is None:
            return (None,)
        return (
            (1, 2, 3, 4, None) if self.touched is None else tuple(sorted(set(budget_values("touched", self.touched))))
        )

    def norms(self) -> tuple[float, ...]:
        """The norms of claims, ascending, 0 first; only 0 under noise without a norm."""
        if self.sigma is None:
            return (0.0,)
        given = norm_values("budgets", self.budgets) if self.budgets is not None else ()
        steps = tuple(k * self.sigma / 8 for k in range(1, _NORM_STEPS + 1))
        return (0.0, *sorted({norm for norm in given or steps if norm > 0}))

    def cells(self) -> tuple[Cell, ...]:
        """Everything that is claimed against, the statement without any change first."""
        found: list[Cell] = [(Budget(), 0.0)]
        found += [(Budget(nodes=limit), norm) for limit in self.limits() for norm in self.norms()[1:]]
        if self.sigma is None or self._given("edge_add", "edge_delete"):
            values = (0, *range(1, _MOST_ROWS + 1))
            if self.budgets is not None and self.sigma is None:
                values = tuple(sorted({0, *budget_values("budgets", self.budgets)}))
            hidden = self.ablate is not None or self.keep is not None
            axes = ["nodes"] * hidden + [axis for name, axis in _RATES.items() if getattr(self, name)]
            for axis in axes:
                limits = self.limits() if axis.startswith("feature") else (None,)
                found += [
                    (Budget(**{"nodes": limit, axis: value}), 0.0) for limit in limits for value in values if value
                ]
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values without None."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "OutputSettings":
        """Rebuild from `to_dict`."""
        known = {one.name for one in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise InputError(f"unknown settings: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        if "inputs" not in values:
            raise InputError("the setting inputs is missing; give it in the file or as --inputs")
        return cls(**values)


def read_settings(path: Path) -> dict[str, Any]:
    """The [classify] section of a TOML file; `DataError` if there is no file, or no such section alone in it."""
    return read_section(path, SECTION)
