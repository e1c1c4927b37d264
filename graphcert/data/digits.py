"""The embedded data set: scikit-learn's 1,797 handwritten digits as a nearest-neighbour graph; no download."""

from typing import SupportsIndex

import numpy as np

from graphcert.core.arguments import whole
from graphcert.data.raw import RawGraph
from graphcert.errors import InputError


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
