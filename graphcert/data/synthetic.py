"""Contextual stochastic block model (Deshpande et al. 2018), with binary features as in citation graphs."""

from typing import SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arguments import real, whole
from graphcert.data.raw import MAX_DENSE_BYTES, RawGraph
from graphcert.errors import InputError

Indices = NDArray[np.int64]

_STREAM = 2  # separates these random numbers from those of a split with the same seed
_ROWS_AT_ONCE = 1 << 16


def synthetic_graph(
    seed: SupportsIndex = 0, *, nodes: SupportsIndex = 1000, classes: SupportsIndex = 4, features: SupportsIndex = 64,
    degree: SupportsFloat = 8.0, homophily: SupportsFloat = 0.8,
    present: SupportsFloat = 0.25, background: SupportsFloat = 0.05,
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

    Raises:
        InputError: if an argument is outside its domain, or `degree` asks for more edges than there are pairs.
    """
    total, kinds = whole("nodes", nodes), whole("classes", classes, at_least=2)
    width = whole("features", features, at_least=1)
    if total < 2 * kinds:
        raise InputError(f"nodes must be at least twice the {kinds} classes, got {total}")
    if 4 * total * width > MAX_DENSE_BYTES:
        allowed = MAX_DENSE_BYTES // 2**30
        raise InputError(f"{total} nodes with {width} dense features pass {allowed} GiB; lower features")
    generator = np.random.default_rng([whole("seed", seed), _STREAM])
    labels = generator.permutation(np.arange(total) % kinds)
    sizes = np.bincount(labels)
    within, between = _densities(sizes, real("degree", degree, 0), real("homophily", homophily, 0, 1))
    edges = _edges(generator, labels, within, between)
    own = np.arange(width) % kinds == np.arange(kinds)[:, None]
    chances = (np.float32(real("present", present, 0, 1)), np.float32(real("background", background, 0, 1)))
    topics = np.where(own, *chances)
    return RawGraph(_bits(generator, topics, labels), edges, labels, classes=kinds)


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


def _bits(generator: np.random.Generator, topics: NDArray[np.float32], labels: Indices) -> NDArray[np.float32]:
    """Independent bits (N, D) with the probabilities of each node's class, a slice of rows at a time to save memory."""
    bits = np.empty((len(labels), topics.shape[1]), np.float32)
    for start in range(0, len(labels), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        chance = topics[labels[rows]]
        bits[rows] = generator.random(chance.shape, dtype=np.float32) < chance
    return bits


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
