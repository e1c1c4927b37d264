"""`sample_votes`: from a model, a graph and a smoothing scheme to votes."""

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from graphcert.core.arguments import whole
from graphcert.data import data_fingerprint
from graphcert.errors import InputError, UnsupportedError
from graphcert.models.base import SparseFirstModel, single_torch_thread
from graphcert.noise import Law, Scheme, as_scheme
from graphcert.statistics import check_sample_size
from graphcert.votes import Votes
from graphcert.voting import model_checks
from graphcert.voting.cache_detection import refuse_memory
from graphcert.voting.counting import identity_of, take_votes
from graphcert.voting.noisy_graph import Problem, ignored, lookalikes
from graphcert.voting.paths import GenericPath, Path, SparsePath

PATHS = ("auto", "sparse", "generic")


def sample_votes(
    model: nn.Module, data: Any, smoothing: Scheme | Law, samples: int, pilot_samples: int = 1000, seed: int = 0, *,
    alpha: float | None = None, claims: int | None = None, scores: bool = False,
    path: str = "auto", ignore: str | Sequence[str] = (), workers: int | None = None, batch_size: int | None = None,
    store: str | os.PathLike[str] | None = None, shard_samples: int = 1000, progress: bool = False,
) -> Votes:  # fmt: skip
    """Classify noisy versions of the graph and count how often each node is given each class.

    Same seed, same votes: they do not depend on `workers`, `batch_size`, `shard_samples`, nor on being interrupted.

    Args:
        model: any module called as model(x, edge_index) that returns logits (N, K). Models of `graphcert.models` take
            the sparse path, all others the generic one. Copies of it vote, in evaluation mode. What it says of a graph must
            not depend on the graphs that it has seen before; that is verified (docs/guarantees.md, models that remember).
        data: anything with `x` (N, D) and `edge_index` (2, 2E), undirected, without self-loops; binary features if the
            smoothing flips them.
        smoothing: the noise; a bare law L of features stands for `Smoothing(features=L)`. Under `Hierarchical` noise the
            model is shown D + 1 columns; the last one marks the rows that are noised.
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
            here, weights and attributes of edges are refused, because the call model(x, edge_index) leaves them out.
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
            called as model(x, edge_index), or has a wrong number of classes.
        UnsupportedError: for path="sparse" with a model that has no sparse first layer.
        VotesError: if `store` holds votes of another run.
    """
    for name, count in (("samples", samples), ("pilot_samples", pilot_samples), ("shard_samples", shard_samples)):
        whole(name, count, 1)
    if not isinstance(scores, bool):
        raise InputError(f"scores must be True or False, got {scores!r}")
    if path not in PATHS:
        raise InputError(f"unknown path {path!r}; choose one of {', '.join(PATHS)}")
    model, smoothing, ignore = model_checks.check_model(model), as_scheme(smoothing), ignored(ignore)
    problem = Problem.of(data, smoothing, seed, ignore)
    if alpha is not None:
        check_sample_size(samples, alpha, problem.nodes if claims is None else claims)
    model_checks.refuse_cached_normalisation(model)
    model_checks.refuse_unusable_parameters(model)
    with model_checks.evaluation_mode(model):
        with single_torch_thread():
            chosen = choose_path(problem, model, path)
        identity = identity_of(model, data_fingerprint(data), smoothing, seed, chosen.name)
        identity |= {"ignored": list(ignore)} if ignore else {}
        return take_votes(
            chosen, problem, identity, samples, pilot_samples, scores=scores, workers=workers, batch_size=batch_size,
            store=store, shard_samples=shard_samples, progress=progress,
        )  # fmt: skip


def choose_path(problem: Problem, model: nn.Module, path: str = "auto") -> Path:
    """The sparse path if the model has one and it reproduces the model's own forward pass, else the generic one."""
    call = model_checks.Call(model)
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
