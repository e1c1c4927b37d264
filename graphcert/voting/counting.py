"""From a path to votes: pilot and final samples, counted in threads, shard by shard, resumable.

Kernels and torch release the interpreter lock, and integer counts add up in any order.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Any

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
from graphcert.votes import Scores, Votes, mean_score_labels, rival_slots, smallest_margins
from graphcert.voting.callable_contents import held_by
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path
from graphcert.voting.shard_store import ShardStore
from graphcert.voting.vote_sums import ClassScoreTally, LabelScoreTally, Sums, VoteTally, added, no_votes

Tick = Callable[[int], object]


class Counter:
    """Counts the votes of sample ranges with a fixed crew of threads.

    Every thread computes with one torch thread: two OpenMP teams on the same processors slow each other down by an
    order of magnitude. Counts depend neither on the number of `workers` nor on `batch`, the samples that a thread takes at
    a time (default: about 16).
    """

    def __init__(self, path: Path, workers: int, batch: int | None = None) -> None:
        batch = -(-16 // path.unit) * path.unit if batch is None else batch
        self.batch = whole("batch_size", batch, 1)
        self.paths = [path, *(path.fork() for _ in range(whole("workers", workers, 1) - 1))]

    def count(self, purpose: int, start: int, stop: int, tick: Tick, tally: Callable[[], VoteTally]) -> Sums:
        """What tallies count in the samples start … stop − 1, added up; `tick(n)` is called after every n samples."""
        # Batches end at multiples of their size, wherever the range begins: a unit is then computed by one thread only.
        starts = iter([start, *range(start - start % self.batch + self.batch, stop, self.batch)])
        lock, failed = threading.Lock(), threading.Event()

        def work(path: Path) -> Sums:
            mine = tally()
            while not failed.is_set():
                with lock:
                    first = next(starts, None)
                if first is None:
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


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shards(samples: int, size: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of `size` samples; the last may be shorter."""
    return ((first, min(first + size, samples)) for first in range(0, samples, size))


PURPOSES = {"pilot": PILOT, "main": MAIN}
"""Where in the random stream the samples of each kind of shard are."""

STREAMS = 1
"""Version of the map from (seed, sample) to noise; votes of different versions are never mixed."""


def identity_of(model: nn.Module, data: str, smoothing: Scheme, seed: int, path: str) -> dict[str, Any]:
    """Everything that determines the votes; `data` is the fingerprint of what is classified."""
    held = held_by(model)
    return {
        "graphcert": __version__, "streams": STREAMS, "torch": torch.__version__,
        "processor": get_host_cpu_name(),  # vector sums may round differently on another one
        "seed": int(seed), "path": path, "smoothing": sha256(to_json(smoothing.to_dict()).encode()).hexdigest(),
        "data": data, "model": model_fingerprint(model),
    } | ({"held": held} if held else {})  # fmt: skip


def take_votes(
    path: Path, problem: Problem, identity: dict[str, Any], samples: int, pilot_samples: int, *, scores: bool = False,
    workers: int | None = None, batch_size: int | None = None, store: str | os.PathLike[str] | None = None,
    shard_samples: int = 1000, progress: bool | str = False, plans: Sequence[str] = (),
) -> Votes:  # fmt: skip
    """Count what `path` says about the N nodes of `problem`; `identity` is everything that determines the votes.

    A `progress` that is a text names the bar. The other arguments are those of `sample_votes`, and so are the errors.
    """
    identity = identity | ({"scores": True} if scores else {})
    folder = None if store is None else FilePath(store)
    counter = Counter(path, processors() if workers is None else workers, batch_size)
    shape, title = (problem.nodes, path.classes), progress if isinstance(progress, str) else "voting"
    with tqdm(total=pilot_samples + samples, unit=" samples", disable=not progress, desc=title) as bar:
        run = partial(_count, counter, shard_samples, bar, folder, tuple(plans))
        if scores:
            pilot = run("pilot", pilot_samples, identity, partial(ClassScoreTally, *shape))
            labels = mean_score_labels(pilot["class_sums"])
            slots = rival_slots(pilot["class_sums"], labels)
            # Whose scores were added up depends on the pilot, so these shards belong to its labels and their rivals.
            labelled = identity | {"labels": sha256(slots.tobytes()).hexdigest()}
            final = run("main", samples, labelled, partial(LabelScoreTally, *shape, labels, slots))
            final["margins"] = smallest_margins(final["margins"])
        else:
            pilot, final = (
                run(purpose, number, identity, partial(no_votes, *shape))
                for purpose, number in (("pilot", pilot_samples), ("main", samples))
            )
    counts, sampler = (pilot.pop("counts"), final.pop("counts")), problem.sampler
    manifest = identity | ({"plan": plans[-1]} if plans else {})
    return Votes(
        *counts, sampler.smoothing, total_variation=sampler.total_variation, manifest=manifest,
        scores=Scores(pilot_sums=pilot["class_sums"], **final) if scores else None,
        independent=True,  # other addresses of the generator
    )  # fmt: skip


def _count(
    counter: Counter, shard: int, bar: "tqdm[Any]", folder: FilePath | None, plans: tuple[str, ...],
    purpose: str, samples: int, identity: dict[str, Any], tally: Callable[[], VoteTally],
) -> Sums:  # fmt: skip
    """All sums of one purpose, from the store in `folder` where it has them."""
    store = None if folder is None else ShardStore(folder, identity, plans)
    total: Sums | None = None
    for start, stop in shards(samples, shard):
        sums = store.read(purpose, start, stop, tally().sums) if store else None
        if sums is None:
            sums = counter.count(PURPOSES[purpose], start, stop, bar.update, tally)
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
