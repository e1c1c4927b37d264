"""`Until`: for which budgets votes are taken, so that a node that is decided for them is asked no more.

A node is decided for a budget once its bounds certify it, or once it is given up. Both may stop a node: the proof in
`graphcert.statistics.looks` allows any reason. So no guarantee rests on anything here; a wrong reason costs samples, or
nodes that could have been certified.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.budget_grid import as_budget, refuse_vacuous
from graphcert.certificates.vote_certificate import Certificate, certify, chosen_method, chosen_share
from graphcert.core.arguments import half_open, target_mask
from graphcert.core.arrays import Mask
from graphcert.errors import InputError
from graphcert.noise import Budget, Scheme
from graphcert.statistics import Looks, check_level, clopper_pearson_upper
from graphcert.tradeoff.base import checked_shift
from graphcert.votes import Votes

AXES = ("add", "delete", "edge_add", "edge_delete", "nodes", "shift")
UNDECIDED = 0.005
"""The share of the targets that may stay undecided, unless another one is asked for."""

GIVE_UP = 0.001
"""A node is given up if it would not be certified even with the upper bound of its probability at this level."""

Asked = Budget | Mapping[str, Any] | Iterable[Budget | Mapping[str, Any]]
"""One budget or several: a `Budget`, or one number per axis of `AXES`, together one budget."""


@dataclass(frozen=True, eq=False)
class Until:
    """Take votes until the targets are decided for some budgets; for `sample_votes(until=…)`.

    The other attributes say which certificate will be made; it may be another one, and holds all the same.

    Attributes:
        budgets: one budget or several, each a `gc.Budget` or numbers per axis such as dict(add=2, delete=5), which are one
            budget together; axes are add, delete, edge_add, edge_delete, nodes and shift.
        alpha, simultaneous, method, label_share: as in `certify`.
        targets: the nodes of the claims, as in `certify`; all by default. Other nodes stop at the first look.
        undecided: share of the targets in [0, 1) that may stay undecided: with no more than that, all stop.
        cells: every budget, with the norm of a change of real features (0 for none); it is not given.

    Raises:
        InputError: for anything else.
    """

    budgets: Asked
    alpha: float = 0.01
    simultaneous: bool = True
    method: str | None = None
    label_share: SupportsFloat | None = None
    targets: ArrayLike | None = None
    undecided: float = UNDECIDED
    cells: tuple[tuple[Budget, float], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_level(self.alpha)
        chosen_share(chosen_method(self.method or "multiclass", 2), self.label_share)
        half_open("undecided", self.undecided, 0, 1)
        several = (self.budgets,) if isinstance(self.budgets, (Budget, Mapping)) else self.budgets
        cells = tuple(map(_cell, several)) if isinstance(several, Iterable) and not isinstance(several, str) else ()
        if not cells:
            raise InputError(f"until takes budgets such as dict(add=2, delete=5), got {self.budgets!r:.100}")
        object.__setattr__(self, "cells", cells)


def described(until: Until, nodes: int) -> dict[str, Any]:
    """What the samples of each of so many nodes depend on, as JSON values; targets by the sha256 of their mask."""
    targets = target_mask(until.targets, nodes)
    return {
        "budgets": [{**vars(budget), "shift": shift} for budget, shift in until.cells],
        "alpha": float(until.alpha), "simultaneous": bool(until.simultaneous), "method": until.method,
        "label_share": None if until.label_share is None else float(until.label_share),
        "targets": sha256(targets.astype("u1").tobytes()).hexdigest(), "undecided": float(until.undecided),
    }  # fmt: skip


def refuse_hopeless(
    until: Until, smoothing: Scheme, nodes: int, classes: int, total_variation: float, looks: Looks
) -> None:
    """Raise `InputError` if not even unanimous votes at the last look certify anybody against any of the budgets.

    Errors of budgets that this noise says nothing about are those of `Certificate.robust`.
    """
    for budget, shift in until.cells:
        refuse_vacuous(smoothing, [budget], [shift] if shift else None)
    pilot = np.zeros((nodes, classes), np.int64)
    pilot[:, 0] = 1
    best = pilot * looks.ends[-1]
    votes = Votes(pilot, best, smoothing, total_variation=total_variation, looks=looks, independent=True)
    claims = _claims(until, votes)
    if not any(claims._kept(*cell).any() for cell in until.cells):
        raise InputError(
            f"no target can be certified against what until asks for, not even with {looks.ends[-1]:,} unanimous votes; "
            f"take more samples at most, or ask for smaller budgets or other noise"
        )


def undecided_nodes(until: Until, votes: Votes) -> Mask:
    """(N,) targets that some budget does not certify yet and may certify later, by the votes as they are now."""
    now, later = _claims(until, votes), _claims(until, _hoped_for(votes))
    found = np.zeros(votes.nodes, np.bool_)
    for cell in until.cells:
        found |= ~now._kept(*cell) & later._kept(*cell)
    return found & now.targets


def _claims(until: Until, votes: Votes) -> Certificate:
    """The certificate that these votes would give."""
    return certify(
        votes,
        until.alpha,
        until.simultaneous,
        method=until.method,
        label_share=until.label_share,
        targets=until.targets,
    )


def as_until(until: "Until | Asked", alpha: float | None) -> Until:
    """What is given to `sample_votes(until=…)`; budgets alone are for all nodes at the level `alpha`, .01 by default."""
    if not isinstance(until, Until):
        return Until(until) if alpha is None else Until(until, alpha)
    if alpha is not None:
        raise InputError("alpha stands in Until(…) already; leave the other one out")
    return until


def _hoped_for(votes: Votes) -> Votes:
    """Votes of all samples if each label has the upper bound of its probability in those that are left.

    The other classes share the rest as they do now.
    """
    looks, node = votes.looks, np.arange(votes.nodes)
    assert looks is not None
    left = looks.ends[-1] - votes.node_samples
    upper = clopper_pearson_upper(votes.successes, votes.node_samples, GIVE_UP)
    label = np.minimum(votes.successes + np.ceil(left * upper), looks.ends[-1]).astype(np.int64)
    others = votes.counts.copy()
    others[node, votes.labels] = 0
    now = np.maximum(others.sum(axis=1), 1)
    # Exact: both factors are below 2^31. What the divisions lose goes to the label.
    hoped = others * (looks.ends[-1] - label)[:, None] // now[:, None]
    hoped[node, votes.labels] = looks.ends[-1] - hoped.sum(axis=1)
    return Votes(
        votes.pilot_counts,
        hoped,
        votes.smoothing,
        total_variation=votes.total_variation,
        looks=looks,
        independent=True,
        rows=votes.rows,
    )


def _cell(asked: object) -> tuple[Budget, float]:
    """One budget, and the norm of a change."""
    if isinstance(asked, Budget):
        return asked, 0.0
    unknown = [axis for axis in asked if axis not in AXES] if isinstance(asked, Mapping) else [asked]
    if not isinstance(asked, Mapping) or unknown or not asked:
        raise InputError(
            f"until has no budget {', '.join(map(repr, unknown))[:100] or '{}'}; its axes are {', '.join(AXES)}, one number "
            f"each"
        )
    counts = {axis: value for axis, value in asked.items() if axis != "shift"}
    return as_budget(**counts), checked_shift(asked.get("shift"))
