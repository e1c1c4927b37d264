"""Hierarchical collective certificates that are cut short: whatever the time limit, sound and never below a weaker one."""

from itertools import pairwise

import numpy as np
import pytest
from hierarchical_oracle import (
    ALL_E,
    ALL_X,
    BUDGETS,
    LEVELS,
    METHODS,
    PAIRS,
    ROWS,
    claim,
    critical,
    data_of,
    larger,
    majorities,
    model_truth,
    noise,
    quiet,
    reached,
    schemes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.certificates import Attack
from graphcert.collective.bound_loop import Bound
from graphcert.collective.hierarchical import enumeration, row_search
from graphcert.collective.hierarchical import row_choices as choosing
from graphcert.collective.hierarchical.enumeration import HierarchicalTruth
from graphcert.collective.hierarchical.hierarchical_problem import hierarchical_problem
from graphcert.collective.hierarchical.row_choices import first_look, halves, joined, row_choices
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import BernoulliFlip, Budget, Hierarchical, Partition, Smoothing, Views
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS

LIMITS = st.sampled_from([0, 1e-6, 1e-3, 1e-2])
SEEDS = st.integers(0, 2**32 - 1)


@quiet
@settings(max_examples=40, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, SEEDS, LIMITS, st.booleans())
def test_no_time_is_enough_for_a_sound_answer(scheme, clean, budgets, seed, limit, together):
    p = majorities(seed)
    with pytest.MonkeyPatch.context() as patch:
        if together:  # as if there were many choices of rows
            patch.setattr(row_search, "_FEW", 0)
        curves = claim(scheme, p).compare_methods(budgets, methods="all", data=data_of(clean), time_limit=limit)
    assert tuple(curves) == METHODS
    truth = np.array([model_truth(scheme, clean, budget, p) for budget in budgets])
    for weaker, stronger in pairwise(METHODS):
        assert (curves[weaker].attacked_upper >= curves[stronger].attacked_upper).all()
    for curve in curves.values():
        assert (curve.attacked_upper >= truth).all()
        assert not (curve.gap < 0).any()


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, SEEDS, st.sampled_from(["lp", "milp", "tight"]))
def test_with_all_the_time_sets_of_choices_cost_nothing(scheme, clean, budgets, seed, method):
    p = majorities(seed)
    found = claim(scheme, p).collective(budgets, method=method, data=data_of(clean), time_limit=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_search, "_FEW", 0)
        in_sets = claim(scheme, p).collective(budgets, method=method, data=data_of(clean), time_limit=None)
    assert in_sets.attacked_upper.tolist() == found.attacked_upper.tolist()


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, SEEDS)
def test_the_first_look_is_above_the_truth_of_every_choice(scheme, clean, budgets, seed):
    """Each output alone is above all of them together, whoever judges them."""
    p = majorities(seed)
    problem = hierarchical_problem(scheme, p, data_of(clean))
    for budget in budgets:
        effective = problem.effective(budget)
        choices, _ = row_choices(problem, effective)
        look = first_look(problem, effective, np.ones(ROWS, bool), choices, DEFAULT_ORDERS)
        assert look.max() >= model_truth(scheme, clean, budget, p)
        one = [first_look(problem, effective, np.ones(ROWS, bool), [choice], DEFAULT_ORDERS)[0] for choice in choices]
        assert look.tolist() == one
        together = first_look(problem, effective, np.ones(ROWS, bool), [joined(choices)], DEFAULT_ORDERS)
        assert together[0] >= look.max()


@quiet
@settings(max_examples=60, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, SEEDS)
def test_allocations_that_spend_everything_suffice_where_they_are_said_to(scheme, clean, budgets, seed):
    problem = hierarchical_problem(scheme, majorities(seed), data_of(clean))
    for budget in budgets:
        effective = problem.effective(budget)
        found = []
        for full in (None, (False, False, False, False)):
            with pytest.MonkeyPatch.context() as patch:
                if full is not None:
                    patch.setattr(HierarchicalTruth, "_full", full)
                truth = HierarchicalTruth(problem, effective, np.ones(ROWS, bool))
                found.append(truth.closed(Bound(9.0, 9, "naive", "not solved", 0.0), [], 60.0)[0].attacked)
        assert found[0] == found[1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(0, 12), st.integers(1, 40))
