"""The clusters of a localized scheme: how near they are to each other, and which noise they see there."""

from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.certificates import Attack
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CHANNELS, Law, Partition
from graphcert.report.frame.html import Section, block, gallery
from graphcert.report.frame.wording import NOTHING, number, percent
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.sweep import Ladder, ladders
from graphcert.report.plots import attack_plot, cluster_plot, rank_plot

_MOST_LEVELS = 12
_NEAREST = 3


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


def _parameters(law: Law) -> dict[str, str]:
    """The numbers of a law and of the selection of its rows, under their symbols; what it does not have is left out."""
    found = {"select": law.select} if law.selects else {}
    found |= {symbol: getattr(law.row, field) for field, symbol in law.row.symbols}
    if law.row.lattice is not None:
        found["lattice"] = law.row.lattice
    return {name: f"{value:.4g}" for name, value in found.items()}


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


_MOST = 4
_NAMED = 8
_MOST_ROWS = 20


class _Found(NamedTuple):
    """An attack and the place of its budget in a sweep."""

    ladder: Ladder
    row: int
    attack: Attack


def attack(content: ReportContent) -> Section | None:
    """Per sweep the best attack at the budget of the largest gain: a picture, what it changes, and whom it may cost."""
    smoothing = content.certificate.smoothing
    partition = smoothing.partition
    if partition is None or not smoothing.localized:
        return None
    found = [one for ladder in ladders(content) if (one := _worst(content, ladder)) is not None][:_MOST]
    if not found:
        return None
    parts = [block("paragraphs", _introduction(found))]
    if content.links is not None:
        figures = [(_caption(one), _picture(content, partition, one, i)) for i, one in enumerate(found)]
        parts += [gallery(figures), block("notes", [_LEGEND])]
    tables = Markup().join(_attack_table(content, partition, one) for one in found)
    if partition.clusters * len(found) > _MOST_ROWS:
        tables = block("folded", "Cluster by cluster", tables)
    parts += [block("paragraphs", [_sentence(content, one) for one in found]), tables]
    return Section("Where one perturbation does most harm", Markup().join(parts))


def _worst(content: ReportContent, ladder: Ladder) -> _Found | None:
    """The attack at the budget of the largest gain, or, without a gain, at the middle one that leaves somebody certified."""
    curve = ladder.best
    if curve.attacks is None:
        return None
    alive = np.flatnonzero((curve.certified > 0) & curve.attacks.any(axis=1))
    if not alive.size:
        return None
    row = ladder.peak if ladder.gain.any() and ladder.peak in alive else int(alive[alive.size // 2])
    try:
        return _Found(ladder, row, Attack.of(content.certificate, curve, row))
    except (InputError, UnsupportedError):  # of another scheme, or beyond exact arithmetic
        return None


_LEGEND = (
    "Signs in a circle count the feature bits that are set (+) and cleared (−) in the cluster and, with an e, its edges; "
    "without room for them the cluster’s number is coloured. A coloured line stands for edges between two clusters. The "
    "ring fills clockwise with the share of the cluster’s targets that may fall. Circles and grey lines are those of the "
    "clusters above."
)


def _introduction(found: list[_Found]) -> list[str]:
    sentences = [
        "Which single perturbation is the worst? The search over all ways to spread a budget over the clusters leaves one "
        "with every bound: the best attack that is known. It names places and counts, not single bits.",
        "Targets that may fall are those that no certificate of these votes can prove to survive it: some classifier with "
        "the same majorities loses them. The model at hand may well withstand.",
    ]
    if all(one.ladder.best.gap[one.row] == 0 for one in found):
        sentences.append("No other perturbation within these budgets does more: the gap to the proved bound is 0.")
    return [" ".join(sentences)]


def _caption(one: _Found) -> str:
    return f"Against {one.ladder.words(one.row)}"


def _sentence(content: ReportContent, one: _Found) -> str:
    broken, silent = int(one.attack.broken.sum()), int(one.attack.abstained.sum())
    certified = int(one.ladder.best.certified[one.row])
    return (
        f"{_caption(one)}: {one.attack.words}. {number(broken)} of {number(content.certificate.claims)} targets may fall, "
        f"{number(silent)} abstain anyway, and whatever the perturbation, at least {number(certified)} keep their label."
    )


def _picture(content: ReportContent, partition: Partition, one: _Found, index: int) -> Markup:
    assert content.links is not None  # asked by the caller
    targets, broken = _counts(content, partition, one)
    share = np.divide(broken, targets, out=np.full(len(targets), np.nan), where=targets > 0)
    edges = np.triu(one.attack.edge_add + one.attack.edge_delete, 1)
    return Markup(attack_plot(partition.sizes, content.links, _signs(one.attack), edges, share, f"attack{index}"))


def _counts(content: ReportContent, partition: Partition, one: _Found) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(C,) targets and (C,) those that may fall."""
    targets = np.bincount(partition.labels[content.certificate.targets], minlength=partition.clusters)
    return targets, np.bincount(partition.labels[one.attack.broken], minlength=partition.clusters)


def _signs(found: Attack) -> list[str]:
    """(C,) what changes inside each cluster: "+3", "−2", "+1 −1e"."""
    parts = (
        ("+", found.feature_add, ""), ("−", found.feature_delete, ""),
        ("+", found.edge_add.diagonal(), "e"), ("−", found.edge_delete.diagonal(), "e"),
    )  # fmt: skip
    return [
        " ".join(f"{sign}{counts[cluster]}{unit}" for sign, counts, unit in parts if counts[cluster])
        for cluster in range(found.feature_add.size)
    ]


def _attack_table(content: ReportContent, partition: Partition, one: _Found) -> Markup:
    """Per cluster what changes in it, how many targets may fall, and the first of them."""
    targets, broken = _counts(content, partition, one)
    signs, between = _signs(one.attack), np.triu(one.attack.edge_add + one.attack.edge_delete, 1)
    ends = between.sum(axis=0) + between.sum(axis=1)
    outer = ["edges to others"] * bool(between.any())
    rows = []
    for cluster in range(partition.clusters):
        nodes = np.flatnonzero(one.attack.broken & (partition.labels == cluster))
        first = ", ".join(map(str, nodes[:_NAMED].tolist())) + ("…" if nodes.size > _NAMED else "")
        all_of, fall = int(targets[cluster]), int(broken[cluster])
        edges = [number(int(ends[cluster])) if ends[cluster] else NOTHING] * len(outer)
        touched = [] if one.attack.rows is None else [number(int(one.attack.rows[cluster])) or NOTHING]
        counts = [number(all_of), number(fall), percent(fall, all_of), first or NOTHING]
        rows.append([str(cluster), signs[cluster] or NOTHING, *touched, *edges, *counts])
    nodes_changed = ["nodes changed"] * (one.attack.rows is not None)
    header = ["cluster", "changes", *nodes_changed, *outer, "targets", "may fall", "share", "first nodes"]
    return block("table", _caption(one), header, rows)
