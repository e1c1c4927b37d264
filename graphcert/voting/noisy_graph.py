"""A clean graph and its sampler; and graphs that a cache would confuse with it."""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from graphcert.core.features import bits_of_normalised, packed, plain_features
from graphcert.core.reading import check_memory
from graphcert.data import check_binary_features, check_edges, check_features
from graphcert.data.feature_tensors import dense_tensor, feature_tensor_of, widened
from graphcert.errors import DataError, InputError
from graphcert.models.base import edge_rows, feature_tensor, sparse_features
from graphcert.noise import Scheme, as_scheme
from graphcert.sampling.edge_values import CarriedValues
from graphcert.sampling.philox import CHECK
from graphcert.sampling.sampler import Sampler
from graphcert.voting.cache_detection import Input, Pair

_DENSE = "the dense features that this model needs,"


@dataclass(frozen=True)
class Problem:
    """A clean graph and the sampler around it.

    Attributes:
        x: (N, D) clean features, float32, on the CPU, dense or as sparse CSR rows as they were given; under hierarchical
            noise (N, D + 1), and no row is marked.
        sampler: draws noisy versions of it.
        classes: (least, most) number of classes that a model of these data can have; most is None if unknown.
        carried: what a model is shown of the edges beside their ends.
        room: bytes of first products and local graphs that a thread holds before it takes the rest of the views in another
            pass; they never change a vote.
    """

    x: Tensor
    sampler: Sampler
    classes: tuple[int, int | None]
    carried: CarriedValues
    room: int = 2**30

    @cached_property
    def members(self) -> list[NDArray[np.int64]]:
        """The nodes that vote in each view of the sampler."""
        views = self.sampler.views
        return [np.flatnonzero(views.of_node == view) for view in range(views.count)]

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return self.sampler.nodes

    @property
    def draws_sparse_rows(self) -> bool:
        """Whether noisy features can be drawn as sparse rows: they were given so, and noise leaves zeros."""
        return self.x.layout is not torch.strided and not self.sampler.dense

    @cached_property
    def dense_x(self) -> Tensor:
        """`x` as a dense tensor, for what cannot take sparse rows; `DataError` if there is no memory for it."""
        return dense_tensor(self.x, _DENSE)

    def check_dense(self, copies: int = 1) -> None:
        """Raise `DataError` if the features are sparse, and there is no memory for so many dense copies of them."""
        if self.x.layout is not torch.strided:
            nodes, columns = self.x.shape
            check_memory(4 * copies * nodes * columns, f"{_DENSE} of {copies} × {nodes:,} nodes, {columns:,} each,")

    @property
    def smoothing(self) -> Scheme:
        """The scheme, which says what it found of the graph's edges."""
        return self.sampler.smoothing

    @classmethod
    def of(
        cls, data: Any, smoothing: Scheme, seed: int, ignore: str | Sequence[str] = (), takes: Sequence[str] = ()
    ) -> "Problem":
        """Check `data` (anything with `x` and `edge_index`) and prepare it.

        `ignore` names what the caller leaves out, and `takes` what the model is shown beside x and edge_index.

        Raises:
            DataError: for features or edges that the guarantee does not speak about, or attributes that would be left out.
            InputError: if `smoothing` is none or misstates what edges carry, or `ignore` names what the data do not
                have.
        """
        smoothing = as_scheme(smoothing)
        x, edge_index = getattr(data, "x", None), getattr(data, "edge_index", None)
        if not isinstance(x, Tensor) or not isinstance(edge_index, Tensor):
            raise DataError(
                "the data need tensors x (N, D) and edge_index (2, 2E), as torch_geometric.data.Data has them; give nodes "
                "without features identity features, data.x = torch.eye(data.num_nodes)"
            )
        left_out = ignored(ignore)
        _refuse_left_out(data, left_out, takes)
        (check_binary_features if smoothing.flips_features else check_features)(x)
        if x.shape[0] == 0:
            raise DataError("the graph has no nodes; give one that has some")
        if x.shape[1] == 0:
            raise DataError("the nodes have no features (D = 0); give them identity features, data.x = torch.eye(N)")
        x = feature_tensor_of(plain_features(x))
        directed = check_edges(edge_index, x.shape[0])
        carried = CarriedValues.of(data, [name for name in takes if name not in left_out], smoothing)
        smoothing = smoothing.on_graph(directed, carried.kind)
        edges = edge_rows(edge_index, x.shape[0], smoothing.directed)
        sampler = Sampler(sparse_features(x), x.shape[1], edges, smoothing, seed)
        return cls(widened(x, sampler.columns), sampler, _classes(data), carried)


