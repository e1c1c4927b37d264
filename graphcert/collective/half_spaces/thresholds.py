"""Outputs as few nested steps: who of a group falls before whom, and at what (theory, section 9, staircase rows)."""

from dataclasses import dataclass

import numpy as np

from graphcert.collective.solvers.program import BoolArray, FloatArray, IntArray

_NEGLIGIBLE = 1e-9
"""Relative amount by which η may be lowered to make the outputs of a group nested (rounding of η, nothing else)."""


@dataclass(frozen=True, eq=False)
class Kinds:
    """R kinds of outputs: outputs of one group that every direction sees alike.

    Attributes:
        group: (R,) ascending.
        eta: (D, R) finite, ≥ 0.
        of_output: (n,) the kind of each output, −1 for outputs that were left out.
    """

    group: IntArray
    eta: FloatArray
    of_output: IntArray

    def count(self, counted: BoolArray) -> IntArray:
        """(R,) how many of the outputs in the mask `counted` (n,) are of each kind."""
        kinds = self.of_output[counted]
        return np.bincount(kinds[kinds >= 0], minlength=self.group.size)


@dataclass(frozen=True, eq=False)
class Steps:
    """S steps in H chains. In a chain, whatever crosses a step in all directions crosses all earlier steps.

    Attributes:
        group: (H,) the group of each chain.
        chain: (S,) ascending, the chain of each step.
        eta: (D, S) what must be reached on each step; at most the η of every kind on it. Ascending within a chain.
        step: (R,) the step of each kind.
    """

    group: IntArray
    chain: IntArray
    eta: FloatArray
    step: IntArray


def find_kinds(groups: IntArray, eta: FloatArray, kept: BoolArray) -> Kinds:
    """Kinds of the `kept` outputs (n,), by group and then from weak to strong; `eta` (D, kept) is theirs alone."""
    outputs = np.flatnonzero(kept)
    group = groups[outputs]
    order = np.lexsort((_strength(eta), group))
    group, eta = group[order], eta[:, order]
    new = np.ones(order.size, dtype=np.bool_)
    new[1:] = (group[1:] != group[:-1]) | (eta[:, 1:] != eta[:, :-1]).any(axis=0)
    of_output = np.full(groups.size, -1, dtype=np.int64)
    of_output[outputs[order]] = np.cumsum(new) - 1
    return Kinds(group[new], eta[:, new], of_output)


def build_steps(kinds: Kinds, counts: IntArray, bins: int | None) -> Steps:
    """Chains of steps, at most `bins` steps per chain (None: η is not rounded).

    If the outputs of a group are nested, as they are when every η rises with the same p_lower, the group is one chain,
    whose relaxation is the concave hull of its staircase. Otherwise η is rounded down per direction and the group is
    split into several chains.

    Args:
        kinds: R kinds.
        counts: (R,) outputs of each kind, by which steps are balanced.
        bins: the most steps of a chain, at least 1.
    """
    step = np.zeros(kinds.group.size, dtype=np.int64)
    if not step.size:
        return Steps(step, step, kinds.eta, step)
    parts, steps, chains = [], 0, 0
    present, starts = np.unique(kinds.group, return_index=True)
    for group, here in zip(present, np.split(np.arange(kinds.group.size), starts[1:]), strict=True):
        eta = kinds.eta[:, here]
        nested = np.minimum.accumulate(eta[:, ::-1], axis=1)[:, ::-1]
        if (nested >= eta * (1.0 - _NEGLIGIBLE)).all():
            local, tops = _steps(nested, counts[here], bins)
            chain = np.zeros(tops.shape[1], dtype=np.int64)
        else:
            local, tops, chain = _several_chains(eta, counts[here], bins)
        step[here] = steps + local
        number = int(chain.max()) + 1
        parts.append((np.full(number, group), chains + chain, tops))
        steps, chains = steps + chain.size, chains + number
    groups, chain, tops = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    return Steps(groups, chain, tops, step)


def _strength(eta: FloatArray) -> FloatArray:
    """(n,) the sum of all directions, each measured by its largest value."""
    scale = np.maximum(eta.max(axis=1, initial=0.0), np.finfo(np.float64).tiny)
    total: FloatArray = (eta / scale[:, None]).sum(axis=0)
    return total


def _steps(eta: FloatArray, counts: IntArray, bins: int | None) -> tuple[IntArray, FloatArray]:
    """Steps of a nested sequence (D, r): the step of each member and the η (D, s) of each step, its first member's.

    A step spans at most 2/bins of the range of η and, but for its first member, 2/bins of the outputs: the first bounds
    what is lost at small budgets, the second at all of them, and a large kind (all samples agree) starts a step.
    """
    if bins is None or eta.shape[1] <= bins:
        return np.arange(eta.shape[1]), eta
    height = _strength(eta)
    share = height / max(height[-1], np.finfo(np.float64).tiny) + np.cumsum(counts) / max(counts.sum(), 1)
    cell = np.floor((bins - 1) * np.minimum(share / 2, 1.0))
    first = np.concatenate([[True], cell[1:] != cell[:-1]])
    return np.cumsum(first) - 1, eta[:, first]


def _several_chains(eta: FloatArray, counts: IntArray, bins: int | None) -> tuple[IntArray, FloatArray, IntArray]:
    """Steps of members that are not nested: rounded down per direction, then put on the first chain that they extend."""
    rounded = np.empty_like(eta)
    for d, values in enumerate(eta):
        order = np.argsort(values, kind="stable")
        local, tops = _steps(values[order][None, :], counts[order], bins)
        rounded[d, order] = tops[0, local]
    distinct, member = np.unique(rounded, axis=1, return_inverse=True)
    chain = np.zeros(distinct.shape[1], dtype=np.int64)
    order = np.argsort(_strength(distinct), kind="stable")
    last = np.zeros((eta.shape[0], 0))
    for vector in order.tolist():
        below = np.flatnonzero((last <= distinct[:, [vector]]).all(axis=0))
        chain[vector] = below[0] if below.size else last.shape[1]
        if below.size:
            last[:, below[0]] = distinct[:, vector]
        else:
            last = np.concatenate([last, distinct[:, [vector]]], axis=1)
    order = order[np.argsort(chain[order], kind="stable")]
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return place[member.ravel()], distinct[:, order], chain[order]
