"""How many samples a claim needs at the very least (theory section 10): asked before anything is sampled."""

import math

from graphcert.errors import InputError
from graphcert.statistics.binomial import clopper_pearson_lower
from graphcert.statistics.level import check_level, check_rate


def minimum_samples(alpha: float, claims: int = 1) -> int:
    """The smallest number of unanimous votes that proves a majority: (α/claims)^(1/n) > 1/2.

    With fewer, every one of `claims` simultaneous claims at joint error rate `alpha` is bound to abstain. For the
    multi-class rule pass α/2, the share it spends on the first class.

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
