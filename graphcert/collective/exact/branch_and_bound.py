"""Best-first branch and bound over boxes of allocations (theory, section 9), in slices that a caller can interrupt.

    max_b attacked(b) ≤ max( attack, max over open boxes of bound(box) ),

because boxes that are not open hold no allocation that breaks more than the attack. A step takes the open box of the
largest bound, halves its longest side, and for each half (`_enter`)

1. shrinks it to allocations that spend every budget exactly (`tighten`);
2. bounds it, until a bound is no more than the attack: by greedy completion, by prices, by stars;
3. completes the best shares of the star bound to an allocation, which may be a better attack;
4. stores it if its bound is above the attack.
"""

from typing import NamedTuple

import numpy as np

from graphcert.collective.exact.box_bound import CLASSES, greedy_bound, star_bound
from graphcert.collective.exact.critical import copy_into
from graphcert.collective.exact.search_problem import Cache, Counts, SearchProblem, attacked, count_changes
from graphcert.collective.exact.threshold_program import Prices, price_bound
from graphcert.collective.solvers.program import FloatArray, IntArray
from graphcert.core.compiled import kernel

_TREE_BYTES = 2**28
EFFORT = np.array([3e6, 10.0])
"""Steps that one star bound may take (a few milliseconds), and rounds of improving prices, per box."""

OPEN, CLOSED, FULL = range(3)
"""How a slice of the search ended: boxes are left, the attack is proved optimal, or there is no memory for more boxes."""


class Tree(NamedTuple):
    """Open boxes in a heap, largest bound first; of equal bounds the newest first, which dives.

    Attributes:
        lo, hi: (M, A) the boxes, in slots.
        bound: (M,) what falls in the box at most.
        heap: (M,) slots in heap order.
        free: (M,) slots that were given back.
        age: (M,) when a box was made.
        state: (9,) heap size, slots given back, boxes made, what an attack must beat, boxes looked at, slots ever used,
            recent star bounds, those of them that pruned, boxes since the last one.
        attack: (A,) the best attack.
        price: (M, C, D) multipliers of the boxes.
    """

    lo: Counts
    hi: Counts
    bound: IntArray
    heap: IntArray
    free: IntArray
    age: IntArray
    state: IntArray
    attack: IntArray
    price: FloatArray


HEAP, FREE, MADE, BEST, SEEN, USED, STARS, PRUNED, SINCE = range(9)


@kernel
def _before(tree, one, two):  # type: ignore[no-untyped-def]
    if tree.bound[one] != tree.bound[two]:
        return tree.bound[one] > tree.bound[two]
    return tree.age[one] > tree.age[two]


