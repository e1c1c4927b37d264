"""Random graphs with local structure: who may be joined is near, on a ring, on a grid or in one of planted communities.

The classes and the degree are those of the stochastic block model: pairs are joined independently, with probabilities that
depend on whether they are near and of the same class. Nodes that are near have numbers that are near, so that shares of
consecutive nodes, `partition_graph(data, clusters, "consecutive")`, are arcs, patches or unions of communities.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from math import ceil, isqrt
from typing import NamedTuple, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arguments import real, whole
from graphcert.errors import InputError

Indices = NDArray[np.int64]
Pairs = tuple[Indices, Indices]

GEOMETRIES = ("ring", "grid", "blocks")


class Drawn(NamedTuple):
    """Labels (N,) and the edges (2, E), each once."""

    labels: Indices
    edges: Indices


def ring(
    generator: np.random.Generator, nodes: int, classes: int, degree: float, homophily: float, reach: SupportsIndex | None
) -> Drawn:  # fmt: skip
    """Nodes on a circle in the order of their numbers; those at most `reach` steps apart may be joined.

    Classes take turns on arcs of about `reach` nodes. By default `reach` is twice the degree, rounded up, so that about a
    quarter of the near pairs are joined.
    """
    most = max(1, ceil(2 * degree)) if reach is None else whole("reach", reach, 1)
    if nodes <= 2 * most:
        raise InputError(f"a ring of {nodes} nodes is too small for a reach of {most}; lower reach or degree")
    place, arcs = np.arange(nodes), classes * max(1, nodes // (classes * most))
    labels = place * arcs // nodes % classes

    def near() -> Iterator[Pairs]:
        return ((place, (place + step) % nodes) for step in range(1, most + 1))

    return Drawn(labels, _joined(generator, labels, near, degree, homophily))


def grid(
    generator: np.random.Generator, nodes: int, classes: int, degree: float, homophily: float, reach: SupportsIndex | None
) -> Drawn:  # fmt: skip
    """Nodes on a square grid, whose last row may be short; those at most `reach` rows and columns apart may be joined.

    Classes take turns on square tiles of twice `reach` rows and columns. By default `reach` is the smallest one with four
    times as many near nodes as the degree. Nodes are numbered along a Hilbert curve.
    """
    least = max(1, ceil((np.sqrt(4 * degree + 1) - 1) / 2))
    most, side = least if reach is None else whole("reach", reach, 1), isqrt(nodes - 1) + 1
    row, column = np.divmod(np.arange(nodes), side)
    turn = 1 if classes == 2 else 2  # tiles that touch at a side differ
    labels = (row // (2 * most) + turn * (column // (2 * most))) % classes
    number = np.empty(nodes, np.int64)
    number[np.argsort(_hilbert(row, column))] = np.arange(nodes)
    own = np.empty(nodes, np.int64)
    own[number] = labels

    def near() -> Iterator[Pairs]:
        for down, right in product(range(most + 1), range(-most, most + 1)):
            if (down, right) > (0, 0):
                first = np.flatnonzero((column + right >= 0) & (column + right < side))
                first = first[first + down * side + right < nodes]
                yield number[first], number[first + down * side + right]

    return Drawn(own, _joined(generator, own, near, degree, homophily))


def blocks(
    generator: np.random.Generator, nodes: int, classes: int, degree: float, homophily: float,
    number: SupportsIndex | None, inside: SupportsFloat | None,
) -> Drawn:  # fmt: skip
    """Equally large communities of consecutive nodes with the share `inside` of the edges, by default 0.9.

    By default there are 50, or fewer in small graphs: 4 · degree + 2 nodes of every class then fit into each.
    Every community has all classes, in random order. Whether an edge stays in its community is independent of whether it
    stays in its class.
    """
    fitting = max(2, min(_BLOCKS, int(nodes // (classes * (4 * degree + 2)))))
    count = whole("blocks", fitting if number is None else number, 1)
    share = real("inside", _INSIDE if inside is None else inside, 0, 1)
    if count > nodes:
        raise InputError(f"{nodes} nodes are too few for {count} blocks; lower blocks")
    block, labels = np.arange(nodes) * count // nodes, generator.permutation(np.arange(nodes) % classes)
    both, everybody = block * classes + labels, np.zeros(nodes, np.int64)
    own, in_block, in_class, in_all = (_pairs(group) for group in (both, block, labels, everybody))
    kinds = (
        (both, True, True, own, share * homophily),
        (block, True, False, in_block - own, share * (1 - homophily)),
        (labels, False, True, in_class - own, (1 - share) * homophily),
        (everybody, False, False, in_all - in_block - in_class + own, (1 - share) * (1 - homophily)),
    )
    found = []
    for group, same_block, same_class, pairs, part in kinds:
        # Pairs are drawn until enough of them are different: above one half that could take for ever.
        edges = int(generator.binomial(pairs, _chance(part * nodes * degree / 2, pairs, 0.5)))

        def drawn(size: int, group: Indices = group, kind: tuple[bool, bool] = (same_block, same_class)) -> Pairs:
            one, other = _within(generator, group, size)
            fits = ((block[one] == block[other]) == kind[0]) & ((labels[one] == labels[other]) == kind[1])
            return one[fits & (one != other)], other[fits & (one != other)]

        found.append(_distinct(drawn, edges, nodes))
    return Drawn(labels, np.concatenate(found, axis=1))


_BLOCKS, _INSIDE = 50, 0.9


def _joined(
    generator: np.random.Generator,
    labels: Indices,
    near: Callable[[], Iterable[Pairs]],
    degree: float,
    homophily: float,
) -> Indices:
    """(2, E): each near pair is joined independently, with one probability within and another one between classes."""
    within = between = 0
    for one, other in near():
        same = int(np.count_nonzero(labels[one] == labels[other]))
        within, between = within + same, between + one.size - same
    edges, found = labels.size * degree / 2, list[Indices]()
    chances = np.array([_chance((1 - homophily) * edges, between, 1.0), _chance(homophily * edges, within, 1.0)])
    for one, other in near():
        chosen = generator.random(one.size) < chances[(labels[one] == labels[other]).astype(int)]
        found.append(np.stack([one[chosen], other[chosen]]))
    return np.concatenate(found, axis=1)


def _chance(edges: float, pairs: int, most: float) -> float:
    """The probability that makes so many of the pairs edges, on average."""
    if edges > most * pairs * (1 + 1e-9):
        raise InputError(
            f"degree and homophily ask for {edges:,.0f} edges among {pairs:,} pairs of one kind, and at most {most:.0%} of "
            f"them can be joined; lower degree, raise reach or lower blocks"
        )
    return min(edges / pairs, most) if pairs else 0.0


def _pairs(group: Indices) -> int:
    """Number of pairs of different nodes of the same group."""
    sizes = np.bincount(group)
    return int((sizes * (sizes - 1) // 2).sum())


def _within(generator: np.random.Generator, group: Indices, size: int) -> Pairs:
    """At most so many pairs of nodes, each uniform among all ordered pairs of the same group, a node with itself too."""
    sizes, order = np.bincount(group), np.argsort(group, kind="stable")
    one = generator.integers(group.size, size=size)
    # Every node is drawn as often as its group is large, and then meets each one of the group equally often.
    one = one[generator.random(size) * sizes.max() < sizes[group[one]]]
    place = (generator.random(one.size) * sizes[group[one]]).astype(np.int64)
    return one, order[(np.cumsum(sizes) - sizes)[group[one]] + place]


def _distinct(drawn: Callable[[int], Pairs], count: int, nodes: int) -> Indices:
    """(2, count) different undirected pairs, the first ones that are drawn: all sets of so many are equally likely."""
    keys = np.empty(0, np.int64)
    while keys.size < count:
        one, other = drawn(max(64, 2 * (count - keys.size)))
        keys = np.concatenate([keys, np.minimum(one, other) * nodes + np.maximum(one, other)])
        keys = keys[np.sort(np.unique(keys, return_index=True)[1])]
    return np.stack(np.divmod(keys[:count], nodes))


def _hilbert(row: Indices, column: Indices) -> Indices:
    """Place of every cell along a Hilbert curve through the smallest square of 2ᵏ rows that holds them."""
    size = 1 << int(max(row.max(), column.max())).bit_length()
    place, step = np.zeros(row.size, np.int64), size // 2
    while step:
        low, right = (row & step) > 0, (column & step) > 0
        place += step * step * ((3 * low.astype(np.int64)) ^ right)
        turned = low & ~right
        row, column = np.where(turned, size - 1 - row, row), np.where(turned, size - 1 - column, column)
        row, column = np.where(right, row, column), np.where(right, column, row)
        step //= 2
    return place
