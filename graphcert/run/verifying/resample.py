"""Shards that the operating system's randomness picks are voted again, and compared bit for bit."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from graphcert.core.arrays import Mask
from graphcert.run.verifying.comparing import Found
from graphcert.run.verifying.shards import Shard
from graphcert.verification import Finding
from graphcert.voting.vote_sums import Sums

Thing = TypeVar("Thing")

MACHINE = ("graphcert", "torch", "processor")
"""What may differ between the machine that voted and this one; everything else that determines votes must not."""


def picked(shards: Sequence[Thing], count: int) -> list[Thing]:
    """So many different shards, all if there are fewer; nobody who made the run can know which."""
    return random.SystemRandom().sample(list(shards), min(count, len(shards)))


def check_picked(
    folder: Path,
    chosen: Iterable[Shard],
    vote: Callable[[Shard], Sums],
    stated: Mapping[str, Any],
    known: Mapping[str, Any],
    members: Callable[[Shard], Mask | None] = lambda _: None,
) -> Found:
    """Vote the chosen shards again by `vote`; the identities of the stored votes and of these say where each was made.

    `members` says who votes in a shard; None for all nodes.
    """
    elsewhere = [
        f"{name} {stated.get(name)} there, {known[name]} here" for name in MACHINE if stated.get(name) != known[name]
    ]
    for shard in chosen:
        _, sums = shard.read(folder, members(shard))
        again = vote(shard)
        differing = sorted(
            n for n in {*sums, *again} if n not in sums or n not in again or not np.array_equal(sums[n], again[n])
        )
        if not differing:
            yield Finding(
                "recomputed", shard.name, "voted again from the model and the data, it is the same bit for bit"
            )
        elif elsewhere:
            yield Finding(
                "contradiction", shard.name,
                f"voted again, it differs in {', '.join(differing)}; it was made elsewhere ({'; '.join(elsewhere)[:200]}), "
                "where sums may round otherwise, so this machine cannot confirm it: verify it on one like that",
            )  # fmt: skip
        else:
            yield Finding("contradiction", shard.name, f"voted again, it differs in {', '.join(differing)}")


def what_is_left(votes: str, total: int, count: int) -> Found:
    """What resampling some of the shards of `votes`, so many in all, leaves to belief."""
    if count == 0:
        yield Finding(
            "believed", votes, f"that the model gave these votes: none of the {total:,} shards was voted again"
        )
    elif count < total:
        unseen = 1 - count / total
        yield Finding(
            "believed", votes,
            f"the {total - count:,} shards that were not voted again: one forged shard of the {total:,} goes unseen with "
            f"probability {unseen:.3g}, and k of them with at most {unseen:.3g} to the power k",
        )  # fmt: skip
