"""Any module that gives one label to each input, as a classifier of batches."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch

from graphcert.core.arguments import whole
from graphcert.core.arrays import EDGE_VALUES
from graphcert.errors import ModelError
from graphcert.voting.model_call import Call, described
from graphcert.voting.model_checks import check_model

_OF_GRAPHS = ("data", "batch", "graph", "graphs", "g")
"""How people call a single parameter that is a whole batch of graphs."""


class OutputModel(nn.Module):
    """Wraps a module that returns logits (B, K) for a batch of B inputs, and checks what it returns.

    Arrays: `module(inputs)` with float32 images (B, C, H, W), points (B, P, D) or vectors (B, D). Graphs: `module(x,
    edge_index, batch=batch)`, with edge_weight or edge_attr by name where it takes them and the data have them, or
    `module(batch)` with a torch_geometric.data.Batch if that is its only parameter.

    Args:
        module: what is wrapped.
        classes: K, if it is to be checked.
        batch: noisy versions of an input per call. Sums may round differently in batches of other sizes, so it belongs to
            what determines the votes.

    Raises:
        InputError: if a number is outside its domain.
        ModelError: if `module` is no torch.nn.Module.
    """

    def __init__(self, module: nn.Module, classes: int | None = None, *, batch: int = 50) -> None:
        super().__init__()
        self.module = check_model(module, "inputs")
        self.classes = None if classes is None else whole("classes of an output model", classes, 2)
        self.batch = whole("batch of an output model", batch, 1)
        self._parameters_of_call = [
            one.name for one in inspect.signature(self.module.forward).parameters.values()
        ]  # fmt: skip

    @property
    def device(self) -> torch.device:
        """Where the module computes."""
        return Call(self.module).device

    @property
    def extras(self) -> tuple[str, ...]:
        """What of the edges of graphs the module takes by name; a Batch has all that there is."""
        return EDGE_VALUES if self._takes_batch else tuple(n for n in EDGE_VALUES if n in self._parameters_of_call)

    @property
    def _takes_batch(self) -> bool:
        return len(self._parameters_of_call) == 1 and self._parameters_of_call[0] in _OF_GRAPHS

    def forward(self, inputs: Tensor, edge_index: Tensor | None = None, count: int = 1, **extras: Tensor) -> Tensor:
        """Logits (B, K) float32 of arrays (B, …); or of B = `count` graphs of equal size, whose nodes are `inputs`.

        Raises:
            ModelError: if the module cannot be called so, or returns anything else.
        """
        batch = len(inputs) if edge_index is None else count
        try:
            found = self.module(inputs) if edge_index is None else self._of_graphs(inputs, edge_index, count, extras)
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            first, *_ = str(error).splitlines() or [type(error).__name__]
            of = "" if edge_index is None else f" and {edge_index.shape[1]} edges, as module(x, edge_index, batch=…)"
            raise ModelError(
                f"the module cannot be called with {inputs.dtype} inputs of shape {tuple(inputs.shape)}{of}: {first}"
            ) from error
        wanted = f"({batch}, {'K ≥ 2' if self.classes is None else self.classes})"
        shaped = isinstance(found, Tensor) and found.dim() == 2 and found.is_floating_point() and len(found) == batch
        if not shaped or found.shape[1] < 2 or self.classes not in (None, found.shape[1]):
            raise ModelError(f"the module must return one row of logits per input, {wanted}, got {described(found)}")
        logits: Tensor = found.float()
        return logits

    def _of_graphs(self, x: Tensor, edge_index: Tensor, count: int, extras: dict[str, Tensor]) -> Any:
        nodes = len(x) // count
        batch = torch.arange(count, device=x.device).repeat_interleave(nodes)
        if self._takes_batch:
            ptr = torch.arange(0, len(x) + 1, nodes, device=x.device)
            return self.module(Batch(x=x, edge_index=edge_index, batch=batch, ptr=ptr, **extras))
        if "batch" in self._parameters_of_call:
            return self.module(x, edge_index, batch=batch, **extras)
        return self.module(x, edge_index, batch, **extras)
