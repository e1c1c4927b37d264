"""Shards of votes: whole, of one origin, complete, and together the votes of the run."""

import re
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphcert.core.arrays import read_sealed
from graphcert.errors import VotesError
from graphcert.verification import Finding
from graphcert.votes import smallest_margins
from graphcert.voting.counting import shards
from graphcert.voting.shard_store import DIMENSIONS
from graphcert.voting.vote_sums import Sums, added

_NAME = re.compile(r"(?:.*/)?(pilot|main)-(\d{9})-(\d{9})\.npz")
SHARD_SAMPLES = 1000
"""Samples per shard in runs."""


class Shard(NamedTuple):
    """A shard of a run: the samples start … stop − 1 of one purpose."""

    name: str
    purpose: str
    start: int
    stop: int

    @classmethod
    def of(cls, name: str) -> "Shard":
        """The shard in a file of this name."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise VotesError(f"{name} is no name of a shard of votes; remove it")
        return cls(name, found[1], int(found[2]), int(found[3]))

    @property
    def range(self) -> tuple[str, int, int]:
        """Purpose and samples."""
        return self.purpose, self.start, self.stop

    def read(self, folder: Path) -> tuple[dict[str, Any], Sums]:
        """Description and sums, whose seal is checked; `DataError` if they are damaged or cannot be sums."""
        description, arrays = read_sealed(folder / self.name, "shard of votes", None)
        sums: Sums = {name: array.astype(np.int64) for name, array in arrays.items()}
        samples = self.stop - self.start
        for name, array in sums.items():
            if array.min(initial=0) < 0:
                raise VotesError(f"{name} holds a number below 0")
            if name in DIMENSIONS and (array.ndim != DIMENSIONS[name] or (array.sum(axis=1) != samples).any()):
                raise VotesError(f"{name} does not add up to {samples:,} samples")
        return description, sums


def tiles(purposes: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """Purpose and samples of the shards that a run of so many samples per purpose takes."""
    return [(purpose, *ends) for purpose, total in purposes.items() for ends in shards(total, SHARD_SAMPLES)]


def check_shards(
    folder: Path, found: Iterable[Shard], identities: Mapping[str, Any], purposes: Mapping[str, int],
    earlier: Iterable[Mapping[str, int]] = (), plans: Iterable[str | None] = (None,),
) -> Generator[Finding, None, dict[str, Sums]]:  # fmt: skip
    """Shards of one set of votes; the answer are the sums per purpose of those that this run takes.

    Args:
        folder: of the run.
        found: the shards in it.
        identities: per purpose everything that determined the votes, as every shard must say it.
        purposes: samples per purpose.
        earlier: the same for earlier plans of the run, whose shards may lie there too.
        plans: the plans that a shard of final votes may have been taken under, None for none.
    """
    listed = {shard.range: shard for shard in found}
    wanted, admitted = tiles(purposes), {tile for one in (purposes, *earlier) for tile in tiles(one)}
    allowed, totals = set(plans), dict[str, Sums]()
    for place, shard in sorted(listed.items()):
        if place not in admitted:
            yield Finding("contradiction", shard.name, "no plan of this run takes a shard of these samples")
            continue
        description, sums = shard.read(folder)
        known = {
            "identity": identities[shard.purpose],
            "purpose": shard.purpose,
            "start": shard.start,
            "stop": shard.stop,
        }
        # Pilot votes choose labels and bound nothing, so they are taken under no plan.
        if description.pop("plan", None) not in (allowed if shard.purpose == "main" else {None}):
            yield Finding("contradiction", shard.name, "it was taken under a plan that this run does not have")
        for name in sorted({*known, *description}):
            if description.get(name) != known.get(name):
                yield Finding("contradiction", shard.name, _difference(name, description.get(name), known.get(name)))
        if place in wanted:
            totals[shard.purpose] = added(totals[shard.purpose], sums) if shard.purpose in totals else sums
    for purpose, start, stop in sorted(set(wanted) - set(listed)):
        name = f"{purpose}-{start:09d}-{stop:09d}.npz"
        yield Finding("contradiction", name, "this shard of the votes is missing")
    return totals


def _difference(name: str, stated: Any, known: Any) -> str:
    """What a shard says otherwise than the votes of the run."""
    if isinstance(stated, dict) and isinstance(known, dict):
        keys = sorted(key for key in {*stated, *known} if stated.get(key) != known.get(key))
        return f"its votes are of another run: {', '.join(map(str, keys))[:100]} differ"
    return f"it states another {name} than its name or its run"


def same_sums(found: Mapping[str, Sums], stored: Mapping[str, Sums]) -> list[str]:
    """Names of the stored arrays, per purpose, that are not the sums of the shards."""
    differing = []
    for purpose, arrays in stored.items():
        sums = dict(found.get(purpose, {}))
        if "margins" in sums:
            sums["margins"] = smallest_margins(sums["margins"])
        names = sorted({*arrays, *sums})
        differing += [
            f"{purpose} {name}" for name in names
            if name not in sums or name not in arrays or not np.array_equal(sums[name], arrays[name])
        ]  # fmt: skip
    return differing
