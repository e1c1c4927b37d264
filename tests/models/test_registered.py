"""What a user registers goes through training, checkpoints, votes and the command line like what the package brings."""

import json

import numpy as np
import pytest
import torch
from outside_models import NeighbourMean, register, two_rings
from torch import nn
from typer.testing import CliRunner

import graphcert as gc
from graphcert.cli import app
from graphcert.data import REGISTRY, data_fingerprint, describe_datasets
from graphcert.errors import DataError, InputError, ModelError
from graphcert.models import MODELS, SparseFirstModel, build_model, load_model, message_passing, save_model
from graphcert.run.nodes import Run


@pytest.fixture(autouse=True)
def forgotten():
    """The user's names, for the length of a test."""
    before = set(MODELS), set(REGISTRY)
    register()
    yield
    for names, known in zip((MODELS, REGISTRY), before, strict=True):
        for name in set(names) - known:
            del names[name]


def command(*words):
    result = CliRunner().invoke(app, list(words))
    assert result.exit_code == 0, result.output
    return result.output


def test_the_whole_chain_runs_through_the_command_line(tmp_path):
    out = tmp_path / "run"
    chain = ["certify", "--dataset", "two_rings", "--model", "neighbour_mean", "--add", "0.05", "--delete", "0.05"]
    options = ["--dataset-option", "size=50", "--dataset-option", "per_class_train=10", "--samples", "400"]
    options += ["--dataset-option", "per_class_validation=10", "--pilot-samples", "50"]
    command(*chain, *options, "--training-option", "epochs=60", "--model-option", "sharpness=3.0", "--out", str(out))
    certificate = json.loads((out / "certificate.json").read_text())
    assert certificate["claims"] == 60
    command("collective", str(out), "--add", "0:2", "--receptive-field")
    assert isinstance(load_model(out / "model.pt"), NeighbourMean)
    assert "two_rings" in command("datasets")
    again = Run(out)
    assert data_fingerprint(again.load_data(again.load_config())) == data_fingerprint(two_rings(size=50))


def test_stages_run_through_python(tmp_path):
    data = gc.load_dataset("two_rings", per_class_train=10, per_class_validation=10, size=40)
    assert (data.x.shape, data.classes, data.name) == ((80, 12), 2, "two_rings")
    model = build_model("neighbour_mean", 12, 2, sharpness=4.0).eval()
    save_model(model, tmp_path / "model.pt", "neighbour_mean", 12, 2, sharpness=4.0)
    again = load_model(tmp_path / "model.pt")
    assert torch.equal(model(data.x, data.edge_index), again(data.x, data.edge_index))
    noise = gc.Smoothing(features=gc.BernoulliFlip(0.02, 0.02))
    votes = gc.sample_votes(again, data, noise, 200, 20, workers=1)
    assert votes.manifest["path"] == "lazy"
    assert gc.certify(votes, alpha=0.05).robust(add=0, delete=0).shape == (80,)


def test_names_that_are_taken_are_refused():
    for name in ("gcn", "neighbour_mean"):
        with pytest.raises(InputError, match=f"there is a model '{name}' already"):
            gc.register_model(name, NeighbourMean)
    for name in ("digits", "two_rings"):
        with pytest.raises(InputError, match=f"there is a data set '{name}' already"):
            gc.register_dataset(name, two_rings)
    assert MODELS["gcn"] is not NeighbourMean


@pytest.mark.parametrize("name", ["", "a/b", "graph.npz", 3])
def test_names_that_are_none_are_refused(name):
    with pytest.raises(InputError, match="is registered by a name"):
        gc.register_dataset(name, two_rings)
    with pytest.raises(InputError, match="is registered by a name"):
        gc.register_model(name, NeighbourMean)


