"""`verify`: whether a run folder says one thing, and what of it is proved, recomputed, or has to be believed."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from graphcert.core.arguments import whole
from graphcert.errors import DataError, InputError
from graphcert.report.frame.wording import seconds as time_words
from graphcert.run.folder import AGAIN, LOG
from graphcert.run.images import SegmentRun
from graphcert.run.inputs import SETTINGS
from graphcert.run.nodes import Run
from graphcert.run.outputs import OutputRun
from graphcert.run.points import PointRun
from graphcert.run.settings.typed import read_toml
from graphcert.run.statement import STATEMENT
from graphcert.run.verifying.comparing import settled
from graphcert.run.verifying.folder import Inventory, check_statement
from graphcert.run.verifying.graph_run import GraphChecks
from graphcert.run.verifying.image_run import ImageChecks
from graphcert.run.verifying.input_run import RunChecks
from graphcert.run.verifying.output_run import OutputChecks
from graphcert.run.verifying.point_run import PointChecks
from graphcert.verification import Finding, Findings

Checks = GraphChecks | RunChecks[Any]

BELIEVED = (
    (
        "model.pt",
        "that the model answers the same whenever it is asked the same, which voting tests on a few graphs only",
    ),
    (
        "votes",
        "that the random generator, counter-based Philox, and its seed give samples as independent as the theory asks",
    ),
    ("votes", "the arithmetic of torch and of this processor, in which the model was evaluated"),
    ("model.pt", "how the model was trained, and the timings: no claim rests on them"),
)
"""What nothing in a folder can show, whatever the run."""


def verify(
    run: str | os.PathLike[str], resample: int = 1, data_root: str | None = None, *, model: str | None = None,
    workers: int | None = None, memory: str | int | None = None, progress: bool = False,
) -> Findings:  # fmt: skip
    """Check every file of a run folder against every other, the data, the model, and exact arithmetic.

    Nothing in the folder is executed, unpickled or written, and no link is followed out of it. What this package computes
    from the votes is compared number by number; bounds are proved once more by code that shares nothing with what made
    them; and some shards of votes, which nobody can know beforehand, are voted again bit for bit.

    Args:
        run: the folder of a run over nodes (`graphcert certify`), images (`graphcert segment`), points (`graphcert points`),
            or inputs with one label each (`graphcert classify`).
        resample: how many shards are voted again, all if there are fewer; with 0 the votes are believed.
        data_root: folder with data files, as for `load_dataset`.
        model: only if code of your own made the model: its name, package.module:function, which makes that code run.
        workers, memory: threads of voting, and the memory that it may take, as in `sample_votes`; results depend on neither.
        progress: show a bar while shards are voted again.

    Returns:
        The `Findings`, which are true if nothing contradicts anything. Whatever cannot be confirmed, because a file is
        damaged or data are missing, is a contradiction too.

    Raises:
        InputError: if there is no folder or no run in it, or `resample` or `workers` is out of its domain.
    """
    folder, count = Path(run), whole("resample", resample, 0)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; name the folder of a run")
    inventory = Inventory(folder)
    if not inventory.has("config.toml") and not inventory.inputs:
        raise InputError(
            f"{folder} holds no run: neither config.toml nor settings.toml is there; name the folder of one"
        )
    if inventory.inputs:
        if memory is not None:
            raise InputError(
                "memory bounds votes about graphs, and this is a run over inputs such as images; leave it out"
            )
        made, checked = _INPUTS[_section(folder)]
        checks: Checks = checked(inventory, made(folder, workers=workers, progress=progress, log=AGAIN), count)
    else:
        options: dict[str, Any] = {"data_root": data_root, "factory": model, "workers": workers, "memory": memory}
        checks = GraphChecks(inventory, Run(folder, **options, progress=progress, log=AGAIN), count)
    began, found = time.perf_counter(), Findings.of(str(folder), _found(inventory, checks))
    LOG.info(f"verified in {time_words(time.perf_counter() - began)}")
    return found


_INPUTS: dict[str, tuple[Callable[..., Any], Callable[..., Checks]]] = {
    SegmentRun.section: (SegmentRun, ImageChecks), PointRun.section: (PointRun, PointChecks),
    OutputRun.section: (OutputRun, OutputChecks),
}  # fmt: skip
"""By the section of settings.toml, what makes a run and what checks it."""


def _section(folder: Path) -> str:
    """The known section of settings.toml; that of images if there is none, which is then found to be damaged."""
    try:
        values = read_toml(folder / SETTINGS, f"there is no {SETTINGS}")
    except DataError:
        values = {}
    return next(filter(_INPUTS.__contains__, values), SegmentRun.section)


def _found(inventory: Inventory, checks: Checks) -> Iterator[Finding]:
    """All findings; a folder with anything but regular files is not read any further."""
    yield from settled("the folder", inventory.check)
    if inventory.odd:
        return
    yield from settled(STATEMENT, lambda: check_statement(inventory))
    yield from checks.check()
    for where, what in BELIEVED:
        yield Finding("believed", where, what)
