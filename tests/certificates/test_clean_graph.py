"""Trap 25: capacities and receptive fields of another graph than the one that was voted on prove nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from torch_geometric.data import Data

import graphcert as gc
from graphcert.certificates.clean_graph import CleanGraph
from graphcert.data import data_fingerprint
from graphcert.errors import InputError
from graphcert.models import GCN

N = 8
FLIP = gc.BernoulliFlip(0.1, 0.4)
PARTITION = gc.Partition(np.arange(N) % 2, [[0, 1], [1, 0]])
LOCAL = gc.Smoothing([FLIP, gc.BernoulliFlip(0.3, 0.6)], FLIP, PARTITION)


def ring(**changes) -> Data:
    nodes = np.arange(N)
    pairs = np.stack([nodes, (nodes + 1) % N])
    graph = {
        "x": torch.tensor(np.eye(N, 5, dtype=np.float32)),
        "edge_index": torch.tensor(np.concatenate([pairs, pairs[::-1]], axis=1)),
        "y": torch.tensor(nodes % 2),
    }
    return Data(**graph | changes)


CLEAN = ring()


def claim(scheme=LOCAL, data: Data | None = CLEAN):
    manifest = {} if data is None else {"data": data_fingerprint(data)}
    votes = gc.Votes(np.tile([9, 1], (N, 1)), np.tile([9_000, 1_000], (N, 1)), scheme, manifest=manifest)
    return gc.certify(votes)


def foreign() -> dict[str, Data]:
    x = CLEAN.x.clone()
    x[3, 2] = 1 - x[3, 2]
    shifted = (CLEAN.edge_index + torch.tensor([[0], [1]])).sort(dim=0).values
    pairs = torch.stack([torch.arange(N), (torch.arange(N) + 2) % N])
    return {
        "features": ring(x=x),
        "features (real-valued)": ring(x=CLEAN.x * 0.5),
        "features (no features)": ring(x=torch.zeros(N, 0)),
        "features (another width)": ring(x=torch.eye(N)),
        "edges": ring(edge_index=torch.cat([pairs, pairs.flip(0)], dim=1)),
        "edges (none)": ring(edge_index=shifted[:, :0]),
        "features and the edges": ring(x=x, edge_index=shifted[:, :0]),
    }


@pytest.mark.parametrize("differs", foreign())
def test_a_foreign_graph_is_refused_by_what_differs(differs: str) -> None:
    # Edges alone carry noise, so that real features are no error of their own.
    certificate = claim(gc.Smoothing(edges=FLIP))
    with pytest.raises(InputError, match=f"the {differs.split(' (')[0]} of data are not those") as refused:
        certificate.collective(edge_add=1, data=foreign()[differs])
    assert ("edges" in str(refused.value)) == ("edges" in differs)
    certificate.collective(edge_add=1, data=CLEAN)


def test_what_a_foreign_graph_would_have_certified() -> None:
    """Ones everywhere leave nothing to add: the same votes would certify everybody against any additions."""
    own, unknown = claim(), claim(data=None)
    budget = {"add": 40, "method": "lp"}
    assert unknown.collective(**budget, data=ring()).certified[0] < N
    assert unknown.collective(**budget, data=ring(x=torch.ones(N, 5))).certified[0] == N
    with pytest.raises(InputError, match="features of data"):
        own.collective(**budget, data=ring(x=torch.ones(N, 5)))


def test_the_same_graph_in_other_clothes() -> None:
    order = torch.randperm(2 * N, generator=torch.Generator().manual_seed(0))
    x, edges = CLEAN.x, CLEAN.edge_index
    expected = claim().collective(add=3, delete=1, data=CLEAN).certified.tolist()
    for data in (
        ring(y=None, train_mask=torch.ones(N, dtype=torch.bool)),
        ring(y=1 - CLEAN.y),
        ring(edge_index=edges[:, order]),
        ring(x=x.double()),
        ring(x=x.to(torch.int8)),
        ring(x=x.bool()),
        ring(x=torch.nn.Parameter(x), edge_index=edges.to(torch.int32)),
        SimpleNamespace(x=x.numpy(), edge_index=edges.numpy()),
        SimpleNamespace(x=x.tolist(), edge_index=edges.tolist()),
        SimpleNamespace(x=x.to_sparse_csr(), edge_index=edges),
        SimpleNamespace(x=csr_array(x.numpy()), edge_index=edges),
    ):
        assert claim().collective(add=3, delete=1, data=data).certified.tolist() == expected


LOOP = torch.tensor([[0, 1, 2], [1, 0, 2]])


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (ring(x=CLEAN.x * 0.5), "binary features"),
        (ring(x=CLEAN.x - 1), "binary features"),
        (ring(x=CLEAN.x * float("nan")), "NaN"),
        (ring(x=CLEAN.x[:3]), "3 nodes but the certificate 8; give its own graph"),
        (ring(x=CLEAN.x[:, 0]), r"\(N, D\)"),
        (ring(x=(CLEAN.x * 0.5).to_sparse()), "binary features"),
        (ring(edge_index=LOOP), "self-loop at node 2"),
        (ring(edge_index=CLEAN.edge_index[:, :-1]), "directed"),
        (ring(edge_index=CLEAN.edge_index.repeat(1, 2)), "more than once"),
        (ring(edge_index=CLEAN.edge_index + 1), "nodes from 0 to 7"),
        (ring(edge_index=CLEAN.edge_index - 1), "nodes from 0 to 7"),
        (ring(edge_index=CLEAN.edge_index.float()), "integers"),
        (ring(edge_index=CLEAN.edge_index[0]), r"\(2, 2E\)"),
        (SimpleNamespace(), "features x"),
        (np.zeros((N, 2)), "features x"),
        (SimpleNamespace(x=[[1], [1, 2]], edge_index=[[], []]), "array"),
    ],
)
def test_what_is_no_graph_of_the_noise_is_refused(data, words: str, known: bool) -> None:
    certificate = claim() if known else claim(data=None)
    for method in ("naive", "lp"):
        with pytest.raises(InputError, match=words) as refused:
            certificate.collective(add=1, data=data, method=method)
        assert "\n" not in str(refused.value)


def test_real_features_are_a_graph_where_no_bit_is_flipped() -> None:
    real = ring(x=torch.rand(N, 5, generator=torch.Generator().manual_seed(1)))
    for scheme in (gc.Smoothing(edges=FLIP), gc.Hierarchical(0.9, gc.Smoothing(gc.Ablation(), FLIP))):
        assert claim(scheme, real).collective(edge_delete=1, data=real).targets == N
    for scheme in (LOCAL, gc.Hierarchical(0.9, FLIP)):
        with pytest.raises(InputError, match="binary features"):
            claim(scheme, None).collective(add=1, data=real)


def test_votes_scores_and_files_carry_the_name_of_the_graph(tmp_path) -> None:
    torch.manual_seed(0)
    model = GCN(5, 2, hidden=4)
    votes = gc.sample_votes(model, CLEAN, gc.Smoothing(FLIP), 60, 30, scores=True, workers=1)
    votes.save(tmp_path / "votes.npz")
    again = gc.Votes.load(tmp_path / "votes.npz")
    for certificate in (gc.certify(votes), gc.certify_scores(votes), gc.certify(again), gc.certify_scores(again)):
        assert certificate.data_fingerprint == data_fingerprint(CLEAN)
        certificate.collective(add=1, data=CLEAN)
        for layers in (None, 2):
            with pytest.raises(InputError, match="edges of data"):
                certificate.collective(add=1, data=foreign()["edges"], layers=layers)


def test_a_manifest_that_names_no_graph_compares_nothing() -> None:
    for name in (None, 7, "cora", "f" * 63, ["f" * 64]):
        votes = gc.Votes([[3, 0]], [[900, 100]], gc.Smoothing(FLIP), manifest={"data": name})
        assert gc.certify(votes).data_fingerprint is None


def test_of_an_image_only_the_pixels_are_compared() -> None:
    image = np.arange(12).reshape(2, 3, 2) % 2 * 1.0
    grid = gc.GridGraph(2, 3)
    votes = gc.sample_image_votes(torch.nn.Conv2d(2, 2, 1), image, gc.Smoothing(FLIP), 40, 20, workers=1)
    certificate = gc.certify(votes)
    assert certificate.collective(add=1, data=grid.data(image)).targets == 6
    with pytest.raises(InputError, match="features of data"):
        certificate.collective(add=1, data=grid.data(1 - image))


def test_the_arrays_are_those_of_the_graph() -> None:
    graph = CleanGraph.of(CLEAN, LOCAL, N, data_fingerprint(CLEAN))
    assert np.array_equal(graph.x, CLEAN.x.numpy())
    assert np.array_equal(graph.edge_index, CLEAN.edge_index.numpy())
    assert graph.num_nodes == N
