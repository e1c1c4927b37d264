"""From noise levels and majorities to a collective certificate: never beyond the exact trade-offs of all allocations."""

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localized_oracle import allocations

from graphcert.collective import LocalizedProblem, axis_weights, collective_localized
from graphcert.noise import BernoulliFlip, Partition
from graphcert.tradeoff import trade_off
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, order_weight

METHODS = ("naive", "lp", "milp")
RATES = st.integers(0, 16).map(lambda k: k / 16)
CLASSES = ("feature_add", "feature_delete")


def localized_problem(p, groups, levels, level, capacity=9, orders=DEFAULT_ORDERS):
    """Additions, then deletions, over the blocks; level[i, j] is the noise level at which group i sees block j."""
    blocks = level.shape[1]
    return LocalizedProblem(
        groups=groups,
        eta=np.stack([order_eta(p, *order) for order in orders]),
        weights=axis_weights(levels, np.tile(level, 2), np.repeat([False, True], blocks), orders),
        axis_class=np.repeat([0, 1], blocks),
        capacity=np.broadcast_to(capacity, 2 * blocks).astype(int),
        classes=CLASSES,
    )


def exactly_attacked(p, groups, levels, level, b):
    """How many majorities the allocation b (additions, deletions per block) can really take: p ≤ c of their group."""
    blocks = level.shape[1]
    changed = np.reshape(b, (2, blocks))
    critical = []
    for row in level:
        parts = [trade_off(levels[row[j]], *changed[:, j].tolist()) for j in range(blocks)]
        critical.append(prod(parts[1:], start=parts[0]).critical)
    return int((p <= np.array(critical)[groups]).sum())


@st.composite
def schemes(draw):
    blocks, outputs = draw(st.integers(1, 3)), draw(st.integers(1, 10))
    levels = [BernoulliFlip(draw(RATES), draw(RATES)) for _ in range(blocks)]
    rank = np.array([draw(st.permutations(range(blocks))) for _ in range(blocks)])
    groups = np.array(draw(st.lists(st.integers(0, blocks - 1), min_size=outputs, max_size=outputs)))
    majority = st.one_of(st.floats(0.4, 1), st.floats(1e-9, 0.05).map(lambda q: 1 - q), st.just(1.0))
    p = np.array(draw(st.lists(majority, min_size=outputs, max_size=outputs)))
    return p, groups, levels, rank


