"""Masks over outputs, as they are given and checked."""

import numpy as np
import numpy.typing as npt

from graphcert.collective.linear import Amounts, BoolArray
from graphcert.errors import InputError


def mask_of(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> BoolArray:
    """`values` as a boolean array of this shape, or one sentence naming the argument."""
    mask = np.asarray(values)
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise InputError(f"{name} must be a boolean mask of shape {shape}, got {mask.dtype} of shape {mask.shape}")
    return mask


def proved_alone(robust_alone: npt.ArrayLike | None, budgets: Amounts, outputs: int) -> BoolArray | None:
    """(B, n) what is proved robust on its own at each of the budgets (B, A), or at a larger one; (n,) will do for one."""
    if robust_alone is None:
        return None
    mask = np.asarray(robust_alone)
    if len(budgets) == 1 and mask.ndim == 1:
        mask = mask[None, :]
    mask = mask_of("robust_alone", mask, (len(budgets), outputs))
    proved = mask.copy()
    for index, budget in enumerate(budgets):
        for larger in np.flatnonzero((budgets >= budget).all(axis=1)):
            proved[index] |= mask[larger]
    return proved
