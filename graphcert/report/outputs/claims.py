"""What is claimed about inputs that have one label each, and its rows in results.csv and inputs.csv."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.noise import AXES, Budget

Cell = tuple[Budget, float]
"""What is claimed against: counts of changes, and the norm of a change (0 under other noise)."""


@dataclass(frozen=True, eq=False)
class OutputClaims:
    """What votes say about N inputs over B cells.

    Attributes:
        numbers: (N,) the number of each input in its source.
        truth: (N,) true classes, or None.
        labels: (N,) classes of the smoothed classifier, chosen by the pilot votes.
        abstained: (N,) inputs about which nothing is said.
        p_lower, p_other_upper: (N,) bounds of the label's probability, and of every other class's.
        sigma: (N,) deviations of Gaussian noise, or None.
        rows: (N,) how many rows each input has.
        radii: (N,) radii by limits of changed rows, None for no limit; empty under noise without a norm.
        cells: what is claimed against, no change first.
        kept: (B, N) inputs that keep their label.
        guarantee: in plain words.
        votes: what names the votes, by the name of their file or folder.
    """

    numbers: Integers
    truth: Integers | None
    labels: Integers
    abstained: Mask
    p_lower: Floats
    p_other_upper: Floats
    sigma: Floats | None
    rows: Integers
    radii: Mapping[int | None, Floats]
    cells: tuple[Cell, ...]
    kept: Mask
    guarantee: str
    votes: Mapping[str, str]

    @property
    def inputs(self) -> int:
        """Number of inputs N."""
        return int(self.labels.size)

    @property
    def correct(self) -> Mask | None:
        """(N,) inputs whose label is the true one; None if nobody knows."""
        return None if self.truth is None else np.asarray(self.labels == self.truth)

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """(B,) certified inputs, and those of them that are correct."""
        correct = self.correct
        return self.kept.sum(axis=1), None if correct is None else (self.kept & correct).sum(axis=1)


def results_table(claims: OutputClaims) -> str:
    """The content of results.csv: one row per cell, shares of all inputs; no limit of rows is an empty cell."""
    certified, correct = claims.counts()
    header = [*AXES, "nodes", "shift", "inputs", "certified", *["certified_accuracy"] * (correct is not None)]
    rows = []
    for k, (budget, shift) in enumerate(claims.cells):
        shares = [int(line[k]) / claims.inputs for line in (certified, correct) if line is not None]
        rows.append([*budget.as_tuple(), budget.nodes, shift, claims.inputs, *shares])
    return _csv(header, rows)


def inputs_table(claims: OutputClaims) -> str:
    """The content of inputs.csv: one row per input."""
    columns: dict[str, Sequence[object]] = {"input": claims.numbers.tolist(), "label": claims.labels.tolist()}
    columns |= {} if claims.truth is None else {"truth": claims.truth.tolist()}
    columns |= {"abstained": claims.abstained.astype(int).tolist(), "rows": claims.rows.tolist()}
    columns |= {} if claims.sigma is None else {"sigma": claims.sigma.tolist()}
    columns |= {"p_lower": claims.p_lower.tolist(), "p_other_upper": claims.p_other_upper.tolist()}
    for limit, radius in claims.radii.items():
        columns["radius" if limit is None else f"radius_{limit}"] = radius.tolist()
    return _csv(list(columns), list(zip(*columns.values(), strict=True)))


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([header, *rows])
    return stream.getvalue()
