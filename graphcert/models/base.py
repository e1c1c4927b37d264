"""What all models with a sparse first layer have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor, nn

from graphcert.core.features import plain_features
from graphcert.data.feature_tensors import feature_tensor_of
from graphcert.errors import ModelError
from graphcert.sampling.csr import CSR
from graphcert.sampling.rows import RowLayer
from graphcert.sampling.simd.row_sums import LANES, aligned

Floats = NDArray[np.float32]
CompiledForward = Callable[..., Floats]
"""(rows of X̃W (≥ n, H), `LocalGraph` of n nodes) → logits (M, ≥ K) of its members. May overwrite its input; the result is
valid until the next call. Of models that join views also (table of rows of X̃W, `JointGraph`, row of the table of every
place (P,) int32)."""


class SparseFirst(ABC):
    """A function of features and graph whose first operation on the features is the product with one weight matrix.

    `local` says that the `compiled` function evaluates a part of a graph, for `layers` rounds of message passing, and that
    a row comes out the same to the bit whatever the other rows are. Others are shown whole graphs only.
    """

    local: bool = False

    @property
    def layers(self) -> int:
        """Rounds of message passing; whoever is `local` states them."""
        raise NotImplementedError

    @property
    def joins(self) -> int:
        """Bytes that the `compiled` function needs per row of a `JointGraph`; 0 if it takes none."""
        return 0

    @abstractmethod
    def first_weight(self) -> Tensor:
        """The matrix (D, H) that x is multiplied with before anything else happens to it."""

    @abstractmethod
    def compiled(self, nodes: int) -> CompiledForward:
        """All that follows the first product, in evaluation mode, with its own buffers (one per thread).

        For graphs of at most `nodes` nodes, whose first products are the rows of its input in the order of `graph.nodes`.
        """

    def row_layer(self) -> RowLayer | None:
        """The layer that takes the first product row by row before any message passes, if the model begins with one."""
        return None

    def compiled_views(self, nodes: int, view_of_node: NDArray[np.int64]) -> CompiledForward:
        """All that follows the row layer, for V views of the features on one graph.

        It takes the results of the row layer for all views side by side, (n, `side_by_side(V, K)`). A node's logits are
        those of its own view 0 … V − 1.
        """
        raise NotImplementedError


class SparseFirstModel(nn.Module, SparseFirst):
    """A node classifier whose first operation on the features is the product with one weight matrix.

    Called as `model(x, edge_index)` with x (N, D), dense or sparse CSR, and edge_index (2, E) holding both directions
    of every undirected edge and no self-loops; returns logits (N, K). It is the same function as
    `after_first(x @ first_weight(), edge_index)`, and so as `compiled(N)(x @ first_weight(), graph)`.
    """

    @property
    @abstractmethod
    def normalisation(self) -> str:
        """What a node perceives of an edge, see `receptive_field`.

        "symmetric" if messages are scaled by the degrees of both ends; "receiver", the smaller receptive field, if neither
        the degree of the sender nor anything else of its neighbourhood enters a message. A subclass states it as a class
        attribute.
        """

    @property
    @abstractmethod
    def layers(self) -> int:
        """Rounds of message passing: a node's logits depend on nothing that is further away."""

    @abstractmethod
    def after_first(self, hidden: Tensor, edge_index: Tensor) -> Tensor:
        """The rest of the model: (N, H) → logits (N, K)."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits (N, K)."""
        return self.after_first(x @ self.first_weight(), edge_index)


def message_passing(model: nn.Module) -> dict[str, Any]:
    """The `layers` and the `normalisation` of its receptive field that a model states; `ModelError` if one is missing."""
    kinds = {"layers": int, "normalisation": str}
    stated = {name: getattr(model, name, None) for name in kinds}
    missing = [name for name, kind in kinds.items() if not isinstance(stated[name], kind)]
    if missing:
        raise ModelError(
            f"the model {type(model).__name__} does not state {' and '.join(missing)}, so its receptive field is not known; "
            f"give it the attributes layers (a whole number) and normalisation ('symmetric' is the safe one)"
        )
    return stated


def glorot(*shape: int) -> nn.Parameter:
    """A weight with the initialisation that is usual for graph networks (Glorot & Bengio 2010)."""
    weight = torch.empty(*shape)
    nn.init.xavier_uniform_(weight)
    return nn.Parameter(weight)


def side_by_side(views: int, columns: int) -> int:
    """Columns of so many matrices side by side, filled up to a multiple of the vector width."""
    return -(-views * columns // LANES) * LANES


def padded(tensor: Tensor, *axes: int) -> Floats:
    """An aligned float32 copy whose given axes are filled up with zeros to a multiple of the vector width."""
    array = tensor.detach().cpu().numpy()
    result = aligned(*(side_by_side(1, size) if axis in axes else size for axis, size in enumerate(array.shape)))
    result[tuple(slice(size) for size in array.shape)] = array
    return result


def feature_tensor(features: CSR, width: int) -> Tensor:
    """Features as a sparse CSR tensor (N, width) of float32."""
    # torch wants ascending columns within a row; a sample has its survivors first and then its additions.
    values = np.ones(features.indices.size, np.float32) if features.values is None else features.values
    given = sparse.csr_array((values, features.indices, features.indptr), (features.rows, width))
    return feature_tensor_of(given.sorted_indices())


def edge_index_tensor(graph: CSR) -> Tensor:
    """Both directions of every edge as (2, 2E) int64, [sources; targets], grouped by target."""
    targets = np.repeat(np.arange(graph.rows, dtype=np.int64), np.diff(graph.indptr))
    return torch.from_numpy(np.stack([graph.indices.astype(np.int64), targets]))


def upper_triangle(edge_index: Tensor, nodes: int) -> CSR:
    """Each undirected edge once, in the row of its smaller endpoint."""
    source, target = edge_index.cpu().numpy()
    keep = source < target
    ones = np.ones(int(keep.sum()), np.int8)
    return CSR.of(sparse.coo_array((ones, (source[keep], target[keep])), shape=(nodes, nodes)))


def edge_rows(edge_index: Tensor, nodes: int, directed: bool) -> CSR:
    """The edges as a `Sampler` takes them: an undirected one in the row of its smaller endpoint, a directed one in that of
    its target."""
    if not directed:
        return upper_triangle(edge_index, nodes)
    source, target = edge_index.cpu().numpy()
    return CSR.of(sparse.coo_array((np.ones(source.size, np.int8), (target, source)), shape=(nodes, nodes)))


def sparse_features(x: Tensor) -> CSR:
    """The non-zeros of features (N, D), dense or sparse."""
    return CSR.of(sparse.csr_array(plain_features(x)))


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """Use one torch thread per thread of ours."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
