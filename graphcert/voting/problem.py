"""Data, smoothing and seed, checked and prepared for sampling."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from graphcert.data import check_binary_features, check_features, check_undirected
from graphcert.errors import DataError, InputError
from graphcert.models.tensors import sparse_features, upper_triangle
from graphcert.noise import Scheme, as_scheme
from graphcert.sampling.sampler import Sampler


@dataclass(frozen=True)
class Problem:
    """A clean graph and the sampler around it.

    Attributes:
        x: (N, D) clean features, float32, on the CPU; under hierarchical noise (N, D + 1), and no row is marked.
        sampler: draws noisy versions of it.
        classes: (least, most) number of classes that a model of these data can have; most is None if unknown.
    """

    x: Tensor
    sampler: Sampler
    classes: tuple[int, int | None]

    @cached_property
    def members(self) -> list[NDArray[np.int64]]:
        """The nodes that vote in each view of the sampler."""
        views = self.sampler.views
        return [np.flatnonzero(views.of_node == view) for view in range(views.count)]

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return self.sampler.nodes

    @classmethod
    def of(cls, data: Any, smoothing: Scheme, seed: int, ignore: Sequence[str] = ()) -> "Problem":
        """Check `data` (anything with `x` and `edge_index`) and prepare it.

        Args:
            ignore: attributes of the data, such as "edge_weight", that the caller knows to be left out.

        Raises:
            DataError: for non-binary features under flips of them, directed edges, self-loops, repeated edges, NaN,
                no nodes, no features, and for weights or attributes that a call model(x, edge_index) leaves out.
            InputError: if `smoothing` is none, or `ignore` names what the data do not have.
        """
        smoothing = as_scheme(smoothing)
        x, edge_index = getattr(data, "x", None), getattr(data, "edge_index", None)
        if not isinstance(x, Tensor) or not isinstance(edge_index, Tensor):
            raise DataError(
                "the data need tensors x (N, D) and edge_index (2, 2E), as torch_geometric.data.Data has them; give nodes "
                "without features identity features, data.x = torch.eye(data.num_nodes)"
            )
        _refuse_left_out(data, ignore)
        x = x.detach().cpu()
        if smoothing.flips_features:
            check_binary_features(x)
        else:
            check_features(x)
        if x.shape[0] == 0:
            raise DataError("the graph has no nodes; give one that has some")
        if x.shape[1] == 0:
            raise DataError("the nodes have no features (D = 0); give them identity features, data.x = torch.eye(N)")
        check_undirected(edge_index, x.shape[0])
        sampler = Sampler(sparse_features(x), x.shape[1], upper_triangle(edge_index, x.shape[0]), smoothing, seed)
        return cls(F.pad(x, (0, sampler.columns - x.shape[1])), sampler, _classes(data))


LEFT_OUT = ("edge_weight", "edge_attr", "edge_type", "adj_t", "batch")
"""What models of torch_geometric take besides x and edge_index, and do without where it is not given."""


def ignored(ignore: str | Sequence[str]) -> tuple[str, ...]:
    """The names in `ignore`, in order."""
    names = (ignore,) if isinstance(ignore, str) else tuple(ignore) if isinstance(ignore, Iterable) else (ignore,)
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"ignore takes names of attributes of the data, such as ('edge_weight',), got {name!r}")
    return tuple(sorted(set(names)))


def _refuse_left_out(data: Any, ignore: str | Sequence[str]) -> None:
    """Raise `DataError` for an attribute that belongs to the classifier but not to the call model(x, edge_index)."""
    names = ignored(ignore)
    for name in names:
        if getattr(data, name, None) is None:
            raise InputError(f"ignore names {name!r}, which the data do not have; leave it out")
    for name in LEFT_OUT:
        value = getattr(data, name, None)
        one_graph = name == "batch" and isinstance(value, Tensor) and not bool(value.any())
        if value is not None and name not in names and not one_graph:
            raise DataError(
                f"the data have {name}, but the model is called as model(x, edge_index), without it: another classifier "
                f"would be certified; if that is meant, say ignore=({name!r},), or delete data.{name}"
            )


def _classes(data: Any) -> tuple[int, int | None]:
    """K as `data.classes` declares it, or at least what the largest label needs: a class may have no node here."""
    declared = getattr(data, "classes", None)
    if isinstance(declared, int):
        return declared, declared
    y = getattr(data, "y", None)
    return (int(y.max()) + 1 if isinstance(y, Tensor) and y.dim() == 1 and y.numel() else 0), None
