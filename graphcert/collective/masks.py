"""Masks over outputs, as they are given and checked."""

import numpy as np
import numpy.typing as npt

from graphcert.collective.linear import BoolArray
from graphcert.errors import InputError


def mask_of(name: str, values: npt.ArrayLike, shape: tuple[int, ...]) -> BoolArray:
    """`values` as a boolean array of this shape, or one sentence naming the argument."""
    mask = np.asarray(values)
    if mask.dtype != np.bool_ or mask.shape != shape:
        raise InputError(f"{name} must be a boolean mask of shape {shape}, got {mask.dtype} of shape {mask.shape}")
    return mask


def proved_alone(robust_alone: npt.ArrayLike | None, budgets: int, outputs: int) -> BoolArray | None:
    """(B, n) what is proved robust on its own at each budget; (n,) will do for one budget."""
    if robust_alone is None:
        return None
    mask = np.asarray(robust_alone)
    if budgets == 1 and mask.ndim == 1:
        mask = mask[None, :]
    return mask_of("robust_alone", mask, (budgets, outputs))
