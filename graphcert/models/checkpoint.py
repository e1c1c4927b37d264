"""Checkpoints: a state dict and the configuration that rebuilds the model. Reading a file executes nothing."""

import hashlib
import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graphcert.core.files import atomic_write
from graphcert.core.reading import damage_refused, problem
from graphcert.data.tensor_file import read_tensor_file
from graphcert.errors import DataError
from graphcert.models.registry import MODELS, SIZES, build_model
from graphcert.models.weights import refuse_unlike

_FORMAT = "graphcert-model-2"


def save_model(model: nn.Module, path: Path, name: str, features: int, classes: int, **options: Any) -> None:
    """Write state dict and configuration atomically: after a crash the old file or the new one is there, never half.

    Raises:
        DataError: if the file cannot be written.
    """
    write_checkpoint(model, path, {"name": name, "features": features, "classes": classes, "options": options})


def write_checkpoint(model: nn.Module, path: Path, config: dict[str, Any]) -> None:
    """The same for any configuration of plain values."""
    # Each in a storage of its own, as the reader has it; weights may be tied, or on a GPU.
    state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    write_tensors(path, {"format": _FORMAT, "config": config, "state": state, "sha256": model_fingerprint(model)})


def load_model(path: Path) -> nn.Module:
    """Rebuild a saved model of a registered name, in evaluation mode.

    Only tensors and plain containers are read, and a model is built only when the weights are known to fit it.

    Raises:
        DataError: if the file is missing, damaged, altered, too large for memory, no graphcert checkpoint, of a model that
            is not registered, or has weights that are NaN, infinite or subnormal.
    """
    content = read_checkpoint(path)
    with damage_refused(f"{path} does not describe a model that this version can build", "train it again"):
        config, state = content["config"], content["state"]
        if "factory" in config:
            raise DataError(f"{path} holds a model that code of a user makes, which this does not run")
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
    refuse_altered(path, content, model)
    return model.eval()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `write_checkpoint` wrote, of which only the format is checked; `DataError` if it is damaged or another file."""
    return read_tensors(path, _FORMAT, "model", "not a graphcert checkpoint", "graphcert train")


def refuse_altered(path: Path, content: Mapping[str, Any], model: nn.Module) -> None:
    """Raise `DataError` unless the model is the one whose fingerprint the checkpoint states."""
    expected, found = content.get("sha256"), model_fingerprint(model)
    if found != expected:
        raise DataError(f"{path} was altered: expected sha256 {expected!s:.64}, found {found}; train the model again")


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
        content = read_tensor_file(path)
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
        refuse_unlike(state, build().state_dict())
    model = build()
    model.load_state_dict(state)
    return model
