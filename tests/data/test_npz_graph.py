"""A user's own npz file: three layouts, strict by default, and no damage that crashes or slips through."""

import io
import os
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcert.data import load_dataset, load_graph_file, validate
from graphcert.data.npz import read_npz
from graphcert.errors import DataError, InputError
from graphcert.noise import BernoulliFlip, Gaussian, Smoothing, Uniform
from graphcert.voting.noisy_graph import Problem

NODES = 8
EDGES = [(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (0, 4)]
SPLIT = {"per_class_train": 1, "per_class_validation": 1}
LABELS = np.arange(NODES) % 2


def adjacency():
    matrix = np.zeros((NODES, NODES), np.float32)
    for u, v in EDGES:
        matrix[u, v] = matrix[v, u] = 1
    return matrix


def features():
    return (np.arange(NODES * 3).reshape(NODES, 3) % 5 < 2).astype(np.float32)


def csr_members(prefix, matrix):
    rows = sp.csr_array(matrix)
    parts = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr, "shape": np.array(rows.shape)}
    return {prefix + part: array for part, array in parts.items()}


def members(layout, links=None, bits=None, labels=LABELS):
    """The members of a file in one of the three layouts."""
    links = adjacency() if links is None else links
    bits = features() if bits is None else bits
    if layout == "positions":
        return {"A": np.stack(np.nonzero(links)), "X": np.stack(np.nonzero(bits)), "y": labels}
    first, second = ("adj_matrix.", "attr_matrix.") if layout == "dots" else ("adj_", "attr_")
    return {**csr_members(first, links), **csr_members(second, bits), "labels": labels}


def write(tmp_path, arrays):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize("layout", ["positions", "dots", "underscores"])
def test_every_layout_gives_the_same_graph(layout, tmp_path):
    path = write(tmp_path, members(layout))
    for data in (load_graph_file(path, **SPLIT), load_dataset(path, **SPLIT), load_dataset(str(path), **SPLIT)):
        validate(data)
        assert data.edge_index.T.tolist() == np.argwhere(adjacency()).tolist()
        assert np.array_equal(data.x.numpy(), features())
        assert data.y.tolist() == LABELS.tolist()
        assert (data.name, data.classes) == ("mine", 2)
        assert data.train_mask.sum() == data.val_mask.sum() == 2


def test_largest_component_only_on_request(tmp_path):
    path = write(tmp_path, members("dots"))
    assert load_dataset(path, **SPLIT).num_nodes == NODES
    assert load_dataset(path, largest_component=True, **SPLIT).num_nodes == 6


def changed(matrix, position, value):
    copy = matrix.copy()
    copy[position] = value
    return copy


DEVIATIONS = [
    ("dots", {"links": changed(adjacency(), (5, 6), 1)}, "directed: the edge 5 → 6 lacks its reverse"),
    ("positions", {"links": changed(adjacency(), (5, 6), 1)}, "directed: the edge 5 → 6 lacks its reverse"),
    ("dots", {"links": changed(adjacency(), (6, 6), 1)}, "self-loop at node 6"),
    ("dots", {"links": adjacency() * 2}, "the edges have edge_weight"),
]


@pytest.mark.parametrize(("layout", "parts", "sentence"), DEVIATIONS)
def test_what_is_not_in_standard_form_is_refused_unless_asked_for(layout, parts, sentence, tmp_path):
    path = write(tmp_path, members(layout, **parts))
    with pytest.raises(DataError, match=f"mine.npz: .*{sentence}.*standardise=True"):
        load_dataset(path, **SPLIT)
    data = load_dataset(path, standardise=True, **SPLIT)
    validate(data)
    assert np.array_equal(data.x.numpy(), features())
    assert set(map(tuple, np.argwhere(adjacency()).tolist())) <= set(map(tuple, data.edge_index.T.tolist()))


REAL = features() * np.float32(0.25) - (np.arange(NODES * 3).reshape(NODES, 3) == 4)


