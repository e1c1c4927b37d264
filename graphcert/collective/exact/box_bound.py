"""What can fall at most while the allocation stays in a box lo ≤ b ≤ hi (theory, section 9): greedy and star bound.

Of every class k a rest r_k of the budget is free after lo. Let M_i(s, r) be at least what group i can lose if it spends r
after the counts s as it likes best, each axis up to hi.

*M_i*, `most_broken`. Along the chain of laws an earlier axis does more damage, so the rest goes to the earliest axes with
room. Laws outside of the chain compare with nothing. Either they get none of the rest, or of some class they get at least
one unit, and then the chain gets at most all but one of that class: M_i is the larger loss of these two cases. In the
second, every law outside gets the whole rest as well, which is more than the adversary has.

*Greedy*, `greedy_bound`. attacked(b) ≤ Σ_i M_i(lo, rest).

*Star*, `star_bound`. All groups greedy at once would spend the rest many times over. Let S_i be the strongest axes of
group i with room, and x_i (per class) what b spends on them beyond lo. Then i loses at most M_i after lo and x_i on S_i,
with rest − x_i and without S_i. Groups of one S_i are one unit with one x. An axis lies in S of at most `overlap` units, so

    attacked(b) ≤ max Σ_u gain_u(x_u)   over   Σ_u x_u ≤ overlap·rest,   0 ≤ x_u ≤ min(rest, room of S_u),

in every class, with gain_u(x) the sum of its groups' M_i. A dynamic program over units finds it:

1. `_best_axes`, `_units`, `_overlap`, `_room`: S_i, who shares it, and the limits of x;
2. `_extend`: reached[s], the most that falls if the units so far have spent s, by one more unit and share;
3. `_follow`: an allocation that follows the best shares, as long as the rest lasts: a candidate for an attack.
"""

import numpy as np

from graphcert.collective.exact.critical import copy_into
from graphcert.collective.exact.search_problem import OUTSIDE, broken, some_outputs
from graphcert.core.compiled import kernel

CLASSES = 4
"""Loops over shares are written for four classes; absent ones have nothing to share."""

NOBODY = -2
"""A rank that no axis has."""


@kernel
def _fill_chain(problem, group, k, lo, hi, amount, without, counts):  # type: ignore[no-untyped-def]
    """Add `amount` changes of class k along the chain, but not at the rank `without`.

    Returns what found no room, and where in `counts` the last change went (−1: there was none).
    """
    offset = problem.table.shape[0] * problem.deletes[k]
    last = -1
    for place in range(problem.first[k], problem.first[k + 1]):
        axis = problem.by_strength[group, place]
        if amount == 0 or problem.rank[group, axis] == OUTSIDE:
            break
        more = min(amount, hi[axis] - lo[axis])
        if more > 0 and problem.rank[group, axis] != without:
            last = offset + problem.law[group, axis]
            counts[last] += more
            amount -= more
    return amount, last


@kernel
def _fill_outside(problem, group, k, lo, hi, amount, counts):  # type: ignore[no-untyped-def]
    """Add `amount` changes of class k at every law outside the chain, as far as there is room; whether there was any."""
    offset = problem.table.shape[0] * problem.deletes[k]
    some = False
    law, left = -1, 0
    for place in range(problem.first[k + 1] - 1, problem.first[k] - 1, -1):
        axis = problem.by_strength[group, place]
        if problem.rank[group, axis] != OUTSIDE:
            break
        if problem.law[group, axis] != law:
            law, left = problem.law[group, axis], amount
        more = min(left, hi[axis] - lo[axis])
        if more > 0:
            counts[offset + law] += more
            left -= more
            some = True
    return some


