"""What a command shows: its answer on standard output, for people or as JSON, and words on the way on standard error."""

import json
import logging
import math
import sys
import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from os import PathLike
from typing import Any, NamedTuple

import typer

from graphcert.core.tables import Table, plain_lines
from graphcert.errors import InputError

LOG = logging.getLogger("graphcert")


@dataclass(frozen=True)
class Answer:
    """What a command found.

    Attributes:
        facts: the document that --json prints; a mapping gets the key "warnings".
        words: the same for people, in lines and tables.
        code: the exit code of the command.
    """

    facts: Mapping[str, Any] | Sequence[Any]
    words: Sequence[str | Table]
    code: int = 0


class Manner(NamedTuple):
    """How a command speaks, by its options and by those before its name."""

    as_json: bool
    quiet: bool
    verbose: bool

    @classmethod
    def of(cls, context: typer.Context) -> "Manner":
        """What was asked for; `InputError` for both less and more words."""
        above: Any = context
        given = dict.fromkeys(cls._fields, False)
        while above is not None:
            given = {name: found or bool(above.params.get(name)) for name, found in given.items()}
            above = above.parent
        if given["quiet"] and given["verbose"]:
            raise InputError("--quiet and --verbose contradict each other; leave one out")
        return cls(**given)

    @property
    def progress(self) -> bool:
        """Whether bars are shown."""
        return not self.quiet and sys.stderr.isatty()

    @property
    def level(self) -> int:
        """The least level of words that are shown."""
        return logging.ERROR if self.quiet else logging.DEBUG if self.verbose else logging.INFO


@contextmanager
def speaking(manner: Manner) -> Iterator[list[str]]:
    """Print what is said on the way, a line each, while the block runs; returns the warnings among it.

    Nothing else than the answer reaches standard output where that is JSON.
    """
    handler, before = _Lines(manner.level), (LOG.level, LOG.propagate)
    LOG.addHandler(handler)
    LOG.setLevel(min(manner.level, logging.WARNING))
    LOG.propagate = False  # else code of the user's that sets up logging would have every line twice
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr) if manner.as_json else nullcontext():
            warnings.showwarning = lambda message, *_: LOG.warning("%s", message)
            yield handler.warnings
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(before[0])
        LOG.propagate = before[1]


class _Lines(logging.Handler):
    """Plain lines on standard error, above a bar that may be there; keeps the warnings, also those below its level."""

    def __init__(self, least: int) -> None:
        super().__init__()
        self.least, self.warnings = least, list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        words = record.getMessage()
        if record.levelno == logging.WARNING:
            self.warnings.append(words)
            words = f"warning: {words}"
        if record.levelno >= self.least:
            tqdm.write(words, file=sys.stderr)


def show(answer: Answer, manner: Manner, warned: Sequence[str]) -> None:
    """Print an answer: one JSON document, or words; tables have colours and rules on a terminal only."""
    if manner.as_json:
        facts = {**answer.facts, "warnings": warned} if isinstance(answer.facts, Mapping) else answer.facts
        typer.echo(json.dumps(_plain(facts), indent=1, allow_nan=False))
    elif sys.stdout.isatty():
        _draw(answer.words)
    else:
        for line in plain_lines(answer.words):
            typer.echo(line)


def _plain(value: Any) -> Any:
    """What JSON knows: a number that is none, or has no end, is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, PathLike):
        return str(value)
    return value


def _draw(words: Sequence[str | Table]) -> None:
    """The answer on a terminal of any width."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    for part in words:
        if isinstance(part, str):
            style = next((style for begin, style in _STYLES.items() if part.startswith(begin)), "")
            for line in _wrapped(part, console.width):
                console.print(Text(line, style), soft_wrap=True)
            continue
        drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
        header, *rows = part.rows
        columns = [[len(cell) for cell in column] for column in zip(*part.rows, strict=True)]
        narrow = sum(map(max, columns)) + 3 * len(columns) > console.width
        for i, (name, (_, *cells)) in enumerate(zip(header, columns, strict=True)):
            left = i in part.left
            # Where there is little room headers of numbers are wrapped first, and words last.
            width = max([*cells, *map(len, name.split())]) if narrow and not left else None
            drawn.add_column(Text(name), justify="left" if left else "right", overflow="fold", max_width=width)
        for row in rows:
            drawn.add_row(*map(Text, row))
        console.print(drawn)


_STYLES = {
    "contradiction:": "bold red",
    "DEFECT": "bold red",
    "proved:": "bold",
    "recomputed:": "bold",
    "believed:": "bold",
}


def _wrapped(line: str, width: int) -> list[str]:
    """A line on a terminal; what continues it stands further to the right, and no word is cut, such as a path."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    ) or [""]


def run_facts(run: Any, **facts: Any) -> dict[str, Any]:
    """Facts about a run: its folder, these, and the seconds of its stages so far."""
    return {"run": run.folder, **facts, "timings": run.manifest().get("timings", {})}
