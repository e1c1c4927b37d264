"""The Planetoid layout on a graph small enough to read."""

import pickle
from collections import defaultdict

import numpy as np
import pytest
import scipy.sparse as sp

from graphcert.data.planetoid import PARTS, read_planetoid
from graphcert.errors import DataError

WRITTEN = {
    "allx": [[1, 0, 0], [0, 1, 0]],
    "ally": [[1, 0], [0, 1]],
    "tx": [[0, 0, 1], [1, 1, 1]],
    "ty": [[0, 1], [1, 0]],
    "graph": {0: [1, 1, 4], 1: [0, 1], 2: [0], 3: [], 4: [2]},
    "test.index": [4, 2],  # in the order of the rows of tx; node 3 is in no other file
}


def payloads(**changes):
    contents = WRITTEN | {name.replace("test_index", "test.index"): value for name, value in changes.items()}
    return {
        **{part: pickle.dumps(sp.csr_matrix(np.array(contents[part], np.float32)), 3) for part in ("allx", "tx")},
        **{part: pickle.dumps(np.array(contents[part], np.int32), 3) for part in ("ally", "ty")},
        "graph": pickle.dumps(defaultdict(list, contents["graph"]), 2),
        "test.index": "\n".join(map(str, contents["test.index"])).encode(),
    }


def test_rows_land_at_their_nodes_and_missing_nodes_stay_unlabelled():
    graph = read_planetoid(payloads())
    assert graph.features.tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 1]]
    assert graph.labels.tolist() == [0, 1, 0, -1, 1]
    assert graph.classes == 2
    assert graph.edges.T.tolist() == [[0, 1], [0, 1], [0, 4], [1, 0], [1, 1], [2, 0], [4, 2]]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test_index": [4, 4]}, "repeats a node"),
        ({"test_index": [4, 1]}, "repeats a node"),
        ({"test_index": [4, 5]}, "outside the graph"),
        ({"test_index": [4, -1]}, "outside the graph"),
        ({"test_index": [4]}, "test.index and ty differ"),
        ({"test_index": [4, "two"]}, "test.index: it must hold one node number per line"),
        ({"ally": [[1, 0]]}, "differ in their number of nodes"),
        ({"ally": [[1, 0, 0], [0, 1, 0]]}, "one column per class"),
        ({"ally": [1, 0]}, "one column per class"),
        ({"ally": [[1, 1], [0, 1]]}, "more than one class"),
        ({"ally": [[2, -1], [0, 1]]}, "more than one class"),
        ({"tx": [[0, 1], [1, 1]]}, "number of features"),
        ({"graph": {0: [1], 1: [], 2: [], 4: [], 5: []}}, "without gaps"),
        ({"graph": {0: [7], 1: [], 2: [], 3: [], 4: []}}, "neighbour that it does not list"),
        ({"graph": {0: [], 1: []}}, "outside the graph"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(changes, sentence):
    with pytest.raises(DataError, match=sentence):
        read_planetoid(payloads(**changes))


@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_file_is_named(part):
    with pytest.raises(DataError, match=f"^{part}: "):
        read_planetoid(payloads() | {part: b"\x80\x02 no pickle"})
