"""What an experiment is: cells that are measured one by one, and the tables and plots of all of their rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Cell = Mapping[str, Any]
"""What is measured at once, in JSON's words; it names its seed."""

Value = str | int | float
Row = Mapping[str, Value]
"""One measurement: what it is about, in words and numbers, its seed, and what was measured."""

SEED = "seed"


@dataclass(frozen=True)
class Table:
    """Means over the seeds, and standard deviations.

    Attributes:
        title: what the table is about.
        rows: the keys whose values name a row.
        column: the key whose values are the columns, in the order of the rows that were measured.
        value: the key of what is shown.
        where: values that keys must have.
        percent: whether shares are shown, in percent, rounded down.
    """

    title: str
    rows: tuple[str, ...]
    column: str
    value: str
    where: Mapping[str, Value] = field(default_factory=dict)
    percent: bool = True


@dataclass(frozen=True)
class Lines:
    """A plot of means over the seeds with a band of one deviation: a line per value of `line`, a panel per `panel`."""

    name: str
    title: str
    x: str
    y: str
    line: str
    panel: str
    where: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Front:
    """A plot of two measurements against each other: what no other design of the same line passes in both.

    A design is a value of `design`; its place is the mean over the seeds, with bars of one standard deviation.
    """

    name: str
    title: str
    x: str
    y: str
    line: str
    panel: str
    design: str
    where: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """Figures of a paper, to stand beside ours, as they were published."""

    title: str
    source: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        name: on the command line.
        title, paper: what is shown, and whose method it is.
        cells: from whether it is to be fast, and the number of seeds, to what is measured.
        measure: the rows of a cell; a function of a module, which other processes can import. It is given the number of
            threads that it may take, which changes nothing.
        tables, plots: what is shown.
        published: figures of papers.
        setting: what was done, in a paragraph, and how it differs from the paper.
        findings: sentences about rows, computed from them.
        needs: from whether it is to be fast, to the files and folders below GRAPHCERT_DATA that it measures.
    """

    name: str
    title: str
    paper: str
    cells: Callable[[bool, int], list[Cell]]
    measure: Callable[[Cell, int | None], list[Row]]
    tables: tuple[Table, ...]
    setting: str
    plots: tuple[Lines | Front, ...] = ()
    published: tuple[Published, ...] = ()
    findings: Callable[[Sequence[Row]], Sequence[str]] = lambda rows: ()
    needs: Callable[[bool], tuple[str, ...]] = lambda fast: ()
