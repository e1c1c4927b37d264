"""What a run says about itself: the environment, and the settings shown in the report."""

import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcert._version import __version__
from graphcert.noise import Partition, settings_of_laws
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.noise import SmoothingConfig


def environment() -> dict[str, str]:
    """Versions and machine."""
    return {
        "graphcert": __version__, "python": platform.python_version(), "torch": torch.__version__,
        "numpy": np.__version__, "machine": platform.machine(),
    }  # fmt: skip


def settings_table(config: RunConfig, manifest: Mapping[str, Any], data: Data) -> dict[str, dict[str, Any]]:
    """The sections of the report's table of settings."""
    described = config.to_dict()
    certificate = dict(described["certificate"])
    together = certificate.pop("simultaneous")
    graph = {
        "name": config.dataset.name, "nodes": int(data.x.shape[0]), "edges": int(data.edge_index.shape[1] // 2),
        "features": int(data.x.shape[1]), "classes": int(data.classes),
        "split": f"{int(data.train_mask.sum())} / {int(data.val_mask.sum())} / {int(data.test_mask.sum())} "
        "(train / validation / test)",
        "sha256": manifest.get("data", ""),
    }  # fmt: skip
    model = {"name": config.model.name, **config.model.options, "sha256": manifest.get("model", "")}
    return {
        "dataset": graph, "model": model, "smoothing": _noise_settings(config.smoothing),
        "training": described["training"], "sampling": {**described["sampling"], "seed": config.seed},
        "certificate": {**certificate, "claims": "all together" if together else "each by itself"},
        "collective": described["collective"], "environment": environment(),
    }  # fmt: skip


def cluster_links(partition: Partition | None, data: Data) -> NDArray[np.int64] | None:
    """(C, C) the undirected edges between clusters, and inside them on the diagonal; None without clusters."""
    if partition is None:
        return None
    links = np.zeros((partition.clusters, partition.clusters), np.int64)
    # Both directions of an edge are listed: between two clusters they fill both sides, inside one they count double.
    np.add.at(links, tuple(partition.labels[data.edge_index.numpy()]), 1)
    np.fill_diagonal(links, links.diagonal() // 2)
    return links


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
