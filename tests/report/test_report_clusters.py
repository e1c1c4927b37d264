"""What a report shows of clusters and ranks: geometry of the pictures, numbers of the tables."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_contents import Page, default_content, localized_content, make_clusters
from svg_reading import anchor_point, apart, assert_apart, elements, paths, text_boxes

from graphcert.report import render
from graphcert.report.frame.wording import number, percent
from graphcert.report.plots import cluster_plot, rank_plot
from graphcert.report.plots.canvas import LETTER, TEXT, WIDTH
from graphcert.report.plots.cluster_map import Disk, place_clusters
from graphcert.report.plots.matrices import RANK_HEIGHT

LOCALIZED = localized_content(both=True, methods=("naive",))
PAGE = render(LOCALIZED)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Sizes and links of 2 … 50 clusters: equal ones, a giant among dwarfs, no links at all, single ones."""
    clusters = draw(st.integers(2, 50))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = rng.integers(1, draw(st.sampled_from([2, 30, 10**6])), clusters)
    if draw(st.booleans()):
        sizes[0] = 10**6
    links = np.triu(rng.integers(0, 1000, (clusters, clusters)) * (rng.random((clusters, clusters)) < rng.random()))
    return sizes, links + np.triu(links, 1).T


def inside(disk: Disk) -> bool:
    """Whether the corners of the lines in a circle are within it."""
    half = max(len(line) for line in disk.lines) * LETTER / 2
    return bool(np.hypot(half, len(disk.lines) * TEXT / 2) <= disk.radius)


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_circles_and_names_stay_apart_and_in_the_picture(case: tuple[np.ndarray, np.ndarray]) -> None:
    sizes, links = case
    disks = place_clusters(sizes, links, WIDTH, RANK_HEIGHT)
    boxes = {}
    for k, disk in enumerate(disks):
        assert disk.lines
        if disk.inside:
            assert inside(disk)
        bottom = disk.y - disk.radius - disk.below
        boxes[str(k)] = (
            disk.x - disk.width / 2,
            bottom,
            disk.x + disk.width / 2,
            bottom + 2 * disk.radius + disk.below,
        )
        assert re.split(r" · ", disk.lines[0])[0] == str(k)
        shown = " · ".join(disk.lines)
        assert shown in (str(k), f"{k} · {number(sizes[k])}")
        assert len(sizes) > 20 or " · " in shown
    assert_apart(boxes)
    assert min(box[0] for box in boxes.values()) >= -1e-9
    assert min(box[1] for box in boxes.values()) >= -1e-9
    assert max(box[2] for box in boxes.values()) <= WIDTH + 1e-9
    assert max(box[3] for box in boxes.values()) <= RANK_HEIGHT + 1e-9
    assert place_clusters(sizes, links, WIDTH, RANK_HEIGHT) == disks
    visible = np.array([disk.radius for disk in disks]) > 2
    areas = np.array([disk.radius**2 for disk in disks])[visible] / sizes[visible]
    np.testing.assert_allclose(areas, areas[:1].repeat(visible.sum()), rtol=1e-9)


def test_very_many_clusters_are_drawn_without_names() -> None:
    partition, links = make_clusters(150, 3000)
    disks = place_clusters(partition.sizes, links, WIDTH, RANK_HEIGHT)
    assert any(not disk.lines for disk in disks)
    for one, other in combinations(disks, 2):
        assert np.hypot(one.x - other.x, one.y - other.y) >= one.radius + other.radius


@pytest.mark.parametrize("clusters", [2, 3, 4, 20, 50])
def test_the_picture_has_a_circle_per_cluster_and_no_text_on_another(clusters: int) -> None:
    partition, links = make_clusters(clusters, 40 * clusters)
    svg = cluster_plot(partition.sizes, links, "c")
    assert len(paths(svg, "fill: none; stroke: var(--rank-cell)")) == clusters
    boxes = text_boxes(svg)
    for (one, a), (other, b) in combinations(boxes, 2):
        # The two lines in one circle stand closer than a line's full height.
        middle = (a[1] + a[3]) / 2, (b[1] + b[3]) / 2
        assert apart(a, b) or (abs(middle[0] - middle[1]) > 0.7 * TEXT), f"{one} overlaps {other}"
    assert len(boxes) >= clusters
    for _, box in boxes:
        assert box[0] >= 0
        assert box[1] >= 0
        assert box[2] <= WIDTH
        assert box[3] <= RANK_HEIGHT


def test_the_width_of_a_line_is_proportional_to_the_edges() -> None:
    links = np.array([[9, 700, 350, 1], [700, 0, 100, 0], [350, 100, 5, 70], [1, 0, 70, 2]])
    sizes = np.array([50, 40, 30, 20])
    svg = cluster_plot(sizes, links, "c")
    width, height = WIDTH - 6, RANK_HEIGHT - 6
    disks = place_clusters(sizes, links, width, height)
    found = {}
    for path in elements(svg, "path"):
        style = path.attrib.get("style", "")
        if "stroke: var(--muted)" not in style:
            continue
        ends = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.attrib["d"]), float) - 3
        pair = [int(np.argmin([np.hypot(d.x - x, height - d.y - y) for d in disks])) for x, y in ends]
        thickness = re.search(r"stroke-width: ([\d.]+)", style)
        found[tuple(sorted(pair))] = float(thickness[1]) if thickness else 1.0
    assert found == {pair: pytest.approx(links[pair] / 100, rel=1e-5) for pair in [(0, 1), (0, 2), (1, 2), (2, 3)]}


