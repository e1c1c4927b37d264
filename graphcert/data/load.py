"""Load a data set by name, or a user's own graph from a file."""

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import torch
from torch_geometric.data import Data

from graphcert.core.arrays import EDGE_VALUES
from graphcert.core.features import plain_features
from graphcert.data.asked_form import check_switches, in_form, in_layout, tensors
from graphcert.data.graph_folder import is_graph_folder, read_graph_folder
from graphcert.data.npz import read_npz
from graphcert.data.published_files import Root
from graphcert.data.pyg_names import PYG, pyg_entry
from graphcert.data.raw import RawGraph, keep_largest_component, with_identity
from graphcert.data.registry import REGISTRY, Entry, check_options
from graphcert.data.sparse_npz import is_sparse_npz, read_sparse_graph
from graphcert.data.splits import DRAWN_BY_DEFAULT, MASKS, given_split, split_nodes
from graphcert.data.tensor_graph import read_tensor_graph
from graphcert.data.validate import validate
from graphcert.errors import DataError, InputError


def load_dataset(
    name: str | os.PathLike[str], root: Root = None, *, largest_component: bool | None = None, directed: bool = False,
    weights: bool = False, seed: SupportsIndex = 0, per_class_train: SupportsIndex = 20,
    per_class_validation: SupportsIndex = 20, test_share: SupportsFloat = 1.0, split: SupportsIndex | None = None,
    sparse: bool | None = None, **options: Any,
) -> Data:  # fmt: skip
    """Load a graph in standard form, split into three sets of nodes.

    Standard form is undirected, without loops and weights, with binary features.

    Args:
        name: cora_ml, citeseer, cora, planetoid_cora, planetoid_citeseer, polblogs, wisconsin, digits, synthetic, the name
            of a registered data set, pyg:CLASS/NAME for one of torch_geometric's (see `pyg_entry`), or the path of a user's
            own file, ending in .npz or .pt, or of a folder of `save_graph` (see `load_graph_file`).
        root: folder to look for files first; then GRAPHCERT_DATA, ./datasets, the checkout's datasets, the user's
            cache and at last the published address are tried. Every file is verified by its sha256.
        largest_component: keep only the largest connected component, in the order of its nodes. None is the choice of
            the literature: True for the citation graphs and polblogs, False for all others.
        directed: keep the directions of edges, of a graph that has them: cora_ml, citeseer, cora, polblogs, wisconsin,
            those of torch_geometric's CitationFull and WebKB, ogbn-arxiv, and a user's own.
        weights: keep what edges carry, as `edge_weight` (E,) and `edge_attr` (E, F) float32; nothing else may have to be
            changed about the edges.
        seed: of the split, and of the graph itself if it is synthetic.
        per_class_train, per_class_validation, test_share: of the split, see `split_nodes`.
        split: which of the splits that a file brings, see `load_graph_file`.
        sparse: whether `x` is a sparse CSR tensor. None takes one where a dense one would pass 256 MiB and at most an eighth
            of the features are not zero; votes and fingerprints are the same.
        **options: of digits (neighbours, threshold), of synthetic (nodes, classes, features, degree, homophily, present,
            background, geometry, reach, blocks, inside; see `synthetic_graph`), of files (standardise, features, labels) and
            of Planetoid's (binary).

    Returns:
        `x` (N, D) float32 of zeros and ones (of real numbers from a user's file that holds such), `edge_index` (2, 2E) int64
        with both directions in lexicographic order ((2, E) if it is directed), `y` (N,) int64 with −1 for nodes without a
        label, boolean masks `train_mask`, `val_mask`, `test_mask` (N,), and the plain attributes `name`, `classes` (K) and
        `featureless`: True where the source has no features and `x` is the identity (N, N), a feature of its own for every
        node. To flip such a bit is to take a node for another one, so noise of the edges is what makes sense there.

    Raises:
        InputError: for an unknown name or option, an option outside its domain, or if there is nothing to be kept.
        DataError: for a missing or damaged file, a class too small for the split, or a user's graph that is not in the form
            that was asked for.
    """
    label = os.fspath(name)
    if label.endswith(FILES) or (label not in REGISTRY and is_graph_folder(label)):
        check_options("a file", options, ("standardise", "features", "labels"))
        options |= {"per_class_train": per_class_train, "per_class_validation": per_class_validation}
        options |= {"largest_component": bool(largest_component), "seed": seed, "test_share": test_share}
        return load_graph_file(label, directed=directed, weights=weights, split=split, sparse=sparse, **options)
    check_switches(directed=directed, weights=weights)
    entry = _entry(label)
    if directed and not entry.directed:
        raise InputError(f"the edges of {label} have no directions; leave directed out")
    graph = entry.read(root, seed, options, directed=directed, weights=weights)
    with _named(f"the data set {label}"):
        graph = in_form(graph, directed, weights, exact=entry.own, binary=not entry.exact)
    if entry.largest_component if largest_component is None else largest_component:
        graph = keep_largest_component(graph)
    drawn = per_class_train, per_class_validation, test_share
    return _split_data(in_layout(with_identity(graph), sparse), label, drawn, seed, split)


