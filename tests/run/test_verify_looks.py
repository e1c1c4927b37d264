"""Verification of runs whose nodes stop: honest ones hold; other looks, weights or stops than those planned are found."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forgeries import ALL, VOTES, change_json, change_sealed, change_settings
from test_verify import SMALL, said

import graphcert as gc
from graphcert.core.arrays import read_sealed
from graphcert.errors import InputError
from graphcert.models import Training
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig
from graphcert.run.settings.stages import CertificateConfig, CollectiveConfig, SamplingConfig, until_budgets
from graphcert.run.statement import write_statement
from graphcert.votes import Votes

ASKED = "add=1; delete=1"


def config(until: str | None = ASKED) -> RunConfig:
    return RunConfig(
        SmoothingConfig(RatesConfig(0.05, 0.4)), dataset=SMALL, training=Training(epochs=20),
        sampling=SamplingConfig(1200, 100, until=until, undecided=None if until is None else 0.0),
        certificate=CertificateConfig(max_add=2, max_delete=2), collective=CollectiveConfig("none"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("looks")
    Run(root / "honest").all_stages(config())
    return root / "honest"


def test_an_honest_run_holds_and_says_where_nodes_stopped(honest: Path) -> None:
    found = gc.verify(honest, resample=ALL)
    assert found, said(found)
    assert any("shares of its level sum to at most 1" in one.what for one in found.of_kind("proved"))
    again = sum("bit for bit" in one.what for one in found.of_kind("recomputed"))
    assert again == len(list((honest / "votes").glob("*-*.npz"))) > 5
    votes = Votes.load(honest / VOTES)
    assert np.unique(votes.node_samples).size > 2
    plan = json.loads((honest / "plan.json").read_text())["plans"][-1]
    assert votes.looks is not None
    assert (plan["until"], plan["looks"]) == (ASKED, votes.looks.to_dict())
    assert "at one of" in (honest / "report.html").read_text()


def test_another_certificate_of_these_votes_holds(honest: Path, tmp_path: Path) -> None:
    shutil.copytree(honest, tmp_path / "run")
    run = Run(tmp_path / "run")
    run.report(run.certify(CertificateConfig(alpha=0.05, method="binary", max_add=1, max_delete=1)))
    found = gc.verify(tmp_path / "run")
    assert found, said(found)


def test_all_samples_after_a_look_are_another_look(honest: Path, tmp_path: Path) -> None:
    """Either way round the error rates add up, and both plans' shards may lie there."""
    shutil.copytree(honest, tmp_path / "run")
    run = Run(tmp_path / "run")
    with pytest.raises(InputError, match="look-again"):
        run.sample(until="add=1")
    Run(tmp_path / "fixed").all_stages(config(None))
    other = Run(tmp_path / "fixed")
    with pytest.raises(InputError, match="look-again"):
        other.sample(until=ASKED)
    other.sample(until=ASKED, look_again=True)
    other.report(other.certify(other.load_config().certificate))
    found = gc.verify(tmp_path / "fixed", resample=ALL)
    assert found, said(found)
    assert any("2 times" in one.what for one in found.of_kind("believed"))


def test_another_most_is_another_look_before_any_certificate(honest: Path, tmp_path: Path) -> None:
    """What stopping saved was told, and depends on the final votes."""
    shutil.copytree(honest, tmp_path / "run")
    change_json(tmp_path / "run/manifest.json", lambda content: content.pop("looks"))
    run = Run(tmp_path / "run")
    with pytest.raises(InputError, match=r"votes with looks of up to 1,200 samples.*--look-again"):
        run.sample(2000)
    run.sample()
    run.sample(2000, look_again=True)


