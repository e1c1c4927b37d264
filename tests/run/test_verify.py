"""Verification of whole runs: honest ones hold, and every forgery is found where it was made."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from forgeries import ALL, FORGERIES, change_json, forged, rename_plan, said

import graphcert as gc
from graphcert.errors import InputError
from graphcert.models import Training
from graphcert.report import render
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import DatasetConfig, ModelConfig, RunConfig
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig
from graphcert.run.settings.stages import CertificateConfig, CollectiveConfig, SamplingConfig
from graphcert.run.statement import write_statement
from graphcert.run.verifying import graph_run
from graphcert.run.verifying.comparing import compared
from graphcert.run.verifying.resample import what_is_left

SMALL = DatasetConfig("synthetic", {"nodes": 200, "classes": 3, "features": 20})
FEATURES, EDGES = RatesConfig(0.05, 0.4), RatesConfig(0.0, 0.3)
NEAR_FAR = RatesConfig((0.05, 0.1), (0.3, 0.7))
LOCALIZED = SmoothingConfig(NEAR_FAR, clusters=2)


def config(smoothing: SmoothingConfig = LOCALIZED, **parts: object) -> RunConfig:
    """A run of a second or two."""
    given: dict[str, object] = {
        "dataset": SMALL, "training": Training(epochs=20), "sampling": SamplingConfig(1200, 100),
        "certificate": CertificateConfig(max_add=2, max_delete=2) if smoothing is LOCALIZED else CertificateConfig(),
        "collective": CollectiveConfig(sweeps=({"add": "0:2"},)) if smoothing is LOCALIZED else CollectiveConfig(),
    }  # fmt: skip
    return RunConfig(smoothing, **{**given, **parts})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an honest run and another one, of another seed."""
    root = tmp_path_factory.mktemp("runs")
    Run(root / "honest").all_stages(config())
    Run(root / "another").all_stages(config(seed=3))
    return root


