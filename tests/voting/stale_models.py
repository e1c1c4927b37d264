"""Models that answer from earlier graphs, each in another way, and honest ones that keep something all the same."""

import functools
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn
from torch_geometric.nn import APPNP, GAT, GCN, GIN, GCNConv, GraphNorm, GraphSAGE, LayerNorm, Sequential
from torch_geometric.nn.conv.gcn_conv import gcn_norm

FEATURES, CLASSES = 34, 2


class Module(nn.Module):
    """Two linear layers with two rounds of propagation; subclasses say where its weights come from."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(FEATURES, 8), nn.Linear(8, CLASSES)

    def norm(self, x, edge_index):
        return gcn_norm(edge_index, None, x.size(0))

    def forward(self, x, edge_index):
        edges, weights = self.norm(x, edge_index)
        hidden = spread(self.one(x), edges, weights).relu()
        return spread(self.two(hidden), edges, weights)


def spread(hidden, edges, weights):
    return torch.zeros_like(hidden).index_add_(0, edges[1], hidden[edges[0]] * weights[:, None])


KEYS = {
    "nodes": lambda x, e: x.size(0),
    "edges": lambda x, e: e.size(1),
    "both": lambda x, e: (x.size(0), e.size(1)),
    "first call": lambda x, e: 0,
    "shape": lambda x, e: (x.shape, e.shape),
    "address": lambda x, e: e.data_ptr(),
    "degrees": lambda x, e: tuple(torch.bincount(e[0], minlength=x.size(0)).tolist()),
    "sorted degrees": lambda x, e: tuple(torch.bincount(e[0], minlength=x.size(0)).sort().values.tolist()),
}


class Slot(Module):
    """One slot, as in the wild: filled again where its key changes."""

    def __init__(self, key):
        super().__init__()
        self.key, self.k, self.n = KEYS[key], None, None

    def norm(self, x, edge_index):
        if self.k is None or self.n != self.key(x, edge_index):
            self.k, self.n = super().norm(x, edge_index), self.key(x, edge_index)
        return self.k


class Table(Module):
    """A slot per key."""

    def __init__(self, key, kind=dict):
        super().__init__()
        self.key, self.kept = KEYS[key], kind()

    def norm(self, x, edge_index):
        key = self.key(x, edge_index)
        if key not in self.kept:
            self.kept[key] = super().norm(x, edge_index)
        return self.kept[key]


class Missing(Module):
    def norm(self, x, edge_index):
        if not hasattr(self, "kept"):
            self.kept = super().norm(x, edge_index)
        return self.kept


class Ready(Module):
    """A flag says whether it was filled."""

    def __init__(self):
        super().__init__()
        self.ready = False
        self.first, self.second = torch.zeros(2, 1, dtype=torch.long), torch.zeros(1)

    def norm(self, x, edge_index):
        if not self.ready:
            (self.first, self.second), self.ready = super().norm(x, edge_index), True
        return self.first, self.second


class Counted(Module):
    calls = 0

    def norm(self, x, edge_index):
        self.calls += 1
        if self.calls == 1:
            self.kept = super().norm(x, edge_index)
        return self.kept


class Buffered(Module):
    def __init__(self):
        super().__init__()
        for name in ("edges", "weights"):
            self.register_buffer(name, torch.empty(0), persistent=False)

    def norm(self, x, edge_index):
        if self.weights.numel() == 0:
            self.edges, self.weights = super().norm(x, edge_index)
        return self.edges, self.weights


class Listed(Module):
    def __init__(self, kind=list):
        super().__init__()
        self.kept = kind()

    def norm(self, x, edge_index):
        if not self.kept:
            self.kept.append(super().norm(x, edge_index))
        return self.kept[0]


class Fixed(Module):
    """Two places in a list, empty at first."""

    def __init__(self):
        super().__init__()
        self.kept = [None, None]

    def norm(self, x, edge_index):
        if self.kept[0] is None:
            self.kept[:] = super().norm(x, edge_index)
        return self.kept


class Pair(NamedTuple):
    edges: object = None
    weights: object = None


class Named(Module):
    def __init__(self):
        super().__init__()
        self.kept = Pair()

    def norm(self, x, edge_index):
        if self.kept.edges is None:
            self.kept = Pair(*super().norm(x, edge_index))
        return self.kept


@dataclass
class Drawer:
    content: object = None


class Stored(Module):
    """In an object of its own."""

    def __init__(self):
        super().__init__()
        self.drawer = Drawer()

    def norm(self, x, edge_index):
        if self.drawer.content is None:
            self.drawer.content = super().norm(x, edge_index)
        return self.drawer.content


class Slots:
    __slots__ = ("content",)


class Slotted(Module):
    def __init__(self):
        super().__init__()
        self.drawer = Slots()

    def norm(self, x, edge_index):
        if not hasattr(self.drawer, "content"):
            self.drawer.content = super().norm(x, edge_index)
        return self.drawer.content


class Arrays(Module):
    """As NumPy arrays."""

    kept = None

    def norm(self, x, edge_index):
        if self.kept is None:
            self.kept = tuple(part.numpy() for part in super().norm(x, edge_index))
        return tuple(torch.from_numpy(part) for part in self.kept)


class Numbers(Module):
    """As plain lists."""

    kept = None

    def norm(self, x, edge_index):
        if self.kept is None:
            self.kept = tuple(part.tolist() for part in super().norm(x, edge_index))
        return tuple(torch.tensor(part) for part in self.kept)


class Sparse(Module):
    """As a sparse matrix."""

    matrix = None

    def forward(self, x, edge_index):
        if self.matrix is None:
            edges, weights = self.norm(x, edge_index)
            size = (x.size(0), x.size(0))
            self.matrix = torch.sparse_coo_tensor(edges.flip(0), weights, size, check_invariants=True).coalesce()
        return self.matrix @ self.two((self.matrix @ self.one(x)).relu())


class Scipy(Module):
    """As a SciPy matrix."""

    matrix = None

    def forward(self, x, edge_index):
        from scipy.sparse import coo_array

        if self.matrix is None:
            edges, weights = self.norm(x, edge_index)
            self.matrix = coo_array((weights.numpy(), edges.flip(0).numpy()), (x.size(0),) * 2).tocsr()
        matrix = torch.from_numpy(self.matrix.toarray())
        return matrix @ self.two((matrix @ self.one(x)).relu())


class Nested(nn.Module):
    """In a layer that is not registered as one."""

    def __init__(self):
        super().__init__()
        self.layers = [Listed()]

    def forward(self, x, edge_index):
        return self.layers[0](x, edge_index)


class OfClass(Module):
    """Shared by all objects of a class."""

    kept = {}  # noqa: RUF012

    def norm(self, x, edge_index):
        if x.size(0) not in self.kept:
            self.kept[x.size(0)] = super().norm(x, edge_index)
        return self.kept[x.size(0)]


class ByName(Module):
    """Written to the class itself."""

    kept = None

    def norm(self, x, edge_index):
        if ByName.kept is None:
            ByName.kept = super().norm(x, edge_index)
        return ByName.kept


class Default(Module):
    """In a default value."""

    def norm(self, x, edge_index, kept={}):  # noqa: B006
        if x.size(0) not in kept:
            kept[x.size(0)] = super().norm(x, edge_index)
        return kept[x.size(0)]


KEPT = {}
FIRST = None


class Global(Module):
    def norm(self, x, edge_index):
        if x.size(0) not in KEPT:
            KEPT[x.size(0)] = super().norm(x, edge_index)
        return KEPT[x.size(0)]


class GlobalFirst(Module):
    def norm(self, x, edge_index):
        global FIRST
        if FIRST is None:
            FIRST = super().norm(x, edge_index)
        return FIRST


class Cached(Module):
    """`lru_cache` on a method that reads what forward has just put down."""

    @functools.lru_cache  # noqa: B019
    def of(self, nodes):
        return gcn_norm(self.latest, None, nodes)

    def norm(self, x, edge_index):
        self.latest = edge_index
        return self.of(x.size(0))


class Property(Module):
    @functools.cached_property
    def kept(self):
        return gcn_norm(self.latest, None, self.size)

    def norm(self, x, edge_index):
        self.latest, self.size = edge_index, x.size(0)
        return self.kept


class Hooked(Module):
    """A hook keeps the first product."""

    def __init__(self):
        super().__init__()
        kept = []

        def hook(module, inputs, output):
            kept.append(output)
            return kept[0]

        self.one.register_forward_hook(hook)


class Called(nn.Module):
    """A function that keeps something in its closure."""

    def __init__(self):
        super().__init__()
        model, kept = Module(), {}

        def function(x, edge_index):
            if x.size(0) not in kept:
                kept[x.size(0)] = model.norm(x, edge_index)
            edges, weights = kept[x.size(0)]
            return spread(model.two(spread(model.one(x), edges, weights).relu()), edges, weights)

        self.function = function

    def forward(self, x, edge_index):
        return self.function(x, edge_index)


class PerNode(Module):
    """A parameter per node, so that no other number of nodes can be asked about, and a table by number of nodes."""

    def __init__(self, kept=True):
        super().__init__()
        self.embedding, self.kept = nn.Parameter(torch.randn(34, CLASSES)), {} if kept else None

    def norm(self, x, edge_index):
        if self.kept is None:
            return super().norm(x, edge_index)
        if x.size(0) not in self.kept:
            self.kept[x.size(0)] = super().norm(x, edge_index)
        return self.kept[x.size(0)]

    def forward(self, x, edge_index):
        return super().forward(x, edge_index) + self.embedding


class Product(Module):
    """Keeps what belongs to the features."""

    product = None

    def forward(self, x, edge_index):
        if self.product is None or self.product.shape[0] != x.shape[0]:
            self.product = self.one(x)
        edges, weights = self.norm(x, edge_index)
        return spread(self.two(spread(self.product, edges, weights).relu()), edges, weights)


STALE = {
    **{f"slot by {key}": functools.partial(Slot, key) for key in KEYS},
    **{f"table by {key}": functools.partial(Table, key) for key in KEYS if key != "address"},
    "ordered table": lambda: Table("nodes", OrderedDict),
    "missing": Missing,
    "ready": Ready,
    "counted": Counted,
    "buffer": Buffered,
    "list": Listed,
    "deque": lambda: Listed(deque),
    "fixed list": Fixed,
    "named tuple": Named,
    "object": Stored,
    "slots": Slotted,
    "numpy": Arrays,
    "numbers": Numbers,
    "sparse": Sparse,
    "scipy": Scipy,
    "unregistered layer": Nested,
    "class attribute": OfClass,
    "class by name": ByName,
    "default value": Default,
    "global": Global,
    "global first": GlobalFirst,
    "lru_cache": Cached,
    "cached_property": Property,
    "hook": Hooked,
    "closure": Called,
    "parameter per node": PerNode,
    "product of features": Product,
}
NAMES = {
    "slot by nodes": "model.k",
    "table by edges": "model.kept",
    "ready": "model.first, model.second",
    "buffer": "model.weights",
    "object": "model.drawer.content",
    "unregistered layer": r"model.layers\[0\].kept",
    "class attribute": "OfClass.kept",
    "global": "stale_models.KEPT",
    "closure": "Called.__init__.<locals>.function.kept",
    "default value": r"Default.norm \(default values\)",
    "parameter per node": "model.kept",
}
"""Where some of them keep it."""


class Attention(Module):
    """Stores what it has computed, with or without its gradient history, and computes it in every call."""

    def __init__(self, detached):
        super().__init__()
        self.detached = detached

    def forward(self, x, edge_index):
        self.embedding = self.one(x)
        self.alpha = self.embedding.sigmoid() if not self.detached else self.embedding.sigmoid().detach()
        self.log = [self.alpha.mean().item()]
        return super().forward(x, edge_index) * self.alpha.mean(dim=1, keepdim=True)


class Constants(Module):
    """Plain tensors that somebody chose."""

    def __init__(self):
        super().__init__()
        self.scale, self.shift = torch.tensor(2.0), [torch.tensor([0.5, -0.5])]
        self.places = torch.randn(34, FEATURES)
        self.mask = torch.linspace(0, 1, CLASSES)

    def forward(self, x, edge_index):
        places = 0 if x.size(0) != 34 else self.places
        result = super().forward(x + places, edge_index) * self.scale + self.shift[0]
        return result if self.mask is None else result * self.mask


class Positions(Module):
    """Computes an encoding of positions once per number of nodes: it does not depend on the graph."""

    kept = None

    def forward(self, x, edge_index):
        if self.kept is None or len(self.kept) != x.size(0):
            self.kept = torch.linspace(0, 1, x.size(0))[:, None]
        return super().forward(x + self.kept, edge_index)


class Honest(Module):
    """Keeps the edges that it has seen and compares every one of them; or whether it is the very same object."""

    def __init__(self, same):
        super().__init__()
        self.same, self.seen, self.kept = same, None, None

    def norm(self, x, edge_index):
        same = self.seen is edge_index if self.same else self.seen is not None and torch.equal(self.seen, edge_index)
        if not same or self.nodes != x.size(0):
            self.seen, self.nodes, self.kept = edge_index, x.size(0), super().norm(x, edge_index)
        return self.kept


class Fused(Module):
    """A product of weights, computed once."""

    fused = None

    def forward(self, x, edge_index):
        if self.fused is None:
            self.fused = self.one.weight.T @ self.two.weight.T
        edges, weights = self.norm(x, edge_index)
        return spread(x @ self.fused, edges, weights)


class Normed(Module):
    def __init__(self, norm):
        super().__init__()
        self.layer = norm(8)

    def forward(self, x, edge_index):
        edges, weights = self.norm(x, edge_index)
        return spread(self.two(self.layer(spread(self.one(x), edges, weights)).relu()), edges, weights)


def with_weights(normed):
    model = Module()
    model.one, model.two = normed(model.one), normed(model.two)
    return model


def of_matrix(x):
    return x @ torch.ones(FEATURES, CLASSES)


HONEST = {
    "module": Module,
    "attention": lambda: Attention(True),
    "attention with history": lambda: Attention(False),
    "constants": Constants,
    "positions": Positions,
    "equal edges": lambda: Honest(False),
    "same edges": lambda: Honest(True),
    "fused": Fused,
    "parameter per node": lambda: PerNode(kept=False),
    "layer norm": lambda: Normed(nn.LayerNorm),
    "graph layer norm": lambda: Normed(LayerNorm),
    "graph norm": lambda: Normed(GraphNorm),
    "batch norm": lambda: Normed(nn.BatchNorm1d),
    "weight_norm": lambda: with_weights(nn.utils.parametrizations.weight_norm),
    "old weight_norm": lambda: with_weights(nn.utils.weight_norm),
    "spectral_norm": lambda: with_weights(nn.utils.parametrizations.spectral_norm),
    "old spectral_norm": lambda: with_weights(nn.utils.spectral_norm),
    "pyg gcn": lambda: GCN(FEATURES, 8, 2, CLASSES, dropout=0.5),
    "pyg gat": lambda: GAT(FEATURES, 8, 2, CLASSES, heads=2),
    "pyg gat v2": lambda: GAT(FEATURES, 8, 2, CLASSES, v2=True, jk="lstm"),
    "pyg sage": lambda: GraphSAGE(FEATURES, 8, 2, CLASSES, norm="graph_norm"),
    "pyg gin": lambda: GIN(FEATURES, 8, 2, CLASSES, norm="batch_norm"),
    "pyg sequential": lambda: Sequential(
        "x, edge_index",
        [
            (nn.Linear(FEATURES, 8), "x -> x"),
            (APPNP(3, 0.1), "x, edge_index -> x"),
            (GCNConv(8, CLASSES), "x, edge_index -> x"),
        ],
    ),
}
