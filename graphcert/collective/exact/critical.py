"""The exact critical probability of a number of changes per noise level, in microseconds (theory, sections 1, 2, 9).

    c = max { P(A) : P'(A) ≤ q },   q in (0, 1) the target level,

over all events A of a product of one lattice per law: r additions and d deletions under one law have r + d + 1 outcomes
that matter. For every λ ≥ 0 and every event A with P'(A) ≤ q

    P(A) ≤ P(A) + λ(q − P'(A)) ≤ Σ (P − λP')₊ + λq,

so every λ gives an upper bound, and the best λ gives c. The right side is convex and piecewise linear in λ, and its sum runs
over the outcomes of ratio P'/P below 1/λ. Three steps:

1. `_lattice`: the outcomes of each law, by rising ratio.
2. `_product`: the laws are split into two halves of about as many outcomes, each merged into one sorted list.
3. `_best_threshold`: a search for λ; two pointers over the halves (`_below`) find the masses beyond each.

The multi-class rule asks for c at the level upper(q) = max { P'(A) : P(A) ≤ q } of a bound q, see `critical_by_other`.

Rounding. A mass is a product of factors that are off by a unit roundoff each, and all sums are of non-negative terms: the
relative error of F = Σ P and F' = Σ P' is below `loss`. An outcome taken on the wrong side of the threshold has a log-ratio
within `blur` of it and costs its P-mass times at most e^blur − 1. Both are charged to the result.
"""

from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction

import numpy as np

from graphcert.collective.solvers.program import FloatArray
from graphcert.core.compiled import kernel
from graphcert.noise import BernoulliFlip

ADD_RATE, DELETE_RATE, STEP, PER_ADD, PER_DELETE, SILENCED = range(6)
"""Columns of the table. The log-ratio ln(P'/P) of m deviations among r additions and q deletions is
m·STEP + r·PER_ADD + q·PER_DELETE wherever both laws have mass (theory, section 9)."""

_DECIMAL = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def law_table(laws: Sequence[BernoulliFlip]) -> FloatArray:
    """(L, 6) one row per law; SILENCED is 1 where the law hides every change (θ⁺ + θ⁻ = 1, decided exactly).

    A law with a rate of 0 or 1 leaves one number of deviations that both laws can produce, so its STEP is 0 and the two
    other columns give that one ratio: both laws have then lost the same kind of factor, as often as they had changes.
    """
    return np.array([_row(law) for law in laws], dtype=np.float64).reshape(len(laws), 6)


def _row(law: BernoulliFlip) -> tuple[float, ...]:
    add, delete = law.add, law.delete
    if Fraction(add) + Fraction(delete) == 1:
        return (add, delete, 0.0, 0.0, 0.0, 1.0)
    with localcontext(_DECIMAL):
        plus, minus = Decimal(add), Decimal(delete)
        rates = (plus, 1 - plus, minus, 1 - minus)
        if all(rates):
            ln_plus, ln_kept_zero, ln_minus, ln_kept_one = (rate.ln() for rate in rates)
            step = ln_kept_one + ln_kept_zero - ln_plus - ln_minus
            return (add, delete, float(step), float(ln_minus - ln_kept_zero), float(ln_plus - ln_kept_one), 0.0)
        # One shared outcome. With θ⁺ = 0 it is "all additions hidden, all deletions shown": θ⁻^r against θ⁻^q.
        shared = {0: minus, 1: 1 - minus} if plus in (0, 1) else {0: plus, 1: 1 - plus}
        rate = shared[int(plus if plus in (0, 1) else minus)]
        sign = 1 if plus in (0, 1) else -1
        per_add = float(sign * rate.ln()) if rate else 0.0
        return (add, delete, 0.0, per_add, -per_add, 0.0)


SAME, MIXED, APART = range(3)
"""Of what two laws have in common: all of it, some of it, nothing."""

_UNIT = 2.0**-53
_LARGEST_HALF = 2**22
"""Outcomes of one half that are still sorted, about half a second of work; beyond, c is bounded by 1."""
MOST_SORTED = 2**15
"""Outcomes of both halves together that are sorted for many q at once."""
_EVALUATIONS = 80
"""Far more than the search for λ takes (about ten); it ends earlier when nothing is left to gain."""


@kernel
def copy_into(target, source):  # type: ignore[no-untyped-def]
    """target[k] = source[k] for vectors of one length; assigning whole slices compiles for seconds."""
    for k in range(source.size):
        target[k] = source[k]


@kernel
def _flip(masses, top, success, failure):  # type: ignore[no-untyped-def]
    """Convolve masses[0 … top] with one more element that deviates with probability `success`."""
    masses[top + 1] = masses[top] * success
    for m in range(top, 0, -1):
        masses[m] = masses[m] * failure + masses[m - 1] * success
    masses[0] *= failure


