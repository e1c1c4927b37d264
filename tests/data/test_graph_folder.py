"""Graphs as folders of plain arrays: the same when read again, mapped where large, refused when altered or hostile."""

import json
from hashlib import sha256

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import graphcert as gc
from graphcert.data import data_fingerprint, graph_folder, load_graph_file, raw
from graphcert.errors import DataError

EDGES = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
SPLIT = {"per_class_train": 1, "per_class_validation": 1}


def graph(sparse=True, real=False, **changes):
    x = (torch.rand(8, 5, generator=torch.Generator().manual_seed(0)) < 0.4).float() * (0.5 if real else 1)
    return Data(**{"x": x.to_sparse_csr() if sparse else x, "edge_index": EDGES, "y": torch.arange(8) % 2, **changes})


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("real", [True, False])
def test_a_graph_comes_back_the_same(tmp_path, monkeypatch, mapped, sparse, real):
    if mapped:
        monkeypatch.setattr(graph_folder, "_MAPPED", 0)
    data = graph(sparse, real)
    gc.save_graph(data, tmp_path / "mine")
    found = gc.load_dataset(tmp_path / "mine", sparse=sparse, **SPLIT)
    assert data_fingerprint(found) == data_fingerprint(data)
    assert found.name == "mine"
    gc.save_graph(data, tmp_path / "again")
    assert {p.name: p.read_bytes() for p in (tmp_path / "mine").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()
    }


@pytest.mark.parametrize("mapped", [True, False])
def test_masks_weights_directions_and_classes_come_back(tmp_path, monkeypatch, mapped):
    if mapped:
        monkeypatch.setattr(graph_folder, "_MAPPED", 0)
    masks = dict(
        zip(("train_mask", "val_mask", "test_mask"), torch.arange(8) % 3 == torch.arange(3)[:, None], strict=True)
    )
    data = graph(edge_index=EDGES[:, :3], edge_weight=torch.tensor([0.5, 2.0, 1.0]), classes=5, **masks)
    gc.save_graph(data, tmp_path / "mine")
    found = load_graph_file(tmp_path / "mine", directed=True, weights=True)
    assert data_fingerprint(found) == data_fingerprint(data)
    assert found.classes == 5
    assert all(torch.equal(found[name], mask) for name, mask in masks.items())
    with pytest.raises(DataError, match="weights"):
        load_graph_file(tmp_path / "mine", directed=True)


def test_large_arrays_are_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr(graph_folder, "_MAPPED", 0)
    gc.save_graph(graph(), tmp_path / "mine")
    assert isinstance(graph_folder._array(tmp_path / "mine/y.npy", sealed(tmp_path / "mine/y.npy")), np.memmap)


@pytest.mark.parametrize("sparse", [True, False])
def test_mapped_features_are_not_copied(tmp_path, monkeypatch, sparse):
    seen, read = {}, graph_folder._array

    def noted(path, *given):
        seen[path.stem] = read(path, *given)
        return seen[path.stem]

    monkeypatch.setattr(graph_folder, "_MAPPED", 0)
    monkeypatch.setattr(graph_folder, "_array", noted)
    gc.save_graph(graph(sparse, real=True), tmp_path / "mine")
    x = gc.load_dataset(tmp_path / "mine", sparse=sparse, **SPLIT).x
    name, numbers = ("x_values", x.values()) if sparse else ("x", x)
    assert isinstance(seen[name], np.memmap)
    assert np.shares_memory(seen[name], numbers.numpy())


def test_a_dot_in_the_name_of_a_folder_is_no_ending(tmp_path):
    gc.save_graph(graph(), tmp_path / "g.v2")
    assert gc.load_dataset(tmp_path / "g.v2", **SPLIT).name == "g.v2"


@pytest.mark.parametrize("shape", [(), (8,), (8, 2, 2)])
def test_features_of_another_shape_are_refused(tmp_path, shape):
    gc.save_graph(graph(sparse=False), tmp_path / "mine")
    rewritten(tmp_path / "mine", "x", np.zeros(shape, np.float32))
    with pytest.raises(DataError, match=r"x must have the shape \(N, D\)"):
        gc.load_dataset(tmp_path / "mine", **SPLIT)


