"""`seg_certify`: all components of an input at one radius (theory section 7; Fischer et al. 2021)."""

from dataclasses import dataclass
from typing import SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.stored import Stored
from graphcert.core.arguments import half_open, one_of, positive, whole
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError
from graphcert.statistics import binomial_tail, bonferroni, check_errors, check_level, confidence_words, holm
from graphcert.tradeoff import gaussian_radius
from graphcert.tradeoff.base import norm_words
from graphcert.votes import checked_counts, refuse_the_same_votes

_TESTS = {"holm": holm, "bonferroni": bonferroni}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SegmentationCertificate(Stored):
    """Which components (pixels, nodes) keep their label together, and how far; made by `seg_certify`.

    Arrays are read-only and have the shape of the components, (M,) or (H, W).

    Attributes:
        labels: the pilot's class of every component; claims are made where `abstained` is False.
        abstained: components about which nothing is said.
        p_values: of the hypothesis that the label's probability is at most τ, rounded up; not yet corrected.
        tau: τ, which the probability of every claimed label exceeds.
        alpha: error rate of all claims together.
        method: "holm" or "bonferroni".
        errors: how many of the claims may be wrong all the same; 0 for none.
        sigma: standard deviation of the Gaussian noise, or None.
        samples: the number of samples behind every p-value.
    """

    labels: Integers
    abstained: Mask
    p_values: Floats
    tau: float
    alpha: float
    method: str
    errors: int
    sigma: float | None
    samples: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.alpha)
        check_errors(self.errors)
        half_open("the probability to exceed, tau,", self.tau, 0.5, 1)
        whole("the number of samples", self.samples, 1)
        if self.sigma is not None:
            positive("the standard deviation 'sigma'", self.sigma)
        one_of("the family-wise method", self.method, _TESTS)
        self._check_labels(self.labels, self.abstained, self.p_values)

    def _check_read(self) -> None:
        if (~self.abstained & ~_TESTS[self.method](self.p_values, self.alpha, self.errors)).any():
            raise InputError(f"a claim is made where the p-values do not pass the {self.method} test")

    def summary(self) -> str:
        """Two lines: how many components have an answer, and what holds for them."""
        claims = int((~self.abstained).sum())
        noise = "" if self.sigma is None else f", sigma = {self.sigma:g}"
        wrong = f", at most {self.errors:,} of them wrong" if self.errors else ""
        return (
            f"SegmentationCertificate of {' × '.join(map(str, self.labels.shape))} components: {claims:,} answer{wrong}, "
            f"{self.labels.size - claims:,} abstain\n"
            f"  {self.samples:,} samples{noise}, tau = {self.tau:g}, alpha = {self.alpha:g} for all claims together by "
            f"{self.method.capitalize()}"
        )

    @property
    def p_lower(self) -> Floats:
        """Lower bound of the label's probability: τ where a claim is made, 0 where not."""
        return np.where(self.abstained, 0.0, self.tau)

    @property
    def radius(self) -> Floats:
        """σΦ⁻¹(τ) where a claim is made, 0 where not; rounded down.

        No change of the input of at most that ℓ2 norm, over all entries together, changes a claimed label.

        Raises:
            InputError: if the standard deviation of the noise was not given.
        """
        if self.sigma is None:
            raise InputError("a radius needs the standard deviation of the Gaussian noise; give seg_certify a sigma")
        return np.where(self.abstained, 0.0, gaussian_radius(self.tau, self.sigma))

    def guarantee(self) -> str:
        """What is guaranteed, about what and with which probability, in plain words."""
        claims, total = int((~self.abstained).sum()), self.abstained.size
        means = f"the base classifier returns their label with a probability above {self.tau} under the noise"
        if self.sigma is not None:
            radius = norm_words(float(gaussian_radius(self.tau, self.sigma)), 6)
            means += (
                f", and the smoothed classifier keeps it under every change of the input of ℓ2 norm at most {radius}"
            )
        which, wrong = f"of the {claims:,} components with a claim", self.errors
        if wrong:
            which = f"but at most {wrong:,} {which} (generalised family-wise error, k = {wrong + 1})"
        return (
            f"With probability at least {confidence_words(self.alpha)} over the {self.samples:,} samples, all {which} are "
            f"right at the same time: {means}. Tested by the {self.method.capitalize()} procedure over {total:,} "
            f"components; nothing is said about the {total - claims:,} that abstain."
        )


def seg_certify(
    pilot_counts: ArrayLike,
    counts: ArrayLike,
    tau: SupportsFloat = 0.75,
    alpha: float = 0.001,
    method: str = "holm",
    sigma: SupportsFloat | None = None,
    errors: SupportsIndex = 0,
    *,
    total_variation: float = 0.0,
    independent: bool = False,
) -> SegmentationCertificate:
    """Certify many components of one input at once, and abstain on those that would spoil the rest.

    The pilot's most frequent class of a component is fixed; the other samples test the hypothesis that its probability is
    at most τ, by the exact binomial tail; a family-wise procedure over all components rejects at `alpha`. Where it
    rejects, the label is that of the smoothed classifier and survives every shift of ℓ2 norm σΦ⁻¹(τ).

    Args:
        pilot_counts: (M, K) or (H, W, K) integers, votes of independent pilot samples; every component has the same sum.
        counts: likewise, of the samples that are tested; independent of the pilot. The same votes given twice are refused.
            Counts that contain the pilot votes and more are just as wrong, and cannot be seen.
        tau: τ in [1/2, 1), the probability to exceed. Choose it before the samples: the error rates of several calls with
            the same samples add up.
        alpha: error rate in (0, 1) of all claims together.
        method: "holm" or "bonferroni"; both hold under every dependence of the components, and Holm never claims less.
        sigma: standard deviation of the Gaussian noise, for `radius`; None for votes under other noise.
        errors: k ≥ 0. With probability ≥ 1 − alpha at most k claims are wrong (Lehmann & Romano 2005); 0 is the usual
            family-wise guarantee.
        total_variation: bound on the distance, for one sample, between the law that was sampled and the noise that is
            meant, as in `Votes`; it is added to τ in the test.
        independent: True states that pilot and counts were drawn independently although they are equal, as in `Votes`.

    Raises:
        InputError: if an argument is outside its domain, or pilot and final votes are the same.
    """
    level, tolerated = check_level(alpha), check_errors(errors)
    threshold = half_open("the probability to exceed, tau,", tau, 0.5, 1)
    charged = half_open("total_variation", total_variation, 0, 1)
    deviation = None if sigma is None else positive("the standard deviation 'sigma'", sigma)
    one_of("the family-wise method", method, _TESTS)
    pilot = checked_counts("pilot_counts", pilot_counts, "component")
    final = checked_counts("counts", counts, "component")
    if pilot.shape != final.shape:
        raise InputError(f"pilot_counts and counts must agree in shape, got {pilot.shape} and {final.shape}")
    refuse_the_same_votes(pilot_counts, counts, independent)
    labels = pilot.argmax(axis=-1)
    successes = np.take_along_axis(final, labels[..., None], axis=-1)[..., 0].astype(np.int64)
    samples = int(final.reshape(-1, final.shape[-1])[0].sum(dtype=np.int64))
    tested = threshold if charged == 0 else min(float(np.nextafter(threshold + charged, 2.0)), 1.0)
    p_values = binomial_tail(successes, samples, tested)
    return SegmentationCertificate(
        labels=labels.astype(np.int64), abstained=~_TESTS[method](p_values, level, tolerated), p_values=p_values,
        tau=threshold, alpha=level, method=method, errors=tolerated, sigma=deviation, samples=samples,
    )  # fmt: skip
