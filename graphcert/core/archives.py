"""Archives of arrays (npz, and what torch writes) from outside: everything they claim is checked before it is believed.

zipfile and NumPy believe what a file says about itself: they take a size before it is there, read any kind of compression,
and of two members with one name the last. Nothing here is ever unpickled.
"""

import io
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphcert.core.reading import check_memory, damage_refused, open_regular
from graphcert.errors import DataError

_CHUNK = 2**20
_MOST_DIRECTORY = 2**24
"""Bytes of the list of members; what lists more is no archive of arrays."""
_MOST_HEADER = 2**14
_COPIES = 4
"""An array is copied, converted and sorted on its way; each of these takes its size once more, with 8 bytes per number."""
_PLAIN = "biufcSU"
"""Kinds of types that are plain numbers or text."""


class Archive:
    """The members of a zip archive, read one at a time and never more than the archive as a whole may take.

    Members named twice, encrypted, compressed by another method than deflation, or of impossible size are refused; a damaged
    list of members raises exceptions of any kind, see `damage_refused`.

    Args:
        most: how many bytes all members together may have once unpacked; by default only memory limits them.
    """

    def __init__(self, source: BinaryIO, most: int | None = None) -> None:
        self._zip = zipfile.ZipFile(_Guarded(source))
        self.size = source.seek(0, os.SEEK_END)
        self._members: dict[str, zipfile.ZipInfo] = {}
        self._taken = 0
        for info in self._zip.infolist():
            if info.filename in self._members:
                raise DataError(f"its member {info.filename} is there twice; write it anew")
            stored = info.compress_type == zipfile.ZIP_STORED
            if info.flag_bits & 0x1 or not (stored or info.compress_type == zipfile.ZIP_DEFLATED):
                raise DataError(f"its member {info.filename} is encrypted or oddly compressed; write it anew")
            if info.compress_size > self.size or (stored and info.file_size != info.compress_size):
                raise DataError(f"its member {info.filename} is said to be larger than the file; write it anew")
            self._members[info.filename] = info
        unpacked = sum(info.file_size for info in self._members.values())
        if most is not None and unpacked > most:
            raise DataError(f"it would unpack to {unpacked:,} bytes, where at most {most:,} are expected")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all members, in their order."""
        return tuple(self._members)

    def read(self, name: str, copies: int = 1) -> NDArray[np.uint8]:
        """The bytes of one member, checked by the checksum of the archive; `copies` of its size will be taken in memory."""
        with damage_refused(f"its member {name} is damaged", "write it anew"), self._open(name) as stream:
            size = self._members[name].file_size
            self._take(copies * size, name)
            return _filled(stream, np.empty(size, np.uint8))

    def array(self, name: str) -> NDArray[Any]:
        """One array of numbers or text, from the member `name`.npy; objects, which would be unpickled, are refused."""
        damage = f"its member {name} is damaged or not a plain array"
        with damage_refused(damage, "write it anew"), self._open(f"{name}.npy") as stream:
            return _array(stream, self._members[f"{name}.npy"].file_size, lambda needed: self._take(needed, name))

    def _open(self, name: str) -> Any:
        if name not in self._members:
            raise DataError(f"it lacks the member {name}; write it anew")
        return self._zip.open(self._members[name])

    def _take(self, needed: int, name: str) -> None:
        """Refuse before memory is taken; what was read before counts too."""
        self._taken += needed
        check_memory(self._taken, f"its member {name} (with what was read before)")


def read_npy(path: Path) -> NDArray[Any]:
    """The array of numbers or text in an npy file; objects, which would be unpickled, are refused.

    Raises:
        FileNotFoundError: if there is no such file.
        DataError: if it is damaged, no plain array, or too large for memory.
    """
    with (
        damage_refused(f"{path} is not a file of one plain array", "write it with numpy.save"),
        open_regular(path) as file,
    ):
        return _array(file, os.fstat(file.fileno()).st_size, lambda needed: check_memory(needed, str(path)))


def mapped_npy(path: Path) -> NDArray[Any]:
    """As `read_npy`, but mapped: the system reads pages when they are used. What is written to it stays in memory."""
    with (
        damage_refused(f"{path} is not a file of one plain array", "write it with numpy.save"),
        open_regular(path) as file,
    ):
        size, start = os.fstat(file.fileno()).st_size, io.BytesIO(file.read(_MOST_HEADER))
        shape, in_columns, dtype = _header(start)
        if math.prod(shape) * dtype.itemsize != size - start.tell() or dtype.kind == "b":
            raise ValueError(f"{size:,} bytes hold no array of numbers of {dtype} and shape {shape}"[:200])
        return np.memmap(file, dtype, "c", start.tell(), shape, "F" if in_columns else "C")


class _Guarded(io.BufferedIOBase):
    """A stream that refuses to hand out large parts at once, as zipfile asks for when a directory lies about its size."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source

    def read(self, size: int | None = -1) -> bytes:
        # Without a size it is the end of the file that is asked for, which is short.
        found = self._source.read(_CHUNK if size is None or size < 0 else min(size, _MOST_DIRECTORY + 1))
        if len(found) > _MOST_DIRECTORY:
            raise ValueError(f"its list of members is longer than {_MOST_DIRECTORY:,} bytes")
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        return self._source.tell()

    def seekable(self) -> bool:
        return True


def _array(stream: Any, size: int, take: Callable[[int], None]) -> NDArray[Any]:
    """The array in a stream of `size` bytes in the npy format; `take` is told how much memory it will need."""
    start = io.BytesIO(stream.read(_MOST_HEADER))
    shape, in_columns, dtype = _header(start)
    count, size = math.prod(shape), size - start.tell()
    if count * dtype.itemsize != size:
        raise ValueError(f"{size:,} bytes hold no array of {dtype} and shape {shape}"[:200])
    take(_COPIES * max(8, dtype.itemsize) * count)
    flat = _filled(stream, np.empty(size, np.uint8), start.read())
    if dtype.kind == "b" and flat.max(initial=0) > 1:
        raise ValueError("a truth value is neither 0 nor 1")
    return flat.view(dtype).reshape(shape, order="F" if in_columns else "C")


def _header(start: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type, from the first bytes of a member."""
    version = np.lib.format.read_magic(start)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of the format is not known")
    shape, in_columns, dtype = read[version](start, max_header_size=_MOST_HEADER)
    if dtype.kind not in _PLAIN or not dtype.itemsize or dtype.shape:
        raise ValueError(f"its type {dtype} is not one of plain numbers or text"[:200])
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"no array has the shape {shape}"[:200])
    return shape, in_columns, dtype


def _filled(stream: Any, target: NDArray[np.uint8], first: bytes = b"") -> NDArray[np.uint8]:
    """Fill `target` with `first` and what the stream goes on with, which must end there; untouched memory costs nothing."""
    at = len(first)
    target[:at] = np.frombuffer(first, np.uint8)
    while piece := stream.read(_CHUNK):  # the last, empty one verifies the checksum
        if at + len(piece) > len(target):
            raise ValueError("it is longer than it says")
        target[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        at += len(piece)
    if at != len(target):
        raise EOFError("it ends early")
    return target
