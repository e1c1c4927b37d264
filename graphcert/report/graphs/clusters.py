"""The sections about the clusters of a localized scheme: their noise, and what the worst known perturbation does there."""

from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.certificates import Attack
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CHANNELS, Partition
from graphcert.report.frame.html import Section, block, gallery
from graphcert.report.frame.wording import NOTHING, number, parameters, percent
from graphcert.report.graphs.content import ReportContent
from graphcert.report.graphs.sweep import Counts, Sweep
from graphcert.report.plots import attack_plot, cluster_plot, rank_plot

_MOST_LEVELS, _NEAREST, _MOST_ATTACKS, _NAMED, _MOST_ROWS = 12, 3, 4, 8, 20


def clusters(content: ReportContent) -> Section | None:
    """Pictures of the clusters and of their ranks, and the noise at every level."""
    partition, links = content.partition, content.links
    if partition is None:
        return None
    figures = [("How near the clusters are to each other", Markup(rank_plot(partition.rank, "ranks")))]
    legend = (
        "A row of the matrix is the cluster whose nodes are classified, a column a cluster that it sees: rank 0 is itself, "
        "1 the nearest of the others; the stronger the shade, the farther away."
    )
    if links is not None:
        svg = Markup(cluster_plot(partition.sizes, links, "clusters"))
        figures.insert(0, ("Clusters and the edges between them", svg))
        legend = (
            "The area of a circle grows with its nodes, and it bears the number of the cluster and, where there is room, "
            "of its nodes; the width of a line grows with the edges between two clusters, and the thinnest are left out. "
        ) + legend
    introduction = (
        f"The nodes are parted into {number(partition.clusters)} clusters, and the nodes of each cluster are classified "
        "under a noise of their own: usually little on what is near, which keeps the classifier accurate, and much on what "
        "is far, which hides changes there. So one change hurts some clusters more than others; that is why more targets "
        "can survive together than alone."
    )
    table = block("folded", "The clusters in numbers", _table(content, partition))
    parts = [block("paragraphs", [introduction]), gallery(figures), block("notes", [legend])]
    return Section("Clusters and ranks", Markup().join([*parts, _levels(content, partition), table]))


def _levels(content: ReportContent, partition: Partition) -> Markup:
    """Per channel the noise at every level: for which ranks it holds, and how much of the graph is seen through it."""
    smoothing = content.certificate.smoothing
    channels = [channel for channel in CHANNELS if smoothing.perturbs(channel)]
    tables = []
    for channel in channels:
        laws, level, rows = smoothing.levels(channel), smoothing.level_of_rank(channel), []
        seen = _seen(channel, level[partition.rank], partition, content.links)
        for k, law in enumerate(laws):
            ranks = np.flatnonzero(level == k)
            span = str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]}–{ranks[-1]}"
            share = [] if seen is None else [percent(int(seen[k]), int(seen.sum()))]
            rows.append([str(k), span, number(len(ranks)), *share, *parameters(law).values()])
        share = [] if seen is None else ["nodes" if channel == "features" else "edges"]
        header = ["level", "ranks", "clusters", *share, *parameters(laws[0])]
        tables.append(block("table", f"Noise of {channel}, near to far", header, rows))
    note = "Each cluster sees so many clusters at a level, and on average such a share of the graph."
    if "edges" in channels:
        note += " An edge has the level of that cluster at its ends that is farther away."
    found = block("columns", tables) + block("notes", [note])
    if max(len(smoothing.levels(channel)) for channel in channels) > _MOST_LEVELS:
        return block("folded", "The noise at every level", found)
    return found


