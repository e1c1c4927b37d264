"""Hierarchical noise by enumeration: every selection, every flip, every perturbation.

Three rows of two feature bits in two clusters and two pairs that can carry an edge. What is seen is a selection flag and two
bits per row, and the edges: 8³ · 4 outcomes. Rates and probabilities of selection are dyadic, so probabilities are exact.
"""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from cases import NOISY_DYADIC_FLIPS
from hypothesis import strategies as st

from graphcert.certificates import Certificate
from graphcert.noise import Ablation, BernoulliFlip, Budget, Hierarchical, Partition, Smoothing

ROWS, BITS, PAIRS = 3, 2, np.array([(0, 1), (1, 2)])
CONTENTS = np.array(list(product((0, 1), repeat=BITS)))
FEATURES = np.array(list(product(range(len(CONTENTS)), repeat=ROWS)))  # (64, rows) index into CONTENTS
EDGES = np.array(list(product((0, 1), repeat=len(PAIRS))))
METHODS = ("naive", "lp", "milp", "tight")
SELECTS = st.sampled_from([0.5, 0.75, 0.875, 0.9375, 1.0])


def row_noise(select: float, law: object) -> np.ndarray:
    """(4, 8) probability of what is seen of a row, by content: noisy bits if it is selected, clean ones else."""
    if isinstance(law, Ablation):
        noisy = np.zeros((4, 4))
        noisy[:, 0] = 1.0
    else:
        one = np.where(CONTENTS, 1 - law.delete, law.add)[:, None, :]
        noisy = np.where(CONTENTS[None], one, 1 - one).prod(axis=2)
    return np.concatenate([select * noisy, (1 - select) * np.eye(4)], axis=1)


def edge_noise(law: BernoulliFlip | None) -> np.ndarray:
    """(2, 2) probability of seeing no edge and an edge, by what there is."""
    return np.eye(2) if law is None else np.array([[1 - law.add, law.add], [law.delete, 1 - law.delete]])


def noise(scheme: Hierarchical, group: int) -> np.ndarray:
    """(64·4, 512·4) probability of every outcome around every graph, as outputs of a cluster see it."""
    partition = scheme.partition
    rank, labels = partition.rank[group], partition.labels
    feature, edge = scheme.level_of_rank("features"), scheme.level_of_rank("edges")
    rows, edges = scheme.levels("features"), scheme.levels("edges")
    whole = np.ones((1, 1))
    for row in range(ROWS):
        level = rows[feature[rank[labels[row]]]]
        whole = np.kron(whole, row_noise(level.select, level.law))
    for u, v in PAIRS:
        law = edges[edge[max(rank[labels[u]], rank[labels[v]])]] if edges else None
        whole = np.kron(whole, edge_noise(law))
    return whole


def bits_of(graph: int) -> tuple[np.ndarray, np.ndarray]:
    """(rows, bits) features and (pairs,) edges of a graph."""
    features, edges = divmod(graph, len(EDGES))
    return CONTENTS[FEATURES[features]], EDGES[edges]


GRAPHS = [bits_of(graph) for graph in range(len(FEATURES) * len(EDGES))]
ALL_X, ALL_E = np.array([x for x, _ in GRAPHS]), np.array([e for _, e in GRAPHS])


def reached(clean: int, budget: Budget, ablated: bool = False) -> np.ndarray:
    """The graphs that the adversary can make of the clean one."""
    x, e = ALL_X - ALL_X[clean], ALL_E - ALL_E[clean]
    counts = [(part == sign).reshape(len(GRAPHS), -1).sum(axis=1) for part in (x, e) for sign in (1, -1)]
    limits = list(budget.as_tuple())
    if ablated and not any(limits[:2]):
        limits[:2] = [0, 0] if budget.nodes is None else [x[0].size, x[0].size]
    allowed = (np.stack(counts, axis=1) <= limits).all(axis=1)
    if budget.nodes is not None:
        allowed &= x.any(axis=2).sum(axis=1) <= budget.nodes
    return np.flatnonzero(allowed)


