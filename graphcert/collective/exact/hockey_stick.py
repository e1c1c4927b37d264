"""Critical probabilities by weight, all allocations at once, by the hockey-stick curve (theory, section 9).

    H(λ) = E(λP − P')₊

An event A with P'(A) ≤ q has P(A) ≤ (q + H(λ))/λ for every λ > 0, and one more flip, with clean probability a and perturbed
probability b of a one, turns H into

    λ ↦ b·H(λa/b) + (1 − b)·H(λ(1 − a)/(1 − b)).

The map is monotone. With a bound q' of other classes in place of q, no event of P-mass q' has more P'-mass than

    upper(q') ≤ min_μ [ μq' + E(P' − μP)₊ ] = min_μ [ 1 − μ(1 − q') + H(μ) ].

So the largest curve of all allocations of n = (n_0, …, n_3) changes of total weight z is at most

    V(0, 0) = (λ − 1)₊,    V(n, z) = max_f f applied to V(n − e_k, z − w_f), pointwise,

over the last flip f, of kind k and weight w_f.

H is convex in λ, between 0 and λ and of slope at most 1: chords between the points of a grid, and these limits beyond its
ends, keep V above the truth. Three steps for every (n, z), in `_sweep`:

1. V(n, z) by one flip (`_flip`) of every V before it;
2. `_enter`: the heaviest way of each kind counts by itself, any number of its flips is added to V last, so that curves of
   different numbers of it are not thrown together;
3. `_least`: c ≤ min_λ (q + V(λ))/λ on the grid.
"""

import math

import numpy as np

from graphcert.collective.exact.critical import copy_into
from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray
from graphcert.core.compiled import kernel
from graphcert.noise import BernoulliFlip

SLOTS = 4
"""Numbers of changes that are kept apart."""

STEP = 0.05
"""Of the grid in ln λ: 1 − c then comes out about one part in 200 too small after 20 flips."""

_LOWEST, _HIGHEST = -120, 280
"""Grid of ln λ in steps: from e^−6 to e^14. The best λ at a critical probability c lies between q/c and (1 − q)/(1 − c)."""

_GUARD = 1e-12
"""More than the rounding of thousands of flips, each a few units of roundoff of non-negative terms."""


def grid() -> FloatArray:
    """(G,) the values of λ."""
    points: FloatArray = np.exp(STEP * np.arange(_LOWEST, _HIGHEST + 1))
    return points


def flip_rows(law: BernoulliFlip, delete: bool) -> FloatArray:
    """(2, 3) one flip as two terms (factor of H, ln of the factor of λ, linear): outcomes one and zero.

    A term is factor·H(λ·e^shift), or linear·λ where the perturbed law has no mass on the outcome.
    """
    a, not_a, b, not_b = law.add, 1 - law.add, 1 - law.delete, law.delete
    if delete:
        a, not_a, b, not_b = b, not_b, a, not_a
    return np.array([_term(a, b), _term(not_a, not_b)])


def _term(clean: float, perturbed: float) -> tuple[float, float, float]:
    if clean == 0:
        return 0.0, 0.0, 0.0
    if perturbed == 0:
        return 0.0, 0.0, clean
    return perturbed, math.log(clean) - math.log(perturbed), 0.0


def critical_by_weight(
    rows: FloatArray, kinds: IntArray, weights: IntArray, amounts: IntArray, near: BoolArray, most: int,
    levels: FloatArray, others: FloatArray,
) -> FloatArray:  # fmt: skip
    """(Q, R, most + 1) an upper bound on c of all allocations of so much weight and no more than so many changes.

    Args:
        rows: (F, 2, 3) `flip_rows` of every way to spend a change (a law and an operation).
        kinds: (F,) which of the four numbers of changes it counts to.
        weights: (F,) whole numbers ≥ 0.
        amounts: (4,) the largest numbers of changes n_k.
        near: (F,) ways whose every number is looked at by itself, at most one per kind; the curves of allocations that
            differ in them are not thrown together.
        most: the largest weight; allocations of more are left out. 0 where there is no allocation.
        levels: (Q,) target levels.
        others: (R,) bounds of other classes, see `critical_by_other`.
    """
    found = np.zeros((levels.size, others.size, most + 1))
    apart, apart_weight = np.zeros((SLOTS, 2, 3)), np.full(SLOTS, -1)
    apart[kinds[near]], apart_weight[kinds[near]] = rows[near], weights[near]
    far = ~near
    heaviest = [int(weights[far & (kinds == k)].max(initial=0)) for k in range(SLOTS)]
    furthest = min(int(np.dot(heaviest, amounts)), most)
    far_ways = rows[far], kinds[far], weights[far]
    _sweep(*far_ways, apart, apart_weight, amounts + 1, furthest, grid(), levels, others, found)
    return np.minimum(found * (1 + _GUARD), 1.0)


