"""Truth of the collective certificate under a norm, in rational arithmetic: which thresholds fit together in one budget."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np
from hypothesis import strategies as st

from graphcert.collective import NormProblem


def solved(rows, right):
    """The one solution of a square rational system, or None."""
    size = len(rows)
    table = [[Fraction(v) for v in row] + [Fraction(r)] for row, r in zip(rows, right, strict=True)]
    for column in range(size):
        pivot = next((r for r in range(column, size) if table[r][column]), None)
        if pivot is None:
            return None
        table[column], table[pivot] = table[pivot], table[column]
        table[column] = [value / table[column][column] for value in table[column]]
        for other in range(size):
            if other != column and table[other][column]:
                factor = table[other][column]
                table[other] = [a - factor * b for a, b in zip(table[other], table[column], strict=True)]
    return [row[-1] for row in table]


def prices(weights):
    """Vertices of {y ≥ 0 : Wᵀy ≤ 1} for weights (C, J) without a row of zeros."""
    groups, blocks = len(weights), len(weights[0])
    faces = [([weights[i][j] for i in range(groups)], 1) for j in range(blocks)]
    faces += [([int(k == i) for k in range(groups)], 0) for i in range(groups)]
    found = []
    for chosen in combinations(faces, groups):
        y = solved([row for row, _ in chosen], [right for _, right in chosen])
        if y is not None and min(y) >= 0:
            loads = (sum(w * v for w, v in zip(row, y, strict=True)) for row, _ in faces[:blocks])
            if max(loads) <= 1:
                found.append(y)
    return found


def most_attacked(problem, budget, counted=None):
    """The largest number of outputs that one real b with Σ b ≤ budget (a share of the norm itself, or squared) breaks.

    By duality the least budget that reaches the thresholds h is max y·h over the vertices y of {y ≥ 0 : Wᵀy ≤ 1}.
    """
    weights = [[Fraction(w) for w in row] for row in problem.weights.tolist()]
    felt = [i for i, row in enumerate(weights) if any(row)]
    worth = np.ones(problem.eta.size, bool) if counted is None else counted
    eta = np.maximum(problem.eta, 0.0)
    choices = []
    for i in range(len(weights)):
        mine = np.sort(eta[worth & (problem.groups == i) & np.isfinite(eta)])
        levels = [0.0, *np.unique(mine)] if i in felt else [0.0]
        choices.append([(Fraction(level), int((mine <= level).sum())) for level in levels])
    vertices = prices([weights[i] for i in felt]) if felt else []
    best = 0
    for chosen in product(*choices):
        heights = [chosen[i][0] for i in felt]
        needed = max((sum(h * y for h, y in zip(heights, vertex, strict=True)) for vertex in vertices), default=0)
        if needed <= budget:
            best = max(best, sum(count for _, count in chosen))
    return best


@st.composite
def norm_problems(draw, squared=None):
    """Small problems in whole numbers, so that ties are exact."""
    size = draw(st.sampled_from([(1, 3), (2, 2), (2, 3), (3, 2), (3, 3)]))
    outputs = draw(st.integers(1, 12))
    numbers = st.lists(st.integers(0, 5), min_size=size[0] * size[1], max_size=size[0] * size[1])
    return NormProblem(
        groups=np.array(draw(st.lists(st.integers(0, size[0] - 1), min_size=outputs, max_size=outputs))),
        eta=np.array(
            draw(st.lists(st.sampled_from([-1, 0, 1, 2, 3, 5, 8, np.inf]), min_size=outputs, max_size=outputs))
        ),
        weights=np.array(draw(numbers), float).reshape(size),
        squared=draw(st.booleans()) if squared is None else squared,
    )


NORMS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0])


def spent(problem, norm):
    """The budget of a norm, exactly."""
    return Fraction(norm) ** (2 if problem.squared else 1)
