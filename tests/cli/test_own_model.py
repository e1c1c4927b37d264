"""A model that code of the user's makes, from a factory on the command line to a report."""

import importlib
import json
import os
import pickle
import re
import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typed import call

import graphcert as gc

SOURCE = """
import pathlib

import torch
from mine_layers import GCNConv

pathlib.Path(__file__).with_name("ran").touch()


class Net(torch.nn.Module):
    def __init__(self, features, classes, hidden=4):
        super().__init__()
        self.first, self.second = GCNConv(features, hidden), GCNConv(hidden, classes)

    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index).relu(), edge_index)


def build(features, classes, hidden=4):
    return Net(features, classes, hidden)


def trained():
    torch.manual_seed(3)
    return Net(12, 3)


def lazy(classes):
    model = Net(1, classes)
    model.first = GCNConv(-1, 4)
    return model


class OfData(Net):
    def forward(self, data):
        return {"logits": super().forward(data.x, data.edge_index)}


def function(features, classes):
    net = Net(features, classes)
    return lambda data: (0, net(data.x, data.edge_index))


def weightless():
    return lambda x, edge_index: x[:, :3]


def needs(features, classes, width): ...


def broken():
    return 1 / 0


def leaving():
    raise SystemExit(0)


def nothing(): ...


def narrow(features):
    return Net(features, 2)


def double(features, classes):
    return Net(features, classes).double()


number = 3
"""
GRAPH = {"nodes": 180, "classes": 3, "features": 12}
DATA = ["--dataset", "synthetic", *(word for key in GRAPH for word in ("--dataset-option", f"{key}={GRAPH[key]}"))]
NOISE = ["--add", "0.05", "--delete", "0.3"]
SHORT = ["--training-option", "epochs=5"]
VOTES = ["--samples", "400", "--pilot-samples", "40"]


def forget(folder):
    """Let modules of this folder be imported anew, as by another process."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture(scope="module", autouse=True)
def paths():
    before = list(sys.path)
    yield
    sys.path[:] = before


def write_project(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine_models.py").write_text(SOURCE)
    (folder / "mine_layers.py").write_text("from torch_geometric.nn import GCNConv\n")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of code, which is the current one."""
    folder = write_project(tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "project" not in entry])
    yield folder
    forget(folder)


def imported(project):
    """The module of the project."""
    sys.path.insert(0, str(project))
    try:
        return importlib.import_module("mine_models")
    finally:
        sys.path.remove(str(project))


@pytest.fixture
def run(run, project):
    """A command in a process of its own, as far as code of the user's goes; says whether that ran too."""

    def called(*words):
        (project / "ran").unlink(missing_ok=True)
        forget(project)
        return (*run(*words), (project / "ran").exists())

    return called


@pytest.fixture
def finished(project, run):
    """The folder of a run of `mine_models:build`."""
    words = "--model", "mine_models:build", "--model-option", "hidden=5"
    assert run("certify", *DATA, *NOISE, *SHORT, *VOTES, *words, "--out", "run")[0] == 0
    return project / "run"


def test_the_whole_chain_says_what_code_and_source_it_used(finished, run):
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["factory"] == "mine_models:build"
    assert set(manifest["sources"]) == {"mine_models", "mine_layers"}
    page = (finished / "report.html").read_text()
    assert "mine_models:build on synthetic" in page
    assert all(one["sha256"] in page and one["file"] in page for one in manifest["sources"].values())
    assert tomllib.loads((finished / "config.toml").read_text())["model"]["factory"] == "mine_models:build"
    code, _, said, ran = run("sample", finished, *VOTES, "--model", "mine_models:build")
    assert (code, ran) == (0, True), said


def test_votes_are_those_of_the_same_module_in_python(project, run):
    models = imported(project)
    model = models.trained().eval()
    torch.save(model.state_dict(), "w.pt")
    assert run("train", *DATA, *NOISE, "--model", "mine_models:build", "--weights", "w.pt", "--out", "run")[0] == 0
    assert run("sample", "run", *VOTES, "--model", "mine_models:build")[0] == 0
    data = gc.load_dataset("synthetic", **GRAPH)
    smoothing = gc.Smoothing(features=gc.BernoulliFlip(0.05, 0.3))
    ours = gc.Votes.load(project / "run" / "votes" / "votes.npz", smoothing)
    theirs = gc.sample_votes(model, data, smoothing, 400, 40, seed=0)
    assert np.array_equal(ours.counts, theirs.counts)
    assert np.array_equal(ours.labels, theirs.labels)


