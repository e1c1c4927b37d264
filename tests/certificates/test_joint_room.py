"""No gap means that some perturbation of the clean graph does as much: which bits fit into which rows (traps 23 and 24)."""

from itertools import combinations, product
from types import SimpleNamespace

import numpy as np
import pytest
from hierarchical_oracle import (
    bits_of,
    claim,
    data_of,
    majorities,
    model_truth,
    quiet,
    schemes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.certificates import Attack, certify
from graphcert.collective import scheme_perception, smoothing_problem
from graphcert.collective.hierarchical import enumeration
from graphcert.collective.hierarchical.hierarchical_problem import BlockRows
from graphcert.noise import Ablation, BernoulliFlip, Budget, Hierarchical, Partition, Smoothing
from graphcert.votes import Votes


def graph_of(x, edges=()):
    ends = np.array(list(edges), int).reshape(-1, 2).T
    return SimpleNamespace(x=np.array(x), edge_index=np.concatenate([ends, ends[::-1]], axis=1), num_nodes=len(x))


def test_one_row_cannot_take_the_addition_of_one_and_the_deletion_of_another():
    votes = Votes(
        np.tile([100, 0], (2, 1)), np.tile([88_000, 12_000], (2, 1)), Hierarchical(0.95, BernoulliFlip(0.05, 0.6))
    )
    certificate, data = certify(votes), graph_of([[0], [1]])
    budgets = [Budget(1, 1, nodes=1), Budget(1, 0, nodes=1), Budget(0, 1, nodes=1), Budget(1, 1, nodes=2)]
    tight = certificate.collective(budgets, data=data)
    assert tight.certified.tolist() == [2, 2, 2, 0]
    assert tight.gap.tolist() == [0, 0, 0, 0]
    assert tight.attacks[0].sum() == 0
    assert tight.attacks[3].tolist() == [1, 1, 0, 0, 2]
    for method in ("naive", "lp", "milp"):
        curve = certificate.collective(budgets, data=data, method=method)
        assert (curve.gap[curve.certified < tight.certified] != 0).all(), "no gap would be an attack that no row takes"


@settings(max_examples=150)
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(0, 6), st.integers(0, 6), st.sampled_from([4, 5])
)
def test_what_fits_is_what_some_rows_take(ones, add, delete, width):
    rows = BlockRows(np.array(ones), width, len(ones))
    expected = np.zeros(len(ones) + 1, bool)
    for r in range(len(ones) + 1):
        for chosen in combinations(ones, r):
            ways = [[(a, d) for a in range(width - s + 1) for d in range(s + 1) if a + d] for s in chosen]
            expected[r] |= any(
                sum(a for a, _ in way) == add and sum(d for _, d in way) == delete for way in product(*ways)
            )
    assert rows.possible(add, delete, len(ones)).tolist() == expected.tolist()
    assert (np.diff(np.flatnonzero(expected)) == 1).all(), "the search relies on it"


def test_two_kinds_of_bits_need_rows_of_two_kinds():
    """Rows of one set bit and of three: three of them never hold six set bits and six zeros."""
    rows = BlockRows(np.array([1, 1, 3, 3]), 4, 4)
    assert np.flatnonzero(rows.possible(4, 4, 4)).tolist() == [2, 3, 4]
    assert np.flatnonzero(rows.possible(6, 6, 4)).tolist() == [4]
    assert np.flatnonzero(BlockRows(np.array([0, 2]), 2, 2).possible(1, 1, 2)).tolist() == [2]


BOTH = st.lists(
    st.builds(Budget, st.integers(1, 3), st.integers(1, 3), st.just(0), st.integers(0, 1), st.integers(1, 3)),
    min_size=1, max_size=2,
)  # fmt: skip


