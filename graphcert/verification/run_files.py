"""Files of a run as an independent reader finds them: strict JSON, sealed arrays, and the votes in plain arrays.

Nothing is unpickled, sizes are checked before memory is taken, and every seal is computed anew.
"""

import json
import math
import zipfile
from collections.abc import Mapping
from fractions import Fraction
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_BYTES = 2**31
"""No file of a run is larger; what is, is refused unread."""

_DEEPEST = 64
_HEADER = 2**14
_VOTES_FORMAT, _FORMAT_OF_INPUTS = 1, 2
_SCORES = ("pilot_sums", "sums", "squares", "histogram", "margins")


class StoredVotes(NamedTuple):
    """What a file of votes says.

    Attributes:
        pilot_counts, counts: (N, K) votes per node and class, of the pilot and of the final samples.
        scheme: the description of the smoothing scheme.
        total_variation: the stated distance between the law that was sampled and that of the scheme, for one sample.
        manifest: what is said about the origin of the votes.
        digest: sha256 of counts, scheme, total variation and scores, computed anew.
        has_scores: whether there are statistics of scores besides.
        independent: whether it is stated that pilot and final samples were drawn apart although all counts agree.
        looks: pairs of a number of samples, ascending, and its share of a node's level; a node stopped at one of them. None
            if every node has all samples.
        rows: (N,) how many rows each of N inputs has, the outputs being one label of each; None for the nodes of a graph.
    """

    pilot_counts: Integers
    counts: Integers
    scheme: dict[str, Any]
    total_variation: float
    manifest: dict[str, Any]
    digest: str
    has_scores: bool
    independent: bool = False
    looks: tuple[tuple[int, Fraction], ...] | None = None
    rows: Integers | None = None

    @property
    def samples(self) -> int:
        """The most final samples that a node can have."""
        return int(self.counts[0].sum()) if self.looks is None else self.looks[-1][0]


class PlainGraph(NamedTuple):
    """The graph that was voted on.

    Attributes:
        truth: (N,) the true class of every node.
        targets: (N,) the nodes that claims are about.
        ones: (N,) how many feature bits of every row are set; None if features are not bits.
        features: the number D of columns.
        edges: (2, E) every undirected edge in both directions, every directed one once.
    """

    truth: Integers
    targets: Mask
    ones: Integers | None
    features: int
    edges: Integers


