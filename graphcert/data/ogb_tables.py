"""Graphs of the Open Graph Benchmark (Hu et al. 2020) from the compressed tables of numbers that it publishes."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from graphcert.core.reading import check_memory, damage_refused, open_regular
from graphcert.data.raw import RawGraph, as_float32, check_dense_size, integers
from graphcert.errors import DataError

_LONGEST_LINE = 2**20
"""Characters of a line; the tables that are published have a few thousand."""
_COPIES = 3
"""What a table takes while it grows, and while it is converted."""


class OgbGraph(NamedTuple):
    """Where the tables of a data set are: its folder, the folder of its split, its address and licence."""

    folder: str
    split: str
    address: str
    licence: str


_PLACE = "http://snap.stanford.edu/ogb/data/nodeproppred"
OGB = {
    "ogbn-arxiv": OgbGraph("ogbn_arxiv", "split/time", f"{_PLACE}/arxiv.zip", "ODC-BY"),
    "ogbn-products": OgbGraph("ogbn_products", "split/sales_ranking", f"{_PLACE}/products.zip", "Amazon license"),
}
"""By their names."""


def read_ogb(folder: Path, where: OgbGraph) -> RawGraph:
    """The graph in `folder`: raw/edge, raw/node-feat and raw/node-label, and the split, each a table .csv.gz.

    Edges keep their direction, features are real.

    Raises:
        DataError: if a table is missing or damaged, or the tables do not fit together.
    """
    labels = _numbers(folder / "raw" / "node-label.csv.gz", np.int64)
    if labels.shape[1] != 1:
        raise DataError(f"{folder} has {labels.shape[1]} labels per node, and one is what can be certified")
    edges = _numbers(folder / "raw" / "edge.csv.gz", np.int64)
    features = _numbers(folder / "raw" / "node-feat.csv.gz", np.float32)
    check_dense_size(*features.shape)
    masks = np.zeros((3, len(labels)), bool)
    for mask, name in zip(masks, ("train", "valid", "test"), strict=True):
        members = integers(name, _numbers(folder / where.split / f"{name}.csv.gz", np.int64).ravel())
        if members.size and not 0 <= members.min() <= members.max() < len(labels):
            raise DataError(f"the split {name} in {folder} names a node that is not there; use the published files")
        mask[members] = True
    x, y = as_float32("node-feat", features), labels[:, 0]
    return RawGraph(x, edges.T, y, int(y.max(initial=-1)) + 1, masks=masks)


def _numbers(path: Path, kind: Any) -> NDArray[Any]:
    """A table of numbers, at least two-dimensional."""
    try:
        with damage_refused(f"{path} is not a table of numbers", "use the published file"), open_regular(path) as file:
            return np.loadtxt(_lines(gzip.open(file, "rt"), path, kind), kind, delimiter=",", ndmin=2)
    except FileNotFoundError:
        raise DataError(f"there is no {path}; unpack the published archive again") from None


def _lines(stream: TextIO, path: Path, kind: Any) -> Iterator[str]:
    """The lines of a table, as long as its numbers find room: a few packed bytes may unpack to any number of them."""
    numbers = checked = 0
    while line := stream.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ValueError(f"a line has {_LONGEST_LINE:,} characters or more")
        numbers += line.count(",") + 1
        if numbers > checked:
            checked = 2 * numbers
            check_memory(_COPIES * checked * np.dtype(kind).itemsize, f"{path}, unpacked,")
        yield line
