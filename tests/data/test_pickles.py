"""Pickles can act when they are read; ours must not be able to."""

import os
import pickle
from collections import OrderedDict, defaultdict

import numpy as np
import pytest
import scipy.sparse as sp

from graphcert.data.planetoid import unpickle_array, unpickle_csr, unpickle_neighbours
from graphcert.errors import DataError

READERS = (unpickle_array, unpickle_csr, unpickle_neighbours)


class Act:
    """A pickle of this runs `function(*arguments)` when it is loaded without care."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def python_2_array(raw, kind=b"i4", order=b"<", shape=b"K\x03", fortran=b"\x89"):
    """The bytes that Python 2 wrote for a one-dimensional array of 3 numbers."""

    def short(text):
        return b"U" + bytes([len(text)]) + text

    return (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + short(b"b") + b"\x87R"
        b"(K\x01" + shape + b"\x85cnumpy\ndtype\n" + short(kind) + b"K\x00K\x01\x87R"
        b"(K\x03" + short(order) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb" + fortran + short(raw) + b"tb."
    )


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("read", READERS)
def test_a_pickle_that_would_run_a_command_is_refused_and_does_not_run(read, protocol, tmp_path):
    trace = tmp_path / "trace"
    payload = pickle.dumps(Act(os.system, f"touch {trace}"), protocol)
    with pytest.raises(DataError, match=r"asks for \w+\.system, which is never unpickled"):
        read(payload)
    assert not trace.exists()
    pickle.loads(payload)  # the attack is real: an ordinary reader runs it
    assert trace.exists()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    "thing",
    [
        Act(eval, "1 + 1"),
        Act(getattr, "", "join"),
        Act(np.load, "file"),
        Act(__import__, "os"),
        OrderedDict(a=1),
        np.array([Act(print, "x")], dtype=object),
        np.float64(1.0),
        defaultdict(dict),
        sp.csc_matrix(np.eye(2)),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_every_other_name_is_refused(read, thing):
    with pytest.raises(DataError, match=r"asks for \S+, which is never unpickled"):
        read(pickle.dumps(thing, 3))


def test_an_attack_hidden_inside_an_admitted_container_is_refused(tmp_path):
    trace = tmp_path / "trace"
    lists = defaultdict(list, {0: [1], 1: [Act(os.mkdir, str(trace))]})
    with pytest.raises(DataError, match="mkdir"):
        unpickle_neighbours(pickle.dumps(lists, 2))
    assert not trace.exists()


@pytest.mark.parametrize("kind", ["i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_plain_arrays_are_read_exactly(kind, order):
    for array in (np.arange(6), np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))):
        read = unpickle_array(pickle.dumps(array.astype(order + kind), 3))
        assert np.array_equal(read, array)
        assert read.dtype == np.dtype(kind)
        assert read.flags.writeable


def test_python_2_bytes_are_read_exactly():
    numbers = np.array([1, -2, 2**31 - 1], "<i4")
    payload = python_2_array(numbers.tobytes())
    assert np.array_equal(pickle.loads(payload, encoding="latin1"), numbers)
    assert np.array_equal(unpickle_array(payload), numbers)


@pytest.mark.parametrize(
    "payload",
    [
        python_2_array(bytes(12), kind=b"O8", order=b"|"),
        python_2_array(bytes(12), kind=b"V4", order=b"|"),
        python_2_array(bytes(12), order=b"xx"),
        python_2_array(bytes(11)),
        python_2_array(bytes(12), shape=b"K\x04"),
        python_2_array(bytes(12), shape=b"J\xff\xff\xff\x7f"),
        pickle.dumps([1, 2, 3], 2),
        pickle.dumps(np.array(["a"]), 3),
        pickle.dumps(defaultdict(list), 2),
        b"\x80\x02cnumpy\nndarray\n.",
        b"\x80\x02cnumpy\nndarray\n)R.",
    ],
)
def test_what_is_no_plain_array_is_refused(payload):
    with pytest.raises(DataError, match="plain array"):
        unpickle_array(payload)


def test_sparse_matrices_are_read_exactly():
    matrix = sp.random(7, 5, 0.4, "csr", rng=np.random.default_rng(0), dtype=np.float32)
    read = unpickle_csr(pickle.dumps(sp.csr_matrix(matrix), 3))
    assert np.array_equal(read.features(), matrix.toarray())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda state: state.update(indices=np.array([0, 9], np.int32)), "column index outside 0 to 2"),
        (lambda state: state.update(indices=np.array([0, -1], np.int32)), "column index outside 0 to 2"),
        (lambda state: state.update(indptr=np.array([0, 2, 1], np.int32)), "row pointers"),
        (lambda state: state.update(indptr=np.array([0, 1, 1], np.int32)), "row pointers"),
        (lambda state: state.update(_shape=(2, 3, 4)), "two counts"),
        (lambda state: state.update(_shape=(2**40, 3)), "two counts"),
        (lambda state: state.update(_shape="ab"), "lacks a part"),
        (lambda state: state.update(data=[1, 2]), "plain array"),
        (lambda state: state.pop("indptr"), "lacks a part"),
    ],
)
def test_a_sparse_matrix_that_lies_is_refused(change, sentence):
    matrix = sp.csr_matrix(np.array([[1.0, 0, 0], [0, 0, 1]], np.float32))
    change(matrix.__dict__)
    with pytest.raises(DataError, match=sentence):
        unpickle_csr(pickle.dumps(matrix, 3))


@pytest.mark.parametrize("lists", [[], {0: 1}, {0: ["a"]}, {"a": [0]}, {0: [True]}, {0: [1.0]}])
def test_what_is_no_neighbour_list_is_refused(lists):
    with pytest.raises(DataError, match="lists of neighbours"):
        unpickle_neighbours(pickle.dumps(lists, 2))


def test_neighbour_lists_are_read_exactly():
    lists = defaultdict(list, {0: [1, 1], 1: [0, 2], 2: []})
    assert unpickle_neighbours(pickle.dumps(lists, 2)) == lists


@pytest.mark.parametrize("read", READERS)
def test_truncated_pickles_are_damaged(read):
    payload = pickle.dumps(sp.csr_matrix(np.eye(3, dtype=np.float32)), 3)
    for length in range(len(payload)):
        with pytest.raises(DataError, match="published file"):
            read(payload[:length])
