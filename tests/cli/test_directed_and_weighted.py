"""Directed and weighted graphs from files, on the command line, from training to the report."""

import json
import os
import re
import sys
import tomllib

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from typed import call

import graphcert as gc
from graphcert.data import data_fingerprint

SOURCE = """
import torch
from torch_geometric.nn import GATConv, GCNConv


class Net(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.first, self.second = GCNConv(features, 4), GCNConv(4, classes)

    def forward(self, x, edge_index, edge_weight=None):
        return self.second(self.first(x, edge_index, edge_weight).relu(), edge_index, edge_weight)


class Attributed(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.only = GATConv(features, classes, edge_dim=2)

    def forward(self, x, edge_index, edge_attr):
        return self.only(x, edge_index, edge_attr)
"""
SHORT = ["--training-option", "epochs=5", "--samples", "300", "--pilot-samples", "40"]
NOISE = ["--edge-add", "0.01", "--edge-delete", "0.4"]
KEPT = {name: ["--dataset-option", f"{name}=true"] for name in ("directed", "weights", "standardise")}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with a directed, a weighted and an attributed graph, and code of a user's."""
    folder = tmp_path_factory.mktemp("graphs")
    (folder / "weighing_models.py").write_text(SOURCE)
    graph = gc.load_dataset("synthetic", nodes=150, classes=3, features=12)
    rng = np.random.default_rng(0)
    one_way = graph.edge_index[:, torch.from_numpy(rng.random(graph.num_edges) < 0.7)]
    weight = torch.from_numpy(rng.uniform(0.5, 2.0, graph.num_edges).astype(np.float32))
    plain = {"x": graph.x, "edge_index": graph.edge_index, "y": graph.y}
    torch.save({**plain, "edge_index": one_way.flip(1)}, folder / "directed.pt")
    torch.save({**plain, "edge_weight": weight}, folder / "weighted.pt")
    torch.save({**plain, "edge_attr": weight[:, None] * torch.tensor([1.0, -1.0])}, folder / "attributed.pt")
    torch.save({**plain, "edge_index": one_way, "edge_weight": weight[: one_way.shape[1]].clone()}, folder / "both.pt")
    torch.save(plain, folder / "plain.pt")
    np.save(folder / "y.npy", graph.y.numpy())
    matrix = sp.coo_array((weight[: one_way.shape[1]].numpy(), one_way.numpy()), shape=(150, 150))
    sp.save_npz(folder / "both.npz", matrix.tocsr())
    return folder


