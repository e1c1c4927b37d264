"""Collective claims against the truth: all noise outcomes and all perturbations of tiny graphs are enumerated.

A graph of 4 nodes in 2 clusters has 4 feature bits and 4 of its 6 node pairs can carry an edge: 8 bits in all. The base
classifier is a random table from the 256 noisy graphs to a label per node, so nothing about it is assumed.
"""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from cases import DYADIC, NOISY_DYADIC_FLIPS
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.certificates import Certificate, certify
from graphcert.collective import scheme_perception
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, BernoulliFlip, Budget, Partition, Smoothing
from graphcert.noise.views import Views
from graphcert.tradeoff.half_spaces import Order
from graphcert.votes import Votes

NODES = 4
PAIRS = np.array([(0, 1), (0, 2), (1, 3), (2, 3)])
BITS = NODES + len(PAIRS)
GRAPHS = np.array(list(product((0, 1), repeat=BITS)))
METHODS = ("naive", "lp", "milp", "tight")


def probabilities(smoothing: Smoothing, tables: np.ndarray) -> np.ndarray:
    """(256, N) probability of label 0 of every node around every graph; exact, since rates are dyadic."""
    views = Views.of(smoothing, NODES)
    result = np.empty((len(GRAPHS), NODES))
    for node, view in enumerate(views.of_node):
        features = [views.feature_laws[views.feature_law[view, views.block[m]]] for m in range(NODES)]
        edges = [views.edge_laws[views.edge_law[view, views.block[u], views.block[v]]] for u, v in PAIRS]
        law = features + edges
        add, delete = np.array([one.add for one in law]), np.array([one.delete for one in law])
        one = np.where(GRAPHS, 1 - delete, add)[:, None, :]
        noise = np.where(GRAPHS[None], one, 1 - one).prod(axis=2)
        result[:, node] = noise @ (tables[:, node] == 0)
    return result


def reached(clean: int, budget: Budget) -> np.ndarray:
    """The graphs that the adversary can make of the clean one."""
    change = GRAPHS - GRAPHS[clean]
    parts = [(change[:, part] == sign).sum(axis=1) for part in (slice(NODES), slice(NODES, BITS)) for sign in (1, -1)]
    return np.flatnonzero((np.stack(parts, axis=1) <= budget.as_tuple()).all(axis=1))


def claim(smoothing: Smoothing, p: np.ndarray) -> Certificate:
    """What `certify` knows after infinitely many samples."""
    return Certificate(
        labels=np.zeros(NODES, np.int64), p_lower=p.copy(), p_other_upper=1 - p, targets=np.ones(NODES, bool), alpha=0.5,
        simultaneous=True, method="binary", smoothing=smoothing, samples=1,
    )  # fmt: skip


def graph(clean: int) -> SimpleNamespace:
    """The clean graph as data; the pairs that never carry an edge are no obstacle to soundness."""
    bits = GRAPHS[clean]
    edges = PAIRS[bits[NODES:] == 1].T
    return SimpleNamespace(
        x=bits[:NODES, None], edge_index=np.concatenate([edges, edges[::-1]], axis=1), num_nodes=NODES
    )


@st.composite
def instances(draw):
    """(smoothing, clean graph, p around every graph) with classifiers that favour label 0."""
    partition = Partition(np.array(draw(st.sampled_from([(0, 0, 1, 1), (0, 1, 1, 1)]))), np.array([[0, 1], [1, 0]]))
    levels = (
        draw(st.lists(NOISY_DYADIC_FLIPS, min_size=2, max_size=2)),
        draw(st.lists(NOISY_DYADIC_FLIPS, min_size=2, max_size=2)),
    )
    kind = draw(st.sampled_from(["features", "both", "edges"]))
    features = levels[0] if kind != "edges" else None
    edges = levels[1] if kind != "features" else None
    smoothing = Smoothing(features, edges, partition)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = rng.beta(6, 1, NODES)
    tables = (rng.random((len(GRAPHS), NODES)) >= share).astype(int)
    return smoothing, draw(st.integers(0, len(GRAPHS) - 1)), probabilities(smoothing, tables)


EMPTY = SimpleNamespace(x=np.zeros((60, 1), np.int64), edge_index=np.zeros((2, 0), np.int64), num_nodes=60)
BUDGETS = (Budget(), Budget(1), Budget(0, 1), Budget(1, 1), Budget(2), Budget(0, 0, 1, 0), Budget(1, 0, 0, 1))


@pytest.mark.filterwarnings("ignore:the .* noise falls")
@settings(max_examples=60, deadline=None)
@given(instances(), st.booleans(), st.sampled_from([None, 2, 1]))
def test_no_more_targets_are_certified_than_one_perturbation_leaves(instance, with_data, bins):
    smoothing, clean, p = instance
    certificate = claim(smoothing, p[clean])
    data = graph(clean) if with_data else None
    curves = [certificate.collective(BUDGETS, method=method, data=data, bins=bins) for method in METHODS]
    truth = np.array([min(int((p[now] > 0.5).sum()) for now in reached(clean, budget)) for budget in BUDGETS])
    naive, linear, integer, tight = (curve.certified for curve in curves)
    alone = [int(certificate.robust(budget).sum()) for budget in BUDGETS]
    assert (naive >= alone).all()
    assert (naive <= linear).all()
    assert (linear <= integer).all()
    assert (integer <= tight).all()
    assert (tight <= truth).all()


