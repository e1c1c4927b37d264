"""The table of all procedures whose error rate is counted.

The probabilities lie as near as possible to those at which a label falls: so near that every bound that is wrong, or nearly
every one, is a false claim, and the promised error rate is used up.
"""

from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
from guarantee_cases import NODES, PILOT, SAMPLES, Case, any_false, by_budget, by_shift, case, from_model, told
from known_truths import critical, elastic_critical, flips, overlapping, shifted, survives, unless_seen
from sampled_votes import an_edge_of_two, below, hidden_only_beside_hidden
from scipy.stats import laplace, norm

import graphcert as gc
from graphcert.noise import Ablation, BernoulliFlip, Budget, Hierarchical, Partition, Smoothing
from graphcert.votes import Votes

FLIP, FAR = BernoulliFlip(0.1, 0.5), BernoulliFlip(0.2, 0.5)
NEAR = 1 - 1e-9
"""Irrational probabilities are taken so much below the one at which a label falls."""

BUDGETS = {
    Budget(): flips([], [], []),
    Budget(1): flips([(0.1, 0.5)], [1], [0]),
    Budget(2): flips([(0.1, 0.5)], [2], [0]),
}
NINE = [1 - Fraction(0.1), Fraction(0.1)]
"""One bit at rates .1 and .5: a majority of nine tenths falls to one half, exactly."""


def multiclass_edge() -> list[Fraction]:
    """Eight classes at which a label of .6 falls by one addition: lower(.6) = upper(q)."""
    lower, low, high = BUDGETS[Budget(1)], Fraction(0), Fraction(1, 10)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if survives(lower, Fraction(6, 10), middle) else (low, middle)
    return [Fraction(6, 10), high, *[(Fraction(4, 10) - high) / 6] * 6]


def flip_cases() -> list[Case]:
    both, seen = Smoothing(BernoulliFlip(0.1, 0.4), BernoulliFlip(0.05, 0.3)), [(0.1, 0.4), (0.05, 0.3)]
    joint = {Budget(1, 0, 0, 1): flips(seen, [1, 0], [0, 1]), Budget(0, 1, 1): flips(seen, [0, 1], [1, 0])}
    worst = max(critical(lower) for lower in joint.values())
    fragile = [float(worst) * NEAR, 1 - float(worst) * NEAR]
    absent = {Budget(0, 0, 0, 1): flips([(0.0, 0.5)], [0], [1])}
    ties = Smoothing(FLIP)
    return [
        case("flips, binary, sampled", from_model(below(0), ties), NINE, BUDGETS),
        case("flips, multi-class", told(multiclass_edge(), ties), multiclass_edge(), BUDGETS, idle=True),
        case("flips, multi-class rule of two", told(NINE, ties), NINE, BUDGETS,
             certify=partial(gc.certify, method="multiclass")),
        case("a tie of two classes", told([0.5, 0.5], ties), [Fraction(1, 2)] * 2, {Budget(): BUDGETS[Budget()]}),
        case("edges, sampled", from_model(an_edge_of_two, Smoothing(edges=BernoulliFlip(0.0, 0.5)), spread=4),
             [Fraction(3, 4), Fraction(1, 4)], absent),
        case("features and edges", told(fragile, both), fragile, joint),
        case("hierarchical flips, sampled", from_model(below(0), Hierarchical(0.8, BernoulliFlip(0.1, 0.6249))),
             [1 - Fraction(0.8) * Fraction(0.1), Fraction(0.8) * Fraction(0.1)],
             {Budget(1, nodes=1): unless_seen(flips([(0.1, 0.6249)], [1], [0]), 1 - Fraction(0.8))}),
    ]  # fmt: skip


def ablation_cases() -> list[Case]:
    hidden = 0.7071067811865475
    p = 1 - Fraction(hidden) + Fraction(hidden) ** 2
    scheme, lower = Hierarchical(hidden, Ablation()), unless_seen(lambda q: q, 1 - Fraction(hidden))
    # What is hidden no longer matters to anybody: given that, the trade-off is the identity.
    against = {Budget(): flips([], [], []), Budget(nodes=1): lower}
    # Inputs of four rows of which one is shown: a changed row is seen with probability 1/4, however many inputs there are.
    shown, quarter = Smoothing(gc.SubsetAblation(1)), Fraction(1, 4)
    edge = [Fraction(3, 4), quarter]
    return [
        case("ablation, sampled", from_model(hidden_only_beside_hidden, scheme, spread=2), [p, 1 - p], against),
        case("inputs of four rows, one of them shown", told(edge, shown, rows=4), edge,
             {Budget(): flips([], [], []), Budget(nodes=1): unless_seen(lambda q: q, quarter)}),
    ]  # fmt: skip


