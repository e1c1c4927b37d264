"""What is claimed of the pixels of one image: SegCertify, and all pixels at once (theory, sections 5, 7 and 10)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification import stated
from graphcert.verification.binomials import Tails
from graphcert.verification.enclosures import normal_bounds, power_down
from graphcert.verification.findings import Finding
from graphcert.verification.node_bounds import Levels, NodeBounds, bounds_at
from graphcert.verification.node_claims import check_votes
from graphcert.verification.real_laws import quantile_above, shifted_upper, survives_shift
from graphcert.verification.run_files import StoredVotes
from graphcert.verification.schemes import read_scheme

RESULTS = "results.csv"
_SETTINGS = "settings.toml"
_KINDS = ("gaussian", "turn", "rotation")
"""Noise under which what survives a shift is decided by that of one Gaussian number."""


class _Test(NamedTuple):
    """What SegCertify tests: a probability above τ, at an error rate α, with so many errors tolerated, by Holm or not."""

    tau: Fraction
    alpha: Fraction
    errors: int
    stepwise: bool


class _Noise(NamedTuple):
    """The smallest standard deviation, None where selected pixels are hidden; and the rarest selection, None without."""

    deviation: Fraction | None
    select: Fraction | None


class _Change(NamedTuple):
    """What a row is about: a norm, None where pixels change at will, and the mass δ with which touched ones are seen."""

    norm: Fraction | None
    delta: Fraction
    words: str


def check_segmentation(
    settings: Mapping[str, Any], votes: StoredVotes, rows: Sequence[Mapping[str, Any]], elements: str = "pixels"
) -> Iterator[Finding]:
    """The rows of results.csv about one input: no more of its elements may be claimed than the slow path proves.

    Accuracies and what is certified together are not looked at.

    Args:
        settings: those of the run, the only section of settings.toml.
        votes: of the input, one node per element.
        rows: the rows, as `csv.DictReader` gives them.
        elements: what the elements are called, in rows too.
    """
    yield from check_votes(votes)
    try:
        if settings.get("elasticity") is not None:
            raise UnsupportedError("noise that depends on the image is not covered independently; it is recomputed")
        test, noise = _read_test(settings), _noise(votes)
        bounds = bounds_at(_all_pixels(test, votes), votes)
        for row in rows:
            yield _check_row(row, test, noise, votes, bounds, elements)
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


def _noise(votes: StoredVotes) -> _Noise:
    """The smallest standard deviation and the rarest selection."""
    views = read_scheme(votes.scheme, len(votes.counts))
    kind, select = views.features[0].kind, min(law.select for law in views.features)
    chosen = "lower" in votes.scheme
    if kind == "ablation" and chosen:
        return _Noise(None, select)
    if kind not in _KINDS:
        raise DataError(
            "the votes of an input were taken under other noise than Gaussian, turns or ablation; restore them"
        )
    return _Noise(min(law.numbers[0] for law in views.features), select if chosen else None)


def _all_pixels(test: _Test, votes: StoredVotes) -> Levels:
    """α over all pixels, half of it for the label where there are three classes or more."""
    pixels, classes = votes.counts.shape
    everywhere, level = np.ones(pixels, np.bool_), test.alpha / pixels
    if classes == 2:
        return Levels("binary", everywhere, level, Fraction(0))
    return Levels("multiclass", everywhere, level / 2, level / 2)


def _check_row(
    row: Mapping[str, Any], test: _Test, noise: _Noise, votes: StoredVotes, bounds: NodeBounds, elements: str
) -> Finding:
    count, claim, share = len(votes.counts), row.get("claim"), _number(row, "certified")
    sigma = None if noise.deviation is None and not row.get("sigma") else _number(row, "sigma")
    if sigma != noise.deviation or _number(row, elements) != count:
        raise DataError(f"a row is about other noise or {row.get(elements)} {elements}; the votes are about {count:,}")
    change = _change(row, noise)
    if claim == "segcertify":
        proved, words = _rejected(test, votes), f"SegCertify at tau = {float(test.tau):g} {change.words}"
        if not _keeps(test.tau, noise, change):
            if noise.select is None:
                return Finding(
                    "contradiction", RESULTS, f"the radius {row['budget']} is above σΦ⁻¹(τ), which SegCertify proves"
                )
            proved = 0
    elif claim == "simultaneous":
        proved, words = _survivors(bounds, noise, change), f"all {elements} at once {change.words}"
    else:
        raise DataError(f"a row claims {claim!s:.40}, which is none of segcertify and simultaneous; certify again")
    found = f"{words}: {share * count:,.10g} of {count:,} {elements} are claimed, {proved:,} are proved"
    return Finding("contradiction" if share > proved / count else "proved", RESULTS, found)


def _change(row: Mapping[str, Any], noise: _Noise) -> _Change:
    if noise.select is None:
        budget = _number(row, "budget")
        return _Change(Fraction(budget), Fraction(0), f"up to a norm of {budget:.6g}")
    touched = _number(row, "touched")
    if not touched.is_integer():
        raise DataError(f"a row of {RESULTS} counts {touched} touched pixels, which is no whole number; certify again")
    delta, scope = 1 - power_down(noise.select, int(touched)), f"in at most {int(touched):,} touched"
    if noise.deviation is None:
        return _Change(None, delta, f"at will {scope}")
    budget = _number(row, "budget")
    # Where nothing moves, nothing shows itself.
    return _Change(Fraction(budget), delta if budget else Fraction(0), f"up to a norm of {budget:.6g} {scope}")


def _keeps(tau: Fraction, noise: _Noise, change: _Change) -> bool:
    """Whether a label of a probability above τ ≥ 1/2 survives."""
    if change.norm is None or noise.deviation is None:
        return 2 * (tau - change.delta) >= 1
    if noise.select is None:  # Φ(R/σ) ≤ τ says R ≤ σΦ⁻¹(τ).
        return not change.norm or normal_bounds(change.norm / noise.deviation)[1] <= tau
    return not change.norm or survives_shift("gaussian", noise.deviation, change.norm, change.delta, tau, None)


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


def _survivors(bounds: NodeBounds, noise: _Noise, change: _Change) -> int:
    """How many labels survive a change."""
    if change.norm is None or noise.deviation is None or (change.norm and noise.select is not None):
        return _survivors_of_selection(bounds, noise, change)
    return _survivors_of_shift(bounds, change.norm / noise.deviation)


def _survivors_of_selection(bounds: NodeBounds, noise: _Noise, change: _Change) -> int:
    """The same where pixels are selected: lower(pA) > 1/2, or lower(pA) > upper(pB), both rounded towards "not"."""

    def upper(masses: NDArray[np.float64]) -> NDArray[np.float64]:
        distinct, place = np.unique(masses, return_inverse=True)
        reached = [float(_reached(Fraction(mass), noise, change)) for mass in distinct.tolist()]
        return np.asarray(np.nextafter(np.array(reached), 2.0)[place])

    everything_else = np.minimum(np.nextafter(1.0 - bounds.p_lower, 2.0), 1.0)
    lower = np.nextafter(1.0 - upper(everything_else), -1.0)
    kept = lower > 0.5
    if bounds.rivals is not None:
        kept |= lower > upper(bounds.rivals)
    return int(kept.sum())


def _reached(mass: Fraction, noise: _Noise, change: _Change) -> Fraction:
    """The most that an event of so much mass has after the change."""
    if change.norm is None or noise.deviation is None:
        return min(mass + change.delta, Fraction(1))
    return shifted_upper("gaussian", noise.deviation, change.norm, change.delta, mass)


def _survivors_of_shift(bounds: NodeBounds, distance: Fraction) -> int:
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
