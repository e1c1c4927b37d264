"""What every certificate about a graph's nodes has in common: claims about targets, counted alone and all together."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.alone import alone_curve
from graphcert.certificates.grid import BudgetGrid, evaluate_grid
from graphcert.certificates.sweep import budget_sweep
from graphcert.collective import (
    CollectiveCurve,
    collective_localized,
    collective_perceived,
    scheme_perception,
    smoothing_problem,
)
from graphcert.collective.curve import strengthened
from graphcert.collective.localized import BINS
from graphcert.collective.tight import TightProblem, collective_tight
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Budget
from graphcert.noise.budget import Counts
from graphcert.tradeoff.half_spaces import Order

COLLECTIVE_METHODS = ("naive", "lp", "milp", "tight")
"""The ways to certify all targets together, from the weakest to the strongest."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class Claims(ABC):
    """Claims about the labels of N nodes under a smoothing scheme; subclasses say what they rest on.

    Sound side: what is not proved is reported as not robust.

    Attributes:
        labels: (N,) the label each claim is about, chosen by the pilot samples.
        targets: (N,) mask of the nodes about which claims are made.
        alpha: error rate of all claims together if `simultaneous`, of each one otherwise.
        simultaneous: whether all claims hold at once with probability ≥ 1 − alpha.
        smoothing: the scheme that makes the smoothed classifier.
        samples: the number of samples behind every bound.
    """

    labels: NDArray[np.int64]
    targets: Mask
    alpha: float
    simultaneous: bool
    smoothing: Any  # a Scheme; static types of its readers still ask for Smoothing
    samples: int

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    @abstractmethod
    def robust(self, add: int | Budget = 0, delete: int = 0, edge_add: int = 0, edge_delete: int = 0) -> Mask:
        """(N,) which nodes provably keep their label under every perturbation within the budget."""

    @abstractmethod
    def guarantee(self) -> str:
        """What is guaranteed, about what, against whom and with which probability, in plain words."""

    @abstractmethod
    def _half_spaces(self, orders: Sequence[Order] | None) -> tuple[tuple[Order, ...], Floats]:
        """The D directions of change and (D, N) the least amount of each that can take the label away, rounded down."""

    def _tight_problem(self, data: object | None) -> TightProblem | None:
        """The exact collective problem; None if the claims do not rest on probabilities of labels."""
        return None

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
        add: Counts = 0,
        delete: Counts = 0,
        edge_add: Counts = 0,
        edge_delete: Counts = 0,
        nodes: Counts | None = None,
        *,
        truth: ArrayLike | None = None,
    ) -> BudgetGrid:
        """Certified ratio, and with `truth` certified accuracy, over a grid of budgets, each node alone.

        Every argument is one number, or a sequence that becomes an axis: `grid(range(21), range(41))` has the shape
        (21, 41).
        """
        correct = None if truth is None else self.correct(truth)
        return evaluate_grid(self.robust, self.claims, (add, delete, edge_add, edge_delete, nodes), correct)

    def collective(
        self,
        add: Counts | Iterable[Budget] = 0,
        delete: Counts = 0,
        edge_add: Counts = 0,
        edge_delete: Counts = 0,
        nodes: Counts | None = None,
        *,
        method: str | None = None,
        targets: ArrayLike | None = None,
        truth: ArrayLike | None = None,
        data: object | None = None,
        layers: int | None = None,
        normalisation: str = "symmetric",
        local_budget: Any = None,
        attackers: int | None = None,
        orders: Sequence[Order] | None = None,
        bins: int | None = BINS,
        time_limit: float | None = 60.0,
        solver: str = "highs",
    ) -> CollectiveCurve:
        """How many targets keep their label under every *single* perturbation within a budget (theory, section 8).

        An adversary has one perturbation for all nodes. Where the noise differs from cluster to cluster, what hurts some
        nodes most hurts others less, and more targets survive together than alone. Under isotropic smoothing all methods
        give what `robust` gives.

        Args:
            add, delete, edge_add, edge_delete: the global budget, each a number or a sequence; several sequences give
                all their combinations, the last one running fastest. Or a sequence of `Budget` in place of all four.
            nodes: the most nodes whose features change, likewise; under hierarchical noise only, where it is a fifth axis.
            method: "naive" (each node alone, by its exact certificate), "lp" or "milp" (half-spaces; each reports the best
                of itself and the ones before it) or "tight" (exact trade-offs and an exact search, theory, section 9). By
                default the strongest that there is: "tight" for votes, "milp" for scores or with `layers`, "naive" under
                noise other than flips.
            targets: (N,) bool, which of the certificate's targets count; all of them by default.
            truth: (N,) true labels: adds the certified accuracy, from a solve of its own.
            data: the clean graph (`x` and `edge_index`), to which the scheme belongs: a cluster's ones can be deleted and
                its zeros set only once each. Without it a cluster takes any number of changes.
            layers: rounds of message passing of the *base* classifier, if it has no other way to look at the graph: then a
                node perceives only changes within its receptive field in `data`, and more can be certified. Only for
                noise that adds no edges, and against changed features and deleted edges.
            normalisation: how the base classifier aggregates, see `receptive_field`; only with `layers`.
            local_budget: the most changes at one node, see `collective_strictly_local`; only with `layers`.
            attackers: the most nodes that may be touched; only with `layers`.
            orders: the divergences whose half-spaces describe a node (default: eight of them, `DEFAULT_ORDERS`);
                `(Order(2.0),)` gives the published certificate.
            bins: the most steps per group to which half-spaces are rounded; None for no rounding.
            time_limit: seconds per solve; when it ends, what has been proved so far is reported. None waits.
            solver: "highs" or "cvxpy" (the same program through cvxpy, slower).

        Returns:
            A `CollectiveCurve` with one row per budget. Sound side: `certified` is never too large.

        Raises:
            InputError: for budgets that are not whole numbers ≥ 0, targets outside the certificate's, an unknown method
                or solver, or a solver that is not installed.
            UnsupportedError: if the claims do not hold simultaneously, or not by the binary rule; if `layers` are given and
                the noise or the budget adds edges; under hierarchical, Gaussian and ablation noise for every method but
                "naive".
        """
        if not self.simultaneous:
            raise UnsupportedError("a collective certificate needs claims that hold together; use simultaneous=True")
        if method is not None and method not in COLLECTIVE_METHODS:
            raise InputError(f"method must be one of {', '.join(COLLECTIVE_METHODS)}, got {method!r}")
        if layers is None and (local_budget is not None or attackers is not None):
            raise InputError("local_budget and attackers need the depth of the base classifier; give layers")
        budgets = budget_sweep(add, delete, edge_add, edge_delete, nodes)
        if not self.smoothing.flips_only:
            return self._collective_alone(budgets, method or "naive", layers, targets, truth)
        if any(budget.nodes is not None for budget in budgets):
            raise UnsupportedError("a limit of nodes makes a difference under hierarchical noise only; leave nodes out")
        sweep = np.array([budget.as_tuple() for budget in budgets], np.int64)
        options: dict[str, Any] = {
            "targets": self._counted(targets),
            "correct": None if truth is None else self.correct(truth),
            "robust_alone": np.array([self._robust_if_known(budget) for budget in budgets]),
            "time_limit": time_limit,
        }
        exact = self._tight_problem(data) if method == "tight" or (method is None and layers is None) else None
        if exact is not None and layers is None:
            found = collective_tight(exact, sweep, bins=bins or BINS, **options)
            if not found.gap.any():
                return found
            # Where the search did not end, the half-spaces of the orders may prove more.
            return strengthened(found, collective_localized(exact.half_spaces(), sweep, method="lp", **options))
        if method == "tight":
            raise UnsupportedError(
                "the tight certificate is about votes that see the whole graph; use method='milp' for scores or with layers"
            )
        used, eta = self._half_spaces(orders)
        problem = smoothing_problem(self.smoothing, eta, used, data)
        options |= {"method": method or "milp", "solver": solver}
        if layers is None:
            return collective_localized(problem, sweep, bins=bins, **options)
        if data is None:
            raise InputError("layers need the clean graph, on which receptive fields are found; give data")
        if sweep[:, AXES.index("edge_add")].any():
            raise UnsupportedError(
                "added edges create new reach, so receptive fields say nothing against them; leave layers out"
            )
        seen = scheme_perception(self.smoothing, self.nodes, data, layers, normalisation)
        return collective_perceived(
            problem, seen.perception, seen.axis_of, sweep, local_budget=local_budget, attackers=attackers,
            endpoints=seen.endpoints, **options,
        )  # fmt: skip

    def _collective_alone(
        self, budgets: list[Budget], method: str, layers: int | None, targets: ArrayLike | None, truth: ArrayLike | None
    ) -> CollectiveCurve:
        """What `collective` can say where no half-spaces are known."""
        if method != "naive" or layers is not None:
            raise UnsupportedError(
                "under hierarchical, Gaussian and ablation noise every node is certified by itself only; use "
                "method='naive' without layers"
            )
        counted = self._counted(targets)
        right = None if truth is None else counted & self.correct(truth)
        return alone_curve(budgets, np.array([self.robust(budget) for budget in budgets]), counted, right)

    def _counted(self, targets: ArrayLike | None) -> Mask:
        """(N,) which targets count."""
        if targets is None:
            return self.targets
        mask = np.asarray(targets)
        if mask.dtype != np.bool_ or mask.shape != (self.nodes,):
            raise InputError(
                f"targets must be a boolean mask of shape ({self.nodes},), got {mask.dtype} of {mask.shape}"
            )
        if (mask & ~self.targets).any():
            raise InputError("targets must be among those of the certificate; certify with all of them as targets")
        return mask

    def _robust_if_known(self, budget: Budget) -> Mask:
        """`robust`, or nobody where the budget is too large for exact arithmetic."""
        try:
            return self.robust(budget)
        except UnsupportedError:
            return np.zeros(self.nodes, dtype=np.bool_)
