"""Empirical Bernstein bounds of a mean and of its variance together (Maurer & Pontil 2009)."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError
from graphcert.statistics.level import check_rate, integers

Floats = NDArray[np.float64]

_GUARD = 2.0**-46
"""More than the roundings below can lose together, relative to what they add up."""


def bernstein_mean_variance(
    sums: ArrayLike, squares: ArrayLike, samples: int, unit: int, alpha: float
) -> tuple[Floats, Floats]:
    """Lower bound of the mean and upper bound of the variance of a variable in [0, 1], holding together.

    With L = ln(2/α), V the sample variance (divided by n − 1) and σ the true standard deviation

        σ ≤ σ₊ = √V + √(2L / (n − 1))        mean ≥ sample mean − σ₊ √(2L / n) − L / (3n).

    Each of the two events behind them fails with probability at most α/2: theorem 10 of Maurer & Pontil (2009) for the
    first, Bennett's inequality with the true σ, their theorem 3, for the second. Their own bound of the mean, theorem 4,
    follows from the same two events and is slightly smaller. Suits variables of small variance.

    Args:
        sums: (…) sums of n independent values q of 0 … `unit`, integers; the variable is q / unit.
        squares: (…) sums of q².
        samples: n ≥ 1.
        unit: the value that stands for 1, at most 2^20.
        alpha: error rate in (0, 1) of both bounds together; divide by the number of claims before calling.

    Returns:
        mean_lower ≥ 0 and variance_upper ≤ 1/4, the largest of any variable in [0, 1]. Sound side: never above, and
        never below, the exact value of the formula.

    Raises:
        InputError: if the numbers are not those of any such values, or `alpha` is not a level.
    """
    level, n = check_rate(alpha), samples
    if n < 1 or not 1 <= unit <= 2**20 or n * unit**2 >= 2**63:
        raise InputError(f"bounds need at least 1 sample of values up to at most 2^20, got {n} of values up to {unit}")
    total, square = (integers(name, values).astype(np.int64) for name, values in (("sums", sums), ("squares", squares)))
    # Around the whole number m below the mean, integers stay small: Σ(q − m) = rest, Σ(q − m)² = spread ≥ rest.
    m, rest = np.divmod(total, n)
    spread = square - m * (total + rest)
    if np.any((total < 0) | (total > n * unit) | (spread < rest) | (square > unit * total)):
        raise InputError("no values have such sums and squares; give those of n values from 0 to unit")
    if n == 1:
        return np.zeros(total.shape), np.full(total.shape, 0.25)
    variance = np.maximum(spread * (1 + _GUARD) - rest * (rest / n) * (1 - _GUARD), 0) / ((n - 1) * unit**2)
    confidence = math.log(2) - math.log(level)
    deviation = (np.sqrt(variance) + math.sqrt(2 * confidence / (n - 1))) * (1 + _GUARD)
    less = deviation * math.sqrt(2 * confidence / n) + confidence / (3 * n)
    mean = total / (n * unit) - less * (1 + _GUARD) - _GUARD
    return np.maximum(mean, 0.0), np.minimum(deviation**2 * (1 + _GUARD), 0.25)