@pytest.mark.filterwarnings("ignore:the .* noise falls")
@settings(max_examples=40, deadline=None)
@given(instances())
def test_an_allocation_is_judged_exactly_and_never_below_the_collective_bound(instance):
    smoothing, clean, p = instance
    certificate = claim(smoothing, p[clean])
    blocks = Views.of(smoothing, NODES).feature_law.shape[1]
    block = Views.of(smoothing, NODES).block
    for budget in (Budget(1), Budget(1, 1), Budget(1, 0, 0, 1)):
        bound = certificate.collective([budget], data=graph(clean)).certified[0]
        for now in reached(clean, budget):
            change = GRAPHS[now] - GRAPHS[clean]
            allocation = [np.bincount(block[change[:NODES] == sign], minlength=blocks) for sign in (1, -1)]
            for sign in (1, -1):
                pairs = np.sort(block[PAIRS[change[NODES:] == sign]], axis=1)
                allocation.append(np.zeros((blocks, blocks), int))
                np.add.at(allocation[-1], tuple(pairs.T), 1)
            robust = certificate.robust_at(*allocation)
            assert (p[now][robust] > 0.5).all()
            assert robust.sum() >= bound


@st.composite
def local_instances(draw):
    """As `instances`, with labels that depend on what lies in the receptive field on the clean graph alone."""
    partition = Partition(np.array([0, 0, 1, 1]), np.array([[0, 1], [1, 0]]))
    features = draw(st.lists(NOISY_DYADIC_FLIPS, min_size=2, max_size=2))
    deletions = draw(st.lists(DYADIC, min_size=2, max_size=2).filter(any))
    edges = [BernoulliFlip(0.0, rate) for rate in deletions] if draw(st.booleans()) else None
    smoothing = Smoothing(features, edges, partition)
    clean, layers = draw(st.integers(0, len(GRAPHS) - 1)), draw(st.integers(0, 2))
    seen = scheme_perception(smoothing, NODES, graph(clean), layers, "symmetric")
    present = [tuple(pair) for pair in seen.endpoints.T.tolist()]
    mask = np.zeros((NODES, BITS), dtype=int)
    mask[:, :NODES] = seen.perception["feature_add"].toarray()
    for bit, pair in enumerate(PAIRS.tolist()):
        if tuple(pair) in present:
            mask[:, NODES + bit] = seen.perception["edge_delete"].toarray()[:, present.index(tuple(pair))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = (rng.random((len(GRAPHS), NODES)) >= rng.beta(6, 1, NODES)).astype(int)
    number = (GRAPHS[:, None, :] * mask) @ (1 << np.arange(BITS)[::-1])
    tables = np.take_along_axis(labels, number, axis=0)
    return smoothing, clean, layers, probabilities(smoothing, tables)


@pytest.mark.filterwarnings("ignore:the .* noise falls")
@settings(max_examples=60, deadline=None)
@given(local_instances())
def test_receptive_fields_never_certify_more_than_one_perturbation_leaves(instance):
    smoothing, clean, layers, p = instance
    certificate = claim(smoothing, p[clean])
    budgets = [Budget(), Budget(1), Budget(0, 1), Budget(2), Budget(1, 1), Budget(0, 0, 0, 1), Budget(1, 0, 0, 1)]
    everywhere = certificate.collective(budgets, data=graph(clean), method="milp").certified
    local = [certificate.collective(budgets, data=graph(clean), layers=layers, method=m).certified for m in METHODS[:3]]
    truth = np.array([min(int((p[now] > 0.5).sum()) for now in reached(clean, budget)) for budget in budgets])
    assert (local[0] <= local[1]).all()
    assert (local[1] <= local[2]).all()
    assert (everywhere <= local[2]).all()
    assert (local[2] <= truth).all()


def localized_votes(nodes=60, samples=4000, seed=3) -> Votes:
    """Votes of two clusters of nodes that differ in how clear they are."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], nodes // 2)
    partition = Partition(labels, np.array([[0, 1], [1, 0]]))
    smoothing = Smoothing([BernoulliFlip(0.05, 0.6), BernoulliFlip(0.1, 0.85)], partition=partition)
    yes = rng.binomial(samples, rng.uniform(0.9, 1.0, nodes))
    return Votes(np.tile([100, 0], (nodes, 1)), np.stack([yes, samples - yes], axis=1), smoothing)


def test_localized_noise_gains_over_each_node_alone():
    certificate = certify(localized_votes())
    curves = {method: certificate.collective(range(8), method=method) for method in METHODS}
    assert (curves["milp"].certified > curves["naive"].certified).any()
    assert (curves["milp"].certified >= curves["lp"].certified).all()
    published = certificate.collective(range(8), method="milp", orders=[Order(2.0)])
    assert (published.certified <= curves["milp"].certified).all()


def test_isotropic_noise_gains_nothing():
    rng = np.random.default_rng(0)
    yes = rng.binomial(1000, rng.uniform(0.8, 1.0, 50))
    votes = Votes(np.tile([100, 0], (50, 1)), np.stack([yes, 1000 - yes], axis=1), Smoothing(BernoulliFlip(0.05, 0.6)))
    certificate = certify(votes)
    for method in METHODS:
        curve = certificate.collective(add=range(4), delete=range(3), method=method)
        alone = [certificate.robust(add=a, delete=d).sum() for a in range(4) for d in range(3)]
        assert curve.certified.tolist() == alone


def test_equal_levels_are_the_isotropic_certificate_number_for_number():
    votes = localized_votes()
    law = BernoulliFlip(0.05, 0.6)
    partition = votes.smoothing.partition
    curves = [
        certify(Votes(votes.pilot_counts, votes.counts, smoothing)).collective(range(6), range(6), method="milp")
        for smoothing in (Smoothing(law), Smoothing([law, law], partition=partition))
    ]
    assert curves[0].certified.tolist() == curves[1].certified.tolist()


def test_budgets_become_rows_in_the_order_asked():
    certificate = certify(localized_votes())
    curve = certificate.collective(add=[2, 0], delete=(0, 3), method="naive")
    assert curve.axes == AXES
    assert curve.budgets.tolist() == [[2, 0, 0, 0], [2, 3, 0, 0], [0, 0, 0, 0], [0, 3, 0, 0]]
    same = certificate.collective([Budget(2), Budget(2, 3), Budget(), Budget(0, 3)], method="naive")
    assert same.certified.tolist() == curve.certified.tolist()


def test_a_channel_without_noise_certifies_nothing():
    curve = certify(localized_votes()).collective(edge_add=[0, 1], edge_delete=[0, 1])
    assert curve.certified.tolist()[1:] == [0, 0, 0]
    assert curve.certified[0] > 0


def test_targets_and_accuracy_are_about_the_same_nodes():
    votes = localized_votes()
    certificate = certify(votes)
    half = np.arange(60) < 30
    curve = certificate.collective(range(4), targets=half, truth=np.where(np.arange(60) % 3, 0, 1))
    assert curve.targets == 30
    assert curve.correct_targets == 20
    assert (curve.accuracy <= curve.ratio).all()


def test_a_small_clean_graph_limits_the_adversary():
    votes = localized_votes()
    certificate = certify(votes)
    curve = certificate.collective(delete=[0, 5, 50], data=EMPTY, method="lp")
    assert len(set(curve.certified.tolist())) == 1, "there is nothing to delete"


@pytest.mark.parametrize(
    "allocation",
    [{"feature_add": [1, 2, 3]}, {"feature_add": [-1, 0]}, {"feature_delete": [0.5, 0]}, {"edge_add": [1, 2]},
     {"edge_add": [[0, 0], [1, 0]]}],
)  # fmt: skip
def test_an_allocation_that_is_none_is_refused(allocation):
    with pytest.raises(InputError, match="allocation"):
        certify(localized_votes()).robust_at(**allocation)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ({"add": -1}, {}, InputError, "must be at least 0"),
        ({"add": 1.5}, {}, InputError, "whole number"),
        ({"add": []}, {}, InputError, "at least one value"),
        ({"add": [Budget(), 1]}, {}, InputError, "either a sequence of Budget"),
        ({"add": [Budget()], "delete": 1}, {}, InputError, "either a sequence of Budget"),
        ({"method": "magic"}, {}, InputError, "naive"),
        ({"solver": "magic", "method": "lp"}, {}, InputError, "solver"),
        ({"orders": (), "method": "lp"}, {}, InputError, "order"),
        ({"targets": np.ones(3, bool)}, {}, InputError, "shape"),
        ({"truth": np.zeros(3, int)}, {}, InputError, "60 integers"),
        ({"targets": np.ones(60, bool)}, {"targets": np.arange(5)}, InputError, "among those of the certificate"),
        ({"layers": 2}, {}, InputError, "give data"),
        ({"layers": 2, "data": EMPTY, "method": "tight"}, {}, UnsupportedError, "use method='milp'"),
        ({"attackers": 2}, {}, InputError, "give layers"),
        ({"layers": -1, "data": EMPTY}, {}, InputError, "layers"),
        ({"layers": 1, "edge_add": 1, "data": EMPTY}, {}, UnsupportedError, "new reach"),
        ({}, {"simultaneous": False}, UnsupportedError, "hold together"),
        ({"data": SimpleNamespace(x=np.zeros((3, 1)), edge_index=np.zeros((2, 0), int))}, {}, InputError, "its own graph"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(arguments, options, error, words):
    certificate = certify(localized_votes(), **options)
    with pytest.raises(error, match=words) as raised:
        certificate.collective(**arguments)
    assert "\n" not in str(raised.value)
