"""The clusters of a localized scheme: how near they are to each other, and which noise they see there."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.noise import CHANNELS, Partition
from graphcert.report.content import ReportContent
from graphcert.report.page import block
from graphcert.report.plots import cluster_plot, rank_plot
from graphcert.report.sections.section import Section, gallery
from graphcert.report.wording import number, percent

_MOST_LEVELS = 12
_NEAREST = 3
_SYMBOLS = {"add": "θ⁺", "delete": "θ⁻", "sigma": "σ", "half_width": "λ"}


def clusters(content: ReportContent) -> Section | None:
    """Pictures of the clusters and of their ranks, and the noise at every level."""
    smoothing = content.certificate.smoothing
    partition = smoothing.partition
    if partition is None or not smoothing.localized:
        return None
    figures = [("How near the clusters are to each other", Markup(rank_plot(partition.rank, "ranks")))]
    if content.links is not None:
        svg = Markup(cluster_plot(partition.sizes, content.links, "clusters"))
        figures.insert(0, ("Clusters and the edges between them", svg))
    parts = [
        block("paragraphs", _sentences(partition)),
        gallery(figures),
        block("notes", _legend(content)),
        _levels(content, partition),
        block("folded", "The clusters in numbers", _table(content, partition)),
    ]
    return Section("Clusters and ranks", Markup().join(parts))


def _sentences(partition: Partition) -> list[str]:
    sentences = [
        f"The nodes are parted into {number(partition.clusters)} clusters, and the nodes of each cluster are classified "
        "under a noise of their own: usually little on what is near, which keeps the classifier accurate, and much on what "
        "is far, which hides changes there.",
        "So one change hurts some clusters more than others; that is why more targets can survive together than alone.",
    ]
    return [" ".join(sentences)]


def _legend(content: ReportContent) -> list[str]:
    sentences = [
        "A row of the matrix is the cluster whose nodes are classified, a column a cluster that it sees: rank 0 is itself, "
        "1 the nearest of the others; the stronger the shade, the farther away."
    ]
    if content.links is not None:
        sentences.insert(
            0,
            "The area of a circle grows with its nodes, and it bears the number of the cluster and, where there is room, "
            "of its nodes; the width of a line grows with the edges between two clusters, and the thinnest are left out.",
        )
    return [" ".join(sentences)]


def _levels(content: ReportContent, partition: Partition) -> Markup:
    """Per channel the noise at every level: for which ranks it holds, and how much of the graph is seen through it."""
    smoothing = content.certificate.smoothing
    channels = [channel for channel in CHANNELS if smoothing.perturbs(channel)]
    tables = []
    for channel in channels:
        laws, level = smoothing.levels(channel), smoothing.level_of_rank(channel)
        seen = _seen(channel, level[partition.rank], partition, content.links)
        rows = []
        for k, law in enumerate(laws):
            ranks = np.flatnonzero(level == k)
            share = [] if seen is None else [percent(int(seen[k]), int(seen.sum()))]
            rows.append([str(k), _span(ranks), number(len(ranks)), *share, *_parameters(law).values()])
        share = [] if seen is None else ["nodes" if channel == "features" else "edges"]
        header = ["level", "ranks", "clusters", *share, *_parameters(laws[0])]
        tables.append(block("table", f"Noise of {channel}, near to far", header, rows))
    note = "Each cluster sees so many clusters at a level, and on average such a share of the graph."
    if "edges" in channels:
        note += " An edge has the level of that cluster at its ends that is farther away."
    found = block("columns", tables) + block("notes", [note])
    if max(len(smoothing.levels(channel)) for channel in channels) > _MOST_LEVELS:
        return block("folded", "The noise at every level", found)
    return found


def _seen(
    channel: str, level: NDArray[np.int64], partition: Partition, links: NDArray[np.int64] | None
) -> NDArray[np.int64] | None:
    """Per level how many nodes or edges are seen at it, summed over the clusters that see; None if that is not known.

    Args:
        channel: "features" for nodes, "edges" for edges.
        level: (C, C) the level at which the cluster of a row sees the one of a column.
        partition: the clusters.
        links: edges between and inside clusters, or None.
    """
    if channel == "features":
        weights = np.broadcast_to(partition.sizes, level.shape)
    elif links is None or not links.any():
        return None
    else:
        level = np.maximum(level[:, :, None], level[:, None, :])
        weights = np.broadcast_to(np.triu(links), level.shape)
    counts = np.zeros(int(level.max()) + 1, np.int64)
    np.add.at(counts, level, weights)
    return counts


def _span(ranks: NDArray[np.int64]) -> str:
    return str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]}–{ranks[-1]}"


def _parameters(law: Any) -> dict[str, str]:
    """The rates of a law, and of the law inside it, under their symbols; what it does not have is left out."""
    found: dict[str, str] = {}
    for field in fields(law):
        value = getattr(law, field.name)
        if is_dataclass(value):
            found |= _parameters(value)
        elif value is not None:
            found[_SYMBOLS.get(field.name, field.name)] = f"{value:.4g}"
    return found


def _table(content: ReportContent, partition: Partition) -> Markup:
    """Nodes, targets and edges per cluster, and its nearest ones."""
    targets = np.bincount(partition.labels[content.certificate.targets], minlength=partition.clusters)
    order = np.argsort(partition.rank, axis=1)[:, 1 : 1 + _NEAREST]
    header, columns = ["cluster", "nodes", "targets"], [partition.sizes, targets]
    if content.links is not None:
        inside = content.links.diagonal()
        header += ["edges inside", "edges to others"]
        columns += [inside, content.links.sum(axis=1) - inside]
    rows = [
        [str(k), *(number(int(column[k])) for column in columns), ", ".join(map(str, order[k].tolist()))]
        for k in range(partition.clusters)
    ]
    return block("table", f"{number(partition.clusters)} clusters", [*header, "nearest first"], rows)
