"""A user's own graph as a file of tensors or as an adjacency matrix of scipy: the same graph, and nothing is unpickled."""

import os
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.data import Data

from graphcert.data import data_fingerprint, load_dataset, validate
from graphcert.errors import DataError, InputError

SYNTHETIC = {"nodes": 150, "classes": 3, "features": 12}


@pytest.fixture
def graph():
    return load_dataset("synthetic", **SYNTHETIC)


def adjacency(graph, weight=1.0):
    edges = graph.edge_index.numpy()
    return sp.coo_array((np.full(edges.shape[1], weight), edges), shape=(graph.num_nodes, graph.num_nodes))


def assert_same(found, graph):
    assert data_fingerprint(found) == data_fingerprint(graph)
    assert found.classes == graph.classes


def test_a_file_of_tensors_keeps_graph_and_split(graph, tmp_path):
    torch.save(graph.to_dict(), tmp_path / "mine.pt")
    found = load_dataset(tmp_path / "mine.pt")
    assert_same(found, graph)
    assert torch.equal(found.test_mask, graph.test_mask)
    assert found.name == "mine"


def test_a_file_of_tensors_may_hold_real_features_several_splits_or_no_features(graph, tmp_path):
    masks = {name: torch.stack([graph[name], graph[name]], 1) for name in ("train_mask", "val_mask", "test_mask")}
    torch.save({"x": graph.x / 3, "edge_index": graph.edge_index, "y": graph.y, **masks}, tmp_path / "real.pt")
    found = load_dataset(tmp_path / "real.pt", split=1)
    assert torch.equal(found.x, graph.x / 3)
    with pytest.raises(InputError, match="--split on the command line"):
        load_dataset(tmp_path / "real.pt")
    torch.save({"edge_index": graph.edge_index, "y": graph.y}, tmp_path / "bare.pt")
    assert load_dataset(tmp_path / "bare.pt").featureless


