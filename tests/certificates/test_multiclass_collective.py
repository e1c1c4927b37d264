"""Collective claims by the multi-class rule against the truth: worst classifiers of pairs, real ones of 3 and 4 classes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from cases import NOISY_DYADIC_FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st
from pair_oracle import fallen_pairs, most_fallen_pairs
from test_collective_claims import BITS, GRAPHS, NODES, PAIRS, graph, reached

from graphcert.certificates import Certificate, certify, flip_family
from graphcert.collective import CollectiveCurve, collective_strictly_local, scheme_perception, tight_problem
from graphcert.errors import InputError
from graphcert.noise import BernoulliFlip, Budget, Partition, Smoothing
from graphcert.noise.views import Views
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order
from graphcert.votes import Votes

METHODS = ("naive", "lp", "milp")
quiet = pytest.mark.filterwarnings("ignore:the .* noise falls")


def claim(smoothing, p, other, method="multiclass", labels=None, classes=4) -> Certificate:
    """What `certify` knows after infinitely many samples; the binary rule knows the label alone."""
    return Certificate(
        labels=np.zeros(p.size, np.int64) if labels is None else labels, p_lower=p.copy(),
        p_other_upper=1 - p if method == "binary" else np.minimum(other, 1 - p), targets=np.ones(p.size, bool), alpha=0.5,
        simultaneous=True, method=method, classes=classes, smoothing=smoothing, samples=1,
    )  # fmt: skip


def assert_ladder(certificate, binary, budgets, truth, **options):
    """naive ≤ lp ≤ milp ≤ truth, and each at least what the binary rule says at the same bound of the label."""
    below = np.array([certificate.robust(budget).sum() for budget in budgets])
    for method in METHODS:
        found = certificate.collective(budgets, method=method, **options).certified
        assert (below <= found).all(), method
        assert (binary.collective(budgets, method=method, **options).certified <= found).all(), method
        below = found
    assert (below <= truth).all()
    strongest = certificate.collective(budgets, **options).certified
    assert (below <= strongest).all()
    assert (strongest <= truth).all()


# ---- worst classifiers: pairs of probabilities, every allocation in exact rationals


@st.composite
def schemes(draw, nodes):
    """Isotropic or localized flips of features, of edges, or of both; at most two clusters."""
    labels = np.array([0, *draw(st.lists(st.integers(0, 1), min_size=nodes - 2, max_size=nodes - 2)), 1])
    partition = Partition(labels, np.array([[0, 1], [1, 0]]))
    kind = draw(st.sampled_from(["features", "features", "both", "edges"]))
    levels = [draw(st.lists(NOISY_DYADIC_FLIPS, min_size=2, max_size=2)) for _ in range(2)]
    if draw(st.booleans()) and kind != "both":
        law = levels[0][0]
        return Smoothing(law) if kind == "features" else Smoothing(None, law)
    return Smoothing(levels[0] if kind != "edges" else None, levels[1] if kind != "features" else None, partition)


@st.composite
def pairs_of(draw, nodes, classes):
    """(N,) p and q for which `classes` classes have room: each of the others at most q, all of them 1 − p together."""
    p = np.array(draw(st.lists(st.floats(1 / classes, 0.999), min_size=nodes, max_size=nodes)))
    share = np.array(draw(st.lists(st.floats(1 / (classes - 1), 1.0), min_size=nodes, max_size=nodes)))
    return p, (1 - p) * share


SMALL = [Budget(), Budget(1), Budget(0, 1), Budget(1, 1), Budget(2), Budget(0, 0, 1, 0), Budget(1, 0, 0, 1)]


@quiet
@settings(max_examples=30, deadline=None)
@given(st.data(), st.sampled_from([3, 4]))
def test_no_more_targets_are_certified_than_worst_classifiers_of_pairs_keep(data, classes) -> None:
    nodes = data.draw(st.integers(3, 9))
    smoothing, (p, other) = data.draw(schemes(nodes)), data.draw(pairs_of(nodes, classes))
    certificate, binary = claim(smoothing, p, other), claim(smoothing, p, other, "binary")
    problem = tight_problem(smoothing, p)
    truth = [nodes - most_fallen_pairs(problem, certificate.p_other_upper, budget.as_tuple()) for budget in SMALL]
    assert_ladder(certificate, binary, SMALL, truth, bins=data.draw(st.sampled_from([None, 2, 256])))


@quiet
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_published_half_spaces_and_all_others_rise_up_the_hierarchy(data) -> None:
    nodes = data.draw(st.integers(3, 9))
    smoothing, (p, other) = data.draw(schemes(nodes)), data.draw(pairs_of(nodes, 3))
    certificate, binary = claim(smoothing, p, other), claim(smoothing, p, other, "binary")
    names = ["naive", "lp-2", "milp-2", "lp", "milp"]
    curves = certificate.compare_methods(SMALL, methods=names)
    assert list(curves) == names
    twos = binary.compare_methods(SMALL, methods=names)
    problem = tight_problem(smoothing, p)
    truth = [nodes - most_fallen_pairs(problem, certificate.p_other_upper, budget.as_tuple()) for budget in SMALL]
    for lower, upper in pairwise(names):
        assert (curves[lower].certified <= curves[upper].certified).all()
    for name in names:
        assert (twos[name].certified <= curves[name].certified).all()
        assert (curves[name].certified <= truth).all()
    assert (certificate.collective(SMALL, method="milp", orders=[Order(2.0)]).certified <= truth).all()


def rivals(nodes=60, seed=3, classes=4, samples=4000) -> Votes:
    """Votes of two clusters whose labels often have no majority, but a clear lead."""
    rng = np.random.default_rng(seed)
    partition = Partition(np.repeat([0, 1], nodes // 2), np.array([[0, 1], [1, 0]]))
    smoothing = Smoothing([BernoulliFlip(0.05, 0.6), BernoulliFlip(0.1, 0.85)], partition=partition)
    first = rng.uniform(0.45, 1.0, nodes)
    rest = rng.dirichlet(np.ones(classes - 1) * 3, nodes) * (1 - first)[:, None]
    counts = np.array([rng.multinomial(samples, row) for row in np.concatenate([first[:, None], rest], axis=1)])
    return Votes(np.tile([100, *[0] * (classes - 1)], (nodes, 1)), counts, smoothing)


def test_the_multiclass_rule_certifies_more_and_many_at_once_more_than_each_alone() -> None:
    """All of the tests above would pass on a certificate of nothing."""
    budgets = [Budget(add, delete) for add in range(5) for delete in range(3)]
    certificate = certify(rivals(), method="multiclass")
    binary = replace(certificate, method="binary")
    curves = {method: certificate.collective(budgets, method=method) for method in METHODS}
    for method in METHODS:
        gain = curves[method].certified - binary.collective(budgets, method=method).certified
        assert (gain >= 0).all()
        assert gain.max() >= 10
    assert (curves["milp"].certified > curves["naive"].certified).any()
    problem = tight_problem(certificate.smoothing, certificate.p_lower)
    for budget, bound in zip(budgets[:6], curves["milp"].certified, strict=False):
        attack = np.zeros(problem.capacity.size, dtype=int)
        attack[[0, 2]] = budget.feature_add, budget.feature_delete
        assert bound <= 60 - fallen_pairs(problem, certificate.p_other_upper, attack).sum()


def test_the_contained_binary_rule_gets_the_same_time(monkeypatch) -> None:
    """With less of it its integer program proved less than the binary certificate itself on votes of a real graph."""
    times, solve = [], flip_family._by_half_spaces

    def noted(query, problem, options):
        times.append(options["time_limit"])
        return solve(query, problem, options)

    monkeypatch.setattr(flip_family, "_by_half_spaces", noted)
    certificate = certify(rivals(), method="multiclass")
    certificate.collective(range(4), method="lp", orders=DEFAULT_ORDERS, time_limit=17.0)
    assert times == [17.0, 17.0]


# ---- real classifiers: tables from 256 noisy graphs to a label of 3 or 4 classes per node


def probabilities(smoothing: Smoothing, tables: np.ndarray, classes: int) -> np.ndarray:
    """(256, N, K) probabilities of every class around every graph; exact, since rates are dyadic."""
    views = Views.of(smoothing, NODES)
    result = np.empty((len(GRAPHS), NODES, classes))
    for node, view in enumerate(views.of_node):
        features = [views.feature_laws[views.feature_law[view, views.block[m]]] for m in range(NODES)]
        edges = [views.edge_laws[views.edge_law[view, views.block[u], views.block[v]]] for u, v in PAIRS]
        law = features + edges
        add, delete = np.array([one.add for one in law]), np.array([one.delete for one in law])
        one = np.where(GRAPHS, 1 - delete, add)[:, None, :]
        noise = np.where(GRAPHS[None], one, 1 - one).prod(axis=2)
        result[:, node] = noise @ (tables[:, node, None] == np.arange(classes))
    return result


def kept(p: np.ndarray, labels: np.ndarray) -> int:
    """How many of the labels (N,) lead in p (N, K) without a tie."""
    others = p.copy()
    np.put_along_axis(others, labels[:, None], -1.0, axis=1)
    return int((np.take_along_axis(p, labels[:, None], axis=1)[:, 0] > others.max(axis=1)).sum())


def certificates_of(smoothing, p):
    """Labels and the certificates of both rules, from probabilities (N, K)."""
    labels = p.argmax(axis=1)
    others = p.copy()
    np.put_along_axis(others, labels[:, None], -1.0, axis=1)
    first, second = p.max(axis=1), others.max(axis=1)
    rules = [claim(smoothing, first, second, rule, labels, p.shape[1]) for rule in ("multiclass", "binary")]
    return labels, *rules


def random_tables(draw, classes):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = np.array([rng.dirichlet([4, *[1] * (classes - 1)]) for _ in range(NODES)])
    return np.stack([rng.choice(classes, size=len(GRAPHS), p=row) for row in weights], axis=1)


@quiet
@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from([3, 4]), st.booleans())
def test_real_classifiers_of_three_and_four_classes_lose_no_more_than_is_said(data, classes, with_data) -> None:
    smoothing, clean = data.draw(schemes(NODES)), data.draw(st.integers(0, len(GRAPHS) - 1))
    p = probabilities(smoothing, random_tables(data.draw, classes), classes)
    labels, certificate, binary = certificates_of(smoothing, p[clean])
    budgets = [*SMALL, Budget(0, 0, 1, 1)]
    truth = [min(kept(p[now], labels) for now in reached(clean, budget)) for budget in budgets]
    assert_ladder(certificate, binary, budgets, truth, data=graph(clean) if with_data else None)


@quiet
@settings(max_examples=20, deadline=None)
@given(st.data(), st.sampled_from([3, 4]))
def test_receptive_fields_by_the_multiclass_rule(data, classes) -> None:
    """Labels depend on what lies in the receptive field on the clean graph alone; limits of the adversary count."""
    partition = Partition(np.array([0, 0, 1, 1]), np.array([[0, 1], [1, 0]]))
    features = data.draw(st.lists(NOISY_DYADIC_FLIPS, min_size=2, max_size=2))
    edges = data.draw(st.sampled_from([None, [BernoulliFlip(0.0, 0.25), BernoulliFlip(0.0, 0.5)]]))
    smoothing = Smoothing(features, edges, partition)
    clean, layers = data.draw(st.integers(0, len(GRAPHS) - 1)), data.draw(st.integers(0, 2))
    seen = scheme_perception(smoothing, NODES, graph(clean), layers, "symmetric")
    present = [tuple(pair) for pair in seen.endpoints.T.tolist()]
    mask = np.zeros((NODES, BITS), dtype=int)
    mask[:, :NODES] = seen.perception["feature_add"].toarray()
    for bit, pair in enumerate(PAIRS.tolist()):
        if tuple(pair) in present:
            mask[:, NODES + bit] = seen.perception["edge_delete"].toarray()[:, present.index(tuple(pair))]
    number = (GRAPHS[:, None, :] * mask) @ (1 << np.arange(BITS)[::-1])
    p = probabilities(smoothing, np.take_along_axis(random_tables(data.draw, classes), number, axis=0), classes)
    labels, certificate, binary = certificates_of(smoothing, p[clean])
    budgets = [Budget(), Budget(1), Budget(0, 1), Budget(2), Budget(1, 1), Budget(0, 0, 0, 1), Budget(1, 0, 0, 1)]
    limits = data.draw(st.sampled_from([{}, {"attackers": 1}, {"local_budget": 1}]))
    truth = [min(kept(p[now], labels) for now in within(clean, budget, limits)) for budget in budgets]
    right = labels if data.draw(st.booleans()) else (labels + 1) % classes
    assert_ladder(certificate, binary, budgets, truth, data=graph(clean), layers=layers, **limits)
    curve = certificate.collective(budgets, data=graph(clean), layers=layers, truth=right)
    assert (curve.accuracy <= curve.ratio).all()
    assert curve.correct_targets == (NODES if right is labels else 0)


def within(clean, budget, limits):
    """The graphs reached within a budget by at most so many attackers, or with so many changes at each node."""
    for now in reached(clean, budget):
        change = GRAPHS[now] != GRAPHS[clean]
        own, edges = change[:NODES], PAIRS[change[NODES:]]
        per_node = np.bincount(edges.ravel(), minlength=NODES)
        if limits.get("local_budget") == 1 and per_node.max() > 1:
            continue
        if "attackers" in limits:
            crews = [own.sum() == own[node] and (edges == node).any(axis=1).all() for node in range(NODES)]
            if not any(crews):
                continue
        yield now


def test_strictly_local_certificates_start_from_grids_of_the_multiclass_rule() -> None:
    votes = rivals(12)
    certificate = certify(votes, method="multiclass")
    binary = replace(certificate, method="binary")
    rng = np.random.default_rng(0)
    fields = [(rng.random((12, 12)) < 0.4) | np.eye(12, dtype=bool) for _ in range(2)]
    found = {}
    for rule, claims in (("multiclass", certificate), ("binary", binary)):
        grid = np.stack([[claims.robust(add, delete) for delete in range(4)] for add in range(4)])
        query = {
            "grid": np.moveaxis(grid, 2, 0), "axes": ["feature_add", "feature_delete"],
            "perception": [field.astype(float) for field in fields], "budgets": [(1, 0), (1, 1), (2, 1), (3, 3)],
        }  # fmt: skip
        found[rule] = [collective_strictly_local(**query, integer=whole).certified for whole in (False, True)]
        assert (found[rule][0] <= found[rule][1]).all()
    for more, less in zip(found["multiclass"], found["binary"], strict=True):
        assert (more >= less).all()
        assert more.sum() > less.sum()
    # One perturbation: every node is hit by what it perceives of it, and stands where its own pair does.
    for add in range(12):
        hit = fields[0][:, add].astype(int)
        alone = np.array([certificate.robust(int(count))[node] for node, count in enumerate(hit)])
        assert found["multiclass"][1][0] <= alone.sum()


# ---- what is said about it


def test_rounding_of_the_other_classes_is_reported_and_kept(tmp_path) -> None:
    certificate = certify(rivals(), method="multiclass")
    curve = certificate.collective(add=range(4), method="milp")
    assert 0 < curve.rounding < 0.1
    assert "other classes rounded up" in repr(curve)
    curve.save(tmp_path / "curve.json")
    assert CollectiveCurve.load(tmp_path / "curve.json").rounding == curve.rounding
    plain = replace(certificate, method="binary").collective(add=range(4), method="milp")
    assert plain.rounding == 0
    assert "rounding" not in plain.to_dict()
    assert "rounded" not in repr(plain)
    assert CollectiveCurve.from_dict(plain.to_dict()).rounding == 0


@pytest.mark.parametrize("rounding", ["much", -0.1, 1.5, float("nan"), None, True])
def test_a_rounding_that_is_none_is_refused(rounding) -> None:
    plain = certify(rivals(), method="multiclass").collective(add=1, method="lp").to_dict()
    with pytest.raises(InputError, match="does not describe"):
        CollectiveCurve.from_dict({**plain, "rounding": rounding})