@kernel
def _lattice(law, adds, deletes):  # type: ignore[no-untyped-def]
    """The outcomes with mass under both laws, by rising ratio: clean masses, perturbed masses, log-ratios.

    m counts the ones among the added bits and the zeros among the deleted ones.
    """
    plus, minus = law[ADD_RATE], law[DELETE_RATE]
    changes = adds + deletes
    clean, perturbed = np.empty(changes + 1), np.empty(changes + 1)
    clean[0], perturbed[0] = 1.0, 1.0
    for k in range(adds):
        _flip(clean, k, plus, 1.0 - plus)
        _flip(perturbed, k, 1.0 - minus, minus)
    for k in range(adds, changes):
        _flip(clean, k, minus, 1.0 - minus)
        _flip(perturbed, k, 1.0 - plus, plus)
    first = max(
        (adds if plus == 1.0 else 0) + (deletes if minus == 1.0 else 0),
        (adds if minus == 0.0 else 0) + (deletes if plus == 0.0 else 0),
    )
    last = min(
        (adds if plus > 0.0 else 0) + (deletes if minus > 0.0 else 0),
        (adds if minus < 1.0 else 0) + (deletes if plus < 1.0 else 0),
    )
    size = max(last - first + 1, 0)
    ratio = np.empty(size)
    base = adds * law[PER_ADD] + deletes * law[PER_DELETE]
    for m in range(size):
        ratio[m] = (first + m) * law[STEP] + base
    kept, kept_perturbed, sorted_ratio = np.empty(size), np.empty(size), np.empty(size)
    for m in range(size):
        place = m if law[STEP] >= 0.0 else size - 1 - m
        kept[place], kept_perturbed[place], sorted_ratio[place] = clean[first + m], perturbed[first + m], ratio[m]
    return kept, kept_perturbed, sorted_ratio


@kernel
def _merged(clean, perturbed, ratio, clean2, perturbed2, ratio2):  # type: ignore[no-untyped-def]
    """The product of two sorted parts, sorted: one run per outcome of the second, merged pairwise."""
    length, runs = ratio.size, ratio2.size
    size = length * runs
    value, origin = np.empty(size), np.empty(size, np.int32)
    other_value, other_origin = np.empty(size), np.empty(size, np.int32)
    for k in range(runs):
        for i in range(length):
            value[k * length + i] = ratio[i] + ratio2[k]
            origin[k * length + i] = k * length + i
    width = length
    while width < size:
        start = 0
        while start < size:
            middle, end = min(start + width, size), min(start + 2 * width, size)
            i, j = start, middle
            for place in range(start, end):
                if j >= end or (i < middle and value[i] <= value[j]):
                    other_value[place], other_origin[place] = value[i], origin[i]
                    i += 1
                else:
                    other_value[place], other_origin[place] = value[j], origin[j]
                    j += 1
            start = end
        value, other_value = other_value, value
        origin, other_origin = other_origin, origin
        width *= 2
    both_clean, both_perturbed = np.empty(size), np.empty(size)
    for place in range(size):
        k = origin[place] // length
        i = origin[place] - k * length
        both_clean[place] = clean[i] * clean2[k]
        both_perturbed[place] = perturbed[i] * perturbed2[k]
    return both_clean, both_perturbed, value


@kernel
def _product(clean, perturbed, ratio, clean2, perturbed2, ratio2):  # type: ignore[no-untyped-def]
    """`_merged` with the longer part as the runs, which leaves fewer of them to merge."""
    if ratio.size >= ratio2.size:
        return _merged(clean, perturbed, ratio, clean2, perturbed2, ratio2)
    return _merged(clean2, perturbed2, ratio2, clean, perturbed, ratio)


