"""From the votes of one image to what is claimed about it, as plain numbers and masks."""

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates import Certificate, certify, seg_certify
from graphcert.collective import CollectiveCurve
from graphcert.noise import Budget, Gaussian
from graphcert.report.images import ImageClaims
from graphcert.segment_pipeline.elastic import elastic_radii
from graphcert.segment_pipeline.settings import SegmentSettings
from graphcert.tradeoff.radius import gaussian_radius
from graphcert.votes import Votes

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

SECONDS_PER_BUDGET = 20.0
"""Time limit of one solve; when it ends, what has been proved so far is reported."""


def judge(
    name: str, votes: Votes, truth: Integers | None, settings: SegmentSettings, size: tuple[int, int]
) -> ImageClaims:
    """Certify one image in every way that the settings ask for.

    SegCertify and the bounds of all pixels together (theory, sections 7 and 10) are two families of claims, each with the
    error rate `alpha`. Localized noise counts in SegCertify with the deviation of the own cell, its smallest. Noise that
    depends on the image has radii of its own: an adversary changes the noise too.
    """
    shape, sigma = (*size, votes.classes), _smallest_sigma(votes)
    parts = seg_certify(
        votes.pilot_counts.reshape(shape), votes.counts.reshape(shape), settings.tau, settings.alpha, settings.method,
        sigma, settings.errors, total_variation=votes.total_variation, independent=votes.independent,
    )  # fmt: skip
    claims = certify(votes, settings.alpha)
    norms, alone = settings.norms(), _alone(claims, sigma, settings)
    flat = None if truth is None else truth.reshape(-1)
    certified = {"alone": alone.sum(axis=1)}
    correct = {} if flat is None else {"alone": (alone & claims.correct(flat)).sum(axis=1)}
    if settings.cells is not None and settings.collective:
        curve = claims.collective(shift=norms, method="lp", truth=flat, time_limit=SECONDS_PER_BUDGET)
        assert isinstance(curve, CollectiveCurve)
        certified["together"] = curve.certified
        if curve.correct_upper is not None and curve.correct_targets is not None:
            correct["together"] = curve.correct_targets - curve.correct_upper
    return ImageClaims(
        name=name,
        labels=votes.labels.reshape(size),
        truth=truth,
        kept=~parts.abstained,
        sigma=sigma,
        radius=_claimed_radius(sigma, votes.nodes, settings),
        alone=alone.reshape(-1, *size),
        certified=certified,
        correct=correct,
        digest=votes.digest,
    )


def _smallest_sigma(votes: Votes) -> float:
    laws = votes.smoothing.levels("features")
    return min(law.sigma for law in laws if isinstance(law, Gaussian))


def _claimed_radius(sigma: float, pixels: int, settings: SegmentSettings) -> float:
    """How far a probability above τ carries."""
    if settings.elasticity is None:
        return float(gaussian_radius(settings.tau, sigma))
    # τ is at least 1/2, so the difference is exact.
    return float(elastic_radii(1 - settings.tau, sigma, pixels, settings.elasticity))


def _alone(claims: Certificate, sigma: float, settings: SegmentSettings) -> Mask:
    """(B, N) pixels that survive each norm by the bounds of all of them."""
    norms = settings.norms()
    if settings.elasticity is None:
        return np.array([claims._kept(Budget(), norm) for norm in norms])
    radii = elastic_radii(claims.p_other_upper, sigma, claims.nodes, settings.elasticity)
    return np.array([radii >= norm if norm else claims._kept(Budget()) for norm in norms])


def isotropic_counts(votes: Votes, truth: Integers, settings: SegmentSettings) -> tuple[Integers, Integers]:
    """(B,) certified pixels, and those of them that are correct, of votes under isotropic noise."""
    claims = certify(votes, settings.alpha)
    alone = _alone(claims, _smallest_sigma(votes), settings)
    return alone.sum(axis=1), (alone & claims.correct(truth.reshape(-1))).sum(axis=1)