def without_normalisation(data: Any, smoothing: Scheme) -> Any | None:
    """The same data with the bits whose rows were normalised to give x; None if x holds anything else or is not flipped."""
    x = getattr(data, "x", None)
    if not smoothing.flips_features or not isinstance(x, Tensor) or x.dim() != 2:
        return None
    bits = bits_of_normalised(plain_features(x))
    if bits is None:
        return None
    data = copy.copy(data)
    data.x = feature_tensor_of(bits)
    return data


LEFT_OUT = ("edge_weight", "edge_attr", "edge_type", "adj_t", "batch")
"""What models of torch_geometric take besides x and edge_index, and do without where it is not given."""


def ignored(ignore: str | Sequence[str]) -> tuple[str, ...]:
    """The names in `ignore`, in order."""
    names = (ignore,) if isinstance(ignore, str) else tuple(ignore) if isinstance(ignore, Iterable) else (ignore,)
    for name in names:
        if not isinstance(name, str):
            raise InputError(f"ignore takes names of attributes of the data, such as ('edge_weight',), got {name!r}")
    return tuple(sorted(set(names)))


def _refuse_left_out(data: Any, names: Sequence[str], takes: Sequence[str]) -> None:
    """Raise `DataError` for an attribute that belongs to the classifier but that the model does not take.

    `names` are those that may be left out.
    """
    for name in names:
        if getattr(data, name, None) is None:
            raise InputError(f"ignore names {name!r}, which the data do not have; leave it out")
    for name in LEFT_OUT:
        value = getattr(data, name, None)
        one_graph = name == "batch" and isinstance(value, Tensor) and not bool(value.any())
        if value is not None and name not in names and name not in takes and not one_graph:
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


Edges = NDArray[np.int64]
"""(2, E) undirected edges, each once, or directed ones (target, source)."""


