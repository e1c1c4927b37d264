"""`certify`: what votes prove about the majority vote, for every budget (theory sections 0 and 1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.claims import Claims
from graphcert.certificates.confidence_bounds import RULES, claimed, note_claims, unanimous_votes, vote_bounds
from graphcert.certificates.norm_family import BlockScales, unit_law
from graphcert.certificates.query import HalfSpaces
from graphcert.collective.pairs import pair_cells
from graphcert.core.arguments import one_of, whole
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget, Smoothing, Views
from graphcert.noise.budget import count
from graphcert.tradeoff import TradeOff, allocation_trade_offs, budget_trade_offs, certified_radius, selected_trade_offs
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, pair_eta
from graphcert.votes import Votes

METHODS = tuple(RULES)
"""The rules by which a node is certified."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Certificate(Claims):
    """Bounds of class probabilities, and the robustness that follows from them; made by `certify`.

    The classifier is the smoothed one: the class that the base classifier returns most often under the noise. Sound
    side: what is not proved is reported as not robust. Attributes beside those of all `Claims`:

    Attributes:
        p_lower: (N,) lower bound of the label's probability under the noise; 0 for a node that is no target.
        p_other_upper: (N,) upper bound of the probability of every other class; 1 for a node that is no target.
        method: "binary" or "multiclass".
        classes: number of classes K of the votes.
    """

    p_lower: Floats
    p_other_upper: Floats
    method: str
    classes: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("the certificate method", self.method, RULES)
        whole("the number of classes", self.classes, 2)
        self._check_bound("p_lower")
        self._check_bound("p_other_upper")

    def _check_read(self) -> None:
        super()._check_read()
        self._check_others("p_lower", 0.0)
        self._check_others("p_other_upper", 1.0)
        if self.labels.max() >= self.classes:
            raise InputError(f"a label is {self.labels.max()}, but there are {self.classes} classes from 0 on")

    def _kept(self, budget: Budget, shift: float = 0.0) -> Mask:
        if shift and budget.nodes is None:
            budget = replace(budget, nodes=self.nodes)
        trade_offs = budget_trade_offs(self.smoothing, budget, shift, self.nodes)
        return np.asarray(np.logical_and.reduce([self._survives(trade_off) for trade_off in trade_offs]))

    def _unanimous(self, samples: int) -> "Certificate":
        votes = unanimous_votes(samples, self.classes, self.total_variation)
        p_lower, p_other_upper = vote_bounds(votes, self.method, self._level, self.targets)
        return replace(self, p_lower=p_lower, p_other_upper=p_other_upper, samples=samples)

    def radius(self, nodes: int | None = None) -> Floats:
        """How far the features can be moved, in norm over all of them together, before a label may change.

        The norm is ℓ2 under Gaussian and ℓ1 under uniform noise. Under hierarchical noise at most `nodes` rows move (theory,
        sections 5 and 6). Localized noise counts with its smallest σ or λ and its rarest selection.

        Args:
            nodes: the most nodes whose features change, at least 1; None for all.

        Returns:
            (N,) radii ≥ 0: the label survives every change of at most so much; 0 where nothing is certified. Sound side:
            never above the exact radius.

        Raises:
            InputError: if `nodes` is not a whole number ≥ 1: in no row nothing moves, and every radius would hold.
            UnsupportedError: if the features carry neither Gaussian nor uniform noise.
        """
        rows = self.nodes if nodes is None else min(count("nodes", nodes), self.nodes)
        if rows == 0:
            words = "with nodes=0 nothing moves, and every radius would hold; give nodes of at least 1, or none"
            raise InputError(words)
        return certified_radius(self.smoothing, self.p_lower, self._others(), rows)

    def robust_at(
        self,
        feature_add: ArrayLike = 0,
        feature_delete: ArrayLike = 0,
        edge_add: ArrayLike = 0,
        edge_delete: ArrayLike = 0,
        *,
        shift: ArrayLike | None = None,
        rows: ArrayLike | None = None,
    ) -> Mask:
        """Which nodes keep their label under one allocation: so many changes in each block, by the exact trade-off.

        The truth that `collective` bounds: no allocation within its budget leaves fewer targets robust than it certifies.

        Args:
            feature_add, feature_delete: (J,) feature bits set and cleared in each of the J blocks of the partition (J = 1
                under isotropic smoothing).
            edge_add, edge_delete: (J, J) edges inserted and removed, entry [j, k] with j ≤ k between the blocks j and k.
            shift: (J,) norms of the changes in each block, in place of counts, under Gaussian (ℓ2) and uniform (ℓ1) noise.
            rows: (J,) rows of features that change in each block, under hierarchical flips and ablation: all changed bits
                lie in them.

        Returns:
            (N,) mask, False for abstaining nodes and nodes that are no targets.

        Raises:
            InputError: for arrays of another shape, entries that are not whole numbers ≥ 0 (finite norms ≥ 0), or changed
                bits in a block without changed rows.
            UnsupportedError: if the allocation is too large for exact arithmetic, or gives counts and norms, or rows under
                other noise.
        """
        changes = (feature_add, feature_delete, edge_add, edge_delete)
        if shift is not None:
            if rows is not None or any(np.any(given) for given in changes):
                raise UnsupportedError("an allocation is either of counts or of norms; give shift alone")
            scales = BlockScales.of(self.smoothing, self.nodes)
            return self._survives_each(scales.trade_offs(shift), scales.group)
        if rows is not None:
            selected = Views.of_selected(self.smoothing, self.nodes)
            return self._survives_each(selected_trade_offs(selected, changes, rows), selected.of_node)
        views = Views.of_flips(self.smoothing, self.nodes)
        return self._survives_each(allocation_trade_offs(views, changes), views.of_node)

    def _survives_each(self, trade_offs: Sequence[TradeOff], of_node: Integers) -> Mask:
        """(N,) the rule of the certificate, every node at its own trade-off."""
        survives = np.array([self._survives(trade_off) for trade_off in trade_offs])
        return np.asarray(survives[of_node, np.arange(self.nodes)])

    def _survives(self, trade_off: TradeOff) -> Mask:
        """(N,) the rule of the certificate at one trade-off."""
        binary = np.asarray(self.p_lower > trade_off.critical)
        if self.method == "binary":
            return binary
        # The binary rule is contained; it is rounded less.
        return binary | np.asarray(trade_off.lower(self.p_lower) > trade_off.upper(self.p_other_upper))

    def _half_spaces(self, orders: Sequence[Order] | None) -> HalfSpaces:
        used = DEFAULT_ORDERS if orders is None else tuple(Order(*order) for order in orders)
        if not used:
            raise InputError("name at least one order of divergence in orders")
        other = self._others()
        if other is None:
            return HalfSpaces(used, np.array([order_eta(self.p_lower, *order) for order in used]))
        cells = pair_cells(np.zeros(self.nodes, np.int64), self.p_lower, other)
        rounded = cells.other[cells.of_output]
        eta = np.array([pair_eta(self.p_lower, rounded, *order) for order in used])
        return HalfSpaces(used, eta, cells.of_output, cells.rounding)

    def _majorities(self) -> Floats | None:
        return self.p_lower

    def _others(self) -> Floats | None:
        return None if self.method == "binary" else self.p_other_upper

    def _distances(self) -> Floats | None:
        law = unit_law(self.smoothing)
        return None if law is None else certified_radius(Smoothing(law), self.p_lower, self._others(), self.nodes)

    def _basis(self) -> str:
        return f"the {'binary' if self.method == 'binary' else 'multi-class'} rule"

    def _words(self) -> tuple[str, str, str]:
        return (
            "The certified classifier returns, for each node, the class that the base classifier returns most often when "
            "{noise}.",
            f"its probability stays above {'one half' if self.method == 'binary' else 'that of every other class'}",
            "",
        )


