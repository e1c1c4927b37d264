"""From samples to votes about one input: batches of its noisy versions."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from graphcert.core.arrays import Integers
from graphcert.errors import ModelError
from graphcert.models.base import Floats, single_torch_thread
from graphcert.outputs.inputs import OneInput
from graphcert.outputs.output_model import OutputModel
from graphcert.sampling.philox import CHECK
from graphcert.voting.cache_detection import Input, Pair, copied, refuse_memory
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.model_checks import NAN_LOGITS
from graphcert.voting.noisy_graph import Problem, lookalikes
from graphcert.voting.paths import Path

_CLOSE = 1e-4
"""How far logits may differ, relative to the largest, where they should differ by rounding alone."""


class OutputPath(Path):
    """A classifier of inputs, in evaluation mode, on noisy versions of one of them.

    They are evaluated in batches of `unit` at fixed places (multiples of `unit`), whatever range is asked for: sums may
    round differently in batches of another size.
    """

    name = "output"

    def __init__(self, problem: Problem, given: OneInput, model: OutputModel) -> None:
        self.unit, self._device, self._carried = model.batch, model.device, problem.carried.names
        self.model = copied(model)
        self._take(problem, given)
        with single_torch_thread():
            self.classes = int(self._batch(CHECK, 0).shape[1])
            self._inspect(model)

    @property
    def outputs(self) -> int:
        """One label for the whole input."""
        return 1

    def on(self, problem: Problem, given: OneInput) -> "OutputPath":
        """The same model on another input; nothing of this path is copied, so use one of both at a time."""
        twin = copy.copy(self)
        twin._take(problem, given)
        return twin

    def _take(self, problem: Problem, given: OneInput) -> None:
        self.problem, self._given, self._input = problem, given, GenericInput(problem)
        self.members = [np.zeros(1, np.int64)]

    def fork(self) -> "OutputPath":
        """A path with its own copy of the model."""
        twin = copy.copy(self)
        twin.model, twin._input = copied(self.model), self._input.fork()
        return twin

    def _batch(self, purpose: int, first: int) -> Floats:
        """(unit, K) logits of the samples first … first + unit − 1."""
        return self._call(tuple(part.numpy() for part in self._input.union(purpose, first, self.unit)), self.unit)

    def _call(self, given: Input, count: int, model: nn.Module | None = None) -> Floats:
        """(count, K) logits of so many inputs: x (count · R, D), edge_index and what edges carry; x alone for arrays."""
        x, *edges = (torch.from_numpy(part).to(self._device, copy=True) for part in given)
        with torch.inference_mode():
            if self._given.shape:
                found = (model or self.model)(self._given.shown(x.reshape(count, -1, x.shape[-1])))
            else:
                extras = dict(zip(self._carried, edges[1:], strict=True))
                found = (model or self.model)(x, edges[0], count, **extras)
        logits: Floats = found.cpu().contiguous().numpy()
        return logits

    def shown(self, purpose: int, start: int, stop: int) -> Iterator[tuple[Integers, Floats]]:
        """Batch by batch; noisy inputs of a batch that belong to other samples are left out."""
        for first in range(start - start % self.unit, stop, self.unit):
            logits = self._batch(purpose, first)
            if logits.shape[1] != self.classes:
                raise ModelError(
                    f"the model has {self.classes} classes for one input and {logits.shape[1]} for another"
                )
            own = logits[max(start - first, 0) : stop - first]
            yield np.zeros(len(own), np.int64), own

    def _inspect(self, untouched: OutputModel) -> None:
        """Raise `ModelError` for whatever would make votes mean something else than they say."""
        expected = self._batch(CHECK, 0)
        if np.isnan(expected).any():
            raise ModelError(NAN_LOGITS)
        if not self._same(expected, self._batch(CHECK, 0)):
            raise ModelError("the model gives different outputs for identical inputs; remove what is random in it")
        refuse_memory(untouched, lambda model, given: self._call(given, 1, model).copy(), self._pairs(), "inputs")
        if self.unit > 1:
            several = [tuple(part.numpy() for part in self._input.union(CHECK, k, 1)) for k in range(self.unit)]
            alone = np.concatenate([self._call(one, 1) for one in several])
            if not _close(expected, alone):
                raise ModelError("the inputs of a batch influence each other; use OutputModel(…, batch=1)")

    def _pairs(self) -> list[Pair]:
        """Inputs that a cache would confuse: noisy versions, and shorter ones where the shape allows them."""
        if not self._given.shape:
            return lookalikes(self.problem)
        one, two = (self._input.union(CHECK, k, 1)[0].numpy() for k in (0, 1))
        return [((two,), (one,))]

    def _same(self, one: Floats, two: Floats) -> bool:
        """Bit for bit on a processor; accelerators may add in any order."""
        return np.array_equal(one, two) if self._device.type == "cpu" else _close(one, two)


def _close(one: Floats, two: Floats) -> bool:
    """Whether logits differ by rounding alone; infinite ones must be equal."""
    scale = np.abs(two[np.isfinite(two)]).max(initial=0)
    return bool(one.shape == two.shape and np.allclose(one, two, rtol=0, atol=_CLOSE * scale))
