"""What every certificate about a graph's nodes claims: about each node by itself, and about all targets at once."""

import warnings
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import NoneType
from typing import Any, Unpack

from numpy.typing import ArrayLike

from graphcert.certificates.budget_grid import budget_sweep, refuse_vacuous
from graphcert.certificates.clean_graph import CleanGraph
from graphcert.certificates.families import compared_curves, one_curve
from graphcert.certificates.method_hierarchy import ALL, MethodComparison
from graphcert.certificates.node_claims import NodeClaims
from graphcert.certificates.query import CollectiveOptions, HalfSpaces, Query
from graphcert.collective import CollectiveCurve
from graphcert.collective.half_spaces.localized import BINS
from graphcert.core.arguments import target_mask
from graphcert.core.arrays import Floats
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget
from graphcert.noise.budget import Counts
from graphcert.tradeoff.base import checked_shift
from graphcert.tradeoff.half_spaces import Order
from graphcert.tradeoff.mean_scores import ScoreTails

__all__ = ["Claims"]


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Claims(NodeClaims):
    """Claims that hold for every node by itself, and together for all targets of one perturbation."""

    @abstractmethod
    def _half_spaces(self, orders: Sequence[Order] | None) -> HalfSpaces:
        """What it takes in each direction of change to take the labels away."""

    def _majorities(self) -> Floats | None:
        """(N,) lower bounds of the labels' probabilities; None if the claims rest on something else."""
        return None

    def _others(self) -> Floats | None:
        """(N,) upper bounds of the probabilities of every other class; None under the binary rule."""
        return None

    def _distances(self, delta: Fraction = Fraction(0)) -> Floats | None:
        """(N,) the shift that every label survives under noise of real features at scale 1; None if that is not known.

        Some changed row is not selected, and so seen, with probability `delta`.
        """
        return None

    def _tails(self) -> ScoreTails | None:
        """Bounds of the distribution of the labels' scores; None if the claims rest on something else."""
        return None

    def collective(
        self,
        add: Counts | Iterable[Budget] = 0,
        delete: Counts = 0,
        edge_add: Counts = 0,
        edge_delete: Counts = 0,
        nodes: Counts | None = None,
        *,
        shift: float | Iterable[float] | None = None,
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
        proofs: bool = False,
    ) -> CollectiveCurve:
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
                ablation or against a shift, "naive" under other continuous noise. "all" and sequences of names are
                deprecated and give a dictionary of what `compare_methods` gives.
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
                search of "tight" does not end, an integer program takes as long again, and so do the half-spaces of the
                binary rule where those of the multi-class rule leave something open. No method proves less than a weaker
                one: a method that does not contain an integer program below it gives that at most a second per budget.
            solver: "highs" or "cvxpy" (the same program through cvxpy, slower).
            proofs: whether to add proofs that others can check (docs/verification.md); they take a sixth of the time more.

        Returns:
            A `CollectiveCurve` with one row per budget. Sound side: `certified` is never too large.

        Raises:
            InputError: for budgets that are not whole numbers ≥ 0, limits of nodes that limit nothing, targets outside the
                certificate's, `data` that is another graph than the one that was voted on or outside the domain of the
                noise, an unknown method or solver, or a solver that is not installed.
            UnsupportedError: if the claims do not hold simultaneously; if `layers`
                are given and the noise or the budget adds edges, or rows are selected; under continuous
                noise for every method but "naive", except against a shift, in a limited number of rows if they are selected.

        Warns:
            OutOfReachWarning: once per certificate, if nothing is certified and even unanimous votes of so few samples
                would prove nothing about any node alone.
        """
        options: CollectiveOptions = {
            "shift": shift, "targets": targets, "truth": truth, "data": data, "layers": layers,
            "normalisation": normalisation, "local_budget": local_budget, "attackers": attackers, "orders": orders,
            "bins": bins, "time_limit": time_limit, "solver": solver, "proofs": proofs,
        }  # fmt: skip
        if method == ALL or not isinstance(method, (str, NoneType)):
            words = "collective(method='all'), or with several names, is deprecated; call compare_methods(…, methods=…)"
            warnings.warn(words, DeprecationWarning, stacklevel=2)
            compared = self.compare_methods(add, delete, edge_add, edge_delete, nodes, methods=method, **options)
            return dict(compared)  # type: ignore[return-value]  # what older versions returned
        query = self._query(budget_sweep(add, delete, edge_add, edge_delete, nodes), **options)
        curve = one_curve(query, method)
        self._warn(curve.certified[curve.budgets.any(axis=1)].any(), query.budgets, query.shift or [0.0])
        return curve

    def compare_methods(
        self,
        add: Counts | Iterable[Budget] = 0,
        delete: Counts = 0,
        edge_add: Counts = 0,
        edge_delete: Counts = 0,
        nodes: Counts | None = None,
        *,
        methods: str | Iterable[str] = ALL,
        **options: Unpack[CollectiveOptions],
    ) -> MethodComparison:
        """The curves of several methods of `collective` over the same budgets, none weaker than the one before it.

        Args:
            add, delete, edge_add, edge_delete, nodes: as in `collective`.
            methods: names out of the method hierarchy: naive, lp-2, milp-2, lp, milp, tight-lp (the linear program of
                "tight" alone), tight, where "-2" is the published certificate. Those that exist for these claims are
                compared; where the strongest name does not exist, the strongest method below it is there under its own name.
                "all" stands for all names.
            options: every other argument of `collective` but `method`.

        Raises:
            InputError, UnsupportedError: as `collective`, and for names that are none.

        Warns:
            OutOfReachWarning: as `collective`.
        """
        query = self._query(budget_sweep(add, delete, edge_add, edge_delete, nodes), **options)
        compared = compared_curves(query, methods)
        proved = any(curve.certified[curve.budgets.any(axis=1)].any() for curve in compared.values())
        self._warn(proved, query.budgets, query.shift or [0.0])
        return compared

    def _query(
        self,
        budgets: list[Budget],
        shift: float | Iterable[float] | None = None,
        targets: ArrayLike | None = None,
        truth: ArrayLike | None = None,
        data: object | None = None,
        **options: Any,
    ) -> Query:
        """The checked arguments of `collective`."""
        if self._rows is not None:
            raise UnsupportedError(
                "an adversary changes one input at a time, so nothing is gained by certifying all of them together; ask "
                "robust(…), grid(…) or certified_ratio(…)"
            )
        if not self.simultaneous:
            raise UnsupportedError("a collective certificate needs claims that hold together; use simultaneous=True")
        if shift is not None:
            shift = [checked_shift(norm) for norm in (shift if isinstance(shift, Iterable) else [shift])]
        refuse_vacuous(self.smoothing, budgets, shift)
        counted = self.targets if targets is None else target_mask(targets, self.nodes)
        if (counted & ~self.targets).any():
            raise InputError("targets must be among those of the certificate; certify with all of them as targets")
        return Query(
            self, self.smoothing, budgets, shift, counted,
            correct=None if truth is None else self.correct(truth),
            data=None if data is None else CleanGraph.of(data, self.smoothing, self.nodes, self.data_fingerprint),
            **options,
        )  # fmt: skip
