"""Cells measured one by one or by the workers of a scheduler, each kept under a name made of its content."""

import csv
import hashlib
import inspect
import json
import time
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import graphcert
from graphcert._version import __version__
from graphcert.core.files import atomic_write_text, claimed
from graphcert.core.reading import read_json
from graphcert.data.published_files import data_folders
from graphcert.errors import DataError
from graphcert.experiments.experiment import Cell, Experiment, Row, Value
from graphcert.experiments.views import rows_text
from graphcert.run.folder import LOG
from graphcert.voting.cluster import evaluated_as_they_come

ROWS, MADE, CELLS = "rows.csv", "made.json", "cells"
_ELSEWHERE = ("cli", "experiments", "report")
"""What only shows results, and what other experiments measure: a change there measures nothing anew."""


def measure(
    experiment: Experiment, folder: Path, fast: bool, seeds: int, scheduler: str | None = None, workers: int | None = None,
    progress: bool = False,
) -> None:  # fmt: skip
    """Measure what is not there yet, and write rows.csv and made.json; an interrupted call goes on where it was.

    A cell that was measured by other code of graphcert, or on other data, is measured anew.
    """
    with claimed(_made(folder)):
        cells = experiment.cells(fast, seeds)
        files = [folder / CELLS / f"{key_of(experiment, cell, fast)}.json" for cell in cells]
        found = {place: read for place, file in enumerate(files) if (read := _kept(file)) is not None}
        missing = [place for place in range(len(cells)) if place not in found]
        if found and missing:
            LOG.info(f"{experiment.name}: {len(found):,} of {len(cells):,} cells are there already")
        threads = workers if scheduler is None else 1  # a worker of a scheduler has one core
        tasks = [partial(_timed, experiment.measure, cells[place], threads) for place in missing]
        shown = experiment.name if progress and tasks else ""
        for done, (rows, seconds) in evaluated_as_they_come(scheduler, tasks, shown, "cells"):
            place = missing[done]
            found[place] = {"cell": cells[place], "rows": rows, "seconds": round(seconds, 2)}
            atomic_write_text(files[place], json.dumps(found[place], ensure_ascii=False, indent=1))
        ordered = [found[place] for place in range(len(cells))]
        atomic_write_text(folder / ROWS, rows_text([row for one in ordered for row in one["rows"]]))
        seconds = sum(one["seconds"] for one in ordered)
        made = {
            "experiment": experiment.name, "fast": fast, "seeds": seeds, "cells": len(cells), "seconds": round(seconds, 1),
            "version": __version__, "source": source_digest(experiment)[:16],
        }  # fmt: skip
        atomic_write_text(folder / MADE, json.dumps(made, indent=1) + "\n")


def key_of(experiment: Experiment, cell: Cell, fast: bool) -> str:
    """The name under which a cell is kept: a digest of its settings, its data and the code that measures it."""
    made_of = {"source": source_digest(experiment), "needs": _digests(experiment.needs(fast))}
    content = {"experiment": experiment.name, "cell": cell, **made_of}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def source_digest(experiment: Experiment) -> str:
    """A digest of all code that measures an experiment. The published data sets have theirs in it."""
    own = [Path(inspect.getfile(experiment.measure)), Path(__file__).with_name("steps.py")]
    return hashlib.sha256(package_digest() + b"".join(path.read_bytes() for path in own)).hexdigest()


@cache
def package_digest() -> bytes:
    """A digest of graphcert's code but for what shows results and what single experiments do."""
    root, digest = Path(graphcert.__file__).parent, hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        if inside.parts[0] not in _ELSEWHERE:
            digest.update(f"{inside.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.digest()


def missing_data(experiment: Experiment, fast: bool) -> list[str]:
    """What an experiment needs below the folder of data, and what is not there."""
    return [name for name in experiment.needs(fast) if _place(name) is None]


def read_rows(folder: Path) -> tuple[dict[str, Any], list[Row]]:
    """How an experiment was made, and its rows.

    Raises:
        DataError: if the folder does not hold a finished experiment.
    """
    try:
        made = read_json(folder / MADE, "a record of an experiment", "run it again")
        with (folder / ROWS).open(encoding="utf-8", newline="") as stream:
            rows: list[Row] = [
                {key: _value(text) for key, text in row.items() if text} for row in csv.DictReader(stream)
            ]
    except (OSError, ValueError, DataError) as error:
        again = f"`graphcert experiment run {folder.name} --out {folder.parent}` makes it"
        raise DataError(f"{folder} holds no finished experiment ({error}); {again}") from None
    if not isinstance(made, Mapping) or not rows:
        raise DataError(f"{folder} holds no finished experiment; run it again")
    return dict(made), rows


def data_folder(name: str) -> Path:
    """The place of a file or folder of data that an experiment needs; `DataError` where it is not there."""
    place = _place(name)
    if place is None:
        raise DataError(f"there is no {name} in the folder GRAPHCERT_DATA; set it to a folder that has it")
    return place


def _place(name: str) -> Path | None:
    return next((folder / name for folder in data_folders() if (folder / name).exists()), None)


@cache
def _digests(names: tuple[str, ...]) -> list[str]:
    """Of the content of files, and of all files of folders."""
    found = []
    for name in names:
        place, digest = data_folder(name), hashlib.sha256()
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
        found.append(digest.hexdigest())
    return found


def _made(folder: Path) -> Path:
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    return folder


def _timed(measured: Any, cell: Cell, workers: int | None) -> tuple[list[Row], float]:
    began = time.perf_counter()
    return measured(cell, workers), time.perf_counter() - began


def _kept(file: Path) -> dict[str, Any] | None:
    """A cell that was measured before; None for none, and for a file that is damaged."""
    try:
        found = read_json(file, "a cell", "remove it")
    except (OSError, DataError):
        return None
    whole = (
        isinstance(found, dict)
        and isinstance(found.get("rows"), list)
        and isinstance(found.get("seconds"), float | int)
    )
    return found if whole else None


def _value(text: str) -> Value:
    """A number where the text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
