"""From a path to votes: pilot and final samples, counted in threads, shard by shard, resumable.

Kernels and torch release the interpreter lock, and integer counts add up in any order.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import torch
from llvmlite.binding import get_host_cpu_name
from torch import nn
from tqdm import tqdm

from graphcert._version import __version__
from graphcert.core.arguments import whole
from graphcert.core.arrays import to_json
from graphcert.models.base import single_torch_thread
from graphcert.models.checkpoint import model_fingerprint
from graphcert.noise import Scheme
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.votes import Scores, Votes, mean_score_labels
from graphcert.voting.paths import Path
from graphcert.voting.shard_store import ShardStore
from graphcert.voting.vote_sums import ClassScoreTally, LabelScoreTally, Sums, Tally, VoteTally, added

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
        self.batch = whole("batch_size", batch, 1)
        self.paths = [path, *(path.fork() for _ in range(whole("workers", workers, 1) - 1))]

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


STREAMS = 1
"""Version of the map from (seed, sample) to noise; votes of different versions are never mixed."""


def identity_of(model: nn.Module, data: str, smoothing: Scheme, seed: int, path: str) -> dict[str, Any]:
    """Everything that determines the votes; `data` is the fingerprint of what is classified."""
    return {
        "graphcert": __version__,
        "streams": STREAMS,
        "torch": torch.__version__,
        "processor": get_host_cpu_name(),  # vector sums may round differently on another one
        "seed": int(seed),
        "path": path,
        "smoothing": sha256(to_json(smoothing.to_dict()).encode()).hexdigest(),
        "data": data,
        "model": model_fingerprint(model),
    }


def take_votes(
    path: Path,
    nodes: int,
    smoothing: Scheme,
    total_variation: float,
    identity: dict[str, Any],
    samples: int,
    pilot_samples: int,
    *,
    scores: bool = False,
    workers: int | None = None,
    batch_size: int | None = None,
    store: str | os.PathLike[str] | None = None,
    shard_samples: int = 1000,
    progress: bool | str = False,
) -> Votes:
    """Count what `path` says about its N outputs.

    Args:
        path: how a sample becomes votes.
        nodes: N.
        smoothing, total_variation: what the votes carry.
        identity: everything that determines them; their manifest.
        progress: show a bar with rate and remaining time; a text names it.

    The other arguments are those of `sample_votes`.

    Raises:
        InputError: for workers or batch_size outside their domain.
        VotesError: if `store` holds votes of another run.
    """
    identity = identity | ({"scores": True} if scores else {})
    folder = None if store is None else FilePath(store)
    counter = Counter(path, default_workers() if workers is None else workers, batch_size)
    shape, title = (nodes, path.classes), progress if isinstance(progress, str) else "voting"
    with tqdm(total=pilot_samples + samples, unit=" samples", disable=not progress, desc=title) as bar:
        run = partial(_count, counter, shard_samples, bar, folder)
        if scores:
            pilot = run("pilot", pilot_samples, identity, partial(ClassScoreTally, *shape))
            labels = mean_score_labels(pilot["class_sums"])
            # Whose score was added up depends on the pilot, so these shards belong to its labels.
            labelled = identity | {"labels": sha256(labels.tobytes()).hexdigest()}
            final = run("main", samples, labelled, partial(LabelScoreTally, *shape, labels))
        else:
            pilot, final = (
                run(purpose, number, identity, lambda: VoteTally(np.zeros(shape, np.int64)))
                for purpose, number in (("pilot", pilot_samples), ("main", samples))
            )
    return Votes(
        pilot.pop("counts"),
        final.pop("counts"),
        smoothing,
        total_variation=total_variation,
        scores=Scores(pilot_sums=pilot["class_sums"], **final) if scores else None,
        manifest=identity,
        independent=True,  # other addresses of the generator
    )


def _count(
    counter: Counter,
    shard: int,
    bar: "tqdm[Any]",
    folder: FilePath | None,
    purpose: str,
    samples: int,
    identity: dict[str, Any],
    tally: Callable[[], Tally],
) -> Sums:
    """All sums of one purpose, from the store in `folder` where it has them."""
    store = None if folder is None else ShardStore(folder, identity)
    total: Sums | None = None
    for start, stop in shards(samples, shard):
        sums = store.read(purpose, start, stop, tally().sums) if store else None
        if sums is None:
            sums = counter.count({"pilot": PILOT, "main": MAIN}[purpose], start, stop, bar.update, tally)
            if store:
                store.write(purpose, start, stop, sums)
        else:
            # Votes taken earlier must not count towards the rate.
            if not bar.disable:
                bar.initial += stop - start
            bar.update(stop - start)
        total = sums if total is None else added(total, sums)
    assert total is not None
    return total
