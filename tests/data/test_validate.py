"""Strict checks of a user's graph: each fault alone is found and named."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from graphcert.data import check_binary_features, check_features, check_undirected, validate
from graphcert.errors import DataError


def path_graph(**changes):
    """0 – 1 – 2 with binary features and labels; `changes` replace parts."""
    parts = {
        "x": torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]),
        "edge_index": torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
        "y": torch.tensor([0, 1, -1]),
        "train_mask": torch.tensor([True, False, False]),
        "classes": 2,
    }
    return Data(**(parts | changes))


def test_a_good_graph_passes():
    validate(path_graph())
    validate(path_graph(y=None, train_mask=None))
    validate(path_graph(edge_index=torch.empty(2, 0, dtype=torch.int64)))


def test_real_features_pass_only_where_they_are_admitted():
    real = path_graph(x=torch.full((3, 2), 0.5))
    validate(real, binary=False)
    with pytest.raises(DataError, match=r"binary features, but data\.x\[0, 0\] is 0\.5"):
        validate(real)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"x": None}, "is missing; .*torch.eye"),
        ({"x": torch.zeros(3)}, "shape"),
        ({"x": torch.eye(3).to_sparse(1)}, "a sparse CSR tensor"),
        ({"x": torch.zeros(3, 2, dtype=torch.float64)}, r"float32, found torch\.float64"),
        ({"x": torch.zeros(3, 2, dtype=torch.bool)}, "float32"),
        ({"x": torch.tensor([[0.0], [float("nan")], [1.0]])}, "NaN or infinite"),
        ({"x": torch.tensor([[0.0], [float("inf")], [1.0]])}, "NaN or infinite"),
        ({"x": torch.tensor([[0.0], [1.0], [-1.0]])}, r"data\.x\[2, 0\] is -1"),
        ({"x": torch.tensor([[0.0], [1.0], [1.0000001]])}, r"binary features, but data\.x\[2, 0\]"),
        ({"edge_index": None}, "shape"),
        ({"edge_index": torch.zeros(3, 4, dtype=torch.int64)}, "shape"),
        ({"edge_index": torch.zeros(2, 2, dtype=torch.int32)}, r"int64, found torch\.int32"),
        ({"edge_index": torch.tensor([[0, 3], [3, 0]])}, "names node 3, but the nodes are 0 to 2"),
        ({"edge_index": torch.tensor([[0, -1], [-1, 0]])}, "names node -1"),
        ({"edge_index": torch.tensor([[0, 1, 2], [1, 0, 2]])}, "self-loop at node 2"),
        ({"edge_index": torch.tensor([[0, 1, 0], [1, 0, 1]])}, "edge 0 → 1 is listed more than once"),
        ({"edge_index": torch.tensor([[0, 1, 1], [1, 0, 2]])}, "directed: the edge 1 → 2 lacks its reverse"),
        ({"y": torch.zeros(2, dtype=torch.int64)}, r"data\.y must be an int64 tensor of shape \(3,\)"),
        ({"y": torch.zeros(3)}, r"data\.y must be an int64 .* found torch\.float32"),
        ({"y": [0, 1, 1]}, "found list"),
        ({"y": torch.tensor([0, 1, -2])}, "-1 for a node without a label"),
        ({"y": torch.tensor([0, 1, 2])}, r"names class 2 but data\.classes is 2"),
        ({"train_mask": torch.tensor([0, 1])}, r"train_mask must be a boolean tensor of shape \(3,\)"),
        ({"test_mask": torch.eye(3) > 0}, r"test_mask holds 3 splits; choose one.*data\.test_mask\[:, split\]"),
        ({"test_mask": [True, True, True]}, "test_mask must be a boolean tensor"),
    ],
)
def test_each_fault_is_named(changes, sentence):
    with pytest.raises(DataError, match=sentence):
        validate(path_graph(**changes))


@given(st.integers(2, 8).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_accepts_exactly_the_simple_undirected_graphs(case):
    nodes, pairs = case
    edges = torch.tensor(sorted(pairs), dtype=torch.int64).reshape(-1, 2).T
    good = all(u != v and (v, u) in pairs for u, v in pairs)
    if good:
        check_undirected(edges, nodes)
    else:
        with pytest.raises(DataError):
            check_undirected(edges, nodes)
    simple = to_undirected(edges[:, edges[0] != edges[1]], num_nodes=nodes)
    check_undirected(simple, nodes)


def test_feature_checks_stand_alone():
    check_features(torch.tensor([[0.5]]))
    check_binary_features(torch.tensor([[-0.0, 1.0]]))
    with pytest.raises(DataError, match="binary"):
        check_binary_features(torch.tensor([[0.5]]))


def test_messages_are_one_line():
    for changes in ({"x": torch.full((3, 2), 0.5)}, {"edge_index": torch.tensor([[0], [1]])}):
        with pytest.raises(DataError) as caught:
            validate(path_graph(**changes))
        assert "\n" not in str(caught.value)
