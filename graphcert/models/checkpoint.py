"""Checkpoints: a state dict and the configuration that rebuilds the model. Loading executes nothing."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graphcert.errors import DataError
from graphcert.files import atomic_write
from graphcert.models.base import SparseFirstModel
from graphcert.models.registry import build_model

_FORMAT = "graphcert-model-2"


def save_model(model: SparseFirstModel, path: Path, name: str, features: int, classes: int, **options: Any) -> None:
    """Write state dict and configuration atomically: after a crash the old file or the new one is there, never half.

    Raises:
        DataError: if the file cannot be written.
    """
    content = {
        "format": _FORMAT,
        "config": {"name": name, "features": features, "classes": classes, "options": options},
        "state": model.state_dict(),
        "sha256": model_fingerprint(model),
    }
    write_tensors(path, content)


def load_model(path: Path) -> SparseFirstModel:
    """Rebuild a saved model, in evaluation mode.

    Only tensors and plain containers are read (`weights_only`).

    Raises:
        DataError: if the file is missing, damaged, altered, or not a graphcert checkpoint.
    """
    content = read_tensors(path, _FORMAT, "model", "not a graphcert checkpoint", "graphcert train")
    try:
        config = content["config"]
        model = build_model(config["name"], config["features"], config["classes"], **config["options"])
        model.load_state_dict(content["state"])
        expected, found = content["sha256"], model_fingerprint(model)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} does not describe a model that this version can build: {error}") from None
    if found != expected:
        raise DataError(f"{path} was altered: expected sha256 {expected}, found {found}; train the model again")
    return model.eval()


def write_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain containers atomically.

    Raises:
        DataError: if the file cannot be written.
    """
    with atomic_write(path) as stream:
        # In memory first: torch answers a full disk with an error of its own that does not say so.
        whole = io.BytesIO()
        torch.save(content, whole)
        stream.write(whole.getbuffer())


def read_tensors(path: Path, layout: str, thing: str, other: str, command: str) -> dict[str, Any]:
    """Read what `write_tensors` wrote. Only tensors and plain containers are read (`weights_only`); nothing is executed.

    Args:
        layout: the format that the content must name.
        thing: what a person calls the content.
        other: what a file is that holds something else, such as "not a graphcert checkpoint".
        command: the command that writes such a file.

    Raises:
        DataError: if the file is missing, damaged, or of another format.
    """
    if not path.is_file():
        raise DataError(f"there is no {thing} at {path}; train one with `{command}`")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes the reader stumble in any way; it never executes anything
        raise DataError(f"{path} is damaged or {other}; train it again ({type(error).__name__})") from None
    if not isinstance(content, dict) or content.get("format") != layout:
        raise DataError(f"{path} is {other}; write one with `{command}`")
    return content


def model_fingerprint(model: nn.Module) -> str:
    """sha256 over every named tensor of the state dict, and the class and plain settings of every module.

    Settings such as the number of propagation steps change the function but no weight. What starts with an underscore
    and the training mode are not part of it.
    """
    digest = hashlib.sha256()
    for name, module in model.named_modules():
        digest.update(f"{name}: {type(module).__qualname__} {_settings(module)}\n".encode())
    for name, value in model.state_dict().items():
        digest.update(name.encode())
        if isinstance(value, torch.Tensor):
            array = value.detach().cpu().contiguous()
            digest.update(f"{array.dtype}{tuple(array.shape)}".encode())
            digest.update(array.reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            digest.update(repr(value).encode())
    return digest.hexdigest()


def _settings(module: nn.Module) -> list[tuple[str, Any]]:
    """The plain public attributes of one module, by name."""
    return sorted(
        (key, value)
        for key, value in vars(module).items()
        if isinstance(value, (bool, int, float, str)) and key != "training" and not key.startswith("_")
    )
