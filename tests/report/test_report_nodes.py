"""The picture of the nodes and their table: places, limits, and whom an attack took."""

import re
import time
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from report_contents import Page, default_content, localized_content, make_content, make_votes, norm_content

from graphcert.attacks.record import AttackRecord
from graphcert.errors import DataError, InputError
from graphcert.noise import Budget
from graphcert.report import render
from graphcert.report.graphs.content import DrawnGraph
from graphcert.report.graphs.nodes import MOST_ROWS, shown_change
from graphcert.report.plots.node_map import MOST_NODES, _discs, _places, drawn_nodes, node_plot


def make_graph(nodes: int, clusters: int, degree: int = 4, seed: int = 0) -> DrawnGraph:
    """Random edges, most of them inside clusters of different sizes."""
    rng = np.random.default_rng(seed)
    groups = np.sort(np.concatenate([np.arange(clusters), rng.integers(0, clusters, nodes - clusters)]))
    source = rng.integers(0, nodes, nodes * degree // 2)
    near = np.clip(source + rng.integers(-5, 6, source.size), 0, nodes - 1)
    target = np.where(rng.random(source.size) < 0.9, near, rng.integers(0, nodes, source.size))
    edges = np.unique(np.sort(np.stack([source, target]), axis=0)[:, source != target], axis=1)
    return DrawnGraph(edges, groups)


def record(*perturbations: dict[str, object]) -> AttackRecord:
    size = {"feature_add": 0, "feature_delete": 0, "edge_add": 0, "edge_delete": 0, "nodes": None, "shift": 0.0}
    return AttackRecord({}, (), (), tuple({"number": k, **size, **one} for k, one in enumerate(perturbations)))


@pytest.mark.parametrize(("nodes", "clusters"), [(1, 1), (2, 2), (90, 90), (400, 5), (2000, 50), (3000, 1)])
def test_nodes_stand_apart_in_the_disc_of_their_cluster(nodes: int, clusters: int) -> None:
    edges, groups = make_graph(nodes, clusters)
    centres, radii = _discs(edges, groups)
    places, dot = _places(edges, groups, np.arange(nodes), centres, radii)
    for j, k in combinations(range(clusters), 2):
        assert np.hypot(*(centres[j] - centres[k])) >= radii[j] + radii[k] - 1e-6
    assert (np.hypot(*(places - centres[groups]).T) <= radii[groups] + 1e-9).all()
    assert (places >= 0).all()
    assert (places <= [960, 600]).all()
    assert dot >= 1
    for cluster in range(clusters):
        mine = places[groups == cluster]
        apart = np.hypot(*(mine[:, None] - mine[None]).transpose(2, 0, 1))[~np.eye(len(mine), dtype=bool)]
        assert apart.size == 0 or apart.min() > 1.2 * dot


def test_the_rim_faces_the_neighbours() -> None:
    groups = np.repeat([0, 1], 50)
    inside = np.array([(a, a + 1) for a in (*range(49), *range(50, 99))]).T
    edges = np.concatenate([inside, [[7], [60]]], axis=1)
    centres, radii = _discs(edges, groups)
    places, _ = _places(edges, groups, np.arange(100), centres, radii)
    way = (centres[1] - centres[0]) / np.hypot(*(centres[1] - centres[0]))
    assert (places[7] - centres[0]) @ way > 0.3 * radii[0]
    assert (places[60] - centres[1]) @ way < -0.3 * radii[1]


def test_equal_graphs_give_equal_pictures_whatever_the_order_of_edges() -> None:
    edges, groups = make_graph(300, 6)
    words, kinds = [f"node {v}" for v in range(300)], {"other": np.ones(300, bool)}
    first = node_plot(edges, groups, kinds, words)
    assert first == node_plot(edges.copy(), groups.copy(), kinds, words)
    circles = re.compile("<circle.*?</circle>")
    shuffled = node_plot(edges[:, ::-1], groups, kinds, words)
    assert circles.findall(first) == circles.findall(shuffled)


def test_words_of_a_node_are_text() -> None:
    edges, groups = make_graph(2, 2)
    svg = node_plot(edges, groups, {"other": np.ones(2, bool)}, ["<script>alert(1)</script>", "&"])
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg


def test_twenty_thousand_nodes_are_sampled_said_so_and_cheap() -> None:
    content = replace(make_content(*make_votes(nodes=20_000), grids=()), graph=make_graph(20_000, 50))
    began = time.process_time()
    page = render(content)
    assert time.process_time() - began < 6
    assert page.count("<circle") == MOST_NODES == len(drawn_nodes(20_000))
    assert "3,000 of 20,000 nodes are drawn, at even steps of their numbers" in page
    assert len(page) < 2_000_000
    rows = Page(page).tables[f"Targets one by one, the first {MOST_ROWS:,}"]
    assert len(rows) == 1 + MOST_ROWS
    assert f"The first {MOST_ROWS:,} of 20,000 targets are listed" in page


def test_a_graph_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="graph of a report has 10 nodes and the certificate 300"):
        replace(default_content(), graph=make_graph(10, 2))


def test_without_an_attack_the_change_parts_the_targets() -> None:
    content = default_content()
    change = shown_change(content)
    shares = [content.certificate.robust(Budget(feature_delete=k)).sum() for k in (1, 2, 5)]
    middle = content.certificate.claims / 2
    assert change.certified.any()
    assert abs(change.certified.sum() - middle) <= min(abs(share - middle) for share in shares)
    assert not change.fallen.any()
    assert "worst perturbation" not in render(content)


def test_the_worst_perturbation_that_was_tried_is_shown() -> None:
    content = default_content()
    size = {"feature_delete": 2}
    open_ = np.flatnonzero(content.certificate.targets & ~content.certificate.robust(Budget(feature_delete=2))).tolist()
    attacks = record({**size, "fell": open_[:1]}, {**size, "fell": open_[:3]}, {**size, "fell": []})
    content = replace(content, attacks=attacks, graph=make_graph(300, 5))
    change = shown_change(content)
    assert np.flatnonzero(change.fallen).tolist() == open_[:3]
    np.testing.assert_array_equal(change.certified, content.certificate.robust(Budget(feature_delete=2)))
    page = render(content)
    assert "fell to the worst perturbation that was tried (3)" in page
    rows = Page(page).tables["Targets one by one"]
    assert rows[0][-1] == "worst perturbation"
    assert [int(row[0]) for row in rows[1:] if row[-1] == "fell"] == open_[:3]


def test_the_worst_perturbation_that_a_collective_certificate_knows_is_shown() -> None:
    content = localized_content(methods=("naive", "tight"))
    change = shown_change(content)
    assert change.fallen.any()
    assert not (change.fallen & change.certified).any()
    assert any(change.words == sweep.words(i) for sweep in content.sweeps for i in range(len(sweep.best)))


def test_norms_have_a_radius_in_the_table() -> None:
    content = norm_content()
    head, *rows = Page(render(content)).tables["Targets one by one"]
    place, radius = head.index("ℓ2 norm of the change"), content.certificate.radius()
    for row in rows:
        far = radius[int(row[0])]
        assert (row[place] == "–") == (far == 0)
        assert row[place] == "–" or far - 1e-3 <= float(row[place]) <= far


def test_a_record_that_names_foreign_nodes_is_refused() -> None:
    content = replace(default_content(), attacks=record({"feature_delete": 1, "fell": [300]}))
    with pytest.raises(DataError, match="nodes that the graph does not have"):
        shown_change(content)
