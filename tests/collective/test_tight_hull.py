"""The concave hull of what groups lose: its table, its bound at any prices, and that no half-space does better."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tight_oracle import ROUNDING, budgets_of, fallen, most_fallen, problems

from graphcert.collective.exact.hull_program import Hull, budget_splits, hull_bound, number_of_splits
from graphcert.collective.exact.local_search import anneal
from graphcert.collective.exact.search_problem import (
    SearchProblem,
    attacked,
    make_cache,
    make_search_problem,
    reduce_tight_axes,
)
from graphcert.collective.solvers.highs_solver import HighsSolver


def search_problem_of(problem, budget) -> SearchProblem:
    return make_search_problem(
        problem,
        reduce_tight_axes(problem, np.array(budget)),
        np.array(budget),
        problem.fine_cells,
        np.ones(problem.outputs, bool),
    )


@settings(max_examples=40)
@given(problems(), st.data())
def test_every_split_is_in_the_table_once_by_what_it_breaks(problem, data):
    sp = search_problem_of(problem, data.draw(budgets_of(problem)))
    table = budget_splits(sp)
    for group in range(sp.level.size):
        spent = np.array([table.changes(split) for split in table.split[group].tolist()])
        assert len(np.unique(spent, axis=0)) == len(spent) == number_of_splits(sp)
        assert (np.diff(table.broken[group]) >= 0).all()
        for k, amount in enumerate(sp.budget):
            mine = np.unique(table.way[:, sp.first[k] : sp.first[k + 1]])
            assert (spent[:, mine].sum(axis=1) == amount).all()


@settings(max_examples=60)
@given(problems(), st.data())
def test_what_an_allocation_breaks_is_in_the_table(problem, data):
    """Each group's view of an allocation is one of the splits, and what falls there is what falls at the exact c."""
    sp = search_problem_of(problem, data.draw(budgets_of(problem)))
    table = budget_splits(sp)
    b = sp.capacity * 0
    for k, amount in enumerate(sp.budget):
        for _ in range(amount):
            room = np.flatnonzero((b < sp.capacity)[sp.first[k] : sp.first[k + 1]]) + sp.first[k]
            b[data.draw(st.sampled_from(room.tolist()))] += 1
    removes = np.repeat(sp.deletes, np.diff(sp.first)).astype(bool)
    for group in range(sp.law.shape[0]):
        spent = np.array([table.changes(split) for split in table.split[group].tolist()])
        mine = np.bincount(table.way[group], b, spent.shape[1])
        found = table.broken[group][(spent == mine).all(axis=1)]
        assert found.size == 1
        seen = np.zeros(problem.capacity.size, dtype=int)
        for law, delete, amount in zip(sp.law[group], removes, b, strict=True):
            seen[np.flatnonzero((problem.law_of_axis[group] == law) & (problem.deletes == delete))[0]] += amount
        own = problem.groups == group
        assert fallen(problem, seen)[own].sum() <= found[0] <= fallen(problem, seen, ROUNDING, rounded=True)[own].sum()


@settings(max_examples=80)
@given(problems(), st.data())
def test_any_prices_give_a_bound(problem, data):
    budget = data.draw(budgets_of(problem))
    sp = search_problem_of(problem, budget)
    hull = Hull(sp, budget_splits(sp))
    drawn = data.draw(st.lists(st.floats(0, 9), min_size=9, max_size=9))
    price = np.resize(np.array(drawn), (sp.law.shape[0], hull.seen.shape[1]))
    bound, _ = hull.answer(price)
    assert most_fallen(problem, budget) <= bound


@settings(max_examples=60)
@given(problems(), st.data())
def test_the_best_prices_are_those_of_the_program(problem, data):
    """Where the columns are complete, the program's value and the bound of its prices meet (strong duality)."""
    budget = data.draw(budgets_of(problem))
    sp = search_problem_of(problem, budget)
    table = budget_splits(sp)
    nothing = np.zeros(sp.capacity.size, dtype=np.int64)
    found, _ = hull_bound(sp, table, nothing, -1, HighsSolver(None), np.inf)
    assert most_fallen(problem, budget) <= found
    hull = Hull(sp, table)
    for group in range(sp.law.shape[0]):
        for split, broken in zip(table.split[group].tolist(), table.broken[group].tolist(), strict=True):
            spent = table.changes(split)
            if (spent[~hull.seen[group]] == 0).all():
                hull.add(group, spent, broken)
    value, _ = hull.solve(HighsSolver(None))
    assert value - 1e-6 <= found <= value + 0.3


@settings(max_examples=60)
@given(problems(), st.data())
def test_annealing_reports_what_its_attack_breaks(problem, data):
    budget = data.draw(budgets_of(problem))
    sp, cache = search_problem_of(problem, budget), make_cache(len(problem.laws))
    b = np.zeros(sp.capacity.size, dtype=np.int64)
    for k, amount in enumerate(sp.budget):
        for axis in range(sp.first[k], sp.first[k + 1]):
            b[axis] = min(sp.capacity[axis], amount - b[sp.first[k] : axis].sum())
    counts = np.zeros(cache.keys.shape[1], np.int16)
    before = attacked(sp, cache, b, counts)
    after = anneal(sp, cache, b, before, 200)
    assert after == attacked(sp, cache, b, counts) >= before
    assert ((b >= 0) & (b <= sp.capacity)).all()
    for k, amount in enumerate(sp.budget):
        assert b[sp.first[k] : sp.first[k + 1]].sum() == amount
