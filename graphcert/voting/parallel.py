"""Voting in threads: kernels and torch release the interpreter lock, and integer counts add up in any order."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import reduce

import numpy as np

from graphcert.errors import InputError
from graphcert.models.threads import single_torch_thread
from graphcert.voting.paths import Path
from graphcert.voting.tally import Sums, Tally, added

Tick = Callable[[int], object]


def default_workers() -> int:
    """One thread per processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Counter:
    """Counts the votes of sample ranges with a fixed crew of threads.

    Every thread computes with one torch thread: two OpenMP teams on the same processors slow each other down by an
    order of magnitude.

    Args:
        path: how one sample becomes votes.
        workers: number of threads; the counts do not depend on it.
        batch: samples a thread takes at a time (default: about 16); the counts do not depend on it.

    Raises:
        InputError: unless both are whole numbers of at least 1.
    """

    def __init__(self, path: Path, workers: int, batch: int | None = None) -> None:
        batch = -(-16 // path.unit) * path.unit if batch is None else batch
        for name, value in (("workers", workers), ("batch_size", batch)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.paths = [path, *(path.fork() for _ in range(workers - 1))]
        self.batch = batch

    def count(self, purpose: int, start: int, stop: int, tick: Tick, tally: Callable[[], Tally]) -> Sums:
        """What tallies count in the samples start … stop − 1, added up; `tick(n)` is called after every n samples.

        Args:
            tally: makes the empty tally of a thread.
        """
        # Batches end at multiples of their size, wherever the range begins: a unit is then computed by one thread only.
        starts = iter([start, *range(start - start % self.batch + self.batch, stop, self.batch)])
        lock, failed = threading.Lock(), threading.Event()

        def work(path: Path) -> Sums:
            mine = tally()
            for first in _take(starts, lock):
                if failed.is_set():
                    break
                last = min(first - first % self.batch + self.batch, stop)
                try:
                    path.add_to(mine, purpose, first, last)
                except BaseException:
                    failed.set()
                    raise
                tick(last - first)
            return mine.sums

        if len(self.paths) == 1:
            with single_torch_thread():
                return work(self.paths[0])
        # New threads inherit the number of torch threads from here.
        with single_torch_thread(), ThreadPoolExecutor(len(self.paths)) as pool:
            futures = [pool.submit(work, path) for path in self.paths]
            try:
                return reduce(added, (future.result() for future in futures))
            except BaseException:  # an interrupt must not wait for the whole shard
                failed.set()
                raise


def _take(starts: Iterator[int], lock: threading.Lock) -> Iterator[int]:
    """Hand out the next start to whichever thread asks."""
    while True:
        with lock:
            first = next(starts, None)
        if first is None:
            return
        yield first


def shards(samples: int, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of `size` samples; the last may be shorter."""
    return ((first, min(first + size, samples)) for first in range(0, samples, size))
