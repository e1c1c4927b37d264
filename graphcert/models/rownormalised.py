"""Row normalisation as a step inside the call of a model, after the noise."""

import copy
from typing import Any

import torch
from torch import Tensor, nn


class Rownormalised(nn.Module):
    """A model that is shown features whose rows sum to one: every row of x is divided by its sum, if that is above 1.

    What `torch_geometric.transforms.NormalizeFeatures` does to data beforehand. Noise that flips bits needs the bits; given
    them, the model normalises what noise has made of them in every call.

    Args:
        model: called with the same arguments: dense features (N, D) and whatever else, or an object with `x`,
            such as a `torch_geometric.data.Data`, which is copied and stays as it is.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Any, *others: Any, **named: Any) -> Any:
        """What the model returns."""
        if isinstance(x, Tensor):
            return self.model(normalised_rows(x), *others, **named)
        data = copy.copy(x)
        data.x = normalised_rows(x.x)
        return self.model(data, *others, **named)


def normalised_rows(x: Tensor) -> Tensor:
    """Features (N, D) ≥ 0, dense or sparse CSR, with every row divided by its sum, or by 1 if that is smaller."""
    if x.layout is torch.strided:
        return x / x.sum(-1, keepdim=True).clamp(min=1)
    ends, values = x.crow_indices(), x.values()
    row = torch.repeat_interleave(torch.arange(x.shape[0], device=x.device), ends.diff())
    sums = values.new_zeros(x.shape[0]).index_add_(0, row, values).clamp(min=1)
    parts = ends, x.col_indices(), values / sums[row]
    return torch.sparse_csr_tensor(*parts, size=tuple(x.shape), check_invariants=False)
