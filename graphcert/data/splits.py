"""Which nodes train, which validate, which are certified: drawn, or as a file says."""

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, SupportsFloat, SupportsIndex

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch_geometric.data import Data

from graphcert.core.arguments import real, whole
from graphcert.core.arrays import Mask
from graphcert.data.feature_tensors import selected_rows
from graphcert.data.raw import RawGraph
from graphcert.errors import DataError, InputError

_STREAM = 1  # separates the split's random numbers from those of a generator with the same seed

DRAWN_BY_DEFAULT = (20, 20, 1.0)
"""Training and validation nodes of every class and the share of the others that are tested, unless said otherwise."""


def split_nodes(
    y: ArrayLike, per_class_train: SupportsIndex = 20, per_class_validation: SupportsIndex = 20,
    seed: SupportsIndex = 0, test_share: SupportsFloat = 1.0,
) -> tuple[Mask, Mask, Mask]:  # fmt: skip
    """Draw the same number of training and of validation nodes from every class; all others are test nodes.

    With a smaller `test_share` only that share of the others is drawn for testing and the rest is in no set: nodes that an
    inductive model sees in training without their labels.

    Args:
        y: integer labels (N,) in 0..K−1; nodes with a negative label are unlabelled and stay out of all three sets.
        per_class_train: training nodes per class, ≥ 1.
        per_class_validation: validation nodes per class, ≥ 0.
        seed: whole number ≥ 0; the same seed gives the same split.
        test_share: number in [0, 1], the share of the other labelled nodes (rounded up) that are test nodes.

    Returns:
        Three disjoint boolean masks (N,): train, validation, test.

    Raises:
        InputError: if an argument is outside its domain.
        DataError: if a class is too small or no node is left for testing.
    """
    labels = np.asarray(y)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(f"labels must be whole numbers of shape (N,), got {labels.dtype} of shape {labels.shape}")
    train_count = whole("per_class_train", per_class_train, at_least=1)
    validation_count = whole("per_class_validation", per_class_validation)
    generator = np.random.default_rng([whole("seed", seed), _STREAM])
    train, validation = np.zeros((2, len(labels)), bool)
    for label in range(int(labels.max(initial=-1)) + 1):
        members = generator.permutation(np.flatnonzero(labels == label))
        if len(members) == 0:
            raise DataError(
                f"class {label} has no nodes; number the classes without gaps from 0, or keep all components"
            )
        if len(members) < train_count + validation_count:
            raise DataError(
                f"class {label} has {len(members)} nodes but the split needs {train_count} for training and "
                f"{validation_count} for validation; lower per_class_train or per_class_validation"
            )
        train[members[:train_count]] = True
        validation[members[train_count : train_count + validation_count]] = True
    test = (labels >= 0) & ~train & ~validation
    share = real("test_share", test_share, 0, 1)
    if share < 1:
        others = generator.permutation(np.flatnonzero(test))
        test[others[math.ceil(share * len(others)) :]] = False
    if not test.any():
        raise DataError(
            "the split leaves no node for testing; lower per_class_train or per_class_validation, or raise test_share"
        )
    return train, validation, test


def split_shares(labels: NDArray[np.int64], train: float, validation: float, seed: SupportsIndex) -> NDArray[np.bool_]:
    """Masks (3, N) of shares of every class, rounded to whole nodes: training, validation and, all others, test nodes.

    The splits of small heterophilous graphs in the literature are of this kind, with 48 % and 32 % (Pei et al. 2020).
    """
    generator, masks = np.random.default_rng([whole("seed", seed), _STREAM]), np.zeros((3, len(labels)), bool)
    for label in range(int(labels.max(initial=-1)) + 1):
        members = generator.permutation(np.flatnonzero(labels == label))
        ends = [round(share * len(members)) for share in (train, train + validation)]
        for mask, part in zip(masks, np.split(members, ends), strict=True):
            mask[part] = True
    return masks


def without_test_nodes(data: Data) -> Data:
    """The graph that an inductive model is trained on: all nodes but the test nodes, in their order, and their edges."""
    keep = ~data.test_mask
    if data.x.layout is torch.strided:
        return data.subgraph(keep)
    others = copy.copy(data)  # torch_geometric does not select rows of sparse tensors
    others.num_nodes = data.x.shape[0]
    del others.x
    part = others.subgraph(keep)
    part.x = selected_rows(data.x, keep)
    return part


MASKS = ("train_mask", "val_mask", "test_mask")


def with_masks(graph: RawGraph, read: Callable[[str], NDArray[Any]], present: set[str]) -> RawGraph:
    """The graph with the masks (N,) or (N, S) that its file holds, if any; `read` reads a member of `present` by name."""
    missing = [name for name in MASKS if name not in present]
    if len(missing) == len(MASKS):
        return graph
    if missing:
        raise DataError(f"the file lacks {', '.join(missing)}; write all of {', '.join(MASKS)}, or none of them")
    masks = [read(name) for name in MASKS]
    for name, mask in zip(MASKS, masks, strict=True):
        fits = mask.ndim in (1, 2) and len(mask) == graph.nodes and mask.shape == masks[0].shape
        if mask.dtype != np.bool_ or not fits:
            raise DataError(
                f"{name} must hold booleans of the shape ({graph.nodes},), or ({graph.nodes}, number of splits), like the "
                f"other masks; found {mask.dtype} of the shape {mask.shape}"
            )
    return replace(graph, masks=np.stack(masks))


def given_split(graph: RawGraph, split: SupportsIndex | None) -> tuple[Mask, Mask, Mask] | None:
    """Masks (N,) of the nodes that train, validate and are tested according to the file; None if it does not say.

    Raises:
        InputError: if `split` is needed and missing, or given where there is nothing to choose, or no such split exists.
        DataError: if the masks are no split: a node is in two of them, a node in one has no label, or one is empty.
    """
    masks = graph.masks
    if masks is None or masks.ndim == 2:
        if split is not None:
            what = "no splits of its own" if masks is None else "one split only"
            raise InputError(f"the data set has {what}, so there is none to choose; leave split out")
        if masks is None:
            return None
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
        masks = masks[:, :, number]
    _check(masks, graph.labels)
    train, validation, test = masks
    return train, validation, test


def _check(masks: NDArray[np.bool_], labels: NDArray[np.int64]) -> None:
    shared = np.flatnonzero(masks.sum(axis=0) > 1)
    if shared.size:
        raise DataError(f"node {int(shared[0])} is in two of {', '.join(MASKS)}; make them disjoint")
    nameless = np.flatnonzero(masks.any(axis=0) & (labels < 0))
    if nameless.size:
        raise DataError(f"node {int(nameless[0])} is in a mask but has no label; take it out of the masks")
    for name, mask in zip(MASKS, masks, strict=True):
        if not mask.any():
            raise DataError(f"{name} holds no node; every one of {', '.join(MASKS)} needs at least one")
