"""From an `Encoding` to the matrix and the limits of its linear program."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphcert.collective.encoding import Encoding
from graphcert.collective.linear import FloatArray, IntArray, LinearProgram, Sparse

_POINTS, _TOUCHED = -1, -2
"""Names of the column blocks that are no axis: the indicators q of points and s of touched nodes."""


@dataclass(eq=False)
class _Rows:
    """Rows under construction: blocks of a matrix, each row with its limit."""

    offsets: Mapping[int, int]
    height: int = 0
    blocks: list[tuple[Any, Any, Any]] = field(default_factory=list)
    limits: list[FloatArray] = field(default_factory=list)

    def add(self, parts: Mapping[int, Sparse], limit: FloatArray) -> slice:
        """Append len(limit) rows made of one matrix per named column block; returns where they are."""
        for block, matrix in parts.items():
            entries = sp.coo_array(matrix)
            row, column = entries.coords
            self.blocks.append((row + self.height, column + self.offsets[block], entries.data))
        self.limits.append(limit)
        self.height += len(limit)
        return slice(self.height - len(limit), self.height)


class ProgramSweep:
    """The programs of one encoding over all budgets: one matrix, new limits.

    Only with attackers does the matrix depend on the budget (b ≤ min(local budget, budget)·s, the tightest such row).
    """

    def __init__(self, encoding: Encoding, most: IntArray) -> None:
        self._encoding = encoding
        touched = encoding.threat.perception[0].shape[0] if encoding.threat.attackers is not None else 0
        sizes = [len(encoding.groups.points), *(len(columns) for columns in encoding.columns), touched]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        self._width = int(starts[-1])
        axes = range(len(encoding.columns))
        self._offsets = {_POINTS: 0, **{axis: int(starts[axis + 1]) for axis in axes}, _TOUCHED: int(starts[-2])}
        self._touched = touched
        self._budget_rows = slice(0)
        self._matrix, self._row_upper = self._assemble(most)

    def axis_columns(self, axis: int) -> slice:
        """Where the b of an axis lie in x."""
        return slice(self._offsets[axis], self._offsets[axis] + len(self._encoding.columns[axis]))

    def program(self, budget: IntArray) -> LinearProgram:
        """The program at `budget` (A,), at most the largest one of the sweep on each axis."""
        encoding = self._encoding
        if encoding.threat.attackers is None:
            matrix, row_upper = self._matrix, self._row_upper.copy()
        else:
            matrix, row_upper = self._assemble(budget)
        row_upper[self._budget_rows] = budget
        capacities = [np.minimum(capacity, budget[axis]) for axis, capacity in enumerate(encoding.capacity)]
        column_upper = np.concatenate([encoding.reachable(budget), *capacities, np.ones(self._touched)])
        objective = np.zeros(self._width)
        objective[: len(encoding.groups.group)] = encoding.groups.weight[encoding.groups.group]
        whole = np.ones(self._width, dtype=np.bool_)
        return LinearProgram(objective, matrix, row_upper, column_upper.astype(np.float64), whole)

    def _assemble(self, budget: IntArray) -> tuple[Sparse, FloatArray]:
        rows = _Rows(self._offsets)
        self._perceived_rows(rows)
        axes = range(len(self._encoding.columns))
        spent = [rows.add({axis: np.ones((1, len(self._encoding.columns[axis])))}, np.zeros(1)) for axis in axes]
        self._budget_rows = slice(spent[0].start, spent[-1].stop)
        self._local_rows(rows)
        if self._encoding.threat.attackers is not None:
            self._attacker_rows(rows, budget)
        row, column, value = (np.concatenate(parts) for parts in zip(*rows.blocks, strict=True))
        matrix = sp.csc_array((value.astype(np.float64), (row, column)), shape=(rows.height, self._width))
        matrix.eliminate_zeros()
        matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
        return matrix, np.concatenate(rows.limits)

    def _perceived_rows(self, rows: _Rows) -> None:
        """Broken through v only if at least v is perceived; through one v only."""
        groups = self._encoding.groups
        indices = (groups.group, np.arange(len(groups.group)))
        shape = (len(groups.nodes), len(groups.group))
        for axis, perceived in enumerate(self._encoding.perceived):
            needs = sp.csr_array((groups.points[:, axis].astype(np.float64), indices), shape=shape)
            asks = np.flatnonzero(np.bincount(groups.group, groups.points[:, axis], minlength=shape[0]))
            rows.add({_POINTS: needs[asks], axis: -perceived[asks]}, np.zeros(len(asks)))
        choice = sp.csr_array((np.ones(shape[1]), indices), shape=shape)
        several = np.flatnonzero(np.bincount(groups.group, minlength=shape[0]) > 1)
        rows.add({_POINTS: choice[several]}, np.ones(len(several)))

    def _local_rows(self, rows: _Rows) -> None:
        """Local budgets of edge axes: a node's edges together."""
        threat = self._encoding.threat
        for axis, (limit, incidence) in enumerate(zip(threat.at_node, threat.incidence, strict=True)):
            if limit is not None and incidence is not None:
                rows.add({axis: incidence[:, self._encoding.columns[axis]]}, limit.astype(np.float64))

    def _attacker_rows(self, rows: _Rows, budget: IntArray) -> None:
        """Only touched nodes change, only changed edges with a touched end; at most R nodes are touched."""
        encoding = self._encoding
        for axis, columns in enumerate(encoding.columns):
            ends = encoding.threat.incidence[axis]
            size = len(columns)
            if ends is None:
                limit = np.minimum(encoding.capacity[axis], budget[axis]).astype(np.float64)
                touched = sp.csr_array((limit, (np.arange(size), columns)), shape=(size, self._touched))
            else:
                touched = sp.csr_array(ends[:, columns].T)
            rows.add({axis: sp.eye_array(size), _TOUCHED: -touched}, np.zeros(size))
        most = np.array([float(encoding.threat.attackers or 0)])
        rows.add({_TOUCHED: np.ones((1, self._touched))}, most)
