"""Which budgets a run is evaluated at."""

import warnings
from bisect import bisect_left
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid, Certificate
from graphcert.certificates.budget_grid import as_budget, budget_sweep, evaluate_grid, refuse_vacuous
from graphcert.certificates.samples_needed import out_of_reach
from graphcert.core.arrays import Mask
from graphcert.errors import InputError, OutOfReachWarning, UnsupportedError
from graphcert.noise import Budget
from graphcert.run.settings.stages import CertificateConfig, CollectiveConfig, norm_values, sweep_values

LONGEST_AXIS, LONGEST_SWEEP, HEAT_MAP_CELLS, NORMS = 512, 64, 24, 21
_GLANCE = 1.0
"""Seconds per budget of the search for the end of a sweep."""
_STRIDE, _FARTHEST = 1.25, 8.0
"""Of norms: a sweep grows by such steps, up to so many times what any node alone survives."""

_CHANNELS = (("features", "add", "delete"), ("edges", "edge_add", "edge_delete"))
_Truth = NDArray[np.int64] | None


def budget_grids(certificate: Certificate, truth: _Truth, settings: CertificateConfig) -> tuple[BudgetGrid, ...]:
    """One curve per operation of each smoothed channel and one heat map add × delete per channel.

    An axis whose end is not set runs to the first budget at which nothing is certified (at most `LONGEST_AXIS`); heat maps
    take every k-th budget of long axes. Limits of touched nodes get grids of their own. Under ablation the number of touched
    nodes is the axis; Gaussian and uniform noise have no axis of whole numbers, see `Certificate.radius`.
    """
    grids: list[BudgetGrid] = []
    noise = certificate.smoothing
    law = noise.feature_law if noise.perturbs("features") else None
    if law is None and settings.node_limits:
        words = "but this run's noise leaves features clean; leave it out"
        raise InputError(f"nodes limits in how many nodes features change, {words}")
    if law is not None and law.element == "rows":
        # Limits that are asked for come after the graph as it is.
        asked = settings.node_limits or range(1, last_certified(certificate, "nodes") + 2)
        grids.append(quiet_grid(certificate, truth, nodes=(0, *asked)))
    elif law is not None and law.element == "bits":
        for limit in settings.node_limits or (None,):
            grids += _channel_grids(certificate, truth, settings, "add", "delete", limit)
    if noise.perturbs("edges"):
        grids += _channel_grids(certificate, truth, settings, "edge_add", "edge_delete", None)
    return tuple(grids)