def lookalikes(problem: Problem) -> list[Pair]:
    """Pairs of inputs (x, edge_index, …) for `refuse_memory`, with what their edges carry.

    The first pair has the nodes, the number of edges and the degrees of the clean graph, relabelled, and features that
    noise could show; its two graphs agree node by node in their degrees where edges can be exchanged so. The second pair has
    another number of edges, and the third, where there is room, about half as many nodes; their graphs are isomorphic.
    """
    rng = np.random.default_rng(0)
    nodes, clean = problem.nodes, problem.sampler.clean_edges
    edges = np.stack([np.repeat(np.arange(nodes), np.diff(clean.indptr)), clean.indices]).astype(np.int64)
    first = rng.permutation(nodes)[edges]
    exchanged = _exchanged(first, nodes, rng)
    second = rng.permutation(nodes)[edges] if exchanged is None else exchanged
    most, number = nodes * (nodes - 1) // 2, edges.shape[1]
    more = min(most, number + max(2, nodes // 4))
    other = _random(nodes, more if more > number else max(0, min(number, most) - 1), rng)
    pairs = [(first, second, nodes), (other, rng.permutation(nodes)[other], nodes)]
    if nodes > 1:
        few = nodes // 2
        small = _random(few, min(number, few * (few - 1) // 2), rng)
        pairs.append((small, rng.permutation(few)[small], few))
    directed = problem.smoothing.directed
    shown: list[Input] = []
    for sample, (edges, size) in enumerate((edges, size) for one, two, size in pairs for edges in (one, two)):
        listed = _by_target(edges[::-1] if directed else np.concatenate([edges, edges[::-1]], axis=1))
        carried = problem.carried.made_up(listed.shape[1], rng)
        shown.append((_features(problem, sample, size, rng), listed, *carried))
    return list(zip(shown[::2], shown[1::2], strict=True))


def beside_strangers(problem: Problem, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A union of a star with all features one, a given graph, and as many nodes without edges and with features zero."""
    nodes, (x, edge_index, *carried) = problem.nodes, given
    leaves = torch.arange(1, nodes, device=edge_index.device)
    star = torch.stack([torch.cat([leaves, 0 * leaves]), torch.cat([0 * leaves, leaves])])
    values = map(torch.from_numpy, problem.carried.made_up(star.shape[1], np.random.default_rng(0)))
    union = torch.cat([torch.ones_like(x), x, torch.zeros_like(x)]), torch.cat([star, edge_index + nodes], dim=1)
    return *union, *(torch.cat([one, other]) for one, other in zip(values, carried, strict=True))


def _features(problem: Problem, sample: int, nodes: int, rng: np.random.Generator) -> NDArray[Any]:
    """Noisy features of so many nodes, their rows in another order; sparse ones as `packed`, of equal size in a pair."""
    sampler = problem.sampler
    if problem.draws_sparse_rows:
        drawn = feature_tensor(sampler.features(CHECK, sample // 2, sampler.workspace()), sampler.columns)
        return packed(csr_array(plain_features(drawn))[rng.permutation(nodes)])
    x = problem.dense_x.numpy()
    if sampler.noisy_features:
        x = np.zeros_like(x)
        sampler.fill_features(CHECK, sample, sampler.workspace(), 0, x)
    rows: NDArray[np.float32] = x[rng.permutation(len(x))[:nodes]]
    return rows


def _keys(edges: Edges, nodes: int) -> Edges:
    keys: Edges = np.minimum(*edges) * nodes + np.maximum(*edges)
    return keys


def _exchanged(edges: Edges, nodes: int, rng: np.random.Generator) -> Edges | None:
    """Edges {a, b}, {c, d} become {a, d}, {c, b} wherever that is a simple graph; None if it is nowhere."""
    half = edges.shape[1] // 2
    order = rng.permutation(edges.shape[1])
    one, two = edges[:, order[:half]], edges[:, order[half : 2 * half]]
    new = np.stack([np.stack([one[0], two[1]]), np.stack([two[0], one[1]])])
    keys = np.stack([_keys(pair, nodes) for pair in new])
    values, counts = np.unique(np.concatenate([_keys(edges, nodes), keys.ravel()]), return_counts=True)
    fresh = (counts[np.searchsorted(values, keys)] == 1).all(axis=0) & (new[:, 0] != new[:, 1]).all(axis=0)
    if not fresh.any():
        return None
    rest = np.concatenate([order[:half][~fresh], order[half : 2 * half][~fresh], order[2 * half :]])
    return np.concatenate([*new[:, :, fresh], edges[:, rest]], axis=1)


def _random(nodes: int, number: int, rng: np.random.Generator) -> Edges:
    """So many different edges."""
    if nodes * (nodes - 1) // 2 <= 4 * number:
        every = np.stack(np.triu_indices(nodes, 1)).astype(np.int64)
        return every[:, rng.permutation(every.shape[1])[:number]]
    chosen = np.empty(0, np.int64)
    while chosen.size < number:
        drawn = rng.integers(0, nodes, (2, 2 * number))
        chosen = np.unique(np.concatenate([chosen, _keys(drawn[:, drawn[0] != drawn[1]], nodes)]))
    return np.stack(np.divmod(rng.permutation(chosen)[:number], nodes))


def _by_target(edges: Edges) -> Edges:
    """The same edge_index, grouped by target as noisy graphs are."""
    return edges[:, np.lexsort(edges)]