def test_a_run_goes_back_to_all_samples(honest: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(honest, tmp_path / "run")
    caplog.set_level("INFO", "graphcert")
    run = Run(tmp_path / "run")
    run.sample()
    assert any("samples of single nodes: " in line and "of the targets" in line for line in caplog.messages)
    with pytest.raises(InputError, match="look-again"):
        run.sample(until="none")
    run.sample(until="none", look_again=True)
    assert Votes.load(tmp_path / "run" / VOTES).looks is None
    run.report(run.certify(run.load_config().certificate))
    found = gc.verify(tmp_path / "run", resample=ALL)
    assert found, "\n".join(one.what for one in found.of_kind("contradiction"))


def test_votes_go_on_under_another_rule(honest: Path, tmp_path: Path) -> None:
    """What the refusal proposes works: shards of other members lie beside those that are there."""
    shutil.copytree(honest, tmp_path / "run")
    run = Run(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (honest / "votes").glob("*-*.npz")}
    run.sample(until="add=1", look_again=True)
    run.report(run.certify(run.load_config().certificate))
    after = {path.name: path.read_bytes() for path in (tmp_path / "run/votes").glob("*-*.npz")}
    assert before.items() <= after.items()
    assert len(before) < len(after)
    found = gc.verify(tmp_path / "run", resample=ALL)
    assert found, said(found)


def test_a_plan_without_its_votes_is_honest(honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampling that was refused or interrupted after it was planned: the votes are those of the plan before."""
    shutil.copytree(honest, tmp_path / "run")

    def refused(*_: Any, **__: Any) -> None:
        raise InputError("no room")

    with monkeypatch.context() as patch:
        patch.setattr("graphcert.run.nodes.sample_votes", refused)
        with pytest.raises(InputError, match="no room"):
            Run(tmp_path / "run").sample(until="add=1", look_again=True)
    assert len(json.loads((tmp_path / "run/plan.json").read_text())["plans"]) == 2
    found = gc.verify(tmp_path / "run", resample=ALL)
    assert found, said(found)
    assert any("begun under them and not finished" in one.what for one in found.of_kind("believed"))


def test_the_name_of_a_shard_says_who_votes(honest: Path, tmp_path: Path) -> None:
    shutil.copytree(honest, tmp_path / "run")
    marked = next((tmp_path / "run/votes").glob("main-*-*-*.npz"))
    shutil.copy(marked, marked.with_name(f"{marked.stem[:-16]}{'0' * 16}.npz"))
    write_statement(tmp_path / "run")
    found = gc.verify(tmp_path / "run")
    assert any("its name is not that of those who vote" in one.what for one in found.of_kind("contradiction"))


# Forgeries


def weights(run: Path, change: Callable[[list[float]], list[float]]) -> None:
    def edit(description: dict[str, Any], _: Any) -> None:
        description["looks"]["weights"] = change(description["looks"]["weights"])

    change_sealed(run / VOTES, edit)


def whole_levels(run: Path) -> None:
    """Every look has the whole level."""
    weights(run, lambda old: [1.0] * len(old))


def barely_too_much(run: Path) -> None:
    weights(run, lambda old: [*old[:-1], float(np.nextafter(old[-1], 1)) + 1e-12])


def other_weights(run: Path) -> None:
    """The first look, where most nodes stopped, has most of the level; certified again."""
    weights(run, lambda old: [old[-1], *old[1:-1], old[0]])
    change_json(run / "manifest.json", lambda content: content.pop("looks"))
    make_plain(run)


def other_weights_planned(run: Path) -> None:
    """And the plan says so."""

    def plan(content: dict[str, Any]) -> None:
        old = content["plans"][-1]["looks"]["weights"]
        content["plans"][-1]["looks"]["weights"] = [old[-1], *old[1:-1], old[0]]

    weights(run, lambda old: [old[-1], *old[1:-1], old[0]])
    change_json(run / "plan.json", plan)


def another_stop(run: Path) -> None:
    """The certificate says that a node stopped later than it did."""

    def edit(content: dict[str, Any]) -> None:
        stops = content["nodes"]["stopped_at"]
        stops[stops.index(min(stops))] = max(stops)

    change_json(run / "certificate.json", edit)


def undivided_bounds(run: Path) -> None:
    """Bounds at a level that is not divided over looks."""
    votes, targets = Votes.load(run / VOTES), Run(run).voted(Run(run).load_config()).data.test_mask.numpy()
    level = 0.01 / int(targets.sum()) / 2
    bounds = gc.statistics.clopper_pearson_lower(votes.successes, votes.node_samples, level)
    p_lower = np.where(targets, np.maximum(bounds - votes.total_variation, 0), 0.0).tolist()
    change_json(run / "certificate.json", lambda content: content["nodes"].update(p_lower=p_lower))


def moved_node(run: Path) -> None:
    """A node of the first look gets the votes of a later one in the file of votes."""

    def edit(_: Any, arrays: dict[str, Any]) -> None:
        counts = arrays["counts"].copy()
        first, last = counts.sum(axis=1).argmin(), counts.sum(axis=1).max()
        counts[first, counts[first].argmax()] += last - counts[first].sum()
        arrays["counts"] = counts

    change_sealed(run / VOTES, edit)
    make_plain(run)


def moved_off(run: Path) -> None:
    """A node has a number of votes that is no look's."""

    def edit(_: Any, arrays: dict[str, Any]) -> None:
        arrays["counts"] = arrays["counts"] + np.eye(*arrays["counts"].shape, dtype=np.int64)

    change_sealed(run / VOTES, edit)


def other_budgets(run: Path) -> None:
    """The settings say that nodes stopped for other budgets."""
    change_settings(run / "config.toml", lambda content: content["sampling"].update(until="add=2"))


def a_vote_after_the_stop(run: Path) -> None:
    """A shard has votes of a node that had stopped."""
    shard = sorted((run / "votes").glob("main-*.npz"))[-1]

    def edit(_: Any, arrays: dict[str, Any]) -> None:
        counts = arrays["counts"].copy()
        counts[counts.sum(axis=1).argmin(), 0] = counts.sum(axis=1).max()
        arrays["counts"] = counts

    assert (read_sealed(shard, "shard", None)[1]["counts"].sum(axis=1) == 0).any()
    change_sealed(shard, edit)


def make_plain(run: Path) -> None:
    """Certify and report with the package itself, as if these had always been the votes."""
    votes, own = Votes.load(run / VOTES), Run(run)
    change_json(run / "manifest.json", lambda content: content.update(votes=votes.digest))
    settings = own.load_config().certificate
    try:
        own.report(own.certify(settings))
    except gc.errors.DataError:  # the plan says otherwise, and the package notices itself
        return


@pytest.mark.parametrize(
    ("forge", "where"),
    [
        (whole_levels, "votes.npz"), (barely_too_much, "votes.npz"), (other_weights, "votes.npz"),
        (other_weights_planned, "plan.json"), (another_stop, "certificate.json"), (undivided_bounds, "certificate.json"),
        (moved_node, "votes.npz"), (moved_off, "votes.npz"), (other_budgets, "votes.npz"),
        (a_vote_after_the_stop, "votes"),
    ],
)  # fmt: skip
def test_a_forgery_is_found(forge: Callable[[Path], None], where: str, honest: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(honest, run)
    forge(run)
    write_statement(run)
    found = gc.verify(run, resample=0)
    assert not found
    assert any(where in one.where for one in found.of_kind("contradiction")), said(found)
    assert not any("\n" in one.what for one in found)


def test_the_slow_path_proves_by_itself_that_weights_sum_to_at_most_one(honest: Path, tmp_path: Path) -> None:
    from graphcert.verification.node_claims import check_certificate
    from graphcert.verification.run_files import PlainGraph, read_votes

    shutil.copy(honest / VOTES, tmp_path / "votes.npz")
    votes = read_votes(tmp_path / "votes.npz")
    certificate = json.loads((honest / "certificate.json").read_text())
    data = Run(honest).voted(config()).data
    graph = PlainGraph(
        data.y.numpy(), data.test_mask.numpy(), np.count_nonzero(data.x.numpy(), axis=1), 20, data.edge_index.numpy()
    )
    kinds = {one.kind for one in check_certificate(certificate, votes, graph)}
    assert kinds == {"proved"}
    undivided = votes._replace(looks=None, counts=votes.counts[:, :])
    assert any(one.kind == "contradiction" for one in check_certificate(certificate, undivided, graph))
    change_sealed(tmp_path / "votes.npz", lambda d, _: d["looks"].update(weights=[0.1] * len(d["looks"]["ends"])))
    with pytest.raises(gc.errors.DataError, match="sum to more than 1"):
        read_votes(tmp_path / "votes.npz")


def test_budgets_as_text() -> None:
    assert until_budgets("add=2,delete=5") == [{"add": 2, "delete": 5}]
    assert until_budgets("add=2; shift = 0.5") == [{"add": 2}, {"shift": 0.5}]
    for wrong in ("", "add", "add=1:3", "bits=2", "add=1,add=2", "add=1;;", "add=-1"):
        with pytest.raises(InputError, match="add"):
            until_budgets(wrong)
    with pytest.raises(InputError, match="undecided belongs to until"):
        SamplingConfig(undecided=0.1)
    with pytest.raises(InputError, match="leave until or scores out"):
        SamplingConfig(until="add=1", scores=True)
