"""Votes by the workers of a dask cluster.

The process that the user started, the coordinator, alone reads and writes the store of shards. A task counts a part of a
shard. Sums of whole numbers come out the same whoever counts them, in whatever order, and however often a worker dies.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from functools import cached_property
from itertools import islice, pairwise
from threading import Lock
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from torch import nn

from graphcert.core.arrays import Integers
from graphcert.errors import GraphcertError, InputError, ModelError, UnsupportedError
from graphcert.voting.cluster import answers, client_of, told_deaths, words
from graphcert.voting.counting import Counter, Range, Tick, batch_of
from graphcert.voting.model_call import Call
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path
from graphcert.voting.vote_sums import Sums, VoteTally, added

Build = Callable[[Problem, nn.Module, dict[str, Any]], tuple[Path, dict[str, Any]]]
"""From a graph, a model and the identity of votes to the path that takes them, and the identity that it has here."""

_PARTS = 8
"""Parts per worker that samples are cut into, so that none waits long for the others at the end."""
_AHEAD = 3
"""Tasks per worker that are given out at a time: none waits for the next one, and answers do not pile up."""
_ROUNDS = 4
"""How often the model is sent out and nothing comes back, because all workers that have it die."""
_ALONE = Lock()
"""Tasks of one process vote one after the other: the path and its scratch memory are the same for all of them."""


class Voter:
    """What a worker needs to take votes; the path is built once per process, when it is asked for.

    The content travels as bytes of its own, so that what cannot be read is told in a sentence.
    """

    def __init__(self, build: Build, path: Path, module: nn.Module, identity: dict[str, Any]) -> None:
        from distributed.protocol.pickle import dumps

        try:
            self.content: bytes = dumps((build, path.problem, module, identity))
        except Exception as error:
            raise ModelError(
                f"the model cannot be sent to other processes ({words(error)}); leave the scheduler out"
            ) from None

    _last: tuple[Integers, Path] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self.content}

    @cached_property
    def path(self) -> Path:
        """The path, in this process; raises `UnsupportedError` where its votes would not be those of the coordinator."""
        from distributed import get_worker
        from distributed.protocol.pickle import loads

        try:
            build, problem, module, identity = loads(self.content)
        except Exception as error:
            raise ModelError(
                f"a worker cannot load the model ({words(error)}); its code must be found by the workers too, for example "
                f"through PYTHONPATH"
            ) from None
        if Call(module).device.type == "cuda":
            module.to(own_gpu(get_worker().name, torch.cuda.device_count()))
        path: Path
        path, mine = build(problem, module, identity)
        differing = [name for name in mine if mine[name] != identity.get(name)]
        if differing:
            told = "; ".join(f"{name}: {identity.get(name)!s:.40} here, {mine[name]!s:.40} there" for name in differing)
            raise UnsupportedError(
                f"a worker would take other votes than this process ({told}); take workers with the same processor, "
                f"versions and code"
            )
        return path

    def only(self, members: Integers | None) -> Path:
        """The path on which these nodes vote, all if None; the last one is kept."""
        if members is None:
            return self.path
        if self._last is None or not np.array_equal(self._last[0], members):
            self._last = members, self.path.only(members)
        return self._last[1]


def own_gpu(worker: object, count: int) -> torch.device:
    """Of the GPUs that a worker sees, the one that is its own: local workers are numbered, others see one only."""
    return torch.device("cuda", worker % count if isinstance(worker, int) and count else 0)


def _count(
    voter: Voter,
    tally: Callable[[], VoteTally],
    members: Integers | None,
    purpose: int,
    start: int,
    stop: int,
    batch: int,
) -> Sums | GraphcertError:
    """What a worker answers: sums, or the sentence that says why there are none, which another attempt would not change."""
    with _ALONE:
        try:
            return Counter(voter.only(members), 1, batch).count(purpose, start, stop, lambda _: None, tally)
        except GraphcertError as error:
            return error


class Crew:
    """The workers of a scheduler as a `Counting`; see `crew_of`."""

    def __init__(self, client: Any, scheduler: str, voter: Voter, batch: int) -> None:
        self._client, self._scheduler, self._voter, self._batch = client, scheduler, voter, batch
        self._futures: dict[int, tuple[Any, object]] = {}
        self._members: Integers | None = None

    def only(self, members: Integers) -> "Crew":
        """See `Counting.only`."""
        twin = copy.copy(self)
        twin._members = members
        return twin

    def counted(
        self, purpose: int, ranges: Sequence[Range], tick: Tick, tally: Callable[[], VoteTally]
    ) -> Iterator[tuple[Range, Sums]]:
        """See `Counting.counted`; ranges are cut into parts, and come when all of their parts are there."""
        if not ranges:
            return
        share = -(-sum(stop - start for start, stop in ranges) // (_PARTS * self._workers()))
        size = -(-max(share, 1) // self._batch) * self._batch
        whole = {part: ends for ends in ranges for part in parts_of(*ends, size)}
        missing, sums = {ends: set(parts_of(*ends, size)) for ends in ranges}, dict[Range, Sums]()
        for part, found in self._delivered(purpose, list(whole), tally):
            ends = whole[part]
            missing[ends].remove(part)
            sums[ends] = added(sums[ends], found) if ends in sums else found
            tick(part[1] - part[0])
            if not missing[ends]:
                yield ends, sums.pop(ends)

    def _delivered(
        self, purpose: int, parts: Sequence[Range], tally: Callable[[], VoteTally]
    ) -> Iterator[tuple[Range, Sums]]:
        """Every part once. What was sent is lost if all who have it die, and so are the tasks; then it is sent again."""
        missing, vain = dict.fromkeys(parts), 0
        while missing and vain < _ROUNDS:
            before = len(missing)
            if sent := self._all_sent(self._voter, tally, self._members):
                for part, sums in self._round(purpose, list(missing), *sent):
                    del missing[part]
                    yield part, sums
            vain = 0 if len(missing) < before else vain + 1
            if missing:
                self._futures.clear()
        if missing:
            raise InputError("the workers die again and again before they have counted anything; look at what they log")

    def _all_sent(self, *contents: object) -> list[Any]:
        """The contents as all workers have them; none if a worker died meanwhile. Without workers it waits for one."""
        with told_deaths(self._client, self._scheduler):
            try:
                self._client.wait_for_workers(1)
                return [self._sent(content) for content in contents]
            except OSError:
                if not answers(self._client):
                    raise
                return []

    def _sent(self, content: object) -> Any:
        """The content under a name of its own: others may use the same scheduler, and an old name may be about to go."""
        if id(content) not in self._futures:
            name = f"graphcert-{uuid4().hex}"
            self._futures[id(content)] = self._client.scatter({name: content}, broadcast=True)[name], content
        return self._futures[id(content)][0]

    def _round(
        self, purpose: int, parts: Sequence[Range], voter: Any, tally: Any, members: Any
    ) -> Iterator[tuple[Range, Sums]]:
        """Those of the parts that come."""
        from distributed import as_completed

        waiting, tasks, coming = iter(parts), dict[Any, Range](), as_completed(loop=self._client.loop)

        def submit(number: int) -> None:
            for part in islice(waiting, number):
                key = f"{tally.key}-{members.key}-{purpose}-{part[0]}-{part[1]}"
                task = self._client.submit(
                    _count, voter, tally, members, purpose, *part, self._batch, key=key, retries=2
                )
                tasks[task] = part
                coming.add(task)

        with told_deaths(self._client, self._scheduler):
            submit(_AHEAD * self._workers())
            for task in coming:
                part = tasks.pop(task)
                submit(max(0, _AHEAD * self._workers() - len(tasks)))
                try:
                    answer = task.result()
                except CancelledError:
                    if not answers(self._client):
                        raise
                    continue  # what it needs, or its answer, died with the workers that had it
                if isinstance(answer, GraphcertError):
                    raise answer
                yield part, answer

    def _workers(self) -> int:
        """How many workers there are at this moment, at least one; each computes one task at a time."""
        with told_deaths(self._client, self._scheduler):
            return max(1, len(self._client.nthreads()))


def parts_of(start: int, stop: int, size: int) -> Iterator[Range]:
    """A range of samples, cut at the multiples of a size."""
    cuts = [start, *range(start - start % size + size, stop, size), stop]
    return pairwise(cuts)


@contextmanager
def crew_of(
    scheduler: str | None, build: Build, path: Path, module: nn.Module, identity: dict[str, Any], batch: int | None
) -> Iterator[Crew | None]:
    """Those who take votes in place of threads, if there is a scheduler."""
    if scheduler is None:
        yield None
        return
    voter = Voter(build, path, module, identity)
    with client_of(scheduler) as client:
        yield Crew(client, scheduler, voter, batch_of(path, batch))
