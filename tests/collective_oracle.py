"""Truth of the strictly local certificate by enumeration: every allowed perturbation against every node's grid."""

from itertools import combinations, product

import numpy as np
from hypothesis import strategies as st

from graphcert.collective import receptive_field, undirected_edges

FEATURE_AXES = ("feature_add", "feature_delete")
AXES = [
    ("feature_add",),
    ("edge_delete",),
    ("feature_add", "feature_delete"),
    ("feature_delete", "edge_delete"),
]


def most_attacked(problem, budget, counted):
    """The largest number of `counted` nodes that one perturbation within `budget` and all limits breaks."""
    nodes = len(problem["grid"])
    touched = problem.get("attackers")
    crews = combinations(range(nodes), min(touched, nodes)) if touched is not None else [range(nodes)]
    return max(_most(problem, budget, counted, set(crew)) for crew in crews)


def _most(problem, budget, counted, crew):
    perceived = [
        _perceived(axis, matrix, total, _limit(problem, index), problem["endpoints"], crew)
        for index, (axis, matrix, total) in enumerate(zip(problem["axes"], problem["perception"], budget, strict=True))
    ]
    best = 0
    for seen in product(*perceived):
        broken = sum(
            counted[n] and not _survives(problem["grid"][n], [s[n] for s in seen]) for n in range(len(counted))
        )
        best = max(best, broken)
    return best


def _survives(grid, seen):
    """Certified at exactly what it perceives; outside the grid nothing is."""
    return all(s < size for s, size in zip(seen, grid.shape, strict=True)) and bool(grid[tuple(seen)])


def _limit(problem, index):
    local = problem.get("local_budget")
    return local[index] if isinstance(local, tuple) else local


def _perceived(axis, matrix, total, limit, ends, crew):
    """All different (N,) perceptions of the allowed changes on one axis."""
    dense = matrix.toarray().astype(int)
    nodes, columns = dense.shape
    per_node = np.broadcast_to(total if limit is None else limit, (nodes,))
    found = set()
    if axis in FEATURE_AXES:
        most = [min(total, int(per_node[m])) if m in crew else 0 for m in range(columns)]
    else:
        most = [min(total, int(bool({*ends[:, e].tolist()} & crew))) for e in range(columns)]
    for change in product(*(range(m + 1) for m in most)):
        b = np.array(change, dtype=int)
        if b.sum() > total:
            continue
        if axis not in FEATURE_AXES and any((b * (ends == n).any(axis=0)).sum() > per_node[n] for n in range(nodes)):
            continue
        found.add(tuple((dense @ b).tolist()))
    return found


@st.composite
def problems(draw, max_nodes=6, limits=True):
    """A random graph, receptive field, monotone base grid and adversary, as keyword arguments of the certificate."""
    nodes = draw(st.integers(2, max_nodes))
    pairs = [(u, v) for u in range(nodes) for v in range(u + 1, nodes)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=5, unique=True))
    edges = np.array(chosen, dtype=np.int64).T
    axes = draw(st.sampled_from(AXES))
    rule = draw(st.sampled_from(["symmetric", "receiver"]))
    layers = st.sampled_from([1, 1, 0, 2])
    perception = [receptive_field(edges, draw(layers), axis, num_nodes=nodes, normalisation=rule) for axis in axes]
    most = 3 if len(axes) == 1 else 2
    budget = draw(st.tuples(*[st.integers(0, most) for _ in axes]).filter(any))
    problem = {
        "grid": draw(grids(nodes, len(axes))),
        "axes": axes,
        "perception": perception,
        "endpoints": undirected_edges(edges, nodes),
    }
    if limits:
        per_node = st.lists(st.integers(0, 2), min_size=nodes, max_size=nodes).map(np.array)
        per_axis = st.one_of(st.none(), st.integers(0, 2), per_node)
        problem["local_budget"] = draw(st.one_of(st.none(), st.tuples(*[per_axis for _ in axes])))
        problem["attackers"] = draw(st.one_of(st.none(), st.integers(0, 2)))
    return problem, budget


@st.composite
def grids(draw, nodes, axes):
    """Monotone (N, S_1) or (N, S_1, S_2) base certificates: a falling staircase of heights per node."""
    width, height = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    steps = st.lists(st.integers(0, height), min_size=width, max_size=width)
    heights = np.array([sorted(draw(steps), reverse=True) for _ in range(nodes)])
    grid = np.arange(height) < heights[:, :, None]
    return grid if axes == 2 else grid[:, 0, :]
