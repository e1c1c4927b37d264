"""The known data sets: what they are, how they are read, where they come from, and whether they are on this machine."""

import inspect
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, SupportsIndex

from graphcert.data.geom_gcn import EDGES, FEATURES, read_geom_gcn
from graphcert.data.npz import read_npz
from graphcert.data.planetoid import read_planetoid
from graphcert.data.published_files import RemoteFile, Root, locate, read_file
from graphcert.data.raw import RawGraph
from graphcert.data.splits import split_shares
from graphcert.data.synthetic import digits_graph, synthetic_graph
from graphcert.errors import DataError, InputError


@dataclass(frozen=True)
class Entry:
    """One data set.

    Attributes:
        reader: makes the graph. It is called with its options by name, with the seed if it has a parameter `seed`, with
            the folder to look at first if it has a parameter `root`, with what is to be kept if it has parameters
            `directed` and `weights`, and with the verified bytes by path as `contents` if the data set has files.
        files: those that are published.
        where: what the list of data sets says about one without files.
        nodes, edges, features, classes: of the form that is loaded by default; None is "any, by option". A graph without
            features has as many as nodes, the identity.
        largest_component: whether the literature keeps no more of it.
        exact: whether features stay as they are.
        directed: whether its edges have directions that mean something.
        own: whether it is a user's, which is refused unless it is in the form that was asked for.
    """

    name: str
    reader: Callable[..., RawGraph]
    source: str
    licence: str
    files: tuple[RemoteFile, ...] = ()
    where: str = ""
    nodes: int | None = None
    edges: int | None = None
    features: int | None = None
    classes: int | None = None
    largest_component: bool = False
    exact: bool = False
    directed: bool = False
    own: bool = False

    def read(self, root: Root, seed: SupportsIndex, options: Mapping[str, Any], **kept: bool) -> RawGraph:
        """The graph as its source tells it; `InputError` for an unknown option, `DataError` for a damaged file."""
        takes = inspect.signature(self.reader).parameters
        known: dict[str, Any] = {"seed": seed, "root": root, **kept}
        check_options(self.name, options, tuple(name for name in takes if name not in (*known, "contents")))
        given = {name: value for name, value in known.items() if name in takes}
        if self.files:
            given["contents"] = {file.path: read_file(file, root) for file in self.files}
        return self.reader(**given, **options)