def _channel_grids(
    certificate: Certificate, truth: _Truth, settings: CertificateConfig, add: str, delete: str, limit: int | None
) -> list[BudgetGrid]:
    """Two curves and a heat map of one channel, with at most `limit` touched nodes."""
    ends = {}
    for axis in (add, delete):
        chosen = getattr(settings, f"max_{axis}")
        ends[axis] = last_certified(certificate, axis, limit) + 1 if chosen is None else chosen
    curves: list[Any] = [{axis: range(end + 1)} for axis, end in ends.items()]
    cells: Any = {axis: range(0, end + 1, -(-(end + 1) // HEAT_MAP_CELLS)) for axis, end in ends.items()}
    refuse_vacuous(certificate.smoothing, budget_sweep(**cells, nodes=limit))
    return [quiet_grid(certificate, truth, **budgets, nodes=limit) for budgets in (*curves, cells)]


def quiet_grid(certificate: Certificate, truth: _Truth, **axes: Any) -> BudgetGrid:
    """As `Certificate.grid`, without a word: whoever shows grids says what is out of reach, see `too_few_samples`.

    Beyond exact arithmetic nobody is robust.
    """
    correct = None if truth is None else certificate.correct(truth)
    named = {"add": 0, "delete": 0, "edge_add": 0, "edge_delete": 0, "nodes": None} | axes

    def robust(budget: Budget) -> Mask:
        try:
            return certificate._kept(budget)
        except UnsupportedError:
            return np.zeros(certificate.nodes, np.bool_)

    return evaluate_grid(robust, certificate.claims, tuple(named.values()), correct)


def too_few_samples(certificate: Certificate, grids: tuple[BudgetGrid, ...]) -> tuple[str, ...]:
    """One sentence for every kind of change against which even unanimous votes of so many samples prove nothing."""
    found = []
    for grid in grids:
        cells = (replace(grid.fixed, **dict(zip(grid.axes, cell, strict=True))) for cell in product(*grid.values))
        found.append(out_of_reach(certificate, cells))
    return tuple(dict.fromkeys(sentence for sentence in found if sentence))


def last_certified(certificate: Certificate, axis: str, limit: int | None = None) -> int:
    """The largest budget on one axis at which some node is robust (certificates are monotone: bisection)."""

    def any_robust(budget: int) -> bool:
        try:
            return bool(certificate._kept(as_budget(**{"nodes": limit, axis: budget})).any())
        except UnsupportedError:
            return False

    low, high = 0, 1
    while high < LONGEST_AXIS and any_robust(high):
        low, high = high, 2 * high
    if high >= LONGEST_AXIS and any_robust(LONGEST_AXIS):
        return LONGEST_AXIS - 1
    return bisect_left(range(min(high, LONGEST_AXIS)), True, low + 1, key=lambda budget: not any_robust(budget)) - 1


def collective_sweeps(certificate: Certificate, data: Any, settings: CollectiveConfig) -> tuple[dict[str, Any], ...]:
    """The budgets of each sweep, per axis that is not 0.

    Sweeps that are not given run along each operation of a localized channel, up to the first budget at which nothing is
    certified by a linear program or, if it is asked for, a short search (at most `LONGEST_SWEEP`). Isotropic noise has
    none: nothing is gained there. Continuous noise is swept over norms, hierarchical noise only where it is asked for.
    """
    if settings.method == "none":
        return ()
    given: tuple[dict[str, Any], ...] = tuple(
        {axis: sweep_values(axis, text) for axis, text in sweep.items()} for sweep in settings.sweeps
    )
    noise = certificate.smoothing
    if given or not (noise.localized and certificate.simultaneous):
        return given
    if noise.norm and not noise.selects_rows:
        return ({"shift": _norms(certificate)},)
    if not noise.flips_only:
        return ()
    way = "tight" if settings.method in ("tight", "all") and not settings.receptive_field else "lp"
    found: list[dict[str, Any]] = []
    for channel, *axes in _CHANNELS:
        for axis in axes if noise.perturbs(channel) else ():
            if settings.receptive_field and axis == "edge_add":  # it creates new reach
                continue
            budgets: dict[str, Any] = {axis: range(LONGEST_SWEEP + 1)}
            with warnings.catch_warnings():  # who asks for budgets is told, not who looks for them
                warnings.simplefilter("ignore", OutOfReachWarning)
                (curve,) = certificate.compare_methods(**budgets, methods=[way], data=data, time_limit=_GLANCE).values()
            hopeless = np.flatnonzero(curve.certified == 0)
            found.append({axis: tuple(range(1 + (int(hopeless[0]) if hopeless.size else LONGEST_SWEEP)))})
    return tuple(found)


def _norms(certificate: Certificate) -> tuple[float, ...]:
    """`NORMS` norms from 0 to where nothing is certified together, or far beyond any node alone; by round steps."""

    def hopeless(norm: float) -> bool:
        return not certificate.collective(shift=norm, method="milp", time_limit=_GLANCE).certified.any()

    radii = certificate.radius()
    farthest = float(radii[np.isfinite(radii)].max(initial=0.0)) or 1.0
    end = farthest
    while end < _FARTHEST * farthest and not hopeless(end):
        end *= _STRIDE
    step = Fraction(f"{end / (NORMS - 1):.2g}")
    return norm_values("shift", f"0:{(NORMS - 1) * step}:{step}")
