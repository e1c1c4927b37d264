"""Hostile and damaged files of every kind: documented errors or valid content, within 4 GiB and 20 seconds each."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fuzz_files
import pytest

SEED = 11

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory as Linux has them")


def outcomes(folder: Path, count: int, seconds: float) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Violations and summary of so many files per kind, read by another process."""
    command = [sys.executable, str(Path(fuzz_files.__file__)), str(folder), str(SEED), str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([p for p in sys.path if p])}
    environment.pop("GRAPHCERT_MEMORY", None)
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=seconds, check=False)
    assert done.returncode == 0, f"the reader died: {done.stderr[-2000:]}"
    *violations, summary = (json.loads(line) for line in done.stdout.splitlines())
    return violations, summary


def check(folder: Path, count: int, seconds: float) -> None:
    violations, summary = outcomes(folder, count, seconds)
    assert violations == []
    assert summary["files"] == count * 13
    assert summary["files"] * 0.05 < summary["read"] < summary["files"] * 0.9, "both outcomes are there to be tested"
    assert summary["peak"] < fuzz_files.MEMORY


def test_mutated_files_give_documented_errors_or_valid_content(tmp_path):
    check(tmp_path, 25, 300)


@pytest.mark.slow
def test_twenty_thousand_mutated_files_give_documented_errors_or_valid_content(tmp_path):
    check(tmp_path, 1_800, 7_200)


def test_a_violation_is_seen(tmp_path, monkeypatch, capsys):
    """Readers that leak another error, take too long or believe anything are told by the harness itself."""
    whole = fuzz_files.Kind({"x": b"{}"}, lambda rng, content: content, lambda path: None)

    def leak(path):
        if path.read_bytes() != b"{}":
            raise KeyError("leaked")

    def slow(path):
        damaged = path.read_bytes() != b"{}"
        while damaged:
            pass

    made = {"fine": whole, "leak": fuzz_files.Kind(whole.seeds, whole.change, leak),
            "slow": fuzz_files.Kind(whole.seeds, whole.change, slow)}  # fmt: skip
    monkeypatch.setattr(fuzz_files, "kinds", lambda folder: made)
    monkeypatch.setattr(fuzz_files, "SECONDS", 0.05)
    monkeypatch.setattr(fuzz_files.resource, "setrlimit", lambda *_: None)
    fuzz_files.fuzz(tmp_path, 0, 20, [])
    *violations, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert {violation["kind"] for violation in violations} == {"leak", "slow"}
    assert summary["files"] == 60
    assert all("leaked" in violation["outcome"] for violation in violations if violation["kind"] == "leak")
