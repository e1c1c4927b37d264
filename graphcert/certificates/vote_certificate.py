"""`certify`: what votes prove about the majority vote, for every budget (theory sections 0 and 1)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.confidence_bounds import (
    LABEL_SHARE,
    RULES,
    check_label_share,
    claimed,
    note_claims,
    unanimous_votes,
    vote_bounds,
)
from graphcert.certificates.distinct_bounds import DistinctBounds
from graphcert.certificates.injection_claims import InjectionClaims
from graphcert.certificates.norm_family import BlockScales, unit_law
from graphcert.certificates.query import HalfSpaces
from graphcert.collective.pairs import pair_cells
from graphcert.core.arguments import one_of, whole
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Budget, Scheme, Views
from graphcert.noise.budget import count
from graphcert.statistics import Looks
from graphcert.tradeoff import (
    TradeOff,
    allocation_trade_offs,
    budget_trade_offs,
    certified_radius,
    certified_turn,
    radius_given,
    selected_trade_offs,
)
from graphcert.tradeoff.half_spaces import DEFAULT_ORDERS, Order, order_eta, pair_eta
from graphcert.votes import Votes, checked_rows

METHODS = RULES
"""The rules by which a node is certified."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Certificate(InjectionClaims):
    """Bounds of class probabilities, and the robustness that follows from them; made by `certify`.

    The classifier is the smoothed one: the class that the base classifier returns most often under the noise. Sound
    side: what is not proved is reported as not robust. Attributes beside those of all `Claims`:

    Attributes:
        p_lower: (N,) lower bound of the label's probability under the noise; 0 for a node that is no target.
        p_other_upper: (N,) upper bound of the probability of every other class; 1 for a node that is no target.
        method: "binary" or "multiclass".
        classes: number of classes K of the votes.
        label_share: the share of a node's level that bounds the label under the multi-class rule; None under the binary one
            and in files of older versions, whose share was one half.
        p_class_upper: (N, K) upper bounds of each class alone, 1 for the label and for nodes that are no targets, under
            the multi-class rule; None under the binary one and in files of older versions. All of them hold together with
            probability ≥ 1 − alpha. That is a claim beside the other ones: `robust` and `collective` do not rest on it.
        look_ends, look_weights: (L,) the numbers of samples at which a node could stop, and what each look has of its level,
            see `Votes.looks`; None if every node has all samples.
        node_samples: (N,) the samples of each node, `samples` at most; None likewise.
        rows: (N,) how many rows each of N inputs has, see `Votes.rows`; None if the outputs are the nodes of one graph.
    """

    p_lower: Floats
    p_other_upper: Floats
    method: str
    classes: int = 2
    label_share: float | None = None
    p_class_upper: Floats | None = None
    look_ends: Integers | None = None
    look_weights: Floats | None = None
    node_samples: Integers | None = None
    rows: Integers | None = None

    _LATER_FIELDS = ("label_share", "p_class_upper", "look_ends", "look_weights", "node_samples", "rows")

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("the certificate method", self.method, RULES)
        whole("the number of classes", self.classes, 2)
        self._check_bound("p_lower")
        self._check_bound("p_other_upper")
        if self.method == "binary":  # as by `replace`: nothing of the other rule is kept
            object.__setattr__(self, "label_share", None)
            object.__setattr__(self, "p_class_upper", None)
        if self.label_share is not None:
            check_label_share(self.label_share)
        if self.p_class_upper is not None and self.p_class_upper.shape != (self.nodes, self.classes):
            raise InputError("p_class_upper must hold one number from 0 to 1 per node and class")
        self._check_looks()
        if self.rows is not None:
            checked_rows(self.rows, self.nodes)

    def _check_looks(self) -> None:
        looks, of_nodes = self.looks, self.node_samples
        if (looks is None) != (of_nodes is None) or (looks is not None and looks.ends[-1] != self.samples):
            raise InputError(
                "look_ends, look_weights and node_samples belong together, and the last look has all samples"
            )
        if looks is not None and of_nodes is not None:
            self._check_labels(self.labels, looks.of(of_nodes))

    @property
    def looks(self) -> Looks | None:
        """When nodes could stop; None if every node has all samples."""
        if self.look_ends is None or self.look_weights is None:
            return None
        return Looks(tuple(self.look_ends.tolist()), tuple(self.look_weights.tolist()))

    def _check_read(self) -> None:
        super()._check_read()
        self._check_others("p_lower", 0.0)
        self._check_others("p_other_upper", 1.0)
        if self.labels.max() >= self.classes:
            raise InputError(f"a label is {self.labels.max()}, but there are {self.classes} classes from 0 on")
        bound = self.p_class_upper
        if bound is None:
            return
        if not ((bound >= 0) & (bound <= 1)).all():
            raise InputError("p_class_upper must hold one number from 0 to 1 per node and class")
        if (bound[~self.targets] != 1).any():
            raise InputError("p_class_upper must be 1 for nodes that are no targets")
        # Otherwise a label might fall and no class be there for it.
        if (np.where(_is_class(self.labels, self.classes), 0.0, bound).max(axis=1) < self.p_other_upper).any():
            raise InputError("p_class_upper must allow some other class as much as p_other_upper")

    @property
    def _rows(self) -> Integers | None:
        return self.rows

    def _kept(self, budget: Budget, shift: float = 0.0) -> Mask:
        kept, known = np.zeros(self.nodes, np.bool_), self._distinct
        for rows, mine in self._by_rows:
            trade_offs = budget_trade_offs(self.smoothing, self._within(budget, shift, rows), shift, rows)
            least = np.maximum.reduce([known.least(trade_off) for trade_off in trade_offs])
            kept |= mine & (known.p_place >= least[known.other_place])
        return kept

    @cached_property
    def _by_rows(self) -> list[tuple[int, Mask]]:
        """Numbers of rows, and (N,) the outputs of inputs that have so many; the nodes of a graph are its rows."""
        of_output = np.full(self.nodes, self.nodes) if self.rows is None else self.rows
        return [(rows, of_output == rows) for rows in np.unique(of_output).tolist()]

    def _within(self, budget: Budget, shift: float, rows: int) -> Budget:
        """A budget against an input of so many rows: no more of them than there are can change."""
        changed = bool(shift) or (self.rows is not None and bool(budget.feature_add or budget.feature_delete))
        most = self.smoothing.counted_rows(rows)
        if budget.nodes is None:
            return replace(budget, nodes=most) if changed else budget
        return budget if self.rows is None else replace(budget, nodes=min(budget.nodes, most))

    def _unanimous(self, samples: int) -> "Certificate":
        votes = unanimous_votes(samples, self.classes, self.total_variation)
        looks = self.looks
        level = self._level if looks is None else looks.level(self._level, len(looks.ends) - 1)
        bounds = vote_bounds(votes, self.method, level, self.targets, self.label_share)
        without = dict.fromkeys(("p_class_upper", "look_ends", "look_weights", "node_samples"))
        return replace(self, **{**bounds._asdict(), **without}, samples=samples)

    def radius(self, nodes: int | None = None) -> Floats:
        """How far the features can be moved, in norm over all of them together, before a label may change.

        The norm is ℓ2 under Gaussian and ℓ1 under uniform noise; under `Rotation` it is the shift of a turn. Under
        hierarchical noise at most `nodes` rows move (theory, sections 5 and 6). Localized noise counts with its smallest σ
        or λ and its rarest selection.

        Args:
            nodes: the most nodes (of an input with `rows`: rows) whose features change, at least 1; None for all.

        Returns:
            (N,) radii ≥ 0: the label survives every change of at most so much; 0 where nothing is certified. Sound side:
            never above the exact radius.

        Raises:
            InputError: if `nodes` is not a whole number ≥ 1: in no row nothing moves, and every radius would hold.
            UnsupportedError: if the features carry neither Gaussian nor uniform noise.
        """
        limit = None if nodes is None else count("nodes", nodes)
        if limit == 0:
            words = "with nodes=0 nothing moves, and every radius would hold; give nodes of at least 1, or none"
            raise InputError(words)
        radii = np.zeros(self.nodes)
        for rows, mine in self._by_rows:
            most = self.smoothing.counted_rows(rows)
            radii[mine] = self._radii(self.smoothing, most if limit is None else min(limit, most))[mine]
        return radii

    def turns(self) -> Floats:
        """How far the whole input can be turned, in degrees, before a label may change, under `Rotation` noise.

        Returns:
            (N,) angles in [0, 180], the radii of shifts as turns (`certified_turn`): about the axis of the noise in either
            sense, or about any axis under noise in space. Sound side: never above the exact angle, and 180 means every turn.

        Raises:
            InputError: under other noise.
        """
        law: Any = self.smoothing.feature_law
        return certified_turn(self.radius(), law)

    def _radii(self, smoothing: Scheme, rows: int) -> Floats:
        """(N,) radii under a scheme, by the rule of the certificate; the binary rule is contained in the other."""
        majority, others = certified_radius(smoothing, self.p_lower, None, rows), self._others()
        if others is None:
            return majority
        return np.maximum(majority, certified_radius(smoothing, self.p_lower, others, rows))

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
            rows: (J,) rows of features that change in each block, where rows are selected or hidden: all changes lie in
                them.

        Returns:
            (N,) mask, False for abstaining nodes and nodes that are no targets.

        Raises:
            InputError: for arrays of another shape, entries that are not whole numbers ≥ 0 (finite norms ≥ 0), or changed
                bits in a block without changed rows.
            UnsupportedError: if the allocation is too large for exact arithmetic, or gives counts and norms, or rows under
                other noise.
        """
        trade_offs, of_node = self._trade_offs_at((feature_add, feature_delete, edge_add, edge_delete), shift, rows)
        known = self._distinct
        least = np.array([known.least(trade_off) for trade_off in trade_offs])
        return np.asarray(known.p_place >= least[of_node, known.other_place])

    def possible_at(
        self,
        feature_add: ArrayLike = 0,
        feature_delete: ArrayLike = 0,
        edge_add: ArrayLike = 0,
        edge_delete: ArrayLike = 0,
        *,
        shift: ArrayLike | None = None,
        rows: ArrayLike | None = None,
    ) -> Mask | None:
        """Which classes each node may have under one allocation, as far as the bounds of each class tell.

        A class is left out if it provably stays less likely than the label. All that is left out is left out rightly with
        probability ≥ 1 − alpha; like another certificate of the same votes, this is a claim beside `robust_at`.

        Args:
            feature_add, feature_delete, edge_add, edge_delete, shift, rows: as in `robust_at`.

        Returns:
            (N, K) mask, True for the label; True everywhere for nodes that are no targets. None if the certificate has no
            bounds of each class, as under the binary rule.

        Raises:
            InputError, UnsupportedError: as `robust_at`.
        """
        trade_offs, of_node = self._trade_offs_at((feature_add, feature_delete, edge_add, edge_delete), shift, rows)
        if self.p_class_upper is None:
            return None
        possible = np.ones(self.p_class_upper.shape, np.bool_)
        for view, trade_off in enumerate(trade_offs):
            mine = of_node == view
            if mine.any():
                reached = trade_off.upper(self.p_class_upper[mine])
                possible[mine] = reached >= np.asarray(trade_off.lower(self.p_lower[mine]))[:, None]
        return possible | _is_class(self.labels, self.classes)

    def _limits(self) -> Floats:
        majority, others = self.p_lower - 0.5, self._others()
        found = majority if others is None else np.maximum(majority, (self.p_lower - others) / 2)
        return np.asarray(np.nextafter(found, -1.0))

    def _trade_offs_at(
        self, changes: tuple[ArrayLike, ...], shift: ArrayLike | None, rows: ArrayLike | None
    ) -> tuple[Sequence[TradeOff], Integers]:
        """The trade-offs of one allocation as the views see it, and (N,) the view of every node."""
        if self.rows is not None:
            raise UnsupportedError(
                "an allocation spreads one change over the clusters of one graph, and these are claims about inputs "
                "that are changed one at a time; ask robust(…)"
            )
        if shift is not None:
            if any(np.any(given) for given in changes) or (rows is not None) != self.smoothing.selects_rows:
                raise UnsupportedError(
                    "an allocation is either of counts or of norms; give shift alone, or with rows where rows are selected"
                )
            scales = BlockScales.of(self.smoothing, self.nodes)
            self._refuse_tiles(scales.scale.shape[1])
            return scales.trade_offs(shift, rows), scales.group
        if rows is not None:
            selected = Views.of_selected(self.smoothing, self.nodes)
            self._refuse_tiles(selected.feature_law.shape[1])
            return selected_trade_offs(selected, changes, rows), selected.of_node
        views = Views.of_flips(self.smoothing, self.nodes)
        return allocation_trade_offs(views, changes), views.of_node

    def _refuse_tiles(self, blocks: int) -> None:
        """Raise `UnsupportedError` if touched tiles would be counted per block, for a tile may lie in several."""
        if self.smoothing.tiles is not None and blocks > 1:
            raise UnsupportedError(
                "a tile may lie in several blocks, so touched tiles are not counted per block; ask robust"
            )

    @cached_property
    def _distinct(self) -> DistinctBounds:
        return DistinctBounds.of(self.p_lower, self._others())

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

    def _distances(self, delta: Fraction = Fraction(0)) -> Floats | None:
        law, (p, other, place) = unit_law(self.smoothing), self._pairs
        if law is None:
            return None
        found = radius_given(law, p, None, delta)
        if other is not None:
            found = np.maximum(found, radius_given(law, p, other, delta))
        return np.asarray(found[place])

    @cached_property
    def _pairs(self) -> tuple[Floats, Floats | None, Integers]:
        """The distinct pairs of bounds that nodes have (no second one under the binary rule), and each node's place."""
        known = self._distinct
        width = 1 if known.other is None else known.other.size
        pairs, place = np.unique(known.p_place * width + known.other_place, return_inverse=True)
        other = None if known.other is None else known.other[pairs % width]
        return known.p[pairs // width], other, place

    def _samples_words(self) -> str:
        return f"{self.samples:,}" if self.node_samples is None else f"at most {self.samples:,}"

    def _stops(self) -> list[str]:
        if self.looks is None or self.node_samples is None:
            return []
        ends, taken = self.looks.ends, self.node_samples[self.targets].mean()
        return [
            f"Each {self._output} stopped after {ends[0]:,} to {ends[-1]:,} samples, at one of {len(ends)} looks that were "
            f"fixed beforehand and that share its level; the targets have {taken:,.0f} samples on average"
        ]

    def _basis(self) -> str:
        return f"the {'binary' if self.method == 'binary' else 'multi-class'} rule"

    def _words(self) -> tuple[str, str, str]:
        return (
            f"The certified classifier returns, for each {self._output}, the class that the base classifier returns "
            "most often when {noise}.",
            f"its probability stays above {'one half' if self.method == 'binary' else 'that of every other class'}",
            "",
        )


def certify(
    votes: Votes,
    alpha: float = 0.01,
    simultaneous: bool = True,
    *,
    method: str | None = None,
    label_share: SupportsFloat | None = None,
    targets: ArrayLike | None = None,
) -> Certificate:
    """Bound the class probabilities of the target nodes; the result answers for any budget.

    Args:
        votes: votes of N nodes over K classes, as `sample_votes` takes them, or of N inputs (`Votes.rows`).
        alpha: error rate below 1/2 of all claims together (or of each one, see `simultaneous`).
        simultaneous: True makes all claims hold at once with probability ≥ 1 − alpha, by spending alpha/M on each of
            the M targets. False spends alpha on each node and makes claims about single nodes only.
        method: "binary" bounds the label's probability against 1/2; "multiclass" against its strongest competitor. None
            for "binary" with two classes and "multiclass" with more.
        label_share: the share of a node's level, strictly between 0 and 1, at which the multi-class rule bounds the label;
            every other class is bounded at the whole rest (theory section 10). None for `LABEL_SHARE`. Fix it before the
            final votes are seen. With the binary rule there is nothing to share.
        targets: the nodes about which claims are made, as a mask (N,) of booleans or as node numbers, each once; all by
            default. Choose them without looking at `votes.counts`: by a data split or by the pilot votes.

    Raises:
        InputError: if an argument is outside its domain, or a `label_share` is given with the binary rule, which is the
            default with two classes.

    Warns:
        RepeatedClaimsWarning: if other claims were made from the same `Votes` object: the error rates add up.
    """
    level, shared = claimed(votes, "certify", alpha, simultaneous, targets)
    mask = shared["targets"]
    rule = chosen_method(method, votes.classes)
    share = chosen_share(rule, label_share)
    note_claims(votes, shared["alpha"], "certify", shared["simultaneous"], rule, share, mask)
    return Certificate(
        labels=votes.labels, **vote_bounds(votes, rule, level, mask, share)._asdict(), method=rule, classes=votes.classes,
        label_share=share, rows=votes.rows, **shared, **_looked(votes),
    )._remember(votes=votes)  # fmt: skip


def _looked(votes: Votes) -> dict[str, Any]:
    """The fields of a certificate that say at which look each node stopped."""
    if votes.looks is None:
        return {}
    ends, weights = np.array(votes.looks.ends), np.array(votes.looks.weights)
    return {"look_ends": ends, "look_weights": weights, "node_samples": votes.node_samples}


def _is_class(labels: Integers, classes: int) -> Mask:
    """(N, K) True at the label of every node."""
    return np.asarray(labels[:, None] == np.arange(classes))


def chosen_method(method: str | None, classes: int) -> str:
    """The rule by which votes over so many classes are certified, by default or by name.

    Raises `InputError` for a name that is none.
    """
    if method is None:
        return "binary" if classes == 2 else "multiclass"
    one_of("the certificate method", method, RULES)
    return method


def chosen_share(method: str, label_share: SupportsFloat | None) -> float | None:
    """The label's share of the level under a rule, None under the binary one; raises `InputError` where it has no use."""
    if method == "binary":
        if label_share is not None:
            raise InputError(
                "label_share divides the level of the multi-class rule; leave it out under the binary rule"
            )
        return None
    return LABEL_SHARE if label_share is None else check_label_share(label_share)