@kernel
def _push(tree, lo, hi, bound, price):  # type: ignore[no-untyped-def]
    """Store a box; there must be a free slot."""
    if tree.state[FREE] > 0:
        tree.state[FREE] -= 1
        slot = tree.free[tree.state[FREE]]
    else:
        slot = tree.state[USED]
        tree.state[USED] += 1
    copy_into(tree.lo[slot], lo)
    copy_into(tree.hi[slot], hi)
    for group in range(price.shape[0]):
        copy_into(tree.price[slot, group], price[group])
    tree.bound[slot], tree.age[slot] = bound, tree.state[MADE]
    tree.state[MADE] += 1
    place = tree.state[HEAP]
    tree.state[HEAP] += 1
    while place > 0 and _before(tree, slot, tree.heap[(place - 1) // 2]):
        tree.heap[place] = tree.heap[(place - 1) // 2]
        place = (place - 1) // 2
    tree.heap[place] = slot


@kernel
def _pop(tree):  # type: ignore[no-untyped-def]
    """The slot of the first box; it is free from now on and must be read before the next push."""
    top = tree.heap[0]
    tree.state[HEAP] -= 1
    size = tree.state[HEAP]
    slot = tree.heap[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _before(tree, tree.heap[child + 1], tree.heap[child]):
            child += 1
        if not _before(tree, tree.heap[child], slot):
            break
        tree.heap[place] = tree.heap[child]
        place = child
    if size > 0:
        tree.heap[place] = slot
    tree.free[tree.state[FREE]] = top
    tree.state[FREE] += 1
    return top


@kernel
def tighten(problem, lo, hi, rest):  # type: ignore[no-untyped-def]
    """Shrink a box, in place, to allocations that spend each budget exactly (more never breaks less); False if none do.

    rest (K,) is overwritten by what is free after lo.
    """
    for k in range(problem.deletes.size):
        begin, end = problem.first[k], problem.first[k + 1]
        spent, most = 0, 0
        for axis in range(begin, end):
            spent += lo[axis]
            most += hi[axis]
        if spent > problem.budget[k] or most < problem.budget[k]:
            return False
        above, below = problem.budget[k] - spent, most - problem.budget[k]
        rest[k] = problem.budget[k]
        for axis in range(begin, end):
            low, high = lo[axis], hi[axis]
            hi[axis] = min(high, low + above)
            lo[axis] = max(low, high - below)
            rest[k] -= lo[axis]
    return True


@kernel
def _consider(problem, cache, tree, b, counts):  # type: ignore[no-untyped-def]
    """Remember allocation b if it is the best attack so far."""
    found = attacked(problem, cache, b, counts)
    if found > tree.state[BEST]:
        tree.state[BEST] = found
        copy_into(tree.attack, b)
    return found


@kernel
def _star_is_worth_it(tree):  # type: ignore[no-untyped-def]
    """Whether star bounds have been pruning lately, or it is time to see whether they do now.

    They take long, and the more groups share their best axes, the less they say.
    """
    tree.state[SINCE] += 1
    if 8 * tree.state[PRUNED] < tree.state[STARS] - 32 and tree.state[SINCE] < 16:
        return False
    tree.state[SINCE] = 0
    if tree.state[STARS] >= 256:
        tree.state[STARS] //= 2
        tree.state[PRUNED] //= 2
    tree.state[STARS] += 1
    return True


@kernel
def _enter(problem, cache, prices, tree, lo, hi, bound, price, effort):  # type: ignore[no-untyped-def]
    """Bound a box and store it if it may beat the best attack; `price` (C, D) is overwritten."""
    rest = np.zeros(CLASSES, np.int64)
    if not tighten(problem, lo, hi, rest):
        return
    groups = problem.law.shape[0]
    base = np.zeros((groups, cache.keys.shape[1]), np.int16)
    if rest.sum() == 0:
        _consider(problem, cache, tree, lo, base[0])
        return
    for group in range(groups):
        count_changes(problem, group, lo, base[group])
    surely, most = np.empty(groups, np.int64), np.empty(groups, np.int64)
    bound = min(bound, greedy_bound(problem, cache, base, lo, hi, rest, surely, most))
    if bound > tree.state[BEST] and price.shape[1] > 0:
        rounds, goal = int(effort[1]), tree.state[BEST]
        bound = min(bound, price_bound(problem, prices, lo, hi, rest, surely, most, price, rounds, goal))
    if bound > tree.state[BEST] and _star_is_worth_it(tree):
        attack = np.zeros(lo.size, np.int64)
        shared = star_bound(problem, cache, base, lo, hi, rest, effort[0], attack)
        if shared >= 0:
            bound = min(bound, shared)
            if bound > tree.state[BEST]:
                _complete(problem, hi, attack)
                _consider(problem, cache, tree, attack, base[0])
            else:
                tree.state[PRUNED] += 1
    if bound > tree.state[BEST]:
        _push(tree, lo, hi, bound, price)


@kernel
def _complete(problem, hi, attack):  # type: ignore[no-untyped-def]
    """Spend what is left of every budget inside the box, one unit at a time in turns."""
    for k in range(problem.deletes.size):
        begin, end = problem.first[k], problem.first[k + 1]
        left = problem.budget[k] - attack[begin:end].sum()
        while left > 0:
            before = left
            for axis in range(begin, end):
                if left > 0 and attack[axis] < hi[axis]:
                    attack[axis] += 1
                    left -= 1
            if left == before:
                break


@kernel
def naive_bound(problem, cache):  # type: ignore[no-untyped-def]
    """What falls when every group is attacked with the whole budget, each by an allocation of its own."""
    groups, axes = problem.law.shape
    lo, hi, rest = np.zeros(axes, np.int64), problem.capacity.copy(), np.zeros(CLASSES, np.int64)
    tighten(problem, lo, hi, rest)
    base = np.zeros((groups, cache.keys.shape[1]), np.int16)
    for group in range(groups):
        count_changes(problem, group, lo, base[group])
    return greedy_bound(problem, cache, base, lo, hi, rest, np.empty(groups, np.int64), np.empty(groups, np.int64))


def start_search(
    problem: SearchProblem, cache: Cache, prices: Prices, attack: IntArray, cutoff: int, effort: FloatArray
) -> Tree:
    """The box of all allocations, with a first attack (A,); what breaks `cutoff` or less is no news."""
    boxes = max(16, _TREE_BYTES // (4 * attack.size + 32 + prices.start.nbytes))
    lo, hi = np.zeros((boxes, attack.size), np.int16), np.zeros((boxes, attack.size), np.int16)
    bound, heap, free, age = (np.zeros(boxes, np.int64) for _ in range(4))
    price = np.zeros((boxes, *prices.start.shape))
    tree = Tree(lo, hi, bound, heap, free, age, np.zeros(9, np.int64), attack.copy(), price)
    _enter_all(problem, cache, prices, tree, cutoff, effort)
    return tree


@kernel
def _enter_all(problem, cache, prices, tree, cutoff, effort):  # type: ignore[no-untyped-def]
    counts = np.zeros(cache.keys.shape[1], np.int16)
    tree.state[BEST] = max(attacked(problem, cache, tree.attack, counts), cutoff)
    lo, hi = np.zeros(tree.attack.size, np.int64), problem.capacity.copy()
    _enter(problem, cache, prices, tree, lo, hi, problem.p.size, prices.start.copy(), effort)


@kernel
def search(problem, cache, prices, tree, boxes, effort):  # type: ignore[no-untyped-def]
    """Look at up to `boxes` more boxes; returns OPEN, CLOSED or FULL. `upper_bound` says what is proved at any time."""
    for _ in range(boxes):
        if tree.state[HEAP] == 0 or tree.bound[tree.heap[0]] <= tree.state[BEST]:
            return CLOSED
        if tree.state[FREE] == 0 and tree.state[USED] == tree.bound.size:  # one goes, two may come
            return FULL
        slot = _pop(tree)
        tree.state[SEEN] += 1
        bound, price = tree.bound[slot], tree.price[slot].copy()
        lo, hi = tree.lo[slot].astype(np.int64), tree.hi[slot].astype(np.int64)
        axis = int(np.argmax(hi - lo))
        middle = (lo[axis] + hi[axis]) // 2
        for upper in range(2):
            child_lo, child_hi = lo.copy(), hi.copy()
            if upper:
                child_lo[axis] = middle + 1
            else:
                child_hi[axis] = middle
            _enter(problem, cache, prices, tree, child_lo, child_hi, bound, price.copy(), effort)
    return OPEN


@kernel
def upper_bound(tree):  # type: ignore[no-untyped-def]
    """What falls at most under any allocation, as far as it is proved."""
    if tree.state[HEAP] == 0:
        return tree.state[BEST]
    return max(tree.state[BEST], tree.bound[tree.heap[0]])


def prunes_by_stars(tree: Tree) -> bool:
    """Whether star bounds have settled a good part of the latest boxes."""
    return bool(8 * tree.state[PRUNED] >= tree.state[STARS])
