"""The smoothed classifier on changed graphs: the frozen scheme, fresh samples, and what the base model's gradient says."""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from graphcert.attacks.perturbation import NOTHING, Perturbation
from graphcert.core.arrays import Floats, Integers, Mask
from graphcert.data.feature_tensors import dense_tensor
from graphcert.errors import DataError
from graphcert.models.base import edge_rows, sparse_features
from graphcert.noise import Scheme
from graphcert.noise.law import Law
from graphcert.sampling.csr import CSR
from graphcert.sampling.edge_values import CarriedValues
from graphcert.sampling.philox import MAIN, PILOT, PLAN
from graphcert.sampling.sampler import Sampler
from graphcert.voting.counting import Counter
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.model_call import Call, extras_of
from graphcert.voting.noisy_graph import Problem, ignored
from graphcert.voting.paths import GraphPath
from graphcert.voting.room import Room
from graphcert.voting.sample import chosen_path, problem_of
from graphcert.voting.vote_sums import no_votes

_STEEP = 8.0
"""How fast the score of a target falls with its margin: targets far from the boundary hardly count."""


class Smoothed:
    """Votes about changed versions of one clean graph, all under the scheme that was frozen on the clean one.

    Partition, levels and the values of added edges are those of `scheme` (`Votes.smoothing`), whatever the changed graph
    looks like. Scores of a search use the same noise for every graph (common random numbers); `fresh` votes have noise of
    their own, which no search has seen. Made by `smoothed`.
    """

    def __init__(
        self, path: GraphPath, module: nn.Module, data: Any, scheme: Scheme, seed: int, **options: Any
    ) -> None:
        self.data, self.scheme, self.seed, self._path, self._module = data, scheme, seed, path, module
        self._takes, self._ignore = extras_of(module), options["ignore"]
        self._workers, self._batch = options["workers"], options["batch_size"]

    def checked(self, changed: Any) -> None:
        """Raise `DataError` unless the frozen scheme is one for a graph from outside."""
        problem = Problem.of(changed, self.scheme, self.seed, self._ignore, self._takes)
        if problem.smoothing != self.scheme:
            raise DataError(
                "the perturbed graph is directed or carries other values on its edges, so that the run's noise is another "
                "one on it; give a graph of the same kind"
            )

    def problem(self, perturbation: Perturbation, seed: int) -> Problem:
        """A changed graph under the frozen scheme: as `Problem.of` makes it, from what is known of the clean one."""
        clean, nodes = self.clean, self.clean.nodes
        changed, sampler = perturbation.applied(self.data, self.scheme), clean.sampler
        x, features, edges, carried = clean.x, sampler.clean_features, sampler.clean_edges, clean.carried
        if perturbation.rows.size:
            more = sampler.columns - sampler.width
            x = functional.pad(changed.x, (0, more)) if more else changed.x
            features = self._features(perturbation, changed.x)
        if perturbation.edges.size:
            edges = edge_rows(changed.edge_index, nodes, self.scheme.directed)
            carried = CarriedValues.of(changed, clean.carried.names, self.scheme)
        return replace(clean, x=x, sampler=Sampler(features, sampler.width, edges, self.scheme, seed), carried=carried)

    def _features(self, perturbation: Perturbation, x: Tensor) -> CSR:
        """The non-zeros of changed features; sums of bits are exact, so they are not looked for again."""
        clean = self.clean.sampler.clean_features
        if clean.values is not None or not np.isin(perturbation.values, (0, 1)).all():
            return sparse_features(x)
        places = perturbation.rows, perturbation.columns
        change = perturbation.values - self.data.x.numpy()[places]
        ones = np.ones(clean.indices.size, np.float32)
        shape = (int(x.shape[0]), int(x.shape[1]))
        before = sparse.csr_array((ones, clean.indices, clean.indptr), shape)
        return CSR.of(before + sparse.coo_array((change, places), shape).tocsr())

    def counts(
        self, perturbation: Perturbation, samples: int, purpose: int = PLAN, seed: int | None = None
    ) -> Integers:
        """(N, K) votes of the samples 0 … `samples` − 1 about a changed graph."""
        problem = self.problem(perturbation, self.seed if seed is None else seed)
        path, shape = self._path.over(problem), (problem.nodes, self._path.classes)
        counter = Counter(path, self._workers, self._batch)
        tally = partial(no_votes, *shape)
        counts: Integers = counter.count(purpose, 0, samples, lambda _: None, tally)["counts"]
        return counts

    def fresh(self, perturbation: Perturbation, number: int, pilots: int, samples: int) -> tuple[Integers, Integers]:
        """Pilot and final votes (N, K) with noise of judgement `number`, independent of searches and of other ones."""
        digest = sha256(f"graphcert attack {self.seed} judgement {number}".encode()).digest()
        seed = int.from_bytes(digest[:8], "little")
        return self.counts(perturbation, pilots, PILOT, seed), self.counts(perturbation, samples, MAIN, seed)

    def total_variation(self, perturbation: Perturbation) -> float:
        """How far the law of one sample of a changed graph may be from the one described."""
        return self.problem(perturbation, self.seed).sampler.total_variation

    def harm(self, perturbation: Perturbation, labels: Integers, aims: Mask, samples: int) -> float:
        """How close the targets `aims` (N,) are to losing their labels: the sum of 1/(1 + exp(8 · margin of votes))."""
        margins = vote_margins(self.counts(perturbation, samples), labels)
        return float((1 / (1 + np.exp(_STEEP * margins[aims]))).sum())

    def weights(self, labels: Integers, aims: Mask, samples: int) -> Floats:
        """(N,) how much a small change of each target's margin would change `harm`, at the clean graph; 1 for one target."""
        if aims.sum() == 1:
            return aims.astype(np.float64)
        fallen = 1 / (1 + np.exp(_STEEP * vote_margins(self.counts(NOTHING, samples), labels)))
        return np.asarray(np.where(aims, fallen * (1 - fallen) + 1e-6, 0.0))

    def feature_gradient(self, labels: Integers, weights: Floats, draws: int, at: Perturbation = NOTHING) -> Floats:
        """(N, D) how the targets' margins fall when features of a changed graph rise, on average over noisy samples.

        Every view is weighed by how much of a change its noise lets through. For models that are `differentiable`.
        """
        problem = self.problem(at, self.seed)
        given, views, total = GenericInput(problem), problem.sampler.views, np.zeros(problem.x.shape)
        shown = np.array([passed(law) for law in views.feature_laws])
        for view, members in enumerate(problem.members):
            mine = np.zeros(problem.nodes)
            mine[members] = weights[members]
            if not mine.any():
                continue
            through = shown[views.feature_law[view]][views.block]
            for draw in range(draws):
                x, *rest = given.union(PLAN, draw * views.count + view, 1)
                x = x.clone().requires_grad_()
                (slope,) = torch.autograd.grad(self._margin_loss(labels, mine, x, *rest), x)
                total += through[:, None] * slope.numpy()
        return np.asarray(total[:, : self.data.x.shape[1]])

    @cached_property
    def differentiable(self) -> bool:
        """Whether the base model has a gradient with respect to features."""
        labels, weights = np.zeros(len(self.data.x), np.int64), np.ones(len(self.data.x))
        x, *rest = GenericInput(self.clean).union(PLAN, 0, 1)
        return self._margin_loss(labels, weights, x.clone().requires_grad_(), *rest).requires_grad

    def _margin_loss(self, labels: Integers, weights: Floats, x: Tensor, edges: Tensor, *carried: Tensor) -> Tensor:
        ask = Call(self._module)
        names = self.clean.carried.names
        extras = {name: value.to(ask.device) for name, value in zip(names, carried, strict=True)}
        logits = self._module(x.to(ask.device, ask.dtype), edges.to(ask.device), **extras)
        return margin_loss(logits.float().cpu(), labels, weights)

    @property
    def clean(self) -> Problem:
        """The clean graph under the frozen scheme."""
        return self._path.problem

    @property
    def module(self) -> nn.Module:
        """The base model."""
        return self._module