@pytest.mark.parametrize("layout", ["positions", "dots", "underscores"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_real_features_are_kept_and_refused_by_flips_alone(layout, dtype, tmp_path):
    arrays = members(layout, bits=REAL.astype(dtype))
    if layout == "positions":
        arrays["X"] = REAL.astype(dtype)
    path = write(tmp_path, arrays)
    data = load_graph_file(path, **SPLIT)
    assert np.array_equal(data.x.numpy(), REAL)
    assert data.x.dtype == torch.float32
    validate(data, binary=False)
    with pytest.raises(DataError, match=r"Bernoulli noise needs binary features.*noise of real features"):
        Problem.of(data, Smoothing(BernoulliFlip(0.1, 0.1)), 0)
    for noise in (Smoothing(Gaussian(0.5)), Smoothing(Uniform(0.5, 0.25)), Smoothing(edges=BernoulliFlip(0.0, 0.4))):
        assert Problem.of(data, noise, 0).nodes == NODES
    assert np.array_equal(load_graph_file(path, standardise=True, **SPLIT).x.numpy(), REAL != 0)


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (np.full((NODES, 3), np.nan), "NaN or infinite"),
        (np.full((NODES, 3), 1e300), "NaN or infinite"),
        (np.zeros(NODES), r"shape \(N, D\)"),
        (np.zeros((NODES - 1, 3)), "7 feature rows for 8 labels"),
    ],
)
def test_dense_features_that_are_none(features, sentence, tmp_path):
    with pytest.raises(DataError, match=f"mine.npz: .*{sentence}"):
        load_graph_file(write(tmp_path, {**members("positions"), "X": features}), **SPLIT)


def test_a_stored_zero_is_no_edge(tmp_path):
    arrays = members("dots")
    arrays["adj_matrix.data"] = arrays["adj_matrix.data"].copy()
    arrays["adj_matrix.data"][[0, list(np.argwhere(adjacency())[:, 0]).index(1)]] = 0  # 0 → 1 and 1 → 0
    assert [0, 1] not in load_graph_file(write(tmp_path, arrays), **SPLIT).edge_index.T.tolist()


def broken(layout, **changes):
    arrays = members(layout)
    for name, value in changes.items():
        key = next(key for key in arrays if key.replace(".", "_") == name)
        if value is None:
            del arrays[key]
        else:
            arrays[key] = value(arrays[key])
    return arrays


BROKEN = [
    ({"adj_matrix_indices": lambda a: a + 7}, "adj_matrix has a column index outside 0 to 7"),
    ({"adj_matrix_indices": lambda a: a - 1}, "column index outside"),
    ({"adj_matrix_indices": lambda a: a[:-1]}, "12 values for 11 indices"),
    ({"adj_matrix_indices": lambda a: a * 0}, "stores the same entry twice"),
    ({"adj_matrix_indices": lambda a: a + 0.5}, "must hold whole numbers, found float64"),
    ({"adj_matrix_indices": lambda a: a.astype(np.uint64) + np.uint64(2**63)}, "found uint64"),
    ({"adj_matrix_indptr": lambda a: a[::-1]}, "row pointers"),
    ({"adj_matrix_indptr": lambda a: a[:-1]}, "row pointers"),
    ({"adj_matrix_indptr": lambda a: np.maximum(a, 1)}, "row pointers"),
    ({"adj_matrix_indptr": lambda a: np.where(np.arange(len(a)) == 1, 11, a)}, "row pointers"),
    ({"adj_matrix_shape": lambda a: a[:1]}, "two counts"),
    ({"adj_matrix_shape": lambda a: -a}, "two counts"),
    ({"adj_matrix_shape": lambda a: a + np.array([0, 1])}, "make it square"),
    ({"adj_matrix_data": lambda a: a.astype(str)}, "must be numbers"),
    ({"adj_matrix_data": lambda a: a * np.nan}, "NaN"),
    ({"attr_matrix_data": lambda a: a * np.inf}, "infinite"),
    ({"attr_matrix_data": lambda a: a.astype(float) * 1e300}, "too large"),
    ({"attr_matrix_shape": lambda a: np.array([NODES, 2**30])}, "use fewer features"),
    ({"attr_matrix_shape": None}, r"lacks attr_matrix\.shape"),
    ({"labels": lambda a: a[:-1]}, r"labels must have the shape \(8,\), found \(7,\)"),
    ({"labels": lambda a: a.astype(float)}, "labels must hold whole numbers"),
    ({"labels": lambda a: a - 5}, "relabel the classes"),
    ({"labels": lambda a: a * 2}, "class 1 has no nodes"),
    ({"labels": lambda a: a * 2**62}, "class 1 has no nodes"),
    ({"labels": None}, "lacks labels"),
]


