"""Collective claims under hierarchical noise against the truth: every selection, every flip, every perturbation."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hierarchical_oracle import (
    BUDGETS,
    LEVELS,
    METHODS,
    ROWS,
    claim,
    data_of,
    larger,
    majorities,
    meant,
    model_truth,
    noise,
    pair_truth,
    quiet,
    reached,
    schemes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.collective.hierarchical import enumeration, hierarchical_certificate, row_choices
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Ablation, BernoulliFlip, Budget, Hierarchical, Partition, Smoothing


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
    curves = certificate.compare_methods(budgets, methods="all", data=data)
    assert tuple(curves) == METHODS
    truth = [(p[reached(clean, budget)] > 0.5).sum(axis=1).min() for budget in budgets]
    naive, linear, integer, tight = (curve.certified for curve in curves.values())
    assert naive.tolist() == [certificate.robust(budget).sum() for budget in budgets]
    assert (naive <= linear).all()
    assert (linear <= integer).all()
    assert (integer <= tight).all()
    assert (tight <= truth).all()


@quiet
@settings(max_examples=30, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1))
def test_the_tight_certificate_is_attained_by_the_worst_classifiers(scheme, clean, budgets, seed):
    p = majorities(seed)
    budgets = [replace(budget, edge_add=0) for budget in budgets]  # the pair without an edge could be added, too
    budgets += [meant(replace(budget, feature_delete=0)) for budget in budgets]
    budgets += [meant(replace(budget, feature_add=0)) for budget in budgets]
    curve = claim(scheme, p).collective(budgets, method="tight", data=data_of(clean))
    assert curve.attacked_upper.tolist() == [model_truth(scheme, clean, budget, p) for budget in budgets]
    assert (curve.gap == 0).all()
    assert curve.axes[-1] == "nodes"


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1), st.booleans())
def test_the_multiclass_rule_certifies_no_more_than_three_classes_leave(scheme, clean, budgets, seed, with_data):
    rng = np.random.default_rng(seed)
    laws = [noise(scheme, group) for group in range(2)]
    # Every outcome is given one of three classes; the label is the one that the clean graph is given most often.
    given_class = (rng.random((laws[0].shape[1], ROWS, 1)) > np.cumsum(rng.dirichlet((3, 1, 1), ROWS), axis=1)).sum(
        axis=2
    )
    p = np.stack([
        np.stack([laws[group] @ (given_class[:, n] == k) for n, group in enumerate(scheme.partition.labels)], axis=1)
        for k in range(3)
    ])  # fmt: skip
    label = p[:, clean].argmax(axis=0)
    others = np.where(np.arange(3)[:, None] == label, 0.0, p[:, clean]).max(axis=0)
    mine = np.take_along_axis(p, label[None, None], axis=0)[0]
    strongest = np.where(np.arange(3)[:, None, None] == label, 0.0, p).max(axis=0)
    data = data_of(clean) if with_data else None
    curves = claim(scheme, mine[clean], others).compare_methods(budgets, methods="all", data=data)
    truth = [(mine > strongest)[reached(clean, budget)].sum(axis=1).min() for budget in budgets]
    naive, linear, integer, tight = (curve.certified for curve in curves.values())
    assert (naive <= linear).all()
    assert (linear <= integer).all()
    assert (integer <= tight).all()
    assert (tight <= truth).all()
    binary = claim(scheme, mine[clean]).collective(budgets, data=data)
    assert (tight >= binary.certified).all()


@quiet
@settings(max_examples=30, deadline=None)
@given(
    schemes(),
    st.integers(0, 255),
    BUDGETS,
    st.integers(0, 2**32 - 1),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
)
def test_the_tight_certificate_of_pairs_is_attained(scheme, clean, budgets, seed, shares):
    p = majorities(seed)
    other = (1 - p) * np.array(shares)
    budgets = [replace(budget, edge_add=0) for budget in budgets]
    curve = claim(scheme, p, other).collective(budgets, method="tight", data=data_of(clean))
    low, high = ([pair_truth(scheme, clean, budget, p, other, slack) for budget in budgets] for slack in (-1e-9, 1e-9))
    assert (low <= curve.attacked_upper).all()
    assert (curve.attacked_upper <= high).all()
    assert (curve.gap == 0).all()


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(ablation=True), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_under_ablation_the_integer_program_of_pairs_is_attained(scheme, clean, budgets, seed, share):
    budgets = [Budget(0, 0, *budget.as_tuple()[2:], budget.nodes) for budget in budgets]
    if not scheme.perturbs("edges"):
        budgets = [Budget(nodes=budget.nodes) for budget in budgets]
    p = majorities(seed)
    curves = claim(scheme, p, (1 - p) * share).compare_methods(budgets, methods="all", data=data_of(clean))
    low, high = (
        [pair_truth(scheme, clean, budget, p, (1 - p) * share, slack, ablated=True) for budget in budgets]
        for slack in (-1e-9, 1e-9)
    )
    assert (curves["naive"].certified <= curves["lp"].certified).all()
    assert (curves["lp"].certified <= curves["milp"].certified).all()
    assert (low <= curves["milp"].attacked_upper).all()
    if not scheme.perturbs("edges"):
        assert (curves["milp"].attacked_upper <= high).all()


@quiet
@settings(max_examples=25, deadline=None)
@given(schemes(ablation=True), st.integers(0, 255), BUDGETS, st.integers(0, 2**32 - 1))
def test_under_ablation_the_integer_program_is_attained(scheme, clean, budgets, seed):
    budgets = [Budget(0, 0, *budget.as_tuple()[2:], budget.nodes) for budget in budgets]
    if not scheme.perturbs("edges"):
        budgets = [Budget(nodes=budget.nodes) for budget in budgets]
    p = majorities(seed)
    curves = claim(scheme, p).compare_methods(budgets, methods="all", data=data_of(clean))
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
        patch.setattr(row_choices, "MOST_CHOICES", 0)
        patch.setattr(enumeration, "MOST_ALLOCATIONS", 0)
        found = certificate.collective(budgets, method=method, data=data_of(clean))
    alone = [int(certificate.robust(budget).sum()) for budget in budgets]
    truth = [ROWS - model_truth(scheme, clean, budget, p) for budget in budgets]
    assert (found.certified >= alone).all()
    assert (found.certified <= truth).all()


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
    curves = certificate.compare_methods(add=range(1, 6), nodes=2, methods="all")
    assert (curves["tight"].certified > curves["naive"].certified).any()
    assert (curves["milp"].certified > curves["naive"].certified).any()


@quiet
@pytest.mark.parametrize("wrong", ["one selection for all blocks", "bits anywhere", "δ forgotten", None])
def test_wrong_implementations_are_caught(wrong):
    """Each of these would certify more, or less, than the worst classifiers leave; as it is, nothing differs."""
    scheme = Hierarchical((0.5, 0.9375), Smoothing([BernoulliFlip(0.25, 0.25), BernoulliFlip(0.25, 0.375)],
                          partition=Partition(np.array([0, 0, 1]), np.array([[0, 1], [1, 0]]))))  # fmt: skip
    given_rows = hierarchical_certificate.HierarchicalProblem.lowered
    differs = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enumeration, "MOST_ALLOCATIONS", 0)
        kind = hierarchical_certificate.HierarchicalProblem
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
        patch.setattr(row_choices, "MOST_CHOICES", 0)
        if wrong:
            right = hierarchical_certificate.joint_problem
            patch.setattr(
                hierarchical_certificate, "joint_problem", lambda p: right(replace(p, select=np.ones_like(p.select)))
            )
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
        certificate.collective(
            1, method="lp", layers=1, data=SimpleNamespace(x=np.zeros((60, 1)), edge_index=np.zeros((2, 0), int))
        )


def test_the_strongest_is_the_default():
    p, partition = larger()
    certificate = claim(Hierarchical(0.9, Smoothing(LEVELS, partition=partition)), p)
    assert certificate.collective(2, nodes=1).certified == certificate.collective(2, nodes=1, method="tight").certified
    ablation = claim(Hierarchical(0.9, Ablation()), p)
    assert ablation.collective(nodes=range(3)).certified.tolist() == [int((p > 1.5 - 0.9**r).sum()) for r in range(3)]
    with pytest.raises(UnsupportedError, match="naive, lp and milp"):
        ablation.collective(nodes=1, method="tight")