@quiet
@settings(max_examples=30, deadline=None)
@given(schemes(), st.integers(0, 255), BOTH, st.integers(0, 2**32 - 1))
def test_additions_and_deletions_together_are_exact(scheme, clean, budgets, seed):
    p = majorities(seed)
    curve = claim(scheme, p).collective(budgets, method="tight", data=data_of(clean))
    assert curve.attacked_upper.tolist() == [model_truth(scheme, clean, budget, p) for budget in budgets]
    assert (curve.gap == 0).all()


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), BOTH, st.integers(0, 2**32 - 1), st.sampled_from(["lp", "milp", "tight"]))
def test_where_nothing_is_enumerated_the_gap_reaches_to_a_perturbation_that_exists(
    scheme, clean, budgets, seed, method
):
    p = majorities(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "MOST_ALLOCATIONS", 0)
        curve = claim(scheme, p).collective(budgets, method=method, data=data_of(clean))
    truth = np.array([model_truth(scheme, clean, budget, p) for budget in budgets])
    assert (curve.attacked_upper >= truth).all()
    attack = curve.attacked_upper - curve.gap
    assert (attack[~np.isnan(attack)] <= truth[~np.isnan(attack)]).all()


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(edges=False), st.integers(0, 255), BOTH, st.integers(0, 2**32 - 1))
def test_the_attack_that_is_shown_fits_into_the_graph_and_breaks_what_it_says(scheme, clean, budgets, seed):
    certificate = claim(scheme, majorities(seed))
    curve = certificate.collective(budgets, method="tight", data=data_of(clean))
    x, _ = bits_of(clean)
    blocks = scheme.partition.labels if scheme.localized else np.zeros(len(x), int)
    for row in range(len(curve)):
        found = Attack.of(certificate, curve, row)
        assert found.broken.sum() + found.abstained.sum() == curve.attacked_upper[row] - curve.gap[row]
        for block, touched in enumerate(found.rows):
            mine = x[blocks == block].sum(axis=1)
            rows = BlockRows(mine, x.shape[1], mine.size)
            assert rows.possible(found.feature_add[block], found.feature_delete[block], mine.size)[touched]


