"""Grids of budgets and radii of certificate.json against what the slow path proves (theory, sections 1 to 6)."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification import stated
from graphcert.verification.atoms import TradeOff
from graphcert.verification.findings import Finding
from graphcert.verification.node_bounds import CERTIFICATE, NodeBounds
from graphcert.verification.pairs import Pairs
from graphcert.verification.placements import Budget, hidden_mass, placements
from graphcert.verification.real_laws import survives_shift
from graphcert.verification.run_files import PlainGraph
from graphcert.verification.schemes import REAL, Views

Mask = NDArray[np.bool_]

MOST_CHANGES = 5000
"""Nothing is proved against more changes than these on one axis; no certificate of the package reaches so far."""

_MOST_CELLS = 10**5


class Proofs:
    """Which targets provably keep their label, budget by budget.

    Attributes:
        targets: (N,) the nodes that claims are about.
        integers: how many times a node had to be decided in integers, so far.
    """

    def __init__(self, bounds: NodeBounds, views: Views) -> None:
        self._views, self.integers = views, 0
        rivals = np.zeros(len(bounds.labels)) if bounds.rivals is None else bounds.rivals
        pairs = np.stack([bounds.p_lower, rivals])
        (label, other), self._place = np.unique(pairs, axis=1, return_inverse=True)
        self._pairs = Pairs.of(label, None if bounds.rivals is None else other)
        self.targets = bounds.targets
        self._known: dict[Budget, Mask] = {}

    def kept(self, budget: Budget) -> Mask:
        """(N,) targets whose label is proved to survive every use of a budget."""
        if budget not in self._known:
            self._known[budget] = self._prove(budget)
        return self._known[budget]

    def _prove(self, budget: Budget) -> Mask:
        kept = np.ones(len(self._pairs.label_at), np.bool_)
        if max(budget[:4]) > MOST_CHANGES:
            return np.zeros_like(self.targets)
        for parts in placements(self._views, budget):
            try:
                survives, exact = TradeOff(parts).survives(self._pairs)
            except UnsupportedError:
                return np.zeros_like(self.targets)
            kept &= survives
            self.integers += exact
        return np.asarray(kept[self._place.ravel()] & self.targets)


def check_grids(certificate: dict[str, Any], bounds: NodeBounds, views: Views, graph: PlainGraph) -> Iterator[Finding]:
    """Every cell of every grid: no more targets may be certified than are proved.

    Raises:
        DataError: if a grid is not one.
    """
    grids = stated.member(certificate, "grids", CERTIFICATE)
    if not isinstance(grids, list):
        raise DataError(f"the grids of {CERTIFICATE} are no list; certify again")
    proofs, correct = Proofs(bounds, views), bounds.labels == graph.truth
    for index, grid in enumerate(grids):
        yield _check_grid(f"grid {index}", grid, proofs, correct, views)


def _check_grid(name: str, grid: Any, proofs: Proofs, correct: Mask, views: Views) -> Finding:
    cells, words = _cells(name, grid)
    shape, before = tuple(map(len, grid["values"])), proofs.integers
    if _vacuous(cells, views):
        return Finding(
            "contradiction", CERTIFICATE, f"{name} limits in how many nodes nothing changes: it claims nothing"
        )
    ratio = stated.numbers(stated.member(grid, "certified_ratio", name), f"certified_ratio of {name}", shape).ravel()
    stated_accuracy = stated.member(grid, "certified_accuracy", name)
    accuracy = (
        np.zeros(len(cells))
        if stated_accuracy is None
        else stated.numbers(stated_accuracy, f"certified_accuracy of {name}", shape).ravel()
    )
    for budget, share, right in zip(cells, ratio.tolist(), accuracy.tolist(), strict=True):
        if share or right:
            kept, targets = proofs.kept(budget), int(proofs.targets.sum())
            for claimed, proved, what in ((share, kept, "certified"), (right, kept & correct, "certified and correct")):
                if claimed > int(proved.sum()) / targets:
                    first = np.flatnonzero(proofs.targets & ~proved)[0]
                    return Finding(
                        "contradiction", CERTIFICATE,
                        f"{name} claims {claimed * targets:.10g} of {targets:,} targets {what} at {_words(budget)}, and "
                        f"{int(proved.sum()):,} are proved; node {first} is not",
                    )  # fmt: skip
    decided = proofs.integers - before
    return Finding(
        "proved", CERTIFICATE,
        f"{name} ({words}): in each of {len(cells):,} cells at least as many targets are proved robust, and correct, as it "
        f"claims ({decided:,} near the line decided in integers, the others in floats of proved error)",
    )  # fmt: skip


def _cells(name: str, grid: Any) -> tuple[list[Budget], str]:
    """The budgets of a grid, last axis fastest, and its axes in words."""
    axes, values, fixed = (stated.member(grid, key, name) for key in ("axes", "values", "fixed"))
    known = Budget._fields
    if not isinstance(axes, list) or not isinstance(values, list) or not isinstance(fixed, dict):
        raise DataError(f"{name} has no axes, values and fixed budget; certify again")
    if len(axes) != len(values) or not set(axes) <= set(known) or len(set(axes)) < len(axes) or set(fixed) - set(known):
        raise DataError(f"{name} has axes that are not known or named twice; certify again")
    if not all(isinstance(along, list) and along for along in values) or prod(map(len, values)) > _MOST_CELLS:
        raise DataError(f"{name} has an axis without values, or too many cells; certify again")
    base = {axis: _count(count, axis) for axis, count in fixed.items()}
    counts = [[_count(count, axis) for count in along] for axis, along in zip(axes, values, strict=True)]
    cells = [Budget(**{**base, **dict(zip(axes, cell, strict=True))}) for cell in product(*counts)]
    ends = (max((n for n in along if n is not None), default=0) for along in counts)
    words = ", ".join(f"{axis} to {end}" for axis, end in zip(axes, ends, strict=True))
    return cells, words


def _count(value: Any, axis: str) -> Any:
    return None if axis == "nodes" and value is None else stated.whole(value, f"a budget of {axis}")


def _vacuous(cells: list[Budget], views: Views) -> bool:
    """Whether touched nodes are counted although no features change there, under noise that hides no whole rows."""
    if "ablation" in views.features[0].kind:
        return False
    return any(budget.nodes for budget in cells) and not any(b.feature_add or b.feature_delete for b in cells)


def _words(budget: Budget) -> str:
    return ", ".join(f"{axis} {count}" for axis, count in budget._asdict().items() if count) or "no change"


def check_radii(certificate: dict[str, Any], bounds: NodeBounds, views: Views) -> Iterator[Finding]:
    """Every stated radius, at which the label of its target has to survive.

    Raises:
        DataError: if a radius is no number, or the noise has no radii.
    """
    kind, radii = views.features[0].kind, stated.member(certificate, "radii", CERTIFICATE)
    if not isinstance(radii, list) or (radii and kind not in REAL):
        raise DataError("radii are known under noise of real features only; certify again")
    for entry in radii:
        limit, nodes = stated.member(entry, "nodes", "a radius"), len(bounds.labels)
        rows = (
            views.rows if limit is None else min(stated.whole(limit, "the limit of nodes of a radius", 1), views.rows)
        )
        claimed = stated.numbers(stated.member(entry, "radius", "a radius"), "the radii", (nodes,), np.finfo(float).max)
        wrong = unproved_radii(claimed, bounds, views, rows)
        scope = "" if limit is None else f" in at most {rows:,} nodes"
        if wrong.size:
            words = (
                f"the radius{scope} of {wrong.size:,} nodes is not proved; of node {wrong[0]} it is {claimed[wrong[0]]}"
            )
            yield Finding("contradiction", CERTIFICATE, words)
        else:
            above = int((claimed > 0).sum())
            yield Finding("proved", CERTIFICATE, f"the radii{scope} of {above:,} nodes are proved, the others are 0")


def unproved_radii(claimed: NDArray[np.float64], bounds: NodeBounds, views: Views, rows: int) -> NDArray[np.int64]:
    """The nodes whose radius is not proved. All of a shift counts at the smallest scale and the rarest selection."""
    law, delta = views.features[0], hidden_mass(views.features, rows)
    scale = min(law.numbers[0] for law in views.features)
    known: dict[tuple[float, ...], bool] = {}
    wrong = []
    for node in np.flatnonzero(claimed > 0).tolist():
        case = tuple(float(values[node]) for values in (claimed, bounds.p_lower, bounds.p_other))
        if case not in known:
            shift, label, other = map(Fraction, case)
            rival = None if bounds.method == "binary" else other
            known[case] = survives_shift(law.kind, scale, shift, delta, label, rival)
        if not known[case] or not bounds.targets[node]:
            wrong.append(node)
    return np.array(wrong, np.int64)
