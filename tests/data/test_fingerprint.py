"""The fingerprint names the graph and nothing but the graph."""

import pytest
import torch
from torch_geometric.data import Data

from graphcert.data import data_fingerprint
from graphcert.errors import DataError

X = torch.tensor([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
EDGES = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
Y = torch.tensor([0, 1, 1])


def test_order_masks_and_names_do_not_matter():
    name = data_fingerprint(Data(x=X, edge_index=EDGES, y=Y))
    assert len(name) == 64
    assert set(name) <= set("0123456789abcdef")
    assert data_fingerprint(Data(x=X, edge_index=EDGES[:, [3, 1, 0, 2]], y=Y, name="other")) == name
    assert data_fingerprint(Data(x=X, edge_index=EDGES, y=Y, train_mask=Y == 0)) == name


def test_every_part_of_the_graph_matters():
    flipped = X.clone()
    flipped[2, 0] = 1
    graphs = [
        Data(x=X, edge_index=EDGES, y=Y),
        Data(x=flipped, edge_index=EDGES, y=Y),
        Data(x=X * 0.5, edge_index=EDGES, y=Y),
        Data(x=X * 0.25, edge_index=EDGES, y=Y),
        Data(x=torch.zeros(3, 2), edge_index=EDGES, y=Y),
        Data(x=torch.zeros(3, 1), edge_index=EDGES, y=Y),  # the same packed bits
        Data(x=X, edge_index=EDGES[:, :2], y=Y),
        Data(x=X, edge_index=torch.tensor([[0, 1, 0, 2], [1, 0, 2, 0]]), y=Y),
        Data(x=X, edge_index=EDGES, y=torch.tensor([0, 1, 0])),
        Data(x=X, edge_index=EDGES),
    ]
    assert len({data_fingerprint(graph) for graph in graphs}) == len(graphs)


def test_what_is_no_graph_has_no_fingerprint():
    with pytest.raises(DataError, match="self-loop"):
        data_fingerprint(Data(x=X, edge_index=torch.tensor([[0], [0]]), y=Y))


def test_directions_weights_and_attributes_are_part_of_the_edges():
    number = EDGES.shape[1]
    graphs = [
        Data(x=X, edge_index=EDGES, y=Y),
        Data(x=X, edge_index=EDGES[:, :3], y=Y),
        Data(x=X, edge_index=EDGES, y=Y, edge_weight=torch.ones(number)),
        Data(x=X, edge_index=EDGES, y=Y, edge_attr=torch.ones(number)),
        Data(x=X, edge_index=EDGES, y=Y, edge_attr=torch.ones(number, 1)),
        Data(x=X, edge_index=EDGES, y=Y, edge_weight=torch.arange(number).float()),
    ]
    names = [data_fingerprint(graph) for graph in graphs]
    assert len(set(names)) == len(graphs)
    assert {(name[:24], name[48:]) for name in names} == {(names[0][:24], names[0][48:])}
    assert data_fingerprint(graphs[-1], ignore=["edge_weight"]) == names[0]
    order = torch.arange(number).flip(0)
    assert (
        data_fingerprint(graphs[-1].update({"edge_index": EDGES[:, order], "edge_weight": order.float()})) == names[-1]
    )
