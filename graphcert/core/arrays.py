"""Sealed array files: integer arrays and a JSON description under one checksum; nothing in them is ever unpickled."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.archives import Archive
from graphcert.core.features import Features, are_bits, entries, row_blocks
from graphcert.core.files import atomic_write
from graphcert.core.reading import damage_refused, open_regular, parse_json
from graphcert.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

_SPARE = 2**30
"""Sealed files are written uncompressed. If one was compressed since, it may unpack to so many bytes more than it has."""


def read_only(array: Integers) -> Integers:
    """The same array, which can no longer be written."""
    array.flags.writeable = False
    return array


def to_json(value: Mapping[str, Any]) -> str:
    """Canonical JSON: equal values give equal text; NaN is refused."""
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)


def seal(description: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """sha256 over a description and the names, types, shapes and values of integer arrays."""
    digest = sha256(description.encode())
    for name, array in arrays.items():
        digest.update(f"\n{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, dtype="<i8").data)
    return digest.hexdigest()


FINGERPRINT = {"features": slice(0, 24), "edges": slice(24, 48), "labels": slice(48, 64)}
"""The digits of a graph's fingerprint that name each part of it."""


NO_EDGES = "0" * 24
"""Stands in a fingerprint where edges are no part of what is classified, as in images."""


EDGE_VALUES = ("edge_weight", "edge_attr")
"""What edges of a graph can carry, in the order in which a model is shown it."""


def graph_fingerprint(
    features: Features, edges: NDArray[Any] | None, labels: NDArray[Any] | None,
    values: Mapping[str, NDArray[Any]] | None = None,
) -> str:  # fmt: skip
    """64 hexadecimal digits that name a graph: the beginnings of three sha256, see `FINGERPRINT`.

    Args:
        features: (N, D) finite numbers, which enter as float32, or as bits if all of them are 0 or 1; dense or sparse.
        edges: (2, E) every undirected edge in both directions, or every directed edge, in any order; None for `NO_EDGES`.
        labels: (N,) integers, or None.
        values: per name of `EDGE_VALUES` (E, …) what the edges carry, which enters as float32.
    """
    nodes = features.shape[0]
    second = NO_EDGES
    if edges is not None:
        keys = edges[0].astype(np.int64) * nodes + edges[1]
        order = np.argsort(keys)
        digest = sha256(f"edges {nodes}\n".encode() + keys[order].astype("<i8").tobytes())
        for name, carried in sorted((values or {}).items()):
            digest.update(f"{name} {carried.shape}\n".encode() + (carried[order].astype("<f4") + 0.0).tobytes())
        second = digest.hexdigest()
    third = sha256(b"no labels" if labels is None else b"labels\n" + labels.astype("<i8").tobytes())
    return _digits_of_features(features)[:24] + second[:24] + third.hexdigest()[:16]


def _digits_of_features(features: Features) -> str:
    """sha256 of features, whatever their layout, read in blocks of whole bytes of bits."""
    bits = are_bits(entries(features).astype(np.float32, copy=False))
    digest = sha256(f"features {features.shape}\n{'bits' if bits else 'float32'}\n".encode())
    for block in row_blocks(features):
        numbers = block.astype("<f4") + 0.0  # no negative zeros
        digest.update((np.packbits(numbers != 0) if bits else numbers.astype("<f4")).tobytes())
    return digest.hexdigest()


def write_sealed(path: Path, description: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write atomically and durably; equal content gives equal bytes."""
    text = to_json(description)
    with atomic_write(path) as stream:
        np.savez(stream, description=np.array(text), sha256=np.array(seal(text, arrays)), **arrays)  # type: ignore[arg-type]


def read_sealed(
    path: Path, kind: str, names: tuple[str, ...] | None, remedy: str = "make it again or restore it"
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the description and the named integer arrays, verifying the checksum.

    Args:
        kind: what it should be and `remedy`, what to do if it is not: words for the errors.
        names: the arrays to read; None for all that there are.
    """
    try:
        with damage_refused(f"{path} is not a complete {kind}", remedy):
            return _read(path, kind, names)
    except FileNotFoundError:
        raise DataError(f"there is no {kind} at {path}; {remedy}") from None


def _read(path: Path, kind: str, names: tuple[str, ...] | None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    with open_regular(path) as file:
        try:
            archive = Archive(file, os.fstat(file.fileno()).st_size + _SPARE)
            text, expected = archive.array("description"), archive.array("sha256")
            found = (name.removesuffix(".npy") for name in archive.names)
            wanted = names or [name for name in found if name not in ("description", "sha256")]
            arrays = {name: archive.array(name) for name in wanted}
        except DataError as error:
            raise DataError(f"{path} is not a complete {kind} or too large: {error}") from None
    if any(t.dtype.kind != "U" or t.ndim for t in (text, expected)) or any(
        # A number beyond 2^63 would become another one, under the same seal.
        a.dtype.kind not in "iu" or a.dtype == np.uint64
        for a in arrays.values()
    ):
        raise DataError(f"{path} is not a {kind}: its members have the wrong types")
    sealed = seal(text.item(), arrays)
    if sealed != expected.item():
        raise DataError(f"{path} was altered: expected sha256 {expected.item()!s:.64}, found {sealed}")
    description = parse_json(text.item())
    if not isinstance(description, dict):
        raise DataError(f"{path} is not a {kind}: its description is not a JSON object")
    return description, arrays
