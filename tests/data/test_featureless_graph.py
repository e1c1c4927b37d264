"""A graph without features gets the identity: every node a feature of its own."""

import numpy as np
import pytest
import torch
from test_npz_graph import EDGES, LABELS, NODES, SPLIT, adjacency, members, write
from torch_geometric.data import Data

import graphcert as gc
from graphcert.data import load_graph_file, validate
from graphcert.errors import DataError
from graphcert.models import Training
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import DatasetConfig, RunConfig
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig


def without_features(layout):
    return {name: array for name, array in members(layout).items() if name != "X" and not name.startswith("attr")}


@pytest.mark.parametrize("layout", ["positions", "dots", "underscores"])
def test_every_layout_without_features_gets_the_identity(layout, tmp_path):
    data = load_graph_file(write(tmp_path, without_features(layout)), **SPLIT)
    validate(data)
    assert data.featureless
    assert torch.equal(data.x, torch.eye(NODES))
    assert data.edge_index.T.tolist() == np.argwhere(adjacency()).tolist()
    assert data.y.tolist() == LABELS.tolist()


def test_the_identity_is_that_of_the_nodes_that_are_kept(tmp_path):
    data = load_graph_file(write(tmp_path, without_features("dots")), largest_component=True, **SPLIT)
    assert torch.equal(data.x, torch.eye(6))


def test_directed_links_loops_and_weights_are_brought_into_standard_form(tmp_path):
    """As political blogs are stored: one direction of every link, a loop, a stored 2."""
    links = np.triu(adjacency())
    links[6, 6], links[EDGES[0]] = 1, 2
    arrays = {name: array for name, array in members("dots", links=links).items() if not name.startswith("attr")}
    path = write(tmp_path, arrays)
    with pytest.raises(DataError, match="the edges have edge_weight"):
        load_graph_file(path, **SPLIT)
    data = load_graph_file(path, standardise=True, **SPLIT)
    assert data.edge_index.T.tolist() == np.argwhere(adjacency()).tolist()
    assert torch.equal(data.x, torch.eye(NODES))


def test_features_in_part_are_damage_and_no_graph_without_features(tmp_path):
    arrays = members("dots")
    del arrays["attr_matrix.indptr"]
    with pytest.raises(DataError, match=r"lacks attr_matrix\.indptr"):
        load_graph_file(write(tmp_path, arrays), **SPLIT)


def test_too_many_nodes_for_an_identity_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("graphcert.data.raw.MAX_DENSE_BYTES", 4 * NODES * NODES - 1)
    with pytest.raises(DataError, match="8 nodes with 8 features each do not fit"):
        load_graph_file(write(tmp_path, without_features("positions")), **SPLIT)


def test_data_without_x_are_told_the_line():
    data = Data(edge_index=torch.tensor(adjacency()).nonzero().T, num_nodes=NODES)
    with pytest.raises(DataError, match=r"data\.x = torch\.eye\(data\.num_nodes\)"):
        validate(data)


def test_a_run_says_so_and_certifies_edges(tmp_path, caplog):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    links = np.triu(rng.random((40, 40)) < np.where(labels[:, None] == labels, 0.4, 0.02), 1)
    arrays = {"A": np.stack(np.nonzero(links | links.T)), "y": labels}
    caplog.set_level("INFO", "graphcert")
    config = RunConfig(
        SmoothingConfig(RatesConfig(0, 0), RatesConfig(0, 0.2)),
        dataset=DatasetConfig(str(write(tmp_path, arrays)), {"per_class_train": 8, "per_class_validation": 4}),
        training=Training(epochs=60),
    )
    run = Run(tmp_path / "run")
    run.train(config)
    assert any("no features" in line and "--edge-delete" in line for line in caplog.messages)
    votes = run.sample(1000, 100).votes
    certificate = gc.certify(votes, targets=run.load_data(config).test_mask.numpy())
    assert certificate.certified_ratio(gc.Budget(edge_delete=1)) > 0.5