def parse_strict(text: str) -> Any:
    """The value of a JSON text without NaN, infinities, numbers beyond floats, names twice in an object or deep nesting.

    Raises:
        DataError: if it is no such text.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name occurs twice in one object")
        return found

    def finite(digits: str) -> float:
        if not math.isfinite(number := float(digits)):
            raise ValueError(f"{digits:.40} is beyond all floats")
        return number

    def refused(word: str) -> Any:
        raise ValueError(f"{word} is no number")

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_float=finite, parse_constant=refused)
        _check_depth(value)
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is no strict JSON ({str(error)[:200]}); write the file again") from None
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEEPEST):
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, (dict, list))]
        if not (level := [one for several in inner for one in several]):
            return
    raise ValueError(f"it is nested more than {_DEEPEST} deep")


def read_bytes(path: Path) -> bytes:
    """The content of a regular file of at most `MOST_BYTES`; raises `DataError` for anything else."""
    try:
        if not path.is_file():
            raise DataError(f"there is no file {path}; make it again or restore it")
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is larger than any file of a run; make it again or restore it")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); make it again or restore it") from None


def read_json(path: Path) -> Any:
    """The value in a file of strict JSON; raises `DataError` if there is none."""
    try:
        return parse_strict(read_bytes(path).decode())
    except (UnicodeDecodeError, DataError) as error:
        raise DataError(f"{path}: {error}") from None


def read_sealed(path: Path) -> tuple[dict[str, Any], dict[str, Integers]]:
    """The description and the integer arrays of a sealed .npz file, in the order in which they stand.

    Raises:
        DataError: if the file is missing or damaged, holds anything but integers, or its seal is not that of its content.
    """
    content = read_bytes(path)
    try:
        members = _members(content)
        text, stated = (_text(members.pop(name)) for name in ("description", "sha256"))
        arrays = {name: _integers(data) for name, data in members.items()}
        description = parse_strict(text)
    except Exception as error:  # damaged archives raise exceptions of every kind
        raise DataError(f"{path} is no sealed file ({str(error)[:200]}); make it again or restore it") from None
    if not isinstance(description, dict):
        raise DataError(f"{path} is no sealed file, its description is not an object; make it again or restore it")
    if (found := sealed(text, arrays)) != stated:
        raise DataError(f"{path} was altered: its seal is {stated:.64}, its content has {found}; make it again")
    return description, arrays


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if len(set(names)) < len(names) or not all(name.endswith(".npy") for name in names):
            raise ValueError("a member is there twice or is no array")
        if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
            raise ValueError("a member is compressed or encrypted")
        if sum(info.file_size for info in infos) > len(content):
            raise ValueError("its members are said to be larger than the file")
        return {info.filename.removesuffix(".npy"): archive.read(info) for info in infos}


def _array(data: bytes) -> NDArray[Any]:
    stream = BytesIO(data)
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, in_columns, dtype = readers[version](stream, max_header_size=_HEADER)
    if dtype.kind not in "iuU" or len(data) - stream.tell() != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a member of type {dtype} does not have its size")
    flat = np.frombuffer(data, dtype, offset=stream.tell()) if math.prod(shape) else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if in_columns else "C")


def _text(data: bytes) -> str:
    array = _array(data)
    if array.dtype.kind != "U" or array.ndim:
        raise ValueError("its description or seal is no text")
    return str(array.item())


def _integers(data: bytes) -> Integers:
    array = _array(data)
    if array.dtype.kind not in "iu" or array.dtype == np.uint64:
        raise ValueError(f"it holds an array of {array.dtype}")
    return np.ascontiguousarray(array, dtype="<i8")


def sealed(text: str, arrays: Mapping[str, Integers]) -> str:
    """The seal: sha256 over a description and the names, shapes and values of integer arrays."""
    digest = sha256(text.encode())
    for name, array in arrays.items():
        digest.update(f"\n{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()


def canonical(value: Mapping[str, Any]) -> str:
    """The one JSON text of a value that is sealed."""
    return json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=False)


def read_votes(path: Path) -> StoredVotes:
    """The votes of a run, or of a shard in the same format.

    Raises:
        DataError: if the file is missing, altered, or no file of votes.
    """
    description, arrays = read_sealed(path)
    wrong = f"{path} is no file of votes; make it again or restore it"
    names = ("pilot_counts", "counts", *(_SCORES if "scores" in description else ()))
    scheme, manifest = description.get("smoothing"), description.get("manifest")
    distance, independent = description.get("total_variation"), description.get("independent", False)
    of_inputs = description.get("format") == _FORMAT_OF_INPUTS
    names += ("rows",) * of_inputs
    wanted = {"pilot_counts", "counts", *(("rows",) * of_inputs)}
    if description.get("format") not in (_VOTES_FORMAT, _FORMAT_OF_INPUTS) or not wanted <= set(arrays) <= set(names):
        raise DataError(wrong)
    if not isinstance(scheme, dict) or not isinstance(manifest, dict) or type(independent) is not bool:
        raise DataError(wrong)
    if not isinstance(distance, (int, float)) or not 0 <= distance < 1:
        raise DataError(f"{path} states a total variation of {distance!r:.40}, which is none; make it again")
    pilot, counts = arrays["pilot_counts"], arrays["counts"]
    if counts.ndim != 2 or counts.shape != pilot.shape or not counts.size or counts.shape[1] < 2:
        raise DataError(wrong)
    if min(counts.min(), pilot.min()) < 0 or max(counts.max(), pilot.max()) > 2**53 // counts.shape[1]:
        raise DataError(wrong)
    rows = arrays.get("rows")
    if rows is not None and (rows.shape != counts.shape[:1] or rows.min() < 1):
        raise DataError(wrong)
    kept = ("format", "smoothing", "total_variation", "scores", "looks")
    digest = sealed(canonical({name: description[name] for name in kept if name in description}), arrays)
    has_scores = "scores" in description
    looks = _looks(description["looks"], path) if "looks" in description else None
    return StoredVotes(pilot, counts, scheme, float(distance), manifest, digest, has_scores, independent, looks, rows)


def _looks(stated: Any, path: Path) -> tuple[tuple[int, Fraction], ...]:
    """The looks of a file of votes, whose weights are proved to sum to at most 1."""
    found = stated if isinstance(stated, dict) and stated.keys() == {"ends", "weights"} else {}
    ends, weights = (value if isinstance(value, list) else [] for value in (found.get("ends"), found.get("weights")))
    if not ends or len(ends) != len(weights) or not all(type(end) is int and end >= 1 for end in ends):
        raise DataError(f"{path} has no looks with a number of samples and a weight each; take the votes again")
    if not all(type(weight) is float and 0 < weight <= 1 for weight in weights) or sorted({*ends}) != ends:
        raise DataError(f"{path} has looks that do not ascend, or weights that are none; take the votes again")
    shares = [Fraction(weight) for weight in weights]
    if sum(shares) > 1:
        raise DataError(f"{path} divides more than a level over its looks: their weights sum to more than 1")
    return tuple(zip(ends, shares, strict=True))
