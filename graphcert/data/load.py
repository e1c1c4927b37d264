"""Load a data set by name, or a user's own graph from an npz file."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import torch
from torch_geometric.data import Data

from graphcert.data.npz import read_npz
from graphcert.data.published_files import Root
from graphcert.data.raw import RawGraph, keep_largest_component, standard_form, with_identity
from graphcert.data.registry import REGISTRY, Entry, check_options
from graphcert.data.splits import DRAWN_BY_DEFAULT, MASKS, given_split, split_nodes
from graphcert.data.validate import validate
from graphcert.errors import DataError, InputError


def load_dataset(
    name: str | os.PathLike[str], root: Root = None, *, largest_component: bool | None = None, seed: SupportsIndex = 0,
    per_class_train: SupportsIndex = 20, per_class_validation: SupportsIndex = 20, test_share: SupportsFloat = 1.0,
    split: SupportsIndex | None = None, **options: Any,
) -> Data:  # fmt: skip
    """Load a graph in standard form: undirected, without loops, with binary features, split into three sets of nodes.

    Args:
        name: cora_ml, citeseer, cora, planetoid_cora, planetoid_citeseer, polblogs, digits, synthetic, the name of a
            registered data set, or the path of a user's own file, ending in .npz (see `load_npz_graph`).
        root: folder to look for files first; then GRAPHCERT_DATA, ./datasets, the checkout's datasets, the user's
            cache and at last the published address are tried. Every file is verified by its sha256.
        largest_component: keep only the largest connected component, in the order of its nodes. None is the choice of
            the literature: True for the citation graphs and polblogs, False for all others.
        seed: of the split, and of the graph itself if it is synthetic.
        per_class_train, per_class_validation, test_share: of the split, see `split_nodes`.
        split: which of the splits that a file brings, see `load_npz_graph`.
        **options: of digits (neighbours, threshold), of synthetic (nodes, classes, features, degree, homophily,
            present, background) and of npz files (standardise).

    Returns:
        `x` (N, D) float32 of zeros and ones (of real numbers from a user's file that holds such), `edge_index` (2, 2E) int64
        with both directions in lexicographic order, `y` (N,) int64 with −1 for nodes without a label, boolean masks
        `train_mask`, `val_mask`, `test_mask` (N,), and the plain attributes `name`, `classes` (K) and `featureless`: True
        where the source has no features and `x` is the identity (N, N), a feature of its own for every node. To flip such
        a bit is to take a node for another one, so noise of the edges is what makes sense there.

    Raises:
        InputError: for an unknown name or option, or an option outside its domain.
        DataError: for a missing or damaged file, or a class too small for the split.
    """
    label = os.fspath(name)
    if label.endswith(".npz"):
        check_options("an npz file", options, ("standardise",))
        options |= {"per_class_train": per_class_train, "per_class_validation": per_class_validation}
        options |= {"largest_component": bool(largest_component), "seed": seed, "test_share": test_share}
        return load_npz_graph(label, split=split, **options)
    if label not in REGISTRY:
        raise InputError(f"unknown data set {label!r}; known are {', '.join(REGISTRY)} and paths that end in .npz")
    entry = REGISTRY[label]
    graph = standard_form(entry.read(root, seed, options), binary=not entry.exact)
    if entry.largest_component if largest_component is None else largest_component:
        graph = keep_largest_component(graph)
    return _split_data(graph, label, (per_class_train, per_class_validation, test_share), seed, split)


def load_npz_graph(
    path: str | os.PathLike[str], *, standardise: bool = False, largest_component: bool = False,
    seed: SupportsIndex = 0, per_class_train: SupportsIndex = 20, per_class_validation: SupportsIndex = 20,
    test_share: SupportsFloat = 1.0, split: SupportsIndex | None = None,
) -> Data:  # fmt: skip
    """Load a user's own graph from an npz file in any of the layouts of `read_npz`.

    A guarantee is about one exact graph, so by default the file must hold it in standard form and is refused otherwise.

    Args:
        path: the file; members that are not needed are never read, and nothing is unpickled.
        standardise: turn directed into undirected edges, drop loops, repeated edges and weights, and set every non-zero
            feature to 1. Otherwise such edges are refused, and real features are kept: Gaussian, uniform and ablation noise
            take them, flips of bits refuse them.
        largest_component: keep only the largest connected component.
        seed, per_class_train, per_class_validation, test_share: of the split, see `split_nodes`.
        split: which of several splits, from 0 on, where the masks of the file have the shape (N, S). A file with masks
            keeps the split that they give, and `per_class_train`, `per_class_validation` and `test_share` are left out.

    Returns:
        As `load_dataset`, but `x` is what the file holds, rounded to float32; `name` is the file's name without its ending.

    Raises:
        InputError: if several splits are there and `split` does not name one of them, or an argument has no use.
        DataError: if the file is missing, damaged or not in standard form, or a class is too small for the split.
    """
    file = Path(os.path.expanduser(path))
    if not file.is_file():
        raise DataError(f"there is no file {file}; check the path")
    graph = read_npz(file, str(file))
    try:
        if not standardise:
            _refuse_unless_standard(graph)
        graph = standard_form(graph, binary=standardise)
        if largest_component:
            graph = keep_largest_component(graph)
        return _split_data(graph, file.stem, (per_class_train, per_class_validation, test_share), seed, split)
    except (DataError, InputError) as error:
        raise type(error)(f"{file}: {error}") from None


Drawn = tuple[SupportsIndex, SupportsIndex, SupportsFloat]
"""Training and validation nodes per class, and the share of the others that are tested."""


def _refuse_unless_standard(graph: RawGraph) -> None:
    """Raise `DataError` if bringing the graph into standard form would change more than the order of its edges."""
    try:
        if graph.weighted:
            raise DataError("the edges have weights other than 1, which a certificate cannot keep; set them to 1")
        validate(_tensors(graph), binary=False)
    except DataError as error:
        raise DataError(f"{error}, or load the file with standardise=True") from None


def _tensors(graph: RawGraph) -> Data:
    features, edges, labels = (torch.from_numpy(array) for array in (graph.features, graph.edges, graph.labels))
    return Data(x=features, edge_index=edges, y=labels)


def _split_data(graph: RawGraph, name: str, drawn: Drawn, seed: SupportsIndex, split: SupportsIndex | None) -> Data:
    """Turn a graph in standard form into what `load_dataset` returns."""
    masks = given_split(graph, split)
    if masks is None:
        masks = split_nodes(graph.labels, *drawn[:2], seed, drawn[2])
    elif drawn != DRAWN_BY_DEFAULT:
        raise InputError(
            "the file brings its own split; leave per_class_train, per_class_validation and test_share out, or take the "
            "masks out of the file"
        )
    data = _tensors(with_identity(graph))
    data.train_mask, data.val_mask, data.test_mask = (torch.from_numpy(mask.copy()) for mask in masks)
    data.name, data.classes, data.featureless = name, graph.classes, graph.featureless
    return data


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
    features, edges, labels = (part.detach().cpu().numpy() for part in (data.x, data.edge_index, data.y))
    classes = int(labels.max(initial=-1)) + 1 if data.get("classes") is None else int(data.classes)
    stacked = None if missing else np.stack([mask.cpu().numpy() for mask in masks])
    return RawGraph(features, edges, labels, classes, masks=stacked)
