"""From samples to votes of the rows of an array, such as the pixels of an image, by a model that takes whole arrays."""

import copy
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch_geometric.data import Data

from graphcert.core.arrays import Integers, Mask
from graphcert.errors import ModelError, UnsupportedError
from graphcert.models.base import Floats, single_torch_thread
from graphcert.noise import Scheme
from graphcert.sampling.philox import CHECK
from graphcert.voting.cache_detection import Pair, copied, refuse_memory
from graphcert.voting.model_checks import (
    NAN_LOGITS,
    evaluation_mode,
    refuse_training_layers,
    refuse_unusable_parameters,
)
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path


@dataclass(frozen=True, eq=False)
class Part:
    """A box `outer` of an input and the rows (M,) in it that vote, `inside` it at the positions (M,), in order."""

    outer: tuple[slice, ...]
    members: Integers
    inside: Integers

    def only(self, votes: Mask) -> "Part":
        """The same box with those of its rows that vote (N,)."""
        voting = votes[self.members]
        return type(self)(self.outer, self.members[voting], self.inside[voting])

    @property
    def shape(self) -> tuple[int, ...]:
        """The sides of the box."""
        return tuple(side.stop - side.start for side in self.outer)


_CLOSE = 1e-4
"""How far logits may differ, relative to the largest, where they should differ by rounding alone."""


