"""What a report is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.attacks.record import AttackRecord
from graphcert.certificates import BudgetGrid, Certificate, ScoreCertificate
from graphcert.certificates.injection_claims import InjectionAttack
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import SHIFT
from graphcert.collective.injection import AXES as INJECTED
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES, Budget, Partition, Smoothing
from graphcert.report.graphs.sweep import Sweep
from graphcert.votes import Votes

MEAN_SCORE = "mean score"


class Injected(NamedTuple):
    """The best attack of new nodes at one budget (injected, degree, edges, rows)."""

    budget: tuple[int, int, int, int]
    attack: InjectionAttack


class DrawnGraph(NamedTuple):
    """The graph as a report draws it: `edges` (2, E), each of them once, and the cluster of every node, `groups` (N,)."""

    edges: NDArray[np.int64]
    groups: NDArray[np.int64]


@dataclass(frozen=True)
class Isotropic:
    """The same model under isotropic noise at equal accuracy, node by node; a curve per sweep, over its budgets.

    `accuracy` is the smoothed accuracy on the targets under it, `localized_accuracy` that under the localized scheme.
    """

    smoothing: Smoothing
    accuracy: float
    localized_accuracy: float
    curves: tuple[CollectiveCurve, ...]


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything a report shows; equal contents give byte-identical reports.

    What does not fit together is refused: a certificate of other votes, `scores` or sweeps about other targets, sweeps whose
    methods differ in their budgets, `links` of another shape (`InputError`), or grids and budgets of kinds that a report
    does not draw (`UnsupportedError`).

    Attributes:
        votes: those that the certificate was made from.
        truth: (N,) int64 true labels, −1 where unknown; an unknown label counts as not correct.
        grids: what to draw: grids over one axis become curves, grids over two axes become heat maps.
        settings: sections ("dataset", "model", …) of names and values; what is None, off or empty is not shown, nor is
            "collective" without a collective certificate.
        timings: seconds per stage.
        warnings: sentences the reader must know before believing a number.
        collective: per sweep of budgets the curves by method ("naive", "lp", "milp", …), the weakest first, over
            the same (B, 4) budgets in the order of `AXES`, with "nodes" (B, 5); under continuous noise over norms,
            "feature_shift" (B, 1), with "nodes" (B, 2). Sweeps of one axis become curves, all combinations over two axes
            heat maps, and every sweep a table.
        links: (C, C) undirected edges between clusters, inside them on the diagonal; None if there are none to show.
        isotropic: the same model under isotropic noise at equal accuracy; None if not compared.
        mean_score: the classifier of the largest mean score, one curve per sweep; empty if votes carry no scores.
        scores: the claims about that classifier, per node; None if votes carry no scores.
        budgets: single budgets of the table of certified targets; empty for round ones of the curves.
        attacks: what attacks on these claims have shown; None if nobody attacked.
        injected: the best attacks of new nodes that collective certificates know, at chosen budgets.
        graph: what the picture of the nodes is drawn from; None if the graph is not at hand.
    """

    title: str
    certificate: Certificate
    votes: Votes
    truth: NDArray[np.int64]
    grids: tuple[BudgetGrid, ...]
    settings: Mapping[str, Mapping[str, object]]
    timings: Mapping[str, float]
    warnings: tuple[str, ...] = ()
    collective: tuple[Mapping[str, CollectiveCurve], ...] = ()
    links: NDArray[np.int64] | None = None
    isotropic: Isotropic | None = None
    mean_score: tuple[CollectiveCurve, ...] = ()
    scores: ScoreCertificate | None = None
    budgets: tuple[Budget, ...] = ()
    attacks: AttackRecord | None = None
    injected: tuple[Injected, ...] = ()
    graph: DrawnGraph | None = None

    def __post_init__(self) -> None:
        claimed, cast = self.certificate, self.votes
        same = claimed.smoothing == cast.smoothing and claimed.samples == cast.samples
        if not same or not np.array_equal(claimed.labels, cast.labels):
            raise InputError("the certificate of a report must be made from its votes; call certify(votes) again")
        claimed.correct(self.truth)  # refuses anything but one integer per node
        for grid in self.grids:
            if len(grid.axes) not in (1, 2):
                raise UnsupportedError(
                    f"a report draws grids over one or two axes, got {len(grid.axes)}; fix the others at a number"
                )
        if self.scores is not None and not np.array_equal(self.scores.targets, claimed.targets):
            raise InputError("the mean scores of a report must be about the targets of its certificate")
        for methods in self.collective:
            _check_sweep(methods, claimed)
        for curves in (self.mean_score, () if self.isotropic is None else self.isotropic.curves):
            if curves and len(curves) != len(self.collective):
                sweeps = f"{len(self.collective)} sweeps"
                raise InputError(f"{len(curves)} curves of another classifier do not match {sweeps}")
        _check_links(self.links, claimed.smoothing.partition)
        if self.graph is not None and len(self.graph.groups) != claimed.nodes:
            raise InputError(
                f"the graph of a report has {len(self.graph.groups)} nodes and the certificate {claimed.nodes}"
            )

    @property
    def curves(self) -> tuple[BudgetGrid, ...]:
        """The grids over one axis; without an accuracy that no label supports."""
        return self._over(1)

    @property
    def heat_maps(self) -> tuple[BudgetGrid, ...]:
        """The grids over two axes; without an accuracy that no label supports."""
        return self._over(2)

    def _over(self, axes: int) -> tuple[BudgetGrid, ...]:
        grids = [grid for grid in self.grids if len(grid.axes) == axes]
        return tuple(grid if self.has_truth else replace(grid, accuracy=None) for grid in grids)

    @property
    def has_truth(self) -> bool:
        """Whether the true label of any target is known; without one there is no accuracy to speak of."""
        return bool((self.truth[self.certificate.targets] >= 0).any())

    @property
    def norm(self) -> str:
        """The norm that measures changes of features, "ℓ2" or "ℓ1"; empty if they are counted."""
        return self.certificate.smoothing.norm

    @property
    def node_limits(self) -> tuple[int | None, ...]:
        """Limits of touched nodes for norms of changes; only where rows are selected do they make a difference."""
        return (1, 2, 3) if self.certificate.smoothing.selects_rows else (None,)

    @property
    def partition(self) -> Partition | None:
        """The clusters of a localized scheme; None under other schemes."""
        smoothing = self.certificate.smoothing
        return smoothing.partition if smoothing.localized else None

    @cached_property
    def sweeps(self) -> list[Sweep]:
        """The sweeps of the collective certificate."""
        return [Sweep(curves, self.norm, self.has_truth) for curves in self.collective]

    def other_classifiers(self, sweep: int) -> dict[str, CollectiveCurve]:
        """The curves of other classifiers over the budgets of one sweep."""
        found = {} if self.isotropic is None else {"isotropic": self.isotropic.curves[sweep]}
        return found | ({MEAN_SCORE: self.mean_score[sweep]} if self.mean_score else {})


