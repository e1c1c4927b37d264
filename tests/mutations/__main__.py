"""`python tests/mutations [TRAP …]`: plants each mistake in a copy of the package and runs the tests that must fail on it.

Prints a table and exits with 1 if any test passes on a planted mistake, or fails without one. A test counts as failed only
if it ran: a mistake that breaks an import or a name proves nothing. It takes about five minutes of one core.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from traps import MUTATIONS, Edit, Mutation

ROOT = Path(__file__).parents[2]
SECONDS = 600
"""A run that takes longer kills nothing."""

BROKEN = re.compile(r"(Name|Syntax|Import|ModuleNotFound|Attribute|Indentation|UnboundLocal)Error")
"""What a mistake that was planted badly ends in."""


def copied(folder: Path) -> Path:
    """A copy of the package with its tests, times of files kept: kernels that are compiled already stay so."""
    for name in ("graphcert", "tests"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy2(ROOT / "pyproject.toml", folder)
    return folder


@contextmanager
def planted(copy: Path, edits: Sequence[Edit]) -> Iterator[None]:
    """The mistake is in the copy inside of the block; afterwards its files are what they were, to the time of change."""
    files = {edit.file for edit in edits}
    try:
        for edit in edits:
            path = copy / "graphcert" / edit.file
            path.write_text(path.read_text(encoding="utf-8").replace(edit.old, edit.new), encoding="utf-8")
        yield
    finally:
        for file in files:
            shutil.copy2(ROOT / "graphcert" / file, copy / "graphcert" / file)


def failures(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    """The exit code of pytest on some tests in the copy, up to the first failure, and the reason of that."""
    # Compiled Python files are found by seconds and size, which a quick edit need not change: none are written.
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    environment["COLUMNS"] = "1000"  # or pytest leaves the reason out
    command = [sys.executable, "-m", "pytest", "-x", "-rfE", "-p", "no:cacheprovider", "-m", "not slow"]
    paths = [f"tests/{test}" for test in tests]
    try:
        done = subprocess.run(
            [*command, *paths], cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"BrokenError: no verdict after {SECONDS} s"
    reasons = re.findall(r"^(?:FAILED|ERROR) \S+?(?:\[.*\])? - (.*)$", done.stdout, re.MULTILINE)
    return done.returncode, reasons[0] if reasons else done.stdout[-200:].replace("\n", " ")


def verdict(copy: Path, mutation: Mutation, test: str) -> tuple[str, str]:
    """Whether one test kills a mutation: "killed", "SURVIVES" or "BROKEN", and by what it failed."""
    with planted(copy, mutation.edits):
        code, reason = failures(copy, [test])
    if code == 0:
        return "SURVIVES", ""
    return ("BROKEN" if code != 1 or BROKEN.search(reason) else "killed"), reason


def run(mutations: Sequence[Mutation]) -> bool:
    """Whether all tests pass without mistakes, and each fails on the mistake that it is named for; prints the table."""
    with TemporaryDirectory() as folder:
        copy, began = copied(Path(folder)), time.monotonic()
        code, reason = failures(copy, sorted({test for mutation in mutations for test in mutation.tests}))
        print(
            f"without any mistake: {'all pass' if code == 0 else reason} ({time.monotonic() - began:.0f} s)", flush=True
        )
        good = code == 0
        for mutation in mutations:
            print(
                f"{mutation.trap:2}  {mutation.mistake} ({', '.join(edit.file for edit in mutation.edits)})", flush=True
            )
            for test in mutation.tests:
                began = time.monotonic()
                word, reason = verdict(copy, mutation, test)
                print(f"    {word:8}  {test}  ({time.monotonic() - began:.0f} s) {reason[:90]}", flush=True)
                good &= word == "killed"
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python tests/mutations", description="Plant known mistakes; tests must fail."
    )
    parser.add_argument("traps", nargs="*", type=int, metavar="TRAP", help="numbers of traps; all by default")
    chosen = parser.parse_args().traps
    mutations = [mutation for mutation in MUTATIONS if not chosen or mutation.trap in chosen]
    good = run(mutations)
    traps = {mutation.trap for mutation in mutations}
    print(f"{len(traps)} traps, {len(mutations)} mutations: {'all killed' if good else 'NOT all killed'}")
    return 0 if good and mutations else 1


if __name__ == "__main__":
    sys.exit(main())
