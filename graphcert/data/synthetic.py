"""Contextual stochastic block model (Deshpande et al. 2018), with binary features as in citation graphs."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from graphcert.core.arguments import one_of, real, whole
from graphcert.core.arrays import Mask
from graphcert.core.features import Features
from graphcert.data import geometry as geometry_laws
from graphcert.data.raw import MAX_DENSE_BYTES, RawGraph, placed_features, stays_sparse
from graphcert.errors import InputError

Indices = NDArray[np.int64]

_STREAM = 2  # separates these random numbers from those of a split with the same seed
_ROWS_AT_ONCE = 1 << 16


def synthetic_graph(
    seed: SupportsIndex = 0, *, nodes: SupportsIndex = 1000, classes: SupportsIndex = 4, features: SupportsIndex = 64,
    degree: SupportsFloat = 8.0, homophily: SupportsFloat = 0.8,
    present: SupportsFloat = 0.25, background: SupportsFloat = 0.05, geometry: str | None = None,
    reach: SupportsIndex | None = None, blocks: SupportsIndex | None = None, inside: SupportsFloat | None = None,
) -> RawGraph:  # fmt: skip
    """Draw a graph whose edges and features both depend on the class, with equally large classes in random order.

    Each pair of nodes is joined independently, with one probability within and another one between classes. Bit d of a
    node of class k is 1 with probability `present` if d mod K = k (the words of its topic), else `background`.

    Args:
        seed: whole number ≥ 0; the same seed gives the same graph (with the same version of numpy).
        nodes: N, at least twice the number of classes.
        classes: K ≥ 2.
        features: D ≥ 1.
        degree: expected number of neighbours of a node, averaged over the nodes.
        homophily: expected number of edges within classes over the expected number of all edges, in [0, 1].
        present: probability of a word of the own topic.
        background: probability of any other word.
        geometry: None joins any pairs, "ring" and "grid" near ones, and "blocks" most often those of a planted community;
            near nodes have near numbers. The laws are stated in `graphcert.data.geometry`.
        reach: of a ring or a grid, how many steps, or rows and columns, a neighbour may be away.
        blocks, inside: of blocks, the number of communities, and the share of the edges that stay in theirs.

    Raises:
        InputError: if an argument is outside its domain or belongs to another geometry, or `degree` asks for more edges than
            there are pairs.
    """
    total, kinds = whole("nodes", nodes), whole("classes", classes, at_least=2)
    width = whole("features", features, at_least=1)
    if total < 2 * kinds:
        raise InputError(f"nodes must be at least twice the {kinds} classes, got {total}")
    chances = (np.float32(real("present", present, 0, 1)), np.float32(real("background", background, 0, 1)))
    sparse = _stays_sparse(total, width, float(chances[0] + (kinds - 1) * chances[1]) / kinds)
    generator = np.random.default_rng([whole("seed", seed), _STREAM])
    asked = real("degree", degree, 0), real("homophily", homophily, 0, 1)
    local = {"reach": reach, "blocks": blocks, "inside": inside}
    labels, edges = _structure(generator, total, kinds, asked, geometry, local)
    own = np.arange(width) % kinds == np.arange(kinds)[:, None]
    if geometry is not None:
        return RawGraph(_ones(generator, own, chances, labels), edges, labels, classes=kinds)
    topics = np.where(own, *chances)
    return RawGraph(_bits(generator, topics, labels, sparse), edges, labels, classes=kinds)


def _stays_sparse(nodes: int, width: int, share: float) -> bool:
    """Whether so many features, of which a share is 1, are kept as sparse rows; `InputError` if they are too many."""
    ones = int(share * nodes * width)
    sparse = stays_sparse(nodes, width, ones)
    if (_PER_ONE * ones if sparse else 4 * nodes * width) > MAX_DENSE_BYTES:
        allowed = MAX_DENSE_BYTES // 2**30
        raise InputError(f"{nodes} nodes with {width} features pass {allowed} GiB; lower features")
    return sparse


_PER_ONE = 8
"""Bytes of a one in sparse rows."""


def _structure(
    generator: np.random.Generator, nodes: int, classes: int, asked: tuple[float, float], geometry: str | None,
    local: Mapping[str, Any],
) -> tuple[Indices, Indices]:  # fmt: skip
    """Labels (N,) and edges (2, E) of the degree and the homophily asked for."""
    takes = {None: (), "ring": ("reach",), "grid": ("reach",), "blocks": ("blocks", "inside")}
    if geometry is not None:
        one_of("geometry", geometry, geometry_laws.GEOMETRIES)
    for name, value in local.items():
        if value is not None and name not in takes[geometry]:
            raise InputError(f"a graph with the geometry {geometry} has no {name}; leave {name} out")
    if geometry is None:
        labels = generator.permutation(np.arange(nodes) % classes)
        return labels, _edges(generator, labels, *_densities(np.bincount(labels), *asked))
    draw: Callable[..., geometry_laws.Drawn] = getattr(geometry_laws, geometry)
    return draw(generator, nodes, classes, *asked, *(local[name] for name in takes[geometry]))


def _densities(sizes: Indices, degree: float, homophily: float) -> tuple[float, float]:
    """Edge probabilities within and between classes that give the wanted expected degree and homophily."""
    nodes = int(sizes.sum())
    pairs_within = int((sizes * (sizes - 1) // 2).sum())
    pairs_between = nodes * (nodes - 1) // 2 - pairs_within
    edges = nodes * degree / 2
    within, between = homophily * edges / pairs_within, (1 - homophily) * edges / pairs_between
    if max(within, between) > 1 + 1e-9:
        raise InputError(f"a degree of {degree:g} asks for more edges than {nodes} nodes have pairs; lower degree")
    return min(within, 1.0), min(between, 1.0)  # a complete graph may miss 1 by rounding


def _edges(generator: np.random.Generator, labels: Indices, within: float, between: float) -> Indices:
    """Join every pair independently: a binomial number per pair of classes, then that many distinct pairs at random.

    This is the law of independent pairs exactly, at a cost in proportion to the edges and not to the pairs.
    """
    classes = [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]
    blocks = []
    for first, rows in enumerate(classes):
        pairs = len(rows) * (len(rows) - 1) // 2
        larger, smaller = _triangle(_distinct(generator, pairs, within))
        blocks.append(np.stack([rows[larger], rows[smaller]]))
        for columns in classes[first + 1 :]:
            row, column = np.divmod(_distinct(generator, len(rows) * len(columns), between), len(columns))
            blocks.append(np.stack([rows[row], columns[column]]))
    return np.concatenate(blocks, axis=1)


def _distinct(generator: np.random.Generator, pairs: int, probability: float) -> Indices:
    """A random subset of 0..pairs−1 that holds each number independently with this probability."""
    count = generator.binomial(pairs, probability)
    return generator.choice(pairs, size=count, replace=False, shuffle=False)


def _triangle(numbers: Indices) -> tuple[Indices, Indices]:
    """The pair u > v ≥ 0 with u(u−1)/2 + v = number."""
    larger = ((1 + np.sqrt(1 + 8 * numbers.astype(np.float64))) / 2).astype(np.int64)
    larger += (larger + 1) * larger // 2 <= numbers  # the root may be off by one in its last bit
    larger -= (larger - 1) * larger // 2 > numbers
    return larger, numbers - larger * (larger - 1) // 2


def _bits(generator: np.random.Generator, topics: NDArray[np.float32], labels: Indices, sparse: bool) -> Features:
    """Independent bits (N, D) with the probabilities of each node's class, a slice of rows at a time to save memory."""
    parts = list[Any]()
    for start in range(0, len(labels), _ROWS_AT_ONCE):
        chance = topics[labels[start : start + _ROWS_AT_ONCE]]
        drawn = (generator.random(chance.shape, dtype=np.float32) < chance).astype(np.float32)
        parts.append(csr_array(drawn) if sparse else drawn)
    return csr_array(vstack(parts)) if sparse else np.concatenate(parts)


