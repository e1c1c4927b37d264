"""A graph as it was read or generated: dense features, edges in any direction, labels; nothing is standardised yet."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.core.reading import check_memory
from graphcert.errors import DataError

MAX_DENSE_BYTES = 8 * 2**30
"""Features are kept dense in float32; a file that asks for more than this is refused instead of exhausting memory."""


_COPIES = 3
"""Features are held, brought into standard form and handed on as a tensor."""
_SMALL = 2**26
_SPREAD = 2**16
"""A matrix of more than `_SMALL` numbers has a one among so many; identity features have one in N."""


def check_dense_size(rows: int, columns: int, entries: int | None = None) -> None:
    """Raise `DataError` if a dense float32 matrix would not fit, or would be as good as empty.

    Args:
        rows, columns: of the matrix.
        entries: how many of its numbers are not zero, if that is known: a few bytes may name a column of any number.
    """
    if 4 * rows * columns > MAX_DENSE_BYTES:
        raise DataError(
            f"{rows:,} nodes with {columns:,} features each do not fit into the {MAX_DENSE_BYTES // 2**30} GiB allowed "
            f"for dense features; use fewer features"
        )
    if entries is not None and rows * columns > max(_SMALL, _SPREAD * entries):
        raise DataError(
            f"{rows:,} nodes with {columns:,} features each have only {entries:,} that are not zero; drop the features "
            f"that no node has and use fewer features"
        )
    check_memory(4 * _COPIES * rows * columns, f"the features of {rows:,} nodes, {columns:,} each,")


def as_float32(name: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """`values` rounded to float32.

    Raises:
        DataError: if a value is NaN, infinite or too large, or so small that it would become zero or lose its digits: an
            edge of that weight would vanish.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = values.astype(np.float32)
    if not np.isfinite(rounded).all():
        raise DataError(f"{name} holds NaN or infinite values, or ones too large for float32; replace them")
    if ((np.abs(rounded) < np.finfo(np.float32).tiny) & (values != 0)).any():
        raise DataError(f"{name} holds values below 1.2e-38, which float32 hardly tells from zero; set them to zero")
    return rounded


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
