"""Checkpoints come back as they were saved; anything else is one clear error, and nothing in a file is ever executed."""

import os
import pickle
import time
import tracemalloc
import warnings
import zipfile

import pytest
import torch
from model_cases import CASES, case_name, random_graph, random_model
from torch import nn

from graphcert.errors import DataError
from graphcert.models import build_model, load_model, save_model
from graphcert.models.checkpoint import model_fingerprint


@pytest.mark.parametrize(("name", "options"), CASES, ids=[case_name(case) for case in CASES])
def test_a_model_comes_back_as_it_was(name, options, tmp_path):
    model = random_model(name, **options)
    path = tmp_path / "new" / "model.pt"
    save_model(model, path, name, 23, 3, **options)
    loaded = load_model(path)
    assert not loaded.training
    x, edge_index, _ = random_graph()
    with torch.inference_mode():
        assert torch.equal(loaded(x, edge_index), model(x, edge_index))
    assert model_fingerprint(loaded) == model_fingerprint(model)
    assert [file.name for file in path.parent.iterdir()] == ["model.pt"]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.pt"
    save_model(random_model("gcn", hidden=4), path, "gcn", 23, 3, hidden=4)
    return path


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(DataError, match=r"there is no model at .*; train one with `graphcert train`"):
        load_model(tmp_path / "model.pt")