@kernel
def most_broken(problem, cache, group, lo, hi, amounts, without, counts, other):  # type: ignore[no-untyped-def]
    """What a group loses at most if amounts[k] changes of each class are added to `counts` (overwritten) inside the box."""
    classes = problem.deletes.size
    last = np.full(CLASSES, -1)
    forced, some = False, False
    outside = np.zeros(CLASSES, np.bool_)
    over = np.zeros(CLASSES, np.int64)
    for k in range(classes):
        if amounts[k] > 0:
            over[k], last[k] = _fill_chain(problem, group, k, lo, hi, amounts[k], without[k], counts)
    copy_into(other, counts)
    for k in range(classes):
        if amounts[k] > 0:
            outside[k] = _fill_outside(problem, group, k, lo, hi, amounts[k], other)
            some = some or outside[k]
            forced = forced or (outside[k] and over[k] > 0)
    best = 0 if forced else broken(problem, cache, group, counts)
    if some:
        for k in range(classes):
            if outside[k]:
                spare = over[k] == 0 and last[k] >= 0
                if spare:
                    other[last[k]] -= 1
                best = max(best, broken(problem, cache, group, other))
                if spare:
                    other[last[k]] += 1
    return best


@kernel
def _best_axes(problem, lo, hi, rest, best):  # type: ignore[no-untyped-def]
    """Write into best (C, K) the rank of each group's strongest axes with room; NOBODY if there are none on the chain."""
    for group in range(problem.law.shape[0]):
        for k in range(problem.deletes.size):
            best[group, k] = NOBODY
            if rest[k] == 0:
                continue
            for place in range(problem.first[k], problem.first[k + 1]):
                axis = problem.by_strength[group, place]
                if problem.rank[group, axis] == OUTSIDE:
                    break
                if hi[axis] > lo[axis]:
                    best[group, k] = problem.rank[group, axis]
                    break


@kernel
def _same_best(problem, lo, hi, best, one, two):  # type: ignore[no-untyped-def]
    """Whether two groups have the same strongest free axes."""
    for k in range(problem.deletes.size):
        for axis in range(problem.first[k], problem.first[k + 1]):
            if hi[axis] > lo[axis]:
                mine = problem.rank[one, axis] == best[one, k]
                if mine != (problem.rank[two, axis] == best[two, k]):
                    return False
    return True


@kernel
def _units(problem, lo, hi, best, unit):  # type: ignore[no-untyped-def]
    """Write into unit (C,) the first group with the same strongest axes; groups without outputs get −1."""
    groups = problem.law.shape[0]
    for group in range(groups):
        unit[group] = -1
        if not some_outputs(problem, group):
            continue
        unit[group] = group
        for other in range(group):
            if unit[other] == other and _same_best(problem, lo, hi, best, group, other):
                unit[group] = other
                break


@kernel
def _overlap(problem, lo, hi, best, unit, k):  # type: ignore[no-untyped-def]
    """In how many units' strongest axes one axis of class k is at most."""
    most = 0
    for axis in range(problem.first[k], problem.first[k + 1]):
        if hi[axis] > lo[axis]:
            times = 0
            for group in range(problem.law.shape[0]):
                if unit[group] == group and problem.rank[group, axis] == best[group, k]:
                    times += 1
            most = max(most, times)
    return most


@kernel
def _room(problem, group, k, lo, hi, rank):  # type: ignore[no-untyped-def]
    """Room of the axes of class k that the group sees at `rank`."""
    room = 0
    for axis in range(problem.first[k], problem.first[k + 1]):
        if problem.rank[group, axis] == rank:
            room += hi[axis] - lo[axis]
    return room


@kernel
def greedy_bound(problem, cache, base, lo, hi, rest, surely, most):  # type: ignore[no-untyped-def]
    """Sum over groups of what falls when each completes the box alone; base (C, 2L + 1) are the counts of lo.

    Writes into surely and most (C,) what falls in each group at lo, and at its best completion.
    """
    counts, other = np.empty_like(base[0]), np.empty_like(base[0])
    without = np.full(CLASSES, NOBODY)
    total = 0
    for group in range(problem.law.shape[0]):
        surely[group], most[group] = 0, 0
        if some_outputs(problem, group):
            copy_into(counts, base[group])
            surely[group] = broken(problem, cache, group, counts)
            most[group] = most_broken(problem, cache, group, lo, hi, rest, without, counts, other)
            total += most[group]
    return total


