"""Networks of whole inputs: training under noise, files, and where inputs come from."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from output_modules import graphs

import graphcert as gc
from graphcert.errors import DataError, InputError
from graphcert.models.checkpoint import read_tensors, write_tensors
from graphcert.noise import as_scheme
from graphcert.outputs.classifier import ClassifierTraining, OutputClassifier, train_classifier
from graphcert.outputs.inputs import read_inputs
from graphcert.outputs.networks import OutputNetwork
from graphcert.outputs.sources import load_inputs

SHORT = ClassifierTraining(steps=60, batch=16)


def bright(shape: tuple[int, ...], count: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Inputs that are all zero or all one, with that as their class."""
    labels = np.arange(count) % 2
    return np.ones((count, *shape)) * labels.reshape(-1, *[1] * len(shape)), labels


@pytest.mark.parametrize("shape", [(1, 5, 6), (7, 3), (8,)], ids=["image", "points", "vector"])
@pytest.mark.parametrize(
    "noise", [gc.Gaussian(0.3), gc.Hierarchical(0.7, gc.Gaussian(0.3)), gc.Hierarchical(0.5, gc.Ablation())]
)
def test_networks_of_every_kind_learn_under_noise(shape: tuple[int, ...], noise: Any) -> None:
    values, labels = bright(shape)
    trained = train_classifier(read_inputs(values), labels, ("dark", "bright"), as_scheme(noise), SHORT, width=8)
    votes = gc.sample_output_votes(trained.model, values[:6], noise, 100, 20)
    np.testing.assert_array_equal(votes.labels, labels[:6])
    assert gc.certify(votes, 0.05).certified_ratio() == 1


def test_graphs_learn_and_training_is_the_same_again() -> None:
    few, many = graphs(12), graphs(12, seed=1)
    for one in many:  # all pairs are edges
        nodes = one.num_nodes
        pairs = torch.triu_indices(nodes, nodes, 1)
        one.edge_index = torch.cat([pairs, pairs.flip(0)], dim=1)
    inputs, labels = read_inputs([*few, *many]), np.repeat([0, 1], 12)
    scheme = gc.Smoothing(gc.BernoulliFlip(0.02, 0.1), gc.BernoulliFlip(0.0, 0.2))
    trained, again = (train_classifier(inputs, labels, ("few", "many"), scheme, SHORT, 3, width=8) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(trained.model.parameters(), again.model.parameters(), strict=True))
    votes = gc.sample_output_votes(trained.model, [*few, *many], scheme, 100, 20)
    assert (votes.labels == labels).mean() > 0.8


def test_files_hold_the_network_and_damage_is_one_sentence(tmp_path: Path) -> None:
    found = OutputClassifier(OutputNetwork("vector", 3, 2, 4).eval(), ("a", "b"), {"steps": 1})
    found.save(tmp_path / "net.pt")
    read = OutputClassifier.load(tmp_path / "net.pt")
    assert (read.names, read.training, read.model.kind) == (("a", "b"), {"steps": 1}, "vector")
    x = torch.rand(5, 3)
    assert torch.equal(read.model(x), found.model(x))
    content = read_tensors(tmp_path / "net.pt", "graphcert-classifier-1", "", "", "")
    state = {**content["state"], "head.bias": content["state"]["head.bias"] + 1}
    for wrong in (
        {"state": state}, {"names": ["a"]}, {"shape": {**content["shape"], "kind": "sound"}}, {"format": "another"},
        {"shape": {**content["shape"], "width": 10**9}}, {"shape": {**content["shape"], "features": 0}}, {"training": 3},
    ):  # fmt: skip
        write_tensors(tmp_path / "other.pt", {**content, **wrong})
        with pytest.raises(DataError):
            OutputClassifier.load(tmp_path / "other.pt")
    (tmp_path / "net.pt").write_bytes(b"PK nothing")
    with pytest.raises(DataError):
        OutputClassifier.load(tmp_path / "net.pt")


def test_training_that_cannot_work_is_refused() -> None:
    scheme = as_scheme(gc.Gaussian(1))
    with pytest.raises(InputError, match="a label each"):
        train_classifier([], np.empty(0, np.int64), ("a", "b"), scheme)
    with pytest.raises(InputError, match="differ in shape"):
        train_classifier(read_inputs([np.zeros(3), np.zeros(4)]), np.array([0, 1]), ("a", "b"), scheme)
    for wrong in ({"steps": 0}, {"batch": 0}, {"learning_rate": 0.0}, {"weight_decay": -1.0}):
        with pytest.raises(InputError):
            ClassifierTraining(**wrong)  # type: ignore[arg-type]


def test_digits_are_divided_by_the_seed() -> None:
    one, again, other = (load_inputs("digits", 10, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.numbers, again.numbers)
    assert (one.numbers != other.numbers).any()
    assert (len(one.inputs), len(one.train), len(one.names)) == (10, 1787, 10)
    assert {x.shape for x in one.inputs} == {(1, 8, 8)}
    named = {x.fingerprint() for x in one.inputs}
    assert not named & {x.fingerprint() for x in one.train}, "nothing is trained with that is certified"


def test_arrays_are_read_from_files(tmp_path: Path) -> None:
    values, labels = bright((4,), 12)
    np.savez(tmp_path / "all.npz", inputs=values, labels=labels)
    found = load_inputs(str(tmp_path / "all.npz"))
    assert (len(found.inputs), len(found.train), found.names) == (3, 9, ("0", "1"))
    np.savez(tmp_path / "apart.npz", inputs=values, train_inputs=values[:5] + 1, train_labels=labels[:5])
    found = load_inputs(str(tmp_path / "apart.npz"), limit=4)
    assert (len(found.inputs), len(found.train), found.truth) == (4, 5, None)
    np.savez(tmp_path / "alone.npz", inputs=values)
    assert load_inputs(str(tmp_path / "alone.npz")).names == ()


@pytest.mark.parametrize("arrays", [
    {"labels": [0, 1]}, {"inputs": [[1.0], [2.0]], "labels": [0]}, {"inputs": [[1.0], [2.0]], "labels": [0.5, 1.0]},
    {"inputs": [[1.0], [2.0]], "labels": [-1, 0]}, {"inputs": [[1.0], [2.0]], "train_inputs": [[1.0]]},
    {"inputs": [[1.0], [2.0]], "train_inputs": [[1.0, 2.0]], "train_labels": [0]}, {"inputs": [[np.inf], [2.0]]},
    {"inputs": [["a"], ["b"]]}, {"inputs": [[1.0], [2.0]], "labels": [0, 10**9]}, {"inputs": [[1.0]], "labels": [0]},
])  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(arrays: dict[str, Any], tmp_path: Path) -> None:
    np.savez(tmp_path / "wrong.npz", **{name: np.array(value) for name, value in arrays.items()})
    with pytest.raises(DataError) as refused:
        load_inputs(str(tmp_path / "wrong.npz"))
    assert "\n" not in str(refused.value)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", inputs=np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(DataError):
        load_inputs(str(tmp_path / "objects.npz"))
    for unknown in ("images", str(tmp_path / "missing.npz")):
        with pytest.raises((InputError, DataError)):
            load_inputs(unknown)
