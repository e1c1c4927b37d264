"""From a path to votes: pilot and final samples, counted in threads, shard by shard, resumable.

Kernels and torch release the interpreter lock, and integer counts add up in any order.
"""

import copy
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from hashlib import sha256
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from llvmlite.binding import get_host_cpu_name
from torch import nn

from graphcert._version import __version__
from graphcert.certificates.until import described
from graphcert.core.arguments import whole
from graphcert.core.arrays import Integers, Mask, to_json
from graphcert.core.progress import done_before, progress_bar
from graphcert.models.base import single_torch_thread
from graphcert.models.checkpoint import model_fingerprint
from graphcert.noise import Scheme
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.votes import Scores, Votes, mean_score_labels, rival_slots, smallest_margins
from graphcert.voting.callable_contents import held_by
from graphcert.voting.looks import Schedule, members_identity
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path
from graphcert.voting.shard_store import ShardStore
from graphcert.voting.vote_sums import ClassScoreTally, LabelScoreTally, Sums, VoteTally, added, no_votes

if TYPE_CHECKING:
    from tqdm import tqdm

LOG = logging.getLogger(__name__)

Tick = Callable[[int], object]
Range = tuple[int, int]
"""The samples from the first number up to the second, without it."""


class Counting(Protocol):
    """Who counts votes: the threads of a `Counter`, or the workers of a cluster (`graphcert.voting.crew.Crew`)."""

    def counted(
        self, purpose: int, ranges: Sequence[Range], tick: Tick, tally: Callable[[], VoteTally]
    ) -> Iterator[tuple[Range, Sums]]:
        """Each range once, in any order, with what tallies count in its samples; `tick(n)` is called after n samples."""

    def only(self, members: Integers) -> "Counting":
        """The same counting, in which only these nodes vote."""


def batch_of(path: Path, batch: int | None) -> int:
    """How many samples a thread takes at a time: so many as were asked for, or whole units of about 16."""
    return whole("batch_size", -(-16 // path.unit) * path.unit if batch is None else batch, 1)


class Counter:
    """Counts the votes of sample ranges with a fixed crew of threads.

    Every thread computes with one torch thread: two OpenMP teams on the same processors slow each other down by an
    order of magnitude. Counts depend neither on the number of `workers` nor on `batch`, the samples that a thread takes at
    a time (default: about 16).
    """

    def __init__(self, path: Path, workers: int, batch: int | None = None) -> None:
        self.batch = batch_of(path, batch)
        self.paths = [path, *(path.fork() for _ in range(whole("workers", workers, 1) - 1))]

    def counted(
        self, purpose: int, ranges: Sequence[Range], tick: Tick, tally: Callable[[], VoteTally]
    ) -> Iterator[tuple[Range, Sums]]:
        """See `Counting.counted`; one range after the other."""
        return ((ends, self.count(purpose, *ends, tick, tally)) for ends in ranges)

    def only(self, members: Integers) -> "Counter":
        """See `Counting.only`."""
        first = self.paths[0].only(members)
        return self.over([first, *(first.fork() for _ in self.paths[1:])])

    def over(self, paths: Sequence[Path]) -> "Counter":
        """The same counting by other paths, one per thread."""
        twin = copy.copy(self)
        twin.paths = [*paths]
        return twin

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


def shards(samples: int, size: int, start: int = 0) -> Iterator[Range]:
    """Consecutive ranges of `size` samples from `start` on; the last may be shorter."""
    return ((first, min(first + size, samples)) for first in range(start, samples, size))


def shard_size(nodes: int) -> int:
    """Samples per shard where nobody says how many: 1,000, and fewer on graphs whose samples take long."""
    return max(1, min(1000, 10**8 // nodes))


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
    shard_samples: int | None = None, progress: bool | str = False, plans: Sequence[str] = (),
    schedule: Schedule | None = None, crew: Counting | None = None,
) -> Votes:  # fmt: skip
    """Count what `path` says about the N nodes of `problem`; `identity` is everything that determines the votes.

    With a `schedule` nodes stop at its looks, the last of which is after `samples`, and there are no scores. A `progress`
    that is a text names the bar; a `crew` counts in place of threads. The other arguments are those of `sample_votes`, and
    so are the errors.
    """
    identity = identity | ({"scores": True} if scores else {})
    folder = None if store is None else FilePath(store)
    counter = crew or Counter(path, processors() if workers is None else workers, batch_size)
    shape, title = (problem.nodes, path.classes), progress if isinstance(progress, str) else "voting"
    with progress_bar(pilot_samples + samples, "samples", title, progress) as bar:
        run = partial(counted_sums, counter, shard_samples or shard_size(problem.nodes), bar, folder, tuple(plans))
        if schedule is not None:
            pilot = run("pilot", pilot_samples, identity, partial(no_votes, *shape))
            law = problem.sampler.smoothing, problem.sampler.total_variation

            def votes(start: int, stop: int, members: Mask | None) -> Integers:
                return run("main", stop, identity, partial(no_votes, *shape), start, members)["counts"]

            final = {"counts": schedule.take(votes, pilot["counts"], *law)}
        elif scores:
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
    manifest |= {} if schedule is None else {"until": described(schedule.until, problem.nodes)}
    return Votes(
        *counts, sampler.smoothing, total_variation=sampler.total_variation, manifest=manifest,
        scores=Scores(pilot_sums=pilot["class_sums"], **final) if scores else None,
        looks=None if schedule is None else schedule.looks,
        independent=True,  # other addresses of the generator
    )  # fmt: skip


def counted_sums(
    counter: Counting, shard: int, bar: "tqdm[Any]", folder: FilePath | None, plans: tuple[str, ...],
    purpose: str, samples: int, identity: dict[str, Any], tally: Callable[[], VoteTally], first: int = 0,
    members: Mask | None = None,
) -> Sums:  # fmt: skip
    """All sums of one purpose over the samples from `first` on, from the store in `folder` where it has them.

    `shard` is the number of samples per shard, and `bar` shows how many there are; the rest is as in `take_votes`.
    """
    store = None if folder is None else ShardStore(folder, identity | members_identity(members), plans)
    counter = counter if members is None else counter.only(np.flatnonzero(members))
    total, missing = tally().sums, []
    there = store.names() if store else set()
    for ends in shards(samples, shard, first):
        sums = store.read(purpose, *ends, total, members) if store and store.name(purpose, *ends) in there else None
        if sums is None:
            missing.append(ends)
            continue
        done_before(bar, ends[1] - ends[0])
        total = added(total, sums)
    LOG.debug("%s samples %s to %s: %s shards are to be taken", purpose, f"{first:,}", f"{samples:,}", len(missing))
    for ends, sums in counter.counted(PURPOSES[purpose], missing, bar.update, tally):
        if store:
            store.write(purpose, *ends, sums)
        total = added(total, sums)
    return total
