"""Collective claims under hierarchical noise against the truth: every selection, every flip, every perturbation.

Three rows of two feature bits in two clusters and two pairs that can carry an edge. What is seen is a selection flag and two
bits per row, and the edges: 8³ · 4 outcomes. Rates and probabilities of selection are dyadic, so probabilities are exact.
"""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.certificates import Certificate
from graphcert.collective import hierarchical, hierarchical_exact, hierarchical_rows
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Ablation, BernoulliFlip, Budget, Hierarchical, Partition, Smoothing

ROWS, BITS, PAIRS = 3, 2, np.array([(0, 1), (1, 2)])
CONTENTS = np.array(list(product((0, 1), repeat=BITS)))
FEATURES = np.array(list(product(range(len(CONTENTS)), repeat=ROWS)))  # (64, rows) index into CONTENTS
EDGES = np.array(list(product((0, 1), repeat=len(PAIRS))))
METHODS = ("naive", "lp", "milp", "tight")
RATES = st.sampled_from([0.0, 0.0625, 0.125, 0.25, 0.375, 0.75])
LAWS = st.builds(BernoulliFlip, RATES, RATES).filter(lambda law: not law.silent)
SELECTS = st.sampled_from([0.5, 0.75, 0.875, 0.9375, 1.0])


def row_noise(select: float, law: object) -> np.ndarray:
    """(4, 8) probability of what is seen of a row, by content: noisy bits if it is selected, clean ones else."""
    if isinstance(law, Ablation):
        noisy = np.zeros((4, 4))
        noisy[:, 0] = 1.0
    else:
        one = np.where(CONTENTS, 1 - law.delete, law.add)[:, None, :]
        noisy = np.where(CONTENTS[None], one, 1 - one).prod(axis=2)
    return np.concatenate([select * noisy, (1 - select) * np.eye(4)], axis=1)


def edge_noise(law: BernoulliFlip | None) -> np.ndarray:
    """(2, 2) probability of seeing no edge and an edge, by what there is."""
    return np.eye(2) if law is None else np.array([[1 - law.add, law.add], [law.delete, 1 - law.delete]])


def noise(scheme: Hierarchical, group: int) -> np.ndarray:
    """(64·4, 512·4) probability of every outcome around every graph, as outputs of a cluster see it."""
    partition = scheme.partition
    rank, labels = partition.rank[group], partition.labels
    feature, edge = scheme.level_of_rank("features"), scheme.level_of_rank("edges")
    rows, edges = scheme.levels("features"), scheme.levels("edges")
    whole = np.ones((1, 1))
    for row in range(ROWS):
        level = rows[feature[rank[labels[row]]]]
        whole = np.kron(whole, row_noise(level.select, level.law))
    for u, v in PAIRS:
        law = edges[edge[max(rank[labels[u]], rank[labels[v]])]] if edges else None
        whole = np.kron(whole, edge_noise(law))
    return whole


def bits_of(graph: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, bits) features and (pairs,) edges of a graph."""
    features, edges = divmod(graph, len(EDGES))
    return CONTENTS[FEATURES[features]], EDGES[edges]


GRAPHS = [bits_of(graph) for graph in range(len(FEATURES) * len(EDGES))]
ALL_X, ALL_E = np.array([x for x, _ in GRAPHS]), np.array([e for _, e in GRAPHS])


def reached(clean: int, budget: Budget, ablated: bool = False) -> np.ndarray:
    """The graphs that the adversary can make of the clean one."""
    x, e = ALL_X - ALL_X[clean], ALL_E - ALL_E[clean]
    counts = [(part == sign).reshape(len(GRAPHS), -1).sum(axis=1) for part in (x, e) for sign in (1, -1)]
    limits = list(budget.as_tuple())
    if ablated and not any(limits[:2]):
        limits[:2] = [0, 0] if budget.nodes is None else [x[0].size, x[0].size]
    allowed = (np.stack(counts, axis=1) <= limits).all(axis=1)
    if budget.nodes is not None:
        allowed &= x.any(axis=2).sum(axis=1) <= budget.nodes
    return np.flatnonzero(allowed)


def critical(clean: np.ndarray, perturbed: np.ndarray) -> np.ndarray:
    """(G,) the largest probability under `clean` (O,) that can fall to 1/2 under each of `perturbed` (G, O).

    Neyman and Pearson: fill the outcomes by their ratio, outcome by outcome.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(clean > 0, perturbed / clean, np.inf)
    order = np.argsort(ratio, axis=1, kind="stable")
    p, q = clean[order], np.take_along_axis(perturbed, order, axis=1)
    spent = np.cumsum(q, axis=1)
    part = np.clip((0.5 - (spent - q)) / np.where(q > 0, q, 1.0), 0.0, 1.0)
    return np.where(q > 0, p * part, p * (spent <= 0.5)).sum(axis=1)


