"""The worst perturbation that is known within a budget: where it changes what, and which targets may fall."""

from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from graphcert.certificates import Attack
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Partition
from graphcert.report.content import ReportContent
from graphcert.report.ladder import Ladder, ladders
from graphcert.report.page import block
from graphcert.report.plots import attack_plot
from graphcert.report.sections.section import Section, gallery
from graphcert.report.wording import NOTHING, number, percent

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
    tables = Markup().join(_table(content, partition, one) for one in found)
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


def _table(content: ReportContent, partition: Partition, one: _Found) -> Markup:
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
