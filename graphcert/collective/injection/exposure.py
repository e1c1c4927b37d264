"""How likely a target is to notice what changes elsewhere, when nodes and edges are dropped (theory, section 12).

Every node is dropped, with all its edges, with probability p_n, and every edge with probability p_e. A target v notices a
change at an old node u only if some path from u to v survives, through old nodes and edges that the adversary left alone, of
no more edges than the model has layers. All of it is said given that v itself survives: v sees nothing otherwise.

Sound side: probabilities and costs are never too small.
"""

from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphcert.collective.receptive_field import NORMALISATIONS, undirected_edges
from graphcert.collective.solvers.program import IntArray, Sparse
from graphcert.core.arguments import whole
from graphcert.core.reading import check_memory
from graphcert.errors import InputError

_UP = 1.0 + 2.0**-40
"""More than the rounding of a few dozen operations on numbers that are not negative."""


@dataclass(frozen=True, eq=False)
class Exposure:
    """What T targets notice of changes at N nodes, given that the target survives.

    Attributes:
        drop_nodes, drop_edges: p_n and p_e.
        contacts: (T, N) CSR, the probability that a path to the target survives from the end of a changed edge, that end
            included; 1 at the target itself.
        rows: (T, N) CSR, likewise from a node whose features change; without the target itself, which always sees its own.
        own: (T,) the node that each target is.
    """

    drop_nodes: float
    drop_edges: float
    contacts: Sparse
    rows: Sparse
    own: IntArray

    @property
    def through(self) -> float:
        """The probability that one new node and one of its edges survive, or the other end of an old edge and the edge."""
        return (1.0 - self.drop_nodes) * (1.0 - self.drop_edges)


def exposure(
    edges: npt.ArrayLike,
    nodes: int,
    targets: IntArray,
    drop_nodes: float,
    drop_edges: float,
    layers: SupportsIndex,
    normalisation: str = "symmetric",
) -> Exposure:
    """The exposure of the targets, from the clean graph.

    Args:
        edges: (2, E) undirected edges, either direction or both.
        nodes: N.
        targets: (T,) node numbers.
        drop_nodes, drop_edges: p_n and p_e.
        layers: k ≥ 0, rounds of message passing of the base classifier.
        normalisation: "symmetric" where the degrees of *both* ends scale a message (GCN, APPNP): a new edge at u changes
            what u sends in the first layer already, so its path may have k edges. "receiver" for sums, means and attention
            at the receiver: k − 1.

    Raises:
        InputError: for another normalisation, or layers that are no whole number ≥ 0.
        DataError: if the paths of all targets do not fit into memory.
    """
    depth = whole("layers", layers)
    if normalisation not in NORMALISATIONS:
        raise InputError(f"normalisation must be one of {', '.join(NORMALISATIONS)}, got {normalisation!r}")
    step = _adjacency(undirected_edges(edges, nodes), nodes)
    reach = depth if normalisation == "symmetric" else depth - 1
    counts = _paths(step, targets, depth)
    survive = 1.0 - drop_nodes, 1.0 - drop_edges
    own = sp.csr_array((np.ones(targets.size), (np.arange(targets.size), targets)), shape=(targets.size, nodes))
    nothing = sp.csr_array(own.shape)
    contacts = nothing if depth == 0 else sp.csr_array(_some_path(counts[:reach], nothing, *survive) + own)
    return Exposure(drop_nodes, drop_edges, contacts, _some_path(counts, nothing, *survive), targets)


def _adjacency(ends: IntArray, nodes: int) -> Sparse:
    both = np.concatenate([ends, ends[::-1]], axis=1)
    return sp.csr_array((np.ones(both.shape[1]), tuple(both)), shape=(nodes, nodes))


def _paths(step: Sparse, targets: IntArray, longest: int) -> list[Sparse]:
    """(T, N) matrices: how many paths of 1, 2, … edges lead from every other node to each target, at least.

    Exact up to three edges. Beyond, walks are counted, each of which contains a path that is no longer.
    """
    found: list[Sparse] = []
    walks = sp.csr_array(sp.eye_array(step.shape[0], format="csr")[targets])
    for length in range(1, longest + 1):
        entries = int(np.diff(step.indptr)[walks.indices].sum())
        check_memory(16 * entries * longest, f"the paths of up to {longest} edges to {targets.size:,} targets")
        walks = sp.csr_array(walks @ step)
        paths = walks
        if length == 3:  # without u-v-b-v, and u-a-u-v
            degree = np.asarray(step.sum(axis=1)).ravel()
            direct = found[0].tocoo()
            target, node = direct.coords
            twice = degree[node] + degree[targets[target]] - 1.0
            paths = sp.csr_array(walks - sp.csr_array((direct.data * twice, direct.coords), shape=direct.shape))
        found.append(_without_own(paths, targets))
    return found


def _without_own(paths: Sparse, targets: IntArray) -> Sparse:
    """The same without the targets themselves: no path leads back to where it began."""
    entries = sp.coo_array(paths)
    row, column = entries.coords
    keep = (column != targets[row]) & (entries.data > 0)
    return sp.csr_array((entries.data[keep], (row[keep], column[keep])), shape=entries.shape)


def _some_path(counts: list[Sparse], nothing: Sparse, kept: float, through: float) -> Sparse:
    """(T, N) at least the probability that some of the paths survives with its first node, given that the target does.

    Paths of one edge, and of two, share nothing but their ends, so this is exact for them. Survival of a path is an
    increasing event of independent survivals, so by Harris' inequality no path survives with at least the probability
    that it would have if the paths shared nothing.
    """
    total = nothing
    for length, paths in enumerate(counts, 1):
        survives = kept ** (length - 1) * through**length
        cost = paths.copy()
        cost.data = paths.data * (-np.log1p(-survives) * _UP) if survives < 1 else np.full_like(paths.data, np.inf)
        total = sp.csr_array(total + cost)
    found = total.copy()
    found.data = np.minimum(-np.expm1(-total.data) * kept * _UP, kept)
    return found
