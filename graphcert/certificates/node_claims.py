"""What every certificate about a graph's nodes claims about each node by itself."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from graphcert.certificates.budget_grid import BudgetGrid, as_budget, budget_sweep, evaluate_grid, refuse_vacuous
from graphcert.certificates.guarantee import describe_guarantee, describe_noise
from graphcert.certificates.samples_needed import out_of_reach
from graphcert.certificates.stored import Stored
from graphcert.core.arguments import half_open, whole
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.errors import InputError, OutOfReachWarning
from graphcert.noise import Budget, Scheme
from graphcert.noise.budget import Counts
from graphcert.statistics import check_level
from graphcert.tradeoff.base import checked_shift


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NodeClaims(Stored, ABC):
    """Claims about the labels of N nodes under a smoothing scheme; subclasses say what they rest on.

    Sound side: what is not proved is reported as not robust.

    Attributes:
        labels: (N,) the label each claim is about, chosen by the pilot samples.
        targets: (N,) mask of the nodes about which claims are made.
        alpha: error rate of all claims together if `simultaneous`, of each one otherwise.
        simultaneous: whether all claims hold at once with probability ≥ 1 − alpha.
        smoothing: the scheme that makes the smoothed classifier.
        samples: the number of samples behind every bound.
        total_variation: what was charged for the distance between the law that was sampled and the one of `smoothing`.
        data_fingerprint: the name of the graph that was voted on (`Votes.manifest["data"]`), None if it is not known.
            `collective` compares the graph that it is given.

    Raises:
        InputError: if the numbers contradict each other, or something is claimed about a node that is no target.
    """

    labels: Integers
    targets: Mask
    alpha: float
    simultaneous: bool
    smoothing: Scheme
    samples: int
    total_variation: float = 0.0
    data_fingerprint: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        half_open("alpha", self.alpha, 0, 1)
        whole("the number of samples", self.samples, 1)
        half_open("total_variation", self.total_variation, 0, 1)
        self._check_labels(self.labels, self.targets)
        if self.labels.ndim != 1 or not self.targets.any():
            raise InputError("claims need a label per node and at least one target")

    def _check_read(self) -> None:
        check_level(self.alpha)
        self.smoothing.check_outputs(self.nodes, self._rows)

    def _check_bound(self, name: str, most: float = 1.0) -> None:
        """Raise `InputError` unless a bound holds one number from 0 to `most` per node."""
        bound: Floats = getattr(self, name)
        if bound.shape != self.labels.shape or not ((bound >= 0) & (bound <= most)).all():
            raise InputError(f"{name} must hold one number from 0 to {most:g} per node")

    def _check_others(self, name: str, nothing: float) -> None:
        """Raise `InputError` unless a bound says nothing about nodes that are no targets, which the level does not cover."""
        if (getattr(self, name)[~self.targets] != nothing).any():
            raise InputError(f"{name} must be {nothing:g} for nodes that are no targets")

    @abstractmethod
    def _kept(self, budget: Budget, shift: float = 0.0) -> Mask:
        """(N,) `robust` at one cell of a sweep: no budget is refused for being empty, nothing is said about samples."""

    @property
    def _rows(self) -> Integers | None:
        """(N,) how many rows each of N inputs has; None if the outputs are the nodes of one graph."""
        return None

    @property
    def _output(self) -> str:
        """What has a label: a "node", or an "input"."""
        return "node" if self._rows is None else "input"

    @abstractmethod
    def _unanimous(self, samples: int) -> Self:
        """The same claims if every vote of so many samples were for the label (every score of it 1)."""

    @abstractmethod
    def _words(self) -> tuple[str, str, str]:
        """The words of `describe_guarantee`: classifier, rule, and what is to be said besides."""

    @abstractmethod
    def _basis(self) -> str:
        """What the claims rest on, such as "the binary rule"."""

    def robust(
        self,
        add: int | Budget = 0,
        delete: int = 0,
        edge_add: int = 0,
        edge_delete: int = 0,
        nodes: int | None = None,
        *,
        shift: float | None = None,
    ) -> Mask:
        """Which nodes provably keep their label under every perturbation within the budget.

        Args:
            add: feature bits set anywhere in the graph, or a whole `Budget` in place of the numbers.
            delete: feature bits cleared.
            edge_add: edges inserted; under a directed scheme every direction is an edge of its own.
            edge_delete: edges removed.
            nodes: the most nodes whose features change (rows of an input, for votes with `rows`); None for no limit. Under
                ablation rows may change at will, and `nodes` alone is the budget; under all other noise it needs bits or a
                shift that it limits.
            shift: in place of bits, the norm of the change of all features together: ℓ2 under Gaussian noise, ℓ1 under
                uniform noise. Under noise on a lattice the changed features lie on it too.

        Returns:
            (N,) mask; False for abstaining nodes, for nodes that are no targets, and for all nodes if the budget
            changes a channel that the smoothing does not perturb.

        Raises:
            InputError: if a count is not a whole number ≥ 0, a shift is given for noise that has no norm, or `nodes` limits
                nothing, so that the claim would be empty.
            UnsupportedError: if the budget is too large for exact arithmetic, counts bits under Gaussian or uniform noise,
                or changes edges besides a shift under Gaussian noise.

        Warns:
            OutOfReachWarning: once per certificate, if even unanimous votes of so few samples would prove nothing.
        """
        budget, distance = as_budget(add, delete, edge_add, edge_delete, nodes), checked_shift(shift)
        refuse_vacuous(self.smoothing, [budget], None if shift is None else [distance])
        kept = self._kept(budget, distance)
        self._warn(kept.any(), [budget], [distance])
        return kept

    def guarantee(self) -> str:
        """What is guaranteed, about what, against whom and with which probability, in plain words."""
        return describe_guarantee(self, *self._words())

    def summary(self) -> str:
        """Three lines: how many nodes have an answer, under which noise, at which level."""
        answers = int((self.targets & ~self.abstained).sum())
        scope = "all claims together" if self.simultaneous else "each claim"
        return (
            f"{type(self).__name__} of {self.claims:,} targets among {self.nodes:,} {self._output}s: {answers:,} answer, "
            f"{self.claims - answers:,} abstain\n"
            f"  {self._samples_words()} samples when {describe_noise(self.smoothing, self._output)}\n"
            f"  alpha = {self.alpha:g} for {scope}, by {self._basis()}"
        )

    def _warn(
        self, proved: Any, budgets: Iterable[Budget], shifts: Iterable[float] = (0.0,), stacklevel: int = 3
    ) -> None:
        """Say once that nothing was proved because the samples are too few, if that is so."""
        if not proved and not self._said and (note := out_of_reach(self, budgets, shifts)):
            self._said.append(note)
            warnings.warn(note, OutOfReachWarning, stacklevel=stacklevel)

    @cached_property
    def _said(self) -> list[str]:
        """What a warning of this certificate has said."""
        return []

    def _samples_words(self) -> str:
        """How many samples there are of each node."""
        return f"{self.samples:,}"

    def _stops(self) -> list[str]:
        """A sentence about nodes that stopped before they had all samples; none if no node could."""
        return []

    @property
    def _level(self) -> float:
        """Error rate of one node's claim."""
        return self.alpha / (self.claims if self.simultaneous else 1)

    @property
    def nodes(self) -> int:
        """Number of nodes N."""
        return int(self.labels.size)

    @property
    def claims(self) -> int:
        """Number of nodes about which claims are made."""
        return int(self.targets.sum())

    @property
    def abstained(self) -> Mask:
        """(N,) nodes about which nothing is said, not even that `labels` is the label of the smoothed classifier."""
        return np.asarray(~self._kept(Budget()))

    def certified_ratio(self, budget: Budget | None = None) -> float:
        """Share of the targets that are `robust`; without a budget, the share that does not abstain."""
        return float(self._share(budget, self.targets) / self.claims)

    def certified_accuracy(self, budget: Budget | None, truth: ArrayLike) -> float:
        """Share of the targets that are `robust` and correctly labelled by `truth` (N,)."""
        return float(self._share(budget, self.correct(truth)) / self.claims)

    def _share(self, budget: Budget | None, chosen: Mask) -> int:
        """The number of robust nodes among some."""
        asked = [as_budget(Budget() if budget is None else budget)]
        refuse_vacuous(self.smoothing, asked)
        kept = self._kept(asked[0])
        self._warn(kept.any(), asked, stacklevel=4)
        return int((kept & chosen).sum())

    def correct(self, truth: ArrayLike) -> Mask:
        """(N,) whether `labels`, the very labels of the claims, agree with `truth`.

        Raises:
            InputError: if `truth` is not one integer per node.
        """
        labels = np.asarray(truth)
        if labels.shape != (self.nodes,) or not np.issubdtype(labels.dtype, np.integer):
            raise InputError(f"the true labels must be {self.nodes} integers, got {labels.dtype} of {labels.shape}")
        return np.asarray(self.labels == labels)

    def grid(
        self,
        add: Counts = 0,
        delete: Counts = 0,
        edge_add: Counts = 0,
        edge_delete: Counts = 0,
        nodes: Counts | None = None,
        *,
        truth: ArrayLike | None = None,
    ) -> BudgetGrid:
        """Certified ratio, and with `truth` certified accuracy, over a grid of budgets, each node alone.

        Every argument is one number, or a sequence that becomes an axis: `grid(range(21), range(41))` has the shape
        (21, 41). As for `robust`, `nodes` needs changes that it limits; the cells at which their axis starts at 0 are the
        statement without any change, whatever `nodes` is there.

        Raises:
            InputError: if an axis is empty, a budget is not a whole number ≥ 0, or `nodes` limits nothing in any cell.

        Warns:
            OutOfReachWarning: once per certificate, if even unanimous votes of so few samples would prove nothing in any
                cell in which something changes.
        """
        correct = None if truth is None else self.correct(truth)
        given = (add, delete, edge_add, edge_delete, nodes)
        axes = tuple(tuple(axis) if isinstance(axis, Iterable) else axis for axis in given)
        asked = budget_sweep(*axes)
        refuse_vacuous(self.smoothing, asked)
        found = evaluate_grid(self._kept, self.claims, axes, correct)
        changed = np.array([any(budget.as_tuple()) or bool(budget.nodes) for budget in asked])
        self._warn((found.ratio.ravel() > 0)[changed if changed.any() else ~changed].any(), asked)
        return found
