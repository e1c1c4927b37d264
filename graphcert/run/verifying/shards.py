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
from graphcert.voting.counting import shards
from graphcert.voting.looks import members_identity
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

    def voters(self, folder: Path) -> Mask | None:
        """(N,) who votes in the shard, by its own counts; None if all nodes do."""
        _, arrays = read_sealed(folder / self.name, "shard of votes", None)
        found = np.asarray(arrays["counts"].sum(axis=1) > 0)
        return None if found.all() else found

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


def tiles(ends: Ends) -> list[tuple[str, int, int]]:
    """Purpose and samples of the shards that a run takes; no shard goes beyond a look."""
    return [
        (purpose, *part)
        for purpose, looks in ends.items()
        for start, stop in pairwise((0, *looks))
        for part in shards(stop, SHARD_SAMPLES, start)
    ]


def check_shards(
    folder: Path, found: Iterable[Shard], identities: Mapping[str, Any], purposes: Ends,
    earlier: Iterable[Ends] = (), plans: Iterable[str | None] = (None,),
    members: Callable[[Shard], Mask | None] = lambda _: None,
) -> Generator[Finding, None, dict[str, Sums]]:  # fmt: skip
    """Shards of one set of votes; the answer are the sums per purpose of those that this run takes.

    Args:
        folder: of the run.
        found: the shards in it.
        identities: per purpose everything that determined the votes, as every shard must say it.
        purposes: per purpose the samples, or all looks that were reached.
        earlier: the same for earlier plans of the run, whose shards may lie there too.
        plans: the plans that a shard of final votes may have been taken under, None for none.
        members: who votes in a shard (N,), by everything but the shard; None if all nodes do.
    """
    listed = {shard.range: shard for shard in found}
    wanted, admitted = tiles(purposes), {tile for one in (purposes, *earlier) for tile in tiles(one)}
    allowed, totals = set(plans), dict[str, Sums]()
    for place, shard in sorted(listed.items()):
        if place not in admitted:
            yield Finding("contradiction", shard.name, "no plan of this run takes a shard of these samples")
            continue
        voters = members(shard)
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