@kernel
def outcomes(table, adds, deletes):  # type: ignore[no-untyped-def]
    """The outcomes of adds[l] additions and deletes[l] deletions under each law l of `table`, as two sorted halves.

    Returns (state, …, numbers): the masses and log-ratios of both halves, then clean and perturbed mass that the other law
    does not have, the number of changes, of laws used, and the reach of log-ratios.
    """
    laws = table.shape[0]
    size = np.zeros(laws, np.int64)
    changes, reach, used = 0, 0.0, 0
    for law in range(laws):
        here = adds[law] + deletes[law]
        if here > 0 and table[law, SILENCED] == 0.0:
            size[law] = here + 1
            changes += here
            used += 1
            reach += (
                here * abs(table[law, STEP]) + adds[law] * abs(table[law, PER_ADD])
                + deletes[law] * abs(table[law, PER_DELETE])
            )  # fmt: skip
    one, nothing = np.ones(1), np.zeros(1)
    clean, perturbed, ratio = one, one, nothing
    clean2, perturbed2, ratio2 = one, one, nothing
    clean_only, perturbed_only = 0.0, 0.0
    state = SAME if changes == 0 else MIXED
    for _ in range(used):
        law = int(np.argmax(size))
        size[law] = 0
        part_clean, part_perturbed, part_ratio = _lattice(table[law], adds[law], deletes[law])
        # Beyond a limit of work everything is said to show.
        if part_ratio.size == 0 or part_ratio.size * min(ratio.size, ratio2.size) > _LARGEST_HALF:
            state = APART
            break
        if part_ratio.size < adds[law] + deletes[law] + 1:
            here, there = part_clean.sum(), part_perturbed.sum()
            clean_only = max(1.0 - here, 0.0) + here * clean_only
            perturbed_only = max(1.0 - there, 0.0) + there * perturbed_only
        if ratio.size <= ratio2.size:
            clean, perturbed, ratio = _product(clean, perturbed, ratio, part_clean, part_perturbed, part_ratio)
        else:
            clean2, perturbed2, ratio2 = _product(clean2, perturbed2, ratio2, part_clean, part_perturbed, part_ratio)
    numbers = np.array([clean_only, perturbed_only, changes, used, reach])
    return state, clean, perturbed, ratio, clean2, perturbed2, ratio2, numbers


@kernel
def critical(table, adds, deletes, level):  # type: ignore[no-untyped-def]
    """c at `level` of adds[l] additions and deletes[l] deletions under each law l of `table`; never below the exact value.

    Within 1e-12 of it for dozens of changes, 1e-11 for hundreds; 1 where many changes under many laws have too many
    outcomes.
    """
    return critical_of(outcomes(table, adds, deletes), level)


@kernel
def critical_of(seen, level):  # type: ignore[no-untyped-def]
    """The same of `outcomes`."""
    state, clean, perturbed, ratio, clean2, perturbed2, ratio2, numbers = seen
    if state != MIXED:
        return level if state == SAME else 1.0
    under, under_perturbed = _prefix(clean2), _prefix(perturbed2)
    return _best_threshold(clean, perturbed, ratio, under, under_perturbed, ratio2, numbers[0], numbers, level)


@kernel
def critical_by_other(seen, level, others, found):  # type: ignore[no-untyped-def]
    """Lower found (R,), the c of the binary rule, to that for each bound q of every other class; never below the exact one.

    An output of bounds p and q survives if lower(p) > upper(min(q, 1 − p)); at a target level of 1/2 + x the offset 2x is
    added to the right side, see `TightProblem.level`. As min(q, 1 − p) is at most either, it falls only if p is at most

        c = min( c at `level`,  c at upper(q) + offset ),

    where q = 1, the binary rule, leaves the first alone. others (R,) ascend. Where the outcomes are few, they are sorted
    once and all q are looked up in order (`_in_order`); else two searches are made for each.
    """
    state, clean, perturbed, ratio, clean2, perturbed2, ratio2, numbers = seen
    offset = 2.0 * level - 1.0
    if state != MIXED:
        for rule in range(others.size):
            if state == SAME:
                found[rule] = min(found[rule], (others[rule] + offset) * (1.0 + 4.0 * _UNIT))
        return
    if others[0] >= 1.0:
        return
    if ratio.size * ratio2.size <= MOST_SORTED:
        clean, perturbed, ratio = _product(clean, perturbed, ratio, clean2, perturbed2, ratio2)
        _in_order(clean, perturbed, ratio, numbers, level, others, found)
        return
    # upper(q) = max { P'(A) : P(A) ≤ q } is the same question with the laws exchanged, so outcomes come in reverse order.
    under, under_perturbed = _prefix(clean2), _prefix(perturbed2)
    back_clean, back_perturbed, back_ratio = clean[::-1].copy(), perturbed[::-1].copy(), -ratio[::-1]
    back_under, back_under_perturbed = _prefix(clean2[::-1].copy()), _prefix(perturbed2[::-1].copy())
    back_ratio2 = -ratio2[::-1]
    for rule in range(others.size):
        if others[rule] >= 1.0:
            return
        raised = offset + _best_threshold(
            back_perturbed, back_clean, back_ratio, back_under_perturbed, back_under, back_ratio2, numbers[1], numbers,
            others[rule],
        )  # fmt: skip
        if raised >= level:  # upper(q) ascends, so the binary rule says as much from here on
            return
        tie = _best_threshold(clean, perturbed, ratio, under, under_perturbed, ratio2, numbers[0], numbers, raised)
        found[rule] = min(found[rule], tie)


