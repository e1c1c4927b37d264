"""Votes: the only thing that is kept of the sampling, and all that a certificate needs."""

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import DataError, VotesError
from graphcert.files import atomic_write
from graphcert.noise import Smoothing

Counts = NDArray[np.int64]

_FORMAT = 1

_UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What NumPy and zipfile raise on files that are truncated, altered or of another kind."""


@dataclass(frozen=True, eq=False)
class Votes:
    """How often each node was given each class under noise: the pilot votes choose the label, the others bound it.

    The arrays are copied and read-only. Pilot and main samples must be independent of each other, and the samples of a
    node independent and identically distributed (theory section 10). Votes with the same digest are equal.

    Attributes:
        pilot_counts: (N, K) integers; every row sums to the number of pilot samples.
        counts: (N, K) integers; every row sums to the number of samples.
        smoothing: the scheme under which the votes were taken.
        total_variation: bound on the distance, for one sample, between the law that was sampled and the law of
            `smoothing`; certificates charge it to the adversary.
        manifest: provenance (seed, versions, hashes of data and model), as JSON values.

    Raises:
        VotesError: if the counts contradict themselves or each other.
    """

    pilot_counts: Counts
    counts: Counts
    smoothing: Smoothing
    total_variation: float = field(default=0.0, kw_only=True)
    manifest: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        for name in ("pilot_counts", "counts"):
            object.__setattr__(self, name, _read_only_counts(name, getattr(self, name)))
        if self.pilot_counts.shape != self.counts.shape:
            raise VotesError(
                f"pilot_counts and counts must agree on nodes and classes, got the shapes "
                f"{self.pilot_counts.shape} and {self.counts.shape}"
            )
        if not isinstance(self.smoothing, Smoothing):
            raise VotesError(f"votes need the Smoothing they were taken under, got {self.smoothing!r}")
        if not 0 <= self.total_variation < 1:
            raise VotesError(f"total_variation must lie in [0, 1), got {self.total_variation!r}")
        object.__setattr__(self, "total_variation", float(self.total_variation))
        try:
            object.__setattr__(self, "manifest", json.loads(_to_json(dict(self.manifest))))
        except (TypeError, ValueError) as error:
            raise VotesError(f"the manifest of votes must hold JSON values only: {error}") from None

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return int(self.counts.shape[0])

    @property
    def classes(self) -> int:
        """Number of classes K."""
        return int(self.counts.shape[1])

    @property
    def pilot_samples(self) -> int:
        """Number of pilot samples."""
        return int(self.pilot_counts[0].sum())

    @property
    def samples(self) -> int:
        """Number of samples that bound the probabilities."""
        return int(self.counts[0].sum())

    @cached_property
    def labels(self) -> Counts:
        """(N,) class with most pilot votes; the smallest class among equals."""
        return _frozen(self.pilot_counts.argmax(axis=1).astype(np.int64))

    @cached_property
    def successes(self) -> Counts:
        """(N,) votes, out of `samples`, for the label that the pilot chose."""
        return _frozen(np.take_along_axis(self.counts, self.labels[:, None], axis=1)[:, 0])

    @cached_property
    def digest(self) -> str:
        """Sha256 of counts, smoothing and total variation; the manifest is not part of it."""
        return _sha256(self._description(), self.pilot_counts, self.counts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Votes) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one .npz file, atomically and durably; equal votes and manifests give equal bytes."""
        description = self._description(manifest=self.manifest)
        checksum = _sha256(description, self.pilot_counts, self.counts)
        text, seal = np.array(description), np.array(checksum)
        try:
            with atomic_write(Path(path)) as file:
                np.savez(file, description=text, pilot_counts=self.pilot_counts, counts=self.counts, sha256=seal)
        except OSError as error:
            raise DataError(f"the votes cannot be written to {path}: {error.strerror or error}") from None

    @classmethod
    def load(cls, path: str | os.PathLike[str], smoothing: Smoothing | None = None) -> "Votes":
        """Read votes back, verifying their checksum; nothing in the file is ever unpickled.

        Args:
            path: a file written by `save`.
            smoothing: the scheme the caller believes in, checked against the stored one if given.

        Raises:
            DataError: if the file is missing, truncated, altered or not a votes file.
            VotesError: if the votes claim another smoothing than `smoothing`.
        """
        members = _read_members(Path(path))
        expected = members["sha256"].item()
        found = _sha256(members["description"].item(), members["pilot_counts"], members["counts"])
        if found != expected:
            raise DataError(f"the votes in {path} were altered: expected sha256 {expected}, found {found}")
        try:
            description = json.loads(members["description"].item())
            if description["format"] != _FORMAT:
                raise DataError(f"{path} has format {description['format']} of votes; this version reads {_FORMAT}")
            votes = cls(
                members["pilot_counts"],
                members["counts"],
                Smoothing.from_dict(description["smoothing"]),
                total_variation=description["total_variation"],
                manifest=description["manifest"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is not a file of votes: {error}") from None
        if smoothing is not None and smoothing != votes.smoothing:
            raise VotesError(f"{path} holds votes that do not match the smoothing: they claim {votes.smoothing}")
        return votes

    def _description(self, **more: Any) -> str:
        return _to_json(
            {
                "format": _FORMAT,
                "smoothing": self.smoothing.to_dict(),
                "total_variation": self.total_variation,
                **more,
            }
        )


def _read_only_counts(name: str, counts: ArrayLike) -> Counts:
    """Copy and check one array of counts."""
    array = np.asarray(counts)
    if array.ndim != 2 or array.shape[0] < 1 or array.shape[1] < 2:
        raise VotesError(f"{name} must have the shape (nodes ≥ 1, classes ≥ 2), got {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise VotesError(f"{name} must hold integers, got {array.dtype}")
    if array.min() < 0:
        raise VotesError(f"{name} must not be negative, got {array.min()}")
    if array.max() > 2**53 // array.shape[1]:
        raise VotesError(f"{name} counts more samples than anyone has drawn: {array.max()}")
    copy = np.array(array, dtype=np.int64, order="C")
    totals = copy.sum(axis=1)
    if totals.min() != totals.max():
        raise VotesError(f"every node needs the same number of votes, but {name} has {totals.min()} to {totals.max()}")
    if totals[0] < 1:
        raise VotesError(f"{name} holds no votes; take at least one sample")
    return _frozen(copy)


def _frozen(array: Counts) -> Counts:
    array.flags.writeable = False
    return array


def _to_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)


def _sha256(description: str, *arrays: Counts) -> str:
    """One checksum over a description and the shapes and values of arrays."""
    digest = sha256(description.encode())
    for array in arrays:
        digest.update(f"\n{array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, dtype="<i8").data)
    return digest.hexdigest()


def _read_members(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a votes file, or `DataError` where the file cannot be one."""
    try:
        # NumPy leaves a file open that it fails to understand, so it is given an open one.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            members = {name: archive[name] for name in ("description", "pilot_counts", "counts", "sha256")}
    except FileNotFoundError:
        raise DataError(f"there are no votes at {path}; write them with Votes.save or `graphcert sample`") from None
    except _UNREADABLE as error:
        raise DataError(f"{path} is not a complete file of votes ({error}); sample again or restore it") from None
    texts, counts = (members["description"], members["sha256"]), (members["pilot_counts"], members["counts"])
    if any(t.dtype.kind != "U" or t.ndim for t in texts) or any(c.dtype.kind not in "iu" for c in counts):
        raise DataError(f"{path} is not a file of votes: its members have the wrong types")
    return members
