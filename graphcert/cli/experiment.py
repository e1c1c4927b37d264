"""`graphcert experiment`: the experiments of the papers, and RESULTS.md."""

import json
from pathlib import Path
from typing import Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import SCHEDULER, argument, new_app, option, say, with_options
from graphcert.cli.output import Answer
from graphcert.core.arguments import whole
from graphcert.core.tables import Table
from graphcert.errors import InputError

ALL = "all"


def build_experiment_app() -> typer.Typer:
    """`list`, `run` and `results`."""
    app = new_app("Repeat the experiments of the papers.", no_args_is_help=True)
    folder = "Folder of the results; what is measured there is not measured again."
    for name, command, *options in (
        ("list", names),
        (
            "run", run, argument("names", list[str], f"Experiments (see `graphcert experiment list`), or {ALL}."),
            option("fast", bool, "Small settings that show that everything runs.", "--fast", default=False),
            option("seeds", int, "Seeds, each with a split, weights and noise of its own.", default=5),
            option("out", Path, folder, default=Path("runs/experiments")), SCHEDULER,
            option("workers", int | None, "Threads of one cell, without a scheduler (default: one per processor)."),
        ),
        ("results", results, argument("out", Path, "Folder of the results.")),
    ):  # fmt: skip
        app.command(name)(with_options(command, *options))
    return app


def names(_: typer.Context, **given: Any) -> Answer:
    """List the experiments."""
    from graphcert.experiments.catalogue import EXPERIMENTS

    facts = [{"name": name, "title": one.title, "paper": one.paper} for name, one in EXPERIMENTS.items()]
    rows = [["name", "title"], *([one["name"], one["title"]] for one in facts)]
    return Answer(facts, [Table(rows, left=(0, 1), indent=0)])


def run(_: typer.Context, **given: Any) -> Answer:
    """Measure experiments cell by cell and write RESULTS.md; an interrupted call goes on where it was."""
    from graphcert.experiments.catalogue import EXPERIMENTS
    from graphcert.experiments.grid import measure, missing_data
    from graphcert.voting.cluster import check_scheduler

    out, fast, seeds = given["out"], given["fast"], whole("the number of seeds", given["seeds"], 1)
    everything = ALL in given["names"]
    for name in () if everything else given["names"]:
        if name not in EXPERIMENTS:
            raise InputError(f"there is no experiment {name!r}; there are {', '.join(EXPERIMENTS)} and {ALL}")
        if lacking := missing_data(EXPERIMENTS[name], fast):
            where = "the folder GRAPHCERT_DATA, see datasets/README.md"
            raise InputError(f"the experiment {name} needs {', '.join(lacking)} in {where}")
    if given["scheduler"] is not None:
        check_scheduler(given["scheduler"], given["workers"])
    interrupts.current.advice = f"{out} keeps the cells that were measured; continue with"
    for name in EXPERIMENTS if everything else given["names"]:
        if lacking := missing_data(EXPERIMENTS[name], fast):
            say(f"{name}: left out, it needs {', '.join(lacking)} in the folder GRAPHCERT_DATA")
            continue
        measure(EXPERIMENTS[name], out / name, fast, seeds, given["scheduler"], given["workers"], given["progress"])
    return _written(out)


def results(_: typer.Context, **given: Any) -> Answer:
    """Write RESULTS.md anew from what was measured; nothing is measured."""
    return _written(given["out"])


def _written(out: Path) -> Answer:
    from graphcert.experiments.catalogue import EXPERIMENTS
    from graphcert.experiments.grid import MADE
    from graphcert.experiments.results import write_results

    path = write_results(out, list(EXPERIMENTS.values()))
    files = [out / name / MADE for name in EXPERIMENTS]
    made = [json.loads(file.read_text(encoding="utf-8")) for file in files if file.is_file()]
    return Answer({"results": path, "experiments": made}, [f"results: {path}"])
