"""`register_dataset`: a user's own data set, known by a name like those of the package."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from torch_geometric.data import Data

from graphcert.data.raw import RawGraph
from graphcert.data.registry import REGISTRY, Entry
from graphcert.data.splits import MASKS
from graphcert.data.validate import validate
from graphcert.errors import DataError, InputError

_NOT_KEPT = ("edge_weight", "edge_attr", "edge_type")


def register_dataset(
    name: str, loader: Callable[..., Data], *, source: str = "registered by the user", licence: str = "not stated"
) -> None:
    """Make a data set known by name to `load_dataset`, to settings and to the command line of this process.

    The graph is checked, split and fingerprinted like every other. A guarantee is about one exact graph, so it must be in
    standard form: both directions of every edge once, no loops, no weights. Its features may be real.

    Args:
        name: by which it is known from now on; none that is taken, and no path.
        loader: returns a graph with `x` (N, D), `edge_index` (2, 2E) and `y` (N,). It may bring the masks `train_mask`,
            `val_mask` and `test_mask`, and the number of `classes`. Its parameters are the options of the data set; a
            parameter `seed` is given the seed of `load_dataset`.
        source, licence: what the list of data sets says.

    Raises:
        InputError: if the name is taken or no name, or `loader` cannot be called.
    """
    if not isinstance(name, str) or not name.isprintable() or not name or "/" in name or name.endswith(".npz"):
        raise InputError(f"a data set is registered by a name that is no path, got {name!r}")
    if name in REGISTRY:
        raise InputError(f"there is a data set {name!r} already; register yours by another name")
    if not callable(loader):
        raise InputError(f"the loader of the data set {name!r} must be a function that returns a graph, got {loader!r}")

    def reader(**options: Any) -> RawGraph:
        data = loader(**options)
        try:
            return _raw_graph(data)
        except DataError as error:
            raise DataError(f"the data set {name}: {error}") from None

    reader.__signature__ = inspect.signature(loader)  # type: ignore[attr-defined]
    REGISTRY[name] = Entry(name, reader, source, licence, where="registered", exact=True)


def _raw_graph(data: Any) -> RawGraph:
    """The graph that a loader returned, checked."""
    if not isinstance(data, Data):
        raise DataError(f"its loader must return a torch_geometric.data.Data, got {type(data).__name__}")
    for name in _NOT_KEPT:
        if data.get(name) is not None:
            raise DataError(f"its graph has {name}, which the classifier would be shown nothing of; take it out")
    if data.y is None:
        raise DataError("its graph has no y; give every node its class, or -1 where it is unknown")
    validate(data, binary=False)
    masks = [data.get(name) for name in MASKS]
    missing = [name for name, mask in zip(MASKS, masks, strict=True) if mask is None]
    if missing and len(missing) < len(MASKS):
        raise DataError(f"its graph lacks {', '.join(missing)}; give all of {', '.join(MASKS)}, or none of them")
    labels = data.y.detach().cpu().numpy()
    return RawGraph(
        features=data.x.detach().cpu().numpy(),
        edges=data.edge_index.cpu().numpy(),
        labels=labels,
        classes=int(labels.max(initial=-1)) + 1 if data.get("classes") is None else int(data.classes),
        masks=None if missing else np.stack([mask.cpu().numpy() for mask in masks]),
    )
