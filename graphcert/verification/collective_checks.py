"""What rows of collective.json are compared with: proofs, attacks, and bounds that need neither."""

import math
from contextlib import suppress
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification.budget_claims import Proofs, unproved_radii
from graphcert.verification.collective_rows import Curve, budget_words
from graphcert.verification.coverings import check_covering, most_fallen
from graphcert.verification.flip_axes import AXES, Falls, FlipAxes
from graphcert.verification.node_bounds import NodeBounds
from graphcert.verification.norms import SHIFT, norm_half_spaces
from graphcert.verification.placements import Budget
from graphcert.verification.prices import HalfSpaces, proved_by_prices
from graphcert.verification.run_files import PlainGraph, StoredVotes
from graphcert.verification.schemes import REAL, Views, read_scheme

Integers = NDArray[np.int64]

_ROUNDING = 1e-12
"""What the floats of a stated rounding may be off."""


class Checks(NamedTuple):
    """What is known of the targets of one run.

    Attributes:
        bounds: what the votes prove of every node.
        views: what the outputs see of the noise.
        single: which nodes survive all of a budget by themselves.
        masks: (Q, N) per question which targets count.
        axes: how groups see changes of bits and edges; None under noise without exact trade-offs of allocations.
        falls: what falls under changes; None likewise.
        spaces: the half-spaces of shifts; None under noise without any.
        squared: whether budgets of shifts are spent in squares.
        near: whether numbers rest on the receptive fields of the model.
    """

    bounds: NodeBounds
    views: Views
    single: Proofs
    masks: NDArray[np.bool_]
    axes: FlipAxes | None
    falls: Falls | None
    spaces: HalfSpaces | None
    squared: bool
    near: bool = False

    @classmethod
    def of(cls, bounds: NodeBounds, votes: StoredVotes, graph: PlainGraph) -> "Checks":
        """Raises `UnsupportedError` for a law that is not known here, `DataError` for a damaged description of the noise."""
        views = read_scheme(votes.scheme, graph.truth.size)
        masks = np.array([graph.targets, graph.targets & (bounds.labels == graph.truth)])
        axes, falls, spaces, squared = None, None, None, False
        # Numbers under other noise rest on single nodes, on half-spaces of shifts, or on a search.
        with suppress(UnsupportedError):
            axes = FlipAxes.of(votes.scheme, graph)
            falls = Falls(axes, bounds, masks)
        with suppress(UnsupportedError):
            spaces, squared = norm_half_spaces(votes.scheme, bounds)
        return cls(bounds, views, Proofs(bounds, views), masks, axes, falls, spaces, squared)

    @property
    def counted(self) -> Integers:
        """(Q,) how many targets count."""
        return np.asarray(self.masks.sum(axis=1), np.int64)

    def alone(self, question: int, curve: Curve) -> Integers:
        """(B,) how many targets fall at most at each budget by what is known of nodes and groups on their own."""
        kept = np.array([self._kept(curve.axes, budget) for budget in curve.budgets.tolist()], np.bool_)
        most = (self.masks[question] & ~kept.reshape(-1, self.masks.shape[1])).sum(axis=1)
        if self.axes is not None and self.falls is not None:
            for row, budget in enumerate(curve.budgets.tolist()):
                if self.axes.measures(curve.axes, budget):
                    groups = most_fallen(self.axes, budget, partial(self.falls.most, question))
                    most[row] = min(most[row], groups)
        return np.asarray(most, np.int64)

    def _kept(self, axes: tuple[str, ...], budget: list[Any]) -> NDArray[np.bool_]:
        """(N,) the nodes that are proved to survive all of a budget, wherever it is spent; nobody if that is not known."""
        given = dict(zip(axes, budget, strict=True))
        rows, shift = given.pop("nodes", None), float(given.pop(SHIFT, 0.0))
        if shift and self.views.features[0].kind in REAL:
            nodes = self.bounds.labels.size
            claimed = np.where(self.bounds.targets, shift, 0.0)
            limit = nodes if rows is None else min(int(rows), nodes)
            wrong = unproved_radii(claimed, self.bounds, self.views, limit)
            return np.asarray(self.bounds.targets & ~np.isin(np.arange(nodes), wrong))
        if shift or not set(given) <= set(AXES):
            return np.zeros_like(self.bounds.targets)
        return self.single.kept(Budget(**given, nodes=rows))

    def wrong_proof(self, proof: dict[str, Any], curve: Curve, question: int, row: int) -> str | None:
        """What is wrong with a proof; None for a good one, and for a kind that proves nothing by itself."""
        kind, number = proof.get("kind"), int(curve.upper_of(question)[row])
        axes, falls, budget = self.axes, self.falls, curve.budgets[row].tolist()
        if kind in ("other", "search"):
            return None
        if kind == "all":
            return None if number >= self.counted[question] else "fewer are said to fall than there are targets"
        try:
            if kind == "boxes" and axes is not None and falls is not None and axes.measures(curve.axes, budget):
                return check_covering(proof, axes, budget, number, partial(falls.most, question))
            if kind == "duals" and self.spaces is not None and curve.axes == (SHIFT,):
                norm = Fraction(float(budget[0]))
                spent = norm * norm if self.squared else norm
                found = proved_by_prices(proof, self.spaces, [spent], self.masks[question])
                return None if found <= number else f"its prices prove {found:,} only"
        except DataError as error:
            return str(error)
        return f"its proof is of the kind {kind!r:.40}, which is not known under this noise"

    def stored_attacks(self, curves: dict[str, Curve]) -> tuple[list[str], Integers]:
        """What is wrong with the stored attacks, and (Q, B) what surely falls under them at each budget."""
        budgets = next(iter(curves.values())).budgets
        broken, wrong = np.zeros((2, len(budgets)), np.int64), list[str]()
        for name, curve in curves.items():
            if curve.attacks is None or self.axes is None or self.falls is None:
                continue
            raised = self._with_raised(curve.rounding)
            for row, b in enumerate(curve.attacks.tolist()):
                where, budget = f"{name}: the attack at {budget_words(curve, row)}", curve.budgets[row].tolist()
                if not self.axes.measures(curve.axes, budget):
                    continue
                if (words := _outside(b, budget, self.axes)) is not None:
                    wrong.append(f"{where} {words}")
                    continue
                broken[:, row] = np.maximum(broken[:, row], [self.falls.surely(question, b) for question in (0, 1)])
                stated = curve.upper[0][row] - curve.gap[row]
                least, most = self.falls.surely(0, b), raised.all_groups(0, b)
                if not (math.isnan(stated) or least <= stated <= most):
                    wrong.append(f"{where} is said to break {stated:,.0f} targets and breaks {most:,}")
        return wrong, broken

    def _with_raised(self, rounding: float) -> Falls:
        """What falls if bounds of other classes are raised by so much, as a search of many outputs does."""
        assert self.axes is not None  # asked under flips only
        assert self.falls is not None
        if not rounding:
            return self.falls
        raised = np.minimum(self.bounds.p_other + rounding * (1 + _ROUNDING) + _ROUNDING, 1.0)
        return Falls(self.axes, self.bounds._replace(p_other=raised), self.masks)

    def own_attack(self, question: int, axes: tuple[str, ...], budget: list[Any]) -> int:
        """How many targets surely fall if each budget is spent in one place: what numbers without a proof must allow for."""
        if self.axes is None or self.falls is None or not self.axes.measures(axes, budget):
            return 0
        capacity, spent = self.axes.capacity.tolist(), [0] * self.axes.capacity.size
        best = self.falls.surely(question, spent)
        for index, total in enumerate(budget):
            tried = []
            for axis in np.flatnonzero(self.axes.axis_class == index).tolist() if total else ():
                b = spent.copy()
                b[axis] = min(total, capacity[axis])
                tried.append((self.falls.surely(question, b), b))
            best, spent = max([(best, spent), *tried])
        return best


def _outside(b: list[int], budget: list[int], axes: FlipAxes) -> str | None:
    """Why changes are no attack within a budget."""
    if len(b) != axes.capacity.size:
        return "has another number of places than the scheme"
    if min(b) < 0 or (np.array(b) > axes.capacity).any():
        return "changes more than there is"
    spent = np.bincount(axes.axis_class, b, len(AXES))
    return "exceeds the budget" if (spent > budget).any() else None
