"""Does a table of flips follow the law of independent bits? Exact binomial tests with a stated false-alarm rate.

Every comparison below is a count that is exactly binomial if the law holds; a suite of m comparisons fails if one of
them has a tail probability below FALSE_ALARM / (2 m). So a right sampler fails one `assert_independent_bits` with
probability at most FALSE_ALARM, whatever the seed and however dependent the comparisons are.
"""

import numpy as np
from scipy.stats import binom

FALSE_ALARM = 1e-6


def tails(counts, trials, rates):
    """The smaller of both tail probabilities of binomial counts."""
    return np.minimum(binom.cdf(counts, trials, rates), binom.sf(np.asarray(counts) - 1, trials, rates)).ravel()


def independent_bits_tails(flips, rates):
    """Tail probabilities of everything that is compared.

    Args:
        flips: (S, M) bool, S samples of M bits.
        rates: (M,) probabilities of a flip.
    """
    samples = len(flips)
    ones = flips.astype(np.float32)  # counts below 2^24 are exact
    first, second = np.triu_indices(len(rates), 1)
    together = ones.T @ ones
    later = ones[:-1:2].T @ ones[1::2]
    found = [
        tails(flips.sum(axis=0), samples, rates),
        tails(together[first, second], samples, rates[first] * rates[second]),
        # Samples 0 and 1, 2 and 3, …: all bits of one with all bits of the next.
        tails(later, samples // 2, np.outer(rates, rates)),
    ]
    for rate in np.unique(rates):
        found += list(count_tails(flips[:, rates == rate].sum(axis=1), int((rates == rate).sum()), rate))
    return np.concatenate(found)


def count_tails(counts, bits, rate):
    """How many of `bits` bits flip in a sample: the total, and the whole distribution, which fixes the variance."""
    samples, values = len(counts), np.arange(bits + 1)
    yield tails(counts.sum(), samples * bits, rate)
    yield tails(np.bincount(counts, minlength=bits + 1), samples, binom.pmf(values, bits, rate))
    # Far from the mean, on either side: sharper against a wrong variance than single values.
    spread = max(1.0, 1.5 * np.sqrt(bits * rate * (1 - rate)))
    outside = np.abs(values - bits * rate) > spread
    yield tails((np.abs(counts - bits * rate) > spread).sum(), samples, binom.pmf(values, bits, rate)[outside].sum())


def assert_independent_bits(flips, rates):
    """Fail with probability at most FALSE_ALARM if the flips are independent with these rates."""
    found = independent_bits_tails(flips, rates)
    assert found.min() > FALSE_ALARM / (2 * len(found))
