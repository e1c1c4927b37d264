"""Bands around the distribution function of a variable in [0, 1], and what they say of its mean and variance."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.core.arrays import Floats
from graphcert.errors import InputError
from graphcert.statistics.binomial import clopper_pearson_lower
from graphcert.statistics.level import check_rate, integers

_GUARD = 2.0**-42
"""More than sums over up to 1,024 bins can lose, in whatever order they are added."""

_MOST_BINS = 1024


def dkw_mean_variance(histogram: ArrayLike, alpha: float) -> tuple[Floats, Floats]:
    """Lower bound of the mean and upper bound of the variance of a variable in [0, 1], holding together.

    With probability ≥ 1 − α the distribution function F lies everywhere within ε = √(ln(2/α) / (2n)) of that of the n
    samples (Dvoretzky, Kiefer & Wolfowitz 1956, with the constant of Massart 1990). Let F₊ and F₋ be the edges of this
    band, at most 1 and at least 0. Then

        mean ≥ ∫ (1 − F₊(t)) dt        variance ≤ E(s − c)² ≤ ∫₀ᶜ 2(c − t) F₊(t) dt + ∫ᶜ¹ 2(t − c)(1 − F₋(t)) dt

    for every c, and the smallest of these over the edges c of the bins is taken. (At c = mean_lower the right-hand side
    is at most E s² − mean_lower², both from the band, because 1 − F₋ ≥ 1 − F₊.) Of a sample only its bin is known, so F₊
    puts it at the lower end of its bin and F₋ at the upper end. Suits variables of any shape; of small variance,
    `bernstein_mean_variance` is sharper.

    Args:
        histogram: (…, B) integers, n independent samples counted in B ≤ 1,024 equal bins of [0, 1].
        alpha: error rate in (0, 1) of both bounds together; divide by the number of claims before calling.

    Returns:
        mean_lower ≥ 0 and variance_upper ≤ 1/4, of the shape (…). Sound side: never above, and never below, the exact
        value of the formula.

    Raises:
        InputError: if a row is no histogram, or `alpha` is not a level.
    """
    counts, samples = _checked(histogram)
    bins, through = counts.shape[-1], counts.cumsum(axis=-1)
    margin = _margin(samples, check_rate(alpha))
    # On bin b: F ≤ (samples in bins up to b) / n + ε and 1 − F ≤ (samples in bins from b on) / n + ε.
    below = np.minimum((through / samples + margin) * (1 + _GUARD), 1.0)
    above = np.minimum(((samples - through + counts) / samples + margin) * (1 + _GUARD), 1.0)
    mean = (1.0 - below).mean(axis=-1) - _GUARD
    left, right = _squared_distance(bins)
    second = (below @ left + above @ right).min(axis=-1) * (1 + _GUARD)
    return np.maximum(mean, 0.0), np.minimum(second, 0.25)


def tail_band(histogram: ArrayLike, alpha: float, smallest: ArrayLike | None = None) -> Floats:
    """Lower bounds of all tails P(s ≥ (b + 1)/B) of a variable s in [0, 1], holding together: 1 − F₊ on every bin b.

    Two bands share the error rate, and the better one counts at every bin. With probability ≥ 1 − α/2 the distribution
    function lies nowhere more than ε = √(ln(2/α) / (2n)) above that of the n samples (the one-sided inequality of Massart
    1990, for error rates up to 1/2); this ε is that of `dkw_mean_variance`, so the band is never the looser one. And by
    Clopper and Pearson (1934) every single tail is bounded at α/(2(B − 1)), which is far sharper where a tail is near an
    end. Of a sample only its bin is known, so it counts for the tails up to the lower end of its bin.

    *The smallest tails of several variables* u_k ≥ s of the same samples cost nothing more: min_k P(u_k ≥ t) at an edge t
    is the tail of one of them, which is fixed before the samples. The smallest of their counts is at most the count of
    that one, so its Clopper–Pearson bound is too large only if that one's is. And what is below the tails of s is below
    all of theirs.

    Args:
        histogram: (…, B) integers, n independent samples of s counted in B ≤ 1,024 equal bins of [0, 1].
        alpha: error rate in (0, 1) of all bounds together; divide by the number of claims before calling.
        smallest: (…, B) the histogram whose upper tails are, edge by edge, the smallest of those of all u_k; None for s
            itself.

    Returns:
        (…, B) bounds in [0, 1), falling in b; 0 in the last bin, of which no sample is known to reach the end. Sound side:
        never above the exact value of the formula.

    Raises:
        InputError: if a row is no histogram, `smallest` has lower tails than it, or `alpha` is not a level.
    """
    counts, samples = _checked(histogram)
    level, bins = check_rate(alpha), counts.shape[-1]
    through = counts.cumsum(axis=-1)
    uniform = 1.0 - np.minimum((through / samples + _margin(samples, level)) * (1 + _GUARD), 1.0)
    share = level / (2 * max(bins - 1, 1))
    if smallest is not None:
        counts, others = _checked(smallest)
        if counts.shape != through.shape or (others != samples).any() or (counts.cumsum(axis=-1) > through).any():
            raise InputError(
                "the smallest tails must be those of the same samples, and nowhere below the histogram's own"
            )
        through = counts.cumsum(axis=-1)
    single = clopper_pearson_lower(samples - through, samples, share) if share > 0 else np.zeros(counts.shape)
    tails = np.maximum(uniform, single)
    # A tail is at least every later one; the bounds of single tails are monotone up to their rounding only.
    falling: Floats = np.maximum.accumulate(tails[..., ::-1], axis=-1)[..., ::-1]
    return falling


def tail_mean_variance(tails: ArrayLike) -> tuple[Floats, Floats]:
    """Mean and variance of the smallest variable that a band allows: it reaches (b + 1)/B with the probability tails[b].

    Args:
        tails: (…, B) probabilities, falling in b.

    Returns:
        (…,) the mean ≥ 0, rounded down, and the variance ≤ 1/4, rounded up.
    """
    array = np.asarray(tails, dtype=np.float64)
    bins = array.shape[-1]
    mean = np.maximum(array.mean(axis=-1) - _GUARD, 0.0)
    second = array @ (2 * np.arange(bins) + 1.0) / bins**2
    variance = (second - mean**2) * (1 + _GUARD) + _GUARD
    return mean, np.minimum(variance, 0.25)


def _checked(histogram: ArrayLike) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """A histogram (…, B) and its number of samples (…, 1)."""
    counts = np.asarray(histogram)
    if counts.ndim < 1 or not np.issubdtype(counts.dtype, np.integer) or not 1 <= counts.shape[-1] <= _MOST_BINS:
        raise InputError(f"a histogram holds integers in 1 to {_MOST_BINS} bins, got {counts.dtype} of {counts.shape}")
    if np.any(counts < 0) or np.any(counts.sum(axis=-1) < 1):
        raise InputError("every row of a histogram needs counts of at least 0 and at least one sample")
    return counts, counts.sum(axis=-1, keepdims=True)


def _margin(samples: NDArray[np.integer], level: float) -> Floats:
    """ε = √(ln(2/α) / (2n)): both sides of the band at α, or one side at α/2."""
    margin: Floats = np.sqrt((math.log(2) - math.log(level)) / (2 * samples)) * (1 + _GUARD)
    return margin


def _squared_distance(bins: int) -> tuple[Floats, Floats]:
    """(B, B + 1) integrals over bin b of 2(c − t)₊ and of 2(t − c)₊, for c at every edge."""
    edges = np.arange(bins + 1)
    near, far = (np.subtract.outer(ends, edges) for ends in (edges[:-1], edges[1:]))
    left = np.minimum(near, 0) ** 2 - np.minimum(far, 0) ** 2
    right = np.maximum(far, 0) ** 2 - np.maximum(near, 0) ** 2
    return left / bins**2, right / bins**2


_MOMENT_GUARD = 2.0**-46
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
    variance = np.maximum(spread * (1 + _MOMENT_GUARD) - rest * (rest / n) * (1 - _MOMENT_GUARD), 0) / (
        (n - 1) * unit**2
    )
    confidence = math.log(2) - math.log(level)
    deviation = (np.sqrt(variance) + math.sqrt(2 * confidence / (n - 1))) * (1 + _MOMENT_GUARD)
    less = deviation * math.sqrt(2 * confidence / n) + confidence / (3 * n)
    mean = total / (n * unit) - less * (1 + _MOMENT_GUARD) - _MOMENT_GUARD
    return np.maximum(mean, 0.0), np.minimum(deviation**2 * (1 + _MOMENT_GUARD), 0.25)
