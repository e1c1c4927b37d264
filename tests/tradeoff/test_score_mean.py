"""The least mean that a perturbation can leave a score: against rational arithmetic and enumerated worst cases."""

from fractions import Fraction
from itertools import product
from math import inf

import numpy as np
import pytest
from cases import DYADIC_FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st
from seeds import fresh_rng

from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip, Gaussian
from graphcert.tradeoff import GaussianTradeOff, selection_mass, trade_off
from graphcert.tradeoff.disjoint_support import with_disjoint_support
from graphcert.tradeoff.mean_scores import ScoreTails

TAILS = st.lists(st.integers(0, 64).map(lambda k: k / 64), min_size=1, max_size=6).map(
    lambda t: sorted(t, reverse=True)
)


def outcomes(law: BernoulliFlip, add: int, delete: int) -> list[tuple[Fraction, Fraction]]:
    """(P, P') of every noisy version of the bits that change, in rational arithmetic."""
    theta = Fraction(law.add), Fraction(law.delete)
    found = []
    for noisy in product((0, 1), repeat=add + delete):
        clean = perturbed = Fraction(1)
        for k, z in enumerate(noisy):
            one = [theta[0], 1 - theta[1]] if k < add else [1 - theta[1], theta[0]]
            clean *= one[0] if z else 1 - one[0]
            perturbed *= one[1] if z else 1 - one[1]
        found.append((clean, perturbed))
    return found


def worst_mean(pairs: list[tuple[Fraction, Fraction]], tails: list[float]) -> Fraction:
    """The perturbed mean of a real score: it reaches (b + 1)/B on the b-th of nested events, each filled, down to a part of
    one outcome, where the perturbed law is rarest."""
    by_ratio = sorted((pair for pair in pairs if any(pair)), key=lambda pair: pair[1] / pair[0] if pair[0] else inf)
    mean = Fraction(0)
    for tail in tails:
        room = Fraction(tail)
        for clean, perturbed in by_ratio:
            part = min(room / clean, Fraction(1)) if clean else Fraction(0)
            mean += part * perturbed / len(tails)
            room -= part * clean
    return mean


@settings(max_examples=200)
@given(DYADIC_FLIPS, st.integers(0, 3), st.integers(0, 2), TAILS)
def test_the_bound_is_met_by_a_score_with_these_tails(law, add: int, delete: int, tails: list[float]) -> None:
    pairs = outcomes(law, add, delete)
    bound = ScoreTails.of([tails]).perturbed_mean(trade_off(law, add, delete))[0]
    truth = worst_mean(pairs, tails)
    assert Fraction(float(bound)) <= truth
    assert bound >= float(truth) - 1e-11


@settings(max_examples=200)
@given(DYADIC_FLIPS, st.integers(0, 2), st.integers(0, 2), st.data())
def test_no_score_has_a_smaller_perturbed_mean(law, add: int, delete: int, data) -> None:
    """Any score on the outcomes, its tails read off its exact distribution: in bins the bound can only be lower."""
    pairs = outcomes(law, add, delete)
    bins = data.draw(st.integers(1, 8))
    score = [Fraction(data.draw(st.integers(0, 24)), 24) for _ in pairs]
    tails = [float(sum(c for (c, _), s in zip(pairs, score, strict=True) if s * bins >= b + 1)) for b in range(bins)]
    perturbed = sum(d * s for (_, d), s in zip(pairs, score, strict=True))
    assert Fraction(float(ScoreTails.of([tails]).perturbed_mean(trade_off(law, add, delete))[0])) <= perturbed


def test_counting_a_bin_at_its_upper_end_would_be_wrong() -> None:
    """The test above can fail: a score just above 0 in the first of two bins reaches nothing."""
    pairs = outcomes(BernoulliFlip(0.25, 0.25), 1, 0)
    score = Fraction(1, 24)
    tails = [1.0, 0.0]  # as if everything in the first bin had reached 1/2
    assert ScoreTails.of([tails]).perturbed_mean(trade_off(BernoulliFlip(0.25, 0.25), 1))[0] > score * sum(
        d for _, d in pairs
    )


def test_many_nodes_at_once_are_each_node_alone_under_every_kind_of_trade_off() -> None:
    rng = fresh_rng()
    tails = -np.sort(-rng.integers(0, 10_001, (40, 128)) / 10_000, axis=1)
    discrete = trade_off(BernoulliFlip(0.01, 0.6), 2, 1)
    for one in (
        discrete,
        trade_off(Gaussian(0.5), shift=0.3),
        with_disjoint_support(discrete, selection_mass(0.9, 2)),
        GaussianTradeOff(1.0),
    ):
        together = ScoreTails.of(tails).perturbed_mean(one)
        alone = [ScoreTails.of(row[None]).perturbed_mean(one)[0] for row in tails]
        np.testing.assert_array_equal(together, alone)
        direct = np.array([np.mean([float(one.lower(p)) for p in row]) for row in tails])
        np.testing.assert_allclose(together, direct, atol=1e-12)
        assert (together <= direct).all()


def test_bad_input_is_refused() -> None:
    for wrong in ([0.5], [[1.5]], [[np.nan]], np.zeros((1, 2000)), np.zeros((2, 0))):
        with pytest.raises(InputError):
            ScoreTails.of(wrong)
