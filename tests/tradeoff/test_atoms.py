"""Sorting and merging of exact atoms: the order is exact even where floats cannot tell ratios apart."""

from fractions import Fraction
from itertools import pairwise

import oracles_enumeration as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcert.noise import BernoulliFlip
from graphcert.tradeoff import DiscreteTradeOff, trade_off
from graphcert.tradeoff.discrete import merge, product

MASS = st.one_of(st.integers(0, 5), st.integers(2**200, 2**200 + 3), st.integers(0, 2**2000))


@given(st.lists(st.tuples(MASS, MASS), max_size=12))
def test_merge_sorts_strictly_and_keeps_all_mass(atoms: list[tuple[int, int]]) -> None:
    merged = merge(atoms)
    assert all(a[1] * b[0] > b[1] * a[0] for a, b in pairwise(merged))
    assert [sum(x) for x in zip(*merged, strict=True)] == ([sum(x) for x in zip(*atoms, strict=True)] if merged else [])
    assert merge(reversed(merged)) == merged


def test_ratios_closer_than_any_float_are_ordered() -> None:
    huge = 3**1000
    atoms = [(huge, huge + 1), (huge + 1, huge), (huge, huge), (0, 5), (7, 0)]
    assert merge(atoms) == [(0, 5), (huge, huge + 1), (huge, huge), (huge + 1, huge), (7, 0)]


def test_equal_ratios_become_one_atom() -> None:
    assert merge([(1, 2), (3, 1), (2, 4), (0, 0)]) == [(3, 6), (3, 1)]


F, E = BernoulliFlip(0.1, 0.6), BernoulliFlip(0.3, 0.2)


@pytest.mark.parametrize("number", [10, 15])
def test_trap_product_atoms_are_sorted_again(number: int) -> None:
    """Traps 10 and 15: products of two sorted lists are not sorted, and filling them as they come over-certifies."""
    left, right = trade_off(F, 2, 1), trade_off(E, 1, 2)
    pairs = oracle.outcomes((F, 2, 1), (E, 1, 2))
    joint = left * right
    unsorted = DiscreteTradeOff(tuple(product(left.atoms, right.atoms)), left.bits + right.bits)
    over_certified = 0
    for p in (Fraction(k, 20) for k in range(1, 20)):
        assert joint.lower_exact(p) == oracle.lower(pairs, p)
        over_certified += unsorted.lower_exact(p) > oracle.lower(pairs, p)
    assert over_certified > 10
