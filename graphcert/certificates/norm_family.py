"""Changes measured by a norm, under Gaussian and uniform noise: half-spaces in real shares (theory, sections 5 and 8)."""

import math
from collections.abc import Iterator, Sequence
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
from graphcert.collective import CollectiveCurve, NormProblem, collective_norm
from graphcert.collective.adversary import budget_axes
from graphcert.collective.curve import SHIFT
from graphcert.collective.half_spaces.norm import norm_prices
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Budget, RealLaw, Scheme, Views
from graphcert.noise.law import measured_laws
from graphcert.tradeoff import TradeOff, trade_off
from graphcert.tradeoff.base import checked_shift, rounded_up
from graphcert.tradeoff.discrete import IDENTITY


@dataclass(frozen=True, eq=False)
class BlockScales:
    """The scale (G, J) of the noise that each of G groups of outputs sees on the features of each of J blocks.

    `group` (N,) is that of every node, `unit` the noise at scale 1. G = J = 1 under isotropic smoothing.
    """

    group: Integers
    scale: Floats
    unit: RealLaw

    @classmethod
    def of(cls, smoothing: Scheme, nodes: int) -> "BlockScales":
        """The scales of a scheme over so many nodes; refused unless changes are measured by a norm and no rows selected."""
        views = Views.of(smoothing, nodes)
        unit = unit_law(smoothing)
        if unit is None:
            raise UnsupportedError(
                f"shifts are placed on blocks under {measured_laws()} feature noise without selection of rows; ask "
                f"robust(shift=…) about every node alone"
            )
        laws: Any = views.feature_laws
        scales = np.array([law.scale for law in laws])
        distinct, group = np.unique(scales[views.feature_law], axis=0, return_inverse=True)
        return cls(group.ravel()[views.of_node], distinct, unit)

    def problem(self, distances: Floats) -> NormProblem:
        """The collective problem of nodes that withstand `distances` (N,) under noise of scale 1 (theory, sections 5 and 8).

        ℓ2: Σ_j b_j/s_ij² against the squared distance, b_j the squared norm in block j. ℓ1: Σ_j b_j/s_ij against the
        distance, b_j the norm in block j. What is seen depends on the changes in units of their scales alone (`RealLaw`).
        Weights are rounded up, η down.
        """
        squared = self.unit.norm == "ℓ2"
        powers = {scale: Fraction(scale) ** (2 if squared else 1) for scale in np.unique(self.scale).tolist()}
        weight = {scale: rounded_up(exact.denominator, exact.numerator) for scale, exact in powers.items()}
        eta = np.nextafter(distances * distances, 0.0) if squared else distances
        weights = np.vectorize(weight.__getitem__, otypes=[np.float64])(self.scale)
        return NormProblem(self.group, eta, weights, squared=squared)

    def trade_offs(self, shift: ArrayLike) -> tuple[TradeOff, ...]:
        """What every group sees of one allocation: changes of norm `shift` (J,), one per block; exact trade-offs.

        Under uniform noise the worst change of a block moves one entry.

        Raises:
            InputError: unless there is one finite norm of at least 0 per block.
        """
        norms, blocks = np.asarray(shift), self.scale.shape[1]
        if norms.shape != (blocks,):
            raise InputError(f"the shift of an allocation must be {blocks} norms, one per block, got {norms.shape}")
        moved = [checked_shift(norm) for norm in norms.tolist()]
        return tuple(self._seen(moved, row) for row in self.scale.tolist())

    def _seen(self, moved: Sequence[float], scales: Sequence[float]) -> TradeOff:
        parts = [trade_off(self.unit.at_scale(scale), shift=norm) for norm, scale in zip(moved, scales, strict=True)]
        try:
            return prod(parts, start=IDENTITY)
        except UnsupportedError:  # they do not compose, but the norm in units of the scales bounds them (`RealLaw`)
            shares = [norm / scale for norm, scale in zip(moved, scales, strict=True)]
            total = math.hypot(*shares) if self.unit.norm == "ℓ2" else math.fsum(shares)
            return trade_off(self.unit, shift=math.nextafter(total * (1 + 2.0**-50), math.inf) if total else 0.0)


def unit_law(smoothing: Scheme) -> RealLaw | None:
    """The feature noise at scale 1, if changes are measured by a norm and no rows are selected."""
    law: Any = smoothing.feature_law
    return law.at_scale(1.0) if smoothing.norm and not smoothing.selects_rows else None


_REFUSAL = (
    "against a shift there are method='naive', and 'lp' and 'milp' for votes under Gaussian or uniform noise without "
    "selection of rows; all without layers and orders"
)

_BRIEF_BINS, _BRIEF_SECONDS = 64, 0.25


def _methods(query: Query) -> tuple[str, ...]:
    return ("naive",) if query.claims._distances() is None else ("naive", "lp", "milp")


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
    if distances is None:
        return _per_node(query, shifts)
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


def _brief(query: Query) -> Query:
    """Few steps and little time per budget: a sweep of thirty takes some ten seconds (docs/collective.md)."""
    bins = _BRIEF_BINS if query.bins is None else min(query.bins, _BRIEF_BINS)
    return replace(query.brief(_BRIEF_SECONDS), bins=bins)


def _provers(query: Query) -> ProversAt:
    """Prices of half-spaces in real shares, where those are known."""
    distances, shifts = query.claims._distances(), query.shift or ()
    if distances is None:
        return lambda row, counted: iter(())
    problem = BlockScales.of(query.smoothing, query.claims.nodes).problem(distances)

    def provers(row: int, counted: Mask) -> Iterator[Prover]:
        yield partial(norm_prices, problem, shifts[row], counted)

    return provers


NORM = Family(_methods, _curve, _REFUSAL, _brief, _provers)
