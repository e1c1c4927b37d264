"""The nodes of a graph as dots with lines between them, cluster by cluster, in the colours of what is known of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape

from graphcert.core.arrays import Integers, Mask
from graphcert.report.plots.cluster_map import Reals, pushed_apart, springs

MOST_NODES, MOST_EDGES = 3000, 20_000
"""What is drawn of large graphs; more edges become lines between clusters."""

_WIDTH, _HEIGHT, _RIM = 960.0, 600.0, 8.0
_COVER, _SHRINK, _ATTEMPTS = 0.55, 0.9, 12
"""Discs: their share of the picture, and how they shrink until they fit."""
_GOLDEN = np.pi * (3 - np.sqrt(5))
_LARGEST_DOT, _DOT = 6.0, 0.72
"""The largest radius of a dot, and its radius as a share of the radius of the room that a node has."""
_THICKEST, _THINNEST = 12.0, 0.3


def drawn_nodes(nodes: int) -> Integers:
    """The nodes that a picture shows: all, or `MOST_NODES` at even steps."""
    return np.unique(np.linspace(0, nodes - 1, min(nodes, MOST_NODES)).round().astype(np.int64))


def has_edges(edges: Integers, nodes: int) -> bool:
    """Whether a picture shows single edges, and not how many there are between clusters."""
    return nodes <= MOST_NODES and edges.shape[1] <= MOST_EDGES


def node_plot(edges: Integers, groups: Integers, kinds: Mapping[str, Mask], words: Sequence[str]) -> Markup:
    """The picture as SVG, with the words of a node shown where a pointer rests; equal graphs, equal pictures.

    Args:
        edges: (2, E) ends of edges, each edge once.
        groups: (N,) the cluster 0 … C − 1 of every node; nodes of a cluster share a disc.
        kinds: by name, which is the class that the page gives a colour, the nodes (N,) of that kind; later ones on top.
        words: (N,) what is said about each node.
    """
    shown = drawn_nodes(len(groups))
    centres, radii = _discs(edges, groups)
    places, dot = _places(edges, groups, shown, centres, radii)
    lines = _edges(edges, places) if has_edges(edges, len(groups)) else _links(edges, groups, centres)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" class="graph" role="img" '
        f'aria-label="{len(shown)} nodes of the graph, coloured by what is certified; the table of nodes says the same">',
        lines,
    ]
    for name, nodes in kinds.items():
        dots = [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{dot:.1f}"><title>{escape(words[v])}</title></circle>'
            for v in shown[nodes[shown]].tolist()
            for x, y in [places[v].tolist()]
        ]
        parts.append(f'<g class="{escape(name)}">{"".join(dots)}</g>' if dots else "")
    return Markup("".join([*parts, "</svg>"]))


def _links_between(edges: Integers, groups: Integers) -> Integers:
    """(C, C) how many edges there are between clusters, symmetric, none inside."""
    clusters = int(groups.max()) + 1
    listed = np.zeros((clusters, clusters), np.int64)
    np.add.at(listed, (groups[edges[0]], groups[edges[1]]), 1)
    np.fill_diagonal(listed, 0)
    return np.asarray(listed + listed.T)


def _discs(edges: Integers, groups: Integers) -> tuple[Reals, Reals]:
    """Centres (C, 2) and radii (C,) of discs that do not overlap, pulled together by the edges between them."""
    sizes = np.bincount(groups)
    width, height = _WIDTH - 2 * _RIM, _HEIGHT - 2 * _RIM
    radii = np.minimum(np.sqrt(sizes * _COVER * width * height / np.pi / sizes.sum()), height / 2 - 1)
    relative, room = springs(_links_between(edges, groups)), np.array([width, height])
    for _ in range(_ATTEMPTS):
        boxes = np.stack([2 * radii, 2 * radii], axis=1)
        centres, apart = pushed_apart(boxes / 2 + relative * (room - boxes), boxes, width, height)
        if apart:
            break
        radii = radii * _SHRINK
    return centres + _RIM, radii


def _places(
    edges: Integers, groups: Integers, shown: Integers, centres: Reals, radii: Reals
) -> tuple[Reals, float]:  # fmt: skip
    """Places (N, 2) of the nodes that are shown, evenly over their disc, and the radius of their dots.

    The more neighbours in other clusters a node has, the farther out it stands, in their direction.
    """
    pull = np.zeros((len(groups), 2))
    for one, other in (edges, edges[::-1]):
        np.add.at(pull, one, centres[groups[other]] - centres[groups[one]])
    places, room = np.zeros((len(groups), 2)), _LARGEST_DOT / _DOT
    for cluster, (centre, radius) in enumerate(zip(centres, radii, strict=True)):
        mine = shown[groups[shown] == cluster]
        if not mine.size:
            continue
        room = min(room, radius / np.sqrt(mine.size))
        places[mine] = centre + _spots(pull[mine], radius)
    return places, max(1.0, _DOT * room)


def _spots(pull: Reals, radius: float) -> Reals:
    """(n, 2) spots in a disc around 0, as in a sunflower, ring by ring; who is pulled most chooses first in its ring."""
    count = len(pull)
    i, strength = np.arange(count), np.hypot(*pull.T)
    spiral = np.sqrt(i / count) * radius, i * _GOLDEN
    spots = np.stack([spiral[0] * np.cos(spiral[1]), spiral[0] * np.sin(spiral[1])], axis=1)
    found, outward = np.zeros((count, 2)), np.argsort(strength, kind="stable")
    ring = max(6, int(1.5 * np.sqrt(count)))
    for begin in range(0, count, ring):
        free = spots[begin : begin + ring]
        for node in outward[begin : begin + ring][::-1].tolist():
            chosen = int(np.argmax(free @ pull[node]))
            found[node] = free[chosen]
            free = np.delete(free, chosen, axis=0)
    return found


def _edges(edges: Integers, places: Reals) -> str:
    ends = places[edges].round().astype(int)
    lines = (f"M{a} {b}L{c} {d}" for (a, b), (c, d) in zip(*ends.tolist(), strict=True))
    return f'<path class="edges" d="{"".join(lines)}"/>' if edges.size else ""


def _links(edges: Integers, groups: Integers, centres: Reals) -> str:
    """Lines between discs, their width by the number of edges; the thinnest are left out."""
    links = np.triu(_links_between(edges, groups), 1)
    widths, drawn = _THICKEST * links / max(1, int(links.max())), []
    for j, k in np.argwhere(widths >= _THINNEST).tolist():
        (a, b), (c, d) = centres[[j, k]].round().astype(int).tolist()
        drawn.append(f'<path class="edges" d="M{a} {b}L{c} {d}" style="stroke-width: {widths[j, k]:.1f}"/>')
    return "".join(drawn)