def check_options(name: str, options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise `InputError` for an option of the data set `name` that is not among `known`."""
    unknown = sorted(set(options) - set(known))
    if unknown:
        offer = f"it takes {', '.join(known)}" if known else "it takes none of its own"
        raise InputError(f"{name} has no option {', '.join(unknown)}; {offer}")


def _npz_graph(contents: Mapping[str, bytes]) -> RawGraph:
    ((path, content),) = contents.items()
    return read_npz(io.BytesIO(content), path)


def _planetoid_graph(contents: Mapping[str, bytes]) -> RawGraph:
    # From planetoid/ind.NAME.PART to PART, which may have a dot of its own.
    return read_planetoid({path.split(".", 2)[2]: content for path, content in contents.items()})


def _webkb_graph(contents: Mapping[str, bytes], seed: SupportsIndex = 0) -> RawGraph:
    features, edges = (next(text for path, text in contents.items() if path.endswith(end)) for end in (FEATURES, EDGES))
    return with_shares(read_geom_gcn(features, edges), seed)


def with_shares(graph: RawGraph, seed: SupportsIndex) -> RawGraph:
    """A graph of WebKB, whose smallest class is too small for the usual split, with one of its published splits' shares."""
    return replace(graph, masks=split_shares(graph.labels, 0.48, 0.32, seed))


# Every address names a commit, so that what it leads to stays; the sha256 decides whether it is the file.
_GNN_BENCHMARK = "https://github.com/shchur/gnn-benchmark/raw/99356931fd6158a05de41632669d5ab69e6e105e/data/npz"
_SPARSE_SMOOTHING = "https://github.com/abojchevski/sparse_smoothing/raw/b2a3ca194608118d7472c0a5ac81bc7c5d5d485a/data"
_META_ATTACK = "https://github.com/danielzuegner/gnn-meta-attack/raw/af7f482ecce3c8eda890231e034e89669445d5d8/data"
_PLANETOID = "https://github.com/kimiyoung/planetoid/raw/af6abf468a772cc055bec88c52e4d6f51b7c37e3/data"
_GEOM_GCN = (
    "https://raw.githubusercontent.com/graphdml-uiuc-jlu/geom-gcn/f1fc0d14b3b019c562737240d06ec83b07d16a8f/new_data"
)
_UNDER_MIT = "public research data, repository under MIT"

_PLANETOID_CORA = {
    "allx": (257305, "9419ba2f26f5c35243db64aba110e0f35a04851609e0dc5433450676ca6b8543"),
    "ally": (47959, "2b998f5cc7fedc86e7f97ca2498f47a1ffc1462c29e2d578b23bf3f62b6e7d71"),
    "tx": (148025, "b9afbaa4a400df991f6f02ef677e1e44da55ffc04801fd02f9e673987829226a"),
    "ty": (28135, "41f5ac76596a1699cc33f53084a2419e92961c42bb75f36fc38e616d348532ad"),
    "graph": (59847, "58f13302f39dde8852dad6fe6d15b89b077b6d7f837626bce671ef80344b383d"),
    "test.index": (5000, "297ce89af2b51a6a194181c7dbe1796c6a1cf9cd9349a88383b1b1e227867875"),
}
_PLANETOID_CITESEER = {
    "allx": (595021, "2ac30345d95c9ec933a817ee0bdd6a5f077f8c184a20e696910192d534414668"),
    "ally": (55623, "f704b2d986dde6c2669934de1f3ae5696a6cf9455c0f6b2646a2d135ea0a1c95"),
    "tx": (260321, "539a8906a2da97628d212f2fdd668c109a8b3f0d36574b59e5d3fd5b5303da21"),
    "ty": (24135, "55e5bd1ba1e733a04598753ad1a8d57957f4b8f89e74519f41f4f4938767e4ce"),
    "graph": (61987, "d79a4ef9d3e7169aee8946145f6b7306e35bc79bffad26346cfb94e10e9912a7"),
    "test.index": (5000, "2af990671580b6b2df5d158d1038f8292e30c9cd821b5453f399659b25b723d4"),
}


def _npz(folder: str, name: str, size: int, sha256: str) -> tuple[RemoteFile, ...]:
    return (RemoteFile(f"{name}.npz", f"{folder}/{name}.npz", size, sha256),)


def _planetoid(name: str, parts: dict[str, tuple[int, str]]) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(f"planetoid/ind.{name}.{part}", f"{_PLANETOID}/ind.{name}.{part}", size, sha256)
        for part, (size, sha256) in parts.items()
    )


