"""What every certificate about a graph's nodes has in common: claims about targets, counted alone and all together."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.certificates.budget_grid import BudgetGrid, Floats, Mask, evaluate_grid
from graphcert.certificates.budget_sweep import as_budget, budget_sweep, refuse_vacuous
from graphcert.certificates.clean_graph import CleanGraph
from graphcert.certificates.query import Evidence, Query
from graphcert.certificates.samples_needed import out_of_reach
from graphcert.certificates.together import together
from graphcert.collective import CollectiveCurve
from graphcert.collective.localized import BINS
from graphcert.errors import InputError, OutOfReachWarning, UnsupportedError
from graphcert.noise import Budget, Scheme
from graphcert.noise.budget import Counts
from graphcert.tradeoff.base import checked_shift
from graphcert.tradeoff.half_spaces import Order
from graphcert.tradeoff.mean_scores import ScoreTails

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
        total_variation: what was charged for the distance between the law that was sampled and the one of `smoothing`.
        data_fingerprint: the name of the graph that was voted on (`Votes.manifest["data"]`), None if it is not known.
            `collective` compares the graph that it is given.
    """

    labels: NDArray[np.int64]
    targets: Mask
    alpha: float
    simultaneous: bool
    smoothing: Scheme
    samples: int
    total_variation: float = 0.0
    data_fingerprint: str | None = None

    def __post_init__(self) -> None:
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    @abstractmethod
    def _kept(self, budget: Budget, shift: float = 0.0) -> Mask:
        """(N,) `robust` at one cell of a sweep: no budget is refused for being empty, nothing is said about samples."""

    @abstractmethod
    def _unanimous(self, samples: int) -> "Claims":
        """The same claims if every vote of so many samples were for the label (every score of it 1)."""

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

    def robust(
        self,
        add: int | Budget = 0,
        delete: int = 0,
        edge_add: int = 0,
        edge_delete: int = 0,
        nodes: int | None = None,
        *,
        shift: float | None = None,
    ) -> Mask:
        """Which nodes provably keep their label under every perturbation within the budget.

        Args:
            add: feature bits set anywhere in the graph, or a whole `Budget` in place of the numbers.
            delete: feature bits cleared.
            edge_add: undirected edges inserted.
            edge_delete: undirected edges removed.
            nodes: the most nodes whose features change; None for no limit. Under ablation rows may change at will, and
                `nodes` alone is the budget; under all other noise it needs bits or a shift that it limits.
            shift: in place of bits, the norm of the change of all features together: ℓ2 under Gaussian noise, ℓ1 under
                uniform noise. Under noise on a lattice the changed features lie on it too.

        Returns:
            (N,) mask; False for abstaining nodes, for nodes that are no targets, and for all nodes if the budget
            changes a channel that the smoothing does not perturb.

        Raises:
            InputError: if a count is not a whole number ≥ 0, a shift is given for noise that has no norm, or `nodes` limits
                nothing, so that the claim would be empty.
            UnsupportedError: if the budget is too large for exact arithmetic, counts bits under Gaussian or uniform noise,
                or changes edges besides a shift under Gaussian noise.

        Warns:
            OutOfReachWarning: once per certificate, if even unanimous votes of so few samples would prove nothing.
        """
        budget, distance = as_budget(add, delete, edge_add, edge_delete, nodes), checked_shift(shift)
        refuse_vacuous(self.smoothing, [budget], None if shift is None else [distance])
        kept = self._kept(budget, distance)
        self._warn(kept.any(), [budget], [distance])
        return kept

    def _warn(
        self, proved: Any, budgets: Iterable[Budget], shifts: Iterable[float] = (0.0,), stacklevel: int = 3
    ) -> None:
        """Say once that nothing was proved because the samples are too few, if that is so."""
        if not proved and not self._said:
            self._said.extend([note] if (note := out_of_reach(self, budgets, shifts)) else [])
            if self._said:
                warnings.warn(self._said[0], OutOfReachWarning, stacklevel=stacklevel)

    @cached_property
    def _said(self) -> list[str]:
        """What a warning of this certificate has said."""
        return []

    @property
    def _level(self) -> float:
        """Error rate of one node's claim."""
        return self.alpha / (self.claims if self.simultaneous else 1)

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
        return np.asarray(~self._kept(Budget()))

    def certified_ratio(self, budget: Budget | None = None) -> float:
        """Share of the targets that are `robust`; without a budget, the share that does not abstain."""
        return float(self._share(budget, self.targets) / self.claims)

    def certified_accuracy(self, budget: Budget | None, truth: ArrayLike) -> float:
        """Share of the targets that are `robust` and correctly labelled by `truth` (N,)."""
        return float(self._share(budget, self.correct(truth)) / self.claims)

    def _share(self, budget: Budget | None, chosen: Mask) -> int:
        """The number of robust nodes among some."""
        asked = [as_budget(Budget() if budget is None else budget)]
        refuse_vacuous(self.smoothing, asked)
        kept = self._kept(asked[0])
        self._warn(kept.any(), asked, stacklevel=4)
        return int((kept & chosen).sum())

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
        (21, 41). As for `robust`, `nodes` needs changes that it limits; the cells at which their axis starts at 0 are the
        statement without any change, whatever `nodes` is there.

        Raises:
            InputError: if an axis is empty, a budget is not a whole number ≥ 0, or `nodes` limits nothing in any cell.

        Warns:
            OutOfReachWarning: once per certificate, if even unanimous votes of so few samples would prove nothing in any
                cell in which something changes.
        """
        correct = None if truth is None else self.correct(truth)
        axes = [
            tuple(axis) if isinstance(axis, Iterable) else axis for axis in (add, delete, edge_add, edge_delete, nodes)
        ]
        asked = budget_sweep(*axes)
        refuse_vacuous(self.smoothing, asked)
        found = evaluate_grid(self._kept, self.claims, tuple(axes), correct)
        changed = np.array([any(budget.as_tuple()) or bool(budget.nodes) for budget in asked])
        self._warn((found.ratio.ravel() > 0)[changed if changed.any() else ~changed].any(), asked)
        return found

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
                It needs changes that it limits, as in `grid`.
            shift: a norm of the change of all features together, or several, in place of bits: ℓ2 under Gaussian noise, ℓ1
                under uniform noise. The curve then has the axis "feature_shift" (and "nodes", if they are limited).
            method: "naive" (each node alone, by its exact certificate), "lp" or "milp" (half-spaces; each reports the best
                of itself and the ones before it) or "tight" (exact trade-offs and an exact search, theory, section 9). By
                default the strongest that there is: "tight" for votes and bands of scores, "milp" with `layers`, under
                ablation or against a shift, "naive" under other continuous noise. "all" gives every method that
                exists for these claims, a sequence of names those of them that exist: naive, lp-2, milp-2, lp, milp,
                tight-lp (the linear program of "tight" alone), tight, where "-2" is the published certificate. Where the
                strongest name of a sequence does not exist, the strongest one that does is given in its place.
            targets: (N,) bool, which of the certificate's targets count; all of them by default.
            truth: (N,) true labels: adds the certified accuracy, from a solve of its own.
            data: the clean graph (`x` and `edge_index`) that was voted on: a cluster's ones can be deleted and its zeros set
                only once each. Without it a cluster takes any number of changes. It is compared with `data_fingerprint`;
                of votes made elsewhere, which have none, only the number of nodes and the domain are checked, and a graph
                that was not voted on voids the claim (theory section 11, trap 25).
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
            InputError: for budgets that are not whole numbers ≥ 0, limits of nodes that limit nothing, targets outside the
                certificate's, `data` that is another graph than the one that was voted on or outside the domain of the
                noise, an unknown method or solver, or a solver that is not installed.
            UnsupportedError: if the claims do not hold simultaneously, or not by the binary rule (which a shift does not
                need); if `layers` are given and the noise or the budget adds edges, or rows are selected; under continuous
                noise for every method but "naive", except against a shift without selection of rows.

        Warns:
            OutOfReachWarning: once per certificate, if nothing is certified and even unanimous votes of so few samples
                would prove nothing about any node alone.
        """
        if not self.simultaneous:
            raise UnsupportedError("a collective certificate needs claims that hold together; use simultaneous=True")
        if layers is None and (local_budget is not None or attackers is not None):
            raise InputError("local_budget and attackers need the depth of the base classifier; give layers")
        if shift is not None:
            shift = [checked_shift(norm) for norm in (shift if isinstance(shift, Iterable) else [shift])]
        budgets, shifts = budget_sweep(add, delete, edge_add, edge_delete, nodes), [0.0] if shift is None else shift
        refuse_vacuous(self.smoothing, budgets, shift)
        graph = None if data is None else CleanGraph.of(data, self.smoothing, self.nodes, self.data_fingerprint)
        query = Query(
            budgets=budgets, shift=shift,
            targets=self._counted(targets), correct=None if truth is None else self.correct(truth), data=graph,
            layers=layers, normalisation=normalisation, local_budget=local_budget, attackers=attackers, orders=orders,
            bins=bins, time_limit=time_limit, solver=solver,
        )  # fmt: skip
        evidence = Evidence(
            self.smoothing, self.nodes, self._kept, self._half_spaces, self._majorities, self._distances, self._tails
        )
        found = together(evidence, query, method)
        curves = found.values() if isinstance(found, dict) else [found]
        self._warn(any(curve.certified[curve.budgets.any(axis=1)].any() for curve in curves), budgets, shifts)
        return found

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
