"""What a run says about itself: the environment, and the settings shown in the report."""

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcert._version import __version__
from graphcert.data import partition_graph
from graphcert.noise import Scheme, settings_of_laws
from graphcert.report.graphs.content import DrawnGraph
from graphcert.run.adaptive import sampling_facts
from graphcert.run.certified import Certified
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.noise import SmoothingConfig

_MOST_DISCS, _PER_DISC, _FEW_NODES = 50, 60, 150
"""Clusters of a picture at most, their nodes if there is a choice, and graphs that need no clusters."""


def environment() -> dict[str, str]:
    """Versions and machine."""
    return {
        "graphcert": __version__, "python": platform.python_version(), "torch": torch.__version__,
        "numpy": np.__version__, "machine": platform.machine(),
    }  # fmt: skip


def settings_table(config: RunConfig, manifest: Mapping[str, Any], certified: Certified) -> dict[str, dict[str, Any]]:
    """The sections of the report's table of settings."""
    described, data = config.to_dict(), certified.data
    certificate = dict(described["certificate"])
    together = certificate.pop("simultaneous")
    graph = {
        "name": config.dataset.name, "nodes": int(data.x.shape[0]), **edge_count(certified.votes.smoothing, data),
        "features": int(data.x.shape[1]), "classes": int(data.classes),
        "split": f"{int(data.train_mask.sum())} / {int(data.val_mask.sum())} / {int(data.test_mask.sum())} "
        "(train / validation / test)",
        "sha256": manifest.get("data", ""),
    }  # fmt: skip
    model = {
        "name": config.model.title,
        **config.model.options,
        **_origin(manifest),
        "sha256": manifest.get("model", ""),
    }
    sampling = {**described["sampling"], **sampling_facts(certified.votes), "seed": config.seed}
    model |= {key: value for key in ("call", "output") if (value := getattr(config.model, key)) is not None}
    return {
        "dataset": graph, "model": model, "smoothing": _noise_settings(config.smoothing),
        "training": described["training"], "sampling": sampling,
        "certificate": {**certificate, "claims": "all together" if together else "each by itself"},
        "collective": described["collective"],
        "environment": {name: manifest[name] for name in environment() if name in manifest},
    }  # fmt: skip


def _origin(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The code and the weights that a model of the user's own was made of, as the manifest has them."""
    sources, weights = manifest.get("sources"), manifest.get("weights")
    files = {f"source of {name}": one for name, one in sources.items()} if isinstance(sources, dict) else {}
    files |= {"weights": weights}
    return {
        name: f"{one.get('file')}, sha256 {one.get('sha256')}" for name, one in files.items() if isinstance(one, dict)
    }


def edge_count(smoothing: Scheme, data: Data) -> dict[str, int]:
    """The number of edges as budgets count them, by what they are called."""
    listed = int(data.edge_index.shape[1])
    return {"directed edges": listed} if smoothing.directed else {"edges": listed // 2}


def cluster_links(smoothing: Scheme, data: Data) -> NDArray[np.int64] | None:
    """(C, C) the edges between clusters, as budgets count them, and inside them on the diagonal; None without clusters."""
    partition = smoothing.partition
    if partition is None:
        return None
    listed = np.zeros((partition.clusters, partition.clusters), np.int64)
    np.add.at(listed, tuple(partition.labels[data.edge_index.numpy()]), 1)
    links = listed + listed.T
    np.fill_diagonal(links, listed.diagonal())
    # An undirected edge is listed in both directions.
    return links if smoothing.directed else links // 2


def drawn_graph(smoothing: Scheme, data: Data) -> DrawnGraph:
    """The graph as reports draw it: by the clusters of the scheme, or by clusters that are made for the picture alone."""
    partition, nodes = smoothing.partition, int(data.x.shape[0])
    source, target = data.edge_index.cpu().numpy()
    edges = np.stack([source, target])[:, (source < target) | smoothing.directed]
    if partition is not None and partition.clusters <= _MOST_DISCS:
        return DrawnGraph(edges, partition.labels)
    if nodes <= _FEW_NODES:  # each of them is placed for itself
        return DrawnGraph(edges, np.arange(nodes))
    return DrawnGraph(edges, partition_graph(data, min(_MOST_DISCS, -(-nodes // _PER_DISC))).labels)


def _noise_settings(smoothing: SmoothingConfig) -> dict[str, Any]:
    """Rates, the selection of rows and, for a localized scheme, clusters."""
    rows: dict[str, Any] = {}
    for channel, rates in (("features", smoothing.features), ("edges", smoothing.edges)):
        if not rates.silent:
            rows[f"{channel} θ⁺"], rows[f"{channel} θ⁻"] = (_rate(rate) for rate in (rates.add, rates.delete))
    for name, value in smoothing.laws.items():
        setting = settings_of_laws()[name].setting
        if setting is not None and setting.shown:
            rows[setting.shown] = _rate(value)
    if smoothing.added_weight is not None:
        rows["weight of added edges"] = f"{smoothing.added_weight:g}"
    if smoothing.added_attr is not None:
        rows["attributes of added edges"] = ", ".join(f"{value:g}" for value in smoothing.added_attr)
    if smoothing.lattice is not None:
        rows["lattice of features"] = f"{smoothing.lattice:g}"
    if smoothing.select is not None:
        hidden = smoothing.law is not None and smoothing.law.element == "rows"
        rows["rows ablated" if hidden else "rows selected"] = _rate(smoothing.select)
    if smoothing.clusters > 1:
        rows |= {"clusters": smoothing.clusters, "levels": smoothing.levels or smoothing.clusters}
        rows |= {"partition": smoothing.partition, "affinity": smoothing.affinity}
    return rows


def _rate(rate: float | tuple[float, ...]) -> str:
    return f"{rate[0]:g} (near) to {rate[-1]:g} (far)" if isinstance(rate, tuple) else f"{rate:g}"
