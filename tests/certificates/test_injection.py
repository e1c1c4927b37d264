"""Votes under dropped nodes and what they prove against new nodes: the law, the reach of real models, and real attacks."""

import itertools
import os

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import APPNP, GAT, GCN, GraphSAGE

import graphcert as gc
from graphcert.errors import InputError, UnsupportedError, VotesError
from graphcert.noise import smoothing_from_dict
from graphcert.sampling.philox import MAIN
from graphcert.voting.noisy_graph import Problem

needs_files = pytest.mark.skipif(
    not os.environ.get("GRAPHCERT_DATA"), reason="set GRAPHCERT_DATA to a folder with the published files"
)


def graph(nodes=8, edges=12, seed=0, features=5):
    rng = np.random.default_rng(seed)
    pairs = rng.permutation([*itertools.combinations(range(nodes), 2)])[:edges].T
    x = torch.tensor(rng.random((nodes, features)), dtype=torch.float32)
    return Data(
        x=x,
        edge_index=torch.tensor(np.concatenate([pairs, pairs[::-1]], axis=1)),
        y=torch.zeros(nodes, dtype=torch.long),
    )


def injected(data, joined, among=(), seed=1):
    """The same graph with one node per set in `joined`, with features of its own, and edges among new nodes."""
    rng = np.random.default_rng(seed)
    nodes = data.num_nodes
    new = [(nodes + b, u) for b, some in enumerate(joined) for u in some] + [(nodes + a, nodes + b) for a, b in among]
    pairs = torch.tensor(new, dtype=torch.long).reshape(-1, 2).T
    x = torch.tensor(10 * rng.standard_normal((len(joined), data.x.shape[1])), dtype=torch.float32)
    return Data(x=torch.cat([data.x, x]), edge_index=torch.cat([data.edge_index, pairs, pairs.flip(0)], dim=1))


def test_a_description_says_all_and_old_ones_stay():
    scheme = gc.NodeDrop(0.9, 0.25)
    assert smoothing_from_dict(scheme.to_dict()) == scheme
    assert scheme.to_dict() == {"drop": {"nodes": 0.9, "edges": 0.25}}
    for wrong in ({"drop": {"nodes": 0.9}}, {"drop": 3}, {"drop": {"nodes": 0.9, "edges": 0.1}, "features": None}):
        with pytest.raises(InputError, match="drop"):
            smoothing_from_dict(wrong)
    for rates in ((0, 0), (1.5, 0), (0.5, -1), (float("nan"), 0)):
        with pytest.raises(InputError):
            gc.NodeDrop(*rates)


@pytest.mark.parametrize("rates", [(0.4, 0.3), (0.5, 0.0), (0.0, 0.5)])
def test_samples_have_the_law_of_the_scheme(rates):
    data, samples = graph(6, 9), 4000
    sampler = Problem.of(data, gc.NodeDrop(*rates), 3).sampler
    work, edges = sampler.workspace(), sorted({tuple(sorted(pair)) for pair in data.edge_index.T.tolist()})
    seen = np.zeros((samples, len(edges)), bool)
    for k in range(samples):
        drawn = sampler.graph(MAIN, k, work)
        rows = np.repeat(np.arange(6), np.diff(drawn.indptr))
        there = set(zip(rows.tolist(), drawn.indices.tolist(), strict=True))
        assert there == {(b, a) for a, b in there}
        seen[k] = [edge in there for edge in edges]
    kept, through = 1 - rates[0], 1 - rates[1]
    assert abs(seen.mean(axis=0) - through * kept**2).max() < 5 * 0.5 / samples**0.5
    for i, j in itertools.combinations(range(len(edges)), 2):
        ends = len({*edges[i], *edges[j]})
        expected = through**2 * kept**ends
        assert abs((seen[:, i] & seen[:, j]).mean() - expected) < 5 * 0.5 / samples**0.5


