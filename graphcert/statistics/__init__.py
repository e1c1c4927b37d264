"""Confidence bounds and multiple tests: everything that turns counts into statements with a known error rate."""

from graphcert.statistics.band import dkw_mean_variance, tail_band, tail_mean_variance
from graphcert.statistics.bernstein import bernstein_mean_variance
from graphcert.statistics.binomial import binomial_tail, clopper_pearson_lower, clopper_pearson_upper
from graphcert.statistics.level import check_level, confidence_words
from graphcert.statistics.multiple import bonferroni, check_errors, holm
from graphcert.statistics.sample_size import check_sample_size, minimum_samples

__all__ = [
    "bernstein_mean_variance",
    "binomial_tail",
    "bonferroni",
    "check_errors",
    "check_level",
    "check_sample_size",
    "clopper_pearson_lower",
    "clopper_pearson_upper",
    "confidence_words",
    "dkw_mean_variance",
    "holm",
    "minimum_samples",
    "tail_band",
    "tail_mean_variance",
]
