"""Small networks that give an input one label: of images, points, vectors and graphs."""

import itertools

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINConv, global_add_pool, global_max_pool

from graphcert.core.arguments import one_of, whole

KINDS = ("graph", "vector", "points", "image")
"""What inputs are, by the number of their axes; graphs have none."""


class OutputNetwork(nn.Module):
    """A network for inputs of one kind; with noise that selects rows, `features` counts the column that marks them.

    Images pass three convolutions, and the mean over a grid of 4 × 4; points a network each and then their maximum; vectors
    two hidden layers; nodes of graphs three GIN layers (Xu et al. 2019) and then the sum and the maximum.

    Args:
        kind: out of `KINDS`.
        features: channels of images, coordinates of points, features of nodes; of vectors the length, or twice the length.
        classes: K.
        width: of hidden layers.
    """

    def __init__(self, kind: str, features: int, classes: int, width: int = 32) -> None:
        super().__init__()
        self.kind = one_of("the kind of inputs", kind, KINDS)
        self.features = whole("features of a network", features, 1)
        self.classes, self.width = whole("classes of a network", classes, 2), whole("width of a network", width, 1)
        self.layers = nn.ModuleList(_LAYERS[kind](features, self.width))
        self.head = nn.Linear(_OUT[kind] * self.width, self.classes)

    def forward(self, x: Tensor, edge_index: Tensor | None = None, batch: Tensor | None = None) -> Tensor:
        """Logits (B, K)."""
        if self.kind == "vector":
            x = x.flatten(1)
        for layer in self.layers:
            x = (layer(x, edge_index) if self.kind == "graph" else layer(x)).relu()
        if self.kind == "graph":
            assert batch is not None
            x = torch.cat([global_add_pool(x, batch) / 16, global_max_pool(x, batch)], dim=1)
        elif self.kind == "points":
            x = x.amax(dim=1)
        elif self.kind == "image":
            x = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
        logits: Tensor = self.head(x)
        return logits


def _of_images(features: int, width: int) -> list[nn.Module]:
    sizes = (features, width, width, 2 * width)
    return [nn.Conv2d(a, b, 3, padding=1) for a, b in itertools.pairwise(sizes)]


def _row_wise(features: int, width: int) -> list[nn.Module]:
    sizes = (features, 2 * width, 4 * width)
    return [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]


def _of_graphs(features: int, width: int) -> list[nn.Module]:
    sizes = (features, width, width, width)
    pairs = itertools.pairwise(sizes)
    return [GINConv(nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, b)), train_eps=True) for a, b in pairs]


_LAYERS = {"image": _of_images, "points": _row_wise, "vector": _row_wise, "graph": _of_graphs}
_OUT = {"image": 32, "points": 4, "vector": 4, "graph": 2}
"""Numbers before the last layer, per unit of width."""
