"""Inputs that have one label each, as graphs of their rows.

The rows of an input are what is changed and selected: the pixels of an image (C, H, W), the points of a cloud (P, D), the
entries of a vector (D,), the nodes of a graph. An array has no edges.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphcert.data import data_fingerprint
from graphcert.data.raw import as_float32
from graphcert.errors import DataError, InputError

Inputs = ArrayLike | Tensor | Sequence[Any]
"""An array (N, …), a sequence of arrays, or a sequence of torch_geometric.data.Data."""

_KINDS = {1: "a vector (D,)", 2: "points (P, D)", 3: "an image (C, H, W)"}


@dataclass(frozen=True, eq=False)
class OneInput:
    """One input.

    Attributes:
        data: its rows `x` (R, D) as nodes, and its edges.
        shape: of the array, or () for a graph.
    """

    data: Data
    shape: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows it has, R."""
        assert isinstance(self.data.x, Tensor)
        return int(self.data.x.shape[0])

    @property
    def dimension(self) -> int:
        """How many numbers its features have."""
        assert isinstance(self.data.x, Tensor)
        return int(self.data.x.numel())

    def fingerprint(self, ignore: tuple[str, ...] = ()) -> str:
        """64 hexadecimal digits that name its numbers, its edges and its shape; not its label."""
        named = Data(x=self.data.x, edge_index=self.data.edge_index)
        for name in ("edge_weight", "edge_attr"):
            if name not in ignore and getattr(self.data, name, None) is not None:
                setattr(named, name, getattr(self.data, name))
        return sha256(f"{data_fingerprint(named)} {self.shape}".encode()).hexdigest()

    def shown(self, rows: Tensor) -> Tensor:
        """Noisy rows (B, R, D or D + 1) of an array as a model is shown them.

        (B, C, H, W) of images, (B, P, D) of points, (B, D) of vectors. A column that marks rows becomes a channel of
        images, a column of points, and makes vectors (B, D, 2).
        """
        if len(self.shape) == 3:
            return rows.reshape(len(rows), *self.shape[1:], -1).permute(0, 3, 1, 2)
        return rows[:, :, 0] if len(self.shape) == 1 and rows.shape[2] == 1 else rows


def read_inputs(inputs: Inputs) -> list[OneInput]:
    """The inputs one by one.

    Raises:
        InputError: if there is none, or arrays and graphs are mixed.
        DataError: for arrays that are no finite numbers, are empty, or are neither vectors, points nor images.
    """
    if isinstance(inputs, Data):
        raise InputError("the inputs are several graphs; give a list of them, [data] for one")
    listed: list[Any] = [*inputs] if isinstance(inputs, Iterable) else []
    if not listed or isinstance(inputs, (str, bytes)):
        raise InputError(
            f"the inputs are an array (N, …) or a list of arrays or graphs, at least one; got {inputs!r:.60}"
        )
    graphs = [hasattr(one, "edge_index") for one in listed]
    if any(graphs):
        if not all(graphs):
            raise InputError("the inputs are either graphs or arrays, not both; vote on them apart")
        return [OneInput(one) for one in listed]
    found = [_of_array(number, one) for number, one in enumerate(listed)]
    if len({len(one.shape) for one in found}) > 1:
        raise DataError("the inputs have different numbers of axes; give only vectors, only points or only images")
    return found


def _of_array(number: int, given: Any) -> OneInput:
    values = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if values.dtype.kind not in "fiub" or values.ndim not in _KINDS or not values.size:
        kinds = ", ".join(_KINDS.values())
        raise DataError(
            f"input {number} must be {kinds} of numbers, or a graph, got {values.dtype} of the shape {values.shape}"
        )
    return OneInput(_graph_of(as_float32(f"input {number}", values)), values.shape)


def _graph_of(values: NDArray[np.float32]) -> Data:
    """The rows of an array, without edges."""
    rows = values[:, None] if values.ndim == 1 else values if values.ndim == 2 else values.reshape(len(values), -1).T
    x = torch.from_numpy(np.array(rows, np.float32, order="C"))
    return Data(x=x, edge_index=torch.empty(2, 0, dtype=torch.int64))
