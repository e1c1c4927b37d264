"""The axes along which an adversary changes bits and edges, and what falls of each group of targets under such changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification.atoms import Flips, TradeOff
from graphcert.verification.node_bounds import NodeBounds
from graphcert.verification.pairs import Pairs
from graphcert.verification.run_files import PlainGraph
from graphcert.verification.schemes import Law, Views, dominates, read_scheme

AXES = ("feature_add", "feature_delete", "edge_add", "edge_delete")
"""The classes of changes, in the order in which budgets name them."""

UNLIMITED = 2**31
"""No budget is larger."""

MOST_WORK = 2**33
"""So many atoms are looked at for one certificate, in a quarter of an hour; a proof that needs more is refused."""

_MARGIN = 1e-6
"""Who is farther below the line than this falls, whatever is rounded."""

MOST_ATOMS, MOST_CHANGES = 2**20, 5000
"""Of more atoms, or changes under one law, nothing is computed, and everything counts as fallen."""


@dataclass(frozen=True, eq=False)
class FlipAxes:
    """How every group sees every axis of change.

    Axes stand in the order of `AXES`: for features one per block, for edges one per two blocks j ≤ k, row by row.

    Attributes:
        group: (N,) the group of every node.
        laws: the distinct laws, those of features first.
        law_of_axis: (G, A) index into `laws`.
        axis_class: (A,) index into `AXES`.
        capacity: (A,) how often a block can be changed that way.
        reweighted: whether deleted edges come back with another weight, so that these laws say nothing of deletions.
    """

    group: NDArray[np.int64]
    laws: tuple[Law, ...]
    law_of_axis: NDArray[np.int64]
    axis_class: NDArray[np.int64]
    capacity: NDArray[np.int64]
    reweighted: bool

    @classmethod
    def of(cls, scheme: dict[str, Any], graph: PlainGraph) -> "FlipAxes":
        """The axes of a described scheme on its graph.

        Raises:
            UnsupportedError: if rows are selected, or features are real.
            DataError: if the description is damaged.
        """
        views = read_scheme(scheme, graph.truth.size)
        laws = views.features + views.edges
        if any(law.kind != "flips" or law.select != 1 for law in laws):
            raise UnsupportedError("allocations of changes are counted under flips of every row")
        low, high = np.triu_indices(views.feature_law.shape[1])
        edges = views.edge_law[:, low, high] + len(views.features)
        law_of_axis = np.concatenate([views.feature_law, views.feature_law, edges, edges], axis=1)
        sizes = (views.feature_law.shape[1],) * 2 + (low.size,) * 2
        capacity = _capacity(views, graph, low, high)
        return cls(views.group, laws, law_of_axis, np.repeat(np.arange(4), sizes), capacity, views.reweighted)

    def measures(self, axes: Sequence[str], budget: Sequence[int]) -> bool:
        """Whether budgets over these axes are of changes whose trade-offs are known exactly."""
        return tuple(axes) == AXES and not (self.reweighted and budget[AXES.index("edge_delete")])

    @cached_property
    def harm(self) -> NDArray[np.bool_]:
        """(L, L) whether a change under the first law does at least as much damage as under the second; exact."""
        return np.array([[dominates(one, other) for other in self.laws] for one in self.laws], np.bool_)

    def trade_off(self, seen: "Seen") -> TradeOff | None:
        """The exact trade-off of changes as a group sees them; None if it has too many atoms."""
        parts = [
            Flips(*law.rates, added, deleted)
            for law, (added, deleted) in zip(self.laws, seen, strict=True)
            if added + deleted
        ]
        large = max((added + deleted for added, deleted in seen), default=0) > MOST_CHANGES
        return None if large or prod(part.size[0] for part in parts) > MOST_ATOMS else TradeOff(parts)

    def seen(self, group: int, b: Sequence[int]) -> "Seen":
        """The changes b (A,) as a group sees them."""
        counts = [[0, 0] for _ in self.laws]
        for law, index, amount in zip(self._rows[group], self._classes, b, strict=True):
            counts[law][index % 2] += amount
        return tuple((added, deleted) for added, deleted in counts)

    @cached_property
    def _rows(self) -> list[list[int]]:
        return [list(row) for row in self.law_of_axis.tolist()]

    @cached_property
    def _classes(self) -> list[int]:
        return [int(index) for index in self.axis_class]


Seen = tuple[tuple[int, int], ...]
"""(additions, deletions) under each law."""


def _capacity(views: Views, graph: PlainGraph, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.int64]:
    """(A,) how many zeros and ones of features, absent and present edges each block has; no limit for clean features."""
    blocks = views.feature_law.shape[1]
    block = views.group if blocks > 1 else np.zeros_like(views.group)
    sizes = np.bincount(block, minlength=blocks)
    zeros = ones = np.full(blocks, UNLIMITED)
    if graph.ones is not None and views.smooths("features"):
        ones = np.zeros(blocks, np.int64)
        np.add.at(ones, block, graph.ones)
        zeros = sizes * graph.features - ones
    source, target = graph.edges
    counted = source != target if views.directed else source < target
    between = np.zeros((blocks, blocks), np.int64)
    np.add.at(between, tuple(np.sort(block[graph.edges[:, counted]], axis=0)), 1)
    pairs = np.where(low == high, sizes[low] * (sizes[low] - 1) // 2, sizes[low] * sizes[high]) * (1 + views.directed)
    present = between[low, high]
    return np.asarray(np.minimum(np.concatenate([zeros, ones, pairs - present, present]), UNLIMITED), np.int64)


class Falls:
    """How many counted targets of each group fall; what groups see alike is computed once for all of them.

    Args:
        axes: the axes of change.
        bounds: what the votes prove of every node.
        questions: (Q, N) masks of the targets that count.
    """

    def __init__(self, axes: FlipAxes, bounds: NodeBounds, questions: NDArray[np.bool_]) -> None:
        self._axes, self._groups = axes, axes.law_of_axis.shape[0]
        counted = np.flatnonzero(questions.any(axis=0))
        self._group, self._questions = axes.group[counted], questions[:, counted]
        pairs = np.stack([bounds.p_lower[counted], bounds.p_other[counted]])
        (label, other), place = np.unique(pairs, axis=1, return_inverse=True)
        self._place, self._pairs = place.ravel(), Pairs.of(label, None if bounds.rivals is None else other)
        self._known: dict[Seen, NDArray[np.int64]] = {}
        self._work = 0

    def most(self, question: int, group: int, b: Sequence[int]) -> int:
        """How many targets of a group fall at most under changes b (A,)."""
        return int(self._most(group, b)[question, group])

    def all_groups(self, question: int, b: Sequence[int]) -> int:
        """How many targets of all groups together fall at most under changes b (A,)."""
        return sum(self.most(question, group, b) for group in range(self._groups))

    def surely(self, question: int, b: Sequence[int]) -> int:
        """How many targets fall under changes b (A,), whatever is rounded."""
        falls = [self._surely(self._axes.seen(group, b)) for group in range(self._groups)]
        return sum(int(self._counts(mask)[question, group]) for group, mask in enumerate(falls))

    def _most(self, group: int, b: Sequence[int]) -> NDArray[np.int64]:
        """(Q, G) how many may fall if a group sees the changes so."""
        seen = self._axes.seen(group, b)
        if seen not in self._known:
            trade_off = self._axes.trade_off(seen)
            survives = np.zeros_like(self._pairs.label_at, np.bool_)
            if trade_off is not None:
                self._work += prod(part.size[0] for part in trade_off.parts) + self._pairs.label_at.size
                if self._work > MOST_WORK:
                    raise DataError("its proofs take too long to check; make it again, with fewer or smaller budgets")
                survives, _ = trade_off.survives(self._pairs)
            self._known[seen] = self._counts(~survives)
        return self._known[seen]

    def _surely(self, seen: Seen) -> NDArray[np.bool_]:
        """(n,) who falls whatever is rounded: what survives is proved to within far less than the margin."""
        trade_off = self._axes.trade_off(seen)
        if trade_off is None:
            return np.zeros_like(self._pairs.label_at, np.bool_)
        pairs = self._pairs
        low = trade_off.lower(pairs.labels)[pairs.label_at]
        rival = 0.5 if pairs.others is None else np.minimum(0.5, trade_off.upper(pairs.others))[pairs.other_at]
        return np.asarray(low < rival - _MARGIN)

    def _counts(self, falls: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(Q, G) how many of each group are among those who fall."""
        mine = falls[self._place]
        return np.array([np.bincount(self._group[mine & one], minlength=self._groups) for one in self._questions])