@contextmanager
def smoothed(
    model: Callable[..., Any], data: Any, scheme: Scheme, seed: int, *, ignore: str | Sequence[str] = (),
    workers: int | None = None, memory: str | int | None = None, batch_size: int | None = None,
) -> Iterator[Smoothed]:  # fmt: skip
    """The smoothed classifier of a base model on versions of the clean graph; arguments and errors are of `sample_votes`.

    Attacks change single features of dense ones: there must be memory for them.
    """
    if isinstance(getattr(data, "x", None), Tensor):
        dense, data = dense_tensor(data.x, "the dense features that an attack needs,"), copy.copy(data)
        data.x = dense
    module, problem, shown = problem_of(model, data, scheme, seed, ignore=ignore)
    room = Room(memory, workers)
    with chosen_path(problem, module, "auto", room) as path:
        options = {"ignore": ignored(ignore), "workers": room.threads(path), "batch_size": batch_size}
        yield Smoothed(path, module, shown, problem.smoothing, seed, **options)


def vote_margins(counts: Integers, labels: Integers) -> Floats:
    """(N,) share of the votes for each label minus the largest share of another class, −1 … 1."""
    everyone = np.arange(len(labels))
    others = counts.copy()
    others[everyone, labels] = -1
    return np.asarray((counts[everyone, labels] - others.max(axis=1)) / counts.sum(axis=1))


def margin_loss(logits: Tensor, labels: Integers, weights: Floats) -> Tensor:
    """Σ of tanh(−margin) of log-probabilities over the nodes, weighted: large where labels fall."""
    aims = np.flatnonzero(weights)
    scores = logits[aims].log_softmax(dim=1)
    mine = torch.from_numpy(labels[aims])[:, None]
    own = scores.gather(1, mine)[:, 0]
    other = scores.scatter(1, mine, -torch.inf).max(dim=1).values
    return (torch.tanh((other - own) / 4) * torch.from_numpy(weights[aims]).float()).sum()


def passed(law: Law) -> float:
    """How much of a change of an element a law lets through, on average."""
    row = law.row
    if law.of_all_rows:  # the same everywhere
        return 1.0
    # Only laws of bits have rates; noise that is added leaves a change as it is, and a hidden row shows none.
    rates = sum(getattr(row, rate, 0.0) for rate in ("add", "delete"))
    inside = 0.0 if row.element == "rows" else 1.0 - rates
    return 1 - law.select + law.select * inside
