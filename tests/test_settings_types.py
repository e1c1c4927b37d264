"""Settings are typed before anything runs: whatever a file or the command line holds, one sentence says what is wrong."""

import copy
import sys
import tomllib
from pathlib import Path

import pytest
import tomli_w
from seeds import fresh_rng

from graphcert.cli import main
from graphcert.errors import DataError, InputError
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.image_run import SegmentSettings, read_settings
from graphcert.run.settings.point_run import PointSettings

EXPERIMENTS = sorted((Path(__file__).parents[1] / "experiments").glob("*.toml"))
WRONG = [
    "x", "", "nan", "no", "0:1:2:3", "0:" + "9" * 30, "1e99999", "\0", "9" * 5000, True, False, -1, 0, 10**30, 2**64, 1.5,
    float("nan"), float("inf"), -0.5, [], [[]], [1, "x"], ["x"] * 3, {}, {"a": {"b": []}}, [{"add": "0:1000000000000"}],
]  # fmt: skip


def leaves(values, path=()):
    """The paths of all settings, sections included."""
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))


def changed(values, path, value):
    mutated = copy.deepcopy(values)
    inner = mutated
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return mutated


def read(values):
    for section, kind in (("segment", SegmentSettings), ("points", PointSettings)):
        if isinstance(values.get(section), dict):
            return kind.from_dict(values[section])
    return RunConfig.from_dict(values)


def refusal(values):
    """Why these settings are refused; empty if they are not."""
    try:
        read(values)
    except (InputError, DataError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_a_wrong_value_anywhere_is_one_sentence_or_a_setting_of_that_type(path):
    values = tomllib.loads(path.read_text())
    for place in leaves(values):
        for wrong in WRONG:
            sentence = refusal(changed(values, place, wrong))
            assert "\n" not in sentence
            assert len(sentence) < 1000, "a long value must not drown the sentence"


CASES = {
    "a text for a seed": ("seed", "x", "seed"),
    "a negative seed": ("seed", -1, "seed"),
    "a seed beyond the streams": ("seed", 2**64, "seed"),
    "a truth value for a seed": ("seed", True, "seed"),
    "more samples than time": ("sampling.samples", 10**30, "samples"),
    "samples below one": ("sampling.samples", 0, "samples"),
    "half a sample": ("sampling.samples", 100.5, "samples"),
    "no time limit": ("collective.time_limit", float("nan"), "time_limit"),
    "endless time": ("collective.time_limit", float("inf"), "time_limit"),
    "a word for a truth value": ("certificate.simultaneous", "no", "simultaneous"),
    "a number for a truth value": ("certificate.simultaneous", 0, "simultaneous"),
    "a number for a section": ("smoothing", 5, "smoothing"),
    "a section for a number": ("certificate.alpha", {}, "alpha"),
    "a level that claims nothing": ("certificate.alpha", 0.7, "alpha"),
    "a sweep without end": ("collective.sweeps", [{"add": "0:1000000000000"}], "100,000"),
    "a sweep over too many cells": ("collective.sweeps", [{"add": "0:999", "delete": "0:999"}], "100,000"),
    "an axis without end": ("certificate.max_add", 10**12, "max_add"),
    "an axis that the noise does not have": ("certificate.max_edge_add", 5, "max_edge_add"),
    "a partition without clusters": ("smoothing.partition", "spectral", "clusters"),
    "endless epochs": ("training.epochs", 10**30, "epochs"),
}


def settings(place, value):
    values = {"smoothing": {"features": {"add": 0.02, "delete": 0.3}}}
    *sections, key = place.split(".")
    inner = values
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[key] = value
    return values


@pytest.mark.parametrize(("place", "value", "words"), CASES.values(), ids=CASES)
def test_each_kind_of_wrong_value_is_named(place, value, words):
    with pytest.raises(InputError, match=words):
        RunConfig.from_dict(settings(place, value))


FILES = {
    "nested without end": b"a = " + b"[" * 100_000,
    "a number of many digits": b"seed = " + b"9" * 5000,
    "not a text": b"\xff\xfe\x00",
    "the same key twice": b"seed = 1\nseed = 2\n",
    "larger than any settings": b"# " + b"x" * 2**20,
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_damaged_file_is_one_sentence(content, tmp_path):
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    for reader in (RunConfig.load, read_settings):
        with pytest.raises(DataError) as error:
            reader(path)
        assert "\n" not in str(error.value)


def test_a_folder_is_no_file_of_settings(tmp_path):
    with pytest.raises(DataError, match="regular"):
        RunConfig.load(tmp_path)


def test_the_command_line_says_one_line_and_exits_with_two(tmp_path, monkeypatch, capsys):
    rng = fresh_rng()
    cases = list(CASES.values())
    for index in rng.permutation(len(cases))[:8]:
        place, value, _ = cases[index]
        path = tmp_path / "run.toml"
        path.write_text(tomli_w.dumps(settings(place, value)))
        monkeypatch.setattr(
            sys, "argv", ["graphcert", "certify", "--config", str(path), "--out", str(tmp_path / "run")]
        )
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        assert (stop.value.code, said.out, said.err.count("\n")) == (2, "", 1), (place, value)
        assert not (tmp_path / "run").exists()
