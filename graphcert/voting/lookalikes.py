"""Pairs of graphs that agree in whatever a cache may be keyed by, and in nothing that a model should read."""

import numpy as np
from numpy.typing import NDArray

from graphcert.sampling.philox import CHECK
from graphcert.voting.history import Pair
from graphcert.voting.problem import Problem

Edges = NDArray[np.int64]
"""(2, E) undirected edges, each once."""


def lookalikes(problem: Problem) -> list[Pair]:
    """Pairs of inputs (x, edge_index) for `refuse_memory`.

    The first pair has the nodes, the number of edges and the degrees of the clean graph, relabelled, and features that
    noise could show; its two graphs agree node by node in their degrees where edges can be exchanged so. The second pair has
    another number of edges, and the third, where there is room, about half as many nodes; their graphs are isomorphic.
    """
    rng = np.random.default_rng(0)
    nodes, clean = problem.nodes, problem.sampler.clean_edges
    edges = np.stack([np.repeat(np.arange(nodes), np.diff(clean.indptr)), clean.indices]).astype(np.int64)
    first = _relabelled(edges, nodes, rng)
    second = _exchanged(first, nodes, rng)
    if second is None:
        second = _relabelled(edges, nodes, rng)
    most, number = nodes * (nodes - 1) // 2, edges.shape[1]
    more = min(most, number + max(2, nodes // 4))
    other = _random(nodes, more if more > number else max(0, number - 1), rng)
    pairs = [(first, second, nodes), (other, _relabelled(other, nodes, rng), nodes)]
    if nodes > 1:
        few = nodes // 2
        small = _random(few, min(number, few * (few - 1) // 2), rng)
        pairs.append((small, _relabelled(small, few, rng), few))
    show = _Features(problem, rng)
    return [((show(size), _both_ways(one)), (show(size), _both_ways(two))) for one, two, size in pairs]


class _Features:
    """Noisy features with their rows in another order, a new sample each time."""

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self._problem, self._rng, self._next = problem, rng, 0

    def __call__(self, nodes: int) -> NDArray[np.float32]:
        sampler, x = self._problem.sampler, self._problem.x.numpy()
        if sampler.noisy_features:
            x = np.zeros_like(x)
            sampler.fill_features(CHECK, self._next, sampler.workspace(), 0, x)
            self._next += 1
        rows: NDArray[np.float32] = x[self._rng.permutation(len(x))[:nodes]]
        return rows


def _relabelled(edges: Edges, nodes: int, rng: np.random.Generator) -> Edges:
    return rng.permutation(nodes)[edges]


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


def _both_ways(edges: Edges) -> Edges:
    """(2, 2E) edge_index, grouped by target as noisy graphs are."""
    both = np.concatenate([edges, edges[::-1]], axis=1)
    return both[:, np.lexsort(both)]
