"""The fast critical probability against exact rational trade-offs: never below, and equal to 1e-12."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tight_oracle import LEVELS, critical_at

from graphcert.collective.exact.critical import (
    MOST_SORTED,
    critical,
    critical_by_other,
    critical_of,
    law_table,
    outcomes,
)
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff import trade_off

RATES = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, 0.25, 0.75, 0.1, 0.9, 1e-9, 1 - 1e-9]),
    st.floats(1e-9, 1 - 1e-9),
    st.floats(-12.0, 0.0).map(lambda e: 10.0**e),
)
LAWS = st.builds(BernoulliFlip, RATES, RATES)
FIVE = [BernoulliFlip(*r) for r in zip(np.linspace(0.05, 0.08, 5), np.linspace(0.65, 0.95, 5), strict=True)]


def exact(laws, adds, deletes, level=0.5):
    parts = [trade_off(law, int(a), int(d)) for law, a, d in zip(laws, adds, deletes, strict=True)]
    return critical_at(prod(parts[1:], start=parts[0]), level)


def fast(laws, adds, deletes, level=0.5):
    return critical(law_table(laws), np.array(adds, dtype=np.int64), np.array(deletes, dtype=np.int64), level)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(LAWS, st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=3), LEVELS)
def test_c_is_the_exact_rational_one_rounded_up(parts, level):
    laws, adds, deletes = zip(*parts, strict=True)
    truth = exact(laws, adds, deletes, level)
    found = fast(laws, adds, deletes, level)
    assert truth <= found <= truth + 1e-12


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=5, max_size=5), st.lists(st.integers(0, 2), min_size=5, max_size=5))
def test_five_levels_that_form_no_chain(adds, deletes):
    truth = exact(FIVE, adds, deletes)
    assert truth <= fast(FIVE, adds, deletes) <= truth + 1e-12


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 4), st.integers(0, 4))
def test_rates_as_small_as_floats_can_be(plus, minus, add, delete):
    """Log-ratios are then in the hundreds, and so is what their rounding may cost."""
    truth = trade_off(BernoulliFlip(plus, minus), add, delete).critical
    assert truth <= fast([BernoulliFlip(plus, minus)], [add], [delete]) <= truth + 1e-10


@settings(max_examples=60, deadline=None)
@given(LAWS, st.integers(0, 60), st.integers(0, 60), LEVELS)
def test_many_changes_under_one_law(law, add, delete, level):
    truth = critical_at(trade_off(law, add, delete), level)
    assert truth <= fast([law], [add], [delete], level) <= truth + 1e-11


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(LAWS, st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=4), st.integers(0, 3), LEVELS
)
def test_one_more_change_never_lowers_c(parts, place, level):
    laws, adds, deletes = zip(*parts, strict=True)
    more = [a + (k == place % len(laws)) for k, a in enumerate(adds)]
    assert fast(laws, more, deletes, level) >= fast(laws, adds, deletes, level) - 1e-12


@pytest.mark.parametrize(
    ("law", "add", "delete", "expected"),
    [
        (BernoulliFlip(0.05, 0.6), 0, 0, 0.5),  # nothing is changed
        (BernoulliFlip(0.0, 0.0), 1, 0, 1.0),  # every change shows
        (BernoulliFlip(0.3, 0.7), 50, 50, None),  # 0.3 + 0.7 is not 1 in binary, almost silent
        (BernoulliFlip(0.25, 0.75), 50, 50, 0.5),  # exactly silent
        (BernoulliFlip(0.0, 1.0), 9, 9, 0.5),  # always zero, whatever the input
        (BernoulliFlip(1.0, 0.0), 9, 9, 0.5),  # always one
        (BernoulliFlip(1.0, 1.0), 1, 1, 1.0),  # noise that tells everything
        (BernoulliFlip(0.0, 0.6), 3, 0, 0.5 / 0.6**3 if 0.6**3 > 0.5 else 1.0),
        (BernoulliFlip(0.0, 0.9), 3, 0, None),
    ],
)
def test_laws_at_the_border(law, add, delete, expected):
    found = fast([law], [add], [delete])
    truth = trade_off(law, add, delete).critical
    assert truth <= found <= truth + 1e-12
    assert expected is None or found == pytest.approx(expected, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(LAWS, st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=3), LEVELS, LEVELS)
def test_a_higher_level_is_reached_from_higher_up(parts, one, other):
    low, high = sorted((one, other))
    laws, adds, deletes = zip(*parts, strict=True)
    assert fast(laws, adds, deletes, low) <= fast(laws, adds, deletes, high) + 1e-12
    assert fast(laws, adds, deletes, high) >= high


def test_a_silent_law_among_others_changes_nothing():
    laws = [BernoulliFlip(0.05, 0.6), BernoulliFlip(0.25, 0.75)]
    assert fast(laws, [3, 7], [2, 9]) == fast(laws[:1], [3], [2])


OTHERS = st.lists(st.one_of(st.floats(1e-6, 0.6), st.sampled_from([2.0**-40, 0.25, 0.5])), min_size=1, max_size=5)


def against(laws, adds, deletes, level, others):
    """The c of pairs, and the exact ones: c at the smaller of the target level and what the other class can reach."""
    others = np.append(np.unique(others), 1.0)
    seen = outcomes(law_table(laws), np.array(adds, dtype=np.int64), np.array(deletes, dtype=np.int64))
    found = np.full(others.size, critical_of(seen, level))
    critical_by_other(seen, level, others, found)
    parts = [trade_off(law, int(a), int(d)) for law, a, d in zip(laws, adds, deletes, strict=True)]
    whole = prod(parts[1:], start=parts[0])
    offset = 2 * Fraction(level) - 1
    ties = [min(Fraction(level), whole.upper_exact(Fraction(q)) + offset) for q in others[:-1].tolist()]
    return found, np.array([critical_at(whole, tie) for tie in [*ties, Fraction(level)]])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(LAWS, st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=3), LEVELS, OTHERS)
def test_c_of_pairs_is_the_exact_rational_one_rounded_up(parts, level, others):
    laws, adds, deletes = zip(*parts, strict=True)
    found, truth = against(laws, adds, deletes, level, others)
    assert (truth <= found).all()
    # A small level q is reached with a slope of up to 1/q.
    assert (found <= truth + 1e-12 * (1 + 1 / np.array([*np.unique(others), 1.0]))).all()
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("level", [0.5, 0.625])
def test_c_of_pairs_where_outcomes_are_too_many_to_be_sorted(level):
    laws = [BernoulliFlip(1 / 16, 3 / 4), BernoulliFlip(1 / 32, 7 / 8), BernoulliFlip(1 / 8, 5 / 8)]
    adds, deletes = (33, 20, 16), (0, 13, 17)
    assert prod(a + d + 1 for a, d in zip(adds, deletes, strict=True)) > MOST_SORTED
    found, truth = against(laws, adds, deletes, level, [1e-4, 0.002, 0.01, 0.05, 0.2])
    assert (truth <= found).all()
    assert (found <= truth + 1e-10).all()


def test_the_exchanged_laws_are_not_the_same_question():
    """upper(q) is the c of the exchanged laws; c at level q would be a smaller number, and certify too much."""
    laws, adds, deletes = [BernoulliFlip(1 / 16, 1 / 2)], (2,), (0,)
    found, truth = against(laws, adds, deletes, 0.5, [0.125])
    wrong = fast(laws, adds, deletes, 0.125)
    assert wrong < truth[0] <= found[0]
