"""A few votes to plan with: how fast a model votes, and about how. They are never part of a claim."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from graphcert.core.arguments import whole
from graphcert.core.arrays import Integers
from graphcert.noise import Law, Scheme
from graphcert.sampling.philox import PLAN
from graphcert.voting.counting import Counter
from graphcert.voting.room import Room
from graphcert.voting.sample import chosen_path, problem_of
from graphcert.voting.vote_sums import no_votes


@dataclass(frozen=True, eq=False)
class Trial:
    """What a few samples tell.

    Attributes:
        counts: (N, K) votes; every row sums to the number of samples.
        seconds: per sample, by all workers together, without what is done once before voting.
        path: name of the path of the votes.
        workers: number of threads.
        smoothing, total_variation: as in `Votes`.
    """

    counts: Integers
    seconds: float
    path: str
    workers: int
    smoothing: Scheme
    total_variation: float


def trial_votes(
    model: Callable[..., Any], data: Any, smoothing: Scheme | Law, samples: int, seed: int = 0, *,
    call: str | None = None, output: int | str | None = None, path: str = "auto", ignore: str | Sequence[str] = (),
    workers: int | None = None,
) -> Trial:  # fmt: skip
    """Take at least so many votes, at places of the random stream that `sample_votes` never reads, and time them.

    The first samples, in which kernels are compiled, count as votes but not in the time. Arguments and errors are those of
    `sample_votes`.
    """
    module, problem, _ = problem_of(model, data, smoothing, seed, call, output, ignore)
    room = Room(None, workers)
    with chosen_path(problem, module, path, room) as chosen:
        workers = room.threads(chosen)
        # Whole unions, and as many as there are threads: parts of a union would be computed for nothing.
        unit = chosen.unit
        share = -(-whole("pilot", samples, 1) // (2 * workers * unit)) * unit
        counter = Counter(chosen, workers, min(share, max(unit, 16)))
        half, shape = share * workers, (problem.nodes, chosen.classes)
        counts = np.zeros(shape, np.int64)
        for start in (0, half):
            began = time.perf_counter()
            sums = counter.count(PLAN, start, start + half, lambda _: None, partial(no_votes, *shape))
            seconds = time.perf_counter() - began
            counts += sums["counts"]
    sampler = problem.sampler
    return Trial(counts, seconds / half, chosen.name, workers, sampler.smoothing, sampler.total_variation)
