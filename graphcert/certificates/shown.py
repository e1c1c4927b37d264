"""Claims from votes as people look at them: a page, a plot, a table per node. No claim rests on anything here."""

import os
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.budget_grid import BudgetGrid, counted_axes
from graphcert.certificates.claims import Claims
from graphcert.certificates.method_hierarchy import MethodComparison
from graphcert.core.arrays import Floats, Integers
from graphcert.core.late import handed_over
from graphcert.core.tables import data_frame, html_table
from graphcert.errors import UnsupportedError
from graphcert.noise import Budget
from graphcert.votes import Votes

MOST_CHANGES = 512
"""A table per node counts so far how many changes of one kind a label survives."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a certificate remembers of how it was made; no file holds it.

    Attributes:
        votes: those that it was made from, or None.
        data: the graph, or None.
        truth: (N,) true labels, −1 where unknown, or None.
        grids: ratios over one or two axes of budgets each; None if nobody chose any.
        budgets: single budgets that were asked for.
        curves: per sweep of budgets what holds for all targets at once.
        title: of a report.
        timings: seconds per stage.
    """

    votes: Votes | None = None
    data: Any = None
    truth: Integers | None = None
    grids: tuple[BudgetGrid, ...] | None = None
    budgets: tuple[Budget, ...] = ()
    curves: tuple[MethodComparison, ...] = ()
    title: str = "Certificate"
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ShownClaims(Claims):
    """Claims that know the votes they were made from, unless they were read from a file, and can be shown."""

    _known: ClassVar[Known] = Known()

    def _remember(self, **facts: Any) -> Self:
        """The same object, which knows more about how it was made."""
        object.__setattr__(self, "_known", replace(self._known, **facts))
        return self

    @abstractmethod
    def radius(self, nodes: int | None = None) -> Floats:
        """(N,) how far real features can be moved."""

    @property
    def votes(self) -> Votes | None:
        """The votes that the claims were made from; None if they were read from a file or a dictionary."""
        return self._known.votes

    @property
    def curves(self) -> tuple[MethodComparison, ...]:
        """What `certify_model` proved about all targets at once, by method, one per sweep of budgets; else empty."""
        return self._known.curves

    def summary(self) -> str:
        """Three lines as `repr` shows them; of a certificate by `certify_model` also the certified ratio at some budgets."""
        short = super().summary()
        return short if self._known.grids is None else "\n".join([short, *handed_over("numbers")(self)])

    def __repr__(self) -> str:
        return super().summary()

    def _repr_html_(self) -> str:
        words = "; ".join(line.strip() for line in super().summary().splitlines())
        if self._known.grids is None:
            return f"<p>{escape(words)}</p>"
        header, *rows = handed_over("headline")(self)
        return html_table(words, header, rows)

    def to_pandas(self, truth: ArrayLike | None = None) -> Any:
        """A pandas.DataFrame with one row per node.

        Columns: label, target, abstained, p_lower and under the multi-class rule p_other_upper; votes for the label, of all
        samples, where they are known; truth and correct where labels are known (−1 is no label, and never correct); and how
        much the label survives of each kind of change alone: largest_feature_add … (at most 512; −1 for nodes that abstain
        or are no targets), or radius under noise of real features.

        Args:
            truth: (N,) true labels; by default those that `certify_model` found in the data.

        Raises:
            InputError: if `truth` is not one integer per node.
            UnsupportedError: if pandas is not installed.
        """
        votes, others = self._known.votes, self._others()
        columns: dict[str, Any] = {"label": self.labels, "target": self.targets}
        columns |= {"abstained": self.abstained & self.targets, "p_lower": self._majorities()}
        columns |= {} if others is None else {"p_other_upper": others}
        columns |= {} if votes is None else {"votes": votes.successes, "samples": votes.node_samples}
        truth = self._known.truth if truth is None else truth
        columns |= {} if truth is None else {"truth": np.asarray(truth), "correct": self.correct(truth)}
        columns |= {f"largest_{axis}": self._largest(axis) for axis in counted_axes(self.smoothing)}
        columns |= {"radius": self.radius()} if self.smoothing.norm else {}
        return data_frame(columns, self._output)

    def _largest(self, axis: str, nodes: int | None = None) -> Integers:
        """(N,) the largest budget of one kind of change (in so many nodes) a label survives; −1 where none is claimed."""
        found = np.where(self.abstained, -1, 0)
        for value in range(1, MOST_CHANGES + 1):
            try:
                kept = self._kept(replace(Budget(nodes=nodes), **{axis: value}))
            except UnsupportedError:  # beyond exact arithmetic
                break
            if not kept.any():
                break
            found[kept] = value
        return found

    def plot(
        self, axis: str | None = None, path: str | os.PathLike[str] | None = None, *, truth: ArrayLike | None = None
    ) -> Any:
        """Certified ratio, and accuracy where labels are known, against the budget on one axis, each target alone.

        Args:
            axis: "add", "delete", "edge_add", "edge_delete", "nodes" or "shift"; by default the first one on which
                something is certified. The axis ends where nothing is.
            path: where to write it as .png, .svg or .pdf, whole or not at all.
            truth: (N,) true labels; by default those that `certify_model` found in the data.

        Returns:
            A matplotlib.figure.Figure, which notebooks show.

        Raises:
            InputError: for another axis than those of the noise, or another kind of file.
            DataError: if the file cannot be written.
        """
        return handed_over("plot")(self, axis, path, truth)

    def report(
        self, path: str | os.PathLike[str], data: Any = None, *, votes: Votes | None = None,
        truth: ArrayLike | None = None, title: str | None = None,
    ) -> None:  # fmt: skip
        """Write the page that runs write: one HTML file without outside resources, complete without its script.

        Args:
            path: the file, written whole or not at all.
            data: the graph that was voted on, with `y` for accuracy; by default the one that `certify_model` was given.
            votes: those that the certificate was made from; needed only if it was read from a file.
            truth: (N,) true labels, −1 where unknown; by default `y` of the data.
            title: the first line of the page.

        Raises:
            InputError: if the votes are needed, or are not those of the certificate, or the graph is another one.
            DataError: if the file cannot be written.
        """
        handed_over("report")(self, path, data, votes, truth, title)
