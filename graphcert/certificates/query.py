"""What is asked about all targets together, and what the answer rests on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.clean_graph import CleanGraph
from graphcert.certificates.method_hierarchy import Method
from graphcert.collective import CollectiveCurve
from graphcert.collective.half_spaces.localized import BINS
from graphcert.core.arrays import Floats, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget, Scheme
from graphcert.tradeoff.half_spaces import Order
from graphcert.tradeoff.mean_scores import ScoreTails


@dataclass(frozen=True, eq=False)
class Evidence:
    """What claims about N nodes rest on, each node alone.

    Attributes:
        smoothing: the scheme.
        nodes: N.
        robust: (N,) the nodes that are robust alone within a budget and, besides, against a change of some norm.
        half_spaces: for orders (None for all that there are) those that there are, D of them, and (D, N) the least amount
            of each that can take the label away, rounded down.
        majorities: (N,) lower bounds of the labels' probabilities; None if the claims rest on something else.
        distances: (N,) how far the features may move, in the norm of the noise, if its scale (σ or λ) were 1, rounded down;
            None if that is not known.
        tails: the distribution of the labels' scores; None if the claims rest on something else.
    """

    smoothing: Scheme
    nodes: int
    robust: Callable[..., Mask]
    half_spaces: Callable[[Sequence[Order] | None], tuple[tuple[Order, ...], Floats]]
    majorities: Callable[[], Floats | None]
    distances: Callable[[], Floats | None]
    tails: Callable[[], ScoreTails | None]

    def robust_per_node(self, budgets: Iterable[Budget]) -> Mask:
        """(B, N) the nodes that are robust alone; nobody where a budget is too large for exact arithmetic."""
        return np.array([self._robust_if_known(budget) for budget in budgets])

    def _robust_if_known(self, budget: Budget) -> Mask:
        try:
            return self.robust(budget)
        except UnsupportedError:
            return np.zeros(self.nodes, dtype=np.bool_)


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


@dataclass(frozen=True, eq=False)
class Query:
    """What is asked about all targets at once: the arguments of `Claims.collective`, checked.

    Attributes:
        budgets: B of them.
        shift: norms ≥ 0, under continuous noise; None for budgets of counts.
        targets: (N,) the targets that count.
        correct: (N,) the nodes that are correctly labelled, or None.
        data: the clean graph, or None.
        layers, normalisation, local_budget, attackers, orders, bins, time_limit, solver: as they were given.
    """

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

    def __post_init__(self) -> None:
        if self.layers is None and (self.local_budget is not None or self.attackers is not None):
            raise InputError("local_budget and attackers need the depth of the base classifier; give layers")

    @property
    def counts(self) -> NDArray[np.int64]:
        """(B, 4) the budgets over `AXES`."""
        return np.array([budget.as_tuple() for budget in self.budgets], np.int64)


class Family(NamedTuple):
    """The collective certificates of one family of noise.

    Attributes:
        methods: names of the methods that exist for some evidence and query, the weakest first; never none.
        curve: the certificate of one of them.
        refusal: one sentence for whoever asks for another one; "{noise}" stands for the name of the noise.
        brief: what is asked of the strongest method where it stands in for a stronger one that does not exist here.
    """

    methods: Callable[[Evidence, Query], tuple[str, ...]]
    curve: Callable[[Evidence, Query, Method], CollectiveCurve]
    refusal: str
    brief: Callable[[Query], Query] = lambda query: query
