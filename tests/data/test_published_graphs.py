"""The published citation graphs, loaded from the real files; they are found through GRAPHCERT_DATA."""

import dataclasses
import hashlib
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch_geometric.utils import to_undirected

import graphcert
from graphcert.data import (
    REGISTRY,
    data_fingerprint,
    describe_datasets,
    load_dataset,
    load_graph_file,
    validate,
    without_test_nodes,
)  # fmt: skip
from graphcert.errors import DataError, InputError

ROOT = os.environ.get("GRAPHCERT_DATA")
needs_files = pytest.mark.skipif(not ROOT, reason="set GRAPHCERT_DATA to a folder with the published files")
CITATION = [name for name, entry in REGISTRY.items() if entry.files]

WHOLE = {  # nodes and undirected edges without loops, of the whole files
    "cora_ml": (2995, 8158),
    "citeseer": (3312, 4536),
    "cora": (2708, 5278),
    "planetoid_cora": (2708, 5278),
    "planetoid_citeseer": (3327, 4552),
    "polblogs": (1490, 16715),
    "wisconsin": (251, 450),
}


def counts(data):
    return data.num_nodes, data.edge_index.shape[1] // 2


@needs_files
@pytest.mark.parametrize("name", CITATION)
def test_default_form_is_the_largest_component(name):
    data = load_dataset(name)
    entry = REGISTRY[name]
    validate(data)
    assert counts(data) == (entry.nodes, entry.edges)
    assert (data.x.shape[1], data.classes, data.name) == (entry.features, entry.classes, name)
    assert sorted(set(data.y.tolist()) - {-1}) == list(range(entry.classes))
    assert (data.y == -1).sum() == (10 if name == "planetoid_citeseer" else 0)
    if name == "wisconsin":
        assert [int(mask.sum()) for mask in (data.train_mask, data.val_mask, data.test_mask)] == [121, 80, 50]
        assert all(len(data.y[mask].unique()) == 5 for mask in (data.train_mask, data.val_mask, data.test_mask))
    else:
        assert data.train_mask.sum() == data.val_mask.sum() == 20 * entry.classes
    assert torch.equal(data.train_mask.int() + data.val_mask.int() + data.test_mask.int(), (data.y >= 0).int())


@needs_files
@pytest.mark.parametrize("name", CITATION)
def test_whole_graph(name):
    data = load_dataset(name, ROOT, largest_component=False)
    validate(data)
    assert counts(data) == WHOLE[name]


DIRECTED = {  # links without loops and repetitions, of the whole files
    "cora_ml": 8416, "citeseer": 4591, "cora": 5429, "polblogs": 19022, "wisconsin": 499,
}  # fmt: skip


@needs_files
@pytest.mark.parametrize("name", CITATION)
def test_directions_are_kept_where_there_are_some(name):
    if name not in DIRECTED:
        with pytest.raises(InputError, match=f"{name} have no directions"):
            load_dataset(name, directed=True)
        return
    directed, usual = load_dataset(name, directed=True, largest_component=False), load_dataset(name)
    validate(directed, directed=True)
    assert directed.num_edges == DIRECTED[name]
    with pytest.raises(DataError, match="directed"):
        validate(directed)
    part = load_dataset(name, directed=True)
    assert torch.equal(to_undirected(part.edge_index), usual.edge_index)
    assert torch.equal(part.y, usual.y)


@needs_files
def test_polblogs_has_no_features_and_gets_the_identity():
    data = load_dataset("polblogs")
    assert data.featureless
    assert torch.equal(data.x, torch.eye(1222))
    assert torch.bincount(data.y).tolist() == [586, 636]
    own = load_graph_file(Path(ROOT) / "polblogs.npz", standardise=True, largest_component=True)
    assert data_fingerprint(own) == data_fingerprint(data)
    assert not load_dataset("cora_ml").featureless


@needs_files
def test_cora_ml_has_the_published_numbers():
    data = load_dataset("cora_ml")
    assert counts(data) == (2810, 7981)
    assert data.x.sum() == 142286
    assert torch.bincount(data.y).tolist() == [348, 393, 440, 407, 781, 150, 291]


