"""The path of any module: its features are lazy, and X̃W comes straight from the positions of the ones where W meets them.

On the CPU compiled kernels draw and multiply at once; to an accelerator positions travel, and sums are gathered there.
"""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from graphcert.core.features import exact_product, plain_features
from graphcert.models.base import Floats, side_by_side
from graphcert.sampling.simd.row_sums import aligned
from graphcert.voting import row_maps  # noqa: F401  registers the operations that leave features lazy
from graphcert.voting.device import Device, Positions, dense_rows, gathered_sums
from graphcert.voting.footprint import call_bytes
from graphcert.voting.generic_input import Drawn, GenericInput, Place
from graphcert.voting.lazy_features import IDENTITY, LazyFeatures, Memory
from graphcert.voting.model_call import Call
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GenericPath

Sample = tuple[int, int]
"""(purpose, sample index)"""


class FirstProducts:
    """X̃_v W for all views v of a sample and all weights W of a model, from one drawing of the sample.

    A weight is known by its numbers. Until `settle` new ones are remembered; later ones are multiplied by themselves. A
    column of the product does not depend on the columns beside it.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem, self._weights, self._asked, self._learning = problem, list[Tensor](), list[int](), True
        self._take_buffers()
        self._table, self._clean = self._prepared([])

    def _take_buffers(self) -> None:
        self._drawn, self._free = dict[Sample, Floats](), list[Floats]()
        self._work = self._problem.sampler.workspace()

    def fork(self) -> "FirstProducts":
        """The same weights, with buffers of its own."""
        twin = copy.copy(self)
        twin._weights, twin._asked = list(self._weights), list(self._asked)
        twin._take_buffers()
        return twin

    def settle(self) -> None:
        """Remember from now on what was asked for in more than one call."""
        self._learning = False
        self._weights = [weight for weight, asked in zip(self._weights, self._asked, strict=True) if asked > 1]
        self._take_buffers()
        self._table, self._clean = self._prepared(self._weights)

    def keep(self, samples: set[Sample]) -> None:
        """Forget the products of all other samples."""
        for sample in self._drawn.keys() - samples:
            self._free.append(self._drawn.pop(sample))

    def of(self, sample: Sample, view: int, weight: Tensor) -> Tensor:
        """(N, H) a copy of the product of one view with weight (D, H)."""
        known = next((k for k, other in enumerate(self._weights) if torch.equal(other, weight)), None)
        if known is None and self._learning:
            known = len(self._weights)
            self._weights.append(weight.clone())
            self._asked.append(0)
            self._take_buffers()
            self._table, self._clean = self._prepared(self._weights)
        if known is None:
            first, products = 0, self._products(sample, *self._prepared([weight]), None)
        else:
            first = sum(other.shape[1] for other in self._weights[:known])
            products = self._products(sample, self._table, self._clean, self._drawn)
            self._asked[known] += self._learning
        return torch.from_numpy(products[view][:, first : first + weight.shape[1]].copy())

    @property
    def columns(self) -> int:
        """Columns of all products side by side."""
        return int(self._table.shape[1])

    def _prepared(self, weights: list[Tensor]) -> tuple[Floats, Floats | None]:
        """Weights side by side (D, ≥ ΣH), and the product of the clean features where that is needed."""
        sampler, x = self._problem.sampler, self._problem.x
        columns = sum(weight.shape[1] for weight in weights)
        table = aligned(x.shape[1], side_by_side(1, columns))
        if weights:
            table[:, :columns] = torch.cat(weights, dim=1).numpy()
        if sampler.noisy_features and not sampler.shows_clean_rows:
            return table, None
        # In float64, so that its rounding does not depend on threads.
        return table, exact_product(plain_features(x), table)

    def _products(
        self, sample: Sample, table: Floats, clean: Floats | None, drawn: dict[Sample, Floats] | None
    ) -> Floats:
        """(V, N, ≥ ΣH) of a sample; `drawn` has those that are there already."""
        sampler = self._problem.sampler
        if not sampler.noisy_features:
            assert clean is not None
            return np.broadcast_to(clean, (sampler.views.count, *clean.shape))
        if drawn is not None and sample in drawn:
            return drawn[sample]
        again = drawn is not None and self._free
        out = self._free.pop() if again else aligned(sampler.views.count, sampler.nodes, table.shape[1])
        sampler.first_layer(*sample, table, out, self._work, clean)
        if drawn is not None:
            drawn[sample] = out
        return out


class _SentRows:
    """The feature rows of a union of graphs, which are on the device as positions: so many copies below each other."""

    def __init__(self, given: "LazyInput", positions: Positions, copies: int) -> None:
        self.device, self.columns = given.device.device, given.problem.sampler.columns
        self._input, self._positions, self._copies = given, positions, copies

    def product(self, weight: Tensor) -> Tensor:
        """The rows times weight (D, H)."""
        return gathered_sums(self._positions, weight).repeat(self._copies, 1)

    def dense(self) -> Tensor:
        """The rows themselves."""
        return dense_rows(self._positions, self.columns).repeat(self._copies, 1)

    def note(self, operation: str) -> None:
        """Remember that an operation needed the rows themselves."""
        self._input.densified.setdefault(operation)


class LazyInput(GenericInput):
    """Noisy graphs as `GenericInput` has them, with lazy features.

    `densified` names the operations that needed the dense matrix, in the order of their first call.
    """

    def __init__(self, problem: Problem, device: Device | None = None) -> None:
        super().__init__(problem, device)
        self.densified = dict[str, None]()

    def fork(self) -> "LazyInput":
        """The same with buffers of its own."""
        twin = type(self)(self.problem, self.device.fork())
        twin.densified = self.densified
        return twin

    def bytes_of_products(self) -> int:
        """Bytes of memory of the CPU that first products take."""
        return 0

    def settle(self) -> None:
        """What the first calls taught stays as it is."""


class SentLazyInput(LazyInput):
    """The same with features whose positions travel to the device."""

    def __init__(self, problem: Problem, device: Device | None = None) -> None:
        super().__init__(problem, device)
        self._travels = True
        self._clean = () if problem.sampler.noisy_features else self._clean_positions()

    def _x(self, drawn: Drawn) -> Tensor:
        rows = _SentRows(self, drawn.rows, 1) if drawn.rows else _SentRows(self, self._clean, drawn.count)
        return LazyFeatures(rows, Memory(IDENTITY), drawn.count * self.problem.nodes)


class _MultipliedRows(_SentRows):
    """The feature rows of a union of graphs, multiplied where they are drawn."""

    _input: "CompiledLazyInput"

    def __init__(self, given: "CompiledLazyInput", drawn: Drawn) -> None:
        super().__init__(given, (), drawn.count)
        self._drawn = drawn

    def product(self, weight: Tensor) -> Tensor:
        """The rows times weight (D, H), graph by graph."""
        purpose, start, count = self._drawn.purpose, self._drawn.start, self._drawn.count
        places = [divmod(start + k, self._input.problem.sampler.views.count) for k in range(count)]
        parts = [self._input.products.of((purpose, sample), view, weight) for sample, view in places]
        return parts[0] if count == 1 else torch.cat(parts)

    def dense(self) -> Tensor:
        """The rows themselves."""
        return self._input.features(self._drawn.purpose, self._drawn.start, self._drawn.count)


class CompiledLazyInput(LazyInput):
    """The same on the CPU, where compiled kernels draw positions and multiply them at once, for all views of a sample."""

    def __init__(self, problem: Problem, device: Device | None = None) -> None:
        super().__init__(problem, device)
        self.products = FirstProducts(problem)

    def fork(self) -> "CompiledLazyInput":
        """The same with buffers of its own."""
        twin = CompiledLazyInput(self.problem)
        twin.densified, twin.products = self.densified, self.products.fork()
        return twin

    def bytes_of_products(self) -> int:
        """See `LazyInput.bytes_of_products`; those of all views, and one to hand out."""
        return (self.problem.sampler.views.count + 1) * 4 * self.problem.nodes * self.products.columns

    def settle(self) -> None:
        """See `FirstProducts.settle`."""
        self.products.settle()

    def _rows(self, purpose: int, places: list[Place]) -> tuple[Tensor, ...]:
        self.products.keep({(purpose, sample) for sample, _ in places})
        return ()

    def _x(self, drawn: Drawn) -> Tensor:
        return LazyFeatures(_MultipliedRows(self, drawn), Memory(IDENTITY), drawn.count * self.problem.nodes)


def lazy_input(problem: Problem, device: Device) -> LazyInput:
    """Lazy features for a model on a device."""
    return SentLazyInput(problem, device) if device.far else CompiledLazyInput(problem, device)


class LazyPath(GenericPath):
    """Any module in float32, on any device; it is called as on the generic path, and its code runs in every call."""

    name = "lazy"
    _input: LazyInput

    def __init__(self, problem: Problem, model: nn.Module, device: Device | None = None) -> None:
        super().__init__(problem, model, lazy_input(problem, device or Device(Call(model).device)))

    @property
    def densified(self) -> tuple[str, ...]:  # type: ignore[override]
        """The operations that needed the dense matrix so far."""
        return tuple(self._input.densified)

    def _bytes_of_a_call(self) -> int:
        if self._input.densified:
            return super()._bytes_of_a_call()
        each = call_bytes(self.problem, self.model)
        return self.unit * (each.edges + each.narrow) + self._input.bytes_of_products()

    def over(self, problem: Problem) -> "LazyPath":
        """See `GraphPath.over`; its first products are learnt from the samples of `agrees_with_torch`."""
        other = LazyPath(problem, self._untouched)
        other.agrees_with_torch()
        return other

    def agrees_with_torch(self) -> bool:
        """As on every path; then it keeps what it learnt."""
        agrees = super().agrees_with_torch()
        self._input.settle()
        return agrees
