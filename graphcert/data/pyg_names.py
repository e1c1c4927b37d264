"""Data sets by the names that torch_geometric and ogb have for them, from their raw files.

The files that their own classes keep are pickles, which are not read; the raw files beside them are tables, text and, for
Planetoid, pickles of arrays that pass through the reader of `graphcert.data.planetoid`. Most have no published sha256, so
they are read as they are, and a run says by its fingerprint which graph it was.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import SupportsIndex

from graphcert.core.reading import open_regular, read_bytes
from graphcert.data.geom_gcn import EDGES, FEATURES, read_geom_gcn, with_published_splits
from graphcert.data.npz import read_npz
from graphcert.data.ogb_tables import OGB, read_ogb
from graphcert.data.planetoid import PARTS, read_planetoid, with_public_split
from graphcert.data.published_files import RemoteFile, Root, data_folders, read_file
from graphcert.data.raw import RawGraph, binary_features
from graphcert.data.registry import REGISTRY, Entry, with_shares
from graphcert.errors import DataError, InputError

PYG = "pyg:"
"""How the names of these data sets begin."""

_NPZ = {
    "CitationFull": {name: f"{name.lower()}.npz" for name in ("Cora", "Cora_ML", "CiteSeer", "DBLP", "PubMed")},
    "Amazon": {name: f"amazon_electronics_{name.lower()}.npz" for name in ("Computers", "Photo")},
    "Coauthor": {"CS": "ms_academic_cs.npz", "Physics": "ms_academic_phy.npz"},
}
_NAMES = {
    "Planetoid": ("Cora", "CiteSeer", "PubMed"), **{kind: tuple(names) for kind, names in _NPZ.items()},
    "WebKB": ("Cornell", "Texas", "Wisconsin"),
}  # fmt: skip
_ADDRESS = {
    "Planetoid": "github.com/kimiyoung/planetoid, data", "CitationFull": "github.com/abojchevski/graph2gauss, data",
    "Amazon": "github.com/shchur/gnn-benchmark, data/npz", "Coauthor": "github.com/shchur/gnn-benchmark, data/npz",
    "WebKB": "github.com/graphdml-uiuc-jlu/geom-gcn, new_data and splits",
}  # fmt: skip
_PLANETOID_Y = {
    "Cora": (4054, "94465c14eb53e04ca262198dcbb2521ee8af60fb3f3d546cd6ca24a511b0e7d1"),
    "CiteSeer": (3014, "8ba87e515d8e3ee3cf52f6d2c5b86aa73f11ecad825a808455209ec26cd54924"),
}


def pyg_entry(label: str) -> Entry:
    """The data set `pyg:CLASS/NAME`, such as pyg:Planetoid/Cora or pyg:WebKB/Wisconsin, or pyg:ogbn-arxiv.

    The graph is torch_geometric's, all components and its features; its edges are undirected unless directions are asked
    for. Planetoid brings the public split, WebKB ten splits (or one of the same shares, if their files are not there), ogb
    its own; the others have none. Upper and lower case do not matter.

    Raises:
        InputError: if there is no such name.
    """
    kind, _, name = label.removeprefix(PYG).partition("/")
    if not name and (ogb := kind.lower()) in OGB:
        source, directed = "Open Graph Benchmark (Hu et al. 2020)", ogb == "ogbn-arxiv"
        return Entry(label, partial(_ogb, ogb), source, OGB[ogb].licence, exact=True, directed=directed)
    known = {f"{one}/{other}".lower(): (one, other) for one, names in _NAMES.items() for other in names}
    if f"{kind}/{name}".lower() not in known:
        names = ", ".join(f"{one}/{{{','.join(others)}}}" for one, others in _NAMES.items())
        raise InputError(f"unknown data set {label!r}; after {PYG} there are {names}, {', '.join(OGB)}")
    kind, name = known[f"{kind}/{name}".lower()]
    readers: dict[str, Callable[..., RawGraph]] = {"Planetoid": _planetoid, "WebKB": _webkb}
    reader = partial(readers.get(kind, partial(_npz, kind)), name)
    source, directed = f"torch_geometric.datasets.{kind}", kind in ("CitationFull", "WebKB")
    return Entry(label, reader, source, "public research data", exact=kind == "Planetoid", directed=directed)


def _planetoid(name: str, *, root: Root = None, binary: bool = False) -> RawGraph:
    """`binary` sets every feature that is not 0 to 1, as flips of bits need for PubMed."""
    if not isinstance(binary, bool):
        raise InputError(f"the option binary is true or false, got {binary!r}")
    parts = (*PARTS, "y")
    files = {part: f"ind.{name.lower()}.{part}" for part in parts}
    folder = _raw_folder("Planetoid", name, tuple(files.values()), root)
    if folder is not None:
        payloads = {part: read_bytes(folder / file) for part, file in files.items()}
    elif name in _PLANETOID_Y:
        (entry, (size, digest)), y = (REGISTRY[f"planetoid_{name.lower()}"], _PLANETOID_Y[name]), files["y"]
        address = entry.files[0].url.rpartition("/")[0]
        published = (*entry.files, RemoteFile(f"planetoid/{y}", f"{address}/{y}", size, digest))
        payloads = {file.path.split(".", 2)[2]: read_file(file, root) for file in published}
    else:
        raise _missing("Planetoid", name, tuple(files.values()))
    graph = with_public_split(read_planetoid(payloads), payloads)
    return binary_features(graph) if binary else graph


def _npz(kind: str, name: str, *, root: Root = None) -> RawGraph:
    file = _NPZ[kind][name]
    folder = _raw_folder(kind, name, (file,), root)
    if folder is None:
        raise _missing(kind, name, (file,))
    return read_npz(folder / file, str(folder / file))


def _webkb(name: str, *, root: Root = None, seed: SupportsIndex = 0) -> RawGraph:
    folder = _raw_folder("WebKB", name, (FEATURES, EDGES), root)
    if folder is None:
        if name.lower() not in REGISTRY:
            raise _missing("WebKB", name, (FEATURES, EDGES))
        return REGISTRY[name.lower()].read(root, seed, {})
    graph = read_geom_gcn(read_bytes(folder / FEATURES), read_bytes(folder / EDGES))
    splits = [folder / f"{name.lower()}_split_0.6_0.2_{number}.npz" for number in range(10)]
    if not all(path.is_file() for path in splits):
        return with_shares(graph, seed)
    with ExitStack() as stack:
        return with_published_splits(graph, [stack.enter_context(open_regular(path)) for path in splits])


def _ogb(name: str, *, root: Root = None) -> RawGraph:
    folders = [
        folder / place for folder in data_folders(root) for place in (OGB[name].folder, f"ogb/{OGB[name].folder}")
    ]
    found = next((folder for folder in folders if (folder / "raw").is_dir()), None)
    if found is None:
        raise DataError(
            f"{name} is not on this machine; unpack {OGB[name].address} as {OGB[name].folder}/raw and "
            f"{OGB[name].folder}/split in a folder, and name that with --data-root (root=)"
        )
    return read_ogb(found, OGB[name])


def _raw_folder(kind: str, name: str, files: tuple[str, ...], root: Root) -> Path | None:
    """The first folder in torch_geometric's layout, NAME/raw or CLASS/NAME/raw, that holds all files."""
    spellings = dict.fromkeys((name, name.lower(), name.capitalize()))
    places = [place for spelling in spellings for place in (f"{spelling}/raw", f"{kind}/{spelling}/raw")]
    folders = (folder / place for folder in data_folders(root) for place in places)
    return next((folder for folder in folders if all((folder / file).is_file() for file in files)), None)


def _missing(kind: str, name: str, files: tuple[str, ...]) -> DataError:
    return DataError(
        f"{PYG}{kind}/{name} is not on this machine; put {', '.join(files)} (from {_ADDRESS[kind]}) into {name}/raw in a "
        f"folder, and name that with --data-root (root=)"
    )
