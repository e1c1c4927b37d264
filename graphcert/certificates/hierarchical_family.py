"""Selected rows over flips, and ablation: choices of rows, each with the lower noise (theory, sections 6, 8 and 9)."""

from graphcert.certificates.method_hierarchy import Method
from graphcert.certificates.per_node_family import PER_NODE
from graphcert.certificates.query import Evidence, Family, Query
from graphcert.collective import CollectiveCurve, collective_hierarchical, hierarchical_problem
from graphcert.errors import UnsupportedError
from graphcert.noise import Scheme
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order

_REFUSAL = (
    "under hierarchical noise and ablation the methods are naive, lp and milp, and tight for votes under flips; use "
    "method='naive' for scores"
)


def counts_rows(smoothing: Scheme) -> bool:
    """Whether this is noise of selected rows whose changes are counted: flips or ablation."""
    return smoothing.selects_rows and not smoothing.norm


def selects_all(smoothing: Scheme) -> bool:
    """Whether every row is selected, so that this is the lower scheme."""
    return not smoothing.hides_rows and all(level.select == 1 for level in smoothing.levels("features"))


def _methods(evidence: Evidence, query: Query) -> tuple[str, ...]:
    if evidence.majorities() is None:
        return ("naive",)
    if evidence.smoothing.hides_rows:
        return ("naive", "lp", "milp")  # an integer program of rows is exact
    return ("naive", "lp", "milp", "tight")


def _curve(evidence: Evidence, query: Query, method: Method) -> CollectiveCurve:
    if query.layers is not None:
        raise UnsupportedError("receptive fields are offered under flips of bits and edges; leave layers out")
    if method.program == "naive":
        return PER_NODE.curve(evidence, query, method)
    majorities = evidence.majorities()
    assert majorities is not None  # else there is no such method
    orders = DEFAULT_ORDERS if query.orders is None else tuple(Order(*order) for order in query.orders)
    return collective_hierarchical(
        hierarchical_problem(evidence.smoothing, majorities, query.data), query.budgets, method=method.program,
        targets=query.targets, correct=query.correct, robust_per_node=evidence.robust_per_node(query.budgets),
        orders=orders, bins=query.bins, time_limit=query.time_limit, solver=query.solver,
    )  # fmt: skip


HIERARCHICAL = Family(_methods, _curve, _REFUSAL)
