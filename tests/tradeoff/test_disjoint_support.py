"""Escapes: selected rows against enumeration of all selections and all noise, in rational arithmetic (theory, section 6)."""

from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np
import oracles_enumeration as oracle
import pytest
from cases import FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Ablation, BernoulliFlip, Budget, Gaussian, Hierarchical, Partition, Selected, Smoothing
from graphcert.tradeoff import (
    DiscreteTradeOff,
    DisjointSupport,
    TradeOff,
    budget_trade_offs,
    selection_mass,
    subset_mass,
    trade_off,
    with_disjoint_support,
)

SELECT = st.one_of(st.sampled_from([1.0, 0.5, 0.75, 0.9, 1 - 2.0**-53, 2.0**-40]), st.floats(0.01, 1))
EIGHTHS = st.integers(0, 8).map(lambda k: k / 8)
GRID = [0.0, 5e-324, 1e-200, 1e-9, 0.1, 0.5, 0.75, 0.9, 0.999, 1 - 1e-9, 1 - 2.0**-53, 1.0]
TOLERANCE = Fraction(1e-12)
NOISY = BernoulliFlip(0.125, 0.25)


def row(law: BernoulliFlip, select: float, add: int, delete: int) -> list[oracle.Pair]:
    """One changed row: noised together with its bits, or shown as it is; then the two laws have nothing in common."""
    s = Fraction(select)
    noised = [(s * clean, s * moved) for clean, moved in oracle.outcomes((law, add, delete))]
    return [*noised, (1 - s, Fraction(0)), (Fraction(0), 1 - s)]


def together(*parts: list[oracle.Pair]) -> list[oracle.Pair]:
    """All outcomes of independent parts."""
    pairs = [(Fraction(1), Fraction(1))]
    for part in parts:
        pairs = [(c * c2, d * d2) for c, d in pairs for c2, d2 in part]
    return pairs


def probes(pairs: list[oracle.Pair]) -> np.ndarray:
    v = np.array([float(x) for x in oracle.Curve(pairs).vertices])
    points = np.concatenate([GRID, v, 1 - v, np.nextafter(v, 0), np.nextafter(v, 1)])
    return np.unique(np.clip(points, 0, 1))


def assert_exact(found: TradeOff, pairs: list[oracle.Pair]) -> None:
    """Never on the unsound side of the truth, within 1e-12 of it; c the smallest float that is no smaller.

    A quotient by 1 − δ that is no normal float is rounded up by its last digit, which may be its first.
    """
    curve = oracle.Curve(pairs)
    p = probes(pairs)
    for x, low, high in zip(p, found.lower(p), found.upper(p), strict=True):
        truth = curve.lower(float(x))
        assert Fraction(float(low)) <= truth, x
        assert truth - TOLERANCE <= Fraction(float(low)), x
        truth = curve.upper(float(x))
        assert truth <= Fraction(float(high)), x
        assert 0 < x < 1e-300 or Fraction(float(high)) <= truth + TOLERANCE, x
    c, half = found.critical, Fraction(1, 2)
    if c < 1:
        assert curve.lower(Fraction(c) + Fraction(1, 2**300)) > half
    assert curve.lower(float(np.nextafter(c, 0))) <= half


ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)).filter(any), min_size=1, max_size=3)


@settings(max_examples=60)
@given(FLIPS, SELECT, ROWS)
def test_selected_rows(law: BernoulliFlip, select: float, rows: list[tuple[int, int]]) -> None:
    """However the bits lie in r rows, the trade-off is the one that knows r and the numbers of bits."""
    add, delete = (sum(bits) for bits in zip(*rows, strict=True))
    found = trade_off(Selected(select, law), add, delete, len(rows))
    assert_exact(found, together(*(row(law, select, *bits) for bits in rows)))


@settings(max_examples=40)
@given(FLIPS, SELECT, ROWS, FLIPS, st.tuples(*[st.integers(0, 2)] * 2))
def test_disjoint_support_commutes_with_independent_parts(f, select, rows, e, edges) -> None:
    """D(features) · edges = D(features · edges), in either order, against enumeration of both."""
    add, delete = (sum(bits) for bits in zip(*rows, strict=True))
    low, other = trade_off(f, add, delete), trade_off(e, *edges)
    delta = selection_mass(select, len(rows))
    joint = with_disjoint_support(low, delta) * other
    assert joint == with_disjoint_support(low * other, delta)
    assert other * with_disjoint_support(low, delta) == with_disjoint_support(other * low, delta)
    assert_exact(joint, together(*(row(f, select, *bits) for bits in rows), oracle.outcomes((e, *edges))))


