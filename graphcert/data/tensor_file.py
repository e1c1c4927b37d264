"""Files that `torch.save` writes, read without unpickling: tensors and plain containers, and nothing else.

Reading executes nothing and takes no more memory than the file holds. `torch.load(weights_only=True)` executes nothing
either, but takes memory for whatever sizes a file names.
"""

import math
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphcert.core.archives import Archive
from graphcert.core.reading import open_regular
from graphcert.data.pickle_machine import InertDict, read_pickle

_STORAGES = {
    "Float": torch.float32, "Double": torch.float64, "Half": torch.float16, "BFloat16": torch.bfloat16,
    "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
    "Bool": torch.bool,
}  # fmt: skip
_COPIES = 4
"""What is read, what a model or a graph takes over, and what its fingerprint goes through."""


def read_tensor_file(path: Path) -> Any:
    """The content of a file of tensors, dictionaries, lists, texts and numbers.

    Raises:
        FileNotFoundError: if there is no such file.
        Exception: of any kind, if it is damaged, holds anything else, or a tensor that is only a part of another one; see
            `graphcert.core.reading.damage_refused`.
    """
    with open_regular(path) as file:
        return _TensorFile(Archive(file)).content()


class _TensorFile:
    """An archive of one pickle and the bytes of its tensors; each of these is used once."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        (self._folder,) = (name.removesuffix("data.pkl") for name in archive.names if name.endswith("/data.pkl"))
        self._used: set[str] = set()
        order = f"{self._folder}byteorder"
        if order in archive.names and archive.read(order).tobytes() != sys.byteorder.encode():
            raise ValueError("it was written on a machine of another byte order")

    def content(self) -> Any:
        """The content of the pickle, with its tensors."""
        admitted = {("torch", f"{name}Storage"): dtype for name, dtype in _STORAGES.items()}
        functions = {
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): _of_parameter,
            ("collections", "OrderedDict"): InertDict,
        }
        payload = self._archive.read(f"{self._folder}data.pkl").tobytes()
        return read_pickle(payload, {**admitted, **functions}, _storage)

    def _tensor(self, storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
        """The tensor that fills a whole storage, in any order of its axes."""
        dtype, key, count = storage
        if key in self._used or offset != 0 or not _fills(size, stride, count):
            raise ValueError("a tensor is not the whole of its own part of the file")
        self._used.add(key)
        values = self._archive.read(f"{self._folder}data/{key}", _COPIES)
        if dtype is torch.bool and values.max(initial=0) > 1:
            raise ValueError("a truth value is neither 0 nor 1")
        if values.size != count * dtype.itemsize:
            raise ValueError(f"{values.size:,} bytes hold no {count} numbers of {dtype}"[:200])
        if not count:
            return torch.empty(size, dtype=dtype)
        return torch.from_numpy(values).view(dtype).as_strided(size, stride)


def _of_parameter(tensor: Any, *_: Any) -> Tensor:
    """The tensor of a parameter."""
    if not isinstance(tensor, Tensor):
        raise ValueError("a parameter is no tensor")
    return tensor


def _storage(named: Any) -> tuple[torch.dtype, str, int]:
    """Type, place and length of the numbers of a tensor."""
    kind, dtype, key, _, count = named
    if kind != "storage" or not isinstance(dtype, torch.dtype) or type(key) is not str or type(count) is not int:
        raise ValueError("it names a part of the file that holds no numbers")
    return dtype, key, count


def _fills(size: Any, stride: Any, count: int) -> bool:
    """Whether a tensor of this size and stride is `count` numbers side by side, each used once."""
    numbers = (*size, *stride)
    if len(size) != len(stride) or not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        return False
    if math.prod(size) != count or not count:
        return not count and not math.prod(size)
    expected = 1
    for step, length in sorted((step, length) for length, step in zip(size, stride, strict=True) if length > 1):
        if step != expected:
            return False
        expected *= length
    return True
