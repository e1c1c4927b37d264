"""Which budgets a run is evaluated at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid, Certificate
from graphcert.config import CertificateConfig, CollectiveConfig, budget_values
from graphcert.errors import UnsupportedError

LONGEST_AXIS = 512
LONGEST_SWEEP = 64
HEAT_MAP_CELLS = 24

_CHANNELS = (("features", "add", "delete"), ("edges", "edge_add", "edge_delete"))


def budget_grids(
    certificate: Certificate, truth: NDArray[np.int64] | None, settings: CertificateConfig
) -> tuple[BudgetGrid, ...]:
    """One curve per operation of each smoothed channel and one heat map add × delete per channel.

    An axis whose end is not set runs to the first budget at which nothing is certified (at most `LONGEST_AXIS`). A heat map
    takes every k-th budget of long axes, so that it has at most `HEAT_MAP_CELLS` cells a side.
    """
    grids: list[BudgetGrid] = []
    for channel, add, delete in _CHANNELS:
        if not certificate.smoothing.perturbs(channel):
            continue
        ends = {}
        for axis in (add, delete):
            chosen = getattr(settings, f"max_{axis}")
            ends[axis] = _last_certified(certificate, axis) + 1 if chosen is None else chosen
            grids.append(certificate.grid(**{axis: range(ends[axis] + 1)}, truth=truth))
        cells = {axis: range(0, end + 1, -(-(end + 1) // HEAT_MAP_CELLS)) for axis, end in ends.items()}
        grids.append(certificate.grid(**cells, truth=truth))
    return tuple(grids)


def _last_certified(certificate: Certificate, axis: str) -> int:
    """The largest budget on one axis at which some node is robust (certificates are monotone: bisection)."""

    def any_robust(budget: int) -> bool:
        try:
            return bool(certificate.robust(**{axis: budget}).any())
        except UnsupportedError:
            return False

    low, high = 0, 1
    while high < LONGEST_AXIS and any_robust(high):
        low, high = high, 2 * high
    if high >= LONGEST_AXIS and any_robust(LONGEST_AXIS):
        return LONGEST_AXIS - 1
    high = min(high, LONGEST_AXIS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if any_robust(middle) else (low, middle)
    return low


def collective_sweeps(certificate: Certificate, data: Any, settings: CollectiveConfig) -> tuple[dict[str, Any], ...]:
    """The budgets of each sweep, per axis that is not 0.

    Sweeps that are not given run along each operation of a localized channel, up to the first budget at which the linear
    program certifies nothing (at most `LONGEST_SWEEP`). Isotropic noise has none: nothing is gained there.
    """
    if settings.method == "none":
        return ()
    given: tuple[dict[str, Any], ...] = tuple(
        {axis: budget_values(axis, text) for axis, text in sweep.items()} for sweep in settings.sweeps
    )
    possible = certificate.smoothing.localized and certificate.simultaneous and certificate.method == "binary"
    if given or not possible:
        return given
    found: list[dict[str, Any]] = []
    for channel, *axes in _CHANNELS:
        for axis in axes if certificate.smoothing.perturbs(channel) else ():
            if settings.receptive_field and axis == "edge_add":  # it creates new reach
                continue
            budgets: dict[str, Any] = {axis: range(LONGEST_SWEEP + 1)}
            curve = certificate.collective(**budgets, method="lp", data=data)
            hopeless = np.flatnonzero(curve.certified == 0)
            found.append({axis: tuple(range(1 + (int(hopeless[0]) if hopeless.size else LONGEST_SWEEP)))})
    return tuple(found)
