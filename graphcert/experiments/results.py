"""RESULTS.md: all finished experiments of a folder, with the commands that made them and figures of papers beside."""

from collections.abc import Sequence
from pathlib import Path

from graphcert.core.files import atomic_write_text
from graphcert.errors import InputError
from graphcert.experiments.experiment import Experiment
from graphcert.experiments.grid import MADE, read_rows
from graphcert.experiments.views import draw, published_text, table_text

RESULTS = "RESULTS.md"
_INTRODUCTION = """# Results

`graphcert experiment results {out}` writes this page from the tables that `graphcert experiment run` leaves beside it.
Cells are means over the seeds ± the standard deviation of one seed; every seed has a split, weights and noise of its
own. Percentages are rounded down. Published figures stand as they were published; those that were read off a plot are
about 1 point uncertain. Durations say little: the machine may have had other work.
"""


def write_results(out: Path, experiments: Sequence[Experiment]) -> Path:
    """Write RESULTS.md and the plots of all experiments that are finished in a folder.

    Raises:
        InputError: if none is.
    """
    finished = [one for one in experiments if (out / one.name / MADE).is_file()]
    if not finished:
        raise InputError(
            f"{out} holds no finished experiment; make one with `graphcert experiment run NAME --out {out}`"
        )
    parts = [_INTRODUCTION.format(out=out)]
    for one in finished:
        parts.append(_section(one, out))
    atomic_write_text(out / RESULTS, "\n".join(parts))
    return out / RESULTS


def _section(experiment: Experiment, out: Path) -> str:
    """The section of one experiment, whose plots are written."""
    folder = out / experiment.name
    made, rows = read_rows(folder)
    options = " --fast" * bool(made["fast"]) + f" --seeds {made['seeds']}"
    command = f"graphcert experiment run {experiment.name}{options} --out {out}"
    code = f"graphcert {made['version']}, code {made['source']}"
    parts = [
        f"## {experiment.title}",
        f"{experiment.paper}. {experiment.setting}",
        f"`{command}`: {made['cells']:,} cells, {_duration(made['seconds'])} one after the other ({code}).",
    ]
    if made["fast"]:
        parts.append(
            "**These are the small settings of `--fast`: they show that everything runs, not what the paper is about.**"
        )
    for plot in experiment.plots:
        draw(plot, rows, folder / f"{plot.name}.svg")
        parts.append(f"![{plot.title}]({experiment.name}/{plot.name}.svg)\n\n*{plot.title}.*")
    for table in experiment.tables:
        parts.append(f"**{table.title}**\n\n{table_text(table, rows)}")
    for found in experiment.published:
        parts.append(f"**Published: {found.title}** ({found.source})\n\n{published_text(found)}")
    sentences = experiment.findings(rows)
    if sentences:
        parts.append("\n".join(f"- {sentence}" for sentence in sentences))
    return "\n\n".join(parts) + "\n"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes:,} minutes" if minutes != 1 else "1 minute"
