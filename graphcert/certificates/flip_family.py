"""Flips of bits and edges: half-spaces, receptive fields, and the exact search (theory, sections 4, 8 and 9)."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphcert.certificates.method_hierarchy import HIERARCHY, Method
from graphcert.certificates.proofs import Prover, ProversAt
from graphcert.certificates.query import Family, HalfSpaces, Query
from graphcert.certificates.score_family import tight_scores
from graphcert.collective import (
    CollectiveCurve,
    LocalizedProblem,
    collective_localized,
    collective_receptive,
    scheme_perception,
    smoothing_problem,
    tight_problem,
)
from graphcert.collective.curve import strengthened
from graphcert.collective.exact import collective_tight
from graphcert.collective.exact.covering import Coverings
from graphcert.collective.half_spaces.localized import BINS, robust_by_half_spaces
from graphcert.collective.half_spaces.receptive import robust_in_receptive_fields
from graphcert.core.arrays import Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES
from graphcert.tradeoff.half_spaces import Order, order_eta

_REFUSAL = (
    "the tight certificate is about votes, or bands of scores, that see the whole graph; use method='milp' for mean and "
    "variance or with layers"
)

_BRIEF_SECONDS = 1.0
"""What branch and bound gets per budget beside an exact search that does not exist."""


def _methods(query: Query) -> tuple[str, ...]:
    # What a node perceives through its layers, and what takes mean and variance away, is known to half-spaces only.
    votes = query.layers is None and query.claims._majorities() is not None
    tight = votes or (query.layers is None and query.claims._tails() is not None)
    known = {"tight-lp": votes, "tight": tight}
    return tuple(method.name for method in HIERARCHY if known.get(method.program, True))


def _curve(query: Query, method: Method) -> CollectiveCurve:
    if any(budget.nodes is not None for budget in query.budgets):
        raise UnsupportedError("a limit of nodes makes a difference under hierarchical noise only; leave nodes out")
    options: dict[str, Any] = {
        "targets": query.targets, "correct": query.correct, "time_limit": query.time_limit,
        "robust_per_node": _robust_alone(query, method),
    }  # fmt: skip
    if method.program in ("tight-lp", "tight"):
        return _tight(query, options, branching=method.program == "tight")
    options |= {"method": method.program, "solver": query.solver}
    found = query.claims._half_spaces(method.orders or query.orders)
    curve = replace(_by_half_spaces(query, _problem(query, found), options), rounding=found.rounding)
    return curve if found.kinds is None else _with_binary_rule(query, curve, found.orders, options)


def _problem(query: Query, found: HalfSpaces) -> LocalizedProblem:
    return smoothing_problem(query.smoothing, found.eta, found.orders, query.data, found.kinds)


def _by_half_spaces(query: Query, problem: LocalizedProblem, options: dict[str, Any]) -> CollectiveCurve:
    """The curve of one problem, through receptive fields if layers are given."""
    if query.layers is None:
        return collective_localized(problem, query.counts, bins=query.bins, **options)
    return collective_receptive(problem, budgets=query.counts, **_perception(query), **options)


def _with_binary_rule(
    query: Query, curve: CollectiveCurve, orders: Sequence[Order], options: dict[str, Any]
) -> CollectiveCurve:
    """`curve` of the multi-class rule, strengthened by the binary one where it leaves something open.

    Each half-space of pairs is at least as far as the binary one, but its outputs stand in several chains per group, whose
    relaxation can be looser: the hull of a sum lies below the sum of hulls.
    """
    majorities = query.claims._majorities()
    assert majorities is not None  # the multi-class rule is about votes
    rows = np.flatnonzero((curve.attacked_upper > 0) & ((curve.gap != 0) | (curve.correct_upper is not None)))
    if options["method"] == "naive" or not rows.size:
        return curve
    # As long as the binary rule itself gets: in less time its integer program may prove less than it does alone.
    rest = replace(query, budgets=[query.budgets[row] for row in rows])
    eta = np.array([order_eta(majorities, *order) for order in orders])
    options = options | {"robust_per_node": options["robust_per_node"][rows]}
    binary = _by_half_spaces(rest, _problem(rest, HalfSpaces(tuple(orders), eta)), options)
    # What crosses the half-spaces of pairs crosses these too.
    return strengthened(curve, binary, rows, same=True)


def _robust_alone(query: Query, method: Method) -> Mask:
    """(B, N) the nodes that are robust alone, by the exact trade-off or by any half-space that there is.

    A method of all half-spaces finds the second by itself; one of fewer must not be weaker than naive.
    """
    alone = query.robust_per_node
    if method.orders is None and query.orders is None:
        return alone
    problem = _problem(query, query.claims._half_spaces(None))
    if query.layers is None:
        return alone | robust_by_half_spaces(problem, query.counts)
    return alone | robust_in_receptive_fields(problem, query.counts, **_perception(query))


def _tight(query: Query, options: dict[str, Any], branching: bool) -> CollectiveCurve:
    majorities = query.claims._majorities()
    if majorities is None:
        return tight_scores(query, options)
    problem = tight_problem(query.smoothing, majorities, query.data, query.claims._others())
    found = collective_tight(problem, query.counts, bins=query.bins or BINS, branching=branching, **options)
    unsettled = np.flatnonzero(found.gap != 0)
    if not unsettled.size:
        return found
    # Where the search did not end, the half-spaces of the orders may prove more: their integer program where a search was
    # asked for, their linear one otherwise.
    options |= {"robust_per_node": options["robust_per_node"][unsettled], "method": "milp" if branching else "lp"}
    other = collective_localized(problem.half_spaces(), query.counts[unsettled], bins=query.bins, **options)
    return strengthened(found, other, unsettled)


def _perception(query: Query) -> dict[str, Any]:
    """What the nodes perceive, and the limits of the adversary, as arguments of `collective_receptive`."""
    if query.data is None or query.layers is None:
        raise InputError("layers need the clean graph, on which receptive fields are found; give data")
    if query.counts[:, AXES.index("edge_add")].any():
        raise UnsupportedError(
            "added edges create new reach, so receptive fields say nothing against them; leave layers out"
        )
    seen = scheme_perception(query.smoothing, query.claims.nodes, query.data, query.layers, query.normalisation)
    return {
        "perception": seen.perception, "axis_of": seen.axis_of, "endpoints": seen.endpoints, "room": seen.room,
        "local_budget": query.local_budget, "attackers": query.attackers,
    }  # fmt: skip


def _provers(query: Query) -> ProversAt:
    """Coverings by exact trade-offs; what is known of scores, mean and variance has none."""
    majorities = query.claims._majorities()
    if majorities is None:
        return lambda row, counted: iter(())
    problem = tight_problem(query.smoothing, majorities, query.data, query.claims._others())

    def provers(row: int, counted: Mask) -> Iterator[Prover]:
        yield Coverings(problem, query.counts[row], counted).proof

    return provers


FLIPS = Family(_methods, _curve, _REFUSAL, lambda query: query.brief(_BRIEF_SECONDS), _provers)
