"""The statement of a run covers every file of it, says what they were made of, and the files that show results follow."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from planned_run import CONFIG, plans

from graphcert.core.locks import LOCK
from graphcert.errors import DataError
from graphcert.run import provenance
from graphcert.run.commitment import plan_digest
from graphcert.run.nodes import Run
from graphcert.run.statement import read_statement, run_files, write_statement


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("statement") / "finished"
    Run(folder).all_stages(CONFIG)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def stated(folder: Path) -> dict[str, str]:
    return {one["name"]: one["digest"]["sha256"] for one in read_statement(folder)["subject"]}


def found(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path != folder / "statement.json"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_file_is_covered_in_order(finished: Path) -> None:
    assert stated(finished) == found(finished)
    assert list(stated(finished)) == sorted(stated(finished))
    names = (
        "config.toml manifest.json partition.json plan.json model.pt votes/votes.npz votes/main-000000000-000001000.npz"
    )
    assert {*names.split(), "certificate.json", "collective.json", "collective.csv", "report.html"} <= set(
        stated(finished)
    )


def test_every_stage_ends_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    for stage, file in (
        (lambda: Run(folder).train(CONFIG), "model.pt"),
        (lambda: Run(folder).sample(), "votes/votes.npz"),
        (lambda: Run(folder).certify(CONFIG.certificate), "certificate.json"),
        (lambda: Run(folder).collective(CONFIG.collective), "collective.json"),
        (lambda: Run(folder).report(), "report.html"),
    ):
        assert not (folder / file).exists()
        stage()
        assert stated(folder) == found(folder)
        assert file in stated(folder)


def test_it_says_what_the_run_was_made_of(finished: Path) -> None:
    statement, manifest = read_statement(finished), json.loads((finished / "manifest.json").read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    predicate, (plan,) = statement["predicate"], plans(finished)
    assert predicate["plan"] == plan_digest(plan)
    for name in ("data", "split", "model", "seed", "samples", "pilot_samples", "scores"):
        assert predicate[name] == plan[name]
    for name in ("votes", "total_variation", "alpha", "method", "claims", "looks", "collective"):
        assert predicate[name] == manifest[name]
    assert predicate["scheme"] == {"sha256": plan["scheme_sha256"]}
    assert predicate["environment"] == {name: manifest[name] for name in provenance.environment()}


def test_a_changed_file_differs_from_it_until_it_is_written_anew(run: Path) -> None:
    (run / "collective.csv").write_text("changed")
    (run / "attack.json").write_text("{}")
    assert stated(run) != found(run)
    assert write_statement(run) == read_statement(run)
    assert stated(run) == found(run)


def test_signatures_locks_and_unfinished_files_are_no_part_of_it(run: Path) -> None:
    for name in ("statement.json.minisig", LOCK, ".a.npz.abcdefgh.tmp"):
        (run / name).write_text("")
    before = set(stated(run))
    assert set(run_files(run)) == before
    assert {one["name"] for one in write_statement(run)["subject"]} == before


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"_type": "https://in-toto.io/Statement/v1", "subject": [], "predicateType": "x", "predicate": {}}',
     '{"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": "a"}], "predicateType": "urn:graphcert:run:1", '
     '"predicate": {}}'],
)  # fmt: skip
def test_what_is_no_statement_is_refused(run: Path, content: str) -> None:
    (run / "statement.json").write_text(content)
    with pytest.raises(DataError, match=r"statement\.json is not the statement of a run"):
        read_statement(run)


def test_what_is_absent_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no run folder"):
        write_statement(tmp_path / "typo")
    with pytest.raises(DataError, match=r"every stage of a run writes it"):
        read_statement(tmp_path)
    assert not (tmp_path / "typo").exists()


def test_the_files_that_show_results_follow_from_the_others(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On another machine too: nothing of this one is shown."""
    names = provenance.environment()
    monkeypatch.setattr(provenance, "environment", lambda: dict.fromkeys(names, "another"))
    (run / "model.pt").unlink()
    before, rebuilt = found(run), Run(run).rebuilt()
    assert set(rebuilt) >= {"certificate.json", "report.html", "collective.csv", "attacks.csv"}
    assert rebuilt == {name: (run / name).read_bytes() for name in rebuilt}
    assert found(run) == before