def _check_sweep(curves: Mapping[str, CollectiveCurve], certificate: Certificate) -> None:
    """Curves that can be compared, about the targets of the certificate."""
    if not curves:
        raise InputError("a sweep of collective methods is empty; leave it out of collective=…")
    first, claims = next(iter(curves.values())), certificate.claims
    shown = [AXES, (*AXES, "nodes"), INJECTED]
    if certificate.smoothing.norm:
        shown += [(SHIFT,), (SHIFT, "nodes")]
    for method, curve in curves.items():
        if not len(curve) or curve.axes not in shown or curve.budgets.shape[1] != len(curve.axes):
            raise UnsupportedError(
                f"a report shows collective certificates over the axes {', '.join(AXES)} or, under continuous noise, over "
                f"{SHIFT} (and nodes), and {method} has budgets of shape {curve.budgets.shape} over "
                f"{', '.join(curve.axes)}; make it with Certificate.collective"
            )
        if curve.targets != claims:
            raise InputError(
                f"the collective certificate {method} counts {curve.targets} targets and the certificate {claims}; "
                f"call collective without targets=…"
            )
        if curve.axes != first.axes or not np.array_equal(curve.budgets, first.budgets):
            raise InputError(f"the budgets of {method} differ from those of {next(iter(curves))}; sweep the same ones")


def _check_links(links: NDArray[np.int64] | None, partition: Partition | None) -> None:
    if links is None:
        return
    clusters = 0 if partition is None else partition.clusters
    if links.shape != (clusters, clusters) or not np.array_equal(links, links.T) or (links < 0).any():
        raise InputError(
            f"the links of a report must be a symmetric matrix of counts over its {clusters} clusters, got shape "
            f"{links.shape}; leave them out without a partition"
        )
