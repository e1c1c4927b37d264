"""Binomial tails and one-sided Clopper–Pearson bounds, rounded outward (theory section 10; Clopper & Pearson 1934)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from graphcert.core.arrays import Floats
from graphcert.errors import InputError
from graphcert.statistics.level import check_level, check_rate, integers

_GUARD = 1e-10
"""Relative allowance for the error of a computed binomial tail: a hundred times the largest error seen against
50-digit arithmetic for up to 10⁹ trials (the tests repeat the comparison)."""

_NUDGES = 12

_TABLE = 10**6
"""For one number of trials up to this, distinct counts are looked up in a table; otherwise they are sorted."""


@dataclass(frozen=True)
class _Side:
    """A bound is the point at which `tail` equals α; `outward` is the direction in which the tail becomes smaller."""

    tail: Callable[..., Floats]
    rest: Callable[..., Floats]
    inverse: Callable[..., Floats]
    outward: int

    def holds(self, a: Floats, b: Floats, bound: Floats, alpha: float) -> NDArray[np.bool_]:
        """Whether the tail at `bound` is surely at most α; asked of the smaller, well-conditioned side."""
        if alpha <= 0.5:
            return self.tail(a, b, bound) <= alpha * (1 - _GUARD)
        return self.rest(a, b, bound) >= (1 - alpha) * (1 + _GUARD)


_LOWER = _Side(special.betainc, special.betaincc, special.betaincinv, outward=-1)
_UPPER = _Side(special.betaincc, special.betainc, special.betainccinv, outward=+1)


def clopper_pearson_lower(successes: ArrayLike, trials: ArrayLike, alpha: float) -> Floats:
    """Lower confidence bound of a probability: it is exceeded by the truth with probability at least 1 − α.

    Sound side: never above the exact Clopper–Pearson bound, and at most 1e-9 of it below. 0 at no success, α^(1/n)
    rounded down at n successes.

    Args:
        successes: k, integers with 0 ≤ k ≤ n, any shape.
        trials: n, integers ≥ 1, broadcast against `successes`.
        alpha: one-sided error rate in (0, 1); divide by the number of claims before calling.

    Returns:
        Bounds in [0, 1) of the broadcast shape, a float for two numbers.

    Raises:
        InputError: if a count is not an integer in its range or `alpha` is not a level.
    """
    return _per_distinct_pair(_lower, successes, trials, check_rate(alpha))


def clopper_pearson_upper(successes: ArrayLike, trials: ArrayLike, alpha: float) -> Floats:
    """Upper confidence bound of a probability; the mirror image of `clopper_pearson_lower`.

    Sound side: never below the exact bound, and at most 1e-9 of it above. 1 at n successes, 1 − α^(1/n) rounded up at
    no success.
    """
    return _per_distinct_pair(_upper, successes, trials, check_rate(alpha))


def binomial_tail(successes: ArrayLike, trials: ArrayLike, probability: float) -> Floats:
    """P[Bin(n, p) ≥ k]: the exact one-sided p-value of the hypothesis that k successes have a probability of at most p.

    Sound side: never below the exact value, and above it by a relative 1e-10 at most.

    Args:
        successes: k, integers with 0 ≤ k ≤ n, any shape.
        trials: n, integers ≥ 1, broadcast against `successes`.
        probability: p in [0, 1].

    Returns:
        Values in [0, 1] of the broadcast shape, a float for two numbers.

    Raises:
        InputError: if a count is not an integer in its range, or p is no probability.
    """
    if not 0 <= probability <= 1:
        raise InputError(f"a binomial tail needs a probability between 0 and 1, got {probability!r}")
    return _per_distinct_pair(_tail, successes, trials, float(probability))


def _tail(k: Floats, n: Floats, probability: float) -> Floats:
    value = np.ones_like(k)
    some = k > 0
    tail = special.betainc(k[some], n[some] - k[some] + 1, probability)
    value[some] = np.minimum(tail * (1 + _GUARD) + (probability > 0) * np.finfo(np.float64).tiny, 1.0)
    return value


def _lower(k: Floats, n: Floats, alpha: float) -> Floats:
    """P[Bin(n, p) ≥ k] = I_p(k, n − k + 1) = α, solved outward."""
    bound = np.zeros_like(k)
    inside = (k > 0) & (k < n)
    bound[inside] = _solve(_LOWER, k[inside], n[inside] - k[inside] + 1, alpha)
    exponent = np.log(alpha) / n[k == n]
    bound[k == n] = np.exp(exponent) * (1 - _unanimity_guard(exponent))
    return bound


def _upper(k: Floats, n: Floats, alpha: float) -> Floats:
    """P[Bin(n, p) ≤ k] = I_{1−p}(n − k, k + 1) = α, solved outward."""
    bound = np.ones_like(k)
    inside = (k > 0) & (k < n)
    bound[inside] = _solve(_UPPER, k[inside] + 1, n[inside] - k[inside], alpha)
    exponent = np.log(alpha) / n[k == 0]
    bound[k == 0] = np.minimum(-np.expm1(exponent) * (1 + _unanimity_guard(exponent)), 1.0)
    return bound


def _unanimity_guard(exponent: Floats) -> Floats:
    """Relative error of exp(ln(α)/n) and of its complement: an ulp per operation, magnified by the exponent."""
    return 4 * np.finfo(np.float64).eps * (1 - exponent)


def _solve(side: _Side, a: Floats, b: Floats, alpha: float) -> Floats:
    """Start at the library's quantile and step outward until the tail is verified; what never verifies is vacuous."""
    bound = np.asarray(side.inverse(a, b, alpha))
    pending = np.ones(bound.shape, dtype=bool)
    step = side.outward * _GUARD
    for _ in range(_NUDGES):
        bound[pending] = np.clip(bound[pending] * (1 + step), 0.0, 1.0)
        pending[pending] = ~side.holds(a[pending], b[pending], bound[pending], alpha)
        if not pending.any():
            return bound
        step *= 2
    bound[pending] = 0.0 if side.outward < 0 else 1.0
    return bound


