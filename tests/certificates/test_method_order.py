"""The ladder of collective certificates never falls: random ladders of all kinds of noise, together and one by one."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp

from graphcert.certificates import Certificate, ScoreCertificate
from graphcert.certificates.method_hierarchy import HIERARCHY, METHODS
from graphcert.collective import collective_strictly_local, naive_bound
from graphcert.noise import Ablation, BernoulliFlip, Budget, Gaussian, Hierarchical, Partition, Smoothing, Uniform

RATES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8)
quiet = pytest.mark.filterwarnings("ignore:the ")


class Case(NamedTuple):
    """Claims and a query about them; `ordered` says which budgets are no smaller than others."""

    claims: Certificate | ScoreCertificate
    sweep: dict
    options: dict
    ordered: bool = True


def flips(rng, clusters, add=True):
    found = []
    while len(found) < clusters:
        a, d = (float(rate) for rate in rng.choice(RATES, 2))
        if a + d < 1:
            found.append(BernoulliFlip(a if add else 0.0, d))
    return found


def partition(rng, nodes, clusters):
    labels = np.concatenate([np.arange(clusters), rng.integers(0, clusters, nodes - clusters)])
    rank = np.zeros((clusters, clusters), int)
    for i in range(clusters):
        rank[i, np.arange(clusters) != i] = rng.permutation(np.arange(1, clusters))
    return Partition(labels, rank)


def graph(rng, nodes):
    x = rng.random((nodes, int(rng.integers(1, 5)))) < rng.choice([0.1, 0.5, 0.9])
    pairs = np.argwhere(np.triu(rng.random((nodes, nodes)) < 0.15, 1)).T
    return SimpleNamespace(x=x.astype(int), edge_index=np.concatenate([pairs, pairs[::-1]], axis=1), num_nodes=nodes)


def votes(scheme, rng, nodes):
    p = 1 - rng.uniform(0, 0.5, nodes) ** rng.choice([1, 2, 4])
    return Certificate(
        labels=np.zeros(nodes, np.int64), p_lower=p.copy(), p_other_upper=1 - p, targets=np.ones(nodes, bool), alpha=0.5,
        simultaneous=True, method="binary", smoothing=scheme, samples=1,
    )  # fmt: skip


def scores(scheme, rng, nodes):
    tails = -np.sort(-rng.beta(rng.integers(1, 20), 1, (nodes, 6)), axis=1)
    return ScoreCertificate(
        labels=np.zeros(nodes, np.int64), mean_lower=tails.mean(axis=1), variance_upper=np.full(nodes, 0.25),
        targets=np.ones(nodes, bool), alpha=0.01, simultaneous=True, smoothing=scheme, samples=100, bounds="band",
        tails=tails,
    )  # fmt: skip


def budgets(rng, *most, nodes=None):
    """Three budgets, of which the last is no smaller than the first."""
    rows = rng.integers(0, np.add(most, 1), (3, 4))
    rows[2] = np.maximum(rows[0], rows[2])
    limits = [None] * 3 if nodes is None else np.maximum.accumulate(rng.integers(0, nodes + 1, 3)).tolist()
    return [Budget(*row, limit) for row, limit in zip(rows.tolist(), limits, strict=True)]


def bits_and_edges(rng, nodes, clusters, family):
    edges = flips(rng, clusters, add=family != "layers") if rng.random() < 0.5 else None
    scheme = Smoothing(flips(rng, clusters), edges, partition(rng, nodes, clusters))
    most = (6, 4, 2 if edges and family != "layers" else 0, 2 if edges else 0)
    options = {"data": graph(rng, nodes) if family == "layers" or rng.random() < 0.7 else None}
    if family == "layers":
        limits = {"attackers": int(rng.integers(0, 4)), "local_budget": int(rng.integers(0, 4))}
        options |= {"layers": int(rng.integers(0, 3))} | {k: v for k, v in limits.items() if rng.random() < 0.3}
    claims = (scores if family == "scores" else votes)(scheme, rng, nodes)
    return Case(claims, {"add": budgets(rng, *most)}, options)


def rows(rng, nodes, clusters, family):
    laws = [Ablation()] * clusters if family == "ablation" else flips(rng, clusters)
    select = rng.choice([0.8, 0.9, 0.95, 0.99] if family == "ablation" else [0.8, 0.95, 0.99, 1.0], clusters).tolist()
    scheme = Hierarchical(select, Smoothing(laws, None, partition(rng, nodes, clusters)))
    # Under ablation no bits stand for any change, so there budgets without bits are no smaller.
    sweep = budgets(rng, 3, 2, 0, 0, nodes=3 if family == "ablation" or rng.random() < 0.7 else None)
    return Case(votes(scheme, rng, nodes), {"add": sweep}, {"data": graph(rng, nodes)}, family != "ablation")


def norms(rng, nodes, clusters, family):
    law = Gaussian if rng.random() < 0.6 else Uniform
    scales = [law(float(scale)) for scale in rng.choice([0.25, 0.5, 1.0, 2.0], clusters)]
    scheme = Smoothing(scales, None, partition(rng, nodes, clusters))
    return Case(votes(scheme, rng, nodes), {"shift": sorted(rng.uniform(0, 2, 3).tolist())}, {})


KINDS = {
    "flips": bits_and_edges, "layers": bits_and_edges, "scores": bits_and_edges, "hierarchical": rows, "ablation": rows,
    "norms": norms,
}  # fmt: skip


def drawn(family, seed):
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(6, 16))
    case = KINDS[family](rng, nodes, int(rng.integers(1, 4)), family)
    return case._replace(options={**case.options, "truth": rng.integers(0, 2, nodes)})


def assert_rising(lower, upper, words):
    assert (upper.attacked_upper <= lower.attacked_upper).all(), words
    assert (upper.correct_upper <= lower.correct_upper).all(), words


def assert_no_budget_gains(curve, words):
    for budget, attacked, correct in zip(curve.budgets, curve.attacked_upper, curve.correct_upper, strict=True):
        larger = (curve.budgets >= budget).all(axis=1)
        assert (curve.attacked_upper[larger] >= attacked).all(), words
        assert (curve.correct_upper[larger] >= correct).all(), words


def check(family, seed):
    case = drawn(family, seed)
    ladder = case.claims.compare_methods(**case.sweep, **case.options, methods="all")
    below = None
    for name, curve in ladder.items():
        words = f"{family} {seed}: {name}"
        assert not (curve.gap < 0).any(), words
        if below is not None:
            assert_rising(below, curve, words)
        if case.ordered:
            assert_no_budget_gains(curve, words)
        below = curve
    alone = None
    for method in METHODS:
        if method in ladder:
            curve = case.claims.collective(**case.sweep, **case.options, method=method)
            assert_rising(ladder[method], curve, f"{family} {seed}: {method} alone beside the ladder")
            assert alone is None or assert_rising(alone, curve, f"{family} {seed}: {method} alone") is None
            alone = curve


@quiet
@pytest.mark.parametrize("family", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_no_rung_is_below_another(family, seed):
    check(family, seed)


@quiet
def test_the_correct_targets_may_stay_open_where_all_targets_are_settled():
    check("flips", 262)


@pytest.mark.slow
@quiet
@pytest.mark.parametrize("family", KINDS)
def test_no_rung_of_a_thousand_ladders_is_below_another(family):
    for seed in range(100, 270):
        check(family, seed)


@quiet
@pytest.mark.parametrize("name", ["lp-2", "milp-2"])
def test_rungs_of_one_half_space_contain_naive_also_when_they_are_asked_alone(name):
    """Naive knows eight orders and how often blocks can be changed; with both it beats order 2 by itself."""
    (method,) = [method for method in HIERARCHY if method.name == name]
    for seed in (34, 52, 76, 77, 87, 108, 131):  # here the relaxation of order 2 alone is below naive
        case = drawn("flips", seed)
        naive = case.claims.collective(**case.sweep, **case.options, method="naive")
        alone = case.claims.collective(**case.sweep, **case.options, method=method.program, orders=method.orders)
        assert_rising(naive, alone, seed)


@pytest.mark.parametrize("seed", range(20))
def test_strictly_local_certificates_rise_too(seed):
    rng = np.random.default_rng(seed)
    nodes = 12
    fields = [sp.csr_array(rng.random((nodes, nodes)) < 0.3).astype(float) for _ in range(2)]
    steps = rng.integers(0, 5, (nodes, 2))
    grid = np.indices((5, 4)).sum(axis=0)[None] < steps.sum(axis=1)[:, None, None]
    query = {
        "grid": grid, "axes": ["feature_add", "feature_delete"], "perception": fields, "budgets": [(1, 0), (2, 2), (3, 2)],
        "local_budget": int(rng.integers(1, 4)) if seed % 2 else None, "attackers": 2 if seed % 3 == 0 else None,
        "correct": rng.random(nodes) < 0.7,
    }  # fmt: skip
    naive = naive_bound(**query)
    linear, integer = (collective_strictly_local(**query, integer=whole) for whole in (False, True))
    assert_rising(naive, linear, seed)
    assert_rising(linear, integer, seed)
    for curve in (naive, linear, integer):
        assert not (curve.gap < 0).any()
        assert_no_budget_gains(curve, seed)
