"""What every certificate about a graph's nodes has in common: claims about targets, counted alone and all together."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.grid import BudgetGrid, Floats, Mask, evaluate_grid
from graphcert.certificates.question import Evidence, Question
from graphcert.certificates.sweep import budget_sweep
from graphcert.certificates.together import together
from graphcert.collective import CollectiveCurve
from graphcert.collective.localized import BINS
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget, Scheme
from graphcert.noise.budget import Counts
from graphcert.tradeoff.half_spaces import Order
from graphcert.tradeoff.score_mean import ScoreTails

__all__ = ["Claims", "Floats", "Mask"]


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
    smoothing: Scheme
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

    def _majorities(self) -> Floats | None:
        """(N,) lower bounds of the labels' probabilities; None if the claims rest on something else."""
        return None

    def _distances(self) -> Floats | None:
        """(N,) the shift that every label survives under Gaussian or uniform noise of scale 1; None if that is not known."""
        return None

    def _tails(self) -> ScoreTails | None:
        """Bounds of the distribution of the labels' scores; None if the claims rest on something else."""
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
        shift: float | Iterable[float] | None = None,
        method: str | Sequence[str] | None = None,
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
    ) -> CollectiveCurve | Any:
        """How many targets keep their label under every *single* perturbation within a budget (theory, section 8).

        An adversary has one perturbation for all nodes. Where the noise differs from cluster to cluster, what hurts some
        nodes most hurts others less, and more targets survive together than alone. Under isotropic smoothing all methods
        give what `robust` gives.

        Args:
            add, delete, edge_add, edge_delete: the global budget, each a number or a sequence; several sequences give
                all their combinations, the last one running fastest. Or a sequence of `Budget` in place of all four.
            nodes: the most nodes whose features change, likewise; under hierarchical noise only, where it is a fifth axis.
            shift: a norm of the change of all features together, or several, in place of bits: ℓ2 under Gaussian noise, ℓ1
                under uniform noise. The curve then has the axis "feature_shift" (and "nodes", if they are limited).
            method: "naive" (each node alone, by its exact certificate), "lp" or "milp" (half-spaces; each reports the best
                of itself and the ones before it) or "tight" (exact trade-offs and an exact search, theory, section 9). By
                default the strongest that there is: "tight" for votes and bands of scores, "milp" with `layers`, under
                ablation or against a shift, "naive" under other continuous noise. "all" gives every rung of the ladder that
                exists for these claims, a sequence of names those of them that exist: naive, lp-2, milp-2, lp, milp,
                tight-lp (the linear program of "tight" alone), tight, where "-2" is the published certificate. Where the
                strongest name of a sequence does not exist, the strongest one that does is given in its place.
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
            time_limit: seconds per solve; when it ends, what has been proved so far is reported. None waits. Where the
                search of "tight" does not end, an integer program takes as long again. No method proves less than a weaker
                one: in a ladder bounds are carried upwards, and a method that does not contain an integer program below it
                gives that at most a second per budget.
            solver: "highs" or "cvxpy" (the same program through cvxpy, slower).

        Returns:
            A `CollectiveCurve` with one row per budget; for "all" or a sequence of names a dictionary of them, the weakest
            first. Sound side: `certified` is never too large.

        Raises:
            InputError: for budgets that are not whole numbers ≥ 0, targets outside the certificate's, an unknown method
                or solver, or a solver that is not installed.
            UnsupportedError: if the claims do not hold simultaneously, or not by the binary rule (which a shift does not
                need); if `layers` are given and the noise or the budget adds edges, or rows are selected; under continuous
                noise for every method but "naive", except against a shift without selection of rows.
        """
        if not self.simultaneous:
            raise UnsupportedError("a collective certificate needs claims that hold together; use simultaneous=True")
        if layers is None and (local_budget is not None or attackers is not None):
            raise InputError("local_budget and attackers need the depth of the base classifier; give layers")
        question = Question(
            budgets=budget_sweep(add, delete, edge_add, edge_delete, nodes), shift=shift,
            targets=self._counted(targets), correct=None if truth is None else self.correct(truth), data=data,
            layers=layers, normalisation=normalisation, local_budget=local_budget, attackers=attackers, orders=orders,
            bins=bins, time_limit=time_limit, solver=solver,
        )  # fmt: skip
        evidence = Evidence(
            self.smoothing, self.nodes, self.robust, self._half_spaces, self._majorities, self._distances, self._tails
        )
        return together(evidence, question, method)

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
