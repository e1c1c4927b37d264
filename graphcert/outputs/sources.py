"""Inputs with labels from outside: the digits of scikit-learn, arrays in an npz file, folders of graphs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.archives import Archive
from graphcert.core.reading import damage_refused, open_regular
from graphcert.data.raw import integers
from graphcert.data.tu_folder import read_tu_folder
from graphcert.errors import DataError, InputError
from graphcert.outputs.inputs import OneInput, read_inputs

DIGITS = "digits"
"""The name of scikit-learn's 1,797 images of 8 × 8 pixels."""
_ARRAYS = ("inputs", "labels", "train_inputs", "train_labels")


@dataclass(frozen=True, eq=False)
class LabelledInputs:
    """Inputs to certify and inputs to train with.

    Attributes:
        inputs, numbers: what is certified, and the number that each has in the source.
        truth: (N,) classes from 0 on, or None.
        train, train_truth: inputs with their classes, which no certificate is about; empty if there are none.
        names: of the K classes; empty if nobody knows them.
    """

    inputs: list[OneInput]
    numbers: NDArray[np.int64]
    truth: NDArray[np.int64] | None
    train: list[OneInput]
    train_truth: NDArray[np.int64]
    names: tuple[str, ...]


def load_inputs(source: str, limit: int | None = None, seed: int = 0) -> LabelledInputs:
    """Inputs by a name, from a file or from a folder.

    Args:
        source: "digits"; an npz file with the arrays `inputs` (N, …) and, if known, `labels` (N,), `train_inputs` and
            `train_labels`; or a folder of graphs, see `read_tu_folder`.
        limit: at most so many inputs are certified. Without inputs for training, those that are left over train.
        seed: of the order in which inputs are divided; the `train_inputs` of a file stay what they are.

    Raises:
        InputError: if nobody knows the source.
        DataError: if files are damaged or do not fit together.
    """
    path = Path(source)
    if source == DIGITS:
        return _divided(*_digits(), limit, seed)
    if path.is_dir():
        found = read_tu_folder(path)
        return _divided(read_inputs(found.graphs), found.labels, found.names, limit, seed)
    if path.suffix == ".npz":
        if not path.exists():
            raise DataError(f"there is no file {path}; name one with the arrays inputs and labels")
        return _arrays(path, limit, seed)
    raise InputError(f"inputs are {DIGITS!r}, an .npz file or a folder of graphs, and {source!r:.100} is none of them")


def _digits() -> tuple[list[OneInput], NDArray[np.int64], tuple[str, ...]]:
    from sklearn.datasets import load_digits  # slow to import

    pixels, labels = load_digits(return_X_y=True)
    # Sixteenths are exact in float32.
    return read_inputs(pixels.reshape(-1, 1, 8, 8) / 16), labels.astype(np.int64), tuple(map(str, range(10)))


def _arrays(path: Path, limit: int | None, seed: int) -> LabelledInputs:
    with (
        damage_refused(f"{path} is not a readable npz file", "write it with numpy.savez"),
        open_regular(path) as stream,
    ):
        archive = Archive(stream)
        there = {name.removesuffix(".npy") for name in archive.names}
        given: dict[str, Any] = {name: archive.array(name) for name in _ARRAYS if name in there}
    if "inputs" not in given or ("train_inputs" in given) != ("train_labels" in given):
        raise DataError(f"{path} needs the array inputs, and train_inputs together with train_labels; write them")
    for name in ("labels", "train_labels"):
        if name in given:
            given[name] = _labels(f"{name} of {path}", given[name], len(given[name.replace("labels", "inputs")]))
    known = [given[name] for name in ("labels", "train_labels") if name in given]
    classes = max((int(some.max()) + 1 for some in known), default=0)
    names = tuple(map(str, range(max(classes, 2)))) if known else ()
    inputs, labels = read_inputs(given["inputs"]), given.get("labels")
    if "train_inputs" not in given and labels is not None:
        return _divided(inputs, labels, names, limit, seed)
    order = _order(len(inputs), seed)[:limit] if limit is not None and limit < len(inputs) else np.arange(len(inputs))
    train = read_inputs(given["train_inputs"]) if "train_inputs" in given else []
    if train and {one.shape for one in train} != {one.shape for one in inputs}:
        raise DataError(f"{path} has training inputs of another shape than its inputs; make them alike")
    return LabelledInputs(
        [inputs[k] for k in order], order, None if labels is None else labels[order], train,
        given.get("train_labels", np.empty(0, np.int64)), names,
    )  # fmt: skip


def _labels(name: str, values: NDArray[Any], count: int) -> NDArray[np.int64]:
    if values.shape != (count,) or not count:
        raise DataError(f"{name} must have the shape ({count},), found {values.shape}; write one label per input")
    found = integers(name, values)
    if found.min() < 0 or found.max() >= 10_000:
        raise DataError(
            f"{name} must be classes from 0 to 9,999, found {found.min()} to {found.max()}; number the classes"
        )
    return found


def _order(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(count)


def _divided(
    inputs: list[OneInput], labels: NDArray[np.int64], names: tuple[str, ...], limit: int | None, seed: int
) -> LabelledInputs:
    """The first of a random order are certified, the others train."""
    order = _order(len(inputs), seed)
    certified = min(len(inputs) // 4 if limit is None else limit, len(inputs))
    mine, rest = np.sort(order[:certified]), np.sort(order[certified:])
    if not certified:
        raise DataError(f"of {len(inputs)} inputs a quarter is certified, which is none; give more, or a limit")
    return LabelledInputs([inputs[k] for k in mine], mine, labels[mine], [inputs[k] for k in rest], labels[rest], names)
