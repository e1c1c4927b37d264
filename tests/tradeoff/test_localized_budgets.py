"""Levels of localized smoothing: the Blackwell order against exact trade-offs, and the worst use of a budget."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from cases import DYADIC, DYADIC_FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.noise import BernoulliFlip, Budget, Partition, Smoothing
from graphcert.noise.law import undominated
from graphcert.tradeoff import budget_trade_offs, trade_off

GRID = [Fraction(k, 64) for k in range(65)]


def localized(*laws: BernoulliFlip, edges: BernoulliFlip | None = None) -> Smoothing:
    count = len(laws)
    affinity = np.random.default_rng(count).random((count, count))
    return Smoothing(list(laws), edges, Partition.of_affinity(np.arange(count), affinity))


def below(one, two) -> bool:
    return all(one.lower_exact(p) <= two.lower_exact(p) for p in GRID)


@pytest.mark.filterwarnings("ignore:the features noise falls")
@given(DYADIC_FLIPS, DYADIC_FLIPS)
@settings(max_examples=300)
def test_the_order_of_laws_is_the_order_of_the_trade_offs_of_one_bit(strong, weak) -> None:
    """A bit has two outcomes: there one law post-processes another iff its trade-off is below everywhere (Blackwell)."""
    ordered = all(below(trade_off(strong, *bit), trade_off(weak, *bit)) for bit in ((1, 0), (0, 1)))
    # The grid holds all vertices: masses are multiples of 1/16.
    assert strong.dominates(weak) == ordered


@given(DYADIC_FLIPS, DYADIC_FLIPS, st.integers(0, 2), st.integers(0, 2), st.integers(0, 2), st.integers(0, 2))
@settings(max_examples=200)
def test_the_order_survives_products(strong, weak, add, delete, more, fewer) -> None:
    if strong.dominates(weak):
        rest = trade_off(BernoulliFlip(0.25, 0.5), more, fewer)
        assert below(trade_off(strong, add, delete) * rest, trade_off(weak, add, delete) * rest)


def test_levels_beyond_one_need_not_form_a_chain() -> None:
    laws = tuple(
        BernoulliFlip(a, d) for a, d in zip(np.linspace(0.05, 0.08, 5), np.linspace(0.65, 0.95, 5), strict=True)
    )
    assert all(laws[i].dominates(laws[i + 1]) for i in range(3))
    assert not any(laws[4].dominates(other) or other.dominates(laws[4]) for other in laws[:4])
    assert undominated(laws) == (laws[0], laws[4])


@pytest.mark.filterwarnings("ignore:the features noise falls")
@given(st.lists(DYADIC_FLIPS, min_size=2, max_size=3), st.integers(0, 3), st.integers(0, 2), DYADIC, st.integers(0, 1))
@settings(max_examples=150)
def test_no_allocation_over_levels_is_worse_than_the_worst_trade_off(laws, add, delete, rate, edge_delete) -> None:
    edges = BernoulliFlip(0.0, rate)
    if all(law.silent for law in laws) and edges.silent:
        return
    smoothing = localized(*laws, edges=edges)
    found = budget_trade_offs(smoothing, Budget(add, delete, 0, edge_delete))
    worst = max(trade.critical for trade in found)
    spreads = [
        (adds, deletes)
        for adds in product(range(add + 1), repeat=len(laws)) if sum(adds) == add
        for deletes in product(range(delete + 1), repeat=len(laws)) if sum(deletes) == delete
    ]  # fmt: skip
    truth = 0.0
    for adds, deletes in spreads:
        together = trade_off(edges, 0, edge_delete)
        for law, a, d in zip(laws, adds, deletes, strict=True):
            together = together * trade_off(law, a, d)
        truth = max(truth, together.critical)
        assert all(min(t.lower_exact(p) for t in found) <= together.lower_exact(p) for p in GRID[32:])
    assert truth <= worst
    assert len(found) == 1 or worst == truth


def test_equal_levels_are_the_isotropic_budget() -> None:
    law = BernoulliFlip(0.05, 0.7)
    assert budget_trade_offs(localized(law, law, law), Budget(3, 4)) == budget_trade_offs(Smoothing(law), Budget(3, 4))


def test_too_many_ways_fall_back_on_a_sound_corner() -> None:
    laws = tuple(
        BernoulliFlip(a, d) for a, d in zip(np.linspace(0.05, 0.08, 5), np.linspace(0.65, 0.95, 5), strict=True)
    )
    (corner,) = budget_trade_offs(localized(*laws), Budget(20, 20))
    few = budget_trade_offs(localized(*laws), Budget(12, 12))
    assert len(few) == 169
    assert corner.critical >= max(trade.critical for trade in few)
