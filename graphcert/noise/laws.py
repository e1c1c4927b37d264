"""Laws of one noisy element: frozen descriptions, interpreted elsewhere (sampled, bounded, linearised)."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any, SupportsFloat

from graphcert.errors import InputError


def _check_probability(name: str, value: SupportsFloat) -> float:
    """Return `value` as a float in [0, 1], or say in one sentence why it is not one."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(f"{name} must be a probability between 0 and 1, got {value!r}")
    return float(value) + 0.0  # a negative zero is the same law and must not be another key


def _check_deviation(value: SupportsFloat) -> float:
    """Return `value` as a finite float above 0, or say in one sentence why it is not one."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < math.inf:
        raise InputError(f"the standard deviation 'sigma' must be a finite number above 0, got {value!r}")
    return float(value)


@dataclass(frozen=True)
class BernoulliFlip:
    """Independent sparsity-aware flips of binary elements (theory section 2; Bojchevski et al. 2020, eq. 2).

    A zero becomes one with probability `add` (θ⁺) and a one becomes zero with probability `delete` (θ⁻). The two
    floats are taken as the exact binary fractions they are: the sampler draws with exactly these probabilities and the
    certificate computes with exactly these probabilities.

    Raises:
        InputError: if a rate is not a probability.
    """

    add: float
    delete: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "add", _check_probability("the flip rate 'add'", self.add))
        object.__setattr__(self, "delete", _check_probability("the flip rate 'delete'", self.delete))

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything."""
        return self.add == 0 and self.delete == 0


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussian noise N(0, σ²) on every entry of a real feature matrix (theory section 5; Cohen et al. 2019).

    The law of one entry, so a level of noise on whole rows. Perturbations are measured by their ℓ2 norm over all entries.

    Raises:
        InputError: unless `sigma` is a finite number > 0.
    """

    sigma: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", _check_deviation(self.sigma))

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything: no."""
        return False


@dataclass(frozen=True)
class Ablation:
    """A row is replaced by a token that carries no information about it (theory section 6).

    With `Hierarchical(select, Ablation())` a row is ablated with probability `select` (Scholten et al. 2022). Rows may
    change at will: a changed row is harmless exactly when it is ablated.
    """

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything: no."""
        return False


FeatureLaw = BernoulliFlip | Gaussian | Ablation


@dataclass(frozen=True)
class Selected:
    """A row gets the noise `law` with probability `select`, and the classifier sees whether it did (theory section 6).

    The law of one row under `Hierarchical`. The row is *noised* with probability `select`, which is the probability of being
    ablated if the noise is `Ablation`.

    Raises:
        InputError: if `select` is no probability above 0.
    """

    select: float
    law: FeatureLaw

    def __post_init__(self) -> None:
        select = _check_probability("the selection probability 'select'", self.select)
        if select == 0:
            raise InputError(
                "the selection probability 'select' must be above 0: a row that is never noised hides nothing"
            )
        object.__setattr__(self, "select", select)

    @property
    def silent(self) -> bool:
        """Whether this law never changes anything."""
        return self.law.silent


Law = FeatureLaw | Selected


def law_to_dict(law: FeatureLaw) -> dict[str, Any]:
    """A plain description; `law_from_dict` inverts it. Flips need no name: theirs is the oldest description."""
    return asdict(law) if isinstance(law, BernoulliFlip) else {"law": type(law).__name__.lower(), **asdict(law)}


def law_from_dict(description: Mapping[str, Any]) -> FeatureLaw:
    """Rebuild a law from `law_to_dict`; raises `InputError` on anything else."""
    given = dict(description)
    name = given.pop("law", None)
    try:
        if name is None:
            return BernoulliFlip(**given)
        if name == "gaussian":
            return Gaussian(**given)
        if name == "ablation":
            return Ablation(**given)
    except TypeError as error:
        parameters = "add and delete" if name is None else f"the parameters of {name!r}"
        raise InputError(f"a {'flip ' if name is None else ''}law is described by {parameters}: {error}") from None
    raise InputError(f"the laws are flips (without a name), 'gaussian' and 'ablation'; got {name!r}")