def test_missing_pieces_are_refused_by_name(tmp_path):
    class Silent(SparseFirstModel):
        def __init__(self, features, classes):
            super().__init__()

    with pytest.raises(InputError, match=r"does not state .*normalisation"):
        gc.register_model("silent", Silent)
    with pytest.raises(InputError, match=r"built as builder\(features, classes"):
        gc.register_model("other", lambda width: nn.Linear(width, 2))
    gc.register_model("plain", lambda features, classes: nn.Linear(features, classes))
    with pytest.raises(ModelError, match="does not state layers and normalisation"):
        message_passing(build_model("plain", 3, 2))
    gc.register_model("nothing", lambda features, classes: None)
    with pytest.raises(InputError, match=r"must return a torch\.nn\.Module, got NoneType"):
        build_model("nothing", 3, 2)
    save_model(build_model("plain", 3, 2), tmp_path / "model.pt", "plain", 3, 2)
    del MODELS["plain"]
    with pytest.raises(DataError, match=r"holds the model 'plain', which is none of .*register_model"):
        load_model(tmp_path / "model.pt")


def changed(**parts):
    def load():
        data = two_rings()
        for name, value in parts.items():
            setattr(data, name, value)
        return data

    return load


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        (lambda: 3, "must return a torch_geometric.data.Data, got int"),
        (changed(y=None), "has no y"),
        (changed(x=torch.full((120, 2), torch.nan)), "NaN"),
        (changed(edge_index=torch.tensor([[0], [1]])), r"directed.*or keep directions with directed=True"),
        (changed(edge_weight=torch.ones(240)), "the edges have edge_weight.*weights=True"),
        (changed(edge_type=torch.ones(240)), "has edge_type"),
        (changed(train_mask=torch.ones(120, dtype=torch.bool)), "lacks val_mask, test_mask"),
        (changed(classes=1), "data.y names class 1"),
    ],
)
def test_a_graph_of_a_user_is_checked(loader, message):
    gc.register_dataset("mine", loader)
    with pytest.raises(DataError, match=f"^the data set mine: .*{message}"):
        gc.load_dataset("mine")


def test_real_features_and_masks_are_kept():
    masks = {name: torch.arange(120) % 3 == k for k, name in enumerate(("train_mask", "val_mask", "test_mask"))}
    x = torch.linspace(-1, 1, 240).reshape(120, 2)
    gc.register_dataset("mine", changed(x=x, **masks))
    data = gc.load_dataset("mine")
    assert torch.equal(data.x, x)
    assert all(torch.equal(data[name], mask) for name, mask in masks.items())
    assert np.array_equal(data.y, two_rings().y)


def test_directions_and_weights_are_kept_on_request():
    graph = two_rings()
    edges, weight, attr = (
        graph.edge_index[:, 1:],
        torch.arange(1.0, graph.num_edges),
        torch.ones(graph.num_edges - 1, 2),
    )
    gc.register_dataset("mine", changed(edge_index=edges, edge_weight=weight, edge_attr=attr))
    data = gc.load_dataset("mine", directed=True, weights=True)
    kept = {(*edge, w) for *edge, w in zip(*data.edge_index.tolist(), data.edge_weight.tolist(), strict=True)}
    assert kept == {(*edge, w) for *edge, w in zip(*edges.tolist(), weight.tolist(), strict=True)}
    assert torch.equal(data.edge_attr, attr)
    gc.register_dataset("asking", lambda directed: changed(edge_index=edges)() if directed else two_rings())
    assert gc.load_dataset("asking").is_undirected()
    assert gc.load_dataset("asking", directed=True).num_edges == edges.shape[1]
    with pytest.raises(InputError, match=r"two_rings: every edge has its reverse.*leave directed out"):
        gc.load_dataset("two_rings", directed=True)


def test_options_are_those_of_the_loader():
    with pytest.raises(InputError, match="two_rings has no option degree; it takes size"):
        gc.load_dataset("two_rings", degree=3)
    (row,) = [row for row in describe_datasets() if row.name == "two_rings"]
    assert (row.where, row.licence, row.nodes) == ("registered", "none needed", None)