def contents(run: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_an_honest_run_holds_and_is_not_touched(runs: Path) -> None:
    before = contents(runs / "honest")
    found = gc.verify(runs / "honest", resample=ALL)
    assert found, said(found)
    assert contents(runs / "honest") == before
    assert sum("bit for bit" in one.what for one in found.of_kind("recomputed")) == 3
    assert found.of_kind("proved")
    assert not any("not voted again" in one.what for one in found)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found(
    name: str, runs: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = runs / "forged"
    request.addfinalizer(lambda: shutil.rmtree(target))
    forgery = forged(name, runs / "honest", target)
    if "report" not in forgery.where:
        # Drawing is what takes time; here it is not what finds the forgery.
        monkeypatch.setattr(graph_run, "render", lambda _: (target / "report.html").read_text())
    found = gc.verify(target, resample=forgery.resample)
    assert not found
    assert any(forgery.where in one.where for one in found.of_kind("contradiction")), said(found)
    assert not any("\n" in one.what or "\n" in one.where for one in found)


def test_the_forgeries_are_of_every_file(runs: Path) -> None:
    assert len(FORGERIES) >= 30
    files = {path.relative_to(runs / "honest").as_posix() for path in contents(runs / "honest")}
    for name in files - {"partition.json"}:  # whose forgeries are found in the votes
        assert any(forgery.where in name for forgery in FORGERIES.values()), name


def test_a_forged_shard_goes_unseen_as_often_as_is_said(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "another").symlink_to(runs / "another")
    forged("raised counts in shards too, certified again", runs / "honest", tmp_path / "forged")
    seen = [bool(gc.verify(tmp_path / "forged", resample=count)) for count in (0, 3)]
    assert seen == [True, False]
    (half,) = what_is_left("votes", 4, 2)
    assert "probability 0.5," in half.what
    (none,) = what_is_left("votes", 4, 0)
    assert "none of the 4 shards" in none.what
    assert list(what_is_left("votes", 4, 4)) == []


def test_votes_made_elsewhere_are_said_to_be(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rounding may differ, a difference does not accuse anybody, but it does not confirm anything either."""
    (tmp_path / "another").symlink_to(runs / "another")
    forged("raised counts in shards too, certified again", runs / "honest", tmp_path / "forged")
    monkeypatch.setattr("graphcert.voting.counting.get_host_cpu_name", lambda: "abacus")
    found = gc.verify(tmp_path / "forged", resample=ALL)
    assert "it was made elsewhere (processor" in said(found)
    assert "abacus here" in said(found)
    assert gc.verify(runs / "honest", resample=1)


def test_other_versions_may_round_and_draw_otherwise(runs: Path, tmp_path: Path) -> None:
    """Then words and numbers are compared, numbers to nine digits; the same differences are a contradiction here."""
    shutil.copytree(runs / "honest", tmp_path / "run")

    def answer(version: str, p: float, percent: str = "") -> tuple[bool, str]:
        change_json(tmp_path / "run/manifest.json", lambda content: content.update(numpy=version))
        change_json(tmp_path / "run/certificate.json", lambda content: content["nodes"]["p_lower"].__setitem__(0, p))
        page = render(Run(tmp_path / "run").content())
        words, drawn, plots = page.partition("<svg")
        page = words + drawn + plots.replace("stroke:", "stroke :", 1)
        (tmp_path / "run/report.html").write_text(page.replace("%", percent or "%", 1))
        write_statement(tmp_path / "run")
        found = gc.verify(tmp_path / "run", resample=0)
        return found.holds, said(found)

    p = json.loads((runs / "honest/certificate.json").read_text())["nodes"]["p_lower"][0]
    here = json.loads((runs / "honest/manifest.json").read_text())["numpy"]
    assert answer("1.0", p * (1 - 1e-12)) == (True, "")
    assert not answer(here, p * (1 - 1e-12))[0]
    assert not answer("1.0", p - 0.001)[0]
    assert "report.html" in answer("1.0", p, "9%")[1]


def test_an_earlier_stage_is_a_run_too(tmp_path: Path) -> None:
    run, settings = Run(tmp_path / "run"), config()
    run.train(settings)
    assert gc.verify(tmp_path / "run")
    run.sample()
    assert gc.verify(tmp_path / "run")
    run.certify(settings.certificate)
    assert gc.verify(tmp_path / "run")


def test_another_level_after_the_votes_is_said_and_holds(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "honest", tmp_path / "run")
    run = Run(tmp_path / "run")
    run.report(run.certify(CertificateConfig(alpha=0.05, max_add=1, max_delete=1)))
    run.report(None, run.collective(run.load_config().collective))
    found = gc.verify(run.folder)
    assert found, said(found)
    assert any("Chosen after the votes" in one.what for one in found.of_kind("believed"))
    assert any("2 times" in one.what for one in found.of_kind("believed"))


def test_more_samples_after_a_look_hold(runs: Path, tmp_path: Path) -> None:
    """The shards of the first plan stay, the shorter last one too."""
    shutil.copytree(runs / "honest", tmp_path / "run")
    run = Run(tmp_path / "run")
    settings = config(sampling=SamplingConfig(1500, 100))
    run.all_stages(settings, look_again=True)
    assert (run.folder / "votes/main-000001000-000001200.npz").is_file()
    found = gc.verify(run.folder, resample=ALL)
    assert found, said(found)


def test_a_plan_of_other_claims_needs_the_shards_renamed(runs: Path, tmp_path: Path) -> None:
    """Who renames the plan in every shard too has made another run, and only a plan published before can tell."""
    shutil.copytree(runs / "honest", tmp_path / "run")
    before = [one for one in gc.verify(runs / "honest", resample=0) if "was made first" in one.what]
    rename_plan(tmp_path / "run", lambda plan: plan["collective"].update(time_limit=1.0), shards=True)
    after = [one for one in gc.verify(tmp_path / "run", resample=0) if "was made first" in one.what]
    assert len(before) == len(after) == 1
    assert before != after


def test_code_of_a_user_is_not_run_unless_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "code"
    place.mkdir()
    (place / "theirmodel.py").write_text(
        "from torch_geometric.nn import GCN\n\ndef make(features, classes):\n    return GCN(features, 8, 2, classes)\n"
    )
    monkeypatch.syspath_prepend(place)
    monkeypatch.setitem(sys.modules, "theirmodel", None)
    del sys.modules["theirmodel"]
    model = ModelConfig(factory="theirmodel:make")
    Run(tmp_path / "run").all_stages(config(SmoothingConfig(FEATURES), model=model))
    sys.modules.pop("theirmodel", None)
    found = gc.verify(tmp_path / "run")
    assert found, said(found)
    assert "theirmodel" not in sys.modules
    assert any("--model theirmodel:make" in one.what for one in found.of_kind("believed"))
    assert any("none of the" in one.what for one in found.of_kind("believed"))
    named = gc.verify(tmp_path / "run", model="theirmodel:make", resample=ALL)
    assert named, said(named)
    assert sum("bit for bit" in one.what for one in named) == 3


SCHEMES = {
    "features": config(SmoothingConfig(FEATURES)),
    "features and edges": config(SmoothingConfig(FEATURES, EDGES)),
    "added edges": config(SmoothingConfig(edges=RatesConfig(0.001, 0.3))),
    "localized edges": config(SmoothingConfig(edges=RatesConfig(0.0, (0.2, 0.5)), clusters=3)),
    "localized, all methods": config(collective=CollectiveConfig("all", sweeps=({"add": "0:1"},))),
    "hierarchical": config(SmoothingConfig(FEATURES, select=0.8)),
    "localized hierarchical": config(SmoothingConfig(NEAR_FAR, clusters=2, select=0.8)),
    "ablated rows": config(SmoothingConfig(select=0.8, laws={"ablate": True})),
    "kept rows": config(SmoothingConfig(laws={"keep": 12})),
    "Gaussian": config(SmoothingConfig(laws={"sigma": 0.5})),
    "localized Gaussian": config(SmoothingConfig(laws={"sigma": (0.1, 0.5)}, clusters=2)),
    "Gaussian, selected": config(SmoothingConfig(laws={"sigma": 0.5}, select=0.8)),
    "uniform": config(SmoothingConfig(laws={"half_width": 0.5})),
    "Laplace": config(SmoothingConfig(laws={"laplace": 0.5})),
    "on a lattice": config(SmoothingConfig(laws={"sigma": 0.5}, lattice=0.0625)),
    "scores": config(sampling=SamplingConfig(1200, 100, scores=True)),
    "scores, isotropic": config(SmoothingConfig(FEATURES), sampling=SamplingConfig(1200, 100, scores=True)),
    "compared": config(collective=CollectiveConfig(sweeps=({"add": "0:1"},), isotropic=True)),
    "each node by itself": config(SmoothingConfig(FEATURES), certificate=CertificateConfig(simultaneous=False)),
    "binary": config(SmoothingConfig(FEATURES), certificate=CertificateConfig(method="binary")),
    "another share": config(SmoothingConfig(FEATURES), certificate=CertificateConfig(label_share=0.8)),
    "directed": config(SmoothingConfig(FEATURES, EDGES, directed=True)),
    "digits": config(SmoothingConfig(FEATURES), dataset=DatasetConfig("digits")),
    "digits, localized": config(SmoothingConfig(NEAR_FAR, clusters=3), dataset=DatasetConfig("digits")),
}  # fmt: skip
QUICK = ("Gaussian", "scores, isotropic")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SCHEMES]
)
def test_honest_runs_of_every_scheme_hold(name: str, tmp_path: Path) -> None:
    Run(tmp_path / "run").all_stages(SCHEMES[name])
    found = gc.verify(tmp_path / "run", resample=ALL)
    assert found, said(found)
    assert found.of_kind("proved") or found.of_kind("recomputed")


def test_attacks_may_not_cross_what_is_certified(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "honest", tmp_path / "run")
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    grids = json.loads((tmp_path / "run/certificate.json").read_text())["grids"]
    kept = round(grids[0]["certified_ratio"][1] * manifest["claims"])
    budget = {"feature_add": 1, "feature_delete": 0, "edge_add": 0, "edge_delete": 0, "nodes": None}
    row = {"budget": budget, "shift": 0.0, "targets": manifest["claims"], "certified": kept, "surviving": kept + 1}
    row |= {"certified_at_once": kept, "surviving_at_once": kept + 1}

    def contradicted(*violations: object, **changed: int) -> bool:
        content = {"votes": manifest["votes"], "alpha": 0.01, "violations": violations, "table": [{**row, **changed}]}
        content["perturbations"] = listed
        (tmp_path / "run/attack.json").write_text(json.dumps(content))
        write_statement(tmp_path / "run")
        found = gc.verify(tmp_path / "run", resample=0)
        return any(one.where == "attack.json" for one in found.of_kind("contradiction"))

    listed: list[dict[str, object]] = []
    assert not contradicted()
    assert contradicted(surviving=kept - 1)
    assert contradicted(certified=kept + 1)
    assert contradicted(surviving_at_once=manifest["claims"] + 1)
    assert contradicted({"number": 3, "claim": "node", "claimed": 0, "nodes": [1]})
    listed = [{"number": 0, "fell": [], "file": "perturbations/0000-greedy.npz"}]
    assert contradicted()


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        gc.verify(tmp_path / "nothing")
    with pytest.raises(InputError, match="holds no run"):
        gc.verify(tmp_path)
    with pytest.raises(InputError, match="resample"):
        gc.verify(tmp_path, resample=-1)


def test_nothing_is_read_beside_what_is_no_file(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "honest", tmp_path / "run")
    (tmp_path / "run/votes/extra").symlink_to("/")
    os.mkfifo(tmp_path / "run/pipe\nwith a line")
    found = gc.verify(tmp_path / "run")
    assert {one.kind for one in found} == {"contradiction"}
    assert said(found).count("\n") == 1


@pytest.mark.parametrize(("stated", "known"), [(True, 1), (1, 1.0), (None, 0), ("1", 1)])
def test_equal_in_python_is_not_the_same_in_a_file(stated: object, known: object) -> None:
    assert next(compared("a", "same", {"x": stated}, {"x": known})).kind == "contradiction"
    assert next(compared("a", "same", {"x": known}, {"x": known})).kind == "recomputed"


def test_signatures_lie_beside_the_statement(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "honest", tmp_path / "run")
    (tmp_path / "run/statement.json.minisig").write_text("untrusted comment")
    found = gc.verify(tmp_path / "run", resample=0)
    assert found, said(found)
    assert any("statement.json.minisig" in one.what for one in found.of_kind("believed"))
    write_statement(tmp_path / "run")
    names = [one["name"] for one in json.loads((tmp_path / "run/statement.json").read_text())["subject"]]
    assert "statement.json.minisig" not in names
