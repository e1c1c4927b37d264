"""`certify_elastic`: radii of many inputs, each under noise of its own (theory section 5; Súkeník et al. 2022)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.confidence_bounds import check_votes
from graphcert.certificates.stored import Stored
from graphcert.certificates.vote_certificate import certify
from graphcert.core.arguments import real, whole
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Gaussian
from graphcert.statistics import check_level, confidence_words
from graphcert.tradeoff import input_dependent_radius
from graphcert.tradeoff.base import checked_shift
from graphcert.votes import Votes, checked_rows


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ElasticCertificate(Stored):
    """Labels and radii of N inputs under Gaussian noise that depends on the input; made by `certify_elastic`.

    Sound side: what is not proved is reported as not robust. Arrays are read-only.

    Attributes:
        labels: (N,) the label each claim is about, chosen by the pilot samples.
        p_lower: (N,) lower bounds of the label's probability under the noise around the input.
        sigma: (N,) the standard deviation of that noise.
        radius: (N,) the label survives every change of at most this ℓ2 norm, 0 where nothing is certified; never above the
            exact radius.
        dimension: (N,) how many numbers an input has.
        elasticity: r of σ(x).
        alpha: error rate of all claims together if `simultaneous`, of each one otherwise.
        simultaneous: whether all claims hold at once with probability ≥ 1 − alpha.
        samples: the number of samples behind every bound.
    """

    labels: Integers
    p_lower: Floats
    sigma: Floats
    radius: Floats
    dimension: Integers
    elasticity: float
    alpha: float
    simultaneous: bool
    samples: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_level(self.alpha)
        whole("the number of samples", self.samples, 1)
        real("the elasticity", self.elasticity, 0)
        self._check_labels(self.labels, self.p_lower, self.sigma, self.radius, self.dimension)
        bounds = (self.p_lower >= 0) & (self.p_lower <= 1) & (self.radius >= 0) & (self.dimension >= 1)
        if not (bounds & np.isfinite(self.radius) & (self.sigma > 0) & np.isfinite(self.sigma)).all():
            raise InputError("every input needs a probability, a dimension, and a finite deviation and radius")
        if ((self.radius > 0) & (self.p_lower <= 0.5)).any():
            raise InputError("a radius is claimed of an input whose label has no majority")

    def _check_read(self) -> None:
        # Of numbers from outside the radii are computed again: they follow from the others.
        if (self.radius > _radii(self.p_lower, self.sigma, self.dimension, self.elasticity)).any():
            raise InputError("a radius is larger than the bounds and the noise of its input prove")

    @property
    def abstained(self) -> Mask:
        """(N,) inputs about which nothing is said, not even that `labels` is the label of the smoothed classifier."""
        return np.asarray(self.p_lower <= 0.5)

    def robust(self, shift: float = 0.0) -> Mask:
        """(N,) which inputs provably keep their label under every change whose ℓ2 norm is at most `shift`."""
        return ~self.abstained & (self.radius >= checked_shift(shift))

    def certified_accuracy(self, shift: float, truth: ArrayLike) -> float:
        """Share of the inputs that are `robust` and have the label of `truth` (N,)."""
        labels = np.asarray(truth)
        if labels.shape != self.labels.shape or not np.issubdtype(labels.dtype, np.integer):
            raise InputError(
                f"the true labels must be {self.labels.size} integers, got {labels.dtype} of {labels.shape}"
            )
        return float((self.robust(shift) & (self.labels == labels)).mean())

    def summary(self) -> str:
        """Two lines: how many inputs have an answer, under which noise, at which level."""
        silent = int(self.abstained.sum())
        scope = "all claims together" if self.simultaneous else "each claim"
        return (
            f"ElasticCertificate of {self.labels.size:,} inputs: {self.labels.size - silent:,} answer, {silent:,} abstain\n"
            f"  {self.samples:,} samples of Gaussian noise of deviations {self.sigma.min():.4g} to {self.sigma.max():.4g}, "
            f"r = {self.elasticity:g}; alpha = {self.alpha:g} for {scope}"
        )

    def guarantee(self) -> str:
        """What is guaranteed, about what, against whom and with which probability, in plain words."""
        scope = "all radii hold at once" if self.simultaneous else "each single radius holds"
        return (
            f"The certified classifier returns, for each input x, the class that the base classifier returns most often "
            f"under Gaussian noise of standard deviation σ(x), where ln σ changes by at most r = {self.elasticity:g} times "
            f"the distance; whoever asks it about another input computes σ anew. With probability at least "
            f"{confidence_words(self.alpha)} over the {self.samples:,} independent samples of each input, {scope}: the "
            f"label is the same for every input within that ℓ2 distance. Nothing is claimed about the "
            f"{int(self.abstained.sum()):,} of {self.labels.size:,} inputs that abstain."
        )


def certify_elastic(
    votes: Sequence[Votes], dimension: ArrayLike, elasticity: SupportsFloat, alpha: float = 0.01,
    simultaneous: bool = True,
) -> ElasticCertificate:  # fmt: skip
    """Radii of inputs whose Gaussian noise depends on them, such as those that `sample_elastic_votes` voted on.

    An adversary who moves an input changes its noise too, so the radius is that of `input_dependent_radius`, from the mass
    of all other classes together.

    Args:
        votes: one `Votes` per deviation, each about one or more inputs under isotropic Gaussian noise of all features, with
            the same number of samples.
        dimension: how many numbers an input has, one number for all or one for each of the N inputs.
        elasticity: r ≥ 0 of σ(x), as in `elastic_sigma`; 0 is constant noise.
        alpha: error rate below 1/2 of all claims together (or of each one, see `simultaneous`).
        simultaneous: True spends alpha/N on each of the N inputs of all `votes`; False spends alpha on each and makes claims
            about single inputs only.

    Raises:
        InputError: if an argument is outside its domain, or the votes have different numbers of samples.
        UnsupportedError: for other noise, or votes whose samples differ from input to input.

    Warns:
        RepeatedClaimsWarning: if other claims were made from the same `Votes`.
    """
    if isinstance(votes, Votes) or not len(votes):
        raise InputError("certify_elastic takes a list of votes, one per deviation of the noise; give at least one")
    for one in votes:
        check_votes(one, "certify_elastic")
        levels, scale = one.smoothing.levels("features"), one.smoothing.smallest_scale
        if scale is None or levels != (Gaussian(scale, levels[0].lattice),) or one.looks is not None:
            raise UnsupportedError(
                "noise that depends on the input is isotropic Gaussian noise of all features, with all samples for every "
                f"input; got votes under {one.smoothing}"
            )
    if len({one.samples for one in votes}) > 1:
        raise InputError("all inputs need the same number of samples; take as many for each")
    inputs = sum(one.nodes for one in votes)
    sizes = checked_rows(dimension, inputs)
    level = check_level(alpha) / (inputs if simultaneous else 1)
    found = [certify(one, level, False, method="binary") for one in votes]
    labels, p_lower = np.concatenate([one.labels for one in found]), np.concatenate([one.p_lower for one in found])
    sigma = np.repeat([float(one.smoothing.smallest_scale or 0) for one in votes], [one.nodes for one in votes])
    rate = real("the elasticity", elasticity, 0)
    return ElasticCertificate(
        labels=labels, p_lower=p_lower, sigma=sigma, radius=_radii(p_lower, sigma, sizes, rate), dimension=sizes,
        elasticity=rate, alpha=float(alpha), simultaneous=bool(simultaneous), samples=votes[0].samples,
    )  # fmt: skip


def _radii(p_lower: Floats, sigma: Floats, dimension: Integers, elasticity: float) -> Floats:
    """(N,) radii by bounds, deviations and dimensions; every distinct triple is computed once."""
    radius = np.zeros(p_lower.shape)
    for size in np.unique(dimension).tolist():
        mine = dimension == size
        other = np.minimum(np.nextafter(1 - p_lower[mine], 2.0), 1.0)
        (masses, deviations), place = np.unique(np.stack([other, sigma[mine]]), axis=1, return_inverse=True)
        radius[mine] = input_dependent_radius(masses, deviations, size, elasticity)[place.ravel()]
    return np.where(p_lower > 0.5, radius, 0.0)
