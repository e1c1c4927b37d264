"""What is claimed of the pixels of one image: SegCertify, and all pixels at once (theory, sections 5, 7 and 10)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification import stated
from graphcert.verification.binomials import Tails
from graphcert.verification.enclosures import normal_bounds
from graphcert.verification.findings import Finding
from graphcert.verification.node_bounds import Levels, NodeBounds, bounds_at
from graphcert.verification.node_claims import check_votes
from graphcert.verification.real_laws import quantile_above
from graphcert.verification.run_files import StoredVotes
from graphcert.verification.schemes import read_scheme

RESULTS = "results.csv"
_SETTINGS = "settings.toml"


class _Test(NamedTuple):
    """What SegCertify tests: a probability above τ, at an error rate α, with so many errors tolerated, by Holm or not."""

    tau: Fraction
    alpha: Fraction
    errors: int
    stepwise: bool


def check_segmentation(
    settings: Mapping[str, Any], votes: StoredVotes, rows: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """The rows of results.csv about one image: no more pixels may be claimed than the slow path proves.

    Accuracies and what is certified together are not looked at.

    Args:
        settings: those of the run, section "segment" of settings.toml.
        votes: of the image, one node per pixel.
        rows: the rows, as `csv.DictReader` gives them.
    """
    yield from check_votes(votes)
    try:
        if settings.get("elasticity") is not None:
            raise UnsupportedError("noise that depends on the image is not covered independently; it is recomputed")
        test, deviation = _read_test(settings), _deviation(votes)
        bounds = bounds_at(_all_pixels(test, votes), votes)
        for row in rows:
            yield _check_row(row, test, deviation, votes, bounds)
    except DataError as error:
        yield Finding("contradiction", RESULTS, str(error))
    except UnsupportedError as error:
        yield Finding("believed", RESULTS, str(error))


def _read_test(settings: Mapping[str, Any]) -> _Test:
    tau = stated.number(settings.get("tau", 0.75), "tau", 0.5, 1.0)
    alpha = stated.number(settings.get("alpha", 0.01), "alpha", 0.0, 0.5)
    method = settings.get("method", "holm")
    if tau == 1 or alpha in (0.0, 0.5) or method not in ("holm", "bonferroni"):
        raise DataError(f"tau, alpha or method of {_SETTINGS} is outside its domain; restore the settings")
    errors = stated.whole(settings.get("errors", 0), "errors")
    return _Test(Fraction(tau), Fraction(alpha), errors, method == "holm")


def _deviation(votes: StoredVotes) -> Fraction:
    """The smallest standard deviation of the noise."""
    views = read_scheme(votes.scheme, len(votes.counts))
    if views.features[0].kind != "gaussian" or views.features[0].select != 1:
        raise DataError("the votes of an image were taken under other noise than Gaussian; restore them")
    return min(law.numbers[0] for law in views.features)


def _all_pixels(test: _Test, votes: StoredVotes) -> Levels:
    """α over all pixels, half of it for the label where there are three classes or more."""
    pixels, classes = votes.counts.shape
    everywhere, level = np.ones(pixels, np.bool_), test.alpha / pixels
    if classes == 2:
        return Levels("binary", everywhere, level, Fraction(0))
    return Levels("multiclass", everywhere, level / 2, level / 2)


def _check_row(
    row: Mapping[str, Any], test: _Test, deviation: Fraction, votes: StoredVotes, bounds: NodeBounds
) -> Finding:
    sigma, budget, share = (_number(row, name) for name in ("sigma", "budget", "certified"))
    pixels, claim = len(votes.counts), row.get("claim")
    if sigma != deviation or _number(row, "pixels") != pixels:
        raise DataError(f"a row is about other noise or {row.get('pixels')} pixels; the votes are about {pixels:,}")
    if claim == "segcertify":
        # Φ(R/σ) ≤ τ says R ≤ σΦ⁻¹(τ).
        if budget and normal_bounds(Fraction(budget) / deviation)[1] > test.tau:
            return Finding("contradiction", RESULTS, f"the radius {budget} is above σΦ⁻¹(τ), which SegCertify proves")
        proved, words = _rejected(test, votes), f"SegCertify at tau = {float(test.tau):g} up to a norm of {budget:.6g}"
    elif claim == "simultaneous":
        proved, words = (
            _survivors(bounds, Fraction(budget) / deviation),
            f"all pixels at once at a norm of {budget:.6g}",
        )
    else:
        raise DataError(f"a row claims {claim!s:.40}, which is none of segcertify and simultaneous; certify again")
    found = f"{words}: {share * pixels:,.10g} of {pixels:,} pixels are claimed, {proved:,} are proved"
    return Finding("contradiction" if share > proved / pixels else "proved", RESULTS, found)


def _number(row: Mapping[str, Any], name: str) -> float:
    try:
        return stated.number(float(row[name]), f"{name} of a row of {RESULTS}", 0.0, 2.0**53)
    except (KeyError, TypeError, ValueError):
        raise DataError(f"a row of {RESULTS} has no number {name}; certify again") from None


def _rejected(test: _Test, votes: StoredVotes) -> int:
    """How many pixels have a probability above τ, together at level α (Holm 1979; Lehmann & Romano 2005).

    Pixels of one count have one p-value, and the first of them meets the smallest threshold of theirs: where it passes all
    do, and where it does not the procedure ends. Total variation is added to τ.
    """
    labels, samples = votes.pilot_counts.argmax(axis=1), int(votes.counts[0].sum())
    successes = np.take_along_axis(votes.counts, labels[:, None], axis=1)[:, 0]
    counts, sizes = np.unique(successes, return_counts=True)
    tested, tails = test.tau + Fraction(votes.total_variation), Tails(samples, counts.tolist())
    level, done = (test.errors + 1) * test.alpha, 0
    for count, size in zip(counts[::-1].tolist(), sizes[::-1].tolist(), strict=True):
        left = len(successes) - (max(done - test.errors, 0) if test.stepwise else 0)
        if tested >= 1 or not tails.at_most(count, tested, level / left):
            break
        done += size
    return done


def _survivors(bounds: NodeBounds, distance: Fraction) -> int:
    """How many labels survive a shift of so many deviations: Φ⁻¹(pA) > μ, or Φ⁻¹(pA) − Φ⁻¹(pB) > 2μ."""
    label = -_quantiles(1.0 - bounds.p_lower)  # exact where p_lower ≥ 1/2; below, one rounding up
    limit = np.nextafter(float(distance), np.inf)
    kept = label > limit
    if bounds.rivals is not None:
        gap = np.nextafter(label - _quantiles(bounds.rivals), -np.inf)
        kept |= gap > np.nextafter(2 * limit, np.inf)
    if not distance:
        kept = (bounds.p_lower > 0.5) | ((bounds.p_lower > bounds.p_other) & (bounds.rivals is not None))
    return int(kept.sum())


def _quantiles(masses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upper bounds of Φ⁻¹, infinite where none is proved."""
    distinct, place = np.unique(np.nextafter(masses, 2.0).clip(max=1.0), return_inverse=True)
    found = [quantile_above(Fraction(mass)) for mass in distinct.tolist()]
    return np.array([np.inf if z is None else z for z in found])[place]