@needs_files
def test_nodes_of_citeseer_outside_every_list_are_unlabelled_and_in_no_set():
    data = load_dataset("planetoid_citeseer", largest_component=False)
    unlisted = data.y == -1
    assert unlisted.sum() == 15
    assert not data.x[unlisted].any()
    assert torch.isin(unlisted.nonzero().ravel(), data.edge_index).all()  # they do cite or are cited
    assert not (data.train_mask | data.val_mask | data.test_mask)[unlisted].any()


@needs_files
def test_both_versions_of_cora_are_the_same_graph_up_to_the_order_of_nodes():
    """Degree, number of words and class of all nodes, as multisets."""

    def profile(data):
        degree = torch.bincount(data.edge_index[0], minlength=data.num_nodes)
        sizes = torch.bincount(data.y)[data.y]
        return sorted(zip(degree.tolist(), data.x.sum(1).tolist(), sizes.tolist(), strict=True))

    first, second = (load_dataset(name, largest_component=False) for name in ("cora", "planetoid_cora"))
    assert [row[0] for row in profile(first)] == [row[0] for row in profile(second)]
    assert first.x.sum() == second.x.sum()


@needs_files
def test_largest_component_of_cora_ml_is_the_one_that_certificates_were_published_for():
    """Same nodes in the same order, same edges, same words: only the split may differ."""
    published = Path(ROOT) / "base_certificates" / "cora_ml_lcc.npz"
    if not published.is_file():
        pytest.skip("GRAPHCERT_DATA has no base_certificates/cora_ml_lcc.npz")
    assert data_fingerprint(load_graph_file(published)) == data_fingerprint(load_dataset("cora_ml"))


@needs_files
def test_the_seed_changes_the_split_and_nothing_else():
    first, other = load_dataset("cora", seed=0), load_dataset("cora", seed=1)
    assert data_fingerprint(first) == data_fingerprint(other)
    assert not torch.equal(first.train_mask, other.train_mask)


@needs_files
def test_a_raw_published_file_is_refused_as_a_users_graph_until_it_is_standardised():
    path = Path(ROOT) / "cora_ml.npz"
    with pytest.raises(DataError, match="standardise=True"):
        load_dataset(path)
    data = load_dataset(path, standardise=True, largest_component=True)
    assert data_fingerprint(data) == data_fingerprint(load_dataset("cora_ml"))


@needs_files
def test_the_list_names_the_folder():
    rows = {row.name: row for row in describe_datasets()}
    assert rows["cora_ml"].where == str(Path(ROOT).absolute())
    assert rows["planetoid_cora"].where.startswith(str(Path(ROOT).absolute()))
    assert (rows["cora_ml"].nodes, rows["cora_ml"].edges) == (2810, 7981)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        InputError, match=r"unknown data set 'coral'; known are digits, synthetic, cora_ml, .* end in \.npz"
    ):
        load_dataset("coral")


def test_citation_graphs_take_no_options_of_their_own():
    with pytest.raises(InputError, match="cora_ml has no option nodes; it takes none of its own"):
        load_dataset("cora_ml", nodes=5)


def test_public_name():
    assert graphcert.load_dataset is load_dataset


class Act:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_malicious_planetoid_file_is_refused_even_if_its_checksum_were_right(tmp_path, monkeypatch):
    """The registry is made to trust files that would run a command; the reader still refuses them."""
    entry = REGISTRY["planetoid_cora"]
    trusted = []
    for file in entry.files:
        path = tmp_path / file.path
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pickle.dumps(Act(tmp_path / "trace")))
        trusted.append(dataclasses.replace(file, sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    monkeypatch.setitem(REGISTRY, "planetoid_cora", dataclasses.replace(entry, files=tuple(trusted)))
    with pytest.raises(DataError, match=r"allx: .*it asks for \w+\.mkdir, which is never unpickled"):
        load_dataset("planetoid_cora", tmp_path)
    assert not (tmp_path / "trace").exists()


@needs_files
def test_published_graphs_are_the_same_in_both_layouts():
    dense, sparse = (load_dataset("cora_ml", sparse=layout) for layout in (False, True))
    assert data_fingerprint(dense) == data_fingerprint(sparse)
    one, other = without_test_nodes(dense), without_test_nodes(sparse)
    assert torch.equal(one.x, other.x.to_dense())
    assert torch.equal(one.edge_index, other.edge_index)
    assert data_fingerprint(one) == data_fingerprint(other)