@pytest.mark.parametrize(("changes", "sentence"), BROKEN)
def test_broken_rows_are_refused(changes, sentence, tmp_path):
    path = write(tmp_path, broken("dots", **changes))
    with pytest.raises(DataError, match=f"mine.npz: .*{sentence}"):
        load_graph_file(path, **SPLIT)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"A": lambda a: a + 3}, "names node 8"),
        ({"A": lambda a: a.T}, r"A must have the shape \(2, n\), found \(12, 2\)"),
        ({"A": lambda a: np.concatenate([a, a], 1)}, "more than once"),
        ({"X": lambda a: a - 1}, "outside the features"),
        ({"X": lambda a: a + np.array([[1], [0]])}, "outside the features"),
        ({"X": lambda a: a + np.array([[0], [2**40]])}, "use fewer features"),
        ({"X": lambda a: a.ravel()}, "X must have the shape"),
        ({"X": lambda a: a.astype(complex)}, "whole numbers"),
        ({"y": lambda a: a[:, None]}, r"y must have the shape \(N,\)"),
        ({"y": lambda a: a[:5]}, "outside the features|names node"),
        ({"y": None}, "lacks y"),
    ],
)
def test_broken_positions_are_refused(changes, sentence, tmp_path):
    path = write(tmp_path, broken("positions", **changes))
    with pytest.raises(DataError, match=f"mine.npz: .*({sentence})"):
        load_graph_file(path, **SPLIT)


class Act:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_object_members_are_never_unpickled(tmp_path):
    trace = tmp_path / "trace"
    attack = np.array([Act(trace)], dtype=object)
    path = write(tmp_path, members("dots") | {"metadata": attack})
    load_graph_file(path, **SPLIT)  # a member that is not needed is not read
    path = write(tmp_path, members("dots") | {"labels": attack})
    with pytest.raises(DataError, match="member labels is damaged or not a plain array"):
        load_graph_file(path, **SPLIT)
    assert not trace.exists()


def test_what_does_not_fit_into_memory_is_refused_with_the_numbers(tmp_path, monkeypatch):
    """A small file may unpack to a thousand times its size; here the room is what makes it too large."""
    path = write(tmp_path, members("dots"))
    load_graph_file(path, **SPLIT)
    monkeypatch.setenv("GRAPHCERT_MEMORY", "1K")
    with pytest.raises(
        DataError, match=r"mine\.npz: its member .* would take .* GiB of memory, but .* GiB are allowed"
    ):
        load_graph_file(path, **SPLIT)


def test_a_header_that_claims_more_than_the_file_holds_is_refused(tmp_path):
    path = write(tmp_path, members("positions"))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (2, 2**58)})
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (contents | {"A.npy": header.getvalue()}).items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match="member A is damaged"):
        load_graph_file(path, **SPLIT)


def test_members_that_are_no_arrays_do_not_count(tmp_path):
    path = tmp_path / "mine.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("A", "X", "y"):
            archive.writestr(name, b"")
    with pytest.raises(DataError, match="none of the layouts"):
        load_graph_file(path)


@pytest.mark.parametrize("content", [b"", b"no archive", pytest.param(b"\x93NUMPY\x01\x00", id="npy")])
def test_what_is_no_npz_is_refused(content, tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"mine\.npz is not a readable npz file"):
        load_dataset(path)


def test_other_members_than_a_graph(tmp_path):
    with pytest.raises(DataError, match=r"mine\.npz: the file has none of the layouts adj_matrix"):
        load_dataset(write(tmp_path, {"votes": np.zeros(3)}))


def test_a_missing_file_and_an_unknown_option(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*absent\.npz; check the path"):
        load_dataset(tmp_path / "absent.npz")
    with pytest.raises(InputError, match="a file has no option nodes; it takes standardise, features, labels"):
        load_dataset(write(tmp_path, members("dots")), nodes=3)


WHOLE = io.BytesIO()
np.savez_compressed(WHOLE, **members("dots"))
WHOLE = WHOLE.getvalue()


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=3), st.integers(0, 4))
def test_damage_is_noticed_or_harmless(bytes_changed, cut):
    """Changed bytes or a missing tail give `DataError` or the unchanged graph, never another graph or error."""
    content = bytearray(WHOLE[: len(WHOLE) - cut])
    for position, value in bytes_changed:
        if position < len(content):
            content[position] = value
    try:
        graph = read_npz(io.BytesIO(bytes(content)), "damaged.npz")
    except DataError:
        return
    assert graph.edges.T.tolist() == np.argwhere(adjacency()).tolist()
    assert np.array_equal(graph.features, features())
    assert np.array_equal(graph.labels, LABELS)
