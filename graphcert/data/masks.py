"""The splits that a file brings with it: masks of training, validation and test nodes, of one split or of several."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from graphcert.core.arguments import whole
from graphcert.data.raw import RawGraph
from graphcert.errors import DataError, InputError

Mask = NDArray[np.bool_]

MASKS = ("train_mask", "val_mask", "test_mask")


def with_masks(graph: RawGraph, read: Callable[[str], NDArray[Any]], present: set[str]) -> RawGraph:
    """The graph with the masks that its file holds, if it holds any.

    Args:
        graph: what else the file holds.
        read: reads a member by its name.
        present: the names of all members.

    Raises:
        DataError: if one of the three is missing, or they are not booleans (N,) or (N, S).
    """
    missing = [name for name in MASKS if name not in present]
    if len(missing) == len(MASKS):
        return graph
    if missing:
        raise DataError(f"the file lacks {', '.join(missing)}; write all of {', '.join(MASKS)}, or none of them")
    masks = [read(name) for name in MASKS]
    for name, mask in zip(MASKS, masks, strict=True):
        if (
            mask.dtype != np.bool_
            or mask.ndim not in (1, 2)
            or len(mask) != graph.nodes
            or mask.shape != masks[0].shape
        ):
            raise DataError(
                f"{name} must hold booleans of the shape ({graph.nodes},), or ({graph.nodes}, number of splits), like the "
                f"other masks; found {mask.dtype} of the shape {mask.shape}"
            )
    return replace(graph, masks=np.stack(masks))


def given_split(graph: RawGraph, split: SupportsIndex | None) -> tuple[Mask, Mask, Mask] | None:
    """Masks (N,) of the nodes that train, validate and are tested according to the file; None if it does not say.

    Args:
        graph: in standard form.
        split: which one, from 0 to S − 1, where the file brings several; else None.

    Raises:
        InputError: if `split` is needed and missing, or given where there is nothing to choose, or no such split exists.
        DataError: if the masks are no split: a node is in two of them, a node in one has no label, or one is empty.
    """
    masks = graph.masks
    if masks is None or masks.ndim == 2:
        if split is not None:
            what = "no splits of its own" if masks is None else "one split only"
            raise InputError(f"the data set has {what}, so there is none to choose; leave split out")
        chosen = masks
    else:
        several = masks.shape[2]
        if split is None:
            raise InputError(
                f"the masks hold {several} splits; say which one with split= (--split on the command line), from 0 "
                f"to {several - 1}"
            )
        number = whole("split", split)
        if number >= several:
            raise InputError(f"split must be one of 0 to {several - 1}, got {number}")
        chosen = masks[:, :, number]
    if chosen is None:
        return None
    _check(chosen, graph.labels)
    train, validation, test = chosen
    return train, validation, test


def _check(masks: NDArray[np.bool_], labels: NDArray[np.int64]) -> None:
    if (masks.sum(axis=0) > 1).any():
        node = int(np.flatnonzero(masks.sum(axis=0) > 1)[0])
        raise DataError(f"node {node} is in two of {', '.join(MASKS)}; make them disjoint")
    nameless = masks.any(axis=0) & (labels < 0)
    if nameless.any():
        raise DataError(
            f"node {int(np.flatnonzero(nameless)[0])} is in a mask but has no label; take it out of the masks"
        )
    for name, mask in zip(MASKS, masks, strict=True):
        if not mask.any():
            raise DataError(f"{name} holds no node; every one of {', '.join(MASKS)} needs at least one")
