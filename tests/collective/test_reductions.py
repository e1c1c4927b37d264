"""What is merged, dropped or found on the way must not change what an adversary can do."""

from dataclasses import replace
from itertools import product

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from graphcert.collective import collective_strictly_local, receptive_field, undirected_edges
from graphcert.collective.base_certificates.grid_program import group_nodes, verified
from graphcert.collective.solvers.program import UNLIMITED, LinearProgram, reduce_columns

binary = hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.sampled_from([0.0, 1.0]))


def perceptions(matrix, capacity, budget):
    """All (rows,) perceptions of at most `budget` units within the capacities."""
    units = product(*(range(min(int(most), budget) + 1) for most in capacity))
    return [matrix @ np.array(b) for b in units if sum(b) <= budget]


@settings(max_examples=200)
@given(binary.filter(lambda m: m.any(axis=0).all()), st.integers(0, 3), st.data())
def test_fewer_columns_reach_as_much_and_no_more(matrix, budget, data):
    limits = st.sampled_from([0, 1, 2, UNLIMITED, UNLIMITED])
    capacity = np.array(data.draw(st.lists(limits, min_size=matrix.shape[1], max_size=matrix.shape[1])))
    kept, total = reduce_columns(sp.csc_array(matrix), capacity)
    full = perceptions(matrix, capacity, budget)
    reduced = perceptions(matrix[:, kept], total, budget)
    assert all(any((more >= seen).all() for more in reduced) for seen in full)
    assert all(any((more >= seen).all() for more in full) for seen in reduced)


def test_equal_and_dominated_columns_go():
    matrix = sp.csc_array(np.array([[1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]]))
    kept, total = reduce_columns(matrix, np.full(4, UNLIMITED))
    assert (kept.tolist(), total.tolist()) == ([3], [UNLIMITED])
    kept, total = reduce_columns(matrix, np.array([1, 2, 1, 1]))
    assert (kept.tolist(), total.tolist()) == ([0, 2, 3], [3, 1, 1])


@given(binary, st.data())
def test_a_group_is_exactly_the_nodes_that_agree_in_everything(first, data):
    size = len(first)
    second = data.draw(hnp.arrays(np.float64, (size, 2), elements=st.sampled_from([0.0, 1.0])))
    counts = data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    nodes = np.repeat(np.arange(size), counts)
    points = data.draw(hnp.arrays(np.int64, (len(nodes), 2), elements=st.integers(1, 2)))
    groups = group_nodes([sp.csr_array(first), sp.csr_array(second)], nodes, points)
    identity = [(points[nodes == n].tolist(), first[n].tolist(), second[n].tolist()) for n in range(size) if counts[n]]
    distinct = [key for i, key in enumerate(identity) if key not in identity[:i]]
    assert [identity.count(key) for key in distinct] == groups.weight.tolist()
    for index, key in enumerate(distinct):
        node = groups.nodes[index]
        chosen = groups.points[groups.group == index].tolist()
        assert (chosen, first[node].tolist(), second[node].tolist()) == key


def test_only_what_keeps_every_limit_exactly_is_an_attack():
    matrix = sp.csc_array(np.array([[2.0, -1.0], [0.0, 1.0]]))
    program = LinearProgram(
        np.array([3.0, 0.0]), matrix, np.array([0.0, 2.0]), np.array([1.0, 2.0]), np.ones(2, dtype=bool)
    )
    assert verified(program, np.array([1.0, 2.0])) == 3
    assert verified(program, np.array([0.9999999, 2.0000001])) == 3
    assert verified(program, np.array([0.0, 1.0])) == 0
    for wrong in ([1.0, 1.0], [1.0, 3.0], [2.0, 4.0], [0.0, -1.0]):
        assert verified(program, np.array(wrong)) is None
    assert verified(replace(program, column_upper=np.array([0.0, 2.0])), np.array([1.0, 2.0])) is None
    assert verified(program, None) is None


def complete(axis, threshold, budget, **limits):
    """Certified nodes of K4, where everyone perceives everything and falls at `threshold` changes."""
    edges = np.array(np.triu_indices(4, 1))
    grid = np.ones((4, threshold), dtype=bool)
    field = receptive_field(edges, 1, axis)
    ends = undirected_edges(edges)
    for integer in (False, True):
        yield collective_strictly_local(
            grid, [axis], [field], [budget], endpoints=ends, integer=integer, **limits
        ).certified.tolist()


def test_equal_columns_are_still_different_nodes():
    assert list(complete("feature_add", 2, 2)) == [[0], [0]]
    assert list(complete("feature_add", 2, 2, local_budget=1)) == [[0], [0]]
    assert list(complete("feature_add", 2, 2, local_budget=1, attackers=1)) == [[4], [4]]
    assert list(complete("feature_add", 2, 2, local_budget=1, attackers=2)) == [[0], [0]]
    assert list(complete("feature_add", 5, 5, local_budget=1)) == [[4], [4]]
    assert list(complete("feature_add", 2, 2, local_budget=np.array([1, 0, 0, 0]))) == [[4], [4]]
    assert list(complete("feature_add", 2, 2, local_budget=np.array([1, 0, 1, 0]))) == [[0], [0]]


def test_edges_count_at_their_ends():
    assert list(complete("edge_delete", 6, 6)) == [[0], [0]]
    assert list(complete("edge_delete", 7, 7)) == [[4], [4]]
    # At most one deletion per node leaves a matching of two edges; one attacker has three edges, two have five.
    assert list(complete("edge_delete", 2, 6, local_budget=1)) == [[0], [0]]
    assert list(complete("edge_delete", 3, 6, local_budget=1))[1] == [4]
    assert list(complete("edge_delete", 3, 6, attackers=1))[1] == [0]
    assert list(complete("edge_delete", 4, 6, attackers=1))[1] == [4]
    assert list(complete("edge_delete", 5, 6, attackers=2))[1] == [0]
    assert list(complete("edge_delete", 6, 6, attackers=2))[1] == [4]
