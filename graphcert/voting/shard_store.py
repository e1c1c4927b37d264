"""Votes on disk while they are being taken: shards that are whole or absent, so that a killed run can go on."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arrays import Mask, read_sealed, write_sealed
from graphcert.errors import DataError, VotesError
from graphcert.voting.vote_sums import Sums

KINDS = (("counts",), ("counts", "class_sums"), ("counts", "sums", "squares", "histogram", "margins"))
"""The arrays of a shard: votes alone, and votes with scores of pilot and of final samples."""

DIMENSIONS = {"counts": 2, "histogram": 2, "margins": 3}
"""Dimensions of the arrays that sum to the number of samples along their second axis."""


def shard_name(purpose: str, start: int, stop: int, mark: str = "") -> str:
    """The name of a shard, see `members_mark`."""
    return f"{purpose}-{start:09d}-{stop:09d}{mark and '-'}{mark}.npz"


class ShardStore:
    """A folder of shards, one file per range of samples, each with a checksum and the identity of what made it.

    A shard that is missing or damaged is simply taken again: the same samples give the same votes. A shard that is
    intact but was made by another model, data set, smoothing or seed, or with other sums, is an error, never mixed in and
    never overwritten. The `folder` is created if absent; `identity` is everything that determines the votes, as JSON values.
    `plans` are the sha256 of what was committed before the final votes: the last one is written into shards of final votes,
    and those found must name one of them, or none if there are none. Pilot votes bound nothing, so they need no plan.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any], plans: Sequence[str] = ()) -> None:
        self.folder, self.plans = folder, tuple(plans)
        self.identity = json.loads(json.dumps(identity, sort_keys=True))

    def name(self, purpose: str, start: int, stop: int) -> str:
        """The name of the file of one range of samples, with a mark of who votes in it if not all nodes do."""
        return shard_name(purpose, start, stop, str(self.identity.get("members", ""))[:16])

    def names(self) -> set[str]:
        """The names of all files that are there: millions of ranges are looked up in it faster than on disk."""
        return {path.name for path in self.folder.glob("*.npz")}

    def _file(self, purpose: str, start: int, stop: int) -> Path:
        return self.folder / self.name(purpose, start, stop)

    def write(self, purpose: str, start: int, stop: int, sums: Sums) -> None:
        """Store the sums over the samples start … stop − 1, atomically."""
        description = {"identity": self.identity, "purpose": purpose, "start": start, "stop": stop}
        if purpose == "main" and self.plans:
            description["plan"] = self.plans[-1]
        # The smallest sufficient type; the seal is that of the values.
        compact = {name: array.astype(_smallest(array)) for name, array in sums.items()}
        write_sealed(self._file(purpose, start, stop), description, compact)

    def read(
        self, purpose: str, start: int, stop: int, empty: Sums | None = None, members: Mask | None = None
    ) -> Sums | None:
        """The stored sums, or None if they have to be taken (again); raises `VotesError` if they are another run's.

        What is stored must have the names and shapes of `empty`, sums of no samples; None admits any. Of nodes that are no
        `members` (N,) there are no votes; None for all nodes.
        """
        path = self._file(purpose, start, stop)
        found = next(filter(None, (_intact(path, names) for names in KINDS)), None)
        if found is None:
            return None
        description, arrays = found
        identity = description.get("identity")
        if identity != self.identity:
            other = identity if isinstance(identity, dict) else {}
            differing = sorted(k for k in {*self.identity, *other} if self.identity.get(k) != other.get(k))
            raise VotesError(
                f"{self.folder} holds votes of another run (different: {', '.join(differing)}); "
                f"choose another output folder or delete that one"
            )
        if tuple(description.get(key) for key in ("purpose", "start", "stop")) != (purpose, start, stop):
            return None
        if purpose == "main" and description.get("plan") not in (self.plans or (None,)):
            raise VotesError(
                f"{path} was not taken under a plan of this run; restore the plan.json that was there when it was "
                f"taken, or choose another output folder"
            )
        sums = {name: array.astype(np.int64) for name, array in arrays.items()}
        shapes, wanted = ({k: part.shape for k, part in (given or {}).items()} for given in (sums, empty))
        if empty is not None and shapes != wanted:
            return None
        return sums if adds_up(sums, stop - start, members) else None


def _smallest(array: NDArray[np.signedinteger[Any]]) -> type[np.signedinteger[Any]]:
    """The smallest type that holds numbers ≥ 0."""
    largest = array.max()
    return np.int16 if largest < 2**15 else np.int32 if largest < 2**31 else np.int64


def adds_up(sums: Sums, samples: int, members: Mask | None = None) -> bool:
    """Whether these can be sums over so many samples, in which only `members` (N,) vote; None for all nodes."""
    wanted: Any = samples if members is None else samples * members
    counted = {name: dimensions for name, dimensions in DIMENSIONS.items() if name in sums}
    return all(array.min(initial=0) >= 0 for array in sums.values()) and all(
        sums[name].ndim == dimensions and bool(np.all(wanted == sums[name].sum(axis=1).T))
        for name, dimensions in counted.items()
    )


def _intact(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
    """The content of a shard if it holds exactly these arrays, undamaged."""
    try:
        return read_sealed(path, "shard of votes", names)
    except DataError:
        return None