def _ones(generator: np.random.Generator, own: Mask, chances: Iterable[SupportsFloat], labels: Indices) -> Features:
    """Bits of the same law, from the gaps between ones: at a cost in proportion to these and not to all bits."""
    rows, columns = list[Indices](), list[Indices]()
    for label, topic in enumerate(own):
        members = np.flatnonzero(labels == label)
        for words, chance in zip((np.flatnonzero(topic), np.flatnonzero(~topic)), chances, strict=True):
            places = _places(generator, members.size * words.size, float(chance))
            rows.append(members[places // max(1, words.size)])
            columns.append(words[places % max(1, words.size)])
    row, column = np.concatenate(rows), np.concatenate(columns)
    return placed_features((labels.size, own.shape[1]), row, column, np.ones(row.size, np.float32))


def _places(generator: np.random.Generator, bits: int, chance: float) -> Indices:
    """Where the ones are among so many independent bits."""
    found, last = list[Indices](), -1
    while chance > 0 and last < bits:
        left = (bits - last) * chance
        gaps = generator.geometric(chance, size=int(left + 5 * np.sqrt(left)) + 16)
        found.append(last + np.cumsum(np.minimum(gaps, bits + 1)))
        last = int(found[-1][-1])
    places = np.concatenate(found) if found else np.empty(0, np.int64)
    return np.asarray(places[places < bits])


def digits_graph(*, neighbours: SupportsIndex = 5, threshold: SupportsIndex = 8) -> RawGraph:
    """Nodes are 8×8 images, features are their 64 binarised pixels, edges join similar images, labels are the digits.

    Args:
        neighbours: every image is joined to this many nearest others, 1 to 1,796. With the default a node has
            7.0 neighbours on average, and 97 % of the edges join equal digits.
        threshold: pixels (0 to 16) of at least this darkness become 1, from 1 to 16; the default is half of the range.

    Distances are squared Euclidean distances of the grey pixels, exact in integers; of equally near images the earlier
    one counts, so the graph is the same on every machine.

    Raises:
        InputError: if an argument is outside its domain.
    """
    from sklearn.datasets import load_digits  # slow to import, and needed by this data set only

    count, darkness = whole("neighbours", neighbours, at_least=1), whole("threshold", threshold, at_least=1)
    pixels, labels = load_digits(return_X_y=True)
    nodes = len(labels)
    if count >= nodes or darkness > 16:
        raise InputError(f"neighbours must be below {nodes} and threshold at most 16, got {count} and {darkness}")
    squares = (pixels**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * (pixels @ pixels.T)  # whole numbers below 2^53: exact
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :count]
    edges = np.stack([np.repeat(np.arange(nodes), count), nearest.ravel()])
    return RawGraph((pixels >= darkness).astype(np.float32), edges, labels.astype(np.int64), classes=10)
