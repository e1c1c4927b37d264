"""The bound is attained: base classifiers with exactly these majorities lose exactly these targets to the reported attack.

By Neyman and Pearson the worst event of probability p contains the noisy outcomes by rising likelihood ratio. Here it is
made outcome by outcome, over all values of the changed bits, in rational arithmetic and without any trade-off function.
"""

from fractions import Fraction
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tight_oracle import ROUNDING, budgets_of, problems

from graphcert.collective.exact import collective_tight


def outcomes(problem, group, b):
    """(clean, perturbed) mass of every value of the changed bits, as the group sees them."""
    bits = []
    for axis, amount in enumerate(b):
        law = problem.laws[problem.law_of_axis[group, axis]]
        zero, one = (Fraction(law.add), 1 - Fraction(law.add)), (1 - Fraction(law.delete), Fraction(law.delete))
        bits += [(one, zero) if problem.deletes[axis] else (zero, one)] * int(amount)
    found = []
    for value in product((0, 1), repeat=len(bits)):
        clean = perturbed = Fraction(1)
        for side, (before, after) in zip(value, bits, strict=True):
            clean, perturbed = clean * before[side], perturbed * after[side]
        found.append((clean, perturbed))
    return found


def worst_classifier(masses, p):
    """P' of the event of P-probability p that keeps as little as possible after the attack."""
    rising = sorted((m for m in masses if m != (0, 0)), key=lambda m: (m[0] == 0, m[1] / m[0] if m[0] else 0))
    left, kept = Fraction(p), Fraction(0)
    for clean, perturbed in rising:
        if clean == 0 or left == 0:
            break
        share = min(Fraction(1), left / clean)
        left, kept = left - share * clean, kept + share * perturbed
    return kept


@settings(max_examples=60)
@given(problems(), st.data())
def test_worst_classifiers_lose_as_many_targets_as_the_certificate_fears(problem, data):
    budget = data.draw(budgets_of(problem, 2))
    curve = collective_tight(problem, [budget])
    masses = [outcomes(problem, group, curve.attacks[0]) for group in range(problem.law_of_axis.shape[0])]
    kept = [worst_classifier(masses[g], p) for g, p in zip(problem.groups, problem.p_lower, strict=True)]
    levels = [Fraction(problem.level[g]) for g in problem.groups]
    other = problem.cells.other[problem.cells.of_output]
    reached = [1 - worst_classifier(masses[g], 1 - Fraction(q)) for g, q in zip(problem.groups, other, strict=True)]
    levels = [min(q, most + 2 * q - 1) for q, most in zip(levels, reached, strict=True)]
    lost = sum(value <= level for value, level in zip(kept, levels, strict=True))
    nearly = sum(
        worst_classifier(masses[g], max(p - ROUNDING, 0.0)) <= level
        for g, p, level in zip(problem.groups, problem.p_lower, levels, strict=True)
    )
    assert lost <= curve.attacked_upper[0] <= nearly
    assert np.all([sum(c for c, _ in m) == 1 and sum(d for _, d in m) == 1 for m in masses])