@kernel
def star_bound(problem, cache, base, lo, hi, rest, work, attack):  # type: ignore[no-untyped-def]
    """The bound of shared strongest axes, or −1 if it would take more than `work` steps.

    attack (A,) is overwritten by an allocation that follows the best shares; it need not spend everything.
    """
    groups, classes = problem.law.shape[0], problem.deletes.size
    best = np.empty((groups, CLASSES), np.int64)
    _best_axes(problem, lo, hi, rest, best)
    unit = np.empty(groups, np.int64)
    _units(problem, lo, hi, best, unit)
    # Shares of one unit, and of all units together, per class; flat indices run the last class fastest.
    total = np.ones(CLASSES, np.int64)
    for k in range(classes):
        total[k] = rest[k] * _overlap(problem, lo, hi, best, unit, k) + 1
    ranges = np.ones((groups, CLASSES), np.int64)
    steps = 0.0
    for group in range(groups):
        if unit[group] == group:
            for k in range(classes):
                ranges[group, k] = min(rest[k], _room(problem, group, k, lo, hi, best[group, k])) + 1
            steps += np.prod(ranges[group]) * np.prod(total) / 2.0**classes
    if steps > work:
        return -1
    states = np.prod(total)
    reached, extended = np.zeros(states, np.int64), np.zeros(states, np.int64)
    chosen = np.zeros((groups, states), np.int32)
    counts, other = np.empty_like(base[0]), np.empty_like(base[0])
    share, left = np.zeros(CLASSES, np.int64), np.zeros(CLASSES, np.int64)
    for leader in range(groups):
        if unit[leader] != leader:
            continue
        copy_into(extended, reached)
        size = ranges[leader]
        for flat in range(np.prod(size)):
            rem = flat
            for k in range(CLASSES - 1, -1, -1):
                share[k] = rem % size[k]
                rem //= size[k]
                left[k] = rest[k] - share[k] if k < classes else 0
            gain = 0
            for group in range(leader, groups):
                if unit[group] == leader:
                    copy_into(counts, base[group])
                    _give_best(problem, group, best[group], lo, hi, share, counts)
                    gain += most_broken(problem, cache, group, lo, hi, left, best[group], counts, other)
            _extend(reached, extended, chosen[leader], total, share, gain, flat)
        reached, extended = extended, reached
    copy_into(attack, lo)
    _follow(problem, lo, hi, best, unit, ranges, total, chosen, rest, attack)
    return reached[states - 1]


@kernel
def _give_best(problem, group, best, lo, hi, share, counts):  # type: ignore[no-untyped-def]
    """Add share[k] changes of each class at the group's strongest free law."""
    for k in range(problem.deletes.size):
        if share[k] > 0:
            for axis in range(problem.first[k], problem.first[k + 1]):
                if problem.rank[group, axis] == best[k]:
                    counts[problem.table.shape[0] * problem.deletes[k] + problem.law[group, axis]] += share[k]
                    break


@kernel
def _extend(reached, extended, chosen, total, share, gain, flat):  # type: ignore[no-untyped-def]
    """One share of one unit in the resource program: extended[s + share] ← max(…, reached[s] + gain)."""
    for a in range(total[0] - share[0]):
        for b in range(total[1] - share[1]):
            for c in range(total[2] - share[2]):
                source = ((a * total[1] + b) * total[2] + c) * total[3]
                target = (((a + share[0]) * total[1] + b + share[1]) * total[2] + c + share[2]) * total[3] + share[3]
                for d in range(total[3] - share[3]):
                    value = reached[source + d] + gain
                    if value > extended[target + d]:
                        extended[target + d] = value
                        chosen[target + d] = flat


@kernel
def _follow(problem, lo, hi, best, unit, ranges, total, chosen, rest, attack):  # type: ignore[no-untyped-def]
    """Give every unit's strongest axes the best shares, as long as the rest lasts."""
    state = np.prod(total) - 1
    weight = np.array([total[1] * total[2] * total[3], total[2] * total[3], total[3], 1])
    left = rest.copy()
    for leader in range(problem.law.shape[0] - 1, -1, -1):
        if unit[leader] != leader:
            continue
        rem = np.int64(chosen[leader, state])
        for k in range(CLASSES - 1, -1, -1):
            share = rem % ranges[leader, k]
            rem //= ranges[leader, k]
            state -= share * weight[k]
            if k < problem.deletes.size:
                for axis in range(problem.first[k], problem.first[k + 1]):
                    if problem.rank[leader, axis] == best[leader, k]:
                        more = min(share, left[k], hi[axis] - attack[axis])
                        attack[axis] += more
                        left[k] -= more
                        share -= more
