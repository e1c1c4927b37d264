"""What the commands have in common that certify inputs of their own: `segment`, `points` and `classify`."""

import csv
from collections.abc import Iterator, Mapping
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import (
    LOOK_AGAIN,
    WORKERS,
    Command,
    argument,
    new_app,
    option,
    options_of,
    refuse,
    say,
    with_options,
)
from graphcert.cli.output import Answer, Manner, run_facts
from graphcert.errors import InputError

if TYPE_CHECKING:
    from graphcert.models.fitting import FitLog
    from graphcert.run.inputs import InputRun

_OUT = "Folder of the run; an interrupted run continues there."


def command_with_training(
    certify: Command, train: Command, settings: type, training: list[Parameter], help: str
) -> typer.Typer:
    """A command that certifies by its own name, and trains a network by `train` behind it."""
    app = new_app(help, invoke_without_command=True)
    app.callback()(with_options(certify, option("out", Path | None, _OUT), _settings_of(settings)))
    app.command("train")(with_options(train, training))
    return app


def options_of_run(settings: type) -> list[Parameter]:
    """What a command takes that only certifies."""
    return [argument("out", Path, _OUT, "--out"), *_settings_of(settings)]


def _settings_of(settings: type) -> list[Parameter]:
    file = option(
        "settings", Path | None, "A file of settings (TOML, see experiments/); options go before it.", "--config"
    )
    return [file, *options_of(settings), LOOK_AGAIN, WORKERS]


def trains(context: typer.Context, given: Mapping[str, Any]) -> bool:
    """Whether the command was called only to train; certifying needs a folder.

    Raises:
        InputError: for options that training would ignore, and without a folder.
    """
    if context.invoked_subcommand is not None:
        ignored = set(context.params).difference(Manner._fields)
        refuse(context, ignored, "{flags} before train would be ignored; name all options after it")
        return True
    if given["out"] is None:
        name = context.info_name
        raise InputError(f"name the folder of the run with --out, or train a network with `graphcert {name} train`")
    return False


def certified_inputs(
    run: "type[InputRun[Any, Any, Any]]", settings: Any, given: Mapping[str, Any], *tables: str
) -> Answer:
    """Certify, and answer what came out; `tables` are names of files, the first of which the facts hold."""
    made = run(given["out"], workers=given["workers"], progress=given["progress"])
    content = made.certify(settings, given["look_again"])
    files, page = [str(made.path(name)) for name in tables], made.path("report.html")
    facts = run_facts(
        made, facts=[{"value": value, "name": name, "note": note} for value, name, note in content.facts],
        results=list(_results(made.path(tables[0]))), tables=files, report=page,
    )  # fmt: skip
    words = [f"{value:>8}  {name}: {note}" for value, name, note in content.facts]
    return Answer(facts, [*words, f"table{'s' * (len(files) > 1)}: {', '.join(files)}", f"report: {page}"])


def _results(table: Path) -> Iterator[dict[str, Any]]:
    """The rows of a table; what is empty is None."""
    with table.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            yield {name: _number(text) for name, text in row.items()}


def _number(text: str) -> int | float | str | None:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text or None


def training_begins() -> None:
    """What an interrupt does to a training."""
    interrupts.current.advice = "training cannot be continued, start it again with"
    interrupts.current.patience = 20  # for the step at hand and the file


def trained_network(log: "FitLog", out: Path, what: str = "pixel") -> Answer:
    """What training did, and where the network is; the accuracy is that of `what`s."""
    from graphcert.run.training import training_words

    for words in training_words(log, what):
        say(words)
    history = [{"step": step, "loss": loss, "accuracy": accuracy} for step, loss, accuracy in log.history]
    facts = {"network": out, "best_step": log.best_step, "steps": log.steps, "interrupted": log.interrupted}
    return Answer({**facts, "history": history}, [f"network: {out} (weights of step {log.best_step})"])