def test_without_any_edge_there_are_only_circles() -> None:
    svg = cluster_plot(np.array([3, 4]), np.zeros((2, 2), np.int64), "c")
    assert not paths(svg, "stroke: var(--muted)")


@pytest.mark.parametrize("clusters", [2, 3, 10, 20, 21, 50])
def test_the_matrix_shows_every_rank_at_its_place(clusters: int) -> None:
    rank = make_clusters(clusters, 3 * clusters)[0].rank
    svg = rank_plot(rank, "r")
    side = (WIDTH - 34 - 46) / clusters
    shown = np.zeros(rank.shape)
    for path in elements(svg, "path"):
        style = path.attrib.get("style", "")
        corners = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path.attrib["d"]), float)
        if "fill: var(--rank-cell)" in style and corners[:, 0].max() < WIDTH - 40:
            left, top = corners.min(axis=0)
            opacity = re.search(r"fill-opacity: ([\d.]+)", style)
            shown[round((top - 4) / side), round((left - 34) / side)] = float(opacity[1]) if opacity else 1.0
    np.testing.assert_allclose(shown, rank / (clusters - 1), atol=1e-5)
    cells = [
        (text.text or "", *anchor_point(text))
        for text in elements(svg, "text")
        if re.search(r"fill: var\(--(ink|on-cell)\)", text.attrib["style"])
    ]
    assert len(cells) == (clusters**2 if clusters <= 20 else 0)
    for text, x, y in cells:
        assert rank[int((y - 4) / side), int((x - 34) / side)] == int(text)
    labels = [(text, box) for text, box in text_boxes(svg) if box[1] > RANK_HEIGHT - 38 or box[2] < 34]
    assert all(apart(a, b) for (_, a), (_, b) in combinations(labels, 2))
    numbers = [box for text, box in text_boxes(svg) if text.isdigit() and (text, box) not in labels]
    assert all(box[2] - box[0] <= side for box in numbers)


def test_the_levels_of_noise_and_what_is_seen_at_them() -> None:
    tables = Page(PAGE).tables
    smoothing, links = LOCALIZED.certificate.smoothing, LOCALIZED.links
    partition = smoothing.partition
    assert partition is not None
    assert links is not None
    rows = tables["Noise of features, near to far"]
    assert rows[0] == ["level", "ranks", "clusters", "nodes", "θ⁺", "θ⁻"]
    for level, row in enumerate(rows[1:]):
        law = smoothing.levels("features")[level]
        seen = sum(int(partition.sizes[partition.rank[i] == level].sum()) for i in range(4))
        assert row == [str(level), str(level), "1", percent(seen, 4 * 80), f"{law.add:.4g}", f"{law.delete:.4g}"]
    rows = tables["Noise of edges, near to far"]
    assert rows[0] == ["level", "ranks", "clusters", "edges", "θ⁺", "θ⁻"]
    near = sum(
        int(links[j, k]) for i in range(4) for j in range(4) for k in range(j, 4) if max(partition.rank[i, [j, k]]) < 2
    )
    total = 4 * int(np.triu(links).sum())
    assert [row[:4] for row in rows[1:]] == [
        ["0", "0–1", "2", percent(near, total)],
        ["1", "2–3", "2", percent(total - near, total)],
    ]
    assert [row[4:] for row in rows[1:]] == [["0.1", "0.5"], ["0.2", "0.6"]]


def test_the_clusters_in_numbers() -> None:
    partition, links = LOCALIZED.certificate.smoothing.partition, LOCALIZED.links
    assert partition is not None
    assert links is not None
    rows = Page(PAGE).tables["4 clusters"]
    assert rows[0] == ["cluster", "nodes", "targets", "edges inside", "edges to others", "nearest first"]
    for k, row in enumerate(rows[1:]):
        members = partition.labels == k
        nearest = sorted(range(4), key=lambda j: partition.rank[k, j])[1:]
        assert row == [
            str(k), str(members.sum()), str((members & LOCALIZED.certificate.targets).sum()), str(links[k, k]),
            str(links[k].sum() - links[k, k]), ", ".join(map(str, nearest)),
        ]  # fmt: skip


def test_without_links_or_clusters_nothing_is_said_of_them() -> None:
    page = render(replace(LOCALIZED, links=None))
    assert "Clusters and the edges between them" in PAGE
    assert "Clusters and the edges between them" not in page
    assert "How near the clusters are to each other" in page
    assert "edges inside" not in page
    assert Page(page).tables["Noise of edges, near to far"][0] == ["level", "ranks", "clusters", "θ⁺", "θ⁻"]
    assert "Clusters and ranks" not in render(default_content())
