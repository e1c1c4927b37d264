"""All targets at once: which certificate answers under which noise (theory, sections 8 and 9).

A family of noise brings one `Family`: the methods of the hierarchy that exist there, and the curve of one of them.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from graphcert.certificates.flip_family import FLIPS
from graphcert.certificates.method_hierarchy import BELOW, HIERARCHY, METHODS, Method, MethodComparison, named_methods
from graphcert.certificates.norm_family import NORM
from graphcert.certificates.per_node_family import PER_NODE, REWEIGHTED, noise_name
from graphcert.certificates.proofs import with_proofs
from graphcert.certificates.query import Family, Query
from graphcert.collective import CollectiveCurve, collective_hierarchical, hierarchical_problem
from graphcert.collective.curve import strengthened, weakened
from graphcert.core.compiled import working_time
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise.law import measured_laws
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order

_REFUSAL = (
    "under hierarchical noise and ablation the methods are naive, lp and milp, and tight for votes under flips; use "
    "method='naive' for scores"
)


def _methods(query: Query) -> tuple[str, ...]:
    if query.claims._majorities() is None:
        return ("naive",)
    if query.smoothing.hides_rows:
        return ("naive", "lp", "milp")  # an integer program of rows is exact
    return ("naive", "lp", "milp", "tight")


def _curve(query: Query, method: Method) -> CollectiveCurve:
    if query.layers is not None:
        raise UnsupportedError("receptive fields are offered under flips of bits and edges; leave layers out")
    if method.program == "naive":
        return PER_NODE.curve(query, method)
    majorities = query.claims._majorities()
    assert majorities is not None  # else there is no such method
    orders = DEFAULT_ORDERS if query.orders is None else tuple(Order(*order) for order in query.orders)
    problem = hierarchical_problem(query.smoothing, majorities, query.data, query.claims._others())
    return collective_hierarchical(
        problem, query.budgets, method=method.program,
        targets=query.targets, correct=query.correct, robust_per_node=query.robust_per_node,
        orders=orders, bins=query.bins, time_limit=query.time_limit, solver=query.solver,
    )  # fmt: skip


HIERARCHICAL = Family(_methods, _curve, _REFUSAL)


def one_curve(query: Query, method: str | None) -> CollectiveCurve:
    """The curve of one of `METHODS`, or of the strongest that there is (None); refused if the claims have no such one."""
    family, query = _family(query)
    if method is None:
        method = family.methods(query)[-1]
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if method != "naive" and method not in family.methods(query):
        raise UnsupportedError(family.refusal.format(noise=noise_name(query.smoothing)))
    began = working_time()
    return _proved(family, query, {method: _one_method(family, query, method)}, began)[method]


def compared_curves(query: Query, names: str | Iterable[str]) -> MethodComparison:
    """The curves of the methods of these names that exist, the weakest first; "all" stands for every name.

    Where the strongest of them does not exist, the strongest that exists below it stands in under its own name.
    """
    family, query = _family(query)
    asked, existing = named_methods(names), family.methods(query)
    queries = {method: query for method in asked if method.name in existing}
    if asked[-1].name not in existing:
        below = [method for method in HIERARCHY[: HIERARCHY.index(asked[-1])] if method.name in existing]
        queries.setdefault(below[-1], family.brief(query))
    found: dict[str, CollectiveCurve] = {}
    weaker, began = None, working_time()
    for method in sorted(queries, key=HIERARCHY.index):
        curve = family.curve(queries[method], method)
        # A search that is cut short, or half-spaces of other orders, may say less than a weaker method.
        found[method.name] = weaker = curve if weaker is None else strengthened(curve, weaker)
    return MethodComparison(_proved(family, query, _unrefuted(found), began))


def _one_method(family: Family, query: Query, name: str) -> CollectiveCurve:
    """One method, strengthened by the ones below it; an integer program below it gets a little time for that."""
    (method,) = named_methods([name])
    curve, below = family.curve(query, method), BELOW.get(name)
    # Other half-spaces than the usual ones make another query.
    if below is None or query.orders is not None or below not in family.methods(query):
        return curve
    # No gap is the truth for perturbations that exist; for half-spaces it is the truth about them only. The correct targets
    # have a solve of their own, which a linear program may leave open.
    apart = name == "tight-lp" and curve.correct_upper is not None
    more = np.flatnonzero((curve.attacked_upper > 0) & ((curve.gap != 0) | (curve.attacks is None) | apart))
    if not more.size:
        return curve
    rest = replace(family.brief(query), budgets=[query.budgets[row] for row in more])
    return strengthened(curve, _one_method(family, rest, below), more)


def _unrefuted(found: dict[str, CollectiveCurve]) -> dict[str, CollectiveCurve]:
    """The methods without the bounds below perturbations that exist, which the exact methods know."""
    attacks = [curve.attacked_upper - curve.gap for curve in found.values() if curve.attacks is not None]
    if not attacks:
        return found
    known, weaker = np.fmax.reduce(attacks), None
    checked = {}
    for name, curve in found.items():
        checked[name] = weaker = weakened(curve, known, weaker)
    return checked


def _proved(
    family: Family, query: Query, found: dict[str, CollectiveCurve], began: float
) -> dict[str, CollectiveCurve]:
    """The curves with proofs, if they were asked for."""
    if not query.proofs:
        return found
    correct = None if query.correct is None else query.targets & query.correct
    return with_proofs(found, family.provers(query), (query.targets, correct), working_time() - began)


def _family(query: Query) -> tuple[Family, Query]:
    """Who answers, and to which query: about the same noise under another name, if need be."""
    if query.smoothing.reweighted:
        if query.shift is None and any(budget.edge_delete for budget in query.budgets):
            return REWEIGHTED, query
        # Additions are seen as under the flips of the same rates.
        query = replace(query, smoothing=query.smoothing.as_added())
    smoothing = query.smoothing
    everything = smoothing.selects_rows and all(level.select == 1 for level in smoothing.levels("features"))
    # Where all rows are noised and none is hidden, a number of rows that nobody limits is none to count.
    if everything and not smoothing.hides_rows and all(budget.nodes is None for budget in query.budgets):
        query = replace(query, smoothing=smoothing.unselected)
        smoothing = query.smoothing
    if query.shift is not None:
        if not smoothing.norm:
            words = "have a measure for a shift; give add, delete, edges or nodes"
            raise InputError(f"only {measured_laws()} noise {words}")
        return NORM, query
    if smoothing.flips_only:
        return FLIPS, query
    # No changes of selected rows are counted, or touched tiles, which have one probability wherever they lie.
    if smoothing.norm or not smoothing.selects_rows or smoothing.tiles is not None:
        return PER_NODE, query
    return HIERARCHICAL, query
