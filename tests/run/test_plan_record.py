"""The plan of a run is written before its final votes, stands from then on, and is compared with everything that follows."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from planned_run import CONFIG, forge_plan, forget_plan, plans, rewrite_votes, write_plans

from graphcert.core.arrays import read_sealed
from graphcert.errors import DataError, VotesError
from graphcert.run.commitment import plan_digest, read_plans
from graphcert.run.nodes import Run
from graphcert.run.settings.stages import CertificateConfig
from graphcert.run.statement import read_statement
from graphcert.sampling.philox import MAIN
from graphcert.votes import Votes
from graphcert.voting.counting import Counter

OTHER = CertificateConfig(alpha=0.05)
LATER = "Chosen after the votes: α = 0.05 instead of the planned 0.01."


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan") / "trained"
    Run(folder).train(CONFIG)
    return folder


@pytest.fixture(scope="module")
def finished(trained: Path) -> Path:
    folder = trained.parent / "finished"
    shutil.copytree(trained, folder)
    Run(folder).all_stages(CONFIG)
    return folder


@pytest.fixture
def begun(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def interrupt(monkeypatch: pytest.MonkeyPatch, when: Callable[[int, int], bool]) -> None:
    """End voting before a range of samples, by its purpose and its first sample."""
    count = Counter.count

    def counting(self: Counter, purpose: int, start: int, *rest: Any) -> Any:
        if when(purpose, start):
            raise KeyboardInterrupt
        return count(self, purpose, start, *rest)

    monkeypatch.setattr(Counter, "count", counting)


# Before the votes


def test_the_plan_is_there_before_the_first_vote(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(monkeypatch, lambda *_: True)
    with pytest.raises(KeyboardInterrupt):
        Run(begun).sample()
    (plan,) = plans(begun)
    assert plan["previous"] is None
    assert (plan["seed"], plan["samples"], plan["pilot_samples"], plan["scores"]) == (0, 2000, 20, False)
    assert (plan["certificate"]["alpha"], plan["certificate"]["method"]) == (0.01, "multiclass")
    assert plan["certificate"]["label_share"] is not None
    assert plan["collective"]["sweeps"] == [{"add": "0:2"}]
    assert set(plan["split"]) == {"train", "validation", "test", "targets"}
    assert plan["total_variation"] > 0


def test_a_killed_and_resumed_run_has_the_same_plan_and_votes(
    begun: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        interrupt(patch, lambda purpose, start: purpose == MAIN and start == 1000)
        Run(begun).sample()
    first = (begun / "plan.json").read_bytes()
    assert len(list((begun / "votes").glob("main-*"))) == 1
    Run(begun).sample()
    assert (begun / "plan.json").read_bytes() == first == (finished / "plan.json").read_bytes()
    for path in (finished / "votes").glob("*.npz"):
        assert (begun / "votes" / path.name).read_bytes() == path.read_bytes()


def test_shards_of_final_votes_and_the_votes_name_the_plan(finished: Path) -> None:
    (digest,) = map(plan_digest, plans(finished))
    named = {
        path.name: read_sealed(path, "shard", None)[0].get("plan") for path in (finished / "votes").glob("*-*.npz")
    }
    assert len(named) == 3
    assert all(plan == (digest if name.startswith("main") else None) for name, plan in named.items())
    assert Votes.load(finished / "votes/votes.npz").manifest["plan"] == digest
    assert json.loads((finished / "manifest.json").read_text())["plan"] == digest


def test_until_there_are_final_votes_a_plan_may_change(begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        interrupt(patch, lambda purpose, _: purpose == MAIN)
        Run(begun).sample()
    Run(begun).train(replace(CONFIG, certificate=OTHER))
    Run(begun).sample()
    (plan,) = plans(begun)
    assert (plan["previous"], plan["certificate"]["alpha"]) == (None, 0.05)


# From then on


def test_the_same_samples_again_are_the_same_plan_whatever_is_claimed(run: Path) -> None:
    before = (run / "plan.json").read_bytes()
    Run(run).certify(OTHER)
    Run(run).sample()
    Run(run).all_stages(replace(CONFIG, certificate=OTHER))
    assert (run / "plan.json").read_bytes() == before


def test_other_numbers_are_a_plan_that_names_the_one_before(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Run(run).certify(OTHER)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):  # noqa: PT012
        interrupt(patch, lambda *_: True)
        Run(run).sample(3000, look_again=True)
    assert Run(run).voted(Run(run).load_config()).votes.samples == 2000  # those of the first plan, which it holds
    Run(run).sample(3000, look_again=True)
    first, second = plans(run)
    assert (second["previous"], second["samples"]) == (plan_digest(first), 3000)
    named = [read_sealed(path, "shard", None)[0]["plan"] for path in sorted((run / "votes").glob("main-*.npz"))]
    assert named == [plan_digest(first)] * 2 + [plan_digest(second)]
    assert Votes.load(run / "votes/votes.npz").manifest["plan"] == plan_digest(second)
    Run(run).sample(3000, look_again=True)
    assert len(plans(run)) == 2
    content = Run(run).report(Run(run).certify(OTHER))
    changes = "samples = 3000 instead of 2000; α = 0.05 instead of 0.01"
    words = f"Plan 2 of this run was made after votes of the plan before: {changes}."
    assert words in content.warnings
    assert not any("Chosen after" in sentence for sentence in content.warnings)


def test_what_is_chosen_after_the_votes_is_said(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "graphcert")
    Run(run).report(Run(run).certify(OTHER))
    assert LATER in caplog.messages
    assert json.loads((run / "manifest.json").read_text())["chosen_after_votes"] == [LATER]
    assert read_statement(run)["predicate"]["chosen_after_votes"] == [LATER]
    assert LATER in (run / "report.html").read_text()
    binary = Run(run).certify(CertificateConfig(method="binary", max_add=3))
    together = Run(run).collective(replace(CONFIG.collective, sweeps=({"delete": "0:1"},)), binary)
    (sentence,) = json.loads((run / "manifest.json").read_text())["chosen_after_votes"]
    for words in (
        "method = binary instead of the planned multiclass", "label share = none instead of the planned 0.", "max add = 3",
        "collective sweeps = delete 0:1 instead of the planned add 0:2",
    ):  # fmt: skip
        assert words in sentence
    Run(run).report(binary, together)
    Run(run).certify(CertificateConfig(simultaneous=False))
    assert any("simultaneous = no instead of the planned yes" in line for line in Run(run).report().warnings)
    Run(run).collective(CONFIG.collective, Run(run).certify(CONFIG.certificate))
    Run(run).report()
    assert "Chosen after" not in (run / "report.html").read_text()


def test_a_run_from_before_has_no_plan_and_goes_on_without(run: Path) -> None:
    forget_plan(run)
    Run(run).report(Run(run).certify(OTHER))
    Run(run).sample(3000, look_again=True)
    assert not (run / "plan.json").exists()
    assert "Chosen after" not in (run / "report.html").read_text()
    assert read_statement(run)["predicate"]["plans"] == []


# Contradictions


@pytest.mark.parametrize(
    ("name", "value"),
    [("data", "0" * 64), ("split", {"train": "0" * 64}), ("model", "0" * 64), ("scheme", {}), ("seed", 1),
     ("total_variation", 0.0), ("kind", "images"), ("samples", 2001), ("pilot_samples", 21), ("scores", True)],
)  # fmt: skip
def test_votes_of_another_plan_than_the_run_are_refused(run: Path, name: str, value: Any) -> None:
    forge_plan(run, **{name: value})
    with pytest.raises(DataError, match=rf"plan\.json.*different: {name}\)"):
        Run(run).certify(CONFIG.certificate)
    with pytest.raises(DataError, match=rf"plan\.json.*different: {name}\)"):
        Run(run).report()


@pytest.mark.parametrize("name", ["data", "split", "model", "scheme", "seed"])
def test_sampling_goes_on_only_with_what_was_planned(run: Path, name: str) -> None:
    forge_plan(run, **{name: "another"})
    with pytest.raises(DataError, match=rf"plan\.json is of another run \(different: {name}\)"):
        Run(run).sample()


def test_a_plan_that_the_votes_do_not_name_is_refused(run: Path) -> None:
    (plan,) = plans(run)
    write_plans(run, {**plan, "certificate": {**plan["certificate"], "alpha": 0.1}})
    with pytest.raises(DataError, match="does not hold the plan that the votes of this run name"):
        Run(run).certify(CONFIG.certificate)
    with pytest.raises(VotesError, match="was not taken under a plan of this run"):
        Run(run).sample()
    (run / "plan.json").unlink()
    with pytest.raises(DataError, match="does not hold the plan"):
        Run(run).report()
    with pytest.raises(VotesError, match="was not taken under a plan"):
        Run(run).sample()
    write_plans(run, plan)
    rewrite_votes(run, {"plan": None})
    with pytest.raises(DataError, match="does not hold the plan"):
        Run(run).report()


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 2, "plans": []}', '{"format": 1, "plans": []}', '{"format": 1, "plans": [3]}'],
)
def test_a_damaged_plan_is_refused(run: Path, content: str) -> None:
    (run / "plan.json").write_text(content)
    with pytest.raises(DataError, match=r"plan\.json"):
        read_plans(run)


def test_a_broken_chain_is_refused(run: Path) -> None:
    (plan,) = plans(run)
    write_plans(run, plan, {**plan, "previous": "0" * 64})
    with pytest.raises(DataError, match="does not name the one before it"):
        Run(run).certify(CONFIG.certificate)


def test_votes_cannot_be_drawn_more_exactly_than_the_sampler_draws(run: Path) -> None:
    rewrite_votes(run, total_variation=0.0)
    with pytest.raises(
        DataError, match=r"states a total variation of 0, but this noise is drawn with .*; sample again"
    ):
        Run(run).certify(CONFIG.certificate)
    Run(run).sample()
    assert Run(run).certify(CONFIG.certificate).votes.total_variation > 0


def test_votes_of_another_model_are_refused(run: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, "model": "0" * 64}))
    for stage in (Run(run).sample, Run(run).report, lambda: Run(run).certify(CONFIG.certificate)):
        with pytest.raises(DataError, match=r"manifest\.json names another model"):
            stage()


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.05), ("method", "binary"), ("claims", 1)])
def test_manifest_and_certificate_say_the_same(run: Path, name: str, value: Any) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, name: value}))
    with pytest.raises(DataError, match=rf"manifest\.json state different claims \({name} differ\)"):
        Run(run).report()
    Run(run).report(Run(run).certify(CONFIG.certificate))
