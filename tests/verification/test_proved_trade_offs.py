"""Trade-offs by atoms: against every outcome of tiny inputs, against exact integers, and against the package's own."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

import graphcert as gc
from graphcert.errors import UnsupportedError
from graphcert.verification.atoms import Disjoint, Flips, Part, Reweighted, TradeOff
from graphcert.verification.pairs import Pairs
from graphcert.verification.real_laws import survives_shift

LEVELS = np.concatenate([np.linspace(0, 1, 41), 1 - np.logspace(-14, -2, 13), np.logspace(-14, -2, 13)])


def enumerated(bits: list[tuple[Fraction, Fraction]]) -> list[tuple[Fraction, Fraction]]:
    """(P, P') of every outcome of independent bits, each with P[z = 1] and P'[z = 1]."""
    outcomes = []
    for outcome in product((0, 1), repeat=len(bits)):
        clean = changed = Fraction(1)
        for z, (p, q) in zip(outcome, bits, strict=True):
            clean, changed = clean * (p if z else 1 - p), changed * (q if z else 1 - q)
        outcomes.append((clean, changed))
    return outcomes


def smallest(by_ratio: list[tuple[Fraction, Fraction]], p: Fraction) -> Fraction:
    """min P'(S) over randomised events with P(S) ≥ p: outcomes are taken by rising ratio."""
    left, lost = p, Fraction(0)
    for clean, changed in by_ratio:
        if clean >= left:
            return lost + changed * left / clean
        left, lost = left - clean, lost + changed
    return lost


COARSE = st.one_of(st.sampled_from([0.0, 1.0, 0.5, 0.01, 0.6]), st.integers(0, 2**20).map(lambda k: k / 2**20))


@given(COARSE, COARSE, st.integers(0, 3), st.integers(0, 2), COARSE, COARSE, st.integers(0, 2))
def test_every_outcome_of_a_tiny_input_is_counted(
    add: float, delete: float, added: int, deleted: int, more: float, less: float, also: int
) -> None:
    a, d, b, e = map(Fraction, (add, delete, more, less))
    bits = [(a, 1 - d)] * added + [(1 - d, a)] * deleted + [(1 - e, b)] * also
    outcomes = sorted((o for o in enumerated(bits) if o[0]), key=lambda o: o[1] / o[0])
    found = TradeOff([Flips(a, d, added, deleted), Flips(b, e, 0, also)])
    some = LEVELS[::4]
    lower = found.lower(some)
    for p, low in zip(some.tolist(), lower.tolist(), strict=True):
        exact = smallest(outcomes, Fraction(p))
        assert found.exact_lower(Fraction(p)) == exact
        assert low <= exact
        assert low >= exact - Fraction(4 * found.slack)


PARTS: list[tuple[tuple[Part, ...], gc.TradeOff]] = [
    ((Flips(Fraction(0.01), Fraction(0.6), 20, 20),), gc.trade_off(gc.BernoulliFlip(0.01, 0.6), 20, 20)),
    ((Flips(Fraction(0.05), Fraction(0.98), 7, 2),), gc.trade_off(gc.BernoulliFlip(0.05, 0.98), 7, 2)),
    (
        (Flips(Fraction(0.01), Fraction(0.6), 3, 4), Disjoint(1 - Fraction(0.8) ** 3)),
        gc.trade_off(gc.Hierarchical(0.8, gc.BernoulliFlip(0.01, 0.6)), 3, 4, nodes=3),
    ),
    ((Reweighted(Fraction(0.1), Fraction(0.7), 2),), gc.trade_off(gc.noise.ReweightedFlip(0.1, 0.7), 0, 2)),
    ((Disjoint(Fraction(2, 10)),), gc.trade_off(gc.SubsetAblation(1, 10), nodes=2)),
]


@pytest.mark.parametrize(("parts", "other"), PARTS)
def test_the_package_answers_the_same(parts: tuple[Part, ...], other: gc.TradeOff) -> None:
    found = TradeOff(parts)
    assert found.lower(LEVELS) == pytest.approx(other.lower(LEVELS), abs=1e-11)
    assert found.upper(LEVELS) == pytest.approx(other.upper(LEVELS), abs=1e-11)
    assert found.critical == pytest.approx(other.critical, abs=1e-11)
    assert found.critical == 1 or found.exact_lower(Fraction(found.critical)) > Fraction(1, 2)
    exact = np.array([float(found.exact_lower(Fraction(p))) for p in LEVELS.tolist()])
    assert (found.lower(LEVELS) <= exact).all()
    assert (other.lower(LEVELS) <= exact + 1e-16).all()


def test_what_lies_on_the_line_is_decided_in_integers() -> None:
    found = TradeOff([Flips(Fraction(1, 4), Fraction(1, 4), 1, 0)])
    # lower(p) = p/3 up to 3/4 and 1/4 + 3(p − 3/4) beyond: one half at p = 5/6, and no float is that.
    line = 5 / 6
    assert Fraction(line) > Fraction(5, 6)
    kept, integers = found.survives(Pairs.of(np.array([np.nextafter(line, 0), line, 0.9, 0.7]), None))
    assert kept.tolist() == [False, True, True, False]
    assert integers == 2
    # Against one other class: lower(pA) > upper(pB) = 1 − lower(1 − pB), with equality at pA = 3/4 and pB = 1/12.
    label, other = np.array([0.75, np.nextafter(0.75, 1), 0.75]), np.array([0.25, 0.25, 0.0])
    kept, integers = found.survives(Pairs.of(label, other))
    assert kept.tolist() == [False, False, True]
    assert integers == 0
    kept, integers = found.survives(
        Pairs.of(np.array([0.5, np.nextafter(0.5, 1), 0.5]), np.array([0.5, 0.5, np.nextafter(0.5, 0)]))
    )
    assert not kept.any()
    nothing = TradeOff([])
    kept, integers = nothing.survives(
        Pairs.of(np.array([0.5, np.nextafter(0.5, 1), 0.3]), np.array([0.5, 0.5, np.nextafter(0.3, 0)]))
    )
    assert kept.tolist() == [False, True, True]
    assert integers == 3


def test_too_many_atoms_are_refused() -> None:
    part = Flips(Fraction(0.01), Fraction(0.6), 300, 300)
    with pytest.raises(UnsupportedError, match="atoms"):
        TradeOff([part, part, part])


REALS = {"gaussian": gc.Gaussian(0.25), "uniform": gc.Uniform(0.25), "laplace": gc.Laplace(0.25)}
TURNS = {"rotation": gc.Rotation(0.25), "turn": gc.Rotation(0.25, "y")}
KINDS = [(kind, select) for kind in REALS for select in (1.0, 0.9)] + [(kind, 1.0) for kind in TURNS]


@pytest.mark.parametrize(("kind", "select"), KINDS)
@given(distance=st.floats(0.001, 1), label=st.floats(0.5, 1), share=st.floats(0, 1))
def test_shifts_survive_as_the_package_says(
    kind: str, select: float, distance: float, label: float, share: float
) -> None:
    law = {**REALS, **TURNS}[kind]
    trade_off = gc.trade_off(gc.Hierarchical(select, law) if select < 1 else law, shift=distance, nodes=2)
    other = (1 - label) * share
    delta = 1 - Fraction(select) ** 2 if select < 1 else Fraction(0)
    for rival, margin in (
        (None, float(trade_off.lower(label)) - 0.5),
        (other, float(trade_off.lower(label) - trade_off.upper(other))),
    ):
        proved = survives_shift(
            kind, Fraction(0.25), Fraction(distance), delta, Fraction(label), None if rival is None else Fraction(rival)
        )
        majority = rival is not None and float(trade_off.lower(label)) > 0.5
        # The package allows relative 2⁻³⁸ for the library's Φ; nearer to the line it may say less, never more.
        assert proved >= (margin > 0)
        assert not proved or margin > -1e-9 or majority


@pytest.mark.parametrize(("kind", "law"), [("rotation", gc.Rotation(1.0)), ("turn", gc.Rotation(1.5, "x"))])
def test_no_turn_is_larger_than_the_one_by_half_a_circle(kind: str, law: gc.Rotation) -> None:
    scale, farthest = Fraction(law.sigma), Fraction(gc.turn_shift(180, law))
    distance = float(farthest / scale)
    beyond, short = (Fraction(float(norm.cdf(distance + more))) for more in (1e-6, -1e-6))
    for shift in (farthest, 2 * farthest, Fraction(10**6)):
        assert survives_shift(kind, scale, shift, Fraction(0), beyond, None)
        assert not survives_shift(kind, scale, shift, Fraction(0), short, None)
        assert gc.trade_off(law, shift=float(shift)).lower(float(beyond)) > 0.5
        assert gc.trade_off(law, shift=float(shift)).lower(float(short)) < 0.5
    assert not survives_shift("gaussian", scale, Fraction(10**6), Fraction(0), beyond, None)