FILES = (".npz", ".pt")
"""How the names of files end that hold a user's own graph."""


def _entry(label: str) -> Entry:
    """The data set of a registered name, or of one of torch_geometric's."""
    if label.startswith(PYG):
        return pyg_entry(label)
    if label not in REGISTRY:
        known = ", ".join(REGISTRY)
        raise InputError(
            f"unknown data set {label!r}; known are {known}, {PYG}CLASS/NAME such as {PYG}Planetoid/Cora, paths that end "
            f"in {' or '.join(FILES)}, and folders written by save_graph"
        )
    return REGISTRY[label]


def load_graph_file(
    path: str | os.PathLike[str], *, standardise: bool = False, directed: bool = False, weights: bool = False,
    features: str | None = None, labels: str | None = None, largest_component: bool = False, seed: SupportsIndex = 0,
    per_class_train: SupportsIndex = 20, per_class_validation: SupportsIndex = 20, test_share: SupportsFloat = 1.0,
    split: SupportsIndex | None = None, sparse: bool | None = None,
) -> Data:  # fmt: skip
    """Load a user's own graph from a file.

    It is a folder by `save_graph`; or it ends in .npz, in any of the layouts of `read_npz` or an adjacency matrix by
    `scipy.sparse.save_npz`; or in .pt, a dictionary of tensors by `torch.save(data.to_dict(), "graph.pt")`.

    A guarantee is about one exact graph, so by default the file must hold it in standard form and is refused otherwise.

    Args:
        path: the file; members that are not needed are never read, and nothing is unpickled.
        standardise: turn directed into undirected edges, drop loops, repeated edges and what edges carry, and set every
            non-zero feature to 1. Otherwise such edges are refused, and real features are kept: Gaussian, uniform and
            ablation noise take them, flips of bits refuse them.
        directed: keep the directions of edges, also with `standardise`.
        weights: keep what edges carry: `edge_weight` and `edge_attr` of a file of tensors, or the entries of an adjacency
            matrix as `edge_weight`, unless all are 1. Otherwise they are refused.
        features, labels: files beside an adjacency matrix, see `read_sparse_graph`.
        largest_component: keep only the largest connected component.
        seed, per_class_train, per_class_validation, test_share: of the split, see `split_nodes`.
        split: which of several splits, from 0 on, where the masks of the file have the shape (N, S). A file with masks
            keeps the split that they give, and `per_class_train`, `per_class_validation` and `test_share` are left out.
        sparse: the layout of `x`, see `load_dataset`.

    Returns:
        As `load_dataset`, but `x` is what the file holds, rounded to float32; `name` is the folder's name, or the file's
        without its ending.

    Raises:
        InputError: if several splits are there and `split` does not name one of them, or an argument has no use.
        DataError: if the file is missing, damaged or not in standard form, or a class is too small for the split.
    """
    file = Path(os.path.expanduser(path))
    if not file.is_file() and not is_graph_folder(file):
        raise DataError(f"there is no file {file}; check the path")
    graph = _read_file(file, features, labels)
    with _named(str(file)):
        check_switches(standardise=standardise, directed=directed, weights=weights)
        if standardise and weights:
            raise InputError("standardise drops what edges carry, and weights keeps it; leave one of them out")
        remedy = "load the file with standardise=True"
        graph = in_form(graph, directed, weights, exact=not standardise, binary=standardise, remedy=remedy)
        if largest_component:
            graph = keep_largest_component(graph)
        drawn = per_class_train, per_class_validation, test_share
        name = file.name if file.is_dir() else file.stem
        return _split_data(in_layout(with_identity(graph), sparse), name, drawn, seed, split)


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Errors inside begin with the name of the graph."""
    try:
        yield
    except (DataError, InputError) as error:
        raise type(error)(f"{what}: {error}") from None


def _read_file(file: Path, features: str | None, labels: str | None) -> RawGraph:
    """The graph in a file, by the reader of its format."""
    if file.suffix == ".npz" and is_sparse_npz(file):
        return read_sparse_graph(file, features, labels)
    for name, value in (("features", features), ("labels", labels)):
        if value is not None:
            raise InputError(f"{file} brings its own {name}; leave {name}= out")
    if file.is_dir():
        return read_graph_folder(file)
    return read_tensor_graph(file) if file.suffix == ".pt" else read_npz(file, str(file))


Drawn = tuple[SupportsIndex, SupportsIndex, SupportsFloat]
"""Training and validation nodes per class, and the share of the others that are tested."""


def _split_data(graph: RawGraph, name: str, drawn: Drawn, seed: SupportsIndex, split: SupportsIndex | None) -> Data:
    """Turn a graph in standard form into what `load_dataset` returns."""
    masks = given_split(graph, split)
    if masks is None:
        masks = split_nodes(graph.labels, *drawn[:2], seed, drawn[2])
    elif drawn != DRAWN_BY_DEFAULT:
        raise InputError(
            "the data set brings its own split; leave per_class_train, per_class_validation and test_share out, or take the "
            "masks out of the file"
        )
    data = tensors(graph)
    data.train_mask, data.val_mask, data.test_mask = (torch.from_numpy(mask.copy()) for mask in masks)
    data.name, data.classes, data.featureless = name, graph.classes, graph.featureless
    return data


def register_dataset(
    name: str, loader: Callable[..., Data], *, source: str = "registered by the user", licence: str = "not stated"
) -> None:
    """Make a data set known by name to `load_dataset`, to settings and to the command line of this process.

    The graph is checked, split and fingerprinted like every other. A guarantee is about one exact graph, so it must be in
    standard form: both directions of every edge once, no loops, no weights; unless `load_dataset` is asked to keep
    directions and weights. Its features may be real.

    Args:
        name: by which it is known from now on; none that is taken, and no path.
        loader: returns a graph with `x` (N, D), `edge_index` (2, E) and `y` (N,). It may bring `edge_weight` (E,) and
            `edge_attr` (E, F), the masks `train_mask`, `val_mask` and `test_mask`, and the number of `classes`. Its
            parameters are the options of the data set; parameters `seed`, `directed` and `weights` are given those of
            `load_dataset`.
        source, licence: what the list of data sets says.

    Raises:
        InputError: if the name is taken or no name, or `loader` cannot be called.
    """
    if not isinstance(name, str) or not name.isprintable() or not name or "/" in name or name.endswith(FILES):
        raise InputError(f"a data set is registered by a name that is no path, got {name!r}")
    if name in REGISTRY:
        raise InputError(f"there is a data set {name!r} already; register yours by another name")
    if not callable(loader):
        raise InputError(f"the loader of the data set {name!r} must be a function that returns a graph, got {loader!r}")

    def reader(**options: Any) -> RawGraph:
        data = loader(**options)
        with _named(f"the data set {name}"):
            return _raw_graph(data)

    reader.__signature__ = inspect.signature(loader)  # type: ignore[attr-defined]
    REGISTRY[name] = Entry(name, reader, source, licence, where="registered", exact=True, directed=True, own=True)


def _raw_graph(data: Any) -> RawGraph:
    """The graph that a loader returned, checked."""
    if not isinstance(data, Data):
        raise DataError(f"its loader must return a torch_geometric.data.Data, got {type(data).__name__}")
    if data.get("edge_type") is not None:
        raise DataError("its graph has edge_type, which the classifier would be shown nothing of; take it out")
    if data.y is None:
        raise DataError("its graph has no y; give every node its class, or -1 where it is unknown")
    validate(data, binary=False, directed=True)
    masks = [data.get(name) for name in MASKS]
    missing = [name for name, mask in zip(MASKS, masks, strict=True) if mask is None]
    if missing and len(missing) < len(MASKS):
        raise DataError(f"its graph lacks {', '.join(missing)}; give all of {', '.join(MASKS)}, or none of them")
    features, edges, labels = plain_features(data.x), data.edge_index.cpu().numpy(), data.y.cpu().numpy()
    classes = int(labels.max(initial=-1)) + 1 if data.get("classes") is None else int(data.classes)
    stacked = None if missing else np.stack([mask.cpu().numpy() for mask in masks])
    values = {name: data[name].detach().cpu().numpy() for name in EDGE_VALUES if data.get(name) is not None}
    return RawGraph(features, edges, labels, classes, values, masks=stacked)
