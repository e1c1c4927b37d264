"""What `certify`, `certify_scores` and `predict` ask of their arguments."""

import warnings
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphcert.errors import InputError, RepeatedClaimsWarning
from graphcert.votes import Votes


def check_votes(votes: Any, function: str) -> None:
    """Raise `InputError` unless it is `Votes`, with the two lines that lead from a model to a certificate."""
    if not isinstance(votes, Votes):
        raise InputError(
            f"{function} takes Votes, got {type(votes).__name__}; take them first, votes = gc.sample_votes(model, data, "
            f"smoothing, samples), and then gc.{function}(votes)"
        )


def note_claims(votes: Votes, alpha: float, *claims: Any) -> None:
    """Remember which claims were made from these votes, and warn when others are: their error rates add up (section 10).

    Args:
        votes: the votes; what is remembered belongs to this object, so that equal votes, or votes loaded again, know nothing
            of it.
        alpha: error rate of the new claims.
        claims: what makes them other claims: the function and its arguments. The same claims again cost nothing.
    """
    key = (alpha, *(sha256(part.tobytes()).hexdigest() if isinstance(part, np.ndarray) else part for part in claims))
    made = votes._claims_made
    if made and key not in made:
        total = min(sum(each[0] for each in made) + alpha, 1.0)
        warnings.warn(
            f"other claims were made from the same votes, and the error rates of several certificates add up, here to "
            f"alpha = {total:g} for all of them together; decide on one before looking at any, or divide alpha among them",
            RepeatedClaimsWarning,
            stacklevel=3,
        )
    made.add(key)


def target_mask(targets: ArrayLike | None, nodes: int) -> NDArray[np.bool_]:
    """Targets as a mask (N,) with at least one node.

    Args:
        targets: a mask of booleans (N,), or node numbers, each once; None for all nodes.
        nodes: N.

    Raises:
        InputError: for anything else, such as a mask of zeros and ones.
    """
    if targets is None:
        return np.ones(nodes, dtype=bool)
    try:
        chosen = np.asarray(targets)
    except (TypeError, ValueError):
        chosen = np.empty((0, 0))
    if chosen.dtype == np.bool_:
        if chosen.ndim == 2 and len(chosen) == nodes:
            raise InputError(f"targets hold {chosen.shape[1]} splits, one per column; choose one, such as mask[:, 0]")
        if chosen.shape != (nodes,):
            raise InputError(f"a mask of targets needs the shape ({nodes},), got {chosen.shape}")
        mask = chosen.copy()
    else:
        mask = np.zeros(nodes, dtype=bool)
        mask[_node_numbers(chosen, nodes)] = True
    if not mask.any():
        raise InputError("there are no target nodes to certify; name at least one")
    return mask


def _node_numbers(chosen: NDArray[Any], nodes: int) -> NDArray[np.int64]:
    if chosen.ndim != 1 or (chosen.size and not np.issubdtype(chosen.dtype, np.integer)):
        raise InputError("targets are given as a mask of booleans or as a list of node numbers")
    numbers, times = np.unique(chosen, return_counts=True)
    if chosen.size and not (numbers[0] >= 0 and numbers[-1] < nodes):
        raise InputError(f"target nodes are numbered from 0 to {nodes - 1}, got {numbers[0]} to {numbers[-1]}")
    if (times > 1).any():
        if chosen.size == nodes and numbers[-1] <= 1:
            raise InputError(
                "targets is a mask of zeros and ones, which would be read as the numbers of nodes 0 and 1; give booleans, "
                "targets=mask.astype(bool)"
            )
        raise InputError(f"node {numbers[times > 1][0]} is named {times.max()} times in targets; name every node once")
    return numbers.astype(np.int64)