CHANGES = {
    "a Data object": (
        lambda graph: graph,
        "asks for torch_geometric.data.data.Data, which is never unpickled.*torch.save",
    ),
    "a part of a tensor": (
        lambda graph: {**graph.to_dict(), "x": graph.x[:, :5]},
        r"not the whole of its own.*v\.clone",
    ),
    "a list": (lambda graph: [graph.x], "does not hold edge_index and y"),
    "no labels": (lambda graph: {"x": graph.x, "edge_index": graph.edge_index}, "does not hold edge_index and y"),
    "real labels": (lambda graph: {**graph.to_dict(), "y": graph.y.float()}, "y must hold whole numbers"),
    "labels as text": (lambda graph: {**graph.to_dict(), "y": "abc"}, "its y is no tensor"),
    "a flat x": (lambda graph: {**graph.to_dict(), "x": graph.x[:, 0].clone()}, r"shape \(N, D\)"),
    "weights": (
        lambda graph: {**graph.to_dict(), "edge_weight": torch.ones(graph.num_edges)},
        "the edges have edge_weight.*weights=True",
    ),
    "attributes": (
        lambda graph: {**graph.to_dict(), "edge_attr": torch.ones(graph.num_edges, 2)},
        "edge_attr.*weights=true",
    ),
    "one direction": (
        lambda graph: {**graph.to_dict(), "edge_index": graph.edge_index[:, 1:].clone()},
        "directed.*directed=True.*standardise=True",
    ),
    "NaN": (lambda graph: {**graph.to_dict(), "x": graph.x * torch.nan}, "NaN"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_content_is_refused_in_one_sentence(name, graph, tmp_path):
    change, words = CHANGES[name]
    torch.save(change(graph), tmp_path / "mine.pt")
    with pytest.raises(DataError, match=rf"mine\.pt.*{words}") as caught:
        load_dataset(tmp_path / "mine.pt")
    assert "\n" not in str(caught.value)


class Act:
    """Makes a folder when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("place", ["whole", "member", "plain pickle"])
def test_a_hostile_file_of_tensors_does_nothing(place, graph, tmp_path):
    act = Act(tmp_path / "made")
    if place == "plain pickle":
        (tmp_path / "mine.pt").write_bytes(pickle.dumps(act))
    else:
        torch.save(act if place == "whole" else {**graph.to_dict(), "extra": act}, tmp_path / "mine.pt")
    with pytest.raises(DataError, match="nothing is unpickled"):
        load_dataset(tmp_path / "mine.pt")
    assert not act.target.exists()
    pickle.loads(pickle.dumps(act))
    assert act.target.exists()  # it does work where files are trusted


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
@pytest.mark.parametrize("features", ["x.npz", "x.npy"])
def test_an_adjacency_matrix_with_features_and_labels(kind, features, graph, tmp_path):
    sp.save_npz(tmp_path / "a.npz", adjacency(graph).asformat(kind))
    np.save(tmp_path / "y.npy", graph.y.numpy())
    if features == "x.npz":
        sp.save_npz(tmp_path / features, sp.csr_array(graph.x.numpy()))
    else:
        np.save(tmp_path / features, graph.x.numpy())
    files = {"labels": str(tmp_path / "y.npy"), "features": str(tmp_path / features)}
    assert_same(load_dataset(tmp_path / "a.npz", **files), graph)


def test_rows_and_columns_of_every_format_are_told_apart(graph, tmp_path):
    """Of a directed path 0 → 1 → 2, read as it is before it is made undirected."""
    from graphcert.data.sparse_npz import read_sparse_graph

    np.save(tmp_path / "y.npy", np.array([0, 1, 0]))
    for kind in ("csr", "csc", "coo"):
        path = tmp_path / f"{kind}.npz"
        sp.save_npz(path, sp.coo_array((np.ones(2), ([0, 1], [1, 2])), shape=(3, 3)).asformat(kind))
        edges = read_sparse_graph(path, None, str(tmp_path / "y.npy")).edges
        assert sorted(map(tuple, edges.T.tolist())) == [(0, 1), (1, 2)]


def test_what_does_not_fit_an_adjacency_matrix_is_refused(graph, tmp_path):
    sp.save_npz(tmp_path / "a.npz", adjacency(graph).tocsr())
    sp.save_npz(tmp_path / "heavy.npz", adjacency(graph, 2.0).tocsr())
    sp.save_npz(tmp_path / "bsr.npz", adjacency(graph).tobsr())
    np.save(tmp_path / "y.npy", graph.y.numpy())
    np.save(tmp_path / "short.npy", graph.y.numpy()[1:])
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    labels = {"labels": str(tmp_path / "y.npy")}
    for name, options, words in (
        ("a.npz", {}, "name its labels with labels="),
        ("a.npz", {"labels": str(tmp_path / "none.npy")}, "no file .*none.npy of labels"),
        ("a.npz", {"labels": str(tmp_path / "short.npy")}, "one label per node"),
        ("a.npz", {"labels": str(tmp_path / "objects.npy")}, "not a file of one plain array"),
        ("a.npz", {"labels": str(tmp_path / "a.npz")}, "not a file of one plain array"),
        ("a.npz", {**labels, "features": str(tmp_path / "y.npy")}, r"numbers \(N, D\)"),
        ("heavy.npz", labels, "the edges have edge_weight.*weights=True"),
        ("bsr.npz", labels, "matrix.tocsr"),
    ):
        with pytest.raises((DataError, InputError), match=words) as caught:
            load_dataset(tmp_path / name, **options)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["pt", "csr", "coo"])
def test_directions_and_weights_are_kept_on_request(kind, graph, tmp_path):
    some = torch.arange(graph.num_edges) % 3 > 0
    edges, weight = graph.edge_index[:, some], torch.arange(1.0, 1 + int(some.sum())) / 4
    order = torch.randperm(weight.numel(), generator=torch.Generator().manual_seed(0))
    files = {}
    if kind == "pt":
        attr = torch.stack([weight, -weight], 1)[order]
        content = {"x": graph.x, "edge_index": edges[:, order], "y": graph.y, "edge_weight": weight[order].double()}
        torch.save({**content, "edge_attr": attr}, tmp_path / "mine.pt")
    else:
        np.save(tmp_path / "y.npy", graph.y.numpy())
        np.save(tmp_path / "x.npy", graph.x.numpy())
        shape = (graph.num_nodes, graph.num_nodes)
        matrix = sp.coo_array((weight.numpy()[order], edges.numpy()[:, order]), shape=shape)
        sp.save_npz(tmp_path / "mine.npz", matrix.asformat(kind))
        files = {"labels": str(tmp_path / "y.npy"), "features": str(tmp_path / "x.npy")}
    path = tmp_path / ("mine.pt" if kind == "pt" else "mine.npz")
    found = load_dataset(path, directed=True, weights=True, **files)
    validate(found, directed=True)
    assert torch.equal(found.edge_index, edges)
    assert torch.equal(found.edge_weight, weight)
    assert kind != "pt" or torch.equal(found.edge_attr, torch.stack([weight, -weight], 1))
    with pytest.raises(DataError, match=r"edge_weight.*weights=True.*or load the file with standardise=True"):
        load_dataset(path, directed=True, **files)
    with pytest.raises(DataError, match=r"is directed.*directed=True.*or load the file with standardise=True"):
        load_dataset(path, weights=True, **files)
    bare = load_dataset(path, standardise=True, directed=True, **files)
    assert torch.equal(bare.edge_index, edges)
    assert "edge_weight" not in bare
    assert "edge_attr" not in bare
    assert load_dataset(path, standardise=True, **files).is_undirected()


def test_weights_of_the_wrong_number_are_refused(graph, tmp_path):
    content = {"x": graph.x, "edge_index": graph.edge_index, "y": graph.y}
    torch.save({**content, "edge_weight": torch.ones(graph.num_edges - 1)}, tmp_path / "mine.pt")
    with pytest.raises(DataError, match="one entry per edge"):
        load_dataset(tmp_path / "mine.pt", weights=True)
    torch.save({**content, "edge_attr": [1.0] * graph.num_edges}, tmp_path / "mine.pt")
    with pytest.raises(DataError, match="its edge_attr is no tensor"):
        load_dataset(tmp_path / "mine.pt", weights=True)


def test_files_beside_a_whole_graph_are_refused(graph, tmp_path):
    torch.save(graph.to_dict(), tmp_path / "mine.pt")
    with pytest.raises(InputError, match="brings its own labels; leave labels= out"):
        load_dataset(tmp_path / "mine.pt", labels="y.npy")


def test_the_line_that_the_refusal_names_writes_a_file_that_is_read(graph, tmp_path):
    data = Data(x=graph.x[:, :5], edge_index=graph.edge_index, y=graph.y)
    torch.save({k: v.clone() for k, v in data.to_dict().items() if torch.is_tensor(v)}, tmp_path / "graph.pt")
    assert torch.equal(load_dataset(tmp_path / "graph.pt").x, graph.x[:, :5])