def test_every_choice_lies_in_one_box(most, rows, sets):
    most, rows = np.array(most), min(rows, sum(most))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "MOST_SETS", sets)
        boxes = choosing.boxes(np.minimum(most, rows), rows)
    assert len(boxes) <= sets
    for choice in choosing.spread(most, rows):
        assert sum(bool(((low <= choice) & (choice <= high)).all()) for low, high in boxes) == 1


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, SEEDS, st.sampled_from(["lp", "tight"]), st.sampled_from([1, 2, 256]))
def test_sets_of_choices_are_at_least_as_strong_as_their_choices(scheme, clean, budgets, seed, method, sets):
    p = majorities(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "MOST_CHOICES", 0)
        patch.setattr(choosing, "MOST_SETS", sets)
        patch.setattr(enumeration, "MOST_ALLOCATIONS", 0)
        found = claim(scheme, p).collective(budgets, method=method, data=data_of(clean))
    assert (found.attacked_upper >= [model_truth(scheme, clean, budget, p) for budget in budgets]).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(0, 20), SEEDS)
def test_halves_are_a_split_of_all_choices(blocks, rows, seed):
    rng = np.random.default_rng(seed)
    partition = Partition(np.arange(4 * blocks) % blocks, (np.arange(blocks) - np.arange(blocks)[:, None]) % blocks)
    flips = [BernoulliFlip(0.1, 0.6 + 0.01 * level) for level in range(blocks)]
    scheme = Hierarchical(tuple(np.linspace(0.9, 0.99, blocks).tolist()), Smoothing(flips, partition=partition))
    problem = hierarchical_problem(scheme, rng.uniform(0.5, 1, 4 * blocks))
    choices, _ = row_choices(problem, problem.effective(Budget(20, nodes=rows)))
    while len(choices) > 1:
        first, second = halves(choices, rng.integers(0, 9, len(choices)))
        assert first.size
        assert second.size
        assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(choices)))
        choices = [choices[k] for k in (first if rng.random() < 0.5 else second)]


@quiet
@pytest.mark.parametrize("wrong", ["one choice stands for its set", "a look at the clean level", None])
def test_wrong_shortcuts_are_caught(wrong):
    scheme = Hierarchical((0.5, 0.9375), Smoothing([BernoulliFlip(0.25, 0.25), BernoulliFlip(0.25, 0.375)],
                          partition=Partition(np.array([0, 0, 1]), np.array([[0, 1], [1, 0]]))))  # fmt: skip
    unsound = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "MOST_ALLOCATIONS", 0)
        patch.setattr(row_search, "_FEW", 0)
        if wrong == "one choice stands for its set":
            patch.setattr(row_search, "joined", lambda choices: choices[0])
            patch.setattr(row_search, "halves", lambda choices, threat: ([0], [0]))
        if wrong == "a look at the clean level":
            patch.setattr(choosing, "given_selected", lambda p, share: (p, np.full_like(share, 0.5)))
        for seed in range(40):
            p, budget = majorities(seed), Budget(2, 0, nodes=1)
            curve = claim(scheme, p).collective([budget], method="lp", data=data_of(0))
            unsound |= bool(curve.attacked_upper[0] < model_truth(scheme, 0, budget, p))
    assert unsound is (wrong is not None)