def critical(clean: np.ndarray, perturbed: np.ndarray) -> np.ndarray:
    """(G,) the largest probability under `clean` (O,) that can fall to 1/2 under each of `perturbed` (G, O).

    Neyman and Pearson: fill the outcomes by their ratio, outcome by outcome.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(clean > 0, perturbed / clean, np.inf)
    order = np.argsort(ratio, axis=1, kind="stable")
    p, q = clean[order], np.take_along_axis(perturbed, order, axis=1)
    spent = np.cumsum(q, axis=1)
    part = np.clip((0.5 - (spent - q)) / np.where(q > 0, q, 1.0), 0.0, 1.0)
    return np.where(q > 0, p * part, p * (spent <= 0.5)).sum(axis=1)


def claim(scheme: Hierarchical, p: np.ndarray, other: np.ndarray | None = None) -> Certificate:
    """What `certify` knows after infinitely many samples, by the multi-class rule if it knows the other classes."""
    return Certificate(
        labels=np.zeros(p.size, np.int64), p_lower=p.copy(), p_other_upper=1 - p if other is None else other.copy(),
        targets=np.ones(p.size, bool), alpha=0.5, simultaneous=True, smoothing=scheme, samples=1,
        method="binary" if other is None else "multiclass", classes=2 if other is None else 3,
    )  # fmt: skip


def data_of(graph: int) -> SimpleNamespace:
    x, e = bits_of(graph)
    edges = PAIRS[e == 1].T
    return SimpleNamespace(x=x, edge_index=np.concatenate([edges, edges[::-1]], axis=1), num_nodes=ROWS)


@st.composite
def schemes(draw, ablation=False, edges=None):
    partition = Partition(np.array(draw(st.sampled_from([(0, 0, 1), (0, 1, 1)]))), np.array([[0, 1], [1, 0]]))
    levels = [Ablation(), Ablation()] if ablation else draw(st.lists(NOISY_DYADIC_FLIPS, min_size=2, max_size=2))
    with_edges = draw(st.booleans()) if edges is None else edges
    flips = draw(st.lists(NOISY_DYADIC_FLIPS, min_size=2, max_size=2)) if with_edges else None
    select = draw(st.one_of(SELECTS, st.lists(SELECTS, min_size=2, max_size=2)))
    return Hierarchical(select, Smoothing(levels, flips, partition))


def meant(budget):
    """A limit of nodes where bits change, and of 0 where none does; all else is refused as empty."""
    return replace(budget, nodes=max(budget.nodes, 1) if budget.feature_add + budget.feature_delete else 0)


BUDGETS = st.lists(
    st.builds(
        Budget, st.integers(0, 3), st.integers(0, 3), st.integers(0, 1), st.integers(0, 1), st.integers(0, 3)
    ).map(meant),
    min_size=1, max_size=3,
)  # fmt: skip
quiet = pytest.mark.filterwarnings("ignore:the .* falls")


def tied(clean: np.ndarray, perturbed: np.ndarray, p: np.ndarray, other: np.ndarray, slack: float) -> np.ndarray:
    """(G, N) whether the worst label of `p` and the worst other class of `other` meet under each of `perturbed` (G, O).

    The other class takes the outcomes from the far end; what is left of it is 1 − what an event of 1 − q keeps.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(clean > 0, perturbed / clean, np.inf)
    found = []
    for order, law in zip(np.argsort(ratio, axis=1, kind="stable"), perturbed, strict=True):
        mass, kept = np.append(0.0, np.cumsum(clean[order])), np.append(0.0, np.cumsum(law[order]))
        possible = np.append(True, clean[order] > 0)
        lower, upper = (np.interp(x, mass[possible], kept[possible]) for x in (p, 1 - other))
        found.append(lower <= 1 - upper + slack)
    return np.array(found)


def pair_truth(scheme, clean, budget, p, other, slack=0.0, ablated=False):
    """`model_truth` by the multi-class rule."""
    now = reached(clean, budget, ablated)
    laws = [noise(scheme, group) for group in range(2)]
    fallen = np.stack([tied(law[clean], law[now], p, other, slack) for law in laws])
    return int(fallen[scheme.partition.labels, :, np.arange(p.size)].sum(axis=0).max())


def model_truth(scheme, clean, budget, p, ablated=False):
    """How many of the outputs p (N,) the worst perturbation takes away, if every cluster has its worst classifiers."""
    now = reached(clean, budget, ablated)
    laws = [noise(scheme, group) for group in range(2)]
    c = np.stack([critical(law[clean], law[now]) for law in laws], axis=1)
    return int((p <= c[:, scheme.partition.labels]).sum(axis=1).max())


def majorities(seed: int) -> np.ndarray:
    """Majorities of three outputs, without ties with any critical probability."""
    return 1 - np.random.default_rng(seed).uniform(0.0, 0.5, ROWS) ** 2


def larger(nodes=60, seed=3):
    """(p, partition): two clusters of outputs that differ in how clear they are."""
    rng = np.random.default_rng(seed)
    partition = Partition(np.repeat([0, 1], nodes // 2), np.array([[0, 1], [1, 0]]))
    return 1 - rng.uniform(0.0, 0.4, nodes) ** 2, partition


LEVELS = [BernoulliFlip(0.05, 0.6), BernoulliFlip(0.1, 0.85)]
