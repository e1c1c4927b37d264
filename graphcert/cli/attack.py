"""The command `graphcert attack`: real attacks on the claims of a run."""

import json
from inspect import Parameter
from pathlib import Path
from typing import Any

import typer

from graphcert.cli.options import option
from graphcert.cli.output import Answer, run_facts
from graphcert.cli.run_of import run_of
from graphcert.run.settings.stages import SWEEP_AXES

REFUTED = 3
"""Exit code of attacks that refute a claim."""
_BUDGETS = 'Budgets that attacks may take: "5", "1:20:5" or "1,2,5".'


def attack_options() -> list[Parameter]:
    """The options of the command, but for its run."""
    return [
        *(option(axis, str | None, _BUDGETS, metavar="BUDGETS") for axis in SWEEP_AXES[:-1]),
        option("shift", str | None, 'Norms under continuous noise: "0.5" or "0.1,0.2".', metavar="NORMS"),
        option(
            "methods",
            str | None,
            "Out of gradient, greedy, collective, genetic, random (default: all).",
            metavar="NAMES",
        ),
        option("targets", int, "Single targets to attack at each budget, besides all at once.", default=3),
        option("samples", int, "Fresh samples of every judgement.", default=1000),
        option("pilot_samples", int, "Samples that choose the rival of each label.", default=100),
        option("seed", int, "Of searches and judgements.", default=0),
        option("seconds", float | None, "Begin no search later (default: no limit)."),
        option("perturbed", list[Path] | None, "A perturbed graph to judge too (.npz or .pt); may be repeated."),
    ]


def attack(_: typer.Context, **given: Any) -> Answer:
    """Attack the claims of a certified run with its own model and frozen noise, and judge them by fresh votes.

    Without budgets every axis of the noise is attacked alone, up to just beyond where nothing is certified. If a claim is
    refuted, the perturbation is kept in the folder perturbations and the exit code is 3.
    """
    run = run_of(given["run_folder"], given, given["model"])
    from graphcert.run.attack import AttackSettings, attack_run

    names = given["methods"]
    same = {name: given[name] for name in ("targets", "samples", "pilot_samples", "seed", "seconds")}
    if names is not None:
        same["methods"] = tuple(name.strip() for name in names.split(",") if name.strip())
    budgets = {axis: given[axis] for axis in SWEEP_AXES if given[axis] is not None}
    record = attack_run(run, AttackSettings(budgets, perturbed=tuple(given["perturbed"] or ()), **same))
    from graphcert.report import attack_words
    from graphcert.run.stored_run import ATTACK

    page = run.path("report.html")
    facts = run_facts(run, **json.loads(run.path(ATTACK).read_text()), report=page)
    return Answer(facts, [*attack_words(record), f"report: {page}"], REFUTED if record.violations else 0)