def _seen(channel: str, level: Counts, partition: Partition, links: Counts | None) -> Counts | None:
    """Per level how many nodes or edges are seen at it, summed over the clusters that see; None if that is not known.

    `level` (C, C) is the one at which the cluster of a row sees the one of a column.
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


def _table(content: ReportContent, partition: Partition) -> Markup:
    """Nodes, targets and edges per cluster, and its nearest ones."""
    order = np.argsort(partition.rank, axis=1)[:, 1 : 1 + _NEAREST]
    columns = {"nodes": partition.sizes, "targets": _per_cluster(partition, content.certificate.targets)}
    if content.links is not None:
        inside = content.links.diagonal()
        columns |= {"edges inside": inside, "edges to others": content.links.sum(axis=1) - inside}
    rows = [
        [str(k), *(number(int(column[k])) for column in columns.values()), ", ".join(map(str, order[k].tolist()))]
        for k in range(partition.clusters)
    ]
    return block("table", f"{number(partition.clusters)} clusters", ["cluster", *columns, "nearest first"], rows)


def _per_cluster(partition: Partition, nodes: NDArray[np.bool_]) -> Counts:
    """(C,) how many of these nodes (N,) are in each cluster."""
    return np.bincount(partition.labels[nodes], minlength=partition.clusters)


class WorstKnown(NamedTuple):
    """An attack and the place of its budget in a sweep."""

    sweep: Sweep
    row: int
    attack: Attack

    @property
    def caption(self) -> str:
        """The budget."""
        return f"Against {self.sweep.words(self.row)}"

    @property
    def edges(self) -> Counts:
        """(C, C) edges that change between two clusters, entry [j, k] with j < k."""
        return np.triu(self.attack.edge_add + self.attack.edge_delete, 1)

    @property
    def signs(self) -> list[str]:
        """(C,) what changes inside each cluster: "+3", "−2", "+1 −1e"."""
        found = self.attack
        parts = (
            ("+", found.feature_add, ""), ("−", found.feature_delete, ""),
            ("+", found.edge_add.diagonal(), "e"), ("−", found.edge_delete.diagonal(), "e"),
        )  # fmt: skip
        return [
            " ".join(f"{sign}{counts[cluster]}{unit}" for sign, counts, unit in parts if counts[cluster])
            for cluster in range(found.feature_add.size)
        ]


_LEGEND = (
    "Signs in a circle count the feature bits that are set (+) and cleared (−) in the cluster and, with an e, its edges; "
    "without room for them the cluster’s number is coloured. A coloured line stands for edges between two clusters. The "
    "ring fills clockwise with the share of the cluster’s targets that may fall. Circles and grey lines are those of the "
    "clusters above."
)


def attack(content: ReportContent) -> Section | None:
    """Per sweep the best attack at the budget of the largest gain: a picture, what it changes, and whom it may cost."""
    partition = content.partition
    known = [one for sweep in content.sweeps if (one := worst_known(content, sweep)) is not None][:_MOST_ATTACKS]
    if partition is None or not known:
        return None
    introduction = (
        "Which single perturbation is the worst? The search over all ways to spread a budget over the clusters leaves one "
        "with every bound: the best attack that is known. It names places and counts, not single bits. "
        "Targets that may fall are those that no certificate of these votes can prove to survive it: some classifier with "
        "the same majorities loses them. The model at hand may well withstand."
    )
    if all(one.sweep.best.gap[one.row] == 0 for one in known):
        introduction += " No other perturbation within these budgets does more: the gap to the proved bound is 0."
    parts = [block("paragraphs", [introduction])]
    if content.links is not None:
        targets, figures = _per_cluster(partition, content.certificate.targets), []
        for i, one in enumerate(known):
            broken = _per_cluster(partition, one.attack.broken)
            share = np.divide(broken, targets, out=np.full(len(targets), np.nan), where=targets > 0)
            svg = attack_plot(partition.sizes, content.links, one.signs, one.edges, share, f"attack{i}")
            figures.append((one.caption, Markup(svg)))
        parts += [gallery(figures), block("notes", [_LEGEND])]
    tables = Markup().join(_attack_table(content, partition, one) for one in known)
    if partition.clusters * len(known) > _MOST_ROWS:
        tables = block("folded", "Cluster by cluster", tables)
    claims = number(content.certificate.claims)
    sentences = [
        f"{one.caption}: {one.attack.words}. {number(int(one.attack.broken.sum()))} of {claims} targets may fall"
        f"{one.attack.possible_words}, "
        f"{number(int(one.attack.abstained.sum()))} abstain anyway, and whatever the perturbation, at least "
        f"{number(int(one.sweep.best.certified[one.row]))} keep their label."
        for one in known
    ]
    parts += [block("paragraphs", sentences), tables]
    return Section("Where one perturbation does most harm", Markup().join(parts))


def worst_known(content: ReportContent, sweep: Sweep) -> WorstKnown | None:
    """The attack at the budget of the largest gain, or, without a gain, at the middle one that leaves somebody certified."""
    curve = sweep.best
    if curve.attacks is None:
        return None
    alive = np.flatnonzero((curve.certified > 0) & curve.attacks.any(axis=1))
    if not alive.size:
        return None
    row = sweep.peak if sweep.gain.any() and sweep.peak in alive else int(alive[alive.size // 2])
    try:
        return WorstKnown(sweep, row, Attack.of(content.certificate, curve, row))
    except (InputError, UnsupportedError):  # of another scheme, or beyond exact arithmetic
        return None


def _attack_table(content: ReportContent, partition: Partition, one: WorstKnown) -> Markup:
    """Per cluster what changes in it, how many targets may fall, and the first of them."""
    targets, signs = _per_cluster(partition, content.certificate.targets), one.signs
    columns = {"changes": [sign or NOTHING for sign in signs]}
    if one.attack.rows is not None:
        columns["nodes changed"] = [number(int(count)) if count else NOTHING for count in one.attack.rows]
    if one.edges.any():
        ends = one.edges.sum(axis=0) + one.edges.sum(axis=1)
        columns["edges to others"] = [number(count) if count else NOTHING for count in ends.tolist()]
    rows = []
    for cluster in range(partition.clusters):
        nodes = np.flatnonzero(one.attack.broken & (partition.labels == cluster))
        first = ", ".join(map(str, nodes[:_NAMED].tolist())) + ("…" if nodes.size > _NAMED else "")
        fall = [number(int(targets[cluster])), number(nodes.size), percent(nodes.size, int(targets[cluster]))]
        rows.append([str(cluster), *(column[cluster] for column in columns.values()), *fall, first or NOTHING])
    return block("table", one.caption, ["cluster", *columns, "targets", "may fall", "share", "first nodes"], rows)
