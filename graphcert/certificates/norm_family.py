"""Changes measured by a norm, under Gaussian and uniform noise: half-spaces in real shares (theory, sections 5 and 8)."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.method_hierarchy import Method
from graphcert.certificates.per_node_family import per_node_curve
from graphcert.certificates.proofs import Prover, ProversAt
from graphcert.certificates.query import Family, Query
from graphcert.collective import CollectiveCurve, NormProblem, NormRows, collective_norm, collective_norm_rows
from graphcert.collective.adversary import budget_axes
from graphcert.collective.curve import SHIFT
from graphcert.collective.half_spaces.norm import norm_prices
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Budget, RealLaw, Scheme, Views
from graphcert.noise.law import measured_laws
from graphcert.tradeoff import TradeOff, rows_mass, rows_per_block, trade_off, with_disjoint_support
from graphcert.tradeoff.base import checked_shift, rounded_up
from graphcert.tradeoff.discrete import IDENTITY


@dataclass(frozen=True, eq=False)
class BlockScales:
    """The scale (G, J) of the noise that each of G groups of outputs sees on the features of each of J blocks.

    `select` (G, J) is the probability with which a group sees a row of a block noised, `group` (N,) that of every node,
    `unit` the noise at scale 1. G = J = 1 under isotropic smoothing.
    """

    group: Integers
    scale: Floats
    select: Floats
    unit: RealLaw

    @classmethod
    def of(cls, smoothing: Scheme, nodes: int) -> "BlockScales":
        """The scales of a scheme over so many nodes; refused unless changes are measured by a norm."""
        views = Views.of(smoothing, nodes)
        unit = unit_law(smoothing)
        if unit is None:
            raise UnsupportedError(
                f"shifts are placed on blocks under {measured_laws()} feature noise; count changed bits or rows"
            )
        laws: Any = views.feature_laws
        seen = np.array([(law.row.scale, law.select) for law in laws])[views.feature_law]
        distinct, group = np.unique(seen, axis=0, return_inverse=True)
        return cls(group.ravel()[views.of_node], distinct[:, :, 0], distinct[:, :, 1], unit)

    def problem(self, distances: Floats) -> NormProblem:
        """The collective problem of nodes that withstand `distances` (N,) under noise of scale 1 (theory, sections 5 and 8).

        ℓ2: Σ_j b_j/s_ij² against the squared distance, b_j the squared norm in block j. ℓ1: Σ_j b_j/s_ij against the
        distance, b_j the norm in block j. What is seen depends on the changes in units of their scales alone (`RealLaw`).
        Weights are rounded up, η down.
        """
        return NormProblem(self.group, self._eta(distances), self._weights, squared=self._squared)

    def row_problem(self, distances_at: Callable[[Fraction], Floats], smoothing: Scheme) -> NormRows:
        """The same where rows are selected; `distances_at` gives `distances` for a disjoint-support mass δ (section 6)."""
        block, blocks = Views.of(smoothing, self.group.size).block, self.scale.shape[1]
        # What is selected together, and the blocks in which it lies.
        unit = block if smoothing.tiles is None else smoothing.tiles.of_row
        lies = np.zeros((int(unit.max()) + 1, blocks), np.bool_)
        lies[unit, block] = True
        if smoothing.tiles is None:
            kinds, rows = lies, np.bincount(block, minlength=blocks)
        else:
            kinds, rows = np.unique(lies, axis=0, return_counts=True)
        select = np.where(kinds[None], self.select[:, None, :], 1.0).min(axis=2)

        def eta_at(share: float) -> Floats:
            return self._eta(distances_at(1 - Fraction(share)))

        return NormRows(self.group, self._weights, kinds, rows, select, eta_at, squared=self._squared)

    @property
    def _squared(self) -> bool:
        return self.unit.norm == "ℓ2"

    @property
    def _weights(self) -> Floats:
        """(G, J) what a unit of the norm, or of its square, weighs in a block; rounded up."""
        powers = {scale: Fraction(scale) ** (2 if self._squared else 1) for scale in np.unique(self.scale).tolist()}
        weight = {scale: rounded_up(exact.denominator, exact.numerator) for scale, exact in powers.items()}
        return np.asarray(np.vectorize(weight.__getitem__, otypes=[np.float64])(self.scale))

    def _eta(self, distances: Floats) -> Floats:
        """Distances as what weights add up to; rounded down."""
        return np.nextafter(distances * distances, 0.0) if self._squared else distances

    def trade_offs(self, shift: ArrayLike, rows: ArrayLike | None = None) -> tuple[TradeOff, ...]:
        """What every group sees of one allocation: changes of norm `shift` (J,), one per block; exact trade-offs.

        Under uniform noise the worst change of a block moves one entry. Where rows are selected, `rows` (J,) of each block
        are touched, and with probability δ = 1 − Π_j s_j^(r_j) some of them shows itself.

        Raises:
            InputError: unless there is one finite norm of at least 0 per block, and where rows are selected one whole number
                of touched rows, of at least 1 in every block that moves.
        """
        norms, blocks = np.asarray(shift), self.scale.shape[1]
        if norms.shape != (blocks,):
            raise InputError(f"the shift of an allocation must be {blocks} norms, one per block, got {norms.shape}")
        moved = [checked_shift(norm) for norm in norms.tolist()]
        lower = tuple(self._seen(moved, row) for row in self.scale.tolist())
        if rows is None or not norms.any():  # where nothing moves nothing shows itself
            return lower
        touched = rows_per_block(rows, blocks)
        if ((norms > 0) & (touched == 0)).any():
            raise InputError("a block that moves has touched rows; count at least one in every block with a shift")
        masses = (rows_mass(selects, touched.tolist()) for selects in self.select.tolist())
        return tuple(with_disjoint_support(low, mass) for low, mass in zip(lower, masses, strict=True))

    def _seen(self, moved: Sequence[float], scales: Sequence[float]) -> TradeOff:
        parts = [trade_off(self.unit.at_scale(scale), shift=norm) for norm, scale in zip(moved, scales, strict=True)]
        try:
            return prod(parts, start=IDENTITY)
        except UnsupportedError:  # they do not compose, but the norm in units of the scales bounds them (`RealLaw`)
            shares = [norm / scale for norm, scale in zip(moved, scales, strict=True)]
            total = math.hypot(*shares) if self.unit.norm == "ℓ2" else math.fsum(shares)
            return trade_off(self.unit, shift=math.nextafter(total * (1 + 2.0**-50), math.inf) if total else 0.0)


def unit_law(smoothing: Scheme) -> RealLaw | None:
    """The noise of real features at scale 1; None where changes are not measured, or not spread over rows."""
    law: Any = smoothing.feature_law
    return law.at_scale(1.0) if law is not None and law.element == "reals" else None


_REFUSAL = (
    "against a shift there are method='naive', and 'lp' and 'milp' for votes under Gaussian or uniform noise, with a limit "
    "of nodes where rows are selected; all without layers and orders"
)

_BRIEF_BINS, _BRIEF_SECONDS = 64, 0.25


def _methods(query: Query) -> tuple[str, ...]:
    limited = not query.smoothing.selects_rows or all(budget.nodes is not None for budget in query.budgets)
    return ("naive", "lp", "milp") if limited and query.claims._distances() is not None else ("naive",)


def _curve(query: Query, method: Method) -> CollectiveCurve:
    if query.layers is not None or query.orders is not None:
        raise UnsupportedError(_REFUSAL)
    if query.counts.any():
        raise UnsupportedError(
            "changes of bits or edges besides a shift are certified by robust(…) only; leave them out"
        )
    shifts = list(query.shift or ())
    if not shifts:
        raise InputError("a sweep of shifts needs at least one norm")
    distances = query.claims._distances()
    if distances is None or (query.smoothing.selects_rows and method.program == "naive"):
        return _per_node(query, shifts)
    if query.smoothing.selects_rows:
        return _in_rows(query, method, shifts)
    if any(budget.nodes is not None for budget in query.budgets):
        raise UnsupportedError("a limit of nodes makes a difference under hierarchical noise only; leave nodes out")
    problem = BlockScales.of(query.smoothing, query.claims.nodes).problem(distances)
    return collective_norm(
        problem, shifts, method=method.program, targets=query.targets, correct=query.correct,
        robust_per_node=np.array([query.claims._kept(Budget(), shift) for shift in shifts]), bins=query.bins,
        time_limit=query.time_limit, solver=query.solver,
    )  # fmt: skip


def _per_node(query: Query, shifts: list[float]) -> CollectiveCurve:
    """Every node by itself, over shifts and limits of nodes, the last one running fastest."""
    sweep = list(product(shifts, query.budgets))
    robust = np.array([query.claims._kept(budget, shift) for shift, budget in sweep])
    axes, rows = budget_axes([budget for _, budget in sweep])
    limits = rows[:, len(AXES) :]  # of nodes, if there are any
    norms = np.array([[shift] for shift, _ in sweep])
    return per_node_curve((SHIFT, *axes[len(AXES) :]), np.hstack([norms, limits]), robust, query)


def _in_rows(query: Query, method: Method, shifts: list[float]) -> CollectiveCurve:
    """Shifts in a limited number of selected rows, in the order of `_per_node`."""
    claims, sweep = query.claims, list(product(shifts, query.budgets))

    def distances_at(delta: Fraction) -> Floats:
        distances = claims._distances(delta)
        assert distances is not None  # else there is no such method
        return distances

    problem = BlockScales.of(query.smoothing, claims.nodes).row_problem(distances_at, query.smoothing)
    budgets = np.array([(shift, budget.nodes or 0) for shift, budget in sweep], np.float64)
    return collective_norm_rows(
        problem, budgets, method=method.program, targets=query.targets, correct=query.correct,
        robust_per_node=np.array([claims._kept(budget, shift) for shift, budget in sweep]),
        bins=query.bins, time_limit=query.time_limit, solver=query.solver,
    )  # fmt: skip


def _brief(query: Query) -> Query:
    """Few steps and little time per budget: a sweep of thirty takes some ten seconds (docs/collective.md)."""
    bins = _BRIEF_BINS if query.bins is None else min(query.bins, _BRIEF_BINS)
    return replace(query.brief(_BRIEF_SECONDS), bins=bins)


def _provers(query: Query) -> ProversAt:
    """Prices of half-spaces in real shares, where those are known."""
    distances, shifts = query.claims._distances(), query.shift or ()
    if distances is None or query.smoothing.selects_rows:
        return lambda row, counted: iter(())
    problem = BlockScales.of(query.smoothing, query.claims.nodes).problem(distances)

    def provers(row: int, counted: Mask) -> Iterator[Prover]:
        yield partial(norm_prices, problem, shifts[row], counted)

    return provers


NORM = Family(_methods, _curve, _REFUSAL, _brief, _provers)