def claim(scheme: Hierarchical, p: np.ndarray) -> Certificate:
    """What `certify` knows after infinitely many samples."""
    return Certificate(
        labels=np.zeros(p.size, np.int64), p_lower=p.copy(), p_other_upper=1 - p, targets=np.ones(p.size, bool), alpha=0.5,
        simultaneous=True, method="binary", smoothing=scheme, samples=1,
    )  # fmt: skip


def data_of(graph: int) -> SimpleNamespace:
    x, e = bits_of(graph)
    edges = PAIRS[e == 1].T
    return SimpleNamespace(x=x, edge_index=np.concatenate([edges, edges[::-1]], axis=1), num_nodes=ROWS)


@st.composite
def schemes(draw, ablation=False, edges=None):
    partition = Partition(np.array(draw(st.sampled_from([(0, 0, 1), (0, 1, 1)]))), np.array([[0, 1], [1, 0]]))
    levels = [Ablation(), Ablation()] if ablation else draw(st.lists(LAWS, min_size=2, max_size=2))
    with_edges = draw(st.booleans()) if edges is None else edges
    flips = draw(st.lists(LAWS, min_size=2, max_size=2)) if with_edges else None
    select = draw(st.one_of(SELECTS, st.lists(SELECTS, min_size=2, max_size=2)))
    return Hierarchical(select, Smoothing(levels, flips, partition))


BUDGETS = st.lists(
    st.builds(Budget, st.integers(0, 3), st.integers(0, 3), st.integers(0, 1), st.integers(0, 1), st.integers(0, 3)),
    min_size=1, max_size=3,
)  # fmt: skip
quiet = pytest.mark.filterwarnings("ignore:the .* falls")


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1), st.booleans())
def test_no_more_targets_are_certified_than_one_perturbation_leaves(scheme, clean, budgets, seed, with_data):
    rng = np.random.default_rng(seed)
    laws = [noise(scheme, group) for group in range(2)]
    right = rng.random((laws[0].shape[1], ROWS)) < rng.beta(8, 1, ROWS)
    p = np.stack([laws[group] @ right[:, n] for n, group in enumerate(scheme.partition.labels)], axis=1)
    certificate = claim(scheme, p[clean])
    data = data_of(clean) if with_data else None
    curves = certificate.collective(budgets, method="all", data=data)
    assert tuple(curves) == METHODS
    truth = [(p[reached(clean, budget)] > 0.5).sum(axis=1).min() for budget in budgets]
    naive, linear, integer, tight = (curve.certified for curve in curves.values())
    assert naive.tolist() == [certificate.robust(budget).sum() for budget in budgets]
    assert (naive <= linear).all()
    assert (linear <= integer).all()
    assert (integer <= tight).all()
    assert (tight <= truth).all()


def model_truth(scheme, clean, budget, p, ablated=False):
    """How many of the outputs p (N,) the worst perturbation takes away, if every cluster has its worst classifiers."""
    now = reached(clean, budget, ablated)
    laws = [noise(scheme, group) for group in range(2)]
    c = np.stack([critical(law[clean], law[now]) for law in laws], axis=1)
    return int((p <= c[:, scheme.partition.labels]).sum(axis=1).max())


def majorities(seed: int) -> np.ndarray:
    """Majorities of three outputs, without ties with any critical probability."""
    return 1 - np.random.default_rng(seed).uniform(0.0, 0.5, ROWS) ** 2


