"""Family-wise tests: which null hypotheses may be rejected together at level α (theory sections 7 and 10)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError
from graphcert.statistics.level import check_level


def bonferroni(p_values: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Reject where p ≤ α/m; the probability of any false rejection is at most α under every dependence.

    Args:
        p_values: m values in [0, 1], any shape.
        alpha: family-wise error rate in (0, 1).

    Returns:
        Rejected hypotheses, in the shape of `p_values`.

    Raises:
        InputError: if a p-value is NaN or outside [0, 1], or `alpha` is not a level.
    """
    values, level = _checked(p_values), check_level(alpha)
    return np.asarray(values <= level / max(values.size, 1))


def holm(p_values: ArrayLike, alpha: float) -> NDArray[np.bool_]:
    """Step-down test of Holm (1979): rejects all that `bonferroni` rejects, and more, at the same error rate.

    The i-th smallest value is compared with α/(m − i), i = 0, 1, …, and the first failure ends the rejections. Shapes
    and errors are those of `bonferroni`. Thresholds are rounded to the nearest float; round p-values up, not down.
    """
    values, level = _checked(p_values), check_level(alpha)
    flat = values.ravel()
    order = np.argsort(flat, kind="stable")
    passes = flat[order] <= level / np.arange(flat.size, 0, -1)
    rejected = np.zeros(flat.size, dtype=bool)
    rejected[order] = np.logical_and.accumulate(passes)
    return rejected.reshape(values.shape)


def _checked(p_values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(p_values, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise InputError("every p-value must be a number between 0 and 1, and NaN is not one")
    return values
