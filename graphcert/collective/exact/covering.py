"""A covering of all allocations by boxes, each of which breaks no more than a number: a proof that anyone can redo.

The search of `branch_and_bound` keeps no account of the boxes it closed, and prunes by bounds that are long to check. Once
a number is known, a plain search proves it again with one simple bound, and writes down where it split. The tree is told by
one bit per box in preorder, 1 for split and 0 for leaf; everything else follows from fixed rules:

1. the root is 0 ≤ b ≤ capacity within the budget, over the axes of `reduce_tight_axes`;
2. a box is shrunk to the allocations that spend every budget exactly (`tighten`), and left out if there are none;
3. in a leaf every group completes the lower corner as it likes best: along the chain of laws the strongest axes first; where
   an axis with room is outside of the chain, all axes of its class get their upper ends;
4. a split halves the longest side, the first one among equals, and the lower half comes first.
"""

from base64 import b64encode
from typing import Any

import numpy as np

from graphcert.collective.exact.branch_and_bound import tighten
from graphcert.collective.exact.budget_solver import rounded_cells
from graphcert.collective.exact.exact_problem import TightProblem
from graphcert.collective.exact.search_problem import (
    LARGEST,
    OUTSIDE,
    broken,
    count_changes,
    make_cache,
    make_search_problem,
    reduce_tight_axes,
    some_outputs,
)  # fmt: skip
from graphcert.collective.solvers.program import BoolArray, IntArray
from graphcert.core.compiled import kernel

MOST_LEAVES = 20_000
"""Leaves of one proof: it is stored in a few kilobytes and checked in seconds."""


class Coverings:
    """Proves numbers about one set of outputs at one budget; critical probabilities are kept between them.

    Args:
        problem: n outputs in groups, and the laws under which groups see the axes of change.
        budget: (K,) whole numbers, one per class of `problem.classes`.
        counted: (n,) bool, the outputs that count.
    """

    def __init__(self, problem: TightProblem, budget: IntArray, counted: BoolArray) -> None:
        self._large = budget.sum() > LARGEST
        if self._large:
            return
        self._axes = reduce_tight_axes(problem, budget)
        cells = rounded_cells(problem, budget)
        self._problem = make_search_problem(problem, self._axes, budget, cells, counted)
        self._cache = make_cache(len(problem.laws))

    def proof(self, number: int, leaves: int = MOST_LEAVES) -> dict[str, Any] | None:
        """A covering by at most so many leaves that proves that at most `number` outputs fall; None if none is found.

        Returns:
            "axes", the first of the axes that each axis of the boxes stands for; "upper", the upper corner of the root;
            "nodes" of the tree; and its "bits", packed and in base 64.
        """
        if self._large:
            return None
        bits = np.zeros(2 * leaves, np.uint8)
        nodes = int(cover(self._problem, self._cache, number, bits))
        if nodes < 0:
            return None
        return {
            "kind": "boxes",
            "axes": [int(members[0]) for members in self._axes.members],
            "upper": self._axes.capacity.tolist(),
            "nodes": nodes,
            "bits": b64encode(np.packbits(bits[:nodes]).tobytes()).decode(),
        }


@kernel
def cover(problem, cache, number, bits):  # type: ignore[no-untyped-def]
    """Write the tree of a covering into bits (M,); its size, or −1 if a point breaks more or the tree would be larger."""
    axes, groups = problem.law.shape[1], problem.law.shape[0]
    # Every level of the tree halves a side, so depth is limited; a side has less than 2**13.
    depth = 16 * axes + 2
    lows, highs = np.zeros((depth, axes), np.int64), np.zeros((depth, axes), np.int64)
    for axis in range(axes):
        highs[0, axis] = problem.capacity[axis]
    open_, nodes = 1, 0
    rest = np.zeros(max(problem.deletes.size, 1), np.int64)
    counts = np.zeros(cache.keys.shape[1], np.int16)
    while open_ > 0:
        open_ -= 1
        lo, hi = lows[open_], highs[open_]
        if not tighten(problem, lo, hi, rest):
            continue
        if nodes == bits.size:
            return -1
        total = 0
        for group in range(groups):
            if some_outputs(problem, group):
                _complete_freely(problem, group, lo, hi, rest, counts)
                total += broken(problem, cache, group, counts)
        nodes += 1
        if total <= number:
            continue
        if rest.sum() == 0:
            return -1
        bits[nodes - 1] = 1
        side = int(np.argmax(hi - lo))
        middle = (lo[side] + hi[side]) // 2
        # The lower half comes first, so it lies on top of the stack.
        for axis in range(axes):
            lows[open_ + 1, axis], highs[open_ + 1, axis] = lo[axis], hi[axis]
        highs[open_ + 1, side] = middle
        lows[open_, side] = middle + 1
        open_ += 2
    return nodes


@kernel
def _complete_freely(problem, group, lo, hi, rest, counts):  # type: ignore[no-untyped-def]
    """Write into counts (2L + 1,) the changes that a group sees where it may complete the lower corner of a box alone."""
    count_changes(problem, group, lo, counts)
    for k in range(problem.deletes.size):
        offset = problem.table.shape[0] * problem.deletes[k]
        left, outside = rest[k], False
        for axis in range(problem.first[k], problem.first[k + 1]):
            outside = outside or (hi[axis] > lo[axis] and problem.rank[group, axis] == OUTSIDE)
        for place in range(problem.first[k], problem.first[k + 1]):
            axis = problem.by_strength[group, place]
            more = min(rest[k] if outside else left, hi[axis] - lo[axis])
            counts[offset + problem.law[group, axis]] += more
            left -= more
