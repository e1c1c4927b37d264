"""What the commands have in common that certify inputs of their own: `segment`, `points` and `classify`."""

import sys
from collections.abc import Mapping
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from graphcert.cli import interrupts
from graphcert.cli.options import LOOK_AGAIN, WORKERS, Command, argument, option, options_of, refuse, say, with_options
from graphcert.errors import InputError

if TYPE_CHECKING:
    from graphcert.models.fitting import FitLog
    from graphcert.run.inputs import InputRun

_OUT = "Folder of the run; an interrupted run continues there."


def command_with_training(
    certify: Command, train: Command, settings: type, training: list[Parameter], help: str
) -> typer.Typer:
    """A command that certifies by its own name, and trains a network by `train` behind it."""
    app = typer.Typer(invoke_without_command=True, add_completion=False, help=help)
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
        refuse(context, set(context.params), "{flags} before train would be ignored; name all options after it")
        return True
    if given["out"] is None:
        name = context.info_name
        raise InputError(f"name the folder of the run with --out, or train a network with `graphcert {name} train`")
    return False


def certify_and_tell(
    run: "type[InputRun[Any, Any, Any]]", settings: Any, given: Mapping[str, Any], *tables: str
) -> None:
    """Certify, and say what came out; `tables` are names of files."""
    made = run(given["out"], workers=given["workers"], progress=sys.stderr.isatty(), say=say)
    content = made.certify(settings, given["look_again"])
    for value, name, note in content.facts:
        typer.echo(f"{value:>8}  {name}: {note}")
    typer.echo(f"table{'s' * (len(tables) > 1)}: {', '.join(str(made.path(name)) for name in tables)}")
    typer.echo(f"report: {made.path('report.html')}")


def training_begins() -> None:
    """What an interrupt does to a training."""
    interrupts.current.advice = "training cannot be continued, start it again with"
    interrupts.current.patience = 20  # for the step at hand and the file


def tell_training(log: "FitLog", out: Path, what: str = "pixel") -> None:
    """What training did, and where the network is; the accuracy is that of `what`s."""
    from graphcert.run.training import training_words

    for words in training_words(log, what):
        say(words)
    typer.echo(f"network: {out} (weights of step {log.best_step})")
