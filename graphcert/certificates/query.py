"""What is asked about all targets together, and the families of noise that answer."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.clean_graph import CleanGraph
from graphcert.certificates.method_hierarchy import Method
from graphcert.certificates.proofs import ProversAt
from graphcert.collective import CollectiveCurve
from graphcert.collective.half_spaces.localized import BINS
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget, Scheme
from graphcert.tradeoff.half_spaces import Order

if TYPE_CHECKING:
    from graphcert.certificates.claims import Claims


class CollectiveOptions(TypedDict, total=False):
    """The arguments of `Claims.collective` beside budgets and method, which are explained there."""

    shift: float | Iterable[float] | None
    targets: ArrayLike | None
    truth: ArrayLike | None
    data: object | None
    layers: int | None
    normalisation: str
    local_budget: Any
    attackers: int | None
    orders: Sequence[Order] | None
    bins: int | None
    time_limit: float | None
    solver: str
    proofs: bool


class HalfSpaces(NamedTuple):
    """The half-spaces of N nodes in D directions.

    Attributes:
        orders: the directions.
        eta: (D, N) the least amount of each that can take the label away, rounded down.
        kinds: (N,) nodes of one kind are ordered alike by all directions; None if all are of one.
        rounding: the most by which a bound of other classes was rounded up.
    """

    orders: tuple[Order, ...]
    eta: Floats
    kinds: Integers | None = None
    rounding: float = 0.0


@dataclass(frozen=True, eq=False)
class Query:
    """What is asked about all targets at once: the arguments of `Claims.collective`, checked.

    Attributes:
        claims: who is asked; it knows every node alone.
        smoothing: the scheme of the claims, or one that is the same.
        budgets: B of them.
        shift: norms ≥ 0, under continuous noise; None for budgets of counts.
        targets: (N,) the targets that count.
        correct: (N,) the nodes that are correctly labelled, or None.
        data: the clean graph, or None.
        layers, normalisation, local_budget, attackers, orders, bins, time_limit, solver, proofs: as they were given.
    """

    claims: "Claims"
    smoothing: Scheme
    budgets: list[Budget]
    shift: list[float] | None
    targets: Mask
    correct: Mask | None
    data: CleanGraph | None
    layers: int | None = None
    normalisation: str = "symmetric"
    local_budget: Any = None
    attackers: int | None = None
    orders: Sequence[Order] | None = None
    bins: int | None = BINS
    time_limit: float | None = 60.0
    solver: str = "highs"
    proofs: bool = False

    def __post_init__(self) -> None:
        if self.layers is None and (self.local_budget is not None or self.attackers is not None):
            raise InputError("local_budget and attackers need the depth of the base classifier; give layers")

    @property
    def robust_per_node(self) -> Mask:
        """(B, N) the nodes that are robust alone; nobody where a budget is too large for exact arithmetic."""
        found = np.zeros((len(self.budgets), self.claims.nodes), dtype=np.bool_)
        for row, budget in enumerate(self.budgets):
            with suppress(UnsupportedError):
                found[row] = self.claims._kept(budget)
        return found

    def brief(self, seconds: float) -> "Query":
        """The same with at most so many seconds per solve."""
        return replace(self, time_limit=seconds if self.time_limit is None else min(self.time_limit, seconds))

    @property
    def counts(self) -> Integers:
        """(B, 4) the budgets over `AXES`."""
        return np.array([budget.as_tuple() for budget in self.budgets], np.int64)


class Family(NamedTuple):
    """The collective certificates of one family of noise.

    Attributes:
        methods: names of the methods that exist for a query, the weakest first; never none.
        curve: the certificate of one of them.
        refusal: one sentence for whoever asks for another one; "{noise}" stands for the name of the noise.
        brief: what is asked of the strongest method where it stands in for a stronger one that does not exist here.
        provers: how numbers can be proved so that others can check it; by default not at all.
    """

    methods: Callable[[Query], tuple[str, ...]]
    curve: Callable[[Query, Method], CollectiveCurve]
    refusal: str
    brief: Callable[[Query], Query] = lambda query: query
    provers: Callable[[Query], ProversAt] = lambda query: lambda row, counted: iter(())
