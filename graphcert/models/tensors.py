"""Between the sampler's CSR arrays and torch tensors, and how many threads torch uses."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from graphcert.sampling.csr import CSR


def feature_tensor(features: CSR, width: int) -> Tensor:
    """Features as a sparse CSR tensor (N, width) of float32."""
    # torch wants ascending columns within a row; a sample has its survivors first and then its additions.
    values = np.ones(features.indices.size, np.float32) if features.values is None else features.values
    given = sparse.csr_array((values, features.indices, features.indptr), (features.rows, width))
    ascending = given.sorted_indices()
    with warnings.catch_warnings():
        # torch calls this layout beta; what graphcert does with it is tested.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
        return torch.sparse_csr_tensor(
            torch.from_numpy(ascending.indptr),
            torch.from_numpy(ascending.indices),
            torch.from_numpy(ascending.data),
            size=(features.rows, width),
            check_invariants=False,
        )


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


def sparse_features(x: Tensor) -> CSR:
    """The non-zeros of features (N, D), dense or sparse."""
    if x.layout != torch.strided:
        coo = x.to_sparse().coalesce()
        row, column = coo.indices().cpu().numpy()
        return CSR.of(sparse.coo_array((coo.values().cpu().numpy(), (row, column)), shape=tuple(x.shape)))
    return CSR.of(sparse.csr_array(x.cpu().numpy()))


@contextmanager
def single_torch_thread() -> Iterator[None]:
    """Use one torch thread per thread of ours."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
