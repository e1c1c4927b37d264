"""Features as tensors, dense or as sparse CSR rows."""

import warnings
from typing import Any

import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn import functional

from graphcert.core.features import Features, dense_features, plain_features


def feature_tensor_of(x: Features) -> Tensor:
    """(N, D) float32, in the layout that the features have."""
    if not isinstance(x, csr_array):
        return torch.from_numpy(x)
    with warnings.catch_warnings():
        # torch calls this layout beta; what graphcert does with it is tested.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
        ends, columns, values = (torch.from_numpy(part) for part in (x.indptr, x.indices, x.data))
        return torch.sparse_csr_tensor(ends, columns, values, size=x.shape, check_invariants=False)


def dense_tensor(x: Tensor, what: str = "the dense features") -> Tensor:
    """The dense matrix, the tensor itself if it is dense; `DataError` that begins with `what` if there is no memory."""
    if x.layout is torch.strided:
        return x
    return torch.from_numpy(dense_features(plain_features(x), what)).to(x.device)


def selected_rows(x: Tensor, keep: Tensor) -> Tensor:
    """The rows of x (N, D) that a mask (N,) keeps, in the layout of x."""
    if x.layout is torch.strided:
        return x[keep]
    return feature_tensor_of(plain_features(x)[keep.cpu().numpy()]).to(x.device)


def widened(x: Tensor, columns: int) -> Tensor:
    """The same features (N, D) with columns of zeros behind them, (N, columns)."""
    if x.layout is torch.strided:
        return functional.pad(x, (0, columns - x.shape[1]))
    rows: Any = plain_features(x)
    wide = csr_array((rows.data, rows.indices, rows.indptr), shape=(x.shape[0], columns))
    return feature_tensor_of(wide).to(x.device)
