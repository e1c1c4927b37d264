"""One table of laws and schemes of noise, of the budgets that suit them, and of votes: a new law adds one row to `LAWS`.

`test_conformance.py` takes every row through everything that must hold for all of them. Tests of one subject take from
here what they do not need to choose for themselves.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import graphcert as gc
from graphcert.noise import Selected


@dataclass(frozen=True)
class LawCase:
    """A law of features, budgets against it, and one change.

    `steps` are keyword arguments of `gc.trade_off` and of `Certificate.robust`, each a larger budget than the one before;
    `inputs` are the values of a feature before and after a change by the first step.
    """

    law: Any
    steps: tuple[dict[str, Any], ...]
    inputs: tuple[float, float]


def shifts(*norms: float) -> tuple[dict[str, Any], ...]:
    return tuple({"shift": norm} for norm in norms)


def changes(axis: str) -> tuple[dict[str, Any], ...]:
    return tuple({axis: count} for count in (1, 2, 4))


LAWS = {
    "flips, additions": LawCase(gc.BernoulliFlip(0.05, 0.4), changes("add"), (0, 1)),
    "flips, deletions": LawCase(gc.BernoulliFlip(0.05, 0.4), changes("delete"), (1, 0)),
    "flips, one-sided": LawCase(gc.BernoulliFlip(0.0, 0.6), changes("delete"), (1, 0)),
    "Gaussian": LawCase(gc.Gaussian(0.25), shifts(0.1, 0.2, 0.4), (0, 0.1)),
    "Gaussian on a lattice": LawCase(gc.Gaussian(0.25, 1 / 64), shifts(0.125, 0.25, 0.5), (0, 0.125)),
    "uniform": LawCase(gc.Uniform(0.5), shifts(0.1, 0.2, 0.4), (0, 0.1)),
    "uniform on a lattice": LawCase(gc.Uniform(0.5, 1 / 64), shifts(0.125, 0.25, 0.5), (0, 0.125)),
}
"""Every law that is noise of features by itself. A new law adds its row here."""

TURNS = {
    "turns about an axis": LawCase(gc.Rotation(0.25, "z"), shifts(0.1, 0.2, 0.4), (0, 0.1)),
    "turns in space": LawCase(gc.Rotation(0.25), shifts(0.1, 0.2, 0.4), (0, 0.1)),
}
"""Laws of all rows of coordinates together: they have no levels and are not selected."""

SELECTED = {
    **{
        f"selected, {name}": LawCase(
            Selected(0.8, case.law), tuple({**s, "nodes": n + 1} for n, s in enumerate(case.steps)), case.inputs
        )
        for name, case in LAWS.items()
    },
    "ablated rows": LawCase(Selected(0.8, gc.Ablation()), changes("nodes"), (0, 1)),
}
"""The same laws in rows that are selected with probability 0.8, and ablation."""


@dataclass(frozen=True)
class SchemeCase:
    """A scheme of noise, and budgets against it: keyword arguments of `robust` and `collective`, each larger."""

    scheme: Any
    steps: tuple[dict[str, Any], ...]


NEAR, FAR = gc.BernoulliFlip(0.02, 0.2), gc.BernoulliFlip(0.08, 0.6)
EDGES, FAR_EDGES = gc.BernoulliFlip(0.02, 0.3), gc.BernoulliFlip(0.04, 0.5)


def two_clusters(nodes: int) -> gc.Partition:
    """Nodes by turns in one of two clusters; each cluster is nearest to itself."""
    return gc.Partition(np.arange(nodes) % 2, [[0, 1], [1, 0]])


def schemes(nodes: int) -> dict[str, SchemeCase]:
    """Schemes of every kind on a graph of so many nodes: isotropic and localized, features and edges, selected rows."""
    two = two_clusters(nodes)
    mixed = ({"add": 1}, {"add": 1, "edge_delete": 1}, {"add": 2, "edge_delete": 1})
    lower = {
        **{name: SchemeCase(gc.Smoothing(case.law), case.steps) for name, case in LAWS.items()},
        "edges": SchemeCase(gc.Smoothing(edges=EDGES), changes("edge_delete")),
        "features and edges": SchemeCase(gc.Smoothing(FAR, EDGES), mixed),
        "localized flips": SchemeCase(gc.Smoothing([NEAR, FAR], None, two), changes("delete")),
        "localized flips and edges": SchemeCase(gc.Smoothing([NEAR, FAR], [EDGES, FAR_EDGES], two), mixed),
        "localized Gaussian": SchemeCase(
            gc.Smoothing([gc.Gaussian(0.2), gc.Gaussian(0.5)], None, two), shifts(0.1, 0.3)
        ),
        "localized uniform": SchemeCase(
            gc.Smoothing([gc.Uniform(0.2, 0.1), gc.Uniform(0.5, 0.1)], None, two), shifts(0.1, 0.2)
        ),
    }
    selected = {
        f"selected, {name}": SchemeCase(
            gc.Hierarchical((0.8, 0.9) if case.scheme.partition else 0.8, case.scheme),
            tuple({**step, "nodes": n + 1} for n, step in enumerate(case.steps)),
        )
        for name, case in lower.items()
        if case.scheme.perturbs("features")
    }
    return {
        **lower,
        **selected,
        **{name: SchemeCase(gc.Smoothing(case.law), case.steps) for name, case in TURNS.items()},
        "dropped nodes": SchemeCase(gc.NodeDrop(0.3, 0.4), changes("edge_delete")),
        "ablation": SchemeCase(gc.Smoothing(gc.Ablation(), EDGES), changes("edge_delete")),
        "ablated rows": SchemeCase(gc.Hierarchical(0.8, gc.Ablation()), changes("nodes")),
        "ablated tiles": SchemeCase(gc.Hierarchical(0.8, gc.Ablation(), gc.Tiles(1, nodes, 2)), changes("nodes")),
        "tiles of Gaussian noise": SchemeCase(
            gc.Hierarchical(0.8, lower["localized Gaussian"].scheme, gc.Tiles(1, nodes, 3)),
            tuple({"shift": norm, "nodes": n + 1} for n, norm in enumerate((0.1, 0.2))),
        ),
        "all rows selected": SchemeCase(gc.Hierarchical(1, NEAR), changes("add")),
        "selected at two rates": SchemeCase(
            gc.Hierarchical((0.8, 0.9), gc.Smoothing([NEAR, NEAR], EDGES, two)), ({"add": 1, "nodes": 1},)
        ),
    }


def votes_of(scheme: Any, nodes: int, samples: int = 10_000) -> gc.Votes:
    """Votes of three classes for class 0 by shares from 0.4 to 1, rising with the node, the rest for class 1."""
    hits = np.linspace(0.4 * samples, samples, nodes).astype(np.int64)
    counts = np.stack([hits, samples - hits, np.zeros(nodes, np.int64)], axis=1)
    return gc.Votes(np.tile([10, 0, 0], (nodes, 1)), counts, scheme)


# Laws of flips for properties

DYADIC = st.integers(0, 16).map(lambda k: k / 16)
"""Probabilities with which enumeration in floats is exact."""

DYADIC_FLIPS = st.builds(gc.BernoulliFlip, DYADIC, DYADIC)
NOISY_DYADIC_FLIPS = DYADIC_FLIPS.filter(lambda law: not law.silent)

RATES = st.one_of(st.sampled_from([0.0, 1.0, 0.5, 0.25, 0.01, 0.6]), st.floats(0, 1))
"""Any probability; those at which something special happens are likely."""

FLIPS = st.builds(gc.BernoulliFlip, RATES, RATES)
