"""Truth of the localized collective certificate by enumeration: every allowed allocation against every half-space."""

from itertools import product

import numpy as np
from hypothesis import strategies as st

from graphcert.collective import LocalizedProblem


def allocations(axis_class, capacity, budget):
    """Every whole b (A,) within the capacities and the budget of each class."""
    axes = range(len(capacity))
    for b in product(*(range(min(int(capacity[a]), int(budget[axis_class[a]])) + 1) for a in axes)):
        if all(sum(b[a] for a in axes if axis_class[a] == c) <= budget[c] for c in range(len(budget))):
            yield b


def broken(problem, b):
    """(n,) which outputs have all of their half-spaces crossed by b, in plain arithmetic (∞·0 = 0)."""
    crossed = np.ones(problem.outputs, dtype=bool)
    for weights, eta in zip(problem.weights, problem.eta, strict=True):
        spent = np.array([sum(w * amount for w, amount in zip(row, b, strict=True) if amount) for row in weights])
        crossed &= spent[problem.groups] >= eta
    return crossed


def most_attacked(problem, budget, counted=None, robust_per_node=None):
    """The largest number of counted outputs that a single allocation within the budget may break."""
    worth = np.ones(problem.outputs, dtype=bool) if counted is None else counted.copy()
    if robust_per_node is not None:
        worth &= ~robust_per_node
    found = allocations(problem.axis_class, problem.capacity, budget)
    return max(int((broken(problem, b) & worth).sum()) for b in found)


def alone(problem, budget, counted=None):
    """Counted outputs of which, for every direction, some allocation of the whole budget crosses it."""
    crossed = np.ones(problem.outputs, dtype=bool) if counted is None else counted.copy()
    found = np.array(list(allocations(problem.axis_class, problem.capacity, budget)), dtype=float)
    for weights, eta in zip(problem.weights, problem.eta, strict=True):
        spent = np.where(found[:, None, :] > 0, weights, 0.0) * np.where(found[:, None, :] > 0, found[:, None, :], 1.0)
        crossed &= spent.sum(axis=2).max(axis=0)[problem.groups] >= eta
    return int(crossed.sum())


@st.composite
def problems(draw, nested=None, infinite=True, classes=2):
    """Small problems in whole numbers, so that ties are exact; nested groups (one order of outputs) or any."""
    integers = lambda low, high, *shape: np.array(  # noqa: E731
        draw(st.lists(st.integers(low, high), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))), dtype=int
    ).reshape(shape)
    outputs, groups = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    directions, axes = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    budgets = draw(st.integers(1, classes))
    weights = integers(0, 4, directions, groups, axes).astype(float)
    if draw(st.booleans()) if nested is None else nested:
        strength = integers(0, 8, outputs)
        steepness, offset = integers(1, 2, directions), integers(0, 2, directions)
        eta = np.maximum(steepness[:, None] * strength - offset[:, None], -1).astype(float)
    else:
        eta = integers(-1, 10, directions, outputs).astype(float)
    if infinite and draw(st.booleans()):
        weights[integers(0, 5, *weights.shape) == 0] = np.inf
        eta[integers(0, 9, *eta.shape) == 0] = np.inf
    return LocalizedProblem(
        groups=integers(0, groups - 1, outputs),
        eta=eta,
        weights=weights,
        axis_class=integers(0, budgets - 1, axes),
        capacity=integers(0, 4, axes),
        classes=("feature_add", "feature_delete")[:budgets],
    )


def budgets_of(problem, most=4):
    """A strategy for one budget of the problem."""
    return st.tuples(*[st.integers(0, most) for _ in problem.classes])


def masks(problem):
    """A strategy for a boolean mask over outputs with at least one True."""
    size = problem.outputs
    return st.lists(st.booleans(), min_size=size, max_size=size).map(np.array).filter(np.any)
