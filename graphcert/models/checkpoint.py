"""Checkpoints: a state dict and the configuration that rebuilds the model.

Reading a file executes nothing and takes no more memory than the file holds. `torch.load(weights_only=True)` executes
nothing either, but takes memory for whatever sizes a file names.
"""

import hashlib
import io
import math
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from graphcert.core.archives import Archive
from graphcert.core.files import atomic_write
from graphcert.core.reading import damage_refused, open_regular, problem
from graphcert.data.pickle_machine import InertDict, read_pickle
from graphcert.errors import DataError
from graphcert.models.registry import MODELS, SIZES, build_model

_FORMAT = "graphcert-model-2"


def save_model(model: nn.Module, path: Path, name: str, features: int, classes: int, **options: Any) -> None:
    """Write state dict and configuration atomically: after a crash the old file or the new one is there, never half.

    Raises:
        DataError: if the file cannot be written.
    """
    config = {"name": name, "features": features, "classes": classes, "options": options}
    content = {"format": _FORMAT, "config": config, "state": model.state_dict(), "sha256": model_fingerprint(model)}
    write_tensors(path, content)


def load_model(path: Path) -> nn.Module:
    """Rebuild a saved model, in evaluation mode.

    Only tensors and plain containers are read, and a model is built only when the weights are known to fit it.

    Raises:
        DataError: if the file is missing, damaged, altered, too large for memory, no graphcert checkpoint, of a model that
            is not registered, or has weights that are NaN, infinite or subnormal.
    """
    content = read_tensors(path, _FORMAT, "model", "not a graphcert checkpoint", "graphcert train")
    with damage_refused(f"{path} does not describe a model that this version can build", "train it again"):
        config, state = content["config"], content["state"]
        if config["name"] not in MODELS:
            raise DataError(
                f"{path} holds the model {str(config['name'])[:64]!r}, which is none of {', '.join(MODELS)}; add it with "
                f"graphcert.register_model"
            )
        options = config["options"]
        counts = {name: options[name] for name in SIZES if name in options}
        counts |= {"features": config["features"], "classes": config["classes"]}
        build = partial(build_model, config["name"], config["features"], config["classes"], **options)
        model = built_like(state, counts, ("layers",), build)
    expected, found = content.get("sha256"), model_fingerprint(model)
    if found != expected:
        raise DataError(f"{path} was altered: expected sha256 {expected!s:.64}, found {found}; train the model again")
    return model.eval()


def model_fingerprint(model: nn.Module) -> str:
    """sha256 over every named tensor of the state dict, and the class and plain settings of every module.

    Settings such as the number of propagation steps change the function but no weight. What starts with an underscore
    and the training mode are not part of it.
    """
    digest = hashlib.sha256()
    for name, module in model.named_modules():
        plain = {key: value for key, value in vars(module).items() if isinstance(value, (bool, int, float, str))}
        settings = sorted((key, plain[key]) for key in plain if key != "training" and not key.startswith("_"))
        digest.update(f"{name}: {type(module).__qualname__} {settings}\n".encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().contiguous()
            digest.update(f"{array.dtype}{tuple(array.shape)}".encode())
            digest.update(array.reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()


_STORAGES = {
    "Float": torch.float32, "Double": torch.float64, "Half": torch.float16, "BFloat16": torch.bfloat16,
    "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
    "Bool": torch.bool,
}  # fmt: skip
_COPIES = 4
"""What is read, what the model takes over, and what its fingerprint goes through."""


def write_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain containers atomically; raises `DataError` if the file cannot be written."""
    with atomic_write(path) as stream:
        # In memory first: torch answers a full disk with an error of its own that does not say so.
        whole = io.BytesIO()
        torch.save(content, whole)
        stream.write(whole.getbuffer())


def read_tensors(path: Path, layout: str, thing: str, other: str, command: str) -> dict[str, Any]:
    """Read what `write_tensors` wrote: tensors and plain containers, whose format must be `layout`.

    In errors, `thing` is what a person calls the content, `other` what a file is that holds something else, such as "not a
    graphcert checkpoint", and `command` the command that writes such a file.

    Raises:
        DataError: if the file is missing, damaged, too large for memory, or of another format.
    """
    try:
        with open_regular(path) as file:
            content = _TensorFile(Archive(file)).content()
    except FileNotFoundError:
        raise DataError(f"there is no {thing} at {path}; train one with `{command}`") from None
    except Exception as error:  # whatever a damaged file makes the readers stumble over
        raise DataError(f"{path} is damaged or {other}; train it again ({problem(error)})") from None
    if not isinstance(content, dict) or content.get("format") != layout:
        raise DataError(f"{path} is {other}; write one with `{command}`")
    return content


def built_like(
    state: Any, counts: Mapping[str, Any], deep: tuple[str, ...], build: Callable[[], nn.Module]
) -> nn.Module:
    """Build a module and give it the weights of a file; nothing larger than these weights is ever made.

    The whole numbers `counts` determine their shapes; those in `deep` say how many layers there are, and each has a weight.

    Raises:
        Exception: of any kind, if the weights are not those of such a module, or are NaN, infinite or subnormal.
    """
    numbers = sum(tensor.numel() for tensor in state.values())
    for name, count in counts.items():
        if count > (len(state) if name in deep else numbers):
            raise ValueError(
                f"{name} is {count:,}, but there are only {len(state)} tensors of {numbers:,} numbers"[:200]
            )
    with torch.device("meta"):
        shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in build().state_dict().items()}
    if shapes != {name: (tensor.shape, tensor.dtype) for name, tensor in state.items()}:
        raise ValueError("its weights are not those of the model that it describes")
    for name, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise ValueError(f"the weights {name} hold NaN or infinite values"[:200])
        # Subnormal values are zero on some threads only (`torch.set_flush_denormal`): the model would not be one function.
        if tensor.is_floating_point() and ((tensor.abs() < torch.finfo(tensor.dtype).tiny) & (tensor != 0)).any():
            raise ValueError(f"the weights {name} hold subnormal values, which processors may take for zero"[:200])
    model = build()
    model.load_state_dict(state)
    return model


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
        functions = {("torch._utils", "_rebuild_tensor_v2"): self._tensor, ("collections", "OrderedDict"): InertDict}
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
