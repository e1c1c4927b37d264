"""`graphcert tune`: the same result every time, only from what it may look at, and settings that certify."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

import graphcert as gc
import graphcert.tuning.search
import graphcert.tuning.trial
from graphcert.errors import InputError
from graphcert.run.settings.graph_run import DatasetConfig, RunConfig
from graphcert.run.settings.stages import SamplingConfig
from graphcert.tuning.search import Effort, search
from graphcert.tuning.space import ISOTROPIC, MEMBERS, Space, kind_of, usual_ranges
from graphcert.tuning.trial import Goal, Trial, measured
from graphcert.tuning.tuned import Candidate, Tuned, kept

SMALL: dict[str, Any] = {
    "dataset_options": {"nodes": 150, "classes": 3, "features": 30, "present": 0.3, "background": 0.1},
    "training": {"epochs": 20}, "clusters": (1, 2), "candidates": 8, "rounds": 2, "votes": 100, "samples": 500, "floor": 0.5,
    "budgets": "0:6", "workers": 1,
}  # fmt: skip


def tuned(out: Any = None, **options: Any) -> Tuned:
    return gc.tune("synthetic", out, **{**SMALL, **options})


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tune") / "out"
    return folder, tuned(folder)


def results(folder: Any) -> dict[str, bytes]:
    names = ["candidates.csv", "front.csv", "front.svg", "best.toml"]
    places = [*(folder / name for name in names), *sorted((folder / "settings").iterdir())]
    return {place.name: place.read_bytes() for place in places}


# What comes out


def test_the_front_is_what_nothing_passes(finished: Any) -> None:
    _, found = finished
    last = [row for row in found.candidates if row["round"] == 2]
    assert len(last) == 4
    for row in last:
        beaten = [
            other for other in last
            if other["accuracy"] >= row["accuracy"] and other["average changes"] >= row["average changes"]
            and (other["accuracy"], other["average changes"]) != (row["accuracy"], row["average changes"])
        ]  # fmt: skip
        assert row["front"] == (not beaten)
    assert [row["candidate"] for row in found.front] == [
        row["candidate"] for row in sorted(found.front, key=lambda row: -row["accuracy"])
    ]
    assert found.best in found.front


def test_each_kind_keeps_its_better_half(finished: Any) -> None:
    _, found = finished
    kinds = [row["kind"] for row in found.candidates if row["round"] == 2]
    assert (kinds.count("isotropic"), kinds.count("localized")) == (1, 3)


def candidate(number: int, accuracy: float, changes: float, localized: bool = False) -> Candidate:
    noise = Space({"delete": (0.1, 0.9)}, (2,) if localized else (1,)).candidates(1)[0]
    return Candidate(number, noise, 1, ({"accuracy": accuracy, "average changes": changes},))


def test_the_floor_comes_before_the_changes() -> None:
    some = [candidate(0, 0.5, 9.0), candidate(1, 0.8, 1.0), candidate(2, 0.9, 0.5), candidate(3, 0.85, 0.1)]
    assert [one.number for one in kept(some, 0.8)] == [1, 2]
    assert [one.number for one in kept(some, 0.95)] == [2, 3]
    assert [one.number for one in kept(some, 0.0)] == [0, 1]


def test_the_floor_is_respected(finished: Any) -> None:
    _, found = finished
    strict = replace(found, floor=max(row["accuracy"] for row in found.candidates if row["round"] == 2))
    assert strict.best is not None
    assert strict.best["accuracy"] >= strict.floor
    hopeless = replace(found, floor=1.01)
    assert hopeless.best is None
    assert "lower the floor" in hopeless.summary()
    with pytest.raises(InputError, match="lower the floor"):
        hopeless.settings()


def test_the_area_is_the_average_number_of_changes() -> None:
    goal = Goal("add", "0,1,4")
    assert goal.area([1.0, 0.5, 0.25]) == 0.5 + 3 * 0.25


def test_a_trial_estimates_what_the_final_run_certifies(tmp_path: Any) -> None:
    """With as many votes as the final run the estimate is close to what these very nodes would be certified with."""
    noise = Space({"add": (0.05, 0.05), "delete": (0.6, 0.6)}, (1,)).candidates(1)[0]
    config = RunConfig(
        noise, 7, DatasetConfig("synthetic", SMALL["dataset_options"]), sampling=SamplingConfig(samples=3000)
    )
    trial = Trial(config, 0, Goal("delete", "0:8"))
    state = graphcert.tuning.trial.fitted(trial, None)
    row = measured(trial, state, 3000, None, 1)
    data = graphcert.tuning.trial.shown_graph(trial, None)
    module = graphcert.tuning.trial.RunModel(config, trial.problem(data), int(data.classes)).module
    module.load_state_dict(state)
    votes = gc.sample_votes(module.eval(), data, trial.scheme(data), 3000, 1000, 8, workers=1)
    nodes, test = int(data.val_mask.sum()), int(data.test_mask.sum())
    claims = gc.certify(votes, 0.01 * nodes / test, targets=data.val_mask.numpy())
    truth = data.y.numpy()
    real = [claims.certified_accuracy(gc.Budget(0, r), truth) for r in range(9)]
    assert 0.05 < real[4] < real[0]
    assert np.abs(np.array(real) - row["certified accuracy"]).max() < 0.12


# The same every time


def test_a_second_search_is_the_same_and_measures_nothing(
    finished: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder, found = finished
    tuned(tmp_path, workers=2)
    assert results(tmp_path) == results(folder)

    def refuse(*_: Any) -> None:
        raise AssertionError("everything is known")

    monkeypatch.setattr(graphcert.tuning.search, "measured", refuse)
    monkeypatch.setattr(graphcert.tuning.search, "fitted", refuse)
    with caplog.at_level("INFO", "graphcert"):
        assert tuned(tmp_path).front == found.front
    assert sum("trials are known already" in line for line in caplog.messages) == 2
    assert results(tmp_path) == results(folder)


@pytest.mark.parametrize("point", [0, 1, 3, 7, 10])
def test_an_interrupted_search_ends_the_same(
    finished: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    folder, _ = finished
    calls = 0

    def dying(name: str) -> Any:
        real = getattr(graphcert.tuning.search, name)

        def called(*arguments: Any) -> Any:
            nonlocal calls
            if calls == point:
                raise KeyboardInterrupt
            calls += 1
            return real(*arguments)

        return called

    with monkeypatch.context() as patch:
        for name in ("fitted", "measured"):
            patch.setattr(graphcert.tuning.search, name, dying(name))
        with pytest.raises(KeyboardInterrupt):
            tuned(tmp_path)
    assert not (tmp_path / "best.toml").exists()
    trials = list((tmp_path / "trials").glob("*")) if point else []
    for damaged in trials[:1]:
        damaged.write_text("{")
    tuned(tmp_path)
    assert results(tmp_path) == results(folder)


def test_a_scheduler_changes_nothing(finished: Any, tmp_path: Any) -> None:
    pytest.importorskip("distributed")
    folder, _ = finished
    tuned(tmp_path, workers=None, scheduler="local:2")
    assert results(tmp_path) == results(folder)


def test_what_the_time_does_not_allow_is_said(finished: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = finished
    clock = iter(range(10**6))
    monkeypatch.setattr(graphcert.tuning.search.time, "monotonic", lambda: float(next(clock)))
    short = tuned(tmp_path, minutes=0.5)
    assert short.left_out
    assert "the time ended before" in short.summary()
    monkeypatch.undo()
    assert not tuned(tmp_path, minutes=1000).left_out
    assert results(tmp_path) == results(folder)


# What is looked at


def test_labels_of_test_nodes_are_never_read(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, found = finished
    real = graphcert.tuning.trial.load_dataset

    def shuffled(*arguments: Any, **options: Any) -> Any:
        data = real(*arguments, **options)
        test = data.test_mask
        data.y[test] = (data.y[test] + 1) % 3
        return data

    graphcert.tuning.trial._shown_graph.cache_clear()
    monkeypatch.setattr(graphcert.tuning.trial, "load_dataset", shuffled)
    assert tuned().candidates == found.candidates
    graphcert.tuning.trial._shown_graph.cache_clear()


def test_the_split_is_that_of_the_final_run_and_the_noise_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    splits, noises = set(), set()
    load, votes = graphcert.tuning.trial.load_dataset, graphcert.tuning.trial.sample_votes

    def loaded(*arguments: Any, seed: int, **options: Any) -> Any:
        splits.add(seed)
        return load(*arguments, seed=seed, **options)

    def voted(*arguments: Any, **options: Any) -> Any:
        noises.add(arguments[5])
        return votes(*arguments, **options)

    graphcert.tuning.trial._shown_graph.cache_clear()
    monkeypatch.setattr(graphcert.tuning.trial, "load_dataset", loaded)
    monkeypatch.setattr(graphcert.tuning.trial, "sample_votes", voted)
    tuned(seed=3, seeds=(11, 12), candidates=4)
    assert splits == {3}
    assert noises == {11, 12}


# The space


def test_more_candidates_begin_with_the_same_ones() -> None:
    space = Space(usual_ranges(("add",)), (1, 5, 10))
    many = space.candidates(40)
    assert space.candidates(12) == many[:12]
    assert len({repr(noise) for noise in many}) == 40
    assert {noise.clusters for noise in many} == {1, 5, 10}
    for k in range(0, 40, MEMBERS):
        assert kind_of(many[k]) == ISOTROPIC
        nearest = {(near(noise.features.add), near(noise.features.delete)) for noise in many[k : k + MEMBERS]}
        assert len(nearest) == 1
    for noise in many:
        for name, (least, most) in space.ranges.items():
            rate = getattr(noise.features, name)
            ends = rate if isinstance(rate, tuple) else (rate,)
            assert least <= min(ends) == ends[0] <= ends[-1] <= most


def near(rate: Any) -> float:
    return rate[0] if isinstance(rate, tuple) else rate


def test_members_share_a_model_and_others_do_not() -> None:
    space = Space({"add": (0.01, 0.1), "delete": (0.3, 0.9)}, (1, 5))
    base = RunConfig(space.candidates(1)[0], 0, DatasetConfig("synthetic", SMALL["dataset_options"]))
    trials = [
        Trial(replace(base, smoothing=noise, seed=seed), 0, Goal())
        for seed, noise in product((1, 2), space.candidates(8))
    ]
    assert len({trial.model_key("graph") for trial in trials}) == 4
    assert len({trial.key("graph", 10) for trial in trials}) == 16
    assert trials[0].key("graph", 10) != trials[0].key("other", 10)
    assert trials[0].key("graph", 10) != replace(trials[0], goal=Goal("delete")).key("graph", 10)


@pytest.mark.parametrize(
    ("options", "objective"),
    [
        ({"noise": {"sigma": (0.2, 0.6)}, "clusters": (1,)}, "shift"),
        ({"noise": {"sigma": (0.2, 0.6)}, "clusters": (2,)}, "shift"),
        ({"noise": {"select": (0.8, 0.95), "ablate": True}, "clusters": (1,)}, "nodes"),
        ({"noise": {"edge_delete": (0.3, 0.6)}, "clusters": (1, 2)}, "edge_delete"),
        ({"clusters": (1, 2)}, "add+delete"),
    ],
)
def test_other_noise_and_objectives(options: Any, objective: str) -> None:
    given = {**options, "objective": objective, "budgets": None if objective == "shift" else "0:3"}
    found = tuned(**given, candidates=2, rounds=1, floor=0.0)
    assert found.best is not None
    assert found.best["average changes"] > 0
    RunConfig.from_dict(found.settings())


# Bad input


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seeds": (0, 1)}, "the seed 0 is that of the final run"),
        ({"seeds": ()}, "one or several different numbers"),
        ({"seeds": (4, 4)}, "one or several different numbers"),
        ({"objective": "subtract"}, "the objective is made of add, delete"),
        ({"objective": "shift+add"}, "shift alone"),
        ({"objective": "edge_add", "noise": {"delete": (0.3, 0.6)}}, "certifies nothing against edge_add"),
        ({"objective": "add", "noise": {"sigma": (0.3, 0.6)}}, "certifies nothing against add"),
        ({"noise": {"delete": (0.6, 0.3)}}, "from its least to its most"),
        ({"noise": {"delete": (0.6, 0.7, 0.8)}}, "two numbers"),
        ({"noise": {"gamma": (0.6, 0.7)}}, "noise has no range of 'gamma'"),
        ({"noise": {"delete": 0.6}}, "a range to rise in"),
        ({"budgets": "3:1"}, "the budgets add must be"),
        ({"budgets": "1:4"}, "ascend from 0"),
        ({"method": "magic"}, "the collective method must be one of"),
        ({"floor": 2}, "the floor must be"),
        ({"candidates": 0}, "candidates must be at least 1"),
        ({"minutes": -1}, "minutes must be a finite number above 0"),
        ({"clusters": ()}, "name at least one number of clusters"),
        ({"training": {"speed": 3}}, "unknown setting training.speed"),
        ({"training": {"epochs": "many"}}, "the setting training.epochs must be a whole number"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Any, options: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        tuned(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(tmp_path: Any) -> None:
    (tmp_path / "file").write_text("")
    space = Space({"delete": (0.3, 0.6)}, (1,))
    base = RunConfig(space.candidates(1)[0], 0, DatasetConfig("synthetic", SMALL["dataset_options"]))
    with pytest.raises(InputError, match="is a file; name a folder"):
        search(base, space, Goal("delete"), Effort(1, 1), tmp_path / "file")
