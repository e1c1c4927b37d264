"""Data sets by the names of torch_geometric and ogb, from raw files that are made here or published."""

import gzip
import os

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.datasets import WebKB

from graphcert.data import load_dataset
from graphcert.errors import DataError, InputError

needs_files = pytest.mark.skipif(not os.environ.get("GRAPHCERT_DATA"), reason="set GRAPHCERT_DATA")


@pytest.fixture(autouse=True)
def nowhere_else(monkeypatch, request):
    if "published" not in request.node.name:
        monkeypatch.delenv("GRAPHCERT_DATA", raising=False)


def web_pages(folder, splits=10):
    """The raw files of a directed graph of 30 pages, with a loop, a repeated link and a link in both directions."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, (30, 8)), np.arange(30) % 3
    links = [(0, 1), (1, 0), (2, 2), (3, 4), (3, 4), *((i, (7 * i + 5) % 30) for i in range(30))]
    rows = [f"{i}\t{','.join(map(str, x[i]))}\t{y[i]}" for i in range(30)]
    (folder / "out1_node_feature_label.txt").write_text("\n".join(["node_id\tfeature\tlabel", *rows, ""]))
    lines = [f"{i}\t{j}" for i, j in links]
    (folder / "out1_graph_edges.txt").write_text("\n".join(["node_id\tnode_id", *lines, ""]))
    for number in range(splits):
        part = rng.permutation(30) // 10
        masks = {name: (part == k).astype(np.uint8) for k, name in enumerate(("train_mask", "val_mask", "test_mask"))}
        np.savez(folder / f"texas_split_0.6_0.2_{number}.npz", **masks)


def test_web_pages_are_those_of_torch_geometric(tmp_path):
    web_pages(tmp_path / "texas" / "raw")
    theirs = WebKB(tmp_path, "Texas")[0]
    ours = load_dataset("pyg:WebKB/Texas", tmp_path, split=4)
    assert torch.equal(ours.x, theirs.x)
    assert torch.equal(ours.y, theirs.y)
    for name in ("train_mask", "val_mask", "test_mask"):
        assert torch.equal(ours[name], theirs[name][:, 4])
    pairs = {frozenset(pair) for pair in theirs.edge_index.T.tolist() if pair[0] != pair[1]}
    assert {frozenset(pair) for pair in ours.edge_index.T.tolist()} == pairs
    assert ours.edge_index.shape[1] == 2 * len(pairs)


def test_without_files_of_splits_shares_are_drawn(tmp_path):
    web_pages(tmp_path / "WebKB" / "texas" / "raw", splits=3)
    first, again, other = (load_dataset("pyg:webkb/texas", tmp_path, seed=seed) for seed in (0, 0, 1))
    assert [int(first[name].sum()) for name in ("train_mask", "val_mask", "test_mask")] == [15, 9, 6]
    assert torch.equal(first.train_mask, again.train_mask)
    assert not torch.equal(first.train_mask, other.train_mask)
    with pytest.raises(InputError, match="there is none to choose"):
        load_dataset("pyg:WebKB/Texas", tmp_path, split=0)


@pytest.mark.parametrize("damage", ["tab", "number", "gap", "far", "cut"])
def test_damaged_text_is_refused(damage, tmp_path):
    folder = tmp_path / "texas" / "raw"
    web_pages(folder)
    nodes, links = folder / "out1_node_feature_label.txt", folder / "out1_graph_edges.txt"
    path = links if damage == "far" else nodes
    text = path.read_text()
    changed = {
        "tab": text.replace("\t", " "), "number": text.replace("0,", "x,", 1), "gap": text.replace("\n29\t", "\n31\t"),
        "far": text + "3\t99\n", "cut": text[:-9],
    }  # fmt: skip
    path.write_text(changed[damage])
    with pytest.raises(DataError, match=r"use the published|correct the edge list"):
        load_dataset("pyg:WebKB/Texas", tmp_path, split=0)


@pytest.mark.parametrize(
    ("name", "place", "file"),
    [
        ("pyg:Amazon/Photo", "Photo", "amazon_electronics_photo"), ("pyg:Coauthor/CS", "CS", "ms_academic_cs"),
        ("pyg:CitationFull/Cora_ML", "cora_ml", "cora_ml"),
    ],
)  # fmt: skip
def test_tables_lie_where_torch_geometric_puts_them(name, place, file, tmp_path):
    folder = tmp_path / place / "raw"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    parts = {"adj": sp.random_array((200, 200), density=0.05, format="csr", rng=rng)}
    parts["attr"] = sp.random_array((200, 9), density=0.3, format="csr", rng=rng)
    members = {"labels": np.arange(200) % 4}
    for prefix, matrix in parts.items():
        members |= {f"{prefix}_{part}": getattr(matrix, part) for part in ("data", "indices", "indptr")}
        members[f"{prefix}_shape"] = np.array(matrix.shape)
    np.savez(folder / f"{file}.npz", **members)
    data = load_dataset(name, tmp_path)
    assert torch.equal(data.x, torch.from_numpy((parts["attr"].toarray() > 0).astype(np.float32)))
    assert data.classes == 4


def test_a_table_of_ogb(tmp_path):
    rng = np.random.default_rng(2)
    x, edges = rng.normal(size=(40, 5)).astype(np.float32), np.array([[0, 1], [1, 2], [2, 0], [5, 5]])
    splits = {"train": range(20), "valid": range(20, 30), "test": range(30, 40)}
    tables = {"raw/edge": edges, "raw/node-feat": x, "raw/node-label": (np.arange(40) % 4)[:, None]}
    tables |= {f"split/time/{name}": np.array(nodes)[:, None] for name, nodes in splits.items()}
    for name, table in tables.items():
        path = tmp_path / "ogbn_arxiv" / f"{name}.csv.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as file:
            file.writelines(",".join(map(repr, row)) + "\n" for row in table.tolist())
    data = load_dataset("pyg:ogbn-arxiv", tmp_path)
    assert np.array_equal(data.x.numpy(), x)
    assert data.test_mask.nonzero().ravel().tolist() == list(splits["test"])
    assert sorted(map(tuple, data.edge_index.T.tolist())) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"test.csv.gz is not a table of numbers"):
        load_dataset("pyg:ogbn-arxiv", tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"there is no .*test.csv.gz; unpack"):
        load_dataset("pyg:ogbn-arxiv", tmp_path)


@pytest.mark.parametrize(
    "name", ["Amazon/Photo", "CitationFull/DBLP", "WebKB/Cornell", "Planetoid/PubMed", "ogbn-products"]
)
def test_a_missing_file_is_named_with_its_place(name, tmp_path):
    with pytest.raises(DataError, match=r"is not on this machine; .*--data-root"):
        load_dataset(f"pyg:{name}", tmp_path)


@pytest.mark.parametrize("name", ["pyg:", "pyg:Cora", "pyg:Planetoid/Nell", "pyg:Planetoid/../x", "pyg:ogbn-mag"])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(InputError, match=r"unknown data set .*Planetoid/{Cora,CiteSeer,PubMed}"):
        load_dataset(name)


@needs_files
def test_published_planetoid_has_the_public_split():
    data = load_dataset("pyg:Planetoid/Cora")
    assert (data.num_nodes, data.edge_index.shape[1]) == (2708, 10556)
    assert data.train_mask.nonzero().ravel().tolist() == list(range(140))
    assert data.val_mask.nonzero().ravel().tolist() == list(range(140, 640))
    assert data.test_mask.nonzero().ravel().tolist() == list(range(1708, 2708))
    assert torch.equal(data.x, load_dataset("planetoid_cora", largest_component=False).x)
