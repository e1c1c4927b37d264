"""Laws of one noisy element: frozen descriptions, interpreted elsewhere (sampled, bounded, linearised)."""

from dataclasses import dataclass
from numbers import Real
from typing import SupportsFloat

from graphcert.errors import InputError


def _check_probability(name: str, value: SupportsFloat) -> float:
    """Return `value` as a float in [0, 1], or say in one sentence why it is not one."""
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(f"{name} must be a probability between 0 and 1, got {value!r}")
    return float(value) + 0.0  # a negative zero is the same law and must not be another key


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
