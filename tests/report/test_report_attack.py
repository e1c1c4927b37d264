"""What a report shows of the worst known perturbation: its words, its counts per cluster, its rings."""

import re
from dataclasses import replace

import numpy as np
import pytest
from report_contents import Page, default_content, localized_content, make_clusters
from svg_reading import elements, paths, text_boxes

from graphcert.certificates import Attack
from graphcert.report import render
from graphcert.report.frame.wording import budget_words, number, percent
from graphcert.report.plots import attack_plot, cluster_plot
from graphcert.report.plots.canvas import WIDTH
from graphcert.report.plots.matrices import RANK_HEIGHT

HEADING = "Where one perturbation does most harm"
CONTENT = localized_content(methods=("naive", "tight"))
PAGE = render(CONTENT)


def shown() -> list[tuple[str, Attack, int]]:
    """Caption, attack and certified targets of every sweep that is shown: at the budget of the largest gain."""
    found = []
    for sweep in CONTENT.sweeps:
        if sweep.gain.any() and sweep.best.attacks[sweep.peak].any():
            attack = Attack.of(CONTENT.certificate, sweep.best, sweep.peak)
            caption = f"Against {budget_words(sweep.budgets[sweep.peak])}"
            found.append((caption, attack, int(sweep.best.certified[sweep.peak])))
    return found


def test_every_attack_is_told_with_its_numbers() -> None:
    words = " ".join("".join(Page(PAGE).text).split())
    assert HEADING in words
    attacks = shown()
    assert attacks
    for caption, attack, certified in attacks:
        claims = CONTENT.certificate.claims
        assert (
            f"{caption}: {attack.words}. {number(attack.broken.sum())} of {number(claims)} targets may fall"
            f"{attack.possible_words}, "
            f"{number(attack.abstained.sum())} abstain anyway, and whatever the perturbation, at least "
            f"{number(certified)} keep their label."
        ) in words


def test_the_table_has_the_changes_the_targets_and_the_first_nodes_of_every_cluster() -> None:
    tables = Page(PAGE).tables
    labels = CONTENT.certificate.smoothing.partition.labels
    for caption, attack, _ in shown():
        rows = tables[caption]
        assert rows[0] == ["cluster", "changes", "targets", "may fall", "share", "first nodes"]
        for cluster, row in enumerate(rows[1:]):
            mine = labels == cluster
            targets, broken = (mine & CONTENT.certificate.targets).sum(), np.flatnonzero(mine & attack.broken)
            parts = [f"+{attack.feature_add[cluster]}"] * bool(attack.feature_add[cluster])
            parts += [f"−{attack.feature_delete[cluster]}"] * bool(attack.feature_delete[cluster])
            assert row[:5] == [
                str(cluster), " ".join(parts) or "–", str(targets), str(broken.size), percent(broken.size, targets),
            ]  # fmt: skip
            listed = [int(node) for node in re.findall(r"\d+", row[5])]
            assert listed == broken[:8].tolist()
            assert ("…" in row[5]) == (broken.size > 8)


def test_rings_are_filled_as_far_as_targets_may_fall() -> None:
    partition, links = make_clusters(4, 200)
    share = np.array([0.25, 0.0, 1.0, np.nan])
    svg = attack_plot(partition.sizes, links, ["+3", "", "−1 +2e", ""], np.zeros((4, 4), int), share, "a")
    filled = paths(svg, "fill: var(--wrong)")
    empty = paths(svg, "fill: var(--rule)")
    assert len(empty) == 4
    assert len(filled) == 2
    assert {text for text, _ in text_boxes(svg)} >= {"+3", "−1 +2e"}
    quarter = min(filled, key=lambda corners: np.ptp(corners[:, 0]) * np.ptp(corners[:, 1]))
    ring = min(empty, key=lambda corners: np.hypot(*(corners.max(axis=0) - quarter.max(axis=0))))
    # A quarter from the top, clockwise, reaches as far up and right as its ring, and half as far in all.
    np.testing.assert_allclose(quarter[:, 0].max(), ring[:, 0].max(), atol=0.1)
    np.testing.assert_allclose(quarter[:, 1].min(), ring[:, 1].min(), atol=0.1)
    assert np.ptp(quarter[:, 0]) == pytest.approx(np.ptp(ring[:, 0]) / 2, abs=0.1)


@pytest.mark.parametrize("clusters", [2, 5, 20, 60])
def test_circles_stand_where_they_stand_in_the_picture_of_the_clusters(clusters: int) -> None:
    partition, links = make_clusters(clusters, 40 * clusters)
    between = np.zeros((clusters, clusters), int)
    between[0, 1] = 2
    svg = attack_plot(partition.sizes, links, ["+1"] * clusters, between, np.full(clusters, 0.5), "a")
    outline = "fill: none; stroke: var(--rank-cell)"
    for mine, theirs in zip(
        paths(svg, outline), paths(cluster_plot(partition.sizes, links, "c"), outline), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert len(paths(svg, "fill: none; stroke: var(--wrong)")) == 1
    assert any(text == "2" and "var(--wrong)" in element.attrib["style"]
               for element in elements(svg, "text") if (text := element.text))  # fmt: skip
    for _, box in text_boxes(svg):
        assert min(box[:2]) >= 0
        assert box[2] <= WIDTH
        assert box[3] <= RANK_HEIGHT


def test_changed_edges_have_a_column_of_their_own() -> None:
    content = localized_content(both=True, methods=("naive", "tight"))
    curve = content.certificate.collective(add=1, edge_delete=3, method="tight")
    pairs = 10
    planted = np.zeros(8 + 2 * pairs, np.int64)
    planted[0], planted[8 + pairs + 2] = 1, 3  # one bit in cluster 0, three edges between 0 and 2
    sweep = {"tight": replace(curve, attacks=planted[None])}
    rows = Page(render(replace(content, collective=(sweep,)))).tables["Against 1 feature bit added, 3 edges deleted"]
    assert rows[0][2] == "edges to others"
    assert [row[1:3] for row in rows[1:]] == [["+1", "3"], ["–", "–"], ["–", "3"], ["–", "–"]]


def test_without_attacks_clusters_or_anybody_certified_nothing_is_told() -> None:
    assert HEADING not in render(default_content())
    assert HEADING not in render(localized_content(methods=("naive", "lp")))
    page = render(replace(CONTENT, links=None))
    assert HEADING in page
    assert "Signs in a circle" not in page
    nobody = tuple(
        {name: replace(curve, attacked_upper=np.full(len(curve), curve.targets)) for name, curve in sweep.items()}
        for sweep in CONTENT.collective
    )
    assert HEADING not in render(replace(CONTENT, collective=nobody))


def test_a_gap_is_not_passed_over() -> None:
    claim = "No other perturbation within these budgets does more"
    assert (claim in PAGE) == all(sweep.best.gap[sweep.peak] == 0 for sweep in CONTENT.sweeps)
    open_ended = tuple(
        {name: replace(curve, gap=np.full(len(curve), 1.0)) for name, curve in sweep.items()}
        for sweep in CONTENT.collective
    )
    assert claim not in render(replace(CONTENT, collective=open_ended))
