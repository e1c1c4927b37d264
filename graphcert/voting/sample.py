"""`sample_votes`: from a model, a graph and a smoothing scheme to votes."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from graphcert.certificates.until import Asked, Until, as_until, refuse_hopeless
from graphcert.core.arguments import whole
from graphcert.data import data_fingerprint
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.models.base import SparseFirstModel, single_torch_thread
from graphcert.models.recognised import recognised
from graphcert.models.rownormalised import Rownormalised
from graphcert.noise import Law, Scheme, as_scheme
from graphcert.statistics import Looks, check_sample_size
from graphcert.votes import Votes
from graphcert.voting import model_checks
from graphcert.voting.cache_detection import refuse_memory
from graphcert.voting.cluster import check_scheduler, local_processes
from graphcert.voting.counting import identity_of, take_votes
from graphcert.voting.crew import crew_of
from graphcert.voting.lazy_path import LazyPath
from graphcert.voting.looks import Schedule
from graphcert.voting.model_call import Call, as_module, extras_needed, extras_of
from graphcert.voting.noisy_graph import Problem, ignored, lookalikes, without_normalisation
from graphcert.voting.paths import GenericPath, GraphPath
from graphcert.voting.room import Room
from graphcert.voting.sparse_path import SparsePath

PATHS = ("auto", "sparse", "lazy", "generic")

LOG = logging.getLogger(__name__)


def sample_votes(
    model: Callable[..., Any], data: Any, smoothing: Scheme | Law, samples: int | None = None, pilot_samples: int = 1000,
    seed: int = 0, *, call: str | None = None, output: int | str | None = None, alpha: float | None = None,
    claims: int | None = None, scores: bool = False, path: str = "auto", ignore: str | Sequence[str] = (),
    workers: int | None = None, memory: str | int | None = None, batch_size: int | None = None,
    store: str | os.PathLike[str] | None = None, shard_samples: int | None = None, progress: bool = False,
    plans: Sequence[str] = (), until: Until | Asked | None = None, max_samples: int | None = None,
    scheduler: str | None = None,
) -> Votes:  # fmt: skip
    """Classify noisy versions of the graph and count how often each node is given each class.

    Same seed, same votes: they do not depend on `workers`, `scheduler`, `batch_size`, `shard_samples`, nor on being
    interrupted.

    Args:
        model: any module, function or other callable that returns logits (N, K). Its signature tells how it is called:
            model(x, edge_index), with edge_weight or edge_attr by name where it takes them and the data have them,
            model(data) or model(x, adj_t). Copies of it vote, in evaluation mode, on its device and in the type of its
            weights; a function votes in one thread at a time. What it says of a graph must not depend on the graphs that it
            has seen before; that is verified (docs/guarantees.md, models that remember).
        data: anything with `x` (N, D) and `edge_index` (2, E), without self-loops; binary features if the smoothing flips
            them. Where some edge lacks its reverse the graph is directed, and noise and budgets are about every direction
            apart. Bits whose rows were normalised are taken as bits, with a warning, and normalised in every call.
            `edge_weight` (E,) and `edge_attr` (E, F) stay with the edges that survive, see `Smoothing`.
        smoothing: the noise; a bare law L of features stands for `Smoothing(features=L)`. Under `Hierarchical` noise the
            model is shown D + 1 columns; the last one marks the rows that are noised.
        call: the arguments of the model in order, such as "x, edge_index, edge_weight", "x, adj_t", "x" or "data"; by
            default its signature is asked.
        output: which part of what it returns are the logits: a position in a tuple, a key of a dictionary, or the name of an
            attribute.
        samples: number of final samples, which bound the probabilities; not with `until`.
        pilot_samples: number of independent samples that choose the labels.
        seed: whole number from 0 to 2^64 − 1.
        alpha: if given, refuse beforehand a number of samples that cannot certify anything at this level …
        claims: … over so many simultaneous claims (default: all nodes); not with `until`.
        scores: also count the class scores (softmax of the logits), for `certify_scores`: that of the label, and its
            margins over all other classes. Takes somewhat longer, and up to 128 MiB more memory per thread (half a KiB per
            node if that is more).
        path: "auto", "sparse", "lazy" or "generic" (docs/choosing.md, which path takes the votes). All see the same noisy
            graphs; the votes' manifest says which one ran, "recognised" for the kernels of a module that has none itself.
        ignore: attributes of the data, such as "edge_weight", that the classifier is to do without. Unless they are named
            here, what the model does not take is refused, because another classifier would be certified.
        workers: threads at most; by default one per processor.
        memory: bytes, or a text such as "2GiB", that voting may take: the graph, the model, and as many threads as fit; by
            default what is free. It never changes votes, and where one thread does not fit nothing is tried.
        batch_size: samples that a thread takes at a time (default: about 16).
        store: folder for shards of votes; an interrupted call with the same arguments continues from them.
        shard_samples: samples per shard, the most that an interruption can lose (default: 1,000, or fewer on graphs beyond
            100,000 nodes: 100 on a million).
        progress: show a bar with rate and remaining time.
        plans: sha256 of what was committed before these votes, the latest one last, which the final votes will name; what is
            in `store` must name one of them, or none without any.
        until: budgets, or `gc.Until` with targets and level: a node takes part in samples only until it is decided for them,
            at looks that are fixed beforehand (docs/guarantees.md, the probability). Without scores.
        max_samples: with `until`, the most samples that a node can have.
        scheduler: processes that vote in place of threads: "local:4" for four on this machine, the address "tcp://host:port"
            or "tls://host:port" of a dask scheduler, or its file (docs/cluster.md). Needs `graphcert[distributed]`.

    Returns:
        Votes with provenance in `manifest` and the sampler's total-variation error in `total_variation`; with `scores`
        they carry `Scores`.

    Raises:
        InputError: for a number outside its domain, too few samples for `alpha`, more memory than there is, or a scheduler
            that does not answer.
        DataError: for data that the guarantee does not speak about, or of which the classifier would leave out a part.
        ModelError: for cached normalisation, NaN, a model that is not deterministic or remembers earlier graphs, cannot be
            called so, or has a wrong number of classes.
        UnsupportedError: for path="sparse" or "lazy" with a model that has no such path, or workers of a scheduler on other
            processors or with other versions, whose votes would not be the same.
        VotesError: if `store` holds votes of another run.
    """
    if not isinstance(scores, bool):
        raise InputError(f"scores must be True or False, got {scores!r}")
    if scheduler is not None:
        check_scheduler(scheduler, workers)
    samples, schedule = _schedule(samples, until, max_samples, alpha, scores)
    if schedule is not None and claims is not None:
        raise InputError("claims goes with samples; with until the claims are about the targets of gc.Until")
    per_shard = 1 if shard_samples is None else shard_samples
    for name, count in (("samples", samples), ("pilot_samples", pilot_samples), ("shard_samples", per_shard)):
        whole(name, count, 1)
    smoothing, ignore = as_scheme(smoothing), ignored(ignore)
    room = Room(memory, workers if scheduler is None else 1, local_processes(scheduler))
    module, problem, shown = problem_of(model, data, smoothing, seed, call, output, ignore)
    if alpha is not None and schedule is None:
        check_sample_size(samples, alpha, problem.nodes if claims is None else claims)
    normalised = shown is not data
    with identified_path(module, problem, shown, seed, ignore, path, row_normalised=normalised, room=room) as named:
        chosen, identity = named
        if schedule is not None:
            law = problem.sampler.smoothing, problem.nodes, chosen.classes, problem.sampler.total_variation
            refuse_hopeless(schedule.until, *law, schedule.looks)
        threads = room.threads(chosen, scores)
        by = f"{threads} thread{'s' * (threads != 1)}" if scheduler is None else f"the workers of {scheduler}"
        LOG.debug("votes on the %s path by %s", chosen.name, by)
        with crew_of(scheduler, path_again, chosen, module, identity, batch_size) as crew:
            return take_votes(
                chosen, problem, identity, samples, pilot_samples, scores=scores, workers=threads, batch_size=batch_size,
                store=store, shard_samples=shard_samples, progress=progress, plans=plans, schedule=schedule, crew=crew,
            )  # fmt: skip


def _schedule(
    samples: int | None, until: Until | Asked | None, most: int | None, alpha: float | None, scores: bool
) -> tuple[int, Schedule | None]:
    """The most samples of a node, and the looks at which it can stop before; None without `until`."""
    number, wrong = (samples, most) if until is None else (most, samples)
    if number is None or wrong is not None:
        raise InputError(
            "sample_votes takes samples, or until with max_samples, the most samples that a node can have; give one of both"
        )
    if until is None:
        return number, None
    if scores:
        raise UnsupportedError("scores need the same samples for every node; leave until or scores out")
    return number, Schedule(as_until(until, alpha), Looks.planned(number))


@contextmanager
def identified_path(
    module: nn.Module, problem: Problem, shown: Any, seed: int, ignore: tuple[str, ...] = (), path: str = "auto", *,
    row_normalised: bool, room: Room | None = None,
) -> Iterator[tuple[GraphPath, dict[str, Any]]]:  # fmt: skip
    """The path that votes take, and everything that determines them; see `problem_of`, whose answers are the arguments."""
    with chosen_path(problem, module, path, room) as chosen:
        identity = identity_of(module, data_fingerprint(shown, ignore), problem.smoothing, seed, chosen.name)
        identity |= {"ignored": list(ignore)} if ignore else {}
        identity |= {"densified": list(chosen.densified)} if chosen.densified else {}
        identity |= {"row_normalised": True} if row_normalised else {}
        yield chosen, identity


def problem_of(
    model: Callable[..., Any], data: Any, smoothing: Scheme | Law, seed: int, call: str | None = None,
    output: int | str | None = None, ignore: str | Sequence[str] = (),
) -> tuple[nn.Module, Problem, Any]:  # fmt: skip
    """The model as one module, the clean graph with its sampler, and the data that noise is put on.

    These are the given data, or a copy with the bits whose rows were normalised. Arguments and errors are those of
    `sample_votes`.
    """
    module, smoothing = as_module(model, call, output), as_scheme(smoothing)
    _refuse_missing(module, data)
    takes, bits = extras_of(module), without_normalisation(data, smoothing)
    if bits is not None:
        warnings.warn(
            "the features are bits whose rows were normalised beforehand; noise is put on the bits, and the model "
            "normalises in every call: to say so yourself, give gc.Rownormalised(model) and data.x = (data.x > 0).float()",
            stacklevel=3,
        )
        data, module = bits, Rownormalised(module)
    return module, Problem.of(data, smoothing, seed, ignore, takes), data


@contextmanager
def chosen_path(problem: Problem, module: nn.Module, path: str, room: Room | None = None) -> Iterator[GraphPath]:
    """The path that the votes take, while the model is in evaluation mode; errors are those of `sample_votes`.

    Without a `room` it may take what is free.
    """
    if path not in PATHS:
        raise InputError(f"unknown path {path!r}; choose one of {', '.join(PATHS)}")
    model_checks.refuse_cached_normalisation(module)
    model_checks.refuse_unusable_parameters(module)
    with model_checks.evaluation_mode(module):
        with single_torch_thread():
            room = room or Room()
            room.refuse_large(problem, module)
            chosen = choose_path(replace(problem, room=room.of_a_pass(problem)), module, path)
        yield chosen


def _refuse_missing(module: nn.Module, data: Any) -> None:
    """Raise `DataError` if the model cannot be called without weights or attributes of edges, and the data have none."""
    for name in extras_needed(module):
        if getattr(data, name, None) is None:
            raise DataError(
                f"the model needs {name}, which the data do not have; give every edge one, for example "
                f"data.{name} = torch.ones(data.edge_index.shape[1]{', 1' * (name == 'edge_attr')})"
            )


def choose_path(problem: Problem, model: nn.Module, path: str = "auto") -> GraphPath:
    """The fastest path that `agrees_with_torch`, among those that `path` allows."""
    ask = Call(model, problem.carried.names)
    chosen: GraphPath | None
    chosen, densified = None, tuple[str, ...]()
    for found in _faster_paths(problem, model, ask, path):
        # Where the features become dense in every call, being lazy gains nothing.
        densified = found.densified
        if found.agrees_with_torch() and (path == "lazy" or not found.densified):
            chosen = found
            break
    if chosen is None and path not in ("auto", "generic"):
        raise UnsupportedError(
            f"{type(model).__name__} has no {path} path, or its kernels disagree with its forward pass; use path='generic'"
        )
    if chosen is None:
        chosen = GenericPath(problem, model)
        chosen.densified = densified
    refuse_memory(model, ask.answer, lookalikes(problem), "graphs")
    return chosen


def path_again(problem: Problem, model: nn.Module, identity: dict[str, Any]) -> tuple[GraphPath, dict[str, Any]]:
    """In another process, the path that took the votes of this identity, and what of the identity is to be compared."""
    with single_torch_thread():
        paths = _faster_paths(problem, model, Call(model, problem.carried.names), "auto")
        chosen = next((path for path in paths if path.name == identity["path"]), None) or GenericPath(problem, model)
        if isinstance(chosen, LazyPath):
            chosen.agrees_with_torch()  # its first products are learnt from these samples, and no more of them kept
    return chosen, identity_of(model, identity["data"], problem.smoothing, identity["seed"], chosen.name)


def _faster_paths(problem: Problem, model: nn.Module, ask: Call, path: str) -> Iterator[GraphPath]:
    """The paths besides the generic one that a model may have and that `path` allows, the fastest one first."""
    if ask.dtype != torch.float32:
        return
    near = ask.device.type == "cpu"
    kernels_wanted = near and path in ("auto", "sparse")
    if kernels_wanted and isinstance(model, SparseFirstModel):
        yield SparsePath(problem, model)
    elif kernels_wanted and not problem.carried.names:
        kernels = recognised(model, problem.nodes, problem.x.shape[1])
        if kernels is not None:
            yield SparsePath(problem, model, kernels)
    # Rows without zeros travel whole; only the CPU multiplies them where they are drawn.
    if path in ("auto", "lazy") and (near or not problem.sampler.dense):
        try:
            yield LazyPath(problem, model)
        except Exception:  # whatever a module says that cannot work with lazy features; dense ones will tell
            return