@quiet
@settings(max_examples=30, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1))
def test_the_tight_certificate_is_attained_by_the_worst_classifiers(scheme, clean, budgets, seed):
    p = majorities(seed)
    budgets = [replace(budget, edge_add=0) for budget in budgets]  # the pair without an edge could be added, too
    mixed = claim(scheme, p).collective(budgets, method="tight", data=data_of(clean))
    assert (mixed.attacked_upper >= [model_truth(scheme, clean, budget, p) for budget in budgets]).all()
    # Room for additions and for deletions is counted apart; with one of the two there is nothing to count apart.
    budgets = [replace(budget, feature_delete=0) for budget in budgets]
    budgets += [replace(budget, feature_add=0, feature_delete=budget.feature_add) for budget in budgets]
    curve = claim(scheme, p).collective(budgets, method="tight", data=data_of(clean))
    assert curve.attacked_upper.tolist() == [model_truth(scheme, clean, budget, p) for budget in budgets]
    assert (curve.gap == 0).all()
    assert curve.axes[-1] == "nodes"


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(ablation=True), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1))
def test_under_ablation_the_integer_program_is_attained(scheme, clean, budgets, seed):
    budgets = [Budget(0, 0, *budget.as_tuple()[2:], budget.nodes) for budget in budgets]
    if not scheme.perturbs("edges"):
        budgets = [Budget(nodes=budget.nodes) for budget in budgets]
    p = majorities(seed)
    curves = claim(scheme, p).collective(budgets, method="all", data=data_of(clean))
    assert tuple(curves) == METHODS[:3]
    truth = np.array([ROWS - model_truth(scheme, clean, budget, p, ablated=True) for budget in budgets])
    assert (curves["naive"].certified <= curves["lp"].certified).all()
    assert (curves["lp"].certified <= curves["milp"].certified).all()
    assert (curves["milp"].certified <= truth).all()
    if not scheme.perturbs("edges"):
        assert curves["milp"].certified.tolist() == truth.tolist()


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1), st.sampled_from(["lp", "milp", "tight"]))
def test_with_too_many_choices_of_rows_the_bound_is_looser_and_sound(scheme, clean, budgets, seed, method):
    p = majorities(seed)
    certificate = claim(scheme, p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hierarchical_rows, "MOST_CHOICES", 0)
        patch.setattr(hierarchical_exact, "MOST_ALLOCATIONS", 0)
        found = certificate.collective(budgets, method=method, data=data_of(clean))
    alone = [int(certificate.robust(budget).sum()) for budget in budgets]
    truth = [ROWS - model_truth(scheme, clean, budget, p) for budget in budgets]
    assert (found.certified >= alone).all()
    assert (found.certified <= truth).all()


