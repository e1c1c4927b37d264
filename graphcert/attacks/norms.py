"""Searches for a change of real features within a norm: ℓ2 under Gaussian noise, ℓ1 under the others."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from graphcert.attacks.moves import largest, neighbourhood
from graphcert.attacks.perturbation import Perturbation
from graphcert.core.arrays import Floats, Integers

if TYPE_CHECKING:
    from graphcert.attacks.methods import Search

_ROWS = (1, 4, 16)
"""A direction is tried on so few rows too, as far as nodes are not limited."""


def gradient(search: "Search") -> Perturbation:
    """Steps along the gradient, each as long as an equal share of the norm."""
    return search.best(_descended(search, search.effort.rounds))


def greedy(search: "Search") -> Perturbation:
    """The whole norm in the direction of the gradient in few rows or in many, whichever moves most votes."""
    slope = _slope(search, None)
    gains = np.sqrt((slope**2).sum(axis=1))
    most = search.goal.budget.nodes or len(slope)
    numbers = sorted({min(most, rows) for rows in (*_ROWS, len(slope))})
    return search.best(_scaled(search, _only(slope, largest(gains, rows))) for rows in numbers)


def random(search: "Search") -> Perturbation:
    """The most harmful of a few random directions in rows near the targets."""
    return search.best(_scaled(search, _random(search)) for _ in range(search.effort.tries))


def genetic(search: "Search") -> Perturbation:
    """Directions whose children are their means, beginning with the gradient and random ones."""
    rng, tries = search.rng, search.effort.tries
    people = [_slope(search, None), *(_random(search) for _ in range(tries - 1))]
    people = [one / max(np.abs(one).sum(), 1e-300) for one in people]

    def score(direction: Floats) -> float:
        return search.harm(_scaled(search, direction))

    scored = [(score(one), one) for one in people]
    for _ in range(search.effort.rounds - 1):
        scored = sorted(scored, key=lambda one: -one[0])[: max(2, tries // 2)]
        for _ in range(tries // 2):
            first, second = (scored[k][1] for k in rng.choice(len(scored), 2, replace=False))
            share = rng.random()
            child = share * first + (1 - share) * second
            scored.append((score(child), child))
    return _scaled(search, max(scored, key=lambda one: one[0])[1])


def _descended(search: "Search", steps: int) -> Iterator[Perturbation]:
    """Every step's perturbation, of the whole norm."""
    total: Floats | None = None
    for _ in range(steps):
        slope = _slope(search, None if total is None else _scaled(search, total))
        direction = _steepest(slope, search.smoothed.scheme.norm)
        total = direction if total is None else total + direction
        yield _scaled(search, total)


def _steepest(slope: Floats, norm: str) -> Floats:
    """The direction of norm 1 along which a linear function rises most: ℓ1 moves one number only."""
    if norm == "ℓ2":
        return np.asarray(slope / max(np.sqrt((slope**2).sum()), 1e-300))
    found = np.zeros_like(slope)
    best = np.unravel_index(np.abs(slope).argmax(), slope.shape)
    found[best] = np.sign(slope[best])
    return found


def _slope(search: "Search", at: Perturbation | None) -> Floats:
    """The gradient (N, D), or a random direction for a model without one."""
    smoothed, goal, effort = search.smoothed, search.goal, search.effort
    if not smoothed.differentiable:
        return _random(search)
    weights = smoothed.weights(goal.labels, goal.aims, effort.samples)
    return smoothed.feature_gradient(goal.labels, weights, effort.draws, *([] if at is None else [at]))


def _random(search: "Search") -> Floats:
    """Normal numbers in the rows near the targets."""
    rows = neighbourhood(search.smoothed.data, search.goal.aims)
    found = np.zeros(tuple(search.smoothed.data.x.shape))
    found[rows] = search.rng.standard_normal((len(rows), found.shape[1]))
    return found


def _only(direction: Floats, rows: Integers) -> Floats:
    found = np.zeros_like(direction)
    found[rows] = direction[rows]
    return found


def _scaled(search: "Search", direction: Floats) -> Perturbation:
    """As far in a direction as the norm allows, in the rows where it is largest if nodes are limited, on the lattice."""
    smoothed, goal = search.smoothed, search.goal
    scheme, clean = smoothed.scheme, smoothed.data.x.numpy()
    if goal.budget.nodes is not None:
        direction = _only(direction, largest(np.abs(direction).sum(axis=1), goal.budget.nodes))
    power = 2 if scheme.norm == "ℓ2" else 1
    size = float((np.abs(direction) ** power).sum() ** (1 / power))
    step = None if scheme.feature_law is None else scheme.feature_law.lattice
    norm = goal.shift
    while True:
        moved = direction * (norm / max(size, 1e-300))
        if step is None:
            new = (clean + moved).astype(np.float32)
        else:
            new = ((np.rint(clean / step) + _whole(moved / step, norm / step, power)) * step).astype(np.float32)
        rows, columns = np.nonzero(new != clean)
        found = Perturbation(rows, columns, new[rows, columns], np.empty((2, 0), np.int64))
        if goal.covers(found.distance(smoothed.data, scheme)):
            return found
        norm *= 1 - 1e-6


def _whole(moved: Floats, norm: float, power: int) -> Floats:
    """Whole steps near `moved`: towards zero first, then one more where most was lost, as far as the norm goes."""
    steps = np.trunc(moved)
    left = norm**power - (np.abs(steps) ** power).sum()
    order = np.argsort(-np.abs(moved - steps), axis=None, kind="stable")
    order = order[(moved != 0).ravel()[order]]  # limits of nodes stay
    flat = np.abs(steps).ravel()[order]
    more = order[np.cumsum((flat + 1) ** power - flat**power) <= left]
    steps.ravel()[more] += np.sign(moved.ravel()[more])
    return np.asarray(steps)
