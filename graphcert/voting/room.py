"""The memory that voting may take, and the number of threads for which it suffices."""

import numpy as np
from torch import nn

from graphcert.core.arguments import whole
from graphcert.core.memory import free_memory, memory_bytes, written
from graphcert.errors import InputError
from graphcert.models.base import single_torch_thread
from graphcert.votes import BINS, number_of_slots
from graphcert.voting.counting import processors
from graphcert.voting.footprint import arrays_in, call_bytes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GraphPath


class Room:
    """So many bytes for voting, the graph, the model and the votes included; without a number, all that is free.

    What Python, torch and this package take themselves, some 400 MiB, is not part of it. `workers` are the threads that are
    wanted, one per processor if it is None. Several `processes` on this machine hold the graph and the model each; bytes
    that are allowed are those of one.
    """

    def __init__(self, memory: str | int | None = None, workers: int | None = None, processes: int = 1) -> None:
        self._limit = None if memory is None else memory_bytes("memory", memory)
        self._processes = processes
        self._workers = processors() if workers is None else whole("workers", workers, 1)

    def refuse_large(self, problem: Problem, module: nn.Module) -> None:
        """Raise `InputError` if a model in evaluation mode could not even be tried, before anything large is made."""
        call = call_bytes(problem, module)
        # Other graphs show whether the model remembers: four with all nodes and two with half of them; one more is answered.
        self._refuse(sum(arrays_in(problem, module).values()), 6 * (call.x + call.edges) + call.inside)

    def threads(self, path: GraphPath, scores: bool = False) -> int:
        """How many of the wanted threads fit, at least one.

        Raises:
            InputError: if one does not fit, or as many processes do not.
        """
        with single_torch_thread():
            shared, each = path.bytes_taken()
        tally = _tally_bytes(path.problem.nodes, path.classes, scores)
        shared, each = shared + 2 * tally, each + tally
        self._refuse(shared, each)
        if self._processes > 1 and self._processes * (shared + each) > free_memory():
            raise InputError(
                f"{self._processes} processes would take about {written(self._processes * (shared + each))} of memory, but "
                f"{written(free_memory())} is free; take fewer of them, or threads, which share the graph and the model"
            )
        return max(1, min(self._workers, self._beyond(shared) // each))

    def of_a_pass(self, problem: Problem) -> int:
        """What `Problem.room` should be: half of what each of the wanted threads has, within reason."""
        half = self._beyond(sum(arrays_in(problem).values())) // (2 * self._workers * self._processes)
        return int(np.clip(half, 2**26, 2**31))

    def _beyond(self, held: int) -> int:
        """Bytes left beside what is held."""
        return free_memory() if self._limit is None else self._limit - held

    def _refuse(self, held: int, more: int) -> None:
        if more > self._beyond(held):
            allowed = "is free" if self._limit is None else "is allowed"
            have = free_memory() if self._limit is None else self._limit
            needed = more if self._limit is None else held + more
            raise InputError(
                f"voting in one thread would take about {written(needed)} of memory, but {written(have)} {allowed}; give it "
                f"more (memory=… or --memory), take a smaller graph, or a model that keeps features sparse "
                f"(docs/choosing.md, which path takes the votes)"
            )


def _tally_bytes(nodes: int, classes: int, scores: bool) -> int:
    """Of what one thread counts."""
    histograms = BINS * (8 + 4 * number_of_slots(nodes, classes)) + 16 if scores else 0
    return nodes * (8 * classes + histograms)