def norm_cases() -> list[Case]:
    laws = {
        "Gaussian": (gc.Gaussian(0.5), norm, 0.5), "uniform": (gc.Uniform(0.5), None, 0.5),
        "Laplace": (gc.Laplace(0.5), laplace, 0.5),
    }  # fmt: skip
    found = []
    for name, (law, scipy_law, scale) in laws.items():
        limit = 0.4
        p = (1 + limit / scale) / 2 if scipy_law is None else float(scipy_law.cdf(limit / scale))
        # A little more than the limit, and the label is lost for certain.
        shifts = {0.0: flips([], [], [])} | {
            one: overlapping(one / scale) if scipy_law is None else shifted(scipy_law, one / scale)
            for one in (limit * (1 + 1e-4), 1.2 * limit)
        }
        found.append(case(f"{name}, sampled", from_model(below(limit), Smoothing(law)), [p, 1 - p], shifts, by_shift))
    other = float(norm.cdf(norm.ppf(0.6) - 0.8))
    p, shift = [0.6, other, 0.4 - other], 0.4 * 0.5 * (1 + 1e-4)
    against = {shift: shifted(norm, shift / 0.5)}
    found.append(case("Gaussian, multi-class", told(p, Smoothing(gc.Gaussian(0.5))), p, against, by_shift, idle=True))
    return found


def score_cases() -> list[Case]:
    """Scores of 1 and 0 that follow one bit: a mean of nine tenths falls to one half as a majority does.

    So many samples are needed for unanimous scores to prove anything by the weakest of the bounds.
    """
    draw = from_model(below(0), Smoothing(FLIP), samples=3_000, scores=True)
    return [
        case(
            f"mean score, {bounds}, sampled", draw, NINE, BUDGETS, certify=partial(gc.certify_scores, bounds=bounds),
            idle=True,
        )
        for bounds in ("band", "bernstein", "dkw")
    ]  # fmt: skip


def bounds_case() -> Case:
    """A multi-class claim needs two wrong bounds at once, and so never comes near α: here one wrong bound counts."""
    p = [0.6, 0.3, 0.1]

    def false(votes: Votes, alpha: float) -> bool:
        found = gc.certify(votes, alpha)
        others = np.where(found.labels == 0, p[1], p[0])
        return bool(((found.p_lower > np.array(p)[found.labels]) | (found.p_other_upper < others)).any())

    return Case("flips, multi-class, bounds", told(p, Smoothing(FLIP)), false)


def localized_case() -> Case:
    """Two clusters, the own one with the less noise; claims about the first, whose nodes look at bits of their own."""
    ranks = np.array([[0, 1], [1, 0]])
    cluster = np.repeat([0, 1], NODES // 2)
    scheme = Smoothing([FLIP, FAR], partition=Partition(cluster, ranks))
    targets = cluster == 0
    rates, budgets = [(0.1, 0.5), (0.2, 0.5)], [Budget(1), Budget(2)]

    def large(runs: int) -> Smoothing:
        return Smoothing([FLIP, FAR], partition=Partition(np.tile(cluster, runs), ranks))

    # Per allocation of additions to the two blocks, as the first cluster sees them.
    stands = {b: survives(flips(rates, b, [0, 0]), *NINE) for b in product(range(3), repeat=2)}
    truth = {budget: all(s for b, s in stands.items() if sum(b) <= budget.feature_add) for budget in budgets}

    def false(votes: Votes, alpha: float) -> bool:
        alone = any_false(
            votes, alpha, gc.certify, by_budget, budgets, lambda node, label, one: label == 0 and truth[one], targets
        )
        curve = gc.certify(votes, alpha, targets=targets).collective(budgets)
        most = [NODES // 2 * truth[budget] for budget in budgets]
        return alone or bool((curve.certified > most).any())

    return Case("localized, together, sampled", from_model(below(0), scheme, large=large), false, NODES // 2)


def segmentation_cases() -> list[Case]:
    """All components but one are exactly at τ, where no claim is right."""
    tau, wrong_at = 0.75, np.arange(NODES) < NODES - 1
    rows = np.where(wrong_at, tau, 0.99)[:, None]
    rows = np.concatenate([rows, 1 - rows], axis=1)

    def draw(rng: np.random.Generator, runs: int) -> Iterable[Votes]:
        scheme = Smoothing(gc.Gaussian(0.5))
        return (
            Votes(rng.multinomial(PILOT, rows), rng.multinomial(SAMPLES, rows), scheme, independent=True)
            for _ in range(runs)
        )

    def false(votes: Votes, alpha: float, method: str, errors: int) -> bool:
        found = gc.seg_certify(votes.pilot_counts, votes.counts, tau, alpha, method, errors=errors, independent=True)
        return bool((~found.abstained & (wrong_at | (found.labels != 0))).sum() > errors)

    return [
        Case(f"segmentation, {method}, {errors} errors allowed", draw, partial(false, method=method, errors=errors))
        for method, errors in (("holm", 0), ("bonferroni", 0), ("holm", 1))
    ]


def elastic_case() -> Case:
    """Noise that depends on the input: the radius is claimed to reach a distance at which the label is lost."""
    sigma, elasticity, dimension, distance = 0.5, 0.2, 5, 0.4
    mass = elastic_critical(dimension, elasticity, sigma, distance) + 1e-7

    def false(votes: Votes, alpha: float) -> bool:
        found = gc.certify(votes, alpha, method="binary")
        radius = gc.input_dependent_radius(1 - found.p_lower, sigma, dimension, elasticity)
        return bool(((radius >= distance) | ((radius > 0) & (found.labels != 0))).any())

    return Case("input-dependent Gaussian", told([1 - mass, mass], Smoothing(gc.Gaussian(sigma))), false)


CASES = [
    *flip_cases(), bounds_case(), localized_case(), *ablation_cases(), *norm_cases(), *score_cases(),
    *segmentation_cases(), elastic_case(),
]  # fmt: skip
