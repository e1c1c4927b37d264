"""The concave hull of what groups lose: its table, its bound at any prices, and that no half-space does better."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tight_oracle import ROUNDING, budgets_of, exact_critical, most_fallen, problems

from graphcert.collective.highs import HighsSolver
from graphcert.collective.tight.game import Game, attacked, make_game, make_memo
from graphcert.collective.tight.hull_program import Hull, hull_bound
from graphcert.collective.tight.local_search import anneal
from graphcert.collective.tight.reduced import reduce_tight_axes
from graphcert.collective.tight.spendings import number_of_spendings, spendings
from graphcert.collective.tight.staircase_program import make_steps


def game_of(problem, budget) -> Game:
    order = np.lexsort((problem.p_lower, problem.groups))
    start = np.searchsorted(problem.groups[order], np.arange(problem.law_of_axis.shape[0] + 1))
    return make_game(
        problem, reduce_tight_axes(problem, np.array(budget)), np.array(budget), problem.p_lower[order], start
    )


def steps_of(game):
    return make_steps(game.p, game.start, 10**6)


@settings(max_examples=40)
@given(problems(), st.data())
def test_every_spending_is_in_the_table_once_with_its_exact_critical_probability(problem, data):
    game = game_of(problem, data.draw(budgets_of(problem)))
    table = spendings(game)
    for level in range(game.levels.size):
        spent = table.first[table.row[level]] + table.second[table.column[level]]
        assert len(np.unique(spent, axis=0)) == len(spent) == number_of_spendings(game) // game.levels.size
        assert (np.diff(table.critical[level]) >= 0).all()
        for k, amount in enumerate(game.budget):
            mine = np.unique(table.way[:, game.first[k] : game.first[k + 1]])
            assert (spent[:, mine].sum(axis=1) == amount).all()


@settings(max_examples=60)
@given(problems(), st.data())
def test_what_an_allocation_breaks_is_in_the_table(problem, data):
    """Each group's view of an allocation is one of the spendings, and c there is the exact one rounded up."""
    game = game_of(problem, data.draw(budgets_of(problem)))
    table = spendings(game)
    b = game.capacity * 0
    for k, amount in enumerate(game.budget):
        for _ in range(amount):
            room = np.flatnonzero((b < game.capacity)[game.first[k] : game.first[k + 1]]) + game.first[k]
            b[data.draw(st.sampled_from(room.tolist()))] += 1
    removes = np.repeat(game.deletes, np.diff(game.first)).astype(bool)
    for group in range(game.law.shape[0]):
        level = game.level[group]
        spent = table.first[table.row[level]] + table.second[table.column[level]]
        mine = np.bincount(table.way[group], b, spent.shape[1])
        found = table.critical[level][(spent == mine).all(axis=1)]
        assert found.size == 1
        seen = np.zeros(problem.capacity.size, dtype=int)
        for law, delete, amount in zip(game.law[group], removes, b, strict=True):
            seen[np.flatnonzero((problem.law_of_axis[group] == law) & (problem.deletes == delete))[0]] += amount
        truth = exact_critical(problem, group, seen)
        assert truth <= found[0] <= truth + ROUNDING


@settings(max_examples=80)
@given(problems(), st.data())
def test_any_prices_give_a_bound(problem, data):
    budget = data.draw(budgets_of(problem))
    game = game_of(problem, budget)
    hull = Hull(game, spendings(game), steps_of(game))
    drawn = data.draw(st.lists(st.floats(0, 9), min_size=9, max_size=9))
    price = np.resize(np.array(drawn), (game.law.shape[0], hull.ways))
    bound, _ = hull.answer(price)
    assert most_fallen(problem, budget) <= bound


@settings(max_examples=60)
@given(problems(), st.data())
def test_the_best_prices_are_those_of_the_program(problem, data):
    """Where the columns are complete, the program's value and the bound of its prices meet (strong duality)."""
    budget = data.draw(budgets_of(problem))
    game = game_of(problem, budget)
    table, steps = spendings(game), steps_of(game)
    nothing = np.zeros(game.capacity.size, dtype=np.int64)
    found = hull_bound(game, table, steps, nothing, -1, HighsSolver(None), np.inf)
    assert most_fallen(problem, budget) <= found.value
    hull = Hull(game, table, steps)
    for group in range(game.law.shape[0]):
        for level in [game.level[group]]:
            for row, column, critical in zip(table.row[level], table.column[level], table.critical[level], strict=True):
                spent = table.first[row] + table.second[column]
                if (spent[~hull.seen[group]] == 0).all():
                    hull.add(group, spent, int((game.p[game.start[group] : game.start[group + 1]] <= critical).sum()))
    value, _ = hull.solve(HighsSolver(None))
    assert value - 1e-6 <= found.value <= value + 0.3


@settings(max_examples=60)
@given(problems(), st.data())
def test_annealing_reports_what_its_attack_breaks(problem, data):
    budget = data.draw(budgets_of(problem))
    game, memo = game_of(problem, budget), make_memo(len(problem.laws))
    b = np.zeros(game.capacity.size, dtype=np.int64)
    for k, amount in enumerate(game.budget):
        for axis in range(game.first[k], game.first[k + 1]):
            b[axis] = min(game.capacity[axis], amount - b[game.first[k] : axis].sum())
    counts = np.zeros(memo.keys.shape[1], np.int16)
    before = attacked(game, memo, b, counts)
    after = anneal(game, memo, b, before, 200)
    assert after == attacked(game, memo, b, counts) >= before
    assert ((b >= 0) & (b <= game.capacity)).all()
    for k, amount in enumerate(game.budget):
        assert b[game.first[k] : game.first[k + 1]].sum() == amount