@kernel
def _shifted(values, points, factor, shift, linear, out):  # type: ignore[no-untyped-def]
    """out += one term of a flip; chords inside the grid, the limits of H outside."""
    size = points.size
    if linear > 0.0:
        for g in range(size):
            out[g] += linear * points[g]
    if factor == 0.0:
        return
    steps = shift / STEP
    offset = int(np.floor(steps))
    # Of λ between two points λ₀ and λ₀e^h the chord takes the share (λ/λ₀ − 1)/(e^h − 1), the same everywhere.
    share = np.expm1((steps - offset) * STEP) / np.expm1(STEP)
    ratio = np.exp(shift)
    begin, end = min(max(0, -offset), size), max(min(size, size - 1 - offset), 0)
    for g in range(begin):
        out[g] += factor * values[0] * (points[g] * ratio / points[0])
    for g in range(begin, end):
        out[g] += factor * ((1.0 - share) * values[g + offset] + share * values[g + offset + 1])
    for g in range(max(begin, end), size):
        out[g] += factor * (values[size - 1] + (points[g] * ratio - points[size - 1]))


@kernel
def _flip(values, points, row, out):  # type: ignore[no-untyped-def]
    """The curve after one more flip."""
    out[:] = 0.0
    for term in range(2):
        _shifted(values, points, row[term, 0], row[term, 1], row[term, 2], out)


@kernel
def _least(values, points, level):  # type: ignore[no-untyped-def]
    """The smallest (q + H(λ))/λ on the grid; it falls and then rises, because H is convex."""
    low, high = 0, points.size - 1
    while low < high:
        middle = (low + high) // 2
        if (level + values[middle]) * points[middle + 1] <= (level + values[middle + 1]) * points[middle]:
            high = middle
        else:
            low = middle + 1
    return min((level + values[low]) / points[low], 1.0)


@kernel
def _highest(values, points, other):  # type: ignore[no-untyped-def]
    """The smallest 1 − μ(1 − q) + H(μ) on the grid, which falls and then rises, and at most 1."""
    low, high = 0, points.size - 1
    while low < high:
        middle = (low + high) // 2
        if values[middle + 1] - values[middle] >= (points[middle + 1] - points[middle]) * (1.0 - other):
            high = middle
        else:
            low = middle + 1
    guard = _GUARD * (1.0 + 2.0 * points[low])
    return min(1.0 - points[low] * (1.0 - other) + values[low] * (1.0 + _GUARD) + guard, 1.0)


@kernel
def _enter(values, number, z, apart, apart_weight, shape, points, layers, levels, others, found):  # type: ignore[no-untyped-def]
    """Add every possible number of near flips to the curve V(number, z), and note the c that results.

    Layer k is the curve after the near flips of kinds 0 … k.
    """
    near, weight = np.zeros(SLOTS, np.int64), z
    moved = layers[SLOTS]
    for k in range(SLOTS):
        copy_into(layers[k], values)
    while True:
        if weight < found.shape[2]:
            for q in range(levels.size):
                curve, binary = layers[SLOTS - 1], _least(layers[SLOTS - 1], points, levels[q])
                for rule in range(others.size):
                    value = binary
                    if others[rule] < 1.0:
                        raised = _highest(curve, points, others[rule]) + (2.0 * levels[q] - 1.0)
                        if raised < levels[q]:
                            value = min(binary, _least(curve, points, raised))
                    found[q, rule, weight] = max(found[q, rule, weight], value)
        k = SLOTS - 1
        while k >= 0 and (apart_weight[k] < 0 or number[k] + near[k] + 1 >= shape[k]):
            weight -= near[k] * apart_weight[k]
            near[k] = 0
            k -= 1
        if k < 0:
            break
        near[k] += 1
        weight += apart_weight[k]
        _flip(layers[k], points, apart[k], moved)
        for after in range(k, SLOTS):
            copy_into(layers[after], moved)


@kernel
def _sweep(rows, kinds, weights, apart, apart_weight, shape, most, points, levels, others, found):  # type: ignore[no-untyped-def]
    """Fill found (Q, R, …); V of the states with one first number is kept only until the next is done."""
    inner = shape[1] * shape[2] * shape[3]
    size = points.size
    # V < 0 marks what cannot be reached.
    before, here = np.full((inner, most + 1, size), -1.0), np.full((inner, most + 1, size), -1.0)
    stride = np.array([0, shape[2] * shape[3], shape[3], 1])
    number = np.zeros(SLOTS, np.int64)
    moved, layers = np.empty(size), np.empty((SLOTS + 1, size))
    for first in range(shape[0]):
        number[0] = first
        for state in range(inner):
            number[1], number[2], number[3] = state // stride[1], state // stride[2] % shape[2], state % shape[3]
            here[state] = -1.0
            for z in range(most + 1):
                if first == 0 and state == 0 and z == 0:
                    for g in range(size):
                        here[state, z, g] = max(points[g] - 1.0, 0.0)
                for flip in range(kinds.size):
                    kind = kinds[flip]
                    if number[kind] == 0 or weights[flip] > z:
                        continue
                    layer = before if kind == 0 else here
                    values = layer[state - stride[kind], z - weights[flip]]
                    if values[0] >= 0.0:
                        _flip(values, points, rows[flip], moved)
                        for g in range(size):
                            here[state, z, g] = max(here[state, z, g], moved[g])
                if here[state, z, 0] >= 0.0:
                    _enter(here[state, z], number, z, apart, apart_weight, shape, points, layers, levels, others, found)
        before, here = here, before