@quiet
@settings(max_examples=30, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, SEEDS, st.sampled_from([0, None]))
def test_attacks_break_what_the_curve_counts_within_the_budget(scheme, clean, budgets, seed, limit):
    certificate = claim(scheme, majorities(seed))
    curve = certificate.collective(budgets, method="tight", data=data_of(clean), time_limit=limit)
    for row, budget in enumerate(budgets):
        found = Attack.of(certificate, curve, row)
        limits = [*budget.as_tuple(), np.inf if budget.nodes is None else budget.nodes]
        spent = [*found.budget.as_tuple(), 0 if found.rows is None else int(found.rows.sum())]
        assert (np.array(spent) <= limits).all()
        if found.rows is not None:  # a bit in every changed row
            assert (found.rows <= found.feature_add + found.feature_delete).all()
        assert found.broken.sum() + found.abstained.sum() >= curve.attacked_upper[row] - curve.gap[row]


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), SEEDS)
def test_one_allocation_is_judged_by_the_worst_classifiers(scheme, clean, seed):
    """For every perturbation: its bits, rows and edges per cluster leave robust whom the worst classifiers leave."""
    p = majorities(seed)
    certificate, labels = claim(scheme, p), scheme.partition.labels
    now = int(np.random.default_rng(seed).choice(reached(clean, Budget(2, 2, 1, 1))))
    x, e = ALL_X[now] - ALL_X[clean], ALL_E[now] - ALL_E[clean]
    blocks = 2 if scheme.localized else 1
    cluster = labels if blocks == 2 else np.zeros(ROWS, int)
    edges = np.zeros((2, blocks, blocks), int)
    for (u, v), change in zip(PAIRS, e, strict=True):
        if change:
            edges[int(change < 0), *sorted((cluster[u], cluster[v]))] += 1
    counts = [np.bincount(cluster, (x == sign).sum(axis=1), blocks).astype(int) for sign in (1, -1)]
    rows = np.bincount(cluster, x.any(axis=1), blocks).astype(int)
    robust = certificate.robust_at(*counts, *edges, rows=rows)
    laws = [noise(scheme, group) for group in range(2)]
    c = np.array([critical(law[clean], law[[now]])[0] for law in laws])
    assert robust.tolist() == (p > c[labels]).tolist()


@quiet
@settings(max_examples=20, deadline=None)
@given(schemes(ablation=True, edges=False), SEEDS, st.lists(st.integers(0, 3), min_size=2, max_size=2))
def test_an_allocation_of_ablated_rows_is_the_product_of_their_probabilities(scheme, seed, rows):
    p = majorities(seed)
    rows = rows if scheme.localized else rows[:1]
    robust = claim(scheme, p).robust_at(rows=np.array(rows))
    every = Views.of_selected(scheme, ROWS)
    select = np.array([law.select for law in every.feature_laws])[every.feature_law][every.of_node]
    np.testing.assert_array_equal(robust, p > 1.5 - (select ** np.array(rows)).prod(axis=1))


def test_allocations_without_sense_are_refused_in_one_sentence():
    p = majorities(0)
    partition = Partition(np.array([0, 0, 1]), np.array([[0, 1], [1, 0]]))
    lower = Smoothing([BernoulliFlip(0.1, 0.6), BernoulliFlip(0.1, 0.7)], partition=partition)
    selected = claim(Hierarchical(0.9, lower), p)
    with pytest.raises(InputError, match="at least one row in every block"):
        selected.robust_at(np.array([1, 0]), rows=np.array([0, 2]))
    with pytest.raises(InputError, match="rows"):
        selected.robust_at(np.array([1, 0]), rows=np.array([1, 0, 0]))
    with pytest.raises(UnsupportedError, match="hierarchical noise and ablation only"):
        claim(lower, p).robust_at(np.array([1, 0]), rows=np.array([1, 0]))
    with pytest.raises(UnsupportedError, match="not for hierarchical"):
        selected.robust_at(np.array([1, 0]))


def test_attacks_have_words_for_rows_and_curves_without_attacks_have_none():
    p, partition = larger()
    certificate = claim(Hierarchical((0.9, 0.99), Smoothing(LEVELS, partition=partition)), p)
    curves = certificate.compare_methods(add=3, nodes=(1, 2), methods=("milp", "tight"))
    found = Attack.of(certificate, curves["tight"])
    assert found.rows is not None
    assert "added in cluster " in found.words
    assert "; features change in " in found.words
    assert found.budget.nodes == found.rows.sum() <= 2
    with pytest.raises(InputError, match="holds no attacks"):
        Attack.of(certificate, curves["milp"])
    every = claim(Hierarchical(1, Smoothing(LEVELS, partition=partition)), p)
    clean = Attack.of(every, every.collective(add=3, method="tight"))
    assert clean.rows is None
    np.testing.assert_array_equal(clean.broken, ~every.robust_at(
        clean.feature_add, clean.feature_delete, clean.edge_add, clean.edge_delete, rows=np.array([1, 1]),
    ) & ~every.abstained)  # fmt: skip
