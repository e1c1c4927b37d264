"""`sample_votes`: from a model, a graph and a smoothing scheme to votes."""

import os
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Any

import numpy as np
import torch
from llvmlite.binding import get_host_cpu_name
from torch import nn
from tqdm import tqdm

from graphcert._version import __version__
from graphcert.data import data_fingerprint
from graphcert.errors import InputError, UnsupportedError
from graphcert.models.base import SparseFirstModel
from graphcert.models.checkpoint import model_fingerprint
from graphcert.models.threads import single_torch_thread
from graphcert.noise import Scheme
from graphcert.sampling.philox import MAIN, PILOT
from graphcert.scores import Scores, mean_score_labels
from graphcert.sealed import to_json
from graphcert.statistics import check_sample_size
from graphcert.votes import Votes
from graphcert.voting.inspection import evaluation_mode, refuse_cached_normalisation, refuse_unusable_parameters
from graphcert.voting.parallel import Counter, default_workers, shards
from graphcert.voting.paths import GenericPath, Path, SparsePath
from graphcert.voting.problem import Problem
from graphcert.voting.store import ShardStore
from graphcert.voting.tally import ClassScoreTally, LabelScoreTally, Sums, Tally, VoteTally, added

STREAMS = 1
"""Version of the map from (seed, sample) to noise; votes of different versions are never mixed."""

PATHS = ("auto", "sparse", "generic")


def sample_votes(
    model: nn.Module,
    data: Any,
    smoothing: Scheme,
    samples: int,
    pilot_samples: int = 1000,
    seed: int = 0,
    *,
    alpha: float | None = None,
    claims: int | None = None,
    scores: bool = False,
    path: str = "auto",
    workers: int | None = None,
    batch_size: int | None = None,
    store: str | os.PathLike[str] | None = None,
    shard_samples: int = 1000,
    progress: bool = False,
) -> Votes:
    """Classify noisy versions of the graph and count how often each node is given each class.

    Same seed, same votes: they do not depend on `workers`, `batch_size`, `shard_samples`, nor on being interrupted.

    Args:
        model: any module called as model(x, edge_index) that returns logits (N, K). Models of `graphcert.models` take
            the sparse path, all others the generic one. The model is put into evaluation mode while it votes.
        data: anything with `x` (N, D) and `edge_index` (2, 2E), undirected, without self-loops; binary features if the
            smoothing flips them.
        smoothing: the noise. Under `Hierarchical` noise the model is shown D + 1 columns; the last one marks the rows that
            are noised.
        samples: number of final samples, which bound the probabilities.
        pilot_samples: number of independent samples that choose the labels.
        seed: whole number from 0 to 2^64 − 1.
        alpha: if given, refuse beforehand a number of samples that cannot certify anything at this level …
        claims: … over so many simultaneous claims (default: all nodes).
        scores: also keep sums of the class scores (softmax of the logits), for `certify_scores`. Takes somewhat longer.
        path: "auto", "sparse" or "generic". Both see the same noisy graphs; the votes' manifest says which one ran.
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
        DataError: for data that the guarantee does not speak about.
        ModelError: for cached normalisation, NaN, a model that is not deterministic, or a wrong number of classes.
        UnsupportedError: for path="sparse" with a model that has no sparse first layer.
        VotesError: if `store` holds votes of another run.
    """
    for name, value in (("samples", samples), ("pilot_samples", pilot_samples), ("shard_samples", shard_samples)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
    if not isinstance(scores, bool):
        raise InputError(f"scores must be True or False, got {scores!r}")
    if path not in PATHS:
        raise InputError(f"unknown path {path!r}; choose one of {', '.join(PATHS)}")
    problem = Problem.of(data, smoothing, seed)
    if alpha is not None:
        check_sample_size(samples, alpha, problem.nodes if claims is None else claims)
    refuse_cached_normalisation(model)
    refuse_unusable_parameters(model)
    with evaluation_mode(model):
        with single_torch_thread():
            chosen = choose_path(problem, model, path)
        identity = _identity(model, data, smoothing, seed, chosen.name) | ({"scores": True} if scores else {})
        folder = None if store is None else FilePath(store)
        counter = Counter(chosen, default_workers() if workers is None else workers, batch_size)
        shape = problem.nodes, chosen.classes
        with tqdm(total=pilot_samples + samples, unit=" samples", disable=not progress, desc="voting") as bar:
            run = partial(_count, counter, shard_samples, bar, folder)
            if scores:
                pilot = run("pilot", pilot_samples, identity, partial(ClassScoreTally, *shape))
                labels = mean_score_labels(pilot["class_sums"])
                # Whose score was added up depends on the pilot, so these shards belong to its labels.
                labelled = identity | {"labels": sha256(labels.tobytes()).hexdigest()}
                final = run("main", samples, labelled, partial(LabelScoreTally, *shape, labels))
            else:
                pilot, final = (
                    run(purpose, number, identity, lambda: VoteTally(np.zeros(shape, np.int64)))
                    for purpose, number in (("pilot", pilot_samples), ("main", samples))
                )
    return Votes(
        pilot.pop("counts"),
        final.pop("counts"),
        smoothing,
        total_variation=problem.sampler.total_variation,
        scores=Scores(pilot_sums=pilot["class_sums"], **final) if scores else None,
        manifest=identity,
    )


def choose_path(problem: Problem, model: nn.Module, path: str = "auto") -> Path:
    """The sparse path if the model has one and it reproduces the model's own forward pass, else the generic one."""
    if path != "generic" and isinstance(model, SparseFirstModel):
        sparse = SparsePath(problem, model)
        if sparse.agrees_with_torch():
            return sparse
    if path == "sparse":
        raise UnsupportedError(
            f"{type(model).__name__} has no sparse path, or its kernels disagree with its forward pass; "
            f"use path='generic'"
        )
    return GenericPath(problem, model)


def _identity(model: nn.Module, data: Any, smoothing: Scheme, seed: int, path: str) -> dict[str, Any]:
    """Everything that determines the votes."""
    return {
        "graphcert": __version__,
        "streams": STREAMS,
        "torch": torch.__version__,
        "processor": get_host_cpu_name(),  # vector sums may round differently on another one
        "seed": int(seed),
        "path": path,
        "smoothing": sha256(to_json(smoothing.to_dict()).encode()).hexdigest(),
        "data": data_fingerprint(data),
        "model": model_fingerprint(model),
    }


def _count(
    counter: Counter,
    shard: int,
    bar: "tqdm[Any]",
    folder: FilePath | None,
    purpose: str,
    samples: int,
    identity: dict[str, Any],
    tally: Callable[[], Tally],
) -> Sums:
    """All sums of one purpose, from the store in `folder` where it has them."""
    store = None if folder is None else ShardStore(folder, identity)
    total: Sums | None = None
    for start, stop in shards(samples, shard):
        sums = store.read(purpose, start, stop) if store else None
        if sums is None:
            sums = counter.count({"pilot": PILOT, "main": MAIN}[purpose], start, stop, bar.update, tally)
            if store:
                store.write(purpose, start, stop, sums)
        else:
            # Votes taken earlier must not count towards the rate.
            if not bar.disable:
                bar.initial += stop - start
            bar.update(stop - start)
        total = sums if total is None else added(total, sums)
    assert total is not None
    return total