_ENTRIES = (
    Entry(
        "digits", digits_graph, where="embedded", nodes=1797, edges=6309, features=64, classes=10, licence="CC BY 4.0",
        source="handwritten digits (Alpaydin & Kaynak 1998, UCI repository), contained in scikit-learn",
    ),
    Entry(
        "synthetic", synthetic_graph, where="generated", licence="none needed",
        source="contextual stochastic block model, drawn by graphcert",
    ),
    Entry(
        "cora_ml", _npz_graph, nodes=2810, edges=7981, features=2879, classes=7, largest_component=True, directed=True,
        source="Cora-ML (McCallum et al. 2000; Bojchevski & Günnemann 2018), from abojchevski/sparse_smoothing",
        licence="public research data, the repository states no licence",
        files=_npz(
            _SPARSE_SMOOTHING, "cora_ml", 1622498, "46b98cabc9c22c09de0d30140fbf68d004b21d2f05e234feb96ba6e84ec7c86a"
        ),
    ),
    Entry(
        "citeseer", _npz_graph, nodes=2110, edges=3668, features=3703, classes=6, largest_component=True, directed=True,
        source="CiteSeer (Sen et al. 2008; Shchur et al. 2018), from shchur/gnn-benchmark", licence=_UNDER_MIT,
        files=_npz(_GNN_BENCHMARK, "citeseer", 1348784, "280278b21b434c047922e8389518861416fb3ad39389c27865ff0e6bbb0aaab7"),
    ),
    Entry(
        "cora", _npz_graph, nodes=2485, edges=5069, features=1433, classes=7, largest_component=True, directed=True,
        source="Cora (Sen et al. 2008; Shchur et al. 2018), from shchur/gnn-benchmark", licence=_UNDER_MIT,
        files=_npz(_GNN_BENCHMARK, "cora", 540580, "068e22d90c3849b4057dfb05851741428992af058efcd4e7ebb4186f3d581de2"),
    ),
    Entry(
        "planetoid_cora", _planetoid_graph, nodes=2485, edges=5069, features=1433, classes=7, largest_component=True,
        source="Cora (Sen et al. 2008) as prepared by Yang et al. 2016, from kimiyoung/planetoid", licence=_UNDER_MIT,
        files=_planetoid("cora", _PLANETOID_CORA),
    ),
    Entry(
        "planetoid_citeseer", _planetoid_graph, nodes=2120, edges=3679, features=3703, classes=6, largest_component=True,
        source="CiteSeer (Sen et al. 2008) as prepared by Yang et al. 2016, from kimiyoung/planetoid", licence=_UNDER_MIT,
        files=_planetoid("citeseer", _PLANETOID_CITESEER),
    ),
    Entry(
        "polblogs", _npz_graph, nodes=1222, edges=16714, features=1222, classes=2, largest_component=True, directed=True,
        source="political blogs (Adamic & Glance 2005), without features, from danielzuegner/gnn-meta-attack",
        licence=_UNDER_MIT,
        files=_npz(_META_ATTACK, "polblogs", 171030, "cd0983c2b1caa3bbe2703a4e316f97bb1dccd33f98800d3d8e4bbe51cc86941b"),
    ),
    Entry(
        "wisconsin", _webkb_graph, nodes=251, edges=450, features=1703, classes=5, directed=True,
        source="web pages of a university (WebKB; Pei et al. 2020), from graphdml-uiuc-jlu/geom-gcn",
        licence="public research data, the licence of the repository was not checked",
        files=(
            RemoteFile(
                f"geom_gcn/wisconsin_{EDGES}", f"{_GEOM_GCN}/wisconsin/{EDGES}", 3606,
                "ebd213511c88fce1eda450c2f920600c4b8cbb38f02384856bcc47c6ec1807ae",
            ),
            RemoteFile(
                f"geom_gcn/wisconsin_{FEATURES}", f"{_GEOM_GCN}/wisconsin/{FEATURES}", 856324,
                "a32b0aa38d42f0d36841e8a8cb646d197f0ff33a182ac75a2b4476aeed3c7e4b",
            ),
        ),
    ),
)  # fmt: skip

REGISTRY: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}
"""Every data set that `load_dataset` knows by name."""


@dataclass(frozen=True)
class DatasetRow:
    """One line of the list. Counts are those of the default form; None is "any, by option" (synthetic)."""

    name: str
    nodes: int | None
    edges: int | None
    features: int | None
    classes: int | None
    where: str
    licence: str
    source: str


def describe_datasets(root: Root = None) -> list[DatasetRow]:
    """All data sets that `load_dataset` knows by name, in the order of the registry; downloads nothing.

    `where` is "embedded" (digits), "generated" (synthetic), "registered", the folder that holds the verified files,
    "download" if one of them would have to be fetched, or "damaged: …" with the reason why a file that was found cannot
    be used.

    Args:
        root: folder to look for files first, as in `load_dataset`.
    """
    own = [field.name for field in fields(DatasetRow) if field.name != "where"]
    rows = ((_where(entry, root), {name: getattr(entry, name) for name in own}) for entry in REGISTRY.values())
    return [DatasetRow(where=where, **row) for where, row in rows]


def _where(entry: Entry, root: Root) -> str:
    if not entry.files:
        return entry.where
    try:
        copies = [locate(file, root) for file in entry.files]
    except DataError as error:
        return f"damaged: {error}"
    found = [copy[0].parent for copy in copies if copy is not None]
    return str(found[0]) if len(found) == len(copies) else "download"
