"""`sample_votes`: from a model, a graph and a smoothing scheme to votes."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from graphcert.core.arguments import whole
from graphcert.data import data_fingerprint
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.models.base import SparseFirstModel, single_torch_thread
from graphcert.noise import Law, Scheme, as_scheme
from graphcert.statistics import check_sample_size
from graphcert.votes import Votes
from graphcert.voting import model_checks
from graphcert.voting.cache_detection import refuse_memory
from graphcert.voting.counting import identity_of, take_votes
from graphcert.voting.model_call import Call, as_module, extras_needed, extras_of
from graphcert.voting.noisy_graph import Problem, ignored, lookalikes
from graphcert.voting.paths import GenericPath, Path, SparsePath

PATHS = ("auto", "sparse", "generic")


def sample_votes(
    model: Callable[..., Any], data: Any, smoothing: Scheme | Law, samples: int, pilot_samples: int = 1000,
    seed: int = 0, *, call: str | None = None, output: int | str | None = None, alpha: float | None = None,
    claims: int | None = None, scores: bool = False, path: str = "auto", ignore: str | Sequence[str] = (),
    workers: int | None = None, batch_size: int | None = None, store: str | os.PathLike[str] | None = None,
    shard_samples: int = 1000, progress: bool = False,
) -> Votes:  # fmt: skip
    """Classify noisy versions of the graph and count how often each node is given each class.

    Same seed, same votes: they do not depend on `workers`, `batch_size`, `shard_samples`, nor on being interrupted.

    Args:
        model: any module, function or other callable that returns logits (N, K). Its signature tells how it is called:
            model(x, edge_index), with edge_weight or edge_attr by name where it takes them and the data have them,
            model(data) or model(x, adj_t). Copies of it vote, in evaluation mode, on its device and in the type of its
            weights; a function votes in one thread at a time. What it says of a graph must not depend on the graphs that it
            has seen before; that is verified (docs/guarantees.md, models that remember).
        data: anything with `x` (N, D) and `edge_index` (2, 2E), undirected, without self-loops; binary features if the
            smoothing flips them.
        smoothing: the noise; a bare law L of features stands for `Smoothing(features=L)`. Under `Hierarchical` noise the
            model is shown D + 1 columns; the last one marks the rows that are noised.
        call: the arguments of the model in order, such as "x, edge_index, edge_weight", "x, adj_t", "x" or "data"; by
            default its signature is asked.
        output: which part of what it returns are the logits: a position in a tuple, a key of a dictionary, or the name of an
            attribute.
        samples: number of final samples, which bound the probabilities.
        pilot_samples: number of independent samples that choose the labels.
        seed: whole number from 0 to 2^64 − 1.
        alpha: if given, refuse beforehand a number of samples that cannot certify anything at this level …
        claims: … over so many simultaneous claims (default: all nodes).
        scores: also count the class scores (softmax of the logits), for `certify_scores`: that of the label, and its
            margins over all other classes. Takes somewhat longer, and up to 128 MiB more memory per thread (half a KiB per
            node if that is more).
        path: "auto", "sparse" or "generic". Both see the same noisy graphs; the votes' manifest says which one ran.
        ignore: attributes of the data, such as "edge_weight", that the classifier is to do without. Unless they are named
            here, what the model does not take is refused, because another classifier would be certified.
        workers: threads; by default one per processor.
        batch_size: samples that a thread takes at a time (default: about 16).
        store: folder for shards of votes; an interrupted call with the same arguments continues from them.
        shard_samples: samples per shard, the most that an interruption can lose.
        progress: show a bar with rate and remaining time.

    Returns:
        Votes with provenance in `manifest` and the sampler's total-variation error in `total_variation`; with `scores`
        they carry `Scores`.

    Raises:
        InputError: for a number outside its domain, or too few samples for `alpha`.
        DataError: for data that the guarantee does not speak about, or of which the classifier would leave out a part.
        ModelError: for cached normalisation, NaN, a model that is not deterministic or remembers earlier graphs, cannot be
            called so, or has a wrong number of classes.
        UnsupportedError: for path="sparse" with a model that has no sparse first layer.
        VotesError: if `store` holds votes of another run.
    """
    for name, count in (("samples", samples), ("pilot_samples", pilot_samples), ("shard_samples", shard_samples)):
        whole(name, count, 1)
    if not isinstance(scores, bool):
        raise InputError(f"scores must be True or False, got {scores!r}")
    if path not in PATHS:
        raise InputError(f"unknown path {path!r}; choose one of {', '.join(PATHS)}")
    module, smoothing, ignore = as_module(model, call, output), as_scheme(smoothing), ignored(ignore)
    _refuse_missing(module, data)
    problem = Problem.of(data, smoothing, seed, ignore, extras_of(module))
    if alpha is not None:
        check_sample_size(samples, alpha, problem.nodes if claims is None else claims)
    model_checks.refuse_cached_normalisation(module)
    model_checks.refuse_unusable_parameters(module)
    with model_checks.evaluation_mode(module):
        with single_torch_thread():
            chosen = choose_path(problem, module, path)
        identity = identity_of(module, data_fingerprint(data), smoothing, seed, chosen.name)
        identity |= {"ignored": list(ignore)} if ignore else {}
        return take_votes(
            chosen, problem, identity, samples, pilot_samples, scores=scores, workers=workers, batch_size=batch_size,
            store=store, shard_samples=shard_samples, progress=progress,
        )  # fmt: skip


def _refuse_missing(module: nn.Module, data: Any) -> None:
    """Raise `DataError` if the model cannot be called without weights or attributes of edges, and the data have none."""
    for name in extras_needed(module):
        if getattr(data, name, None) is None:
            raise DataError(
                f"the model needs {name}, which the data do not have; give every edge one, for example "
                f"data.{name} = torch.ones(data.edge_index.shape[1]{', 1' * (name == 'edge_attr')})"
            )


def choose_path(problem: Problem, model: nn.Module, path: str = "auto") -> Path:
    """The sparse path if the model has one and it reproduces the model's own forward pass, else the generic one."""
    call = Call(model)
    if path != "generic" and isinstance(model, SparseFirstModel) and call.dtype == torch.float32:
        sparse = SparsePath(problem, model)
        if sparse.agrees_with_torch():
            refuse_memory(model, call.answer, lookalikes(problem), "graphs")
            return sparse
    if path == "sparse":
        raise UnsupportedError(
            f"{type(model).__name__} has no sparse path, or its kernels disagree with its forward pass; "
            f"use path='generic'"
        )
    return GenericPath(problem, model)