def larger(nodes=60, seed=3):
    """(p, partition): two clusters of outputs that differ in how clear they are."""
    rng = np.random.default_rng(seed)
    partition = Partition(np.repeat([0, 1], nodes // 2), np.array([[0, 1], [1, 0]]))
    return 1 - rng.uniform(0.0, 0.4, nodes) ** 2, partition


LEVELS = [BernoulliFlip(0.05, 0.6), BernoulliFlip(0.1, 0.85)]


@pytest.mark.parametrize("method", METHODS)
def test_selecting_every_row_is_the_lower_scheme_number_for_number(method):
    p, partition = larger()
    lower = Smoothing(LEVELS, partition=partition)
    budgets = [Budget(a, d) for a in range(5) for d in range(4)]
    found = claim(Hierarchical(1, lower), p).collective(budgets, method=method)
    expected = claim(lower, p).collective(budgets, method=method)
    assert found.certified.tolist() == expected.certified.tolist()
    assert found.axes == expected.axes


@pytest.mark.parametrize("method", METHODS[1:])
def test_more_rows_more_bits_and_rarer_selection_certify_less(method):
    p, partition = larger()
    counts = {}
    for select in (0.95, (0.95, 0.98), (0.98, 0.99)):
        certificate = claim(Hierarchical(select, Smoothing(LEVELS, partition=partition)), p)
        curve = certificate.collective(add=range(4), nodes=range(4), method=method)
        counts[select] = curve.certified.reshape(4, 4)
        assert (np.diff(counts[select], axis=0) <= 0).all()
        assert (np.diff(counts[select], axis=1) <= 0).all()
        assert (
            counts[select]
            >= certificate.collective(add=range(4), nodes=range(4), method="naive").certified.reshape(4, 4)
        ).all()
    assert (counts[0.95] <= counts[0.95, 0.98]).all()
    assert (counts[0.95, 0.98] <= counts[0.98, 0.99]).all()
    assert (counts[0.95] < counts[0.98, 0.99]).any()


def test_one_perturbation_spares_outputs_that_each_could_lose_alone():
    p, partition = larger()
    certificate = claim(Hierarchical((0.9, 0.99), Smoothing(LEVELS, partition=partition)), p)
    curves = certificate.collective(add=range(1, 6), nodes=2, method="all")
    assert (curves["tight"].certified > curves["naive"].certified).any()
    assert (curves["milp"].certified > curves["naive"].certified).any()


@quiet
@pytest.mark.parametrize("wrong", ["one selection for all blocks", "bits anywhere", "δ forgotten", None])
def test_wrong_implementations_are_caught(wrong):
    """Each of these would certify more, or less, than the worst classifiers leave; as it is, nothing differs."""
    scheme = Hierarchical((0.5, 0.9375), Smoothing([BernoulliFlip(0.25, 0.25), BernoulliFlip(0.25, 0.375)],
                          partition=Partition(np.array([0, 0, 1]), np.array([[0, 1], [1, 0]]))))  # fmt: skip
    given_rows = hierarchical.HierarchicalProblem.lowered
    differs = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hierarchical_exact, "MOST_ALLOCATIONS", 0)
        kind = hierarchical.HierarchicalProblem
        if wrong == "δ forgotten":
            patch.setattr(kind, "lowered", lambda self, shares: given_rows(self, np.ones_like(shares)))
        if wrong == "one selection for all blocks":
            patch.setattr(kind, "shares", lambda self, rows: self.select.max(axis=1) ** rows.sum())
        if wrong == "bits anywhere":
            patch.setattr(kind, "capacity", lambda self, rows: self.axes.capacity)
        for seed in range(40):
            p, budget = majorities(seed), Budget(2, 0, nodes=1)
            curve = claim(scheme, p).collective([budget], method="tight", data=data_of(0))
            differs |= bool(curve.attacked_upper[0] != model_truth(scheme, 0, budget, p))
    assert differs is (wrong is not None)


@quiet
@pytest.mark.parametrize("wrong", [True, False])
def test_rows_that_weigh_nothing_in_the_joint_program_are_caught(wrong):
    scheme = Hierarchical((0.5, 0.9375), Smoothing([BernoulliFlip(0.25, 0.375)] * 2,
                          partition=Partition(np.array([0, 0, 1]), np.array([[0, 1], [1, 0]]))))  # fmt: skip
    unsound = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hierarchical_rows, "MOST_CHOICES", 0)
        if wrong:
            right = hierarchical.joint_problem
            patch.setattr(hierarchical, "joint_problem", lambda p: right(replace(p, select=np.ones_like(p.select))))
        for seed in range(40):
            p, budget = majorities(seed), Budget(1, 0, nodes=1)
            curve = claim(scheme, p).collective([budget], method="milp", data=data_of(0))
            unsound |= bool(curve.attacked_upper[0] < model_truth(scheme, 0, budget, p))
    assert unsound is wrong


def test_nodes_are_all_limited_or_none():
    p, partition = larger()
    certificate = claim(Hierarchical(0.9, Smoothing(LEVELS, partition=partition)), p)
    with pytest.raises(InputError, match="either all budgets"):
        certificate.collective([Budget(1, nodes=1), Budget(1)], method="lp")
    with pytest.raises(UnsupportedError, match="leave layers out"):
        certificate.collective(1, method="lp", layers=1, data=SimpleNamespace())


def test_the_strongest_is_the_default():
    p, partition = larger()
    certificate = claim(Hierarchical(0.9, Smoothing(LEVELS, partition=partition)), p)
    assert certificate.collective(2, nodes=1).certified == certificate.collective(2, nodes=1, method="tight").certified
    ablation = claim(Hierarchical(0.9, Ablation()), p)
    assert ablation.collective(nodes=range(3)).certified.tolist() == [int((p > 1.5 - 0.9**r).sum()) for r in range(3)]
    with pytest.raises(UnsupportedError, match="naive, lp and milp"):
        ablation.collective(nodes=1, method="tight")
