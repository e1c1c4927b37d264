"""Critical probabilities by weight, all allocations at once, by the hockey-stick curve (theory, section 9).

H(λ) = E(λP − P')₊. An event A with P'(A) ≤ 1/2 has P(A) ≤ (1/2 + H(λ))/λ for every λ > 0, and one more flip, with clean
probability a and perturbed probability b of a one, turns H into

    λ ↦ b·H(λa/b) + (1 − b)·H(λ(1 − a)/(1 − b)).

The map is monotone. So the largest curve of all allocations of given numbers of changes and given weight is at most V, the
pointwise maximum over the last flip of the map applied to the V of what came before. H is convex in λ, between 0 and λ and
of slope at most 1: chords between the points of a grid, and these limits beyond its ends, keep V above the truth.
"""

import math
from collections.abc import Sequence

import numpy as np

from graphcert.collective.linear import FloatArray, IntArray
from graphcert.kernel import kernel
from graphcert.noise import BernoulliFlip

STEP = 0.05
"""Of the grid in ln λ: 1 − c then comes out about one part in 200 too small after 20 flips."""

_LOWEST, _HIGHEST = -120, 280
"""Grid of ln λ in steps: from e^−6 to e^14. The best λ at a critical probability c lies between 1/2 and about 1/(2 − 2c)."""

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
    rows: Sequence[FloatArray], kinds: IntArray, weights: IntArray, amounts: IntArray, most: int
) -> FloatArray:
    """(n_0 + 1, …, n_3 + 1, most + 1) an upper bound on c of all allocations with so many changes of so much weight.

    Args:
        rows: one `flip_rows` per way to spend a change (a law and an operation).
        kinds: (F,) which of the four numbers of changes it counts to.
        weights: (F,) whole numbers ≥ 0.
        amounts: (4,) the largest numbers of changes n_k.
        most: the largest weight; allocations of more are left out. 0 where there is no allocation.
    """
    shape = tuple(int(n) + 1 for n in amounts)
    found = np.zeros((int(np.prod(shape)), most + 1))
    if len(rows):
        _sweep(np.array(rows), kinds, weights, np.array(shape), most, grid(), found)
    found[0, 0] = 0.5
    return np.minimum(found * (1 + _GUARD), 1.0).reshape(*shape, most + 1)


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
def _sweep(rows, kinds, weights, shape, most, points, found):  # type: ignore[no-untyped-def]
    """Fill found (states, most + 1); V of the states with one first number is kept only until the next is done."""
    inner = shape[1] * shape[2] * shape[3]
    size = points.size
    # V < 0 marks what cannot be reached.
    before, here = np.full((inner, most + 1, size), -1.0), np.full((inner, most + 1, size), -1.0)
    stride = np.array([0, shape[2] * shape[3], shape[3], 1])
    number = np.zeros(4, np.int64)
    moved = np.empty(size)
    for first in range(shape[0]):
        number[0] = first
        for state in range(inner):
            number[1], number[2], number[3] = state // stride[1], state // stride[2] % shape[2], state % shape[3]
            here[state] = -1.0
            if first == 0 and state == 0:
                here[0, 0] = np.maximum(points - 1.0, 0.0)
                continue
            for z in range(most + 1):
                reached = False
                for flip in range(kinds.size):
                    kind = kinds[flip]
                    if number[kind] == 0 or weights[flip] > z:
                        continue
                    layer = before if kind == 0 else here
                    values = layer[state - stride[kind], z - weights[flip]]
                    if values[0] < 0.0:
                        continue
                    moved[:] = 0.0
                    for term in range(2):
                        _shifted(values, points, rows[flip, term, 0], rows[flip, term, 1], rows[flip, term, 2], moved)
                    reached = True
                    np.maximum(here[state, z], moved, here[state, z])
                if reached:
                    least = 1.0
                    for g in range(size):
                        least = min(least, (0.5 + here[state, z, g]) / points[g])
                    found[first * inner + state, z] = least
        before, here = here, before
