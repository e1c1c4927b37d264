"""Truth of the multi-class rule: every allocation, judged by exact rational trade-offs of two classes at once.

Between two classes of probabilities p and q ≤ 1 − p the worst base classifier gives the first one where P'/P is small and
the second one where it is large (Neyman and Pearson); the two events are disjoint, so both losses occur together.
"""

from fractions import Fraction

import numpy as np
from localized_oracle import allocations
from tight_oracle import exact_trade_off


def falls(seen, p, q):
    """Whether a class of at least p loses its lead over some other class of at most q under an exact trade-off."""
    p = Fraction(p)
    return seen.lower_exact(p) <= seen.upper_exact(min(Fraction(q), 1 - p))


def fallen_pairs(problem, p_other, b):
    """(n,) which outputs of a `TightProblem`, whose other classes have at most `p_other` (n,) each, fall under b (A,)."""
    seen = [exact_trade_off(problem, group, b) for group in range(problem.law_of_axis.shape[0])]
    pairs = zip(problem.groups.tolist(), problem.p_lower.tolist(), np.asarray(p_other).tolist(), strict=True)
    return np.array([falls(seen[group], p, q) for group, p, q in pairs])


def most_fallen_pairs(problem, p_other, budget, counted=None):
    """The largest number of counted outputs that one allocation within the budget takes from their worst classifiers."""
    worth = np.ones(problem.outputs, dtype=bool) if counted is None else counted
    found = allocations(problem.axis_class, problem.capacity, budget)
    return max(int((fallen_pairs(problem, p_other, b) & worth).sum()) for b in found)