@kernel
def _in_order(clean, perturbed, ratio, numbers, level, others, found):  # type: ignore[no-untyped-def]
    """Lower found (R,) to c at upper(q) + offset for ascending q, from all outcomes by rising ratio.

    The dual bounds of `_best_threshold` at the ratio of the outcome that is only partly in the event: the best one.
    """
    size = ratio.size
    low, low_perturbed = _prefix(clean), _prefix(perturbed)
    high, high_perturbed = _prefix(clean[::-1].copy()), _prefix(perturbed[::-1].copy())
    loss = (3.0 * numbers[2] + 2.0 * numbers[3] + size + 16.0) * _UNIT * 1.01
    blur = (2.0 * numbers[3] + 8.0) * _UNIT * 1.01 * 1.01
    up, down = 0, 0
    for rule in range(others.size):
        q = others[rule]
        while up < size and high[up + 1] <= q:
            up += 1
        if q >= 1.0 or up == size:
            return
        scale = np.exp(ratio[size - 1 - up])
        mass = numbers[1] + high_perturbed[up]
        error = loss * (1.0 + mass + scale * (high[up] + q)) + blur * (numbers[4] + abs(ratio[size - 1 - up]) + 1.0)
        raised = mass + scale * (q - high[up]) + error + 2.0 * level - 1.0
        if raised >= level:
            return
        while down < size and low_perturbed[down + 1] <= raised:
            down += 1
        if down == size:
            return
        scale = np.exp(-ratio[down])
        mass = numbers[0] + low[down]
        error = loss * (1.0 + mass + scale * (low_perturbed[down] + raised))
        error += blur * (numbers[4] + abs(ratio[down]) + 1.0)
        found[rule] = min(found[rule], max(mass + scale * (raised - low_perturbed[down]) + error, raised))


@kernel
def _best_threshold(clean, perturbed, ratio, under, under_perturbed, ratio2, one_sided, numbers, level):  # type: ignore[no-untyped-def]
    """max { P(A) : P'(A) ≤ level }: the smallest of the bounds of all λ that are tried, with all rounding errors charged.

    under, under_perturbed: prefix sums of the second half; one_sided: clean mass without perturbed mass, part of every A.
    """
    changes, used, reach = numbers[2], numbers[3], numbers[4]
    loss = (3.0 * changes + 2.0 * used + ratio.size + ratio2.size + 16.0) * _UNIT * 1.01
    blur_of_reach = (2.0 * used + 8.0) * _UNIT * 1.01
    # λ = 0: every outcome that has clean mass.
    low, low_clean, low_perturbed = 0.0, 1.0, perturbed.sum() * under_perturbed[-1]
    high, high_clean, high_perturbed = 1.0 / level, 0.0, 0.0  # the slope of the trade-off at c is at least q/c
    best, weight_low, weight_high = 1.0, level - low_perturbed, 0.0
    if weight_low >= 0.0:
        return 1.0
    last_side = 0
    for evaluation in range(_EVALUATIONS):
        scale = high
        if evaluation > 0:
            vertex = low
            if low_perturbed > high_perturbed:
                vertex = (low_clean - high_clean) / (low_perturbed - high_perturbed)
            if best - (low_clean + vertex * (level - low_perturbed)) <= 1e-15:
                break
            secant = low + (high - low) * weight_low / (weight_low - weight_high)
            scale = vertex if evaluation % 3 == 0 else secant
            if not low < scale < high:
                break
        threshold = -np.log(scale)
        mass, mass_perturbed = _below(clean, perturbed, ratio, under, under_perturbed, ratio2, threshold)
        mass += one_sided
        slope = level - mass_perturbed
        error = loss * (1.0 + mass + scale * (mass_perturbed + level)) + 1.01 * blur_of_reach * (
            reach + abs(threshold) + 1.0
        )
        best = min(best, mass + scale * slope + error)
        if slope == 0.0:
            break
        if slope < 0.0:
            low, low_clean, low_perturbed, weight_low = scale, mass, mass_perturbed, slope
            if last_side == -1:
                weight_high *= 0.5
            last_side = -1
            if evaluation == 0:
                break
        else:
            high, high_clean, high_perturbed, weight_high = scale, mass, mass_perturbed, slope
            if last_side == 1:
                weight_low *= 0.5
            last_side = 1
    return max(best, level)


@kernel
def _prefix(values):  # type: ignore[no-untyped-def]
    total = np.zeros(values.size + 1)
    for k in range(values.size):
        total[k + 1] = total[k] + values[k]
    return total


@kernel
def _below(clean, perturbed, ratio, under, under_perturbed, ratio2, threshold):  # type: ignore[no-untyped-def]
    """Clean and perturbed mass of the outcomes whose log-ratio is below `threshold`."""
    mass, mass_perturbed = 0.0, 0.0
    k = ratio2.size
    for i in range(ratio.size):
        room = threshold - ratio[i]
        while k > 0 and ratio2[k - 1] >= room:
            k -= 1
        if k == 0:
            break
        mass += clean[i] * under[k]
        mass_perturbed += perturbed[i] * under_perturbed[k]
    return mass, mass_perturbed
