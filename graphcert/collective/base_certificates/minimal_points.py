"""Staircases: a node's base certificate as the few minimal perturbations it does not survive."""

import numpy as np

from graphcert.collective.solvers.program import BoolArray, IntArray
from graphcert.errors import InputError


def check_grid(grid: object, axes: int) -> BoolArray:
    """The base certificates as a boolean array (N, S_1, …, S_A), or one sentence on what is wrong with them."""
    array = np.asarray(grid)
    if array.dtype != np.bool_:
        raise InputError(f"the base grid must be boolean (True = certified), got {array.dtype}")
    if array.ndim != axes + 1 or 0 in array.shape:
        raise InputError(
            f"the base grid must have one dimension of nodes and one per axis ({axes} named), got shape {array.shape}"
        )
    for axis in range(1, axes + 1):
        smaller, larger = _shifted(array, axis)
        wrong = larger & ~smaller
        if wrong.any():
            raise InputError(
                f"the base grid is not monotone: node {int(np.argwhere(wrong)[0, 0])} is certified at a larger budget "
                f"but not at a smaller one along axis {axis - 1}"
            )
    return array


def minimal_broken_points(grid: BoolArray) -> tuple[IntArray, IntArray]:
    """The minimal budgets at which each node is not certified (Schuchardt et al. 2021; theory, section 8).

    What lies outside the computed grid is not certified, so the first point beyond it on every axis is broken. Node n
    can be attacked by a perturbation b only if b ≥ v on all axes for one of its points v.

    Args:
        grid: (N, S_1, …, S_A) monotone base certificates, True = certified.

    Returns:
        nodes (V,), ascending, and points (V, A). A node that is not certified at 0 has the one point 0.
    """
    beyond = [(0, 0)] + [(0, 1)] * (grid.ndim - 1)
    certified = np.pad(grid, beyond, constant_values=False)
    minimal = ~certified
    for axis in range(1, grid.ndim):
        smaller, _ = _shifted(certified, axis)
        later = (slice(None),) * axis + (slice(1, None),)
        minimal[later] &= smaller
    found = np.argwhere(minimal)
    return found[:, 0], found[:, 1:]


def _shifted(array: BoolArray, axis: int) -> tuple[BoolArray, BoolArray]:
    """Views of all cells but the last and all cells but the first along `axis`: a cell and its successor."""
    before = (slice(None),) * axis
    return array[(*before, slice(None, -1))], array[(*before, slice(1, None))]
