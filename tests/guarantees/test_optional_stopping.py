"""Who stops every node at the worst of its looks makes no more false claims than α; without divided levels he does.

False-alarm rate: 1e-6 per test. Nodes of one certificate with simultaneous=False stand for independent runs of one claim.
"""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy import stats
from seeds import fresh_rng

import graphcert as gc
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.statistics import Looks
from graphcert.votes import Votes

ALPHA, RUNS = 0.05, 4000
NOISE = gc.Smoothing(features=gc.BernoulliFlip(0.1, 0.1))
LIMIT = stats.binom.isf(1e-6, RUNS, ALPHA)


def prefixes(truth: Floats, looks: Looks) -> Iterator[Integers]:
    """(RUNS, K) counts of the first samples, at every look."""
    rng, counts = fresh_rng(), np.zeros((RUNS, truth.size), np.int64)
    for start, end in zip((0, *looks.ends), looks.ends, strict=False):
        counts = counts + rng.multinomial(end - start, truth, RUNS)
        yield counts


def bounds(counts: Integers, looks: Looks, method: str) -> gc.Certificate:
    pilot = np.zeros_like(counts)
    pilot[:, 0] = 1
    votes = Votes(pilot, counts, NOISE, looks=looks, independent=True)
    return gc.certify(votes, ALPHA, simultaneous=False, method=method)


def false_claims(truth: Floats, looks: Looks, method: str) -> Mask:
    """(RUNS,) whether the bounds of the look at which they are most wrong are wrong."""
    best, chosen = np.full(RUNS, -np.inf), np.zeros((RUNS, truth.size), np.int64)
    for counts in prefixes(truth, looks):
        found = bounds(counts, looks, method)
        wrong_by = np.maximum(found.p_lower - truth[0], truth[1:].max() - found.p_other_upper)
        better = wrong_by > best
        best[better], chosen[better] = wrong_by[better], counts[better]
    # The certificate of the votes at which each node stopped, at its own look.
    found = bounds(chosen, looks, method)
    return np.asarray((found.p_lower > truth[0]) | (found.p_other_upper < truth[1:].max()))


@pytest.mark.parametrize("method", ["binary", "multiclass"])
@pytest.mark.parametrize("truth", [np.array([0.6, 0.4]), np.array([0.5, 0.3, 0.2]), np.array([0.9, 0.05, 0.05])])
def test_stopping_at_the_worst_moment_makes_no_more_false_claims(truth: Floats, method: str) -> None:
    assert false_claims(truth, Looks.planned(2000), method).sum() <= LIMIT


def test_even_looks_of_even_weights_hold_too() -> None:
    looks = Looks(tuple(range(50, 1001, 50)), (0.05 - 2**-50,) * 20)
    assert false_claims(np.array([0.6, 0.4]), looks, "binary").sum() <= LIMIT


@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_a_level_that_is_not_divided_over_looks_is_caught(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Looks, "level", lambda self, level, look: level)
    assert false_claims(np.array([0.6, 0.4]), Looks.planned(2000), method).sum() > LIMIT
