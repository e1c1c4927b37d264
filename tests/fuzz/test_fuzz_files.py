"""Hostile and damaged files of every kind: documented errors or valid content, within 4 GiB and 20 seconds each."""

import json
import signal
import sys
from pathlib import Path
from typing import Any

import fuzz_files
import fuzz_watch
import pytest
from fuzz_kind import CORPUS, CRASHES, Kind, files_below
from write_corpus import corpus

from graphcert.core import archives, arrays, reading
from graphcert.data import ogb_tables, pickle_machine, raw
from graphcert.images import image_files
from graphcert.run.settings import typed

SEED = "11"
QUICK = [name for name in fuzz_files.KINDS if name != "run"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")


def check(folder: Path, count: int, names: list[str]) -> None:
    """So many inputs of every kind, and all that ever crashed, read by another process."""
    lines = fuzz_watch.watched(folder, SEED, count, 7_200, names)
    assert [line for line in lines if "outcome" in line] == []
    rows = {line["kind"]: line for line in lines}
    assert list(rows) == names
    for name, row in rows.items():
        known = len([*files_below(CRASHES / name)]) + len(fuzz_files.KINDS[name].samples(name))
        assert row["inputs"] == max(count, known)
        assert row["read"], f"nothing of {name} is read"
        assert row["refused"] or count < 2 * known, f"nothing of {name} is refused"
        assert row["peak"] < fuzz_files.MEMORY


def test_changed_files_give_documented_errors_or_valid_content(tmp_path):
    check(tmp_path, 25, QUICK)


def test_a_run_with_a_changed_file_gives_one_sentence_or_an_answer(tmp_path):
    check(tmp_path, 20, ["run"])


@pytest.mark.slow
def test_thousands_of_changed_files_give_documented_errors_or_valid_content(tmp_path):
    check(tmp_path, 1_500, list(fuzz_files.KINDS))


@pytest.mark.slow
def test_the_corpus_is_what_the_script_writes():
    """By name; the bytes depend on versions and times."""
    assert {kind: set(files) for kind, files in corpus().items()} == {
        kind.name: {name for name, _ in files_below(kind)} for kind in CORPUS.iterdir()
    }


def test_the_corpus_is_small_and_has_every_kind():
    assert {folder.name for folder in CORPUS.iterdir()} == {
        n for n, kind in fuzz_files.KINDS.items() if kind.among is None
    }
    assert sum(len(content) for folder in (CORPUS, CRASHES) for _, content in files_below(folder)) < 200_000


def test_the_limits_that_security_states():
    page = (CORPUS.parents[2] / "SECURITY.md").read_text(encoding="utf-8")
    limits = {
        "1 GiB |": arrays._SPARE == 2**30, "16 MiB of directory": archives._MOST_DIRECTORY == 2**24,
        "16 KiB of header": archives._MOST_HEADER == 2**14, "8 GiB of dense features": raw.MAX_DENSE_BYTES == 2**33,
        "2²¹ steps": pickle_machine._MOST_STEPS == 2**21, "64 levels": pickle_machine._DEEPEST == 64,
        "lines of 1 MiB": ogb_tables._LONGEST_LINE == 2**20, "32 bytes of memory": reading.PER_CHARACTER == 32,
        "| 1 MiB |": typed._LONGEST_FILE == 2**20, "2²⁶ pixels, six": image_files.MOST_PIXELS == 2**26,
        "4 GiB of memory and 20 seconds": (fuzz_files.MEMORY, fuzz_files.SECONDS) == (2**32, 20),
    }  # fmt: skip
    assert [words for words in limits if words not in page] == []
    assert all(limits.values()), limits
    assert len(image_files.FORMATS) == 6


def leak(path: Path) -> None:
    if path.read_bytes() != b"{}":
        raise KeyError("leaked")


def slow(path: Path) -> None:
    damaged = path.read_bytes() != b"{}"
    while damaged:
        pass


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Kinds of files whose readers are right, leak another error, and take too long."""
    kinds = {"fine": lambda path: None, "leak": leak, "slow": slow}
    for name in kinds:
        (tmp_path / "corpus" / name).mkdir(parents=True)
        (tmp_path / "corpus" / name / "whole").write_bytes(b"{}")
    made = {name: Kind(lambda rng, content: content, read) for name, read in kinds.items()}
    monkeypatch.setattr(fuzz_files, "KINDS", made)
    monkeypatch.setattr("fuzz_kind.CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(fuzz_files, "CRASHES", tmp_path / "crashes")
    monkeypatch.setattr(fuzz_watch, "CRASHES", tmp_path / "crashes")
    monkeypatch.setattr(fuzz_files, "SECONDS", 0.05)
    monkeypatch.setattr(fuzz_files.resource, "setrlimit", lambda *_: None)
    return tmp_path


def test_a_violation_is_seen_kept_and_tried_again(planted, capsys):
    before = signal.getsignal(signal.SIGPROF)
    try:
        fuzz_files.fuzz(planted, SEED, 20, 60, [])
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        found: list[dict[str, Any]] = [line for line in lines if "outcome" in line]
        assert {line["kind"] for line in found} == {"leak", "slow"}
        assert all("leaked" in line["outcome"] for line in found if line["kind"] == "leak")
        counts = {line["kind"]: line for line in lines if "inputs" in line}
        assert [row["inputs"] for row in counts.values()] == [20] * 3
        assert counts["leak"]["violations"] == len([line for line in found if line["kind"] == "leak"])

        leaked = next(line for line in found if line["kind"] == "leak")
        fuzz_watch.save(leaked)
        fuzz_files.fuzz(planted, SEED, 2, 60, ["leak"])
        (again, _) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
        assert again["input"] == leaked["input"]
    finally:
        signal.signal(signal.SIGPROF, before)


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 11)", "time.sleep(60)"])
def test_a_reader_that_ends_or_blocks_its_process_is_told(end, tmp_path, monkeypatch):
    """The watcher names the input at hand, which the reader found in the folder."""
    program = tmp_path / "program.py"
    program.write_text(
        'import os, pathlib, sys, time\nprint(\'{"kind": "graph", "inputs": 1}\', flush=True)\n'
        f"(pathlib.Path(sys.argv[1]) / 'file.pt').write_bytes(b'bad')\n{end}\n"
    )
    monkeypatch.setattr(fuzz_watch, "_HANG", 2)
    monkeypatch.setattr(fuzz_watch, "_PROGRAM", program)
    *_, last = fuzz_watch.watched(tmp_path, SEED, 5, 5, ["graph", "tensors"])
    assert (last["kind"], bytes.fromhex(last["input"])) == ("tensors", b"bad")
    assert ("hung" in last["outcome"]) == ("sleep" in end)


def test_unknown_kinds_are_refused(capsys):
    with pytest.raises(SystemExit, match="no such kind of files: nonsense; there are graph, "):
        fuzz_watch.main(1.0, "0", ["graph", "nonsense"])
