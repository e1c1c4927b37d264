"""Confidence bounds and multiple tests: everything that turns counts into statements with a known error rate."""

from graphcert.statistics.band import bernstein_mean_variance, dkw_mean_variance, tail_band, tail_mean_variance
from graphcert.statistics.binomial import (
    binomial_tail,
    check_sample_size,
    clopper_pearson_lower,
    clopper_pearson_upper,
    minimum_samples,
)
from graphcert.statistics.level import check_level, confidence_words
from graphcert.statistics.looks import Looks
from graphcert.statistics.multiple import bonferroni, check_errors, holm

__all__ = [
    "Looks", "bernstein_mean_variance", "binomial_tail", "bonferroni", "check_errors", "check_level", "check_sample_size",
    "clopper_pearson_lower", "clopper_pearson_upper", "confidence_words", "dkw_mean_variance", "holm", "minimum_samples",
    "tail_band", "tail_mean_variance",
]  # fmt: skip
