"""Claims against nodes that an adversary adds, from the bounds of a certificate under `NodeDrop` (theory, section 12)."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from graphcert.certificates.clean_graph import CleanGraph
from graphcert.certificates.method_hierarchy import ENUMERATED, MethodComparison
from graphcert.certificates.shown import ShownClaims
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import strengthened
from graphcert.collective.injection import METHODS, Changes, Costs, Exposure, collective_injection, exposure
from graphcert.core.arguments import target_mask, whole
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise.budget import Counts


@dataclass(frozen=True)
class Injections:
    """Budgets (B, 4) of new nodes, edges of each, changed edges and rewritten rows; all combinations, the last fastest."""

    budgets: Integers

    @classmethod
    def of(cls, nodes: Counts, degree: Counts, edges: Counts, rows: Counts) -> "Injections":
        """From numbers and sequences.

        Raises:
            InputError: unless all are whole numbers ≥ 0, and new nodes have edges.
        """
        given = {"nodes": nodes, "degree": degree, "edges": edges, "rows": rows}
        axes = [
            [whole(f"the budget {name}", one) for one in (value if isinstance(value, Iterable) else (value,))]
            for name, value in given.items()
        ]
        if not all(axes):
            raise InputError("every axis of a sweep of budgets needs at least one value")
        found = np.array(list(product(*axes)), np.int64)
        if ((found[:, 0] > 0) & (found[:, 1] == 0)).any():
            raise InputError(
                "a new node without an edge changes nothing, and a claim about it would hold always; give a degree of at "
                "least 1"
            )
        return cls(found)


def injection_curve(
    claims: "InjectionClaims", budgets: Injections, data: object, layers: int, normalisation: str, *,
    targets: ArrayLike | None = None, truth: ArrayLike | None = None, **options: Any,
) -> CollectiveCurve:  # fmt: skip
    """See `Certificate.injection`."""
    if not claims.simultaneous:
        raise UnsupportedError("a collective certificate needs claims that hold together; use simultaneous=True")
    counted = claims.targets if targets is None else target_mask(targets, claims.nodes)
    if (counted & ~claims.targets).any():
        raise InputError("targets must be among those of the certificate; certify with all of them as targets")
    place = np.flatnonzero(counted)
    exposed = _exposure(claims, place, data, layers, normalisation)
    correct = None if truth is None else claims.correct(truth)[place]
    return collective_injection(exposed, claims._limits()[place], budgets.budgets, correct=correct, **options)


def compared_injections(
    claims: "InjectionClaims", budgets: Injections, data: object, layers: int, normalisation: str, names: Sequence[str],
    **options: Any,
) -> MethodComparison:  # fmt: skip
    """The curves of the methods out of `names`, the weakest first, none weaker than the one before it."""
    asked = {ENUMERATED.name if name == "tight" else name for name in names}
    known = [name for name in METHODS if name in asked] or [METHODS[-1]]
    found: dict[str, CollectiveCurve] = {}
    weaker = None
    for name in known:
        curve = injection_curve(claims, budgets, data, layers, normalisation, method=name, **options)
        found[name] = weaker = curve if weaker is None else strengthened(curve, weaker, same=True)
    return MethodComparison(found)


class InjectionAttack(NamedTuple):
    """The best attack that a collective certificate found.

    Attributes:
        contacts: (N,) edges to new nodes at each old one.
        ends: (N,) ends of changed edges.
        rows: (N,) whether the features change.
        fallen: (N,) targets whose label the bounds leave open under it.
        through: (N, N) CSR, the contacts at the second node that the first one, a fallen target, may notice.
    """

    contacts: Integers
    ends: Integers
    rows: Integers
    fallen: Mask
    through: Any


def injection_attack(
    claims: "InjectionClaims", curve: CollectiveCurve, index: int, data: object, layers: int, normalisation: str
) -> InjectionAttack | None:
    """The attack of a curve of all targets at one of its budgets; None if none is known."""
    if curve.attacks is None or not curve.attacks[index].any():
        return None
    place = np.flatnonzero(claims.targets)
    exposed = _exposure(claims, place, data, layers, normalisation)
    changes = Changes.of(int(curve.budgets[index, 0]), curve.attacks[index])
    fallen = np.zeros(claims.nodes, np.bool_)
    fallen[place] = Costs.of(exposed, claims._limits()[place]).fallen(changes)
    heard = (exposed.contacts[fallen[place]] > 0).tocoo()
    row, column = heard.coords
    number = changes.contacts[column]
    used = number > 0
    shape = (claims.nodes, claims.nodes)
    through = csr_array((number[used], (place[fallen[place]][row[used]], column[used])), shape=shape)
    return InjectionAttack(changes.contacts, changes.ends, changes.rows, fallen, through)


def robust_to_injection(
    claims: "InjectionClaims", budgets: Injections, data: object, layers: int, normalisation: str
) -> Mask:
    """(N,) see `Certificate.robust_to_injection`."""
    place = np.flatnonzero(claims.targets)
    (budget,) = budgets.budgets
    costs = Costs.of(_exposure(claims, place, data, layers, normalisation), claims._limits()[place])
    found = np.zeros(claims.nodes, np.bool_)
    found[place] = ~costs.breakable(budget)
    return found


def _exposure(claims: "InjectionClaims", place: Integers, data: object, layers: int, normalisation: str) -> Exposure:
    scheme = claims.smoothing
    if claims._rows is not None:
        raise UnsupportedError(
            "nodes are added to one graph whose nodes are classified; these claims are about whole inputs"
        )
    if not scheme.dropped_nodes:
        raise UnsupportedError(
            "new nodes are hidden by noise that drops nodes; take the votes under NodeDrop(nodes=…, edges=…)"
        )
    graph = CleanGraph.of(data, scheme, claims.nodes, claims.data_fingerprint)
    (edges,) = scheme.levels("edges")
    return exposure(graph.edge_index, claims.nodes, place, scheme.dropped_nodes, edges.delete, layers, normalisation)


class InjectionClaims(ShownClaims):
    """What claims about votes say against nodes that an adversary adds, under `NodeDrop`."""

    @abstractmethod
    def _limits(self) -> Floats:
        """(N,) a label survives whatever is noticed with a smaller probability; at most 0 where nothing is certified.

        What is noticed with probability Δ can move at most Δ from the label to another class.
        """

    def injection(
        self,
        nodes: Counts,
        degree: Counts,
        *,
        data: object,
        layers: int,
        normalisation: str = "symmetric",
        edges: Counts = 0,
        rows: Counts = 0,
        method: str = "milp",
        targets: ArrayLike | None = None,
        truth: ArrayLike | None = None,
        time_limit: float | None = 60.0,
        solver: str = "highs",
    ) -> CollectiveCurve:
        """How many targets keep their label whatever nodes an adversary adds to the graph (theory, section 12).

        For votes under `NodeDrop`. The new nodes have any features, any edges among each other, and each of them at most
        `degree` edges to old nodes, wherever they are. Other changes may come on top.

        Args:
            nodes: new nodes ρ, a number or a sequence; several sequences give all their combinations.
            degree: edges τ of each new node to old ones, likewise.
            data: the clean graph that was voted on.
            layers: rounds of message passing of the *base* classifier, if it has no other way to look at the graph.
            normalisation: "symmetric" where the degrees of both ends scale messages (GCN, APPNP): a new edge at u then
                changes what the neighbours of u hear of it in the first layer already, so it reaches `layers` edges far.
                "receiver" for sums, means and attention at the receiver, where it reaches one edge less.
            edges: edges between old nodes that are added or deleted besides.
            rows: old nodes whose features change at will besides.
            method: "naive" (each target alone), "lp", "milp", or "enumerated" ("milp", and all attacks one by one where they
                are few and only new nodes come).
            targets: (N,) which of the certificate's targets count; all by default.
            truth: (N,) true labels: adds the certified accuracy, from a solve of its own.
            time_limit: seconds per solve; when it ends, what has been proved so far is reported.
            solver: "highs" or "cvxpy".

        Returns:
            A `CollectiveCurve` over the axes "injected", "degree", "edges", "rows". Sound side: `certified` is never too
            large.

        Raises:
            InputError: for numbers that are not whole or below 0, new nodes without edges, targets outside the
                certificate's, another graph than the one that was voted on, or an unknown method or solver.
            UnsupportedError: under other noise, and if the claims do not hold simultaneously.
        """
        return injection_curve(
            self, Injections.of(nodes, degree, edges, rows), data, layers, normalisation, targets=targets, truth=truth,
            method=method, time_limit=time_limit, solver=solver,
        )  # fmt: skip

    def robust_to_injection(
        self,
        nodes: int,
        degree: int,
        *,
        data: object,
        layers: int,
        normalisation: str = "symmetric",
        edges: int = 0,
        rows: int = 0,
    ) -> Mask:
        """Which targets keep their label whatever nodes an adversary adds, each of them alone (theory, section 12).

        Args:
            nodes, degree, data, layers, normalisation, edges, rows: as in `injection`, one number each.

        Returns:
            (N,) mask, False for abstaining nodes and nodes that are no targets.

        Raises:
            InputError, UnsupportedError: as `injection`.
        """
        return robust_to_injection(self, Injections.of(nodes, degree, edges, rows), data, layers, normalisation)