def _per_distinct_pair(
    bound: Callable[[Floats, Floats, float], Floats], successes: ArrayLike, trials: ArrayLike, alpha: float
) -> Floats:
    """Evaluate `bound` once per distinct (k, n): a million nodes share a few thousand counts."""
    try:
        k, n = np.broadcast_arrays(integers("successes", successes), integers("trials", trials))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError("successes and trials must have shapes that broadcast against each other") from None
    if np.any(n < 1):
        raise InputError("every number of trials must be at least 1")
    if np.any(k < 0) or np.any(k > n):
        raise InputError("every number of successes must lie between 0 and its number of trials")
    if np.ndim(trials) == 0 and n.flat[:1].sum() <= _TABLE:
        table = np.zeros(int(trials) + 1)  # type: ignore[arg-type]
        table[k] = 1.0
        distinct = np.flatnonzero(table)
        table[distinct] = bound(distinct.astype(np.float64), np.full(distinct.shape, float(len(table) - 1)), alpha)
        looked_up: Floats = table[k]
        return looked_up
    # NumPy orders complex numbers lexicographically, so one sort finds the distinct pairs.
    pairs, inverse = np.unique(k + 1j * n, return_inverse=True)
    bounds: Floats = bound(pairs.real.copy(), pairs.imag.copy(), alpha)[inverse.reshape(k.shape)]
    return bounds


def minimum_samples(alpha: float, claims: int = 1) -> int:
    """The smallest number of unanimous votes that proves a majority: (α/claims)^(1/n) > 1/2.

    With fewer, every one of `claims` simultaneous claims at joint error rate `alpha` is bound to abstain. For the
    multi-class rule pass the larger one of the two shares of α, of the label and of the other classes: by default α/2.

    Raises:
        InputError: if `alpha` does not lie in (0, 1) or `claims` is below 1.
    """
    if claims < 1:
        raise InputError(f"the number of simultaneous claims must be at least 1, got {claims}")
    level = check_rate(alpha) / claims
    samples = max(1, math.floor(-math.log2(level)))
    while clopper_pearson_lower(samples, samples, level) <= 0.5:
        samples += 1
    return samples


def check_sample_size(samples: int, alpha: float, claims: int = 1) -> None:
    """Refuse a sample size with which nothing can be certified, naming the size that is needed.

    Raises:
        InputError: if `samples` is below `minimum_samples(alpha, claims)`, or `alpha` is not below 1/2.
    """
    needed = minimum_samples(check_level(alpha), claims)
    if samples < needed:
        raise InputError(
            f"{samples} samples cannot certify anything at alpha = {alpha:g} over {claims} simultaneous claims; "
            f"take at least {needed}, and a few hundred or more to certify against a real budget"
        )
