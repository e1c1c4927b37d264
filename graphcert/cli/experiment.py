"""`graphcert experiment`: the experiments of the papers, and RESULTS.md."""

import sys
from pathlib import Path
from typing import Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import SCHEDULER, argument, option, say, with_options
from graphcert.errors import InputError

ALL = "all"


def build_experiment_app() -> typer.Typer:
    """`run`, `results` and `list`."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, help="Repeat the experiments of the papers.")
    out = option(
        "out",
        Path,
        "Folder of the results; what is measured there is not measured again.",
        default=Path("runs/experiments"),
    )
    app.command("run")(with_options(
        run, argument("names", list[str], f"Experiments (see `graphcert experiment list`), or {ALL}."),
        option("fast", bool, "Small settings that show that everything runs.", "--fast", default=False),
        option("seeds", int, "Seeds, each with a split, weights and noise of its own.", default=5), out, SCHEDULER,
        option("workers", int | None, "Threads of one cell, without a scheduler (default: one per processor)."),
    ))  # fmt: skip
    app.command("results")(with_options(results, argument("out", Path, "Folder of the results.")))
    app.command("list")(with_options(names))
    return app


def run(_: typer.Context, **given: Any) -> None:
    """Measure experiments cell by cell and write RESULTS.md; an interrupted call goes on where it was."""
    from graphcert.core.arguments import whole
    from graphcert.experiments import EXPERIMENTS
    from graphcert.experiments.grid import measure, missing_data
    from graphcert.experiments.results import write_results
    from graphcert.voting.cluster import check_scheduler

    seeds = whole("the number of seeds", given["seeds"], 1)
    asked = list(EXPERIMENTS) if ALL in given["names"] else given["names"]
    for name in asked:
        if name not in EXPERIMENTS:
            raise InputError(f"there is no experiment {name!r}; there are {', '.join(EXPERIMENTS)} and {ALL}")
        if ALL not in given["names"] and (lacking := missing_data(EXPERIMENTS[name], given["fast"])):
            raise InputError(
                f"the experiment {name} needs {', '.join(lacking)} in the folder GRAPHCERT_DATA, see datasets/README.md"
            )
    if given["scheduler"] is not None:
        check_scheduler(given["scheduler"], given["workers"])
    interrupts.current.advice = f"{given['out']} keeps the cells that were measured; continue with"
    for name in asked:
        if lacking := missing_data(EXPERIMENTS[name], given["fast"]):
            say(f"{name}: left out, it needs {', '.join(lacking)} in the folder GRAPHCERT_DATA")
            continue
        measure(
            EXPERIMENTS[name], given["out"] / name, given["fast"], seeds, given["scheduler"], given["workers"],
            sys.stderr.isatty(), say,
        )  # fmt: skip
    typer.echo(f"results: {write_results(given['out'], list(EXPERIMENTS.values()))}")


def results(_: typer.Context, out: Path) -> None:
    """Write RESULTS.md anew from what was measured; nothing is measured."""
    from graphcert.experiments import EXPERIMENTS
    from graphcert.experiments.results import write_results

    typer.echo(f"results: {write_results(out, list(EXPERIMENTS.values()))}")


def names(_: typer.Context) -> None:
    """List the experiments."""
    from graphcert.experiments import EXPERIMENTS

    for name, one in EXPERIMENTS.items():
        typer.echo(f"{name:<20}{one.title}")
