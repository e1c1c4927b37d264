"""Votes on disk while they are being taken: shards that are whole or absent, so that a killed run can go on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, VotesError
from graphcert.sealed import read_sealed, write_sealed


class ShardStore:
    """A folder of shards, one file per range of samples, each with a checksum and the identity of what made it.

    A shard that is missing or damaged is simply taken again: the same samples give the same votes. A shard that is
    intact but was made by another model, data set, smoothing or seed is an error, never mixed in and never overwritten.

    Args:
        folder: created if absent.
        identity: everything that determines the votes, as JSON values.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder = folder
        self.identity = json.loads(json.dumps(identity, sort_keys=True))

    def _file(self, purpose: str, start: int, stop: int) -> Path:
        return self.folder / f"{purpose}-{start:09d}-{stop:09d}.npz"

    def write(self, purpose: str, start: int, stop: int, counts: NDArray[np.int64]) -> None:
        """Store the counts (N, K) of the samples start … stop − 1, atomically."""
        description = {"identity": self.identity, "purpose": purpose, "start": start, "stop": stop}
        write_sealed(self._file(purpose, start, stop), description, {"counts": counts.astype(np.int32)})

    def read(self, purpose: str, start: int, stop: int) -> NDArray[np.int64] | None:
        """The stored counts, or None if they have to be taken (again).

        Raises:
            VotesError: if the shard belongs to other votes than this run's.
        """
        path = self._file(purpose, start, stop)
        if not path.is_file():
            return None
        try:
            description, arrays = read_sealed(path, "shard of votes", ("counts",))
        except DataError:
            return None
        found = description.get("identity")
        if found != self.identity:
            found = found if isinstance(found, dict) else {}
            differing = sorted(k for k in {*self.identity, *found} if self.identity.get(k) != found.get(k))
            raise VotesError(
                f"{self.folder} holds votes of another run (different: {', '.join(differing)}); "
                f"choose another output folder or delete that one"
            )
        if tuple(description.get(key) for key in ("purpose", "start", "stop")) != (purpose, start, stop):
            return None
        counts = arrays["counts"].astype(np.int64)
        return counts if counts.ndim == 2 and bool((counts.sum(axis=1) == stop - start).all()) else None