@settings(max_examples=40)
@given(FLIPS, SELECT, SELECT, st.integers(1, 2), st.integers(1, 2))
def test_two_disjoint_supports_are_one(law, s, t, add, delete) -> None:
    joint = with_disjoint_support(trade_off(law, add, 0), selection_mass(s, 1)) * with_disjoint_support(
        trade_off(law, 0, delete), selection_mass(t, 1)
    )
    assert_exact(joint, together(row(law, s, add, 0), row(law, t, 0, delete)))
    if s < 1 and t < 1:
        assert joint == DisjointSupport(trade_off(law, add, delete), 1 - Fraction(s) * Fraction(t))


@given(FLIPS, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_everything_selected_is_the_lower_trade_off_number_for_number(law, add, delete, nodes) -> None:
    assert trade_off(Selected(1.0, law), add, delete) == trade_off(law, add, delete)
    assert trade_off(Selected(1.0, law), add, delete, nodes + 1) == trade_off(law, add, delete)
    assert trade_off(Hierarchical(1.0, NOISY), add, delete) == trade_off(NOISY, add, delete)
    low = trade_off(law, add, delete)
    assert with_disjoint_support(low, Fraction(0)) is low


@given(st.integers(1, 6), st.integers(0, 6), st.integers(0, 6))
def test_exactly_k_of_d_kept(d: int, k: int, r: int) -> None:
    """Levine and Feizi: count the subsets that keep no changed element; the rest are seen by one law only."""
    if max(k, r) > d:
        with pytest.raises(InputError, match="at most"):
            subset_mass(d, k, r)
        return
    safe = sum(not set(kept) & set(range(r)) for kept in combinations(range(d), k))
    delta = subset_mass(d, k, r)
    assert delta == 1 - Fraction(safe, comb(d, k))
    pairs = [(Fraction(1, comb(d, k)), Fraction(1, comb(d, k)))] * safe
    disjoint = comb(d, k) - safe
    pairs += [(Fraction(1, comb(d, k)), Fraction(0)), (Fraction(0), Fraction(1, comb(d, k)))] * disjoint
    assert_exact(with_disjoint_support(trade_off(Ablation()), delta), pairs)


@given(SELECT, st.integers(1, 5), st.floats(0, 1), st.floats(0, 1))
def test_ablation_is_the_disjoint_support_alone(select: float, rows: int, p: float, other: float) -> None:
    """Scholten et al. 2022: certified iff p − δ > 1/2, or pA − δ > pB + δ."""
    found = trade_off(Hierarchical(select, Ablation()), nodes=rows)
    delta = 1 - Fraction(select) ** rows
    low, high = max(Fraction(p) - delta, Fraction(0)), min(Fraction(other) + delta, Fraction(1))
    assert low - TOLERANCE <= Fraction(float(found.lower(p))) <= low
    assert high <= Fraction(float(found.upper(other))) <= high + TOLERANCE
    assert (p > found.critical) == (delta < Fraction(1, 2) and Fraction(p) > delta + Fraction(1, 2))
    assert trade_off(Hierarchical(select, Ablation()), add=rows) == found
    assert trade_off(Hierarchical(select, Ablation()), add=rows, nodes=rows + 1) == found


@settings(max_examples=50)
@given(
    st.builds(BernoulliFlip, EIGHTHS, EIGHTHS), SELECT, SELECT, st.integers(0, 4), st.integers(0, 3), st.integers(1, 4)
)
def test_more_rows_and_rarer_selection_never_help(law, s, t, add, delete, rows) -> None:
    p = np.linspace(0, 1, 65)
    rare, often = Selected(min(s, t), law), Selected(max(s, t), law)
    found = trade_off(often, add, delete, rows)
    assert np.all(np.diff(found.lower(p)) >= -1e-12)
    worse = [trade_off(rare, add, delete, rows), trade_off(often, add, delete, rows + 1), trade_off(often, add, delete)]
    for trade in (*worse, trade_off(often, add + 1, delete, rows), trade_off(often, add, delete + 1, rows)):
        assert trade.critical >= found.critical
        assert np.all(trade.lower(p) <= found.lower(p) + 1e-12)
        assert np.all(trade.upper(p) >= found.upper(p) - 1e-12)


def test_rows_beyond_the_bits_change_nothing() -> None:
    law = Hierarchical(0.75, NOISY)
    assert trade_off(law, 2, 1, nodes=7) == trade_off(law, 2, 1) == trade_off(law, 2, 1, nodes=3)
    assert trade_off(law, 2, 1, nodes=0) == trade_off(NOISY, 2, 1, nodes=0) == trade_off(law) == trade_off(NOISY)
    assert trade_off(law, nodes=5) == trade_off(law)


def test_no_majority_survives_where_escape_is_as_likely_as_not() -> None:
    for s, rows in ((0.5, 1), (0.75, 3), (0.01, 2)):
        found = trade_off(Hierarchical(s, NOISY), rows)
        assert found.critical == 1
        assert found.inverse(Fraction(1, 2)) == 1
        assert found.lower(1.0) < 0.5
    certain = DisjointSupport(trade_off(NOISY, 1), Fraction(1))
    assert certain.lower(1.0) == 0
    assert certain.upper(0.0) == 1


def test_many_rows_are_rounded_up_and_few_are_exact() -> None:
    for select, rows in ((0.9, 3), (1 - 2.0**-20, 1024)):
        assert selection_mass(select, rows) == 1 - Fraction(select) ** rows
    for select, rows in ((1 - 2.0**-20, 5000), (0.999, 2000)):
        exact, found = 1 - Fraction(select) ** rows, selection_mass(select, rows)
        assert exact <= found <= exact + Fraction(1, 10**55)
    assert 1 - Fraction(1, 10**50) < selection_mass(0.5, 10**6) < 1
    assert selection_mass(1.0, 10**9) == 0


@pytest.mark.parametrize("delta", [Fraction(-1, 2), Fraction(3, 2), float("nan")])
def test_what_is_no_disjoint_support_mass(delta) -> None:
    with pytest.raises((InputError, ValueError)):
        DisjointSupport(trade_off(NOISY, 1), delta)


def test_what_has_no_trade_off() -> None:
    two = Partition([0, 1], [[0, 1], [1, 0]])
    for scheme in (
        Hierarchical(0.8, Smoothing(NOISY, NOISY)),
        Hierarchical(0.8, Smoothing([NOISY, BernoulliFlip(0.25, 0.5)], None, two)),
    ):
        with pytest.raises(UnsupportedError, match="a scheme with levels or edge noise has several"):
            trade_off(scheme, 1)
    for law in (NOISY, Hierarchical(0.8, NOISY), Ablation(), Hierarchical(0.8, Ablation())):
        with pytest.raises(InputError, match="shift"):
            trade_off(law, 1, shift=0.5)
    with pytest.raises(InputError, match="nodes"):
        trade_off(Hierarchical(0.8, Gaussian(1.0)), shift=0.5)
    for law in (Gaussian(1.0), Hierarchical(0.8, Gaussian(1.0))):
        for bits in ((1, 0), (0, 1)):
            with pytest.raises(UnsupportedError, match="ℓ2 norm"):
                trade_off(law, *bits, nodes=1)


# Budgets over levels


def spreads(levels: int, add: int, delete: int):
    """All ways to spread bits over levels."""
    for adds in product(range(add + 1), repeat=levels):
        for deletes in product(range(delete + 1), repeat=levels):
            if sum(adds) == add and sum(deletes) == delete:
                yield adds, deletes


@pytest.mark.filterwarnings("ignore:the features noise falls", "ignore:the probability of selection falls")
@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(st.integers(4, 8).map(lambda k: k / 8), st.builds(BernoulliFlip, EIGHTHS, EIGHTHS)),
        min_size=2, max_size=3,
    ),
    st.integers(0, 2), st.integers(0, 2), st.one_of(st.none(), st.integers(0, 3)), st.integers(0, 1),
)  # fmt: skip
def test_no_placement_of_rows_and_bits_is_worse_than_the_worst_trade_off(
    levels, add, delete, nodes, edge_delete
) -> None:
    selects, laws = zip(*levels, strict=True)
    edges = BernoulliFlip(0.0, 0.5)
    if all(law.silent for law in laws):
        return
    count = len(levels)
    partition = Partition.of_affinity(np.arange(count), np.eye(count))
    scheme = Hierarchical(list(selects), Smoothing(list(laws), edges, partition))
    budget = Budget(add, delete, 0, edge_delete, nodes)
    found = budget_trade_offs(scheme, budget)
    grid = np.linspace(0.5, 1, 33)
    worst, truth = max(trade.critical for trade in found), 0.0
    bits = (0, 0) if nodes == 0 else (add, delete)
    for adds, deletes in spreads(count, *bits):
        for rows in product(range(add + delete + 1), repeat=count):
            per_level = [a + d for a, d in zip(adds, deletes, strict=True)]
            if any(r > b or (r == 0) != (b == 0) for r, b in zip(rows, per_level, strict=True)):
                continue
            if nodes is not None and sum(rows) > nodes:
                continue
            delta = 1 - np.prod([Fraction(s) ** r for s, r in zip(selects, rows, strict=True)])
            together_ = trade_off(edges, 0, edge_delete)
            for law, a, d in zip(laws, adds, deletes, strict=True):
                together_ = together_ * trade_off(law, a, d)
            placed = with_disjoint_support(together_, Fraction(delta))
            truth = max(truth, placed.critical)
            lowest = np.min([trade.lower(grid) for trade in found], axis=0)
            assert np.all(lowest <= placed.lower(grid) + 1e-12)
    assert truth <= worst
    assert len(found) == 1 or truth == worst


