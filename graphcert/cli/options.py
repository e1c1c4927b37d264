"""Options of commands, generated from the fields of settings, as typer reads them."""

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from functools import wraps
from inspect import Parameter
from types import NoneType
from typing import Annotated, Any, get_args, get_type_hints

import typer

from graphcert.cli.output import LOG, Answer, Manner, show, speaking
from graphcert.errors import InputError

Values = Callable[[], Iterable[str]] | None
Command = Callable[..., Answer | None]
"""Takes a context, its options by name, and `progress`, whether it may show bars; None lets the next command answer."""


def new_app(help: str, **options: Any) -> typer.Typer:
    """A group of commands; its help has no rules and no colours where it is not read on a terminal."""
    options["rich_markup_mode"] = "rich" if sys.stdout.isatty() else None
    return typer.Typer(help=help, pretty_exceptions_enable=False, **options)


def option(
    name: str, kind: Any, help: str, *flags: str, default: Any = None, metavar: str | None = None, values: Values = None
) -> Parameter:
    """One option that need not be given; a shell completes its `values`."""
    completed = None if values is None else _completing(values)
    read = Annotated[kind, typer.Option(*flags, help=help, metavar=metavar, autocompletion=completed)]
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=read)


def _completing(values: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in values() if value.startswith(incomplete)]

    return complete


def argument(name: str, kind: Any, help: str, flag: str | None = None, default: Any = Parameter.empty) -> Parameter:
    """What stands without a name; or, with a flag, an option that must be given."""
    info = typer.Argument(help=help) if flag is None else typer.Option(flag, help=help)
    return Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=Annotated[kind, info])


def options_of(section: type, only: Collection[str] = (), *, shown: bool = False, **names: str) -> list[Parameter]:
    """Options for the fields of a section of settings (`only` these) that have one.

    `shown` defaults are those of the settings and stand in the help; otherwise an option that is not given is None, and
    leaves the setting as it is. `names` say what the option of a field is called among the parameters of a command.
    """
    hints = get_type_hints(section)
    return [
        _option_of(field, names.get(field.name, field.name), hints[field.name], shown)
        for field in fields(section)
        if field.metadata and (not only or field.name in only)
    ]


def _option_of(field: "Field[Any]", name: str, hint: Any, shown: bool) -> Parameter:
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
    kind: Any = field.metadata["kind"] or (kinds[0] if len(kinds) == 1 and kinds[0] in (bool, int, float, str) else str)
    default = field.default if shown and field.default is not MISSING else None
    if isinstance(default, float) and kind is str:
        default = f"{default:g}"
    form = {key: field.metadata[key] for key in ("metavar", "values")}
    wanted = kind if default is not None else kind | None
    return option(name, wanted, field.metadata["help"], *field.metadata["flags"], default=default, **form)


def chosen(given: Mapping[str, Any], section: type, **names: str) -> dict[str, Any]:
    """The fields of a section that were given as options; see `options_of`."""
    values = {field.name: given.get(names.get(field.name, field.name)) for field in fields(section)}
    return {name: value for name, value in values.items() if value not in (None, [], ())}


def with_options(function: Command, *options: Parameter | Iterable[Parameter]) -> Callable[..., None]:
    """A command with a signature that typer reads, the context and these options, which shows the answer of a function.

    The options --json, --quiet and --verbose come with it.
    """
    context = Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    listed = [context]
    for part in (*options, OUTPUT):
        listed += [part] if isinstance(part, Parameter) else part

    @wraps(function)
    def called(context: typer.Context, **given: Any) -> None:
        manner = Manner.of(context)
        with speaking(manner) as warned:
            spoken = {name: value for name, value in given.items() if name not in manner._fields}
            answer = function(context, **spoken, progress=manner.progress)
        if answer is not None:
            show(answer, manner, warned)
            raise typer.Exit(answer.code)

    called.__signature__ = inspect.Signature(listed)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in listed}
    return called


def refuse(context: typer.Context, unusable: Collection[str], sentence: str) -> None:
    """Raise `InputError` if one of these parameters was given; "{flags}" in the sentence stands for those that were."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    flags = [option.opts[0] for option in context.command.params if option.name in given.intersection(unusable)]
    if flags:
        raise InputError(sentence.replace("{flags}", ", ".join(flags)))


def say(line: str) -> None:
    """A line of a command on its way, beside its results."""
    LOG.info(line)


OUTPUT = [
    option("as_json", bool, "Print one JSON document, and all words on standard error.", "--json", default=False),
    option("quiet", bool, "No words and no bars on the way.", "--quiet", "-q", default=False),
    option("verbose", bool, "More words on the way.", "--verbose", "-v", default=False),
]
"""What every command takes."""
WORKERS = option("workers", int | None, "Threads (default: one per processor).")
MEMORY = option(
    "memory", str | None, "What voting may take, such as 2GiB (default: what is free); never changes the result.",
    metavar="AMOUNT",
)  # fmt: skip
SCHEDULER = option(
    "scheduler", str | None,
    "Processes in place of threads: local:4, or tcp://host:port, tls://host:port or the file of a dask scheduler.",
    metavar="SCHEDULER",
)  # fmt: skip
LOOK_AGAIN = option(
    "look_again", bool,
    "Take other numbers of samples although a certificate was seen; the error rates of both looks add up.",
    "--look-again", default=False,
)  # fmt: skip
