"""Checkpoints: a state dict and the configuration that rebuilds the model. Loading executes nothing."""

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graphcert.core.reading import damage_refused
from graphcert.errors import DataError
from graphcert.models.base import SparseFirstModel
from graphcert.models.registry import SIZES, build_model
from graphcert.models.tensor_files import built_like, read_tensors, write_tensors

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

    Only tensors and plain containers are read, and a model is built only when the weights are known to fit it.

    Raises:
        DataError: if the file is missing, damaged, altered, too large for memory, not a graphcert checkpoint, or has weights
            that are NaN, infinite or subnormal.
    """
    content = read_tensors(path, _FORMAT, "model", "not a graphcert checkpoint", "graphcert train")
    with damage_refused(f"{path} does not describe a model that this version can build", "train it again"):
        config, state = content["config"], content["state"]
        options = config["options"]
        counts = {name: options[name] for name in SIZES if name in options}
        counts |= {"features": config["features"], "classes": config["classes"]}
        model = built_like(
            state,
            counts,
            ("layers",),
            lambda: build_model(config["name"], config["features"], config["classes"], **options),
        )
    expected, found = content.get("sha256"), model_fingerprint(model)
    if found != expected:
        raise DataError(f"{path} was altered: expected sha256 {expected!s:.64}, found {found}; train the model again")
    assert isinstance(model, SparseFirstModel)
    return model.eval()


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
