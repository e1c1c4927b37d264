"""`sample_point_votes`: from a model, a cloud of points and a smoothing scheme to votes of every point."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from graphcert.core.arguments import whole
from graphcert.core.arrays import Floats
from graphcert.noise import Law, Scheme, as_scheme
from graphcert.points.cloud import checked_points, points_fingerprint
from graphcert.points.point_model import PointModel
from graphcert.votes import Votes
from graphcert.voting.counting import identity_of, take_votes
from graphcert.voting.input_path import InputPath, ready_to_vote, rows_problem
from graphcert.voting.noisy_graph import Problem


class PointPath(InputPath):
    """A model of points, in evaluation mode, on noisy clouds of `size` (P,); every view shows the whole cloud."""

    name, kind = "points", "clouds"

    def _logits(self, model: nn.Module, given: Tensor) -> Tensor:
        logits: Tensor = model(given)
        return logits


def sample_point_votes(
    model: nn.Module, points: ArrayLike, smoothing: Scheme | Law, samples: int, pilot_samples: int = 1000, seed: int = 0,
    *, workers: int | None = None, batch_size: int | None = None, store: str | os.PathLike[str] | None = None,
    shard_samples: int | None = None, progress: bool | str = False, plans: Sequence[str] = (),
) -> Votes:  # fmt: skip
    """Show a model noisy versions of a cloud and count how often each point is given each class.

    Points are the P nodes. Under localized noise a point votes where the cloud carries the noise of its own cell; all cells
    share one draw per sample. Same seed, same votes: they do not depend on `workers`, `batch_size`, `shard_samples`, nor on
    being interrupted.

    Args:
        model: a `PointModel`, or a module that becomes one. Copies of it vote, in evaluation mode.
        points: (P, 3) coordinates. They are shown as they are, rounded to float32: nothing is centred or scaled.
        smoothing: noise of the coordinates, such as `Gaussian`, isotropic or localized with a partition such as
            `point_cells(points, 8)`; or `Rotation`. A bare law L stands for `Smoothing(features=L)`. Under `Hierarchical`
            noise the model is shown 4 columns; the last one marks the points that are noised.
        samples, pilot_samples, seed: as in `sample_votes`.
        batch_size: samples that a thread takes at a time (default: those of one call of the model).
        workers, store, shard_samples, plans: as in `sample_votes`.
        progress: show a bar with rate and remaining time; a text, such as the name of the cloud, names it.

    Returns:
        Votes with provenance in `manifest`.

    Raises:
        InputError: for a number outside its domain, or a partition of another number of points.
        ModelError: for NaN, other shapes than (B, P, K), a model that is not deterministic, remembers earlier clouds, or
            mixes the clouds of a batch.
        DataError: for points that are no finite triples, or that the noise does not speak about.
        UnsupportedError: for noise of edges, which clouds do not have.
        VotesError: if `store` holds votes of another run.
    """
    per_shard = 1 if shard_samples is None else shard_samples
    for name, count in (("samples", samples), ("pilot_samples", pilot_samples), ("shard_samples", per_shard)):
        whole(name, count, 1)
    values, smoothing = checked_points(points), as_scheme(smoothing)
    problem = point_problem(values, smoothing, seed)
    with identified_point_path(model, values, problem, smoothing, seed) as (path, identity):
        return take_votes(
            path, problem, identity, samples, pilot_samples, workers=workers,
            batch_size=path.unit if batch_size is None else batch_size, store=store, shard_samples=shard_samples,
            progress=progress, plans=plans,
        )  # fmt: skip


@contextmanager
def identified_point_path(
    model: nn.Module, points: Floats, problem: Problem, smoothing: Scheme, seed: int
) -> Iterator[tuple[PointPath, dict[str, Any]]]:
    """The path that votes about a cloud take, and everything that determines them."""
    wrapped = model if isinstance(model, PointModel) else PointModel(model)
    with ready_to_vote(wrapped):
        path = PointPath(problem, (len(points),), wrapped, wrapped.device, wrapped.batch)
        yield path, identity_of(wrapped, points_fingerprint(points), smoothing, seed, path.name)


def point_problem(points: Floats, smoothing: Scheme, seed: int) -> Problem:
    """The cloud as a graph of its points, without edges."""
    return rows_problem(points.astype(np.float32), smoothing, seed, "clouds of points")
