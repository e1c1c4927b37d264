"""The command `graphcert report`: the page of one run, or one page that compares several."""

from pathlib import Path
from typing import Any

import typer

from graphcert.cli.options import argument, option, say
from graphcert.cli.output import Answer, run_facts
from graphcert.cli.run_of import run_of
from graphcert.errors import InputError


def report_options() -> list[Any]:
    """The folders, and where a comparison goes."""
    return [
        argument("run_folders", list[Path], "Folder of a certified run; several are compared on one page."),
        option("out", Path | None, "File of the page that compares several runs (default: comparison.html)."),
    ]


def report(_: typer.Context, **given: Any) -> Answer:
    """Write report.html of a certified run; of several, write one page that compares them.

    Nothing is written into the folders of runs that are compared.
    """
    folders: list[Path] = given["run_folders"]
    for folder in folders:
        _refuse_inputs(folder)
    if len(folders) == 1:
        if given["out"] is not None:
            raise InputError(
                "--out is for a comparison of several runs; the report of one run is written into its folder"
            )
        run = run_of(folders[0], given)
        notices, page = run.report().warnings, run.path("report.html")
        return Answer(run_facts(run, notices=notices, report=page), [f"report: {page}"])
    out = Path("comparison.html") if given["out"] is None else given["out"]
    _refuse_place(out, folders)
    from graphcert.cli.facts import certified_facts
    from graphcert.report.graphs.comparison import write_comparison
    from graphcert.run.stored_run import StoredRun

    contents = {}
    for folder in folders:
        say(f"reading {folder}")
        contents[str(folder)] = StoredRun(folder, data_root=given["data_root"]).content()
    write_comparison(out, contents)
    facts = {folder: certified_facts(content) for folder, content in contents.items()}
    return Answer({"comparison": out, "runs": facts}, [f"comparison: {out}"])


def _refuse_inputs(folder: Path) -> None:
    """Raise `InputError` for a run over inputs, whose report the command that certifies it writes."""
    if (folder / "settings.toml").is_file() and not (folder / "config.toml").is_file():
        raise InputError(
            f"{folder} is a run over images, points or other inputs; repeat the command that certified it to write its "
            f"report.html again, and give `graphcert report` runs over the nodes of a graph"
        )


def _refuse_place(out: Path, folders: list[Path]) -> None:
    """Raise `InputError` for the same run twice, and for a page that would stand in the folder of a run."""
    places = [folder.resolve() for folder in folders]
    twice = next((folder for folder in folders if places.count(folder.resolve()) > 1), None)
    if twice is not None:
        raise InputError(f"{twice} is named twice; compare different runs")
    for folder, place in zip(folders, places, strict=True):
        if out.resolve() == place or place in out.resolve().parents:
            raise InputError(
                f"{out} lies in the folder of the run {folder}, which holds its own files only; name another"
            )
    if out.is_dir():
        raise InputError(f"{out} is a folder; name a file for the comparison, such as {out / 'comparison.html'}")