def test_votes_do_not_depend_on_batches_threads_or_paths():
    data = graph()
    torch.manual_seed(0)
    model = GCN(5, 8, 2, out_channels=3)
    votes = [
        gc.sample_votes(model, data, gc.NodeDrop(0.5, 0.3), 300, 50, workers=workers, batch_size=size, path=path)
        for workers, size, path in ((1, 7, "auto"), (2, 16, "auto"), (1, 300, "generic"))
    ]
    assert votes[0] == votes[1]
    assert np.array_equal(votes[0].counts, votes[2].counts)


MODELS = {
    "symmetric": [lambda: GCN(5, 8, 2, out_channels=3), lambda: GCN(5, 8, 1, out_channels=3), lambda: Propagated()],
    "receiver": [lambda: GraphSAGE(5, 8, 2, out_channels=3), lambda: GAT(5, 8, 2, out_channels=3)],
}


class Propagated(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.steps, self.num_layers = torch.nn.Linear(5, 3), APPNP(3, 0.1), 3

    def forward(self, x, edge_index):
        return self.steps(self.first(x), edge_index)


@pytest.mark.parametrize(("normalisation", "make"), [(name, make) for name, makes in MODELS.items() for make in makes])
def test_real_logits_change_within_the_stated_reach_only(normalisation, make):
    torch.manual_seed(0)
    model = make().eval().double()
    layers = model.num_layers
    furthest = 0
    for seed in range(20):
        data = graph(12, 13, seed)
        data.x = data.x.double()
        rng = np.random.default_rng(seed)
        contact = int(rng.integers(12))
        attacked = injected(data, [{contact}, set()], among=[(0, 1)], seed=seed)
        attacked.x = attacked.x.double()
        with torch.no_grad():
            before, after = model(data.x, data.edge_index), model(attacked.x, attacked.edge_index)[:12]
        changed = (before - after).abs().amax(dim=1) > 1e-9
        steps = gc.receptive_field(data, layers if normalisation == "symmetric" else layers - 1, "feature_add")
        near = steps.toarray()[:, contact] > 0
        assert not (changed.numpy() & ~near).any()
        one_less = gc.receptive_field(data, max(layers - 1, 0), "feature_add").toarray()[:, contact] > 0
        furthest = max(furthest, int((changed.numpy() & ~one_less).sum()))
    # A reach of one edge less, as published, is too small where degrees of both ends count.
    assert (furthest > 0) == (normalisation == "symmetric")


def exact_votes(model, data, scheme, nodes=None):
    """(N, K) exact probabilities of each class, by enumerating all draws; for the first `nodes` nodes."""
    count = data.num_nodes
    edges = sorted({tuple(sorted(pair)) for pair in data.edge_index.T.tolist()})
    found = torch.zeros(count, 3, dtype=torch.float64)
    for alive in itertools.product([0, 1], repeat=count):
        for kept in itertools.product([0, 1], repeat=len(edges)):
            p = np.prod([1 - scheme.nodes if one else scheme.nodes for one in alive])
            p *= np.prod([1 - scheme.edges if one else scheme.edges for one in kept])
            left = [e for e, keep in zip(edges, kept, strict=True) if keep and alive[e[0]] and alive[e[1]]]
            pairs = torch.tensor(left, dtype=torch.long).reshape(-1, 2).T
            with torch.no_grad():
                logits = model(data.x, torch.cat([pairs, pairs.flip(0)], dim=1))
            found[torch.arange(count), logits.argmax(dim=1)] += p
    return found[:nodes].numpy()


@pytest.mark.parametrize("normalisation", ["symmetric", "receiver"])
def test_no_injection_changes_a_certified_label_of_a_real_model(normalisation):
    """All injections of one node into a tiny graph, with all draws enumerated: exact majorities before and after."""
    scheme, claimed = gc.NodeDrop(0.5, 0.5), 0
    for seed in range(2):
        data = graph(4, 3, seed)
        torch.manual_seed(seed)
        model = (GCN if normalisation == "symmetric" else GraphSAGE)(5, 8, 2, out_channels=3).eval()
        truth = exact_votes(model, data, scheme)
        counts = np.round(truth * 2**17).astype(np.int64)  # 7 draws of one half: exact
        assert np.allclose(counts / 2**17, truth)
        votes = gc.Votes(counts // 2**7, counts * 2**7, scheme, independent=True)
        certificate = gc.certify(votes)
        safe = certificate.robust_to_injection(1, 2, data=data, layers=2, normalisation=normalisation)
        together = certificate.injection(1, 2, data=data, layers=2, normalisation=normalisation)
        claimed += int(safe.sum())
        for contacts in itertools.chain(itertools.combinations(range(4), 1), itertools.combinations(range(4), 2)):
            after = exact_votes(model, injected(data, [set(contacts)], seed=seed), scheme, 4)
            kept = after.argmax(axis=1) == certificate.labels
            assert kept[safe].all()
            assert kept.sum() >= together.certified[0]
    assert claimed > 0


def certificate_of(shares, data, scheme):
    hits = np.round(10_000 * np.array(shares)).astype(np.int64)
    counts = np.stack([hits, 10_000 - hits, 0 * hits], axis=1)
    return gc.certify(gc.Votes(np.tile([10, 0, 0], (len(hits), 1)), counts, scheme))


def test_a_stronger_method_or_a_smaller_budget_never_certifies_less():
    data, scheme = graph(8, 10), gc.NodeDrop(0.3, 0.4)
    certificate = certificate_of([0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0], data, scheme)
    grid = {"nodes": [0, 1, 2, 4], "degree": 2, "edges": [0, 1], "rows": [0, 1], "data": data, "layers": 2}
    curves = [certificate.injection(**grid, method=method) for method in ("naive", "lp", "milp")]
    for weaker, stronger in itertools.pairwise(curves):
        assert (weaker.certified <= stronger.certified).all()
    assert (curves[2].certified > curves[0].certified).any()
    budgets, certified = curves[2].budgets, curves[2].certified
    for i, j in itertools.permutations(range(len(budgets)), 2):
        assert not (budgets[i] <= budgets[j]).all() or certified[i] >= certified[j]
    shorter = certificate.injection(**grid | {"normalisation": "receiver"}, method="milp")
    assert (shorter.certified >= certified).all()


def test_changes_without_a_graph_are_certified_by_what_any_edge_shows():
    data, scheme = graph(8, 10), gc.NodeDrop(0.5, 0.5)
    certificate = certificate_of([0.55, 0.56, 0.57, 0.6, 0.7, 0.8, 0.9, 1.0], data, scheme)
    for edges in (1, 2, 3):
        seen = 1 - (1 - 0.125) ** edges
        expected = certificate.p_lower - seen > certificate.p_other_upper + seen
        assert np.array_equal(certificate.robust(edge_add=edges), expected)
        assert np.array_equal(certificate.robust(edge_delete=edges), expected)
    assert not certificate.robust(add=1).any()


def test_what_makes_no_sense_is_refused():
    data = graph(8, 10)
    certificate = certificate_of(np.linspace(0.5, 1, 8), data, gc.NodeDrop(0.5, 0.5))
    flips = certificate_of(np.linspace(0.5, 1, 8), data, gc.Smoothing(edges=gc.BernoulliFlip(0, 0.5)))
    asked = {"data": data, "layers": 2}
    with pytest.raises(UnsupportedError, match="NodeDrop"):
        flips.injection(1, 1, **asked)
    with pytest.raises(InputError, match="degree"):
        certificate.injection(1, 0, **asked)
    with pytest.raises(InputError, match="whole"):
        certificate.injection(1.5, 1, **asked)
    with pytest.raises(InputError, match="normalisation"):
        certificate.injection(1, 1, **asked, normalisation="row")
    with pytest.raises(InputError, match="method"):
        certificate.injection(1, 1, **asked, method="tight")
    with pytest.raises(InputError, match="8"):
        certificate.injection(1, 1, data=graph(9, 10), layers=2)
    directed = Data(x=data.x, edge_index=data.edge_index[:, :10])
    with pytest.raises(InputError, match="undirected"):
        gc.sample_votes(GCN(5, 8, 2, out_channels=3), directed, gc.NodeDrop(0.5, 0.5), 10, 10)


def test_votes_of_the_two_largest_classes_certify_no_more_than_all_of_them():
    data, scheme, rng = graph(8, 10), gc.NodeDrop(0.5, 0.5), np.random.default_rng(0)
    share = rng.dirichlet([6, 1, 0.5, 0.5], 8)
    counts = np.array([rng.multinomial(4000, one) for one in share])
    pilot = np.array([rng.multinomial(200, one) for one in share])
    whole = gc.certify(gc.Votes(pilot, counts, scheme))
    two = np.argsort(-counts, axis=1)[:, :2]
    known = np.take_along_axis(counts, two, axis=1)
    votes = gc.Votes.of_largest(pilot.argmax(axis=1), two, known, 4000, 4, scheme)
    assert "pooled" in votes.manifest
    pooled = gc.certify(votes)
    asked = {"data": data, "layers": 2, "method": "lp"}
    assert (pooled.injection([0, 1, 2], 2, **asked).certified <= whole.injection([0, 1, 2], 2, **asked).certified).all()
    assert pooled.robust_to_injection(1, 1, data=data, layers=2).any()
    # A label that is not among the two largest classes is not claimed.
    other = np.array([np.setdiff1d(np.arange(4), row)[0] for row in two])
    assert gc.certify(gc.Votes.of_largest(other, two, known, 4000, 4, scheme)).abstained.all()
    for wrong in (
        (two[:, :1].repeat(2, axis=1), known), (two + 4, known), (two, known + 4000), (two, known[:, :1]), (two, known / 2),
    ):  # fmt: skip
        with pytest.raises(VotesError):
            gc.Votes.of_largest(pilot.argmax(axis=1), *wrong, 4000, 4, scheme)


@pytest.mark.slow
@needs_files
def test_new_nodes_on_cora_take_no_certified_label():
    """Random nodes, and those that the collective certificate names, with the features of another class."""
    data, scheme = gc.load_dataset("cora_ml"), gc.NodeDrop(0.5, 0.5)
    torch.manual_seed(0)
    model, noisy = GCN(data.num_features, 16, 2, out_channels=data.classes), gc.NoisyTransform(scheme, seed=0)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        shown = noisy(data)
        loss = torch.nn.functional.cross_entropy(
            model(shown.x, shown.edge_index)[data.train_mask], data.y[data.train_mask]
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    votes = gc.sample_votes(model, data, scheme, 2000, 300)
    certificate = gc.certify(votes, targets=data.test_mask.numpy())
    nodes, degree, rng = 5, 3, np.random.default_rng(0)
    asked = {"data": data, "layers": 2}
    safe = certificate.robust_to_injection(nodes, degree, **asked)
    curve = certificate.injection(nodes, degree, **asked, method="lp")
    assert safe.any()
    assert curve.attacks is not None
    named = np.repeat(np.arange(data.num_nodes), curve.attacks[0, : data.num_nodes])
    random = [rng.choice(data.num_nodes, degree, replace=False) for _ in range(nodes)]
    for joined in (random, [named[b::nodes] for b in range(nodes)]):
        x = torch.cat([data.x, 5 * data.x[rng.choice(data.num_nodes, nodes)]])
        new = torch.tensor([(data.num_nodes + b, int(u)) for b, some in enumerate(joined) for u in some]).T
        attacked = Data(x=x, edge_index=torch.cat([data.edge_index, new, new.flip(0)], dim=1))
        after = gc.sample_votes(model, attacked, scheme, 2000, 1, seed=1).counts[: data.num_nodes]
        own = np.take_along_axis(after, certificate.labels[:, None], axis=1)[:, 0]
        others = after.copy()
        np.put_along_axis(others, certificate.labels[:, None], 0, axis=1)
        # Far fewer votes for the label than for another class: not by chance, six deviations of their difference.
        fallen = others.max(axis=1) - own > 6 * np.sqrt(2000)
        assert not (fallen & safe).any()
        assert (fallen & certificate.targets).sum() <= curve.attacked_upper[0]