def test_a_truncated_file_is_refused(saved):
    content = saved.read_bytes()
    for length in (0, 1, 100, len(content) // 2, len(content) - 1):
        saved.write_bytes(content[:length])
        with pytest.raises(DataError, match="damaged or not a graphcert checkpoint; train it again"):
            load_model(saved)


def test_no_flipped_byte_changes_a_weight_unseen(saved):
    """Where a byte does not matter (padding) the model is the same; anywhere else the file is refused."""
    content = saved.read_bytes()
    expected = model_fingerprint(load_model(saved))
    refused = 0
    for position in range(0, len(content), 13):
        damaged = bytearray(content)
        damaged[position] ^= 0x41
        saved.write_bytes(damaged)
        try:
            assert model_fingerprint(load_model(saved)) == expected
        except DataError:
            refused += 1
    assert refused > len(content) / 13 / 4


class Payload:
    """Executes something as soon as it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("place", ["whole", "config", "state", "option", "plain pickle", "replaced member"])
def test_malicious_files_execute_nothing(place, saved, tmp_path):
    target = tmp_path / "executed"
    payload = Payload(target)
    content = torch.load(saved, weights_only=True)
    if place == "plain pickle":
        saved.write_bytes(pickle.dumps(payload))
    elif place == "replaced member":
        replace_pickle(saved, pickle.dumps(payload))
    else:
        changes = {"whole": payload, "config": {**content, "config": payload}, "state": {**content, "state": payload}}
        changes["option"] = {**content, "config": {**content["config"], "options": {"hidden": payload}}}
        torch.save(changes[place], saved)
    with pytest.raises(DataError, match="damaged or not a graphcert checkpoint"):
        load_model(saved)
    assert not target.exists()
    pickle.loads(pickle.dumps(payload))
    assert target.exists()  # the payload does work where files are trusted


def replace_pickle(path, content):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, content if name.endswith("data.pkl") else data)


@pytest.mark.parametrize("content", [[1, 2], {}, {"format": "other"}, {"weight": torch.ones(2)}, None])
def test_files_of_another_kind_are_refused(content, tmp_path):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(DataError, match="is not a graphcert checkpoint; write one with `graphcert train`"):
        load_model(tmp_path / "model.pt")


def test_text_is_not_a_checkpoint(tmp_path):
    path = tmp_path / "model.pt"
    path.write_text("a model, really")
    with pytest.raises(DataError, match="damaged or not a graphcert checkpoint"):
        load_model(path)


CHANGES = {
    "no config": lambda content: content.pop("config"),
    "no state": lambda content: content.pop("state"),
    "config is a list": lambda content: content.update(config=[1]),
    "unknown model": lambda content: content["config"].update(name="transformer"),
    "unhashable name": lambda content: content["config"].update(name=["gcn"]),
    "unknown option": lambda content: content["config"].update(options={"width": 4}),
    "option of a wrong type": lambda content: content["config"].update(options={"hidden": "4"}),
    "absurd size": lambda content: content["config"].update(options={"hidden": 2**40}),
    "other width": lambda content: content["config"].update(options={"hidden": 5}),
    "other classes": lambda content: content["config"].update(classes=4),
    "missing weight": lambda content: content["state"].pop("biases.0"),
    "state of numbers": lambda content: content.update(state={"biases.0": 1.0}),
    "state is a list": lambda content: content.update(state=[1]),
    "seed of a wrong type": lambda content: content["config"].update(options={"seed": "x"}),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_description_that_cannot_be_built_is_refused(change, saved):
    content = torch.load(saved, weights_only=True)
    change(content)
    torch.save(content, saved)
    with pytest.raises(
        DataError,
        match=r"does not describe a model that this version|holds the model 'transformer'",
    ):
        load_model(saved)


@pytest.mark.parametrize("place", ["state", "dropout"])
def test_an_altered_file_is_refused_and_the_expected_checksum_shown(place, saved):
    """A whole, well-formed file whose weights or settings are not those that were saved."""
    expected = model_fingerprint(load_model(saved))
    content = torch.load(saved, weights_only=True)
    if place == "state":
        content["state"]["weights.0"][0, 0] += 1e-6
    else:
        content["config"]["options"]["dropout"] = 0.25
    torch.save(content, saved)
    with pytest.raises(DataError, match=f"was altered: expected sha256 {expected}, found [0-9a-f]{{64}}"):
        load_model(saved)


def test_a_failing_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def half_a_save(content, stream):
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half_a_save)
    with pytest.raises(KeyboardInterrupt):
        save_model(random_model("gcn", seed=1, hidden=4), saved, "gcn", 23, 3, hidden=4)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_a_folder_that_is_a_file_is_an_error_in_words(saved):
    with pytest.raises(DataError, match="cannot be written"):
        save_model(random_model("sgc"), saved / "model.pt", "sgc", 23, 3)


def test_the_fingerprint_knows_every_weight():
    model = random_model("gcn")
    seen = {model_fingerprint(model)}
    for parameter in model.parameters():
        with torch.no_grad():
            parameter.view(-1)[-1] += 1e-3
        seen.add(model_fingerprint(model))
    assert len(seen) == 1 + len(list(model.parameters()))


@pytest.mark.parametrize(
    ("name", "option", "values"),
    [
        ("appnp", "hops", (2, 10)),
        ("appnp", "restart", (0.1, 0.2)),
        ("gat", "slope", (0.1, 0.2)),
        ("sgc", "hops", (1, 2)),
    ],
)
def test_the_fingerprint_knows_settings_that_are_no_weights(name, option, values):
    """Else votes of one function would be continued with another."""
    one, other = (random_model(name, **{option: value}) for value in values)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert model_fingerprint(one) != model_fingerprint(other)


def test_the_fingerprint_depends_on_nothing_else(tmp_path):
    model = random_model("gat")
    expected = model_fingerprint(model)
    assert model_fingerprint(model.train()) == expected
    model.zero_grad()
    x, edge_index, _ = random_graph()
    model(x, edge_index).sum().backward()
    assert model_fingerprint(model) == expected
    assert model_fingerprint(random_model("gat")) == expected
    assert model_fingerprint(build_model("gat", 23, 3)) != expected


class Odd(nn.Module):
    """Scalar and empty buffers of several types, and state that is no tensor."""

    def __init__(self, note):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)  # counts its batches in a scalar of 64 bits
        self.register_buffer("empty", torch.zeros(0, 2))
        self.register_buffer("flag", torch.tensor(True))
        self.register_buffer("turned", torch.arange(6.0).view(2, 3).T)
        self._note = note

    def get_extra_state(self):
        return {"note": self._note}

    def set_extra_state(self, state):
        self._note = state["note"]


def test_any_module_has_a_fingerprint():
    one, other = Odd("a"), Odd("b")
    assert model_fingerprint(one) == model_fingerprint(Odd("a")) != model_fingerprint(other)
    counted = Odd("a")
    counted.norm.num_batches_tracked += 1
    assert model_fingerprint(counted) != model_fingerprint(one)


HUGE = {
    "layers": lambda config: config["options"].update(layers=10**9),
    "a few thousand layers": lambda config: config["options"].update(layers=5000),
    "hidden": lambda config: config["options"].update(hidden=10**12),
    "features": lambda config: config.update(features=10**12),
    "classes": lambda config: config.update(classes=10**9),
    "beyond 64 bits": lambda config: config["options"].update(hidden=10**30),
    "less than nothing": lambda config: config["options"].update(hidden=-(10**9)),
    "not a number": lambda config: config["options"].update(hidden=float("nan")),
}


@pytest.mark.parametrize("change", HUGE.values(), ids=HUGE)
def test_no_model_is_built_that_the_weights_do_not_fill(change, saved):
    """Bounded time and memory, whatever the description says."""
    content = torch.load(saved, weights_only=True)
    change(content["config"])
    torch.save(content, saved)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(
        DataError,
        match=r"does not describe a model that this version|holds the model 'transformer'",
    ):
        load_model(saved)
    assert time.process_time() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


TENSORS = {
    "one number for many": lambda tensor: torch.zeros(1).expand(10**9, 10**3),
    "part of a larger one": lambda tensor: torch.zeros(100)[3:7],
    "sparse": lambda tensor: tensor.to_sparse(),
    "another type": lambda tensor: tensor.double(),
    "whole numbers": lambda tensor: tensor.long(),
    "NaN": lambda tensor: tensor * float("nan"),
    "infinite": lambda tensor: tensor + float("inf"),
    "subnormal": lambda tensor: torch.full_like(tensor, 1e-40),
    "no tensor": lambda tensor: tensor.tolist(),
}


@pytest.mark.parametrize("what", TENSORS)
def test_tensors_that_are_no_plain_weights_are_refused(what, saved):
    content = torch.load(saved, weights_only=True)
    content["state"]["biases.0"] = TENSORS[what](content["state"]["biases.0"])
    torch.save(content, saved)
    with pytest.raises(
        DataError, match=r"is damaged or not a graphcert checkpoint|does not describe a model"
    ) as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)
    if what in ("NaN", "subnormal"):
        assert f"the weights biases.0 hold {what}" in str(caught.value)


def test_one_part_of_the_file_makes_one_tensor(saved):
    content = torch.load(saved, weights_only=True)
    content["state"]["biases.1"] = content["state"]["biases.0"][:3]
    torch.save(content, saved)
    with pytest.raises(DataError, match="not the whole of its own part"):
        load_model(saved)


def test_members_that_were_packed_are_read_and_those_that_are_there_twice_are_not(saved):
    """Other programs may compress; the size that is declared is what counts."""
    expected = model_fingerprint(load_model(saved))
    with zipfile.ZipFile(saved) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    for twice in (False, True):
        with warnings.catch_warnings(), zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
            warnings.simplefilter("ignore")
            for name, content in members + members[-1:] * twice:
                archive.writestr(name, content)
        if not twice:
            assert model_fingerprint(load_model(saved)) == expected
    with pytest.raises(DataError, match="is there twice"):
        load_model(saved)


@pytest.mark.parametrize(
    "name", ["builtins bytearray", "torch Tensor", "torch FloatStorage", "torch._utils _rebuild_tensor"]
)
def test_names_that_take_memory_when_they_are_called_are_refused(name, saved):
    """`torch.load` with weights only makes a bytearray of any size."""
    replace_pickle(saved, b"\x80\x02c" + name.replace(" ", "\n").encode() + b"\n\x8a\x05\x00\x00\x00\x00\x01\x85R.")
    with pytest.raises(DataError, match="is damaged or not a graphcert checkpoint"):
        load_model(saved)


def test_a_weight_stored_in_another_order_of_its_axes_is_read(saved):
    """Convolutions of images are kept with channels last."""
    content = torch.load(saved, weights_only=True)
    weight = content["state"]["weights.0"]
    expected = model_fingerprint(load_model(saved))
    content["state"]["weights.0"] = weight.T.contiguous().T
    assert content["state"]["weights.0"].stride() != weight.stride()
    torch.save(content, saved)
    assert model_fingerprint(load_model(saved)) == expected


@pytest.mark.skipif(os.name != "posix", reason="pipes and devices as POSIX has them")
def test_pipes_and_devices_are_no_checkpoints(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(DataError, match=r"not a regular file"):
            load_model(tmp_path / name)
