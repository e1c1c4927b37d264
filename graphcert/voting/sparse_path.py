"""The path of models with a sparse first layer: compiled kernels that see only what the nodes of a view perceive."""

import copy
from collections.abc import Iterator
from typing import cast

import numpy as np
from torch import nn

from graphcert.core.arrays import Integers
from graphcert.core.features import exact_product, plain_features
from graphcert.errors import ModelError
from graphcert.models.base import (
    Floats,
    SparseFirst,
    SparseFirstModel,
    edge_index_tensor,
    padded,
    side_by_side,
)  # fmt: skip
from graphcert.sampling.csr import EVERY_ROW
from graphcert.sampling.rows import rectified_rows
from graphcert.sampling.simd.row_sums import aligned
from graphcert.sampling.versions import Layout, copy_rows
from graphcert.voting.cache_detection import copied
from graphcert.voting.model_call import Call
from graphcert.voting.model_checks import check_logits
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GraphPath
from graphcert.voting.view_passes import View, ViewPasses


class SparsePath(GraphPath):
    """Models with a sparse first layer: X̃W from the positions of the ones, then compiled kernels, sample by sample.

    `kernels` stand for a model that has none of its own: it is recognised.
    """

    name = "sparse"

    def __init__(self, problem: Problem, model: nn.Module, kernels: SparseFirst | None = None) -> None:
        self.problem, self.model, self._ask = problem, model, Call(model)
        if kernels is not None:
            self.name = "recognised"
        self._kernels: SparseFirst = kernels or cast(SparseFirstModel, model)
        weight = self._kernels.first_weight().detach()
        if weight.shape[0] != problem.x.shape[1]:
            raise ModelError(_wrong_width(problem, weight.shape[0]))
        self._weight, self._layer, sampler = padded(weight, 1), self._kernels.row_layer(), problem.sampler
        # Clean features need their product once. In float64, so that its rounding does not depend on threads.
        needed = sampler.shows_clean_rows or not sampler.noisy_features
        self._clean: Floats | None = exact_product(plain_features(problem.x), self._weight) if needed else None
        self._beside = self._layer is not None and sampler.one_graph and sampler.views.count > 1
        self._take_members(problem.members)
        edges = edge_index_tensor(sampler.clean_graph)
        plain = self._ask.first(copied(model), problem.x.clone(), edges)
        self.classes = check_logits(plain, problem.nodes, *problem.classes).shape[1]

    def over(self, problem: Problem) -> "SparsePath":
        """See `GraphPath.over`."""
        return SparsePath(problem, self.model, self._kernels if self.name == "recognised" else None)

    def _bytes_of_a_call(self) -> int:
        sampler = self.problem.sampler
        # The table has an eighth more rows than the pass at hand needs.
        return (28 * sampler.edge_room if sampler.noisy_edges else 0) + self._passes.taken * 9 // 8

    def fork(self) -> "SparsePath":
        """A path with its own buffers; weights, clean product and what the views perceive are shared."""
        twin = copy.copy(self)
        twin._take_buffers()
        return twin

    def only(self, nodes: Integers | None) -> "SparsePath":
        """See `Path.only`; only what these nodes perceive is computed."""
        twin = copy.copy(self)
        twin._take_members(self._voters(nodes))
        return twin

    def _take_members(self, members: list[Integers]) -> None:
        """Let these nodes vote."""
        kernels, sampler = self._kernels, self.problem.sampler
        whole = self._beside or not kernels.local
        self.members = members
        hops = kernels.layers if kernels.local else 0
        room = self.problem.room
        self._passes = ViewPasses(sampler, members, hops, 4 * self._columns, whole, kernels.joins, room)
        self._take_buffers()

    def _take_buffers(self) -> None:
        """Everything that a sample writes to."""
        kernels, sampler, rows = self._kernels, self.problem.sampler, self._passes.rows
        views = sampler.views
        self._work = sampler.workspace()
        of_node = views.of_node if self._beside else np.zeros(rows, np.int64)
        self._forward = kernels.compiled(rows) if self._layer is None else kernels.compiled_views(rows, of_node)
        self._hidden = self._table = aligned(0, self._columns)
        self._slots = EVERY_ROW
        # Noise that is not drawn version by version needs the products of all views.
        if sampler.noisy_features and not sampler.takes_layer:
            self._hidden = aligned(views.count * sampler.nodes, self._weight.shape[1])
        columns = side_by_side(views.count, self._layer[1].shape[0]) if self._layer and self._beside else self._columns
        self._input = aligned(0 if self._passes.joined else rows, columns)

    @property
    def _columns(self) -> int:
        """Columns of what the kernels go on with: of first products, or of the results of the row layer."""
        return self._weight.shape[1] if self._layer is None else side_by_side(1, self._layer[1].shape[0])

    def _first(self, purpose: int, sample: int, layout: Layout) -> Floats:
        """The first products of a pass (R, H), or what the row layer makes of them (R, ≥ K)."""
        sampler, layer = self.problem.sampler, self._layer
        if sampler.takes_layer:
            return self._versions(purpose, sample, layout)
        hidden = self._clean
        if sampler.noisy_features:
            hidden = self._hidden
            views = hidden.reshape(sampler.views.count, sampler.nodes, -1)
            sampler.first_layer(purpose, sample, self._weight, views, self._work, self._clean)
        assert hidden is not None
        if layer is None:
            return hidden
        self._grow(len(hidden))
        rectified_rows(hidden, *layer, self._table)
        return self._table

    def _versions(self, purpose: int, sample: int, layout: Layout) -> Floats:
        """The same with a row for every distinct version, at the `slots` of the layout's places."""
        if self._slots.size != layout.places:
            self._slots = np.empty(layout.places, np.int32)
        while True:
            used = self.problem.sampler.first_layer(
                purpose,
                sample,
                self._weight,
                self._table,
                self._work,
                layer=self._layer,
                layout=layout,
                slots=self._slots,
            )
            if used <= len(self._table):
                return self._table
            self._grow(used)

    def _grow(self, rows: int) -> None:
        """Room for so many rows of the table, and for some more where their number changes from sample to sample."""
        if len(self._table) < rows:
            self._table = aligned(rows if self.problem.sampler.views.count == 1 else rows + rows // 8, self._columns)

    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """Sample by sample, view by view, or all views at once where they are propagated side by side."""
        for sample in range(start, stop):
            if self._beside:
                yield from self._answer_beside(purpose, sample)
                continue
            table = None
            for part in self._passes.of(purpose, sample, self._work):
                # Noise that is not drawn version by version yields the products of all views at once.
                if table is None or self.problem.sampler.takes_layer:
                    table = self._first(purpose, sample, part.layout)
                if part.joint is None:
                    yield from ((view.members, self._answer(view, table)) for view in part.views)
                    continue
                logits, done = self._forward(table, part.joint, self._slots), 0
                for members in part.members:
                    yield members, logits[done : done + members.size]
                    done += members.size

    def _answer(self, view: View, table: Floats) -> Floats:
        """Logits (M, ≥ K) of those who vote in a view."""
        hidden = table
        if view.places is not None:
            hidden = self._input[: view.places.size]
            copy_rows(table, self._slots, view.places, 0, hidden.shape[1], hidden)
        logits = self._forward(hidden, view.graph)
        return logits if view.chosen is None else logits[view.chosen]

    def _answer_beside(self, purpose: int, sample: int) -> Iterator[tuple[Integers, Floats]]:
        """Those who vote in each view, and their logits (M, ≥ K)."""
        assert self._layer is not None
        views, classes = list[View](), self._layer[1].shape[0]
        for part in self._passes.of(purpose, sample, self._work):
            table = self._first(purpose, sample, part.layout)
            for view in part.views:
                assert view.places is not None
                copy_rows(table, self._slots, view.places, view.number * classes, classes, self._input)
            views += part.views
        if views:
            logits = self._forward(self._input, views[0].graph)
            yield from ((view.members, logits[view.members]) for view in views)


def _wrong_width(problem: Problem, takes: int) -> str:
    """Why a model does not fit the features that it is shown."""
    width, columns = problem.sampler.width, problem.sampler.columns
    if columns == width:
        return f"the model takes {takes} features but the data have {width}"
    return (
        f"the model takes {takes} features but hierarchical noise shows it {columns}: the {width} of the data and the "
        f"column that marks selected rows; build it with features={columns}"
    )