@pytest.mark.parametrize("block", [1, 7, 10**6])
@pytest.mark.parametrize("wrong", [np.nan, 1e39, 1e-40])
def test_every_number_is_checked_in_blocks(monkeypatch, block, wrong):
    monkeypatch.setattr(raw, "_NUMBERS_AT_ONCE", block)
    for shape in ((11,), (11, 3), (1, 5)):
        numbers = np.ones(shape)
        assert np.array_equal(raw.as_float32("x", numbers), numbers)
        numbers.flat[-1] = wrong
        with pytest.raises(DataError, match="x holds"):
            raw.as_float32("x", numbers)


def sealed(path):
    return sha256(path.read_bytes()).hexdigest()


def rewritten(folder, name, array, pickled=False):
    """One array in place of another, under its own sha256."""
    np.save(folder / f"{name}.npy", array, allow_pickle=pickled)
    meta = json.loads((folder / "meta.json").read_text())
    meta["sha256"][name] = sealed(folder / f"{name}.npy")
    (folder / "meta.json").write_text(json.dumps(meta))


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("x_indptr", np.zeros(9, np.int32), "do not fit 8 nodes"),
        ("x_indptr", np.zeros(3, np.int32), "do not fit 8 nodes"),
        ("x_indices", np.full(20, 5, np.int32), "fit 8 nodes|damaged|ascend"),
        ("x_indices", np.full(20, 2**60), "fit 8 nodes|damaged|ascend"),
        ("x_indices", np.zeros(20, np.int32), "fit 8 nodes|ascend"),
        ("x_indices", np.zeros(20, np.float32), "int32 or int64"),
        ("x_values", np.ones(3, np.float32), "do not fit 8 nodes"),
        ("y", np.zeros(8, np.uint64), "whole numbers"),
        ("y", np.zeros((8, 1), np.int64), "shape"),
        ("edge_index", np.full((2, 3), 8), "names node 8"),
        ("edge_index", np.array([{}], object), "not a file of one plain array"),
        ("weights", np.zeros(3), "other arrays than those of a graph"),
    ],
)
def test_hostile_arrays_are_refused(tmp_path, monkeypatch, mapped, name, array, words):
    if mapped:
        monkeypatch.setattr(graph_folder, "_MAPPED", 0)
    folder = tmp_path / "mine"
    gc.save_graph(graph(), folder)
    count = np.load(folder / "x_indices.npy").size
    rewritten(folder, name, array[:count] if name == "x_indices" else array, pickled=True)
    with pytest.raises(DataError, match=words) as refused:
        gc.load_dataset(folder, **SPLIT)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "votes"), ("version", 2), ("features", -1), ("features", "5"), ("features", 2**40), ("classes", 1.5),
        ("featureless", 0), ("sha256", {"y": ""}), ("sha256", [1]), ("sha256", {"../y": "", "y": "", "edge_index": ""}),
    ],
)  # fmt: skip
def test_descriptions_of_other_things_are_refused(tmp_path, name, value):
    folder = tmp_path / "mine"
    gc.save_graph(graph(), folder)
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, name: value}))
    with pytest.raises(DataError, match="does not describe a graph"):
        gc.load_dataset(folder, **SPLIT)


def test_altered_and_missing_files_are_refused(tmp_path):
    folder = tmp_path / "mine"
    gc.save_graph(graph(), folder)
    content = (folder / "y.npy").read_bytes()
    (folder / "y.npy").write_bytes(content[:-1] + b"\1")
    with pytest.raises(DataError, match=r"y.npy was altered"):
        gc.load_dataset(folder, **SPLIT)
    (folder / "y.npy").unlink()
    with pytest.raises(DataError, match=r"there is no .*y.npy"):
        gc.load_dataset(folder, **SPLIT)
    (folder / "meta.json").write_text("{")
    with pytest.raises(DataError, match="description of a graph"):
        gc.load_dataset(folder, **SPLIT)


def test_only_a_new_folder_is_written(tmp_path):
    gc.save_graph(graph(), tmp_path / "mine")
    with pytest.raises(DataError, match="there already"):
        gc.save_graph(graph(), tmp_path / "mine")
    with pytest.raises(DataError, match="no y"):
        gc.save_graph(graph(y=None), tmp_path / "other")
    assert not (tmp_path / "other").exists()