class InputPath(Path):
    """A model, in evaluation mode, on noisy inputs of `size` whose N rows, with C numbers each, vote.

    Inputs are evaluated in batches of `unit` at fixed places (multiples of `unit`), whatever range is asked for: sums may
    round differently in batches of another size. Every view is computed only in the parts that `_parts_of` names.

    A subclass says in `kind` what inputs are called, and how the model is called in `_logits`.
    """

    kind: str
    model: nn.Module

    def __init__(
        self, problem: Problem, size: tuple[int, ...], model: nn.Module, device: torch.device, unit: int
    ) -> None:
        self.problem, self.members, self.size, self.unit = problem, problem.members, size, unit
        self._device = device
        views = range(len(problem.members))
        self._every_part = [(view, part) for view in views for part in self._parts_of(view)]
        self._parts = self._every_part
        self._take_model(model)
        with single_torch_thread():
            self.classes = int(self._call(self._input(problem.x.numpy())).shape[-1])
            self._inspect(model)

    def _parts_of(self, view: int) -> Sequence[Part]:
        """What a view is computed in; whole inputs by default."""
        members = self.problem.members[view]
        return [Part(tuple(slice(0, side) for side in self.size), members, members)]

    @abstractmethod
    def _logits(self, model: nn.Module, given: Tensor) -> Tensor:
        """(B, *sides, C) inputs in memory that the model may write to → logits (B, *sides, K)."""

    def _prepare(self, model: nn.Module) -> None:
        """Change the layout of a copy of the model before it votes."""

    def _take_model(self, model: nn.Module) -> None:
        """A copy of the model, for it may keep scratch values on itself, and memory to write to."""
        self.model = copied(model)
        self._prepare(self.model)
        sampler = self.problem.sampler
        self._work = sampler.workspace()
        self._drawn = np.empty((len(self.problem.members), sampler.nodes, sampler.columns), np.float32)
        self._shown = [np.empty((self.unit, *part.shape, sampler.columns), np.float32) for _, part in self._parts]

    def fork(self) -> "InputPath":
        """A path with its own copy of the model."""
        twin = copy.copy(self)
        twin._take_model(self.model)
        return twin

    def only(self, nodes: NDArray[np.int64] | None) -> "InputPath":
        """See `Path.only`; parts in which nobody votes are left out, the others stay as they are."""
        twin = copy.copy(self)
        twin.members = self._voters(nodes)
        votes = np.isin(np.arange(self.problem.nodes), np.concatenate(twin.members))
        parts = [(view, part.only(votes)) for view, part in self._every_part]
        twin._parts = [(view, part) for view, part in parts if part.members.size]
        twin._take_model(self.model)
        return twin

    def _input(self, rows: Floats) -> Floats:
        """Rows (…, N, C) as one batch of inputs (B, *size, C)."""
        return rows.reshape(-1, *self.size, rows.shape[-1])

    def _draw(self, purpose: int, sample: int) -> Floats:
        """(V, *size, C) what all views show of one sample; valid until the next one."""
        self._drawn[...] = 0
        self.problem.sampler.fill_features_of_all_views(purpose, sample, self._work, self._drawn)
        return self._input(self._drawn)

    def _call(self, inputs: Floats, model: nn.Module | None = None) -> Floats:
        """(B, *sides, C) → logits (B, *sides, K); the inputs stay as they are, whatever the model does to its own."""
        with torch.inference_mode():
            given = torch.from_numpy(inputs).to(self._device, copy=True)
            logits: Floats = self._logits(model or self.model, given).cpu().contiguous().numpy()
        return logits

    def _batch(self, purpose: int, first: int) -> Iterator[tuple[Part, Floats]]:
        """(part, logits (unit, rows of its box, K)) of every view for the samples first … first + unit − 1."""
        for k in range(self.unit):
            views = self._draw(purpose, first + k)
            for (view, part), shown in zip(self._parts, self._shown, strict=True):
                shown[k] = views[view][part.outer]
        for (_, part), shown in zip(self._parts, self._shown, strict=True):
            yield part, self._call(shown).reshape(self.unit, -1, self.classes)

    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """Batch by batch; inputs of a batch that belong to other samples are left out."""
        for first in range(start - start % self.unit, stop, self.unit):
            for part, logits in self._batch(purpose, first):
                for own in logits[max(start - first, 0) : stop - first]:
                    yield part.members, own[part.inside]

    def _inspect(self, untouched: nn.Module) -> None:
        """Raise `ModelError` for whatever would make votes mean something else than they say."""
        noisy = self._noisy(0)
        expected = self._call(noisy)
        if np.isnan(expected).any():
            raise ModelError(NAN_LOGITS)
        if not self._same(expected, self._call(noisy)):
            raise ModelError(
                f"the model gives different outputs for identical {self.kind}; remove what is random in it"
            )
        other, rows = self._noisy(1), self.size[0] // 2
        pairs: list[Pair] = [((other,), (noisy,))]
        if rows:  # cut to about half their size, so that a model is asked about another shape in between
            pairs.append(((other[:, :rows].copy(),), (noisy[:, -rows:].copy(),)))
        refuse_memory(untouched, lambda model, given: self._call(given[0], model).copy(), pairs, self.kind)
        if self.unit > 1:
            several = np.concatenate([self._noisy(k) for k in range(self.unit)])
            alone = np.concatenate([self._call(one) for one in several[:, None]])
            if not logits_close(self._call(several), alone):
                raise ModelError(f"the {self.kind} of a batch influence each other; use batch=1")

    def _noisy(self, sample: int) -> Floats:
        """(1, *size, C) a noisy input that no vote uses, as the last view would show all of it."""
        return self._draw(CHECK, sample)[-1:].copy()

    def _same(self, one: Floats, two: Floats) -> bool:
        """Bit for bit on a processor; accelerators may add in any order."""
        return np.array_equal(one, two) if self._device.type == "cpu" else logits_close(one, two)


def logits_close(one: Floats, two: Floats) -> bool:
    """Whether logits differ by rounding alone; infinite ones must be equal."""
    scale = np.abs(two[np.isfinite(two)]).max(initial=0)
    return bool(one.shape == two.shape and np.allclose(one, two, rtol=0, atol=_CLOSE * scale))


def rows_problem(rows: Floats, smoothing: Scheme, seed: int, kind: str, instead: str = "") -> Problem:
    """Rows (N, C) as a graph without edges: no noise concerns edges, and the model does not see them.

    Raises:
        UnsupportedError: for noise of edges; `kind` says what has none, and `instead` what to do.
    """
    if smoothing.perturbs("edges"):
        raise UnsupportedError(f"{kind} have no edges to perturb; smooth their features only{instead}")
    x = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))
    return Problem.of(Data(x=x, edge_index=torch.empty(2, 0, dtype=torch.int64)), smoothing, seed)


@contextmanager
def ready_to_vote(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a model whose parameters are numbers and whose layers are not random; `ModelError` otherwise."""
    refuse_unusable_parameters(model)
    with evaluation_mode(model):
        refuse_training_layers(model)
        yield
