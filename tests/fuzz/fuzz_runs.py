"""The command line over a run folder with one changed file: an answer or one sentence, never a traceback."""

import contextlib
import io
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from fuzz_kind import CORPUS, Kind, files_below, split, whole, written
from fuzz_mutations import (
    Generator,
    changed_checkpoint,
    changed_json,
    changed_sealed,
    changed_table,
    changed_toml,
    damage,
)

from graphcert.cli import main
from graphcert.errors import DataError
from graphcert.votes import Votes

SMALL = [
    "--dataset", "synthetic", *(word for option in ("nodes=24", "features=12", "classes=2", "per_class_train=3",
    "per_class_validation=3") for word in ("--dataset-option", option)), "--training-option", "epochs=20",
    "--model", "gcn", "--clusters", "2", "--add", "0.02:0.05", "--delete", "0.4:0.6", "--samples", "200",
    "--pilot-samples", "50",
]  # fmt: skip
"""Settings of the run in the corpus."""
READERS = {"model.pt": "sample", "votes/main": "sample", "votes/pilot": "sample"}
"""The command that reads a file, by the beginning of its name; `report` reads the others."""


def called(*arguments: str) -> tuple[int, str]:
    """Exit code of `graphcert …`, and what it printed to standard error; whatever else it raises is raised."""
    said, before = io.StringIO(), sys.argv
    sys.argv = ["graphcert", *arguments]
    # Shards are those of one kind of processor; here it is the one that wrote the corpus.
    here = mock.patch("graphcert.voting.counting.get_host_cpu_name", _processor)
    try:
        with here, contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            main()
    except SystemExit as end:
        return int(end.code or 0), said.getvalue()
    finally:
        sys.argv = before
    raise AssertionError("the command line did not exit")


@cache
def _processor() -> str:
    return str(Votes.load(CORPUS / "run" / "votes" / "votes.npz").manifest["processor"])


def read_run(path: Path) -> None:
    """Call the command that reads the changed file, and `verify`, which must not believe it.

    Nothing but a signature covers statement.json. Shards are not voted again: other machines may round otherwise.
    """
    sample = path.read_bytes()
    part, content = split(sample)
    folder = path.parent / "run"
    shutil.rmtree(folder, ignore_errors=True)
    written(folder, whole("run", sample))
    command = next((command for start, command in READERS.items() if part.startswith(start)), "report")
    before = {name: (folder / name).read_bytes() for name in whole("run", b"")}
    doubts = answered("verify", str(folder), "--resample", "0")
    assert {name: (folder / name).read_bytes() for name in before} == before, "verify wrote into the run"
    changed = content != dict(files_below(CORPUS / "run")).get(part) and part != "statement.json"
    assert doubts or not changed, f"verify believes another {part}"
    if refused := answered(command, str(folder)) or doubts:
        raise DataError(refused)


def answered(command: str, *arguments: str) -> str:
    """The one sentence with which a command refused the run; empty if it did not."""
    code, said = called(command, *arguments)
    assert code in (0, 1, 2), f"{command} ended with {code}: {said[-500:]}"
    assert "Traceback" not in said
    sentence = said.rstrip("\n").rpartition("\n")[2]
    assert code != 2 or sentence.startswith("graphcert: "), said[-500:]
    return sentence if code == 2 else "it does not hold" * code


def changed_run(rng: Generator, content: bytes) -> bytes:
    """Told by its content, as a part of a run is."""
    if content.startswith(b"PK"):
        kinds: list[Any] = [changed_sealed, changed_checkpoint]
        return rng.choice(kinds if b"data.pkl" in content else kinds[:1])(rng, content)
    if content.lstrip().startswith((b"{", b"[[")):
        return changed_json(rng, content)
    if b" = " in content:
        return changed_toml(rng, content)
    return rng.choice([damage, lambda rng, content: changed_table(rng, content, b",")])(rng, content)


RUNS = {"run": Kind(changed_run, read_run, parts=True)}