@pytest.mark.filterwarnings("ignore:the probability of selection falls")
def test_rows_go_where_selection_is_rarest_once_every_level_with_bits_has_one() -> None:
    two = Partition([0, 1], [[0, 1], [1, 0]])
    near, far = NOISY, BernoulliFlip(0.25, 0.5)
    scheme = Hierarchical([0.9375, 0.75], Smoothing([near, far], None, two))
    found = budget_trade_offs(scheme, Budget(4, 0, nodes=3))
    rows = {0: (0, 3), 1: (1, 2), 2: (1, 2), 3: (2, 1), 4: (3, 0)}
    expected = [
        with_disjoint_support(
            trade_off(near, k) * trade_off(far, 4 - k), 1 - Fraction(0.9375) ** n * Fraction(0.75) ** f
        )
        for k, (n, f) in rows.items()
    ]
    assert set(found) == set(expected)
    single = budget_trade_offs(scheme, Budget(4, 0, nodes=1))
    assert set(single) == {
        DisjointSupport(trade_off(near, 4), Fraction(1, 16)),
        DisjointSupport(trade_off(far, 4), Fraction(1, 4)),
    }


@pytest.mark.filterwarnings("ignore:the probability of selection falls")
def test_too_many_ways_fall_back_on_a_sound_corner() -> None:
    laws = [NOISY, BernoulliFlip(0.25, 0.5), BernoulliFlip(0.375, 0.625)]
    three = Partition.of_affinity(np.arange(3), np.eye(3))
    scheme = Hierarchical([0.99, 0.98, 0.97], Smoothing(laws, None, three))
    few, many = budget_trade_offs(scheme, Budget(2, 2, nodes=2)), budget_trade_offs(scheme, Budget(8, 8, nodes=2))
    assert len(few) > 1
    (corner,) = many
    assert isinstance(corner, DisjointSupport)
    assert corner.delta == 1 - Fraction(0.97) ** 2
    for adds, deletes in spreads(3, 8, 8):
        low: TradeOff = trade_off(laws[0], adds[0], deletes[0])
        for law, a, d in zip(laws[1:], adds[1:], deletes[1:], strict=True):
            low = low * trade_off(law, a, d)
        assert with_disjoint_support(low, corner.delta).critical <= corner.critical


def test_one_level_that_dominates_takes_everything() -> None:
    two = Partition([0, 1], [[0, 1], [1, 0]])
    near, far = NOISY, BernoulliFlip(0.25, 0.5)
    scheme = Hierarchical([0.75, 0.875], Smoothing([near, far], None, two))
    assert budget_trade_offs(scheme, Budget(2, 1, nodes=2)) == (
        DisjointSupport(trade_off(near, 2, 1), 1 - Fraction(9, 16)),
    )
    assert budget_trade_offs(Hierarchical(0.75, near), Budget(2, 1)) == (trade_off(Selected(0.75, near), 2, 1),)


def test_a_hierarchical_scheme_that_selects_everything_is_the_lower_scheme() -> None:
    lower = Smoothing(NOISY, BernoulliFlip(0.0, 0.5))
    for budget in (Budget(), Budget(2, 1), Budget(1, 1, 0, 2), Budget(0, 0, 0, 1), Budget(2, 1, nodes=2)):
        assert budget_trade_offs(Hierarchical(1.0, lower), budget) == budget_trade_offs(lower, budget)
        (found,) = budget_trade_offs(lower, budget)
        assert isinstance(found, DiscreteTradeOff)
