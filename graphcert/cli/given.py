"""The options that a user gave, against those that a command can use."""

from collections.abc import Collection

import typer

from graphcert.errors import InputError


def given(context: typer.Context) -> set[str]:
    """Names of the parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def refuse(context: typer.Context, unusable: Collection[str], sentence: str) -> None:
    """Raise `InputError` if an option was given that the command cannot use here.

    Args:
        unusable: names of parameters.
        sentence: why, and what to do; "{flags}" stands for the options that were given.
    """
    found = given(context).intersection(unusable)
    flags = [option.opts[0] for option in context.command.params if option.name in found]
    if flags:
        raise InputError(sentence.replace("{flags}", ", ".join(flags)))
