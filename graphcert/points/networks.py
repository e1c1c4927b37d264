"""Networks of parts of point clouds, in plain torch: a perceptron with a global maximum, and edge convolutions."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphcert.core.arguments import whole
from graphcert.errors import InputError

_WIDEST = 4096
_PAIRS = 2**22
"""Distances that are computed at a time."""


class _Layer(nn.Module):
    """A linear map of every row, normalised over rows, and rectified: (…, C) → (…, D)."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(columns, width, bias=False)
        self.norm = nn.BatchNorm1d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.finish(self.linear(x))

    def finish(self, x: Tensor) -> Tensor:
        """What follows the linear map."""
        normalised: Tensor = self.norm(x.reshape(-1, x.shape[-1]))
        return F.relu(normalised).reshape(x.shape)


def _layers(widths: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(_Layer(one, two) for one, two in pairwise(widths)))


class _Head(nn.Module):
    """Logits of every point from its own row (B, P, C) and the row of the whole cloud (B, D)."""

    def __init__(self, own: int, shared: int, width: int, classes: int) -> None:
        super().__init__()
        self.own = nn.Linear(own, width, bias=False)
        self.shared = nn.Linear(shared, width, bias=False)
        self.norm = nn.BatchNorm1d(width)
        self.hidden = _Layer(width, width)
        self.logits = nn.Linear(width, classes)

    def forward(self, own: Tensor, shared: Tensor) -> Tensor:
        joint = self.own(own) + self.shared(shared)[:, None]
        normalised: Tensor = self.norm(joint.reshape(-1, joint.shape[-1]))
        result: Tensor = self.logits(self.hidden(F.relu(normalised).reshape(joint.shape)))
        return result


def _sizes(classes: int, width: int, columns: int) -> tuple[int, int, int]:
    """Checked numbers of classes, channels and columns of the input."""
    found = (
        whole("classes of a network of points", classes, 2),
        whole("width of a network of points", width, 1),
        columns,
    )
    if columns not in (3, 4):
        raise InputError(f"a network of points takes 3 columns, or 4 under hierarchical noise; got {columns!r}")
    if found[1] > _WIDEST:
        raise InputError(f"the width of a network of points is at most {_WIDEST:,}, got {width:,}")
    return found


class PointNetParts(nn.Module):
    """PointNet (Qi et al. 2017) without its learned turns: points (B, P, C) → logits (B, P, K).

    Every point goes through one perceptron, the maximum over all points says what the shape is, and both together what part
    the point belongs to.

    Args:
        classes: K.
        width: channels of the first layers.
        columns: C, 3 coordinates; 4 under hierarchical noise, where the last column marks noised points.

    Raises:
        InputError: if a number is outside its domain.
    """

    def __init__(self, classes: int, width: int = 64, columns: int = 3) -> None:
        super().__init__()
        self.classes, self.width, self.columns = _sizes(classes, width, columns)
        self.local = _layers((columns, width, width))
        self.whole = _layers((width, 2 * width, 4 * width))
        self.head = _Head(width, 4 * width, 2 * width, classes)

    def forward(self, points: Tensor) -> Tensor:
        """Logits of every point."""
        local = self.local(points)
        result: Tensor = self.head(local, self.whole(local).amax(dim=1))
        return result


class _EdgeLayer(nn.Module):
    """The largest linear map of x_i and x_j − x_i over the neighbours j of i, normalised and rectified."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.own = nn.Linear(columns, width, bias=False)
        self.other = _Layer(columns, width)

    def forward(self, x: Tensor, near: Tensor) -> Tensor:
        theirs = self.other.linear(x)  # of x_j; that of x_i is taken off again
        return self.other.finish(self.own(x) - theirs + _largest(theirs, near))


class EdgeConvParts(nn.Module):
    """Edge convolutions (Wang et al. 2019) over the k nearest neighbours: points (B, P, C) → logits (B, P, K).

    The neighbours are found in every call from the coordinates that it is shown, noise included, and used in every layer.
    A layer maps x_i and x_j − x_i linearly, takes the maximum over the neighbours j of i, and then normalises and rectifies.

    Args:
        classes: K.
        k: neighbours of a point, itself included; all points if there are fewer.
        width: channels of the layers.
        columns: as in `PointNetParts`; distances are those of the first three.

    Raises:
        InputError: if a number is outside its domain.
    """

    def __init__(self, classes: int, k: int = 16, width: int = 48, columns: int = 3) -> None:
        super().__init__()
        self.classes, self.width, self.columns = _sizes(classes, width, columns)
        self.k = whole("k neighbours of a network of points", k, 2)
        self.edges = nn.ModuleList(_EdgeLayer(one, two) for one, two in pairwise((columns, width, width)))
        self.whole = _layers((2 * width, 4 * width))
        self.head = _Head(2 * width, 4 * width, 2 * width, classes)

    def forward(self, points: Tensor) -> Tensor:
        """Logits of every point."""
        near = nearest(points[..., :3], self.k)
        x, found = points, []
        for edges in self.edges:
            x = edges(x, near)
            found.append(x)
        local = torch.cat(found, dim=-1)
        result: Tensor = self.head(local, self.whole(local).amax(dim=1))
        return result


def nearest(points: Tensor, k: int) -> Tensor:
    """(B, P, k) the nearest points of each, itself included; all of them if P < k.

    Distances are summed coordinate by coordinate, so that they do not depend on the size of the batch; those of some points
    at a time are in memory.
    """
    batch, size, columns = points.shape
    rows, found = max(1, _PAIRS // (batch * size)), []
    for first in range(0, size, rows):
        squared = torch.zeros(())
        for c in range(columns):
            squared = squared + (points[:, first : first + rows, None, c] - points[:, None, :, c]) ** 2
        found.append(squared.topk(min(k, size), dim=-1, largest=False, sorted=False).indices)
    return torch.cat(found, dim=1)


def _largest(x: Tensor, near: Tensor) -> Tensor:
    """(B, P, C) the maximum over the neighbours (B, P, k) of each point."""
    batch, points, columns = x.shape
    start = torch.arange(batch, device=x.device)[:, None, None] * points
    gathered = x.reshape(-1, columns).index_select(0, (near + start).reshape(-1))
    return gathered.reshape(batch, points, -1, columns).amax(dim=2)


NETWORKS: dict[str, type[PointNetParts] | type[EdgeConvParts]] = {"pointnet": PointNetParts, "edgeconv": EdgeConvParts}
"""The networks that can be trained here, by name."""
