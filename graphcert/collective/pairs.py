"""Outputs under the multi-class rule, grouped so that one number says who falls first (theory, section 9, multi-class).

An output of bounds p ≤ P(label) and q ≥ P(every other class) falls under an allocation b only if lower_b(p) ≤ upper_b(q).
What is not the label is at most 1 − p, so q counts as min(q, 1 − p), and q = 1 is the binary rule. In a *cell*, outputs of
one group share one q: there the rule is antitone in p alone, as under the binary rule, and all of its programs apply.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphcert.core.arrays import Floats, Integers

CELLS = 16
"""The most values of q besides 1 that are told apart."""

_SMALLEST = 2.0**-40
"""Smaller bounds are raised to it."""


@dataclass(frozen=True, eq=False)
class PairCells:
    """J cells of n outputs.

    Attributes:
        of_output: (n,) the cell of each output.
        group: (J,) the group of each cell, ascending.
        other: (J,) the bound q of each cell; ascending within a group, 1 where the binary rule decides.
        rounding: the most by which a bound q was raised to that of its cell.
    """

    of_output: Integers
    group: Integers
    other: Floats
    rounding: float


def pair_cells(groups: Integers, p_lower: Floats, p_other: Floats | None, most: int | None = CELLS) -> PairCells:
    """Round the bounds of the other classes up to a few values, the same ones in all groups.

    Args:
        groups: (n,) the group of each output.
        p_lower: (n,) lower bounds of the labels' probabilities.
        p_other: (n,) upper bounds of the probabilities of every other class; None for the binary rule.
        most: how many values below 1 are kept; None keeps all of them.

    Sound side: bounds are never lowered.
    """
    other = (
        np.ones(p_lower.size)
        if p_other is None
        else np.where(p_other < 1.0 - p_lower, np.maximum(p_other, _SMALLEST), 1.0)
    )
    known = np.sort(other[other < 1.0])
    if known.size:
        ends = np.append(np.unique(known if most is None else known[_last_of_bins(known, most)]), 1.0)
        rounded = ends[np.searchsorted(ends, other)]
        # Where 1 − p is less than the rounded bound, the binary rule says more.
        rounded = np.where(rounded < 1.0 - p_lower, rounded, 1.0)
    else:
        rounded = other
    # Whole numbers are sorted much faster than pairs, and there may be a million outputs.
    values = np.unique(rounded)
    keys, of_output = np.unique(groups * values.size + np.searchsorted(values, rounded), return_inverse=True)
    raised = np.minimum(rounded, 1.0 - p_lower) - np.minimum(other, 1.0 - p_lower)
    return PairCells(
        of_output.astype(np.int64), keys // values.size, values[keys % values.size], float(raised.max(initial=0.0))
    )


def _last_of_bins(known: npt.NDArray[np.float64], most: int) -> Integers:
    """Where each of at most `most` bins of ascending numbers ends; even in rank and in ln q, half and half."""
    depth = np.log(np.maximum(known, 2.0**-53))
    height = (depth - depth[0]) / max(depth[-1] - depth[0], 1e-12)
    share = (height + np.arange(known.size) / known.size) / 2
    cell = np.floor((most - 1) * share)
    return np.flatnonzero(np.append(cell[1:] != cell[:-1], True))
