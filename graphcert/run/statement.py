"""One statement about a whole run: statement.json, in the form of an in-toto Statement (version 1).

It names every file of the run with its sha256, and what they were made of. Whoever signs it signs the run.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from graphcert.core.files import atomic_write_text
from graphcert.core.locks import locked
from graphcert.core.reading import open_regular, read_json
from graphcert.errors import DataError
from graphcert.run.commitment import plan_digest, read_plans
from graphcert.run.folder import MANIFEST
from graphcert.run.provenance import environment

Method = TypeVar("Method", bound=Callable[..., Any])

STATEMENT = "statement.json"
TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:graphcert:run:1"
_PIECE = 2**20
_PLANNED = (
    "data", "images", "shapes", "split", "model", "factory", "sources", "weights", "seed", "samples", "pilot_samples",
    "scores",
)  # fmt: skip
_FOUND = ("alpha", "method", "claims", "votes", "total_variation", "collective", "looks", "chosen_after_votes", "plan")


def write_statement(run_folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Write statement.json about all files that are in a run folder now; returns it.

    Each file is read once. Locks, files that are being written, the statement and its signatures (statement.json.*) are no
    part of it. Every stage of a run ends with this.

    Raises:
        DataError: if there is no such folder, or another process writes into it.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise DataError(f"there is no run folder {folder}; check the path")
    with locked(folder):
        subject = [{"name": name, "digest": {"sha256": file_digest(folder / name)}} for name in run_files(folder)]
        statement = {
            "_type": TYPE, "subject": subject, "predicateType": PREDICATE_TYPE, "predicate": run_predicate(folder),
        }  # fmt: skip
        atomic_write_text(folder / STATEMENT, json.dumps(statement, indent=1) + "\n")
    return statement


def read_statement(run_folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What statement.json says; whether it is true is another question, see `run_files` and `file_digest`.

    Raises:
        DataError: if there is none, or it is no statement about a run with one sha256 per file.
    """
    path = Path(run_folder) / STATEMENT
    try:
        content = read_json(path, "the statement of a run", "run a stage again, such as `graphcert report`")
    except FileNotFoundError:
        raise DataError(f"there is no {path}; every stage of a run writes it, such as `graphcert report`") from None
    found = content if isinstance(content, dict) else {}
    subject, predicate = found.get("subject"), found.get("predicate")
    if (
        (found.get("_type"), found.get("predicateType")) != (TYPE, PREDICATE_TYPE)
        or not isinstance(predicate, dict)
        or not isinstance(subject, list)
        or not all(map(_is_subject, subject))
        or len({one["name"] for one in subject}) < len(subject)
    ):
        raise DataError(f"{path} is not the statement of a run; run a stage again, such as `graphcert report`")
    return found


def run_files(folder: Path) -> Iterator[str]:
    """Names of the files of a run, relative to its folder, with slashes, sorted."""
    found = []
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        found += [(inside / name).as_posix() for name in names if not name.startswith(".")]
    return (name for name in sorted(found) if name != STATEMENT and not name.startswith(f"{STATEMENT}."))


def file_digest(path: Path) -> str:
    """sha256 of the bytes of a file; `DataError` if it cannot be read."""
    try:
        with open_regular(path) as file:
            digest = hashlib.sha256()
            while piece := file.read(_PIECE):
                digest.update(piece)
            return digest.hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); move it out of the run folder") from None


def run_predicate(folder: Path) -> dict[str, Any]:
    """What a run was made of, from its manifest and the plan of its votes; what is not there yet is left out."""
    manifest, plans = _manifest(folder), read_plans(folder)
    of_votes = {plan_digest(plan): plan for plan in plans}.get(str(manifest.get("plan")), {})
    facts = {**manifest, **of_votes}
    predicate = {name: facts[name] for name in _PLANNED if name in facts}
    predicate |= {name: manifest[name] for name in _FOUND if name in manifest}
    if "scheme_sha256" in of_votes:
        predicate["scheme"] = {"sha256": of_votes["scheme_sha256"]}
    elif "noise" in of_votes:
        predicate["scheme"] = of_votes["noise"]
    machine = {name: manifest[name] for name in environment() if name in manifest}
    return {**predicate, "plans": list(map(plan_digest, plans)), "environment": machine}


def stated(method: Method) -> Method:
    """Let a method that writes into `self.folder` end with the statement about all that is there, also if it is refused."""

    @wraps(method)
    def wrapped(self: Any, *args: Any, **options: Any) -> Any:
        try:
            found = method(self, *args, **options)
        except BaseException:
            if (self.folder / STATEMENT).is_file():  # a plan or shards may have been added to what it names
                write_statement(self.folder)
            raise
        write_statement(self.folder)
        return found

    return cast(Method, wrapped)


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        content = read_json(folder / MANIFEST, "the manifest of a run", "remove it")
    except (FileNotFoundError, DataError):
        return {}
    return content if isinstance(content, dict) else {}


def _is_subject(value: Any) -> bool:
    """Whether this names a file and its sha256."""
    if not isinstance(value, dict) or value.keys() != {"name", "digest"} or not isinstance(value["name"], str):
        return False
    digest = value["digest"]
    return isinstance(digest, dict) and digest.keys() == {"sha256"} and isinstance(digest["sha256"], str)