@pytest.mark.parametrize("form", ["lightning", "parameters", "compiled"])
def test_weights_come_in_several_forms(form, project, run):
    models = imported(project)
    state = models.trained().state_dict()
    content = {
        "lightning": {"state_dict": {f"model.{name}": value for name, value in state.items()}},
        "parameters": {name: nn.Parameter(value) for name, value in state.items()},
        "compiled": {f"_orig_mod.{name}": value for name, value in state.items()},
    }[form]
    torch.save(content, "w.pt")
    assert run("train", *DATA, *NOISE, "--model", "mine_models:build", "--weights", "w.pt", "--out", "run")[0] == 0
    assert (
        run("train", *DATA, *NOISE, "--model", "mine_models:trained", "--weights", "as-built", "--out", "same")[0] == 0
    )
    first, second = (json.loads(Path(name, "manifest.json").read_text()) for name in ("run", "same"))
    assert first["model"] == second["model"]
    assert "training" not in first
    assert len(first["weights"]["sha256"]) == 64


def test_weights_of_a_registered_model(project, run):
    model = gc.models.build_model("gcn", 12, 3, seed=7)
    torch.save(model.state_dict(), "w.pt")
    assert run("train", *DATA, *NOISE, "--model", "gcn", "--weights", "w.pt", "--out", "run")[0] == 0
    assert torch.equal(gc.models.load_model(project / "run" / "model.pt").state_dict()["biases.0"], model.biases[0])


def test_subnormal_weights_become_zero_and_are_counted(project, run):
    models = imported(project)
    model = models.trained()
    with torch.no_grad():
        model.first.lin.weight[0, :3] = 1e-40
    torch.save(model.state_dict(), "w.pt")
    chain = ["certify", *DATA, *NOISE, *VOTES, "--model", "mine_models:build", "--weights", "w.pt", "--out", "run"]
    code, _, said, _ = run(*chain)
    assert code == 0
    assert "3 weights in w.pt below 1.2e-38" in said


@pytest.mark.parametrize(
    "words",
    [
        ["mine_models:lazy"], ["mine_models:OfData", "--output", "logits"],
        ["mine_models:OfData", "--call", "data", "--output", "logits"], ["mine_models:function", "--output", "1"],
    ],
)  # fmt: skip
def test_factories_of_all_kinds(words, project, run):
    chain = ["certify", *DATA, *NOISE, *SHORT, *VOTES, "--out", "run", "--model"]
    code, _, said, _ = run(*chain, *words)
    assert code == 0, said
    assert run("sample", "run", *VOTES, "--model", words[0])[0] == 0