def certify(
    votes: Votes,
    alpha: float = 0.01,
    simultaneous: bool = True,
    *,
    method: str = "binary",
    targets: ArrayLike | None = None,
) -> Certificate:
    """Bound the class probabilities of the target nodes; the result answers for any budget.

    Args:
        votes: votes of N nodes over K classes, as `sample_votes` takes them.
        alpha: error rate below 1/2 of all claims together (or of each one, see `simultaneous`).
        simultaneous: True makes all claims hold at once with probability ≥ 1 − alpha, by spending alpha/M on each of
            the M targets. False spends alpha on each node and makes claims about single nodes only.
        method: "binary" bounds the label's probability against 1/2; "multiclass" against its strongest competitor.
        targets: the nodes about which claims are made, as a mask (N,) of booleans or as node numbers, each once; all by
            default. Choose them without looking at `votes.counts`: by a data split or by the pilot votes.

    Raises:
        InputError: if an argument is outside its domain.

    Warns:
        RepeatedClaimsWarning: if other claims were made from the same `Votes` object: the error rates add up.
    """
    one_of("the certificate method", method, METHODS)
    level, shared = claimed(votes, "certify", alpha, simultaneous, targets)
    mask = shared["targets"]
    note_claims(votes, shared["alpha"], "certify", shared["simultaneous"], method, mask)
    p_lower, p_other_upper = vote_bounds(votes, method, level, mask)
    return Certificate(
        labels=votes.labels, p_lower=p_lower, p_other_upper=p_other_upper, method=method, classes=votes.classes,
        **shared,
    )  # fmt: skip
