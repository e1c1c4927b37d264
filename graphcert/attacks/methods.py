"""The searches for a perturbation within a budget that takes labels away: each returns the most harmful one that it finds.

Searches score a graph by few samples with the noise that all graphs share, so that they compare graphs and not noise. What
they find is judged afterwards by fresh samples; a search may therefore look as often as it likes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from graphcert.attacks import norms
from graphcert.attacks.edge_gradient import descent_moves, gradient_moves, weighted_model
from graphcert.attacks.moves import (
    Goal,
    Move,
    bit_moves,
    fitted,
    neighbourhood,
    perturbation_of,
    random_moves,
    row_moves,
)
from graphcert.attacks.perturbation import NOTHING, Perturbation
from graphcert.attacks.smoothed import Smoothed
from graphcert.core.arrays import Floats, Integers
from graphcert.errors import UnsupportedError

_EVERYWHERE = 10_000
"""Moves that are kept where they must fit an allocation to blocks."""

Blocks = Mapping[str, Integers]
"""Where a collective certificate lets changes happen: per budget axis (J,) or (J, J) numbers, and "nodes" (J,)."""


@dataclass(frozen=True)
class Effort:
    """How hard every search tries.

    Attributes:
        samples: samples of a score.
        draws: noisy samples of a gradient, per view.
        tries: random starts, and the size of a population.
        rounds: steps of greedy and generations.
        pool: moves that are kept per axis, at least.
    """

    samples: int = 50
    draws: int = 2
    tries: int = 6
    rounds: int = 4
    pool: int = 64


@dataclass(eq=False)
class Search:
    """One goal, and what several methods need to know about it."""

    smoothed: Smoothed
    goal: Goal
    effort: Effort
    rng: np.random.Generator
    blocks: Blocks | None = None
    ranked: list[Move] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if self.goal.shift == 0:
            self.ranked = self._ranked()

    def harm(self, perturbation: Perturbation) -> float:
        """See `Smoothed.harm`."""
        return self.smoothed.harm(perturbation, self.goal.labels, self.goal.aims, self.effort.samples)

    def best(self, found: Iterable[Perturbation]) -> Perturbation:
        """The most harmful one; of equal ones the first, and no change if there is none."""
        given = list(found)
        return max(given, key=self.harm) if len(given) > 1 else next(iter(given), NOTHING)

    @property
    def most(self) -> int:
        """Moves that are worth keeping per axis."""
        return max(self.effort.pool, 4 * max(self.goal.limits.values(), default=0))

    def random(self) -> list[Move]:
        """Moves near the targets, in random order."""
        near = neighbourhood(self.smoothed.data, self.goal.aims)
        return random_moves(self.smoothed.data, self.smoothed.scheme, self.goal, near, self.rng, self.most)

    def _bits(self, slope: Floats) -> list[Move]:
        """The best flips anywhere, and where an allocation is known, the best ones of every block behind them."""
        data, goal, most = self.smoothed.data, self.goal, self.most
        found = bit_moves(data, slope, goal, most)
        if self.blocks is not None:
            block = self.smoothed.clean.sampler.views.block
            for j in range(int(block.max()) + 1):
                found += bit_moves(data, slope, goal, most, block == j)
        return list(dict.fromkeys(found))

    def _ranked(self) -> list[Move]:
        """Moves by the gradient of the base model under noise, as far as it has one; else in random order."""
        smoothed, goal, effort, axes = self.smoothed, self.goal, self.effort, self.goal.limits
        weights = smoothed.weights(goal.labels, goal.aims, effort.samples)
        moves: list[Move] = []
        features = [axis for axis in axes if not axis.startswith("edge")]
        if features and smoothed.differentiable:
            slope = smoothed.feature_gradient(goal.labels, weights, effort.draws)
            moves += row_moves(smoothed.data, slope, self.most) if "nodes" in axes else self._bits(slope)
        model = weighted_model(smoothed)
        if len(features) < len(axes) and model is not None:
            most = self.most if self.blocks is None else _EVERYWHERE
            moves += gradient_moves(smoothed, model, goal, weights, effort.draws, self.rng, most)
        missing = set(axes) - {move.axis for move in moves}
        if missing:
            moves += [move for move in self.random() if move.axis in missing]
        return moves


def gradient(search: Search) -> Perturbation:
    """The moves of largest gain; of edges also what PRBCD and GRBCD flip on the base model."""
    if search.goal.shift:
        return norms.gradient(search)
    goal, found = search.goal, [perturbation_of(fitted(search.ranked, search.goal))]
    model = weighted_model(search.smoothed) if "edge_add" in goal.limits else None
    for name in ("prbcd", "grbcd") if model is not None else ():
        assert model is not None
        flips = descent_moves(search.smoothed, model, goal, name, int(search.rng.integers(2**31)))
        found.append(perturbation_of(fitted([*flips, *search.ranked], goal)))
    return search.best(found)


def greedy(search: Search) -> Perturbation:
    """Moves one group after the other, each time the group after which most votes have moved."""
    if search.goal.shift:
        return norms.greedy(search)
    goal, tries = search.goal, search.effort.tries
    chosen: list[Move] = []
    size = -(-sum(goal.limits.values()) // search.effort.rounds)
    while True:
        taken = {move.place for move in chosen}
        full = {axis for axis, most in goal.limits.items() if sum(move.axis == axis for move in chosen) >= most}
        left = [move for move in search.ranked if move.place not in taken and move.axis not in full]
        groups = [left[k * size : (k + 1) * size] for k in range(tries)]
        options = [fitted([*chosen, *group], goal) for group in groups]
        options = [option for option in options if len(option) > len(chosen)]
        if not options:
            return perturbation_of(chosen)
        chosen = max(options, key=lambda option: search.harm(perturbation_of(option)))


def random(search: Search) -> Perturbation:
    """The most harmful one of a few perturbations of random moves near the targets."""
    if search.goal.shift:
        return norms.random(search)
    return search.best(perturbation_of(fitted(search.random(), search.goal)) for _ in range(search.effort.tries))


def genetic(search: Search) -> Perturbation:
    """A population of perturbations; pairs of good ones have children of their moves and of new ones."""
    if search.goal.shift:
        return norms.genetic(search)
    goal, rng, tries = search.goal, search.rng, search.effort.tries
    people = [fitted(search.ranked, goal)]
    people += [fitted(_shuffled(search.ranked, rng), goal) for _ in range(tries // 2)]
    people += [fitted(search.random(), goal) for _ in range(tries - len(people))]
    scored = [(search.harm(perturbation_of(one)), one) for one in people]
    for _ in range(search.effort.rounds - 1):
        scored = sorted(scored, key=lambda one: -one[0])[: max(2, tries // 2)]
        for _ in range(tries // 2):
            first, second = (scored[k][1] for k in rng.choice(len(scored), 2, replace=False))
            mixed = _shuffled([*first, *second], rng)
            keep = len(mixed) * 3 // 4
            fresh = _shuffled(search.ranked, rng)[: len(mixed) - keep]
            child = fitted([*mixed[:keep], *fresh, *mixed[keep:], *search.ranked], goal)
            scored.append((search.harm(perturbation_of(child)), child))
    return perturbation_of(max(scored, key=lambda one: one[0])[1])


def collective(search: Search) -> Perturbation:
    """The allocation that the collective certificate found worst, by the strongest moves inside its blocks."""
    assert search.blocks is not None
    labels = search.smoothed.clean.sampler.views.block
    ranked = within(search.ranked, search.blocks, labels)
    options = [ranked, within(search.random(), search.blocks, labels)]
    return search.best(perturbation_of(fitted([*option, *ranked], search.goal)) for option in options)


def within(moves: Iterable[Move], blocks: Blocks, block: Integers) -> list[Move]:
    """The first moves that an allocation has room for; `block` (N,) is that of every node."""
    left, chosen = {axis: numbers.copy() for axis, numbers in blocks.items()}, list[Move]()
    rows: dict[int, set[int]] = {}
    for move in moves:
        ends = move.features[0][:1] if move.edge is None else move.edge
        place = tuple(sorted(int(block[end]) for end in ends))
        if move.axis not in left or left[move.axis][place] <= 0:
            continue
        if "nodes" in left and move.features:
            mine = rows.setdefault(place[0], set())
            if ends[0] not in mine and len(mine) >= left["nodes"][place]:
                continue
            mine.add(ends[0])
        if move.axis != "nodes":
            left[move.axis][place] -= 1
        chosen.append(move)
    return chosen


METHODS: Mapping[str, Callable[[Search], Perturbation]] = {
    "gradient": gradient, "greedy": greedy, "collective": collective, "genetic": genetic, "random": random,
}  # fmt: skip


def found_by(name: str, search: Search) -> Perturbation:
    """What a method finds, which must be within the goal's budget.

    Raises:
        UnsupportedError: if a method would go beyond it, which is a defect of the method.
    """
    found = METHODS[name](search)
    if not search.goal.covers(found.distance(search.smoothed.data, search.smoothed.scheme)):
        raise UnsupportedError(f"the attack {name} left its budget; leave it out by --methods, and report this")
    return found


def offered(shift: float, blocks: Blocks | None) -> tuple[str, ...]:
    """The methods that there are for a goal."""
    return tuple(name for name in METHODS if name != "collective" or (blocks is not None and not shift))


def _shuffled(moves: list[Move], rng: np.random.Generator) -> list[Move]:
    return [moves[k] for k in rng.permutation(len(moves))]
