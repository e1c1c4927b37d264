"""Truth of the tight collective certificate: every allocation, judged by exact rational trade-offs."""

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


def exact_critical(problem, group, b):
    """c of allocation b (A,) as a group sees it, at the group's target level, in rational arithmetic."""
    adds, deletes = np.zeros((2, len(problem.laws)), dtype=int)
    for axis, amount in enumerate(b):
        (deletes if problem.deletes[axis] else adds)[problem.law_of_axis[group, axis]] += amount
    parts = [trade_off(law, int(a), int(d)) for law, a, d in zip(problem.laws, adds, deletes, strict=True)]
    return critical_at(prod(parts[1:], start=parts[0]), problem.level[group])


def fallen(problem, b, slack=0.0):
    """(n,) which outputs fall under allocation b, if c were larger by `slack`."""
    critical = np.array([exact_critical(problem, i, b) for i in range(problem.law_of_axis.shape[0])])
    return problem.p_lower <= critical[problem.groups] + slack


def most_fallen(problem, budget, counted=None, slack=0.0):
    """The largest number of counted outputs that one allocation within the budget breaks."""
    worth = np.ones(problem.outputs, dtype=bool) if counted is None else counted
    found = allocations(problem.axis_class, problem.capacity, budget)
    return max(int((fallen(problem, b, slack) & worth).sum()) for b in found)


@st.composite
def problems(draw, laws=DYADIC_FLIPS, most_axes=4):
    """Small problems over one to three classes, at any levels; majorities anywhere, also exactly critical somewhere."""
    classes = draw(
        st.sampled_from([("feature_add",), ("feature_add", "feature_delete"), ("feature_delete", "edge_add")])
    )
    groups, axes, outputs = draw(st.integers(1, 3)), draw(st.integers(1, most_axes)), draw(st.integers(1, 12))
    levels = draw(st.lists(laws, min_size=1, max_size=4))

    def integers(low, high, size):
        return np.array(draw(st.lists(st.integers(low, high), min_size=size, max_size=size)), dtype=int)

    majority = st.one_of(st.floats(0.45, 1), st.floats(1e-9, 0.05).map(lambda q: 1 - q), st.sampled_from([0.5, 1.0]))
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
    problem.p_lower[0] = exact_critical(problem, problem.groups[0], b)
    return problem


def budgets_of(problem, most=3):
    """A strategy for one budget of the problem."""
    return st.tuples(*[st.integers(0, most) for _ in problem.classes])


def masks(problem):
    """A strategy for a boolean mask over outputs with at least one True."""
    size = problem.outputs
    return st.lists(st.booleans(), min_size=size, max_size=size).map(np.array).filter(np.any)