@pytest.fixture
def here(files, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield files
    sys.modules.pop("weighing_models", None)


def test_a_directed_graph_from_file_to_report(here, tmp_path, run):
    out = tmp_path / "run"
    clusters = ["--clusters", "3", "--edge-add", "0.01", "--edge-delete", "0.3:0.6", "--collective", "none"]
    code, _, said = run("certify", "--dataset", "directed.pt", *KEPT["directed"], *clusters, *SHORT, "--out", out)
    assert code == 0, said
    data = gc.load_dataset("directed.pt", directed=True)
    votes = gc.Votes.load(out / "votes" / "votes.npz")
    assert votes.smoothing.directed
    assert votes.manifest["data"] == data_fingerprint(data)
    page = (out / "report.html").read_text()
    assert "directed edges" in page
    assert "undirected edges" not in page
    assert re.search(rf"directed edges</dt><dd>{data.num_edges:,}<", page)
    assert run("collective", out, "--edge-delete", "0:2", "--method", "lp")[0] == 0


def test_a_weighted_graph_with_a_model_of_ones_own_from_file_to_report(here, tmp_path, run):
    chain = ["certify", "--dataset", "weighted.pt", *KEPT["weights"], "--model", "weighing_models:Net", *NOISE, *SHORT]
    code, _, said = run(*chain, "--added-weight", "1.5", "--out", tmp_path / "run")
    assert code == 0, said
    data = gc.load_dataset("weighted.pt", weights=True)
    votes = gc.Votes.load(tmp_path / "run" / "votes" / "votes.npz")
    assert (votes.smoothing.added_weight, votes.smoothing.edge_values) == (1.5, "own")
    assert votes.manifest["data"] == data_fingerprint(data)
    from weighing_models import Net

    state = torch.load(tmp_path / "run" / "model.pt", weights_only=True)["state"]
    model = Net(12, 3).eval()
    model.load_state_dict(state)
    again = gc.sample_votes(model, data, gc.Smoothing(edges=gc.BernoulliFlip(0.01, 0.4), added_weight=1.5), 300, 40)
    assert np.array_equal(again.counts, votes.counts)
    assert tomllib.loads((tmp_path / "run" / "config.toml").read_text())["smoothing"]["added_weight"] == 1.5
    assert "weight of added edges" in (tmp_path / "run" / "report.html").read_text()
    code, _, said = run(*chain, "--added-weight", "2", "--out", tmp_path / "run")
    assert (code, "added_weight" in said) == (2, True), "another weight is another classifier"


def test_votes_are_about_the_weights_that_the_file_has_now(here, tmp_path, run):
    chain = ["--model", "weighing_models:Net", *NOISE, *SHORT, "--out", tmp_path / "run"]
    content = torch.load("weighted.pt", weights_only=True)
    torch.save(content, tmp_path / "mine.pt")
    assert run("certify", "--dataset", tmp_path / "mine.pt", *KEPT["weights"], *chain)[0] == 0
    content["edge_weight"][0] += 1
    torch.save(content, tmp_path / "mine.pt")
    code, _, said = run("certify", tmp_path / "run")
    assert code != 0
    assert "taken on another graph" in said


def test_attributes_and_directed_weights(here, tmp_path, run):
    added = ["--model", "weighing_models:Attributed", *NOISE, *SHORT, "--added-attr", "0.5,0"]
    code, _, said = run("certify", "--dataset", "attributed.pt", *KEPT["weights"], *added, "--out", tmp_path / "one")
    assert code == 0, said
    assert gc.Votes.load(tmp_path / "one" / "votes" / "votes.npz").smoothing.added_attr == (0.5, 0.0)
    kept = [*KEPT["weights"], *KEPT["directed"], "--model", "weighing_models:Net", *NOISE, *SHORT]
    fingerprints = []
    for name, files in (("both.pt", []), ("both.npz", ["--dataset-option", "labels=y.npy"])):
        code, _, said = run("certify", "--dataset", name, *files, *kept, "--out", tmp_path / name)
        assert code == 0, said
        votes = gc.Votes.load(tmp_path / name / "votes" / "votes.npz")
        assert votes.smoothing.directed
        assert votes.smoothing.reweighted
        fingerprints.append(json.loads((tmp_path / name / "manifest.json").read_text())["data"][24:])
    assert fingerprints[0] == fingerprints[1], "the same edges and weights, whatever file they come from"


OWN = ["--model", "weighing_models:Net", *NOISE]
REFUSED = {
    "directions": (["directed.pt", *NOISE], "directed=true.*standardise=True"),
    "weights": (["weighted.pt", *OWN], "edge_weight.*weights=true.*standardise=True"),
    "attributes": (["attributed.pt", *OWN], "edge_attr.*weights=true.*standardise=True"),
    "directions of weighted edges": (["both.pt", *KEPT["weights"], *OWN], "directed.*directed=true"),
    "no directions": (["plain.pt", *KEPT["directed"], *NOISE], "leave directed out"),
    "no directions by name": (["digits", *KEPT["directed"], *NOISE], "digits have no directions"),
    "no weights": (["plain.pt", *KEPT["weights"], *OWN], "leave weights out"),
    "kept and dropped": (["weighted.pt", *KEPT["weights"], *KEPT["standardise"], *OWN], "leave one of them out"),
    "no truth value": (["plain.pt", "--dataset-option", "directed=1", *NOISE], "directed is true or false"),
    "a model without weights": (["weighted.pt", *KEPT["weights"], *NOISE], "gcn is shown nothing.*package.module"),
    "no attributes for a model": (["plain.pt", "--model", "weighing_models:Attributed", *NOISE], "needs edge_attr"),
    "a weight of nothing": (["plain.pt", *OWN, "--added-weight", "1"], "leave added_weight out"),
    "attributes of nothing": (["plain.pt", *OWN, "--added-attr", "1"], "leave added_attr out"),
    "a weight of no additions": (
        ["weighted.pt", *KEPT["weights"], *OWN[:2], "--edge-delete", "0.4", "--added-weight", "2"],
        "this noise adds none; give --edge-add",
    ),
    "no numbers": (["attributed.pt", *KEPT["weights"], *OWN, "--added-attr", "a"], "numbers between commas"),
    "directions without noise": (["plain.pt", "--add", "0.1", "--directed"], "give --edge-delete"),
    "unstated attributes": (
        ["attributed.pt", *KEPT["weights"], "--model", "weighing_models:Attributed", *NOISE],
        "say what they carry",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_one_sentence(name, here, tmp_path, run):
    words, sentence = REFUSED[name]
    code, out, said = run("certify", "--dataset", *words, *SHORT, "--out", tmp_path / "run")
    assert (code != 0, out) == (True, "")
    assert re.search(sentence, said.splitlines()[-1]), said
    assert not (tmp_path / "run" / "model.pt").exists()


def test_undirected_edges_may_be_noised_direction_by_direction(here, tmp_path, run):
    assert run("certify", "--dataset", "plain.pt", *NOISE, *SHORT, "--directed", "--out", tmp_path / "run")[0] == 0
    assert gc.Votes.load(tmp_path / "run" / "votes" / "votes.npz").smoothing.directed
    assert "directed edges" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.skipif("GRAPHCERT_DATA" not in os.environ, reason="needs data files")
def test_links_between_web_pages_keep_their_directions(tmp_path):
    chain = ["--dataset", "wisconsin", *KEPT["directed"], *NOISE, *SHORT]
    assert call("certify", *chain, "--samples", "200", "--out", tmp_path / "run") == 0
    data = gc.load_dataset("wisconsin", directed=True)
    assert data.num_edges == 499, "515 links without loops and repetitions"
    assert gc.Votes.load(tmp_path / "run" / "votes" / "votes.npz").smoothing.directed
    assert "directed edges</dt><dd>499<" in (tmp_path / "run" / "report.html").read_text()
