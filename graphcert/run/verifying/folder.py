"""What lies in a run folder: regular files of known names, of which the statement names every one."""

import os
import re
import stat
from pathlib import Path

from graphcert.core.locks import LOCK
from graphcert.run.statement import STATEMENT, file_digest, read_statement, run_predicate
from graphcert.run.verifying.comparing import Found, compared
from graphcert.verification import Finding

_SHARD = r"(pilot|main)-\d{9}-\d{9}(-[0-9a-f]{16})?\.npz"
_NAME = r"(?!\.)[^/]+"
_BOTH = (r"manifest\.json", r"model\.pt", r"plan\.json", r"report\.html", re.escape(STATEMENT))
_GRAPH = re.compile("|".join((
    *_BOTH, r"config\.toml", r"partition\.json", r"certificate\.json", r"collective\.(json|csv)", r"attacks\.csv",
    r"attack\.(json|csv)", r"perturbations/[^/]+\.npz", rf"votes/(isotropic/)?(votes\.npz|{_SHARD})",
)))  # fmt: skip
_INPUTS = re.compile("|".join((
    *_BOTH, r"settings\.toml", r"(results|inputs)\.csv", rf"pictures/{_NAME}/[a-z0-9.-]+\.png", r"votes/votes\.npz",
    rf"votes/(isotropic-[\d.]+/)?{_NAME}/{_SHARD}",
)))  # fmt: skip
_MOST_FILES, _DEEPEST = 200_000, 4


class Inventory:
    """The regular files of a folder, found without following links.

    Attributes:
        folder: of the run.
        files: names of all files but the lock and signatures of the statement, relative to the folder, in order.
        signatures: names of the detached signatures beside the statement.
        odd: what is no regular file, or lies deeper than a run writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.odd: list[str] = []
        found: list[str] = []
        self._walk(folder, "", 1, found)
        self.signatures = sorted(name for name in found if name.startswith(f"{STATEMENT}."))
        self.files = sorted(set(found) - {*self.signatures, LOCK})

    def _walk(self, folder: Path, prefix: str, depth: int, found: list[str]) -> None:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) + len(self.odd) > _MOST_FILES:
                    self.odd.append(f"more than {_MOST_FILES:,} files")
                    return
                name = f"{prefix}{entry.name}"
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode) and depth < _DEEPEST:
                    self._walk(folder / entry.name, f"{name}/", depth + 1, found)
                else:
                    (found if stat.S_ISREG(mode) else self.odd).append(name)

    @property
    def inputs(self) -> bool:
        """Whether this is a run over inputs of their own, such as images."""
        return "settings.toml" in self.files

    def check(self) -> Found:
        """Links, pipes, devices, names that cannot be printed, and files that no run writes."""
        known = _INPUTS if self.inputs else _GRAPH
        for name in self.odd:
            yield Finding("contradiction", _plain(name), "this is no regular file of a run, and is not read; remove it")
        for name in self.files:
            if known.fullmatch(name) is None:
                yield Finding("contradiction", _plain(name), "no run writes a file of this name; remove it")

    def has(self, *names: str) -> bool:
        """Whether all these files are there."""
        return set(names) <= set(self.files)


def check_statement(inventory: Inventory) -> Found:
    """The statement names every file of the run with its sha256, no other, and was made of these files."""
    statement = read_statement(inventory.folder)
    stated = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    files = [name for name in inventory.files if name != STATEMENT]
    for name in sorted({*stated} - {*files}):
        yield Finding("contradiction", _plain(name), f"{STATEMENT} names it, and it is not there")
    for name in files:
        if name not in stated:
            yield Finding("contradiction", _plain(name), f"{STATEMENT} does not name it")
        elif file_digest(inventory.folder / name) != stated[name]:
            yield Finding(
                "contradiction", _plain(name), f"it is not the file that {STATEMENT} names: its sha256 differs"
            )
    yield Finding("recomputed", STATEMENT, f"the sha256 of {len(files):,} files were compared with it")
    predicate = run_predicate(inventory.folder)
    same = "what it says about the run is what plan and manifest say"
    yield from compared(STATEMENT, same, statement["predicate"], predicate, whole=True)
    signed = ", ".join(inventory.signatures)
    words = f"{signed} is to be checked with the tool that made it" if signed else "nobody signed it"
    yield Finding("believed", STATEMENT, f"who made this run: {words}")


def _plain(name: str) -> str:
    """A name in one line, whatever characters it has."""
    shown = name.encode("unicode_escape", "surrogateescape").decode() if not name.isprintable() else name
    return shown if len(shown) <= 120 else f"{shown[:117]}…"
