"""Family-wise tests: which null hypotheses may be rejected together at level α (theory sections 7 and 10)."""

from typing import Protocol, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.core.arguments import whole
from graphcert.errors import InputError
from graphcert.statistics.level import check_rate


class SegCertifySettings(Protocol):
    """What decides which classes SegCertify claims."""

    @property
    def tau(self) -> float:
        """τ of SegCertify, the probability that a claimed class exceeds."""

    @property
    def alpha(self) -> float:
        """Error rate of each family of claims about one input."""

    @property
    def method(self) -> str:
        """SegCertify by "holm" or "bonferroni"."""

    @property
    def errors(self) -> int:
        """How many claims of SegCertify about an input may be wrong all the same."""


def bonferroni(p_values: ArrayLike, alpha: float, errors: SupportsIndex = 0) -> NDArray[np.bool_]:
    """Reject where p ≤ α/m; the probability of any false rejection is at most α under every dependence.

    If k false rejections may be tolerated, reject where p ≤ (k + 1)α/m: their expected number is at most (k + 1)α, so
    more than k of them have a probability of at most α by Markov (theorem 2.1 of Lehmann & Romano 2005).

    Args:
        p_values: m values in [0, 1], any shape.
        alpha: error rate in (0, 1) of the family: of more than `errors` false rejections.
        errors: k ≥ 0, false rejections that are tolerated.

    Returns:
        Rejected hypotheses, in the shape of `p_values`.

    Raises:
        InputError: if a p-value is NaN or outside [0, 1], `alpha` is not a level, or `errors` is no whole number ≥ 0.
    """
    values, level, tolerated = _checked(p_values), check_rate(alpha), check_errors(errors)
    return np.asarray(values <= (tolerated + 1) * level / max(values.size, 1))


def holm(p_values: ArrayLike, alpha: float, errors: SupportsIndex = 0) -> NDArray[np.bool_]:
    """Step-down test of Holm (1979): rejects all that `bonferroni` rejects, and more, at the same error rate.

    The i-th smallest value is compared with α/(m − i), i = 0, 1, …, and the first failure ends the rejections. If k false
    rejections are tolerated, with (k + 1)α/(m − max(i − k, 0)) (theorem 2.2 of Lehmann & Romano 2005). Shapes and errors
    are those of `bonferroni`. Thresholds are rounded to the nearest float; round p-values up, not down.
    """
    values, level, tolerated = _checked(p_values), check_rate(alpha), check_errors(errors)
    flat = values.ravel()
    order = np.argsort(flat, kind="stable")
    step = np.maximum(np.arange(flat.size) - tolerated, 0)
    passes = flat[order] <= (tolerated + 1) * level / (flat.size - step)
    rejected = np.zeros(flat.size, dtype=bool)
    rejected[order] = np.logical_and.accumulate(passes)
    return rejected.reshape(values.shape)


def check_errors(errors: SupportsIndex) -> int:
    """Return a number of tolerated errors as an int ≥ 0; raises `InputError` for anything else."""
    return whole("the number of tolerated errors", errors)


def _checked(p_values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p_values, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise InputError("every p-value must be a number between 0 and 1, and NaN is not one")
    return values
