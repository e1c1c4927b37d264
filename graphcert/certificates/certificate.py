"""What a set of votes proves, for every budget (theory sections 0 and 1)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.grid import BudgetGrid, evaluate_grid
from graphcert.certificates.guarantee import describe_guarantee
from graphcert.errors import InputError
from graphcert.noise import Budget, Smoothing
from graphcert.tradeoff import budget_trade_offs

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Certificate:
    """Bounds of class probabilities, and the robustness that follows from them; made by `certify`.

    The classifier is the smoothed one: the class that the base classifier returns most often under the noise. Sound
    side: what is not proved is reported as not robust.

    Attributes:
        labels: (N,) the label each claim is about, chosen by the pilot votes.
        p_lower: (N,) lower bound of its probability under the noise; 0 for a node that is no target.
        p_other_upper: (N,) upper bound of the probability of every other class; 1 for a node that is no target.
        targets: (N,) mask of the nodes about which claims are made.
        alpha: error rate of all claims together if `simultaneous`, of each one otherwise.
        simultaneous: whether all claims hold at once with probability ≥ 1 − alpha.
        method: "binary" or "multiclass".
        smoothing: the scheme that makes the smoothed classifier.
        samples: the number of samples behind every bound.
    """

    labels: NDArray[np.int64]
    p_lower: Floats
    p_other_upper: Floats
    targets: Mask
    alpha: float
    simultaneous: bool
    method: str
    smoothing: Smoothing
    samples: int

    def __post_init__(self) -> None:
        for array in (self.labels, self.p_lower, self.p_other_upper, self.targets):
            array.flags.writeable = False

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return int(self.labels.size)

    @property
    def claims(self) -> int:
        """Number of nodes about which claims are made."""
        return int(self.targets.sum())

    @property
    def abstained(self) -> Mask:
        """(N,) nodes about which nothing is said, not even that `labels` is the label of the smoothed classifier."""
        return np.asarray(~self.robust())

    def robust(self, add: int | Budget = 0, delete: int = 0, edge_add: int = 0, edge_delete: int = 0) -> Mask:
        """Which nodes provably keep their label under every perturbation within the budget.

        Args:
            add: feature bits set anywhere in the graph, or a whole `Budget` in place of the four numbers.
            delete: feature bits cleared.
            edge_add: undirected edges inserted.
            edge_delete: undirected edges removed.

        Returns:
            (N,) mask; False for abstaining nodes, for nodes that are no targets, and for all nodes if the budget
            changes a channel that the smoothing does not perturb.

        Raises:
            InputError: if a count is not a whole number ≥ 0.
            UnsupportedError: if the budget is too large for exact arithmetic.
        """
        budget = _as_budget(add, delete, edge_add, edge_delete)
        trade_offs = budget_trade_offs(self.smoothing, budget)
        if self.method == "binary":
            return np.asarray(self.p_lower > max(trade_off.critical for trade_off in trade_offs))
        survives = [t.lower(self.p_lower) > t.upper(self.p_other_upper) for t in trade_offs]
        return np.asarray(np.logical_and.reduce(survives))

    def certified_ratio(self, budget: Budget | None = None) -> float:
        """Share of the targets that are robust; without a budget, the share that does not abstain."""
        return float(self.robust(budget or Budget()).sum() / self.claims)

    def certified_accuracy(self, budget: Budget | None, truth: ArrayLike) -> float:
        """Share of the targets that are robust and correctly labelled by `truth` (N,)."""
        return float((self.robust(budget or Budget()) & self.correct(truth)).sum() / self.claims)

    def correct(self, truth: ArrayLike) -> Mask:
        """(N,) whether `labels`, the very labels of the claims, agree with `truth`.

        Raises:
            InputError: if `truth` is not one integer per node.
        """
        labels = np.asarray(truth)
        if labels.shape != (self.nodes,) or not np.issubdtype(labels.dtype, np.integer):
            raise InputError(f"the true labels must be {self.nodes} integers, got {labels.dtype} of {labels.shape}")
        return np.asarray(self.labels == labels)

    def grid(
        self,
        add: int | Iterable[int] = 0,
        delete: int | Iterable[int] = 0,
        edge_add: int | Iterable[int] = 0,
        edge_delete: int | Iterable[int] = 0,
        *,
        truth: ArrayLike | None = None,
    ) -> BudgetGrid:
        """Certified ratio, and with `truth` certified accuracy, over a grid of budgets.

        Every argument is one number, or a sequence that becomes an axis: `grid(range(21), range(41))` has the shape
        (21, 41).
        """
        correct = None if truth is None else self.correct(truth)
        return evaluate_grid(self.robust, self.claims, (add, delete, edge_add, edge_delete), correct)

    def guarantee(self) -> str:
        """What is guaranteed, about what, against whom and with which probability, in plain words."""
        return describe_guarantee(
            self.smoothing, self.claims, self.nodes, self.samples, self.alpha, self.simultaneous, self.method
        )


def _as_budget(add: int | Budget, delete: int, edge_add: int, edge_delete: int) -> Budget:
    if not isinstance(add, Budget):
        return Budget(add, delete, edge_add, edge_delete)
    if (delete, edge_add, edge_delete) != (0, 0, 0):
        raise InputError("give either a Budget or the four numbers, not both")
    return add