WRONG = {
    "no such module": (["nowhere:build"], "the module nowhere cannot be imported.*No module named"),
    "no such function": (["mine_models:absent"], "mine_models has no function absent"),
    "no function": (["mine_models:number"], "mine_models has no function number"),
    "no name": (["mine_models:"], "package.module:function"),
    "unknown model": (["transformer"], "unknown model 'transformer'.*package.module:function"),
    "unknown option": (
        ["mine_models:build", "--model-option", "depth=2"],
        "no option 'depth'; it has features, classes, hidden",
    ),
    "missing option": (["mine_models:needs"], "needs width; give --model-option width="),
    "a failure": (
        ["mine_models:broken"],
        r"mine_models:broken failed at .*mine_models.py, line \d+,: ZeroDivisionError",
    ),
    "an end of the program": (["mine_models:leaving"], "mine_models:leaving failed at .*SystemExit"),
    "no callable": (["mine_models:nothing"], "must be a torch.nn.Module or another callable, got NoneType"),
    "too few classes": (["mine_models:narrow"], "2 classes but the data have 3"),
    "other precision": (["mine_models:double"], "training is offered for float32 models.*--weights"),
    "nothing to train": (["mine_models:weightless"], "no weights to train; say --weights as-built"),
    "an odd call": (["mine_models:build", "--call", "y"], "call takes the arguments"),
    "an odd output": (["mine_models:build", "--output", "1"], "logits|part"),
    "call of a registered model": (["gcn", "--call", "data"], "call is for a model of your own"),
    "built weights of a registered model": (["gcn", "--weights", "as-built"], "is for a model of your own"),
    "weights that are not there": (["mine_models:build", "--weights", "w.pt"], "no file of weights at w.pt"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_one_sentence(name, project, run):
    words, sentence = WRONG[name]
    code, _, said, _ = run(
        "train", *DATA, *NOISE, *SHORT[: 0 if "--weights" in words else 2], "--out", "run", "--model", *words
    )
    last = said.splitlines()[-1]
    assert code == 2
    assert last.startswith("graphcert: ")
    assert re.search(sentence, last), last
    assert not (project / "run" / "model.pt").exists()


def test_other_weights_are_refused(project, run):
    class Act:
        def __reduce__(self):
            return open, (str(project / "made"), "w")

    wrong = {
        "other shapes": ({"first.bias": torch.ones(9)}, "the file lacks .*; name the factory and the --model-option"),
        "hostile": (Act(), "nothing is unpickled; write one with torch.save"),
        "hidden": ({"state_dict": {"first.bias": torch.ones(4)}, "hyper_parameters": Act()}, "nothing is unpickled"),
        "no tensors": ({"first.bias": 1.0}, "no state dict of tensors"),
    }
    for name, (content, sentence) in wrong.items():
        torch.save(content, "w.pt")
        code, _, said, _ = run(
            "train", *DATA, *NOISE, "--model", "mine_models:build", "--weights", "w.pt", "--out", "run"
        )
        assert code == 2, name
        assert re.search(sentence, said), said
    assert not (project / "made").exists()
    pickle.loads(pickle.dumps(Act())).close()
    assert (project / "made").exists()
    code, _, said, _ = run(
        "train", *DATA, *NOISE, *SHORT, "--model", "mine_models:build", "--weights", "w.pt", "--out", "run"
    )
    assert "leave the options of training out" in said


def test_weights_that_have_changed_are_refused(project, run):
    models = imported(project)
    chain = ["train", *DATA, *NOISE, "--model", "mine_models:build", "--weights", "w.pt", "--out", "run"]
    torch.save(models.trained().state_dict(), "w.pt")
    assert run(*chain)[0] == 0
    assert run(*chain)[0] == 0
    torch.save({name: value + 1 for name, value in models.trained().state_dict().items()}, "w.pt")
    code, _, said, _ = run(*chain)
    assert code == 2
    assert "not made with the weights that are in w.pt now" in said


@pytest.mark.parametrize("file", ["mine_models.py", "mine_layers.py"])
def test_a_changed_source_is_refused_where_it_would_run_and_told_where_not(file, finished, project, run):
    with open(project / file, "a", encoding="utf-8") as source:
        source.write("# changed\n")
    for words in (["sample", "run"], ["plan", "run"], ["collective", "run", "--add", "0:1", "--receptive-field"]):
        code, _, said, _ = run(*words, "--model", "mine_models:build")
        assert code == 2
        assert "is not the one that this run was made with" in said
    for words in (["certify", "run"], ["collective", "run", "--add", "0:2"], ["report", "run"]):
        code, _, said, ran = run(*words)
        assert (code, ran) == (0, False)
        assert f"{file} has changed since mine_models:build made the model" in said
    assert "has changed since mine_models:build" in (finished / "report.html").read_text()


def test_a_folder_from_elsewhere_runs_nothing_unless_the_code_is_named(finished, project, run):
    shutil.copytree(finished, project / "theirs")
    for words in (["certify", "theirs"], ["collective", "theirs", "--add", "0:2"], ["report", "theirs"]):
        code, _, said, ran = run(*words)
        assert (code, ran) == (0, False), said
    for words in (["sample", "theirs"], ["plan", "theirs"], ["sample", "theirs", "--model", "mine_models:trained"]):
        code, _, said, ran = run(*words)
        assert (code, ran) == (2, False)
        assert "made by the code mine_models:build, which runs only if you name it" in said
    assert run("sample", "theirs", "--model", "mine_models:build")[3]


def test_settings_that_are_changed_to_name_code_run_nothing(project, run):
    assert run("certify", *DATA, *NOISE, *SHORT, *VOTES, "--out", "plain")[0] == 0
    path = project / "plain" / "config.toml"
    path.write_text(path.read_text().replace('name = "gcn"', 'factory = "mine_models:build"'))
    for words in (["sample", "plain"], ["certify", "plain"], ["report", "plain"], ["plan", "plain"]):
        assert not run(*words)[3], words
    code, _, said, _ = run("sample", "plain", "--model", "mine_models:build")
    assert code == 2
    assert "train it again" in said


def test_a_checkpoint_of_a_factory_is_not_loaded_as_a_registered_model(finished, project, run):
    forget(project)
    (project / "ran").unlink()
    with pytest.raises(gc.errors.DataError, match="code of a user"):
        gc.models.load_model(finished / "model.pt")
    assert not (project / "ran").exists()


def test_a_name_that_is_not_needed_is_refused(finished, run):
    for words in (["collective", "run", "--add", "0:2"], ["certify", "run"]):
        code, _, said, ran = run(*words, "--model", "mine_models:build")
        assert (code, ran) == (2, False)
        assert "--model" in said


def test_a_file_of_settings_names_the_factory(finished, project, run):
    code, _, said, ran = run("certify", "--config", finished / "config.toml", "--out", "again")
    assert (code, ran) == (0, True), said
    first, second = (json.loads((project / name / "certificate.json").read_text()) for name in ("run", "again"))
    assert first == second
    text = (
        (finished / "config.toml")
        .read_text()
        .replace('factory = "mine_models:build"', 'factory = "mine_models:build"\nname = "gcn"')
    )
    (project / "both.toml").write_text(text)
    code, _, said, _ = run("certify", "--config", "both.toml", "--out", "both")
    assert code == 2
    assert "are both named; leave one out" in said


def test_a_plan_of_a_new_and_of_a_trained_model(finished, project, run):
    code, out, _, _ = run("plan", *DATA, *NOISE, *SHORT, "--model", "mine_models:build", "--seconds", "3")
    assert code == 0
    assert out.startswith("Plan: ")
    assert not list(project.glob("plan*"))
    code, out, _, _ = run("plan", "run", "--model", "mine_models:build", "--seconds", "3", "--alpha", "0.05", "--json")
    assert code == 0
    assert json.loads(out)["alpha"] == 0.05
    assert json.loads(out)["budgets"][0]["feature_add"] == 0
    code, _, said, _ = run("plan", "run", "--model", "mine_models:build", "--add", "0.2")
    assert code == 2
    assert "--add cannot change the model" in said


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("GRAPHCERT_DATA"), reason="set GRAPHCERT_DATA")
@pytest.mark.parametrize(
    ("dataset", "noise", "sweep"),
    [
        ("wisconsin", ["--model", "sage", "--add", "0.01", "--delete", "0.3"], "--delete"),
        ("polblogs", ["--edge-add", "0.0001", "--edge-delete", "0.4"], "--edge-delete"),
    ],
)  # fmt: skip
def test_real_graphs_run_from_end_to_end(dataset, noise, sweep, tmp_path):
    out = tmp_path / dataset
    for words in (
        ["train", "--dataset", dataset, *noise, "--training-option", "epochs=60", "--out", out],
        ["sample", out, "--samples", "150000", "--pilot-samples", "100"], ["certify", out],
        ["collective", out, sweep, "0:2", "--method", "lp"], ["report", out],
    ):  # fmt: skip
        assert call(*words) == 0
    certificate = json.loads((out / "certificate.json").read_text())
    assert certificate["claims"] == {"wisconsin": 50, "polblogs": 1142}[dataset]
    assert f"on {dataset}" in (out / "report.html").read_text()
