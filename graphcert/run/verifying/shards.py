"""Shards of votes: whole, of one origin, complete, and together the votes of the run."""

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphcert.core.arrays import Mask, read_sealed
from graphcert.errors import VotesError
from graphcert.verification import Finding
from graphcert.votes import smallest_margins
from graphcert.voting.counting import shard_size, shards
from graphcert.voting.looks import members_identity, members_mark
from graphcert.voting.shard_store import DIMENSIONS, shard_name
from graphcert.voting.vote_sums import Sums, added

_NAME = re.compile(r"(?:.*/)?(pilot|main)-(\d{9})-(\d{9})(?:-([0-9a-f]{16}))?\.npz")


class Shard(NamedTuple):
    """A shard of a run: the samples start … stop − 1 of one purpose, and the mark of who votes (`members_mark`)."""

    name: str
    purpose: str
    start: int
    stop: int
    mark: str = ""

    @classmethod
    def of(cls, name: str) -> "Shard":
        """The shard in a file of this name."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise VotesError(f"{name} is no name of a shard of votes; remove it")
        return cls(name, found[1], int(found[2]), int(found[3]), found[4] or "")

    @property
    def range(self) -> tuple[str, int, int]:
        """Purpose and samples."""
        return self.purpose, self.start, self.stop

    def voters(self, folder: Path) -> Mask | None:
        """(N,) who votes in the shard, by its own counts; None if its name says that all nodes do."""
        if not self.mark:
            return None
        _, arrays = read_sealed(folder / self.name, "shard of votes", None)
        return np.asarray(arrays["counts"].sum(axis=1) > 0)

    def read(self, folder: Path, members: Mask | None = None) -> tuple[dict[str, Any], Sums]:
        """Description and sums, whose seal is checked; `DataError` if they are damaged or cannot be sums.

        Of nodes that are no `members` (N,) there must be no votes; None for all nodes.
        """
        description, arrays = read_sealed(folder / self.name, "shard of votes", None)
        sums: Sums = {name: array.astype(np.int64) for name, array in arrays.items()}
        samples = self.stop - self.start
        wanted: Any = samples if members is None else samples * members
        for name, array in sums.items():
            if array.min(initial=0) < 0:
                raise VotesError(f"{name} holds a number below 0")
            if name in DIMENSIONS and (array.ndim != DIMENSIONS[name] or not np.all(wanted == array.sum(axis=1).T)):
                raise VotesError(f"{name} does not add up to {samples:,} samples")
        return description, sums


Ends = Mapping[str, Sequence[int]]
"""Per purpose the numbers of samples at which nodes could stop, ascending; only the last one without looks."""


def planned_ends(plan: Mapping[str, Any]) -> Ends:
    """The numbers of samples of a plan."""
    looks = plan.get("looks")
    return {"pilot": [plan["pilot_samples"]], "main": [plan["samples"]] if looks is None else looks["ends"]}


def tiles(ends: Ends, nodes: int) -> list[tuple[str, int, int]]:
    """Purpose and samples of the shards that a run takes; no shard goes beyond a look."""
    return [
        (purpose, *part)
        for purpose, looks in ends.items()
        for start, stop in pairwise((0, *looks))
        for part in shards(stop, shard_size(nodes), start)
    ]


Taken = Mapping[tuple[str, int, int], str]
"""The shards that votes are the sum of: purpose and samples, and the mark in the name."""


def taken(purposes: Ends, nodes: int, members: Callable[[int], Mask | None]) -> Taken:
    """The shards that votes with these looks take; see `check_shards`."""
    return {place: members_mark(members(place[1]) if place[0] == "main" else None) for place in tiles(purposes, nodes)}


def voters_in(shard: Shard, folder: Path, wanted: Taken, members: Callable[[int], Mask | None]) -> Mask | None:
    """(N,) who votes in a shard: by the votes, or, if they do not take it, by itself; None for all nodes."""
    mine = shard.purpose == "main" and wanted.get(shard.range) == shard.mark
    return members(shard.start) if mine else shard.voters(folder)


def check_shards(
    folder: Path, found: Iterable[Shard], identities: Mapping[str, Any], purposes: Ends, nodes: int,
    earlier: Iterable[Ends] = (), plans: Iterable[str | None] = (None,),
    members: Callable[[int], Mask | None] = lambda _: None,
) -> Generator[Finding, None, dict[str, Sums]]:  # fmt: skip
    """Shards of one set of votes; the answer are the sums per purpose of those that this run takes.

    Args:
        folder: of the run.
        found: the shards in it.
        identities: per purpose everything that determined the votes, as every shard must say it.
        purposes: per purpose the samples, or all looks that were reached.
        nodes: N.
        earlier: the same for all plans of the run, whose shards may lie there too.
        plans: the plans that a shard of final votes may have been taken under, None for none.
        members: who votes (N,) in final samples from this one on, by the votes; None if all nodes do.
    """
    there = sorted(found, key=lambda shard: (*shard.range, shard.mark))
    wanted = taken(purposes, nodes, members)
    admitted = {tile for one in (purposes, *earlier) for tile in tiles(one, nodes)}
    allowed, totals = set(plans), dict[str, Sums]()
    for shard in there:
        place = shard.range
        if place not in admitted:
            yield Finding("contradiction", shard.name, "no plan of this run takes a shard of these samples")
            continue
        mine = wanted.get(place) == shard.mark
        voters = voters_in(shard, folder, wanted, members)
        if not mine and shard.mark != members_mark(voters):
            yield Finding("contradiction", shard.name, "its name is not that of those who vote in it")
        description, sums = shard.read(folder, voters)
        known = {
            "identity": identities[shard.purpose] | members_identity(voters),
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
        if mine:
            totals[shard.purpose] = added(totals[shard.purpose], sums) if shard.purpose in totals else sums
    for place, mark in sorted(wanted.items() - {(shard.range, shard.mark) for shard in there}):
        yield Finding("contradiction", shard_name(*place, mark), "this shard of the votes is missing")
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
