"""Files of trained networks with what their classes mean, names and colours. Loading executes nothing."""

import colorsys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from graphcert.core.arguments import real
from graphcert.core.reading import damage_refused
from graphcert.errors import DataError, InputError
from graphcert.models.checkpoint import built_like, model_fingerprint, read_tensors, write_tensors

Colour3 = tuple[int, int, int]

_TURN = 0.61803398875
"""Hues that are so far apart never come close to each other."""


def colours(names: tuple[str, ...], usual: Mapping[str, Colour3] | None = None) -> tuple[Colour3, ...]:
    """One colour per class: the usual one where there is one, otherwise hues that are easy to tell apart."""
    return tuple((usual or {}).get(name) or _hue(k) for k, name in enumerate(names))


def _hue(k: int) -> Colour3:
    red, green, blue = colorsys.hls_to_rgb((0.58 + k * _TURN) % 1, (0.42, 0.58, 0.5)[k % 3], (0.55, 0.5)[k % 2])
    return round(255 * red), round(255 * green), round(255 * blue)


def check_segmenter(segmenter: Any) -> None:
    """Raise `InputError` unless there is one name and one colour per class, and a deviation.

    A segmenter has a `model` of K `classes`, their `names` and `palette`, the largest deviation `sigma` of its noise in
    training, and a plain description of its `training`.
    """
    for kind, given in (("names", segmenter.names), ("colours", segmenter.palette)):
        if len(given) != segmenter.model.classes:
            raise InputError(f"the network knows {segmenter.model.classes} classes, but there are {len(given)} {kind}")
    if not all(isinstance(name, str) for name in segmenter.names):
        raise InputError("the names of classes must be text")
    if not all(0 <= part <= 255 for colour in segmenter.palette for part in colour):
        raise InputError("the colours of classes must be numbers from 0 to 255")
    real("the deviation of noise in training", segmenter.sigma, 0)


def write_segmenter(segmenter: Any, path: Path, layout: str, shape: Mapping[str, Any], **more: Any) -> None:
    """Write everything atomically, `more` beside the rest; `DataError` if the file cannot be written."""
    content = {
        "format": layout, "shape": dict(shape), "state": segmenter.model.state_dict(),
        "sha256": model_fingerprint(segmenter.model), "names": list(segmenter.names),
        "palette": [list(colour) for colour in segmenter.palette], "sigma": float(segmenter.sigma),
        "training": segmenter.training, **more,
    }  # fmt: skip
    write_tensors(path, content)


Found = TypeVar("Found")


def read_segmenter(
    path: Path,
    layout: str,
    thing: str,
    command: str,
    counts: tuple[str, ...],
    deep: tuple[str, ...],
    build: Callable[[Mapping[str, Any]], nn.Module],
    make: Callable[[nn.Module, dict[str, Any], dict[str, Any]], Found],
) -> Found:
    """Read a file that `write_segmenter` wrote; only tensors and plain containers are read.

    Args:
        layout: the format that the file states.
        thing: what a person calls the network, "a U-Net"; `command` writes such a file.
        counts: the whole numbers of its shape, of which those in `deep` count layers.
        build: makes the network from its shape.
        make: makes the segmenter from the network, its names, palette, sigma and training by name, and the whole content.

    Raises:
        DataError: if the file is missing, damaged, altered, too large for memory, not one of such a network, or has weights
            that are NaN, infinite or subnormal.
    """
    content = read_tensors(path, layout, "network", f"no file of {thing}", command)
    with damage_refused(f"{path} does not describe {thing} that this version can build", "train it again"):
        shape = content["shape"]
        model = built_like(content["state"], {name: shape[name] for name in counts}, deep, lambda: build(shape)).eval()
        meaning = {
            "names": tuple(content["names"]),
            "palette": tuple((int(r), int(g), int(b)) for r, g, b in content["palette"]),
            "sigma": float(content["sigma"]),
            "training": dict(content["training"]),
        }
        expected = content["sha256"]
        found = make(model, meaning, content)
    if model_fingerprint(model) != expected:
        raise DataError(f"{path} was altered: its weights do not have the sha256 {expected!s:.64}; train it again")
    return found
