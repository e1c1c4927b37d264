"""The certificate through receptive fields against every change at every place: never above the truth, as MILP the truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceived_oracle import cases, masks, most_attacked
from scipy.sparse import csr_array

from graphcert.collective import LocalizedProblem, collective_receptive

METHODS = ("naive", "lp", "milp")


def chain(case, budgets, **masked):
    """The curves of the naive, linear and integer program."""
    return [collective_receptive(**case, budgets=budgets, method=method, **masked) for method in METHODS]


@settings(max_examples=400)
@given(cases(), st.data())
def test_naive_lp_milp_truth_in_this_order_and_milp_is_the_truth(drawn, data) -> None:
    case, budget = drawn
    targets = data.draw(masks(case))
    truth = most_attacked(case, budget, targets)
    naive, linear, exact = chain(case, [budget], targets=targets)
    assert naive.attacked_upper[0] >= linear.attacked_upper[0] >= exact.attacked_upper[0] == truth
    assert naive.certified[0] <= linear.certified[0] <= exact.certified[0] == targets.sum() - truth
    assert linear.bound[0] >= exact.bound[0] - 1e-6
    for curve in (naive, linear, exact):
        assert not curve.gap[0] < curve.attacked_upper[0] - truth  # no known attack is better than the best one
    assert exact.gap[0] == 0 or np.isnan(exact.gap[0])


@settings(max_examples=100)
@given(cases(max_nodes=4), st.data())
def test_real_numbers_too(drawn, data) -> None:
    """Weights and η that are no whole numbers: rounding in the solver may cost an output, never win one."""
    case, budget = drawn
    problem = case["problem"]
    noise = st.floats(0.5, 1.5)
    scale = data.draw(st.lists(noise, min_size=problem.weights.size, max_size=problem.weights.size))
    lift = data.draw(st.lists(noise, min_size=problem.eta.size, max_size=problem.eta.size))
    real = replace(
        problem,
        weights=problem.weights * np.reshape(scale, problem.weights.shape),
        eta=problem.eta * np.reshape(lift, problem.eta.shape),
    )
    attacked = [curve.attacked_upper[0] for curve in chain({**case, "problem": real}, [budget])]
    assert attacked[0] >= attacked[1] >= attacked[2] >= most_attacked({**case, "problem": real}, budget)
    shaken = replace(real, eta=real.eta * (1 - 1e-5) - 1e-5)
    assert attacked[2] <= most_attacked({**case, "problem": shaken}, budget)


@settings(max_examples=80)
@given(cases(max_nodes=4), st.data())
def test_targets_accuracy_and_proofs_have_their_own_truth(drawn, data) -> None:
    case, budget = drawn
    targets, correct, proved = data.draw(masks(case)), data.draw(masks(case)), data.draw(masks(case))
    right = targets & correct
    for curve, exactly in zip(
        chain(case, [budget], targets=targets, correct=correct, robust_per_node=proved), (0, 0, 1), strict=True
    ):
        truth = most_attacked(case, budget, targets, proved)
        accurate = right.sum() - most_attacked(case, budget, right, proved)
        assert curve.targets == targets.sum()
        assert curve.attacked_upper[0] >= truth
        assert curve.accuracy[0] <= accurate / targets.sum()
        if exactly:
            assert curve.attacked_upper[0] == truth
            assert curve.accuracy[0] == accurate / targets.sum()


@settings(max_examples=60)
@given(cases(max_nodes=4), st.data())
def test_a_mask_of_proofs_belongs_to_its_budget(drawn, data) -> None:
    case, small = drawn
    sweep = [small, tuple(amount + 1 for amount in small)]
    proved = np.zeros((2, case["problem"].outputs), dtype=bool)
    proved[0] = data.draw(masks(case))
    for curve in chain(case, sweep, robust_per_node=proved):
        assert curve.attacked_upper[1] >= most_attacked(case, sweep[1])
        assert curve.attacked_upper[0] >= most_attacked(case, small, robust_per_node=proved[0])


@settings(max_examples=80)
@given(cases(), st.permutations(range(3)))
def test_a_sweep_is_monotone_and_the_same_in_any_order(drawn, order) -> None:
    case, largest = drawn
    sweep = [tuple(min(size, step) for size in largest) for step in order]
    for method in METHODS:
        together = collective_receptive(**case, budgets=sweep, method=method)
        sorted_by_size = together.certified[np.argsort(order)]
        assert (np.diff(sorted_by_size) <= 0).all()
        alone = [collective_receptive(**case, budgets=[b], method=method).attacked_upper[0] for b in sweep]
        assert (together.attacked_upper <= alone).all()
        assert together.budgets.tolist() == [list(b) for b in sweep]
        if method == "milp":
            assert together.attacked_upper.tolist() == alone


@settings(max_examples=60)
@given(cases(limits=False))
def test_limits_only_help_the_defender_and_loose_ones_change_nothing(drawn) -> None:
    case, budget = drawn
    free = chain(case, [budget])
    for limit in ({"local_budget": 1}, {"attackers": 1}):
        for unlimited, limited in zip(free, chain({**case, **limit}, [budget]), strict=True):
            assert limited.certified[0] >= unlimited.certified[0]
    nodes = case["problem"].outputs
    for limit in ({"local_budget": max(budget)}, {"attackers": nodes}):
        for method, unlimited, limited in zip(METHODS, free, chain({**case, **limit}, [budget]), strict=True):
            assert method == "lp" or limited.certified[0] == unlimited.certified[0]


@pytest.mark.parametrize("method", METHODS)
def test_abstained_outputs_fall_without_any_change(method) -> None:
    case = small_case(eta=np.array([[0.0, -1.0, 2.0]]))
    curve = collective_receptive(**case, budgets=[0, 1, 2], method=method)
    assert curve.attacked_upper.tolist() == [2, 2, 3]
    assert curve.gap[0] == 0


def small_case(eta):
    size = eta.shape[1]
    nobody = np.zeros(1, int)
    problem = LocalizedProblem(
        np.zeros(size, int), eta, np.ones((len(eta), 1, 1)), nobody, np.array([99]), ("feature_add",)
    )
    return {
        "problem": problem,
        "perception": {"feature_add": csr_array(np.eye(size))},
        "axis_of": {"feature_add": np.zeros(size, int)},
    }