@quiet
@settings(max_examples=30, deadline=None)
@given(
    schemes(ablation=True, edges=False), st.integers(0, 255), st.integers(0, 2), st.integers(0, 2), st.integers(1, 3),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_ablated_rows_change_only_where_a_bit_of_the_budget_fits(scheme, clean, add, delete, nodes, seed):
    p, budget = majorities(seed), Budget(add, delete, nodes=nodes)
    for method in ("lp", "milp"):
        curve = claim(scheme, p).collective([budget], method=method, data=data_of(clean))
        truth = model_truth(scheme, clean, budget, p, ablated=True)
        assert curve.attacked_upper[0] >= truth
        assert np.isnan(curve.gap[0]) or curve.attacked_upper[0] - curve.gap[0] <= truth
        if method == "milp" and not (add and delete):
            assert curve.attacked_upper[0] == truth


def test_rows_of_ones_alone_take_no_addition_under_ablation():
    p = np.array([0.95, 0.96])
    certificate = claim(Hierarchical(0.5, Ablation()), p)
    budgets = [Budget(1, nodes=1), Budget(0, 1, nodes=1)]
    assert certificate.collective(budgets, method="milp", data=graph_of([[1], [1]])).certified.tolist() == [2, 0]
    assert certificate.collective(budgets, method="milp").certified.tolist() == [0, 0], (
        "nothing is known about the rows"
    )
    real = graph_of([[0.3], [0.7]])
    assert certificate.collective(budgets, method="milp", data=real).certified.tolist() == [0, 0], "no bits to count"


RATES = st.sampled_from([0.05, 0.1, 0.2, 0.3])
FLIPS = st.builds(BernoulliFlip, RATES, st.sampled_from([0.3, 0.4, 0.6]))


@st.composite
def small_graphs(draw):
    nodes, width = draw(st.integers(3, 4)), draw(st.integers(1, 2))
    x = draw(st.lists(st.lists(st.integers(0, 1), min_size=width, max_size=width), min_size=nodes, max_size=nodes))
    edges = [pair for pair in combinations(range(nodes), 2) if draw(st.booleans())]
    labels = [0, 1, *(draw(st.integers(0, 1)) for _ in range(nodes - 2))]
    return graph_of(x, edges), Partition(np.array(labels), np.array([[0, 1], [1, 0]]))


def changed_rows(positions, most, nodes):
    """(k, N) how many bits of each row change, for every choice of at most `most` of the positions (row, bit)."""
    found = {(0,) * nodes}
    for size in range(1, min(most, len(positions)) + 1):
        for chosen in combinations(positions, size):
            found.add(tuple(np.bincount([row for row, _ in chosen], minlength=nodes).tolist()))
    return np.array(sorted(found))


@quiet
@settings(max_examples=20, deadline=None)
@given(
    small_graphs(), st.lists(FLIPS, min_size=2, max_size=2), st.integers(0, 4), st.integers(0, 3), st.integers(0, 2),
    st.sampled_from([None, 1, 2]), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_receptive_fields_count_only_bits_that_are_there(drawn, laws, add, delete, layers, attackers, seed):
    """Against every choice of bits: the attack on half-spaces is one of them, and no other one breaks more."""
    graph, partition = drawn
    nodes = graph.num_nodes
    p = 1 - np.random.default_rng(seed).uniform(0, 0.5, nodes) ** 2
    scheme = Smoothing(laws, partition=partition)
    certificate = claim(scheme, p)
    curve = certificate.collective(add, delete, method="milp", data=graph, layers=layers, attackers=attackers)
    orders, eta, *_ = certificate._half_spaces(None)
    problem = smoothing_problem(scheme, eta, orders, graph)
    seen = scheme_perception(scheme, nodes, graph, layers, "symmetric")
    field, standing = seen.perception["feature_add"].toarray() > 0, ~certificate.robust(add, delete)
    weights = [
        problem.weights[:, problem.groups][:, :, seen.axis_of[name]] * field
        for name in ("feature_add", "feature_delete")
    ]
    additions, deletions = (
        changed_rows(np.argwhere(graph.x == bit).tolist(), most, nodes) for bit, most in ((0, add), (1, delete))
    )
    worst = 0
    for a, d in product(additions, deletions):
        if attackers is None or np.count_nonzero(a + d) <= attackers:
            reached = (weights[0] @ a + weights[1] @ d >= eta * (1 - 1e-12)).all(axis=0)
            worst = max(worst, int((reached & standing).sum()))
    # Orders 2 alone may prove more than all eight, so the bound is at most what half-spaces lose.
    assert curve.attacked_upper[0] <= worst
    if curve.gap[0] == 0:
        assert curve.attacked_upper[0] == worst


def test_a_perturbation_in_every_row_needs_a_bit_in_every_row():
    """Two rows may change and two bits: nobody may count both rows as changed while both bits lie in one."""
    partition = Partition(np.array([0, 0, 1]), np.array([[0, 1], [1, 0]]))
    scheme = Hierarchical((0.75, 0.9375), Smoothing([BernoulliFlip(0.25, 0.25)] * 2, partition=partition))
    for seed in range(8):
        p, budget = majorities(seed), Budget(2, 2, nodes=2)
        curve = claim(scheme, p).collective([budget], method="tight", data=data_of(100))
        assert curve.attacked_upper[0] == model_truth(scheme, 100, budget, p)


@quiet
@pytest.mark.parametrize("wrong", [True, False])
def test_rooms_that_are_counted_apart_are_caught(wrong, monkeypatch):
    def apart(self, add, delete, rows):
        zeros, ones = (np.sort(count)[::-1][:rows].sum() for count in (self.width - self.ones, self.ones))
        return add <= zeros and delete <= ones

    if wrong:
        monkeypatch.setattr(BlockRows, "_fits", apart)
    scheme = Hierarchical(0.75, Smoothing([BernoulliFlip(0.125, 0.25)] * 2,
                          partition=Partition(np.array([0, 0, 1]), np.array([[0, 1], [1, 0]]))))  # fmt: skip
    differs = False
    clean = next(k for k in range(256) if bits_of(k)[0].tolist() == [[0, 0], [1, 1], [0, 0]])
    for seed in range(15):
        p, budget = majorities(seed), Budget(1, 1, nodes=1)
        curve = claim(scheme, p).collective([budget], method="tight", data=data_of(clean))
        differs |= bool(curve.attacked_upper[0] != model_truth(scheme, clean, budget, p))
    assert differs is wrong
