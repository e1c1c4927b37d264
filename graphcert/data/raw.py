"""A graph as it was read or generated: dense features, edges in any direction, labels; nothing is standardised yet."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError

MAX_DENSE_BYTES = 8 * 2**30
"""Features are kept dense in float32; a file that asks for more than this is refused instead of exhausting memory."""


def check_dense_size(rows: int, columns: int) -> None:
    """Raise `DataError` if a dense float32 matrix of this size would pass `MAX_DENSE_BYTES`."""
    if 4 * rows * columns > MAX_DENSE_BYTES:
        raise DataError(
            f"{rows:,} nodes with {columns:,} features each do not fit into the {MAX_DENSE_BYTES // 2**30} GiB allowed "
            f"for dense features; use fewer features"
        )


@dataclass(frozen=True, eq=False)
class RawGraph:
    """Features (N, D) finite float32, edges (2, E) int64, labels (N,) int64 in 0..K−1 or −1 for a node without a label.

    Edges may still be directed, repeated or loops; features may still be real. `weighted` says that the source gave
    some edge a weight other than 1, which is not kept. `featureless` says that the source has no features, not even a
    table without columns: then `features` is (N, 0) until `with_identity` fills it. `masks` are the training, validation
    and test nodes that the source names: (3, N), or (3, N, S) for S splits.

    Raises:
        DataError: if the parts do not fit together; the sentence does not name the file, the reader adds that.
    """

    features: NDArray[np.float32]
    edges: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int
    weighted: bool = False
    featureless: bool = False
    masks: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        nodes = len(self.labels)
        if nodes == 0:
            raise DataError("the graph has no nodes; give it at least one")
        if self.features.ndim != 2 or len(self.features) != nodes:
            raise DataError(
                f"there are {len(self.features)} feature rows for {nodes} labels; give every node one of each"
            )
        if not np.isfinite(self.features).all():
            raise DataError("the features hold NaN or infinite values; replace them")
        if self.edges.size and not 0 <= self.edges.min() <= self.edges.max() < nodes:
            outside = self.edges.min() if self.edges.min() < 0 else self.edges.max()
            raise DataError(f"an edge names node {outside}, but the nodes are 0 to {nodes - 1}; correct the edge list")
        if self.labels.min() < -1 or self.labels.max() >= self.classes:
            raise DataError(f"labels must lie in 0 to {self.classes - 1} (or be -1 for none); relabel the classes")

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return len(self.labels)