@settings(max_examples=150)
@given(schemes(), st.integers(0, 2), st.integers(0, 2), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_no_certificate_exceeds_the_truth_of_all_allocations(scheme, add, delete, capacity) -> None:
    p, groups, levels, rank = scheme
    problem = localized_problem(p, groups, levels, rank, capacity[: 2 * rank.shape[1]])
    found = allocations(problem.axis_class, problem.capacity, (add, delete))
    truth = p.size - max(exactly_attacked(p, groups, levels, rank, b) for b in found)
    certified = [collective_localized(problem, [(add, delete)], method=method).certified[0] for method in METHODS]
    assert certified[0] <= certified[1] <= certified[2] <= truth


@settings(max_examples=60)
@given(schemes(), st.integers(0, 2), st.integers(0, 2))
def test_exact_proofs_of_single_nodes_join_in_and_stay_below_the_truth(scheme, add, delete) -> None:
    p, groups, levels, rank = scheme
    problem = localized_problem(p, groups, levels, rank)
    found = list(allocations(problem.axis_class, problem.capacity, (add, delete)))
    truth = p.size - max(exactly_attacked(p, groups, levels, rank, b) for b in found)
    one_by_one = [[exactly_attacked(p[[n]], groups[[n]], levels, rank, b) for b in found] for n in range(p.size)]
    proved = ~np.array(one_by_one, dtype=bool).any(axis=1)
    for method in METHODS:
        curve = collective_localized(problem, [(add, delete)], method=method, robust_per_node=proved)
        assert proved.sum() <= curve.certified[0] <= truth
        assert curve.certified[0] >= collective_localized(problem, [(add, delete)], method=method).certified[0]


@settings(max_examples=60)
@given(
    schemes(), RATES, RATES, st.integers(0, 4), st.integers(0, 4), st.lists(st.sampled_from(DEFAULT_ORDERS), min_size=1)
)
def test_equal_levels_are_the_isotropic_half_space_certificate(scheme, plus, minus, add, delete, orders) -> None:
    p, groups, _, rank = scheme
    law = BernoulliFlip(plus, minus)
    problem = localized_problem(p, groups, [law] * len(rank), rank, orders=orders)
    survives = np.zeros(p.size, dtype=bool)
    for order in orders:
        w_add, w_delete = order_weight(law, *order)
        spent = (w_add * add if add else 0.0) + (w_delete * delete if delete else 0.0)
        survives |= order_eta(p, *order) > spent * (1 + 1e-13)
    for method in METHODS:
        assert collective_localized(problem, [(add, delete)], method=method).certified[0] == survives.sum()


LEVELS = [BernoulliFlip(0.02, 0.3), BernoulliFlip(0.05, 0.5), BernoulliFlip(0.1, 0.7), BernoulliFlip(0.2, 0.75)]


def four_clusters():
    """Group 0 sees block 2 nearest, then 3, then 1: sorted blocks [0, 2, 3, 1], ranks [0, 3, 1, 2]."""
    affinity = np.array([[9, 1, 3, 2], [1, 9, 2, 3], [3, 2, 9, 1], [2, 3, 1, 9]])
    return Partition.of_affinity(np.arange(4), affinity), np.argsort(-affinity, axis=1)


@pytest.mark.parametrize("block", [1, 2, 3])
def test_weights_follow_ranks_not_sorted_blocks(block) -> None:
    """Trap 2: with the sorted blocks in place of their ranks, weights land on the wrong blocks and certify too much."""
    partition, by_nearness = four_clusters()
    assert partition.rank[0].tolist() == [0, 3, 1, 2]
    assert by_nearness[0].tolist() == [0, 2, 3, 1]
    only_there = np.repeat([np.arange(4) == block], 2, axis=0).ravel() * 9
    p, groups = np.linspace(0.5, 1, 200), np.zeros(200, dtype=int)
    budget = (2, 0)
    b = [2 if j == block else 0 for j in range(4)] + [0] * 4
    truth = p.size - exactly_attacked(p, groups, LEVELS, partition.rank, b)
    certified = {}
    for name, level in (("rank", partition.rank), ("sorted", by_nearness)):
        problem = localized_problem(p, groups, LEVELS, level, only_there)
        certified[name] = collective_localized(problem, [budget], method="milp").certified[0]
    assert 0 < certified["rank"] <= truth
    if by_nearness[0, block] > partition.rank[0, block]:
        assert certified["sorted"] > truth, "here the trap would be a false certificate"


def test_the_trap_of_sorted_blocks_is_really_set() -> None:
    partition, by_nearness = four_clusters()
    assert (by_nearness[0, 1:] > partition.rank[0, 1:]).any()


def test_far_changes_hurt_less_so_localized_beats_isotropic_noise_of_the_near_level() -> None:
    """What localized smoothing is for: changes elsewhere are seen through more noise."""
    partition, _ = four_clusters()
    groups = np.repeat(np.arange(4), 50)
    p = np.tile(np.linspace(0.6, 0.9999, 50), 4)
    far = localized_problem(p, groups, LEVELS, partition.rank)
    flat = localized_problem(p, groups, [LEVELS[0]] * 4, partition.rank)
    budgets = [(1, 0), (2, 1), (3, 3)]
    found, isotropic = (collective_localized(problem, budgets, method="milp") for problem in (far, flat))
    assert (found.certified > isotropic.certified).all()


def test_more_orders_only_help() -> None:
    partition, _ = four_clusters()
    groups = np.repeat(np.arange(4), 50)
    p = np.tile(np.linspace(0.6, 0.9999, 50), 4)
    budgets = list(product(range(3), repeat=2))
    published = localized_problem(p, groups, LEVELS, partition.rank, orders=[Order(2.0)])
    both = localized_problem(p, groups, LEVELS, partition.rank, orders=[Order(2.0), *DEFAULT_ORDERS])
    one, nine = (collective_localized(problem, budgets, method="milp", bins=None) for problem in (published, both))
    assert (nine.certified >= one.certified).all()
    assert nine.certified.sum() > one.certified.sum() + 20
