"""Splits that a file brings with it: kept, one of several chosen by its number, and never guessed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_npz_graph import LABELS, NODES, SPLIT, members, write
from typer.testing import CliRunner

from graphcert.cli import app
from graphcert.data import load_dataset
from graphcert.data.raw import RawGraph
from graphcert.data.splits import MASKS, given_split
from graphcert.errors import DataError, InputError

ROLES = np.array([[0, 1, 2], [1, 2, 0], [2, 0, 3], [0, 1, 2], [2, 2, 1], [1, 0, 0], [2, 1, 2], [3, 2, 1]])
"""(N, S) what a node is for in three splits: 0 trains, 1 validates, 2 is tested, 3 is in no set."""


def masks(roles=ROLES):
    return {name: roles == role for role, name in enumerate(MASKS)}


def found(data):
    return {name: data[name].numpy() for name in MASKS}


@pytest.mark.parametrize("layout", ["positions", "dots", "underscores"])
@pytest.mark.parametrize("split", [0, 1, 2, np.int64(1)])
def test_one_of_several_splits_is_the_column_of_its_number(layout, split, tmp_path):
    data = load_dataset(write(tmp_path, {**members(layout), **masks()}), split=split)
    for name, mask in masks().items():
        assert found(data)[name].tolist() == mask[:, split].tolist()


def test_a_single_split_is_kept(tmp_path):
    data = load_dataset(write(tmp_path, {**members("dots"), **masks(ROLES[:, 0])}), seed=3)
    assert all((found(data)[name] == mask).all() for name, mask in masks(ROLES[:, 0]).items())


def test_splits_follow_the_nodes_into_the_largest_component(tmp_path):
    path = write(tmp_path, {**members("dots"), **masks()})
    whole, part = load_dataset(path, split=0), load_dataset(path, split=0, largest_component=True)
    assert part.num_nodes == 6
    assert all((found(part)[name] == found(whole)[name][:6]).all() for name in MASKS)


@pytest.mark.parametrize(
    ("arrays", "options", "error", "sentence"),
    [
        (masks(), {}, InputError, r"hold 3 splits; say which one with split= .*from 0 to 2"),
        (masks(), {"split": 3}, InputError, "split must be one of 0 to 2, got 3"),
        (masks(), {"split": -1}, InputError, "split must be at least 0"),
        (masks(), {"split": "first"}, InputError, "split must be a whole number"),
        (masks(), {"split": True}, InputError, "split must be a whole number"),
        (masks(), {"split": 0, **SPLIT}, InputError, "brings its own split"),
        (masks(), {"split": 0, "test_share": 0.5}, InputError, "brings its own split"),
        (masks(ROLES[:, 0]), {"split": 0}, InputError, "one split only"),
        ({}, {"split": 0, **SPLIT}, InputError, "no splits of its own"),
        ({"train_mask": ROLES == 0}, {"split": 0}, DataError, "lacks val_mask, test_mask"),
        ({name: mask.T for name, mask in masks().items()}, {"split": 0}, DataError, r"train_mask must .*\(3, 8\)"),
        ({name: mask * 1 for name, mask in masks().items()}, {"split": 0}, DataError, "found int64"),
        (masks() | {"test_mask": ROLES[:, :2] == 2}, {"split": 0}, DataError, "like the other masks"),
        (masks() | {"test_mask": ROLES < 2}, {"split": 0}, DataError, "in two of"),
        (masks() | {"val_mask": ROLES == 7}, {"split": 0}, DataError, "val_mask holds no node"),
        (
            masks() | {"labels": np.where(np.arange(NODES) == 1, -1, LABELS)}, {"split": 0},
            DataError, "node 1 is in a mask but has no label",
        ),
    ],
)  # fmt: skip
def test_what_is_no_split_is_refused(arrays, options, error, sentence, tmp_path):
    with pytest.raises(error, match=rf"mine\.npz: .*{sentence}"):
        load_dataset(write(tmp_path, {**members("dots"), **arrays}), **options)


def test_a_named_data_set_has_no_split_to_choose():
    with pytest.raises(InputError, match="no splits of its own"):
        load_dataset("digits", split=0)


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_every_column_is_a_split_of_its_own(several, seed):
    roles = np.random.default_rng(seed).permuted(np.arange(NODES)[:, None] % 4 + np.zeros((1, several), int), axis=0)
    graph = RawGraph(
        np.zeros((NODES, 1), np.float32), np.zeros((2, 0), np.int64), LABELS, 2,
        masks=np.stack([roles == role for role in range(3)]),
    )  # fmt: skip
    for split in range(several):
        chosen = given_split(graph, split)
        assert [mask.tolist() for mask in chosen] == [(roles[:, split] == role).tolist() for role in range(3)]


@pytest.mark.parametrize(("flags", "code"), [(["--split", "2"], 0), (["--split", "3"], 2), ([], 2)])
def test_the_command_line_names_the_split(flags, code, tmp_path):
    path = write(tmp_path, {**members("dots"), **masks()})
    out = tmp_path / "run"
    command = ["train", "--dataset", str(path), "--add", "0.1", "--delete", "0.1", "--out", str(out), *flags]
    done = CliRunner().invoke(app, [*command, "--training-option", "epochs=2"])
    assert (done.exit_code == 0) == (code == 0)
    if code == 0:
        assert "split = 2" in (out / "config.toml").read_text()
    else:
        assert isinstance(done.exception, InputError)
        assert "split" in str(done.exception)
        assert not list(out.glob("*")) if out.exists() else True
