"""Truth of the tight collective certificate: every allocation, judged by exact rational trade-offs."""

from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
from cases import DYADIC_FLIPS
from hypothesis import strategies as st
from localized_oracle import allocations

from graphcert.collective.exact import TightProblem
from graphcert.noise import BernoulliFlip
from graphcert.tradeoff import trade_off
from graphcert.tradeoff.base import rounded_up

ROUNDING = 1e-11
"""Critical probabilities are rounded up by no more than this in small instances."""

FIVE = tuple(BernoulliFlip(*r) for r in zip(np.linspace(0.05, 0.08, 5), np.linspace(0.65, 0.95, 5), strict=True))
"""Five levels of which the last is comparable to none of the others."""

LEVELS = st.one_of(st.just(0.5), st.floats(0.5, 0.99), st.floats(1e-9, 0.01).map(lambda q: 1 - q))


def critical_at(whole, level):
    """sup { p : lower(p) ≤ level } of an exact trade-off, rounded up to a float."""
    return rounded_up(*whole.inverse(Fraction(level)).as_integer_ratio())


def exact_trade_off(problem, group, b):
    """The exact trade-off of allocation b (A,) as a group sees it."""
    adds, deletes = np.zeros((2, len(problem.laws)), dtype=int)
    for axis, amount in enumerate(b):
        (deletes if problem.deletes[axis] else adds)[problem.law_of_axis[group, axis]] += amount
    parts = [trade_off(law, int(a), int(d)) for law, a, d in zip(problem.laws, adds, deletes, strict=True)]
    return prod(parts[1:], start=parts[0])


def exact_critical(problem, group, b, other=1.0):
    """c of allocation b (A,) as a group sees it, at its target level, or where another class of bound `other` ties."""
    whole, level = exact_trade_off(problem, group, b), Fraction(problem.level[group])
    if other < 1.0:
        level = min(level, whole.upper_exact(Fraction(other)) + 2 * level - 1)
    return critical_at(whole, level)


def fallen(problem, b, slack=0.0, rounded=False):
    """(n,) which outputs fall under allocation b, if c were larger by `slack`; by their own bounds of other classes, or by
    those of their cells (`rounded`)."""
    other = np.ones(problem.outputs) if problem.p_other is None else problem.p_other
    if rounded:
        other = problem.cells.other[problem.cells.of_output]
    c = {
        pair: exact_critical(problem, int(pair[0]), b, pair[1]) for pair in set(zip(problem.groups, other, strict=True))
    }
    return problem.p_lower <= np.array([c[pair] for pair in zip(problem.groups, other, strict=True)]) + slack


def most_fallen(problem, budget, counted=None, slack=0.0, rounded=False):
    """The largest number of counted outputs that one allocation within the budget breaks."""
    worth = np.ones(problem.outputs, dtype=bool) if counted is None else counted
    found = allocations(problem.axis_class, problem.capacity, budget)
    return max(int((fallen(problem, b, slack, rounded) & worth).sum()) for b in found)


@st.composite
def problems(draw, laws=DYADIC_FLIPS, most_axes=4):
    """Small problems over one to three classes, at any levels; majorities anywhere, also exactly critical somewhere.

    Half of them are about the multi-class rule.
    """
    classes = draw(
        st.sampled_from([("feature_add",), ("feature_add", "feature_delete"), ("feature_delete", "edge_add")])
    )
    groups, axes, outputs = draw(st.integers(1, 3)), draw(st.integers(1, most_axes)), draw(st.integers(1, 12))
    levels = draw(st.lists(laws, min_size=1, max_size=4))

    def integers(low, high, size):
        return np.array(draw(st.lists(st.integers(low, high), min_size=size, max_size=size)), dtype=int)

    majority = st.one_of(st.floats(0.45, 1), st.floats(1e-9, 0.05).map(lambda q: 1 - q), st.sampled_from([0.5, 1.0]))
    rest = st.one_of(st.floats(0.1, 1.0), st.sampled_from([0.0, 0.01, 0.25, 1.0]))
    shares = draw(st.one_of(st.none(), st.lists(rest, min_size=outputs, max_size=outputs)))
    if shares is not None:
        majority = st.one_of(st.floats(0.2, 1), st.sampled_from([0.25, 0.5, 1.0]))
    problem = TightProblem(
        groups=integers(0, groups - 1, outputs),
        p_lower=np.array(draw(st.lists(majority, min_size=outputs, max_size=outputs))),
        laws=tuple(levels),
        law_of_axis=integers(0, len(levels) - 1, groups * axes).reshape(groups, axes),
        axis_class=integers(0, len(classes) - 1, axes),
        capacity=integers(0, 3, axes),
        classes=classes,
        level=np.array(draw(st.one_of(st.just(0.5), LEVELS, st.lists(LEVELS, min_size=groups, max_size=groups)))),
    )
    b = integers(0, 2, axes)
    if shares is not None:
        other = np.minimum((1 - problem.p_lower) * shares, 1 - problem.p_lower)
        problem.p_lower[-1] = min(exact_critical(problem, problem.groups[-1], b, other[-1]), 1 - other[-1])
        problem = replace(problem, p_other=other)
    problem.p_lower[0] = exact_critical(problem, problem.groups[0], b)
    return problem


def budgets_of(problem, most=3):
    """A strategy for one budget of the problem."""
    return st.tuples(*[st.integers(0, most) for _ in problem.classes])


def masks(problem):
    """A strategy for a boolean mask over outputs with at least one True."""
    size = problem.outputs
    return st.lists(st.booleans(), min_size=size, max_size=size).map(np.array).filter(np.any)
