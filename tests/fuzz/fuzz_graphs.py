"""Files that hold graphs: how they are read, and what must hold of whatever is accepted."""

import io
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_kind import Kind, split, whole, written
from fuzz_mutations import (
    Generator,
    changed_array,
    changed_checkpoint,
    changed_npz,
    changed_pickle,
    changed_table,
    damage,
    packed,
)

from graphcert.data import load_graph_file, validate
from graphcert.data.geom_gcn import EDGES, FEATURES, read_geom_gcn, with_published_splits
from graphcert.data.ogb_tables import OgbGraph, read_ogb
from graphcert.data.planetoid import PARTS, read_planetoid
from graphcert.data.raw import RawGraph
from graphcert.data.splits import given_split
from graphcert.errors import GraphcertError

DRAWN = {"per_class_train": 1, "per_class_validation": 1}
FORMS: tuple[dict[str, Any], ...] = (
    DRAWN, DRAWN | {"directed": True}, DRAWN | {"weights": True}, DRAWN | {"directed": True, "weights": True},
    DRAWN | {"standardise": True}, {}, {"directed": True},
)  # fmt: skip
"""How a graph is asked for: with a split that is drawn, or the one that its file brings."""


def read_graph(path: Path, **beside: str) -> None:
    """Read in every form that can be asked for; what is accepted is in that form."""
    refused: list[GraphcertError] = []
    for form in FORMS:
        try:
            data = load_graph_file(path, **form, **beside)
        except GraphcertError as error:
            refused.append(error)
            continue
        validate(data, binary="standardise" in form, directed="directed" in form)
    if len(refused) == len(FORMS):
        raise refused[0]


def check_raw(graph: RawGraph, size: int) -> None:
    """What holds of every graph from tables of so many bytes."""
    assert graph.features.shape[0] == graph.nodes == len(graph.labels) <= size
    assert graph.features.dtype == np.float32
    assert np.isfinite(graph.features).all()
    assert graph.edges.size == 0 or 0 <= graph.edges.min() <= graph.edges.max() < graph.nodes
    assert graph.labels.size == 0 or -1 <= graph.labels.min() <= graph.labels.max() < graph.classes


def read_planetoid_part(path: Path) -> None:
    files = whole("planetoid", path.read_bytes())
    graph = read_planetoid({part: files[part] for part in PARTS})
    check_raw(graph, sum(map(len, files.values())))


def changed_planetoid(rng: Generator, content: bytes) -> bytes:
    return rng.choice([damage, changed_pickle, changed_pickle])(rng, content)


def read_geom_gcn_part(path: Path) -> None:
    files = whole("geom-gcn", path.read_bytes())
    graph = read_geom_gcn(files[FEATURES], files[EDGES])
    check_raw(graph, len(files[FEATURES]))
    masks = given_split(with_published_splits(graph, [io.BytesIO(files["split.npz"])]), 0)
    assert masks is not None
    assert (sum(mask.astype(int) for mask in masks) <= 1).all(), "a node trains and is tested"


def changed_geom_gcn(rng: Generator, content: bytes) -> bytes:
    return changed_npz(rng, content) if content.startswith(b"PK") else changed_table(rng, content, b"\t,")


OGB = OgbGraph("ogb", "split", "http://example.org", "none")


def read_ogb_part(path: Path) -> None:
    files = whole("ogb", path.read_bytes())
    graph = read_ogb(written(path.parent / "ogb", files), OGB)
    check_raw(graph, 2**20)
    assert graph.masks is not None
    assert graph.masks.shape == (3, graph.nodes)


def changed_ogb(rng: Generator, content: bytes) -> bytes:
    return packed(rng, content, partial(changed_table, separators=b","))


def read_scipy_part(path: Path) -> None:
    folder = written(path.parent / "scipy", whole("scipy", path.read_bytes()))
    features = "dense.npy" if split(path.read_bytes())[0] == "dense.npy" else "features.npz"
    adjacency = "coo.npz" if split(path.read_bytes())[0] == "coo.npz" else "adjacency.npz"
    read_graph(folder / adjacency, labels=str(folder / "labels.npy"), features=str(folder / features))


def changed_scipy(rng: Generator, content: bytes) -> bytes:
    if content.startswith(b"PK"):
        return changed_npz(rng, content)
    with suppress(ValueError):  # what an earlier change has made unreadable is damaged
        return changed_array(rng, content)
    return damage(rng, content)


GRAPHS = {
    "graph": Kind(changed_npz, read_graph, ".npz"),
    "tensors": Kind(changed_checkpoint, read_graph, ".pt"),
    "planetoid": Kind(changed_planetoid, read_planetoid_part, parts=True),
    "geom-gcn": Kind(changed_geom_gcn, read_geom_gcn_part, parts=True),
    "ogb": Kind(changed_ogb, read_ogb_part, parts=True),
    "scipy": Kind(changed_scipy, read_scipy_part, parts=True),
}
