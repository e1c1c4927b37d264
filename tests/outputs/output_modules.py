"""Small classifiers of whole inputs, honest ones and others."""

import torch
from torch import Tensor, nn
from torch_geometric.data import Batch, Data
from torch_geometric.nn import GCNConv, global_add_pool


def linear(*shape: int, classes: int = 3, seed: int = 0) -> nn.Module:
    """A random linear classifier of arrays of this shape."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(int(torch.tensor(shape).prod()), classes))


class GraphNet(nn.Module):
    """One convolution and the sum over nodes."""

    def __init__(self, features: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.head = GCNConv(features, 8), nn.Linear(8, 2)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        return self.head(global_add_pool(self.conv(x, edge_index).relu(), batch))


class OfBatches(GraphNet):
    """The same, called with a Batch."""

    def forward(self, data: Batch) -> Tensor:  # type: ignore[override]
        assert data.num_graphs == int(data.batch.max()) + 1
        return super().forward(data.x, data.edge_index, data.batch)


class Mixing(nn.Module):
    """Looks at the other inputs of its batch."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return flat[:, :2] - flat[:, :2].mean(dim=0)


class Remembering(nn.Module):
    """Answers by the first input that it saw."""

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "first"):
            self.first = x[:1].flatten(1)[:, :2].clone()
        return x.flatten(1)[:, :2] - self.first


class Chancy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2] + torch.rand(len(x), 2)


class NaN(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :2] * float("nan")


class Marks(nn.Module):
    """Whether most rows of an input are marked as noised: the last column or channel."""

    def forward(self, x: Tensor) -> Tensor:
        marks = x[:, -1] if x.dim() == 4 else x[:, :, -1]
        more = marks.flatten(1).mean(dim=1) > 0.5
        return torch.stack([~more, more], dim=1).float()


def graphs(count: int, features: int = 3, seed: int = 0) -> list[Data]:
    """Random graphs of 4 to 11 nodes with one-hot features."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        nodes = int(torch.randint(4, 12, (), generator=generator))
        edges = torch.triu_indices(nodes, nodes, 1)
        edges = edges[:, torch.rand(edges.shape[1], generator=generator) < 0.4]
        labels = torch.randint(features, (nodes,), generator=generator)
        found.append(Data(x=torch.eye(features)[labels], edge_index=torch.cat([edges, edges.flip(0)], dim=1)))
    return found
