"""Uniform noise: trade-offs, disjoint-support masses and radii against exact fractions (theory, sections 5 and 6)."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Gaussian, Hierarchical, Uniform
from graphcert.tradeoff import box_mass, selection_mass, trade_off, uniform_radius, with_disjoint_support

P = st.one_of(st.sampled_from([0.0, 0.5, 0.75, 1.0, 1 - 2.0**-53]), st.floats(0, 1))
WIDTH, SHIFT = st.floats(0.01, 10), st.floats(0, 25)
CELLS = 12


def total_variation(shift: float, half_width: float) -> Fraction:
    return min(Fraction(1), Fraction(shift) / (2 * Fraction(half_width)))


@given(P, WIDTH, SHIFT)
def test_the_bound_is_sound_and_tight(p: float, half_width: float, shift: float) -> None:
    found, tv = trade_off(Uniform(half_width), shift=shift), total_variation(shift, half_width)
    truth = max(Fraction(0), Fraction(p) - tv)
    assert truth - Fraction(1, 10**12) <= Fraction(float(found.lower(p))) <= truth
    truth = min(Fraction(1), Fraction(p) + tv)
    assert truth <= Fraction(float(found.upper(p))) <= truth + Fraction(1, 10**12)
    critical = min(Fraction(1), Fraction(1, 2) + tv)
    assert critical <= Fraction(found.critical) <= critical + Fraction(1, 2**52)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 3)), min_size=1, max_size=6))
def test_spreading_a_shift_never_helps(parts: list[tuple[float, float]]) -> None:
    """The linear bound is the worst spread: it is met by one coordinate of the smallest half-width, and passed by none."""
    shifts, widths = zip(*parts, strict=True)
    spread = box_mass(shifts, widths)
    whole, smallest = sum(map(Fraction, shifts)), min(widths)
    assert spread <= min(Fraction(1), whole / (2 * Fraction(smallest)))
    assert box_mass([float(whole)], [smallest]) == total_variation(float(whole), smallest)


@given(
    st.lists(st.tuples(st.integers(-8, 8), st.integers(1, 4)), min_size=1, max_size=2),
    st.integers(0, CELLS).map(lambda k: Fraction(k, CELLS)),
)
def test_boxes_of_cells(parts: list[tuple[int, int]], p: Fraction) -> None:
    """Boxes made of unit cells: the most powerful event, cell by cell, in one and two dimensions."""
    clean = {cell: Fraction(1) for cell in [()]}
    moved = dict(clean)
    for shift, width in parts:
        size = 2 * width  # cells of length 1 in [−width, width]
        clean = {(*c, k): m / size for c, m in clean.items() for k in range(size)}
        moved = {(*c, k + shift): m / size for c, m in moved.items() for k in range(size)}
    everything = sorted(set(clean) | set(moved), key=lambda c: moved.get(c, 0) > 0)
    # An event of clean mass p: cells that the moved law lacks first, then shared ones, which all have the same ratio 1.
    free = sum(m for c, m in clean.items() if c not in moved)
    truth = max(Fraction(0), p - free)
    assert sum(clean.get(c, 0) for c in everything) == 1
    delta = box_mass([s for s, _ in parts], [w for _, w in parts])
    assert delta == free
    pair = with_disjoint_support(trade_off(Uniform(1.0)), delta)
    assert truth - Fraction(1, 10**12) <= Fraction(float(pair.lower(float(p)))) <= truth + Fraction(1, 2**53)


@given(P, P, WIDTH, st.floats(0.7, 1), st.integers(0, 3))
def test_radii_are_met_and_never_passed(p: float, share: float, half_width: float, select: float, rows: int) -> None:
    delta = selection_mass(select, rows)
    other = float(share * (1 - p))
    for pb in (None, other):
        found = Fraction(float(uniform_radius(p, half_width, delta, pb)))
        margin = Fraction(p) - Fraction(1, 2) if pb is None else (Fraction(p) - Fraction(pb)) / 2
        truth = 2 * Fraction(half_width) * (1 - (1 - margin) / (1 - delta)) if delta < 1 else Fraction(0)
        assert found == 0 if truth <= 0 else found < truth
        assert truth - Fraction(half_width) / 10**12 <= found
        if found:
            pair = with_disjoint_support(trade_off(Uniform(half_width), shift=float(found)), delta)
            assert p > pair.critical if pb is None else pair.lower(p) > pair.upper(pb)


@settings(max_examples=50)
@given(WIDTH, SHIFT, st.floats(0.5, 1), st.integers(1, 4))
def test_unselected_rows_add_to_the_box(half_width: float, shift: float, select: float, rows: int) -> None:
    if shift == 0:
        return
    found = trade_off(Hierarchical(select, Uniform(half_width)), shift=shift, nodes=rows)
    delta = 1 - (1 - total_variation(shift, half_width)) * Fraction(select) ** rows
    assert found == with_disjoint_support(trade_off(Uniform(half_width)), delta)


def test_edges_beside_a_shift() -> None:
    """A disjoint-support mass composes with flips exactly, so both are certified together."""
    edges = trade_off(BernoulliFlip(0.0, 0.5), delete=1)
    joint = trade_off(Uniform(1.0), shift=0.25) * edges
    assert joint == with_disjoint_support(edges, Fraction(1, 8))
    assert joint == edges * trade_off(Uniform(1.0), shift=0.25)
    one, two = trade_off(Uniform(1.0), shift=0.5), trade_off(Uniform(2.0), shift=0.5)
    assert one * two == with_disjoint_support(trade_off(Uniform(1.0)), box_mass([0.5, 0.5], [1.0, 2.0]))


def test_a_lattice_changes_no_bound() -> None:
    for law, rounded in ((Uniform(0.5), Uniform(0.5, 0.1)), (Gaussian(0.5), Gaussian(0.5, 0.1))):
        assert trade_off(law, shift=0.3) == trade_off(rounded, shift=0.3)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="finite ℓ2 norm"):
        trade_off(Uniform(1.0), shift=-1.0)
    with pytest.raises(UnsupportedError, match="ℓ1 norm"):
        trade_off(Uniform(1.0), add=1)
    with pytest.raises(InputError, match="over how many"):
        trade_off(Hierarchical(0.5, Uniform(1.0)), shift=0.1)
    with pytest.raises(InputError, match="above 0"):
        box_mass([1.0], [0.0])
    assert trade_off(Uniform(1.0)) == trade_off(BernoulliFlip(0.1, 0.1))
    assert np.all(uniform_radius([0.9, 1.0], 1.0, Fraction(1)) == 0)
