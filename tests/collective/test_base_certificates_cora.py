"""Published base certificates of Cora-ML (GRAPHCERT_DATA/base_certificates) under a receptive field of two layers."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog

from graphcert.collective import collective_strictly_local, naive_bound, receptive_field
from graphcert.collective.base_certificates.minimal_points import minimal_broken_points

DATA = os.environ.get("GRAPHCERT_DATA")
pytestmark = pytest.mark.skipif(DATA is None, reason="GRAPHCERT_DATA is not set")

FEATURES = ("feature_add", "feature_delete")
ADDITIONS = [(size, 0) for size in range(10)]
DELETIONS = [(0, size) for size in range(33)]


@pytest.fixture(scope="module")
def cora():
    folder = Path(DATA) / "base_certificates"
    with np.load(folder / "cora_ml_lcc.npz") as graph:
        edges = graph["A"]
    rows = receptive_field(edges, 2, "feature_add", num_nodes=2810)
    return {
        "features": {"grid": np.load(folder / "attr_grid.npy"), "axes": FEATURES, "perception": (rows, rows)},
        "edges": {
            "grid": np.load(folder / "adj_grid.npy"),
            "axes": ("edge_delete",),
            "perception": (receptive_field(edges, 2, "edge_delete", num_nodes=2810),),
        },
    }


def test_sizes(cora):
    assert cora["features"]["grid"].shape == (2810, 7, 22)
    assert cora["features"]["perception"][0].nnz == 217_198
    assert cora["edges"]["perception"][0].shape == (2810, 7981)


@pytest.mark.parametrize("local", [None, 1, 5])
@pytest.mark.parametrize("budgets", [ADDITIONS, DELETIONS[::4]])
def test_locality_certifies_more_than_each_node_alone(cora, budgets, local):
    naive = naive_bound(**cora["features"], budgets=budgets, local_budget=local)
    linear = collective_strictly_local(**cora["features"], budgets=budgets, local_budget=local)
    assert (np.diff(linear.certified) <= 0).all()
    assert (linear.certified >= naive.certified).all()
    assert (linear.certified[1:] > naive.certified[1:]).all()
    assert (linear.gap >= 0).all()
    if local is None:
        inside = [size for size in budgets if max(size) < 7]
        alone = [cora["features"]["grid"][:, add, delete].sum() for add, delete in inside]
        assert naive.certified[: len(inside)].tolist() == alone  # two hops hold at least one changeable row


def test_known_counts(cora):
    """The floor of a linear program's optimum is a fact; these were also computed with scipy's solver (slow test)."""
    counts = collective_strictly_local(**cora["features"], budgets=ADDITIONS).certified
    assert counts.tolist() == [2810, 2715, 2530, 2456, 2334, 2278, 1923, 1844, 1782, 1723]
    counts = collective_strictly_local(**cora["features"], budgets=DELETIONS[::8]).certified
    assert counts.tolist() == [2810, 2452, 2256, 1830, 1671]
    counts = collective_strictly_local(**cora["edges"], budgets=[0, 1, 5, 11]).certified
    assert counts.tolist() == [2810, 2644, 2271, 2041]


def per_node_program(case, axis, budget, local):
    """Attacked nodes by scipy's solver: one variable per node and column, nothing grouped, no hot start."""
    grid = case["grid"] if case["grid"].ndim == 2 else case["grid"].take(0, axis=2 - axis)
    nodes, points = minimal_broken_points(grid)
    threshold = np.zeros(len(grid))
    threshold[nodes] = points[:, 0]
    matrix = case["perception"][axis]
    most = min(budget, 1 if case["axes"][axis].startswith("edge") else budget if local is None else local)
    reach = np.minimum(budget, most * np.asarray(matrix.sum(axis=1)).ravel())
    size, columns = matrix.shape
    rules = sp.vstack([sp.hstack([sp.diags_array(threshold), -matrix]), np.r_[np.zeros(size), np.ones(columns)][None]])
    upper = np.r_[threshold <= reach, np.full(columns, most)]
    result = linprog(
        np.r_[-np.ones(size), np.zeros(columns)],
        A_ub=rules,
        b_ub=np.r_[np.zeros(size), budget],
        bounds=np.stack([np.zeros(size + columns), upper], axis=1),
        method="highs",
    )
    assert result.status == 0
    return -result.fun


@pytest.mark.slow
@pytest.mark.parametrize("local", [None, 1])
@pytest.mark.parametrize(
    ("kind", "axis", "sizes"),
    [("features", 0, range(1, 10)), ("features", 1, range(1, 33)), ("edges", 0, range(1, 21, 3))],
)
def test_sweeps_agree_with_another_solver_on_the_plain_program(cora, kind, axis, sizes, local):
    case = cora[kind]
    if kind == "edges" and local is not None:
        pytest.skip("an edge is deleted once anyway")
    budgets = np.zeros((len(sizes), len(case["axes"])), dtype=int)
    budgets[:, axis] = sizes
    curve = collective_strictly_local(**case, budgets=budgets, local_budget=local)
    plain = [per_node_program(case, axis, size, local) for size in sizes]
    assert curve.bound == pytest.approx(plain, abs=1e-4)
    assert curve.attacked_upper.tolist() == [int(np.floor(value + 1e-6)) for value in plain]


@pytest.mark.slow
def test_branch_and_bound_finds_the_truth_of_small_budgets(cora):
    exact = collective_strictly_local(**cora["features"], budgets=ADDITIONS[:4], integer=True, time_limit=300)
    assert exact.certified.tolist() == [2810, 2715, 2564, 2517]
    assert exact.gap.tolist() == [0, 0, 0, 0]
