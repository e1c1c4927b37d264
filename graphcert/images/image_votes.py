"""`sample_image_votes`: from a segmentation model, an image and a smoothing scheme to votes of every pixel."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from numpy.typing import ArrayLike
from torch import nn

from graphcert.core.arguments import whole
from graphcert.images.image_files import image_fingerprint, pixel_values
from graphcert.images.image_model import ImageModel
from graphcert.images.image_path import ImagePath
from graphcert.models.base import Floats
from graphcert.noise import Law, Scheme, as_scheme
from graphcert.votes import Votes
from graphcert.voting.counting import identity_of, take_votes
from graphcert.voting.input_path import ready_to_vote, rows_problem
from graphcert.voting.noisy_graph import Problem


def sample_image_votes(
    model: nn.Module, image: ArrayLike, smoothing: Scheme | Law, samples: int, pilot_samples: int = 1000, seed: int = 0,
    *, reach: int | None = None, workers: int | None = None, batch_size: int | None = None,
    store: str | os.PathLike[str] | None = None, shard_samples: int | None = None, progress: bool | str = False,
    plans: Sequence[str] = (),
) -> Votes:  # fmt: skip
    """Segment noisy versions of an image and count how often each pixel is given each class.

    Pixels are the N = H · W nodes of the image's grid graph, row by row. Under localized noise a pixel votes where the
    image carries the noise of its own cell; all cells share one draw per sample. Same seed, same votes: they do not depend
    on `workers`, `batch_size`, `shard_samples`, nor on being interrupted.

    Args:
        model: an `ImageModel`, or a module that becomes one. Copies of it vote, in evaluation mode.
        image: (H, W, C) uint8, or floats in [0, 1].
        smoothing: noise of the channel values, isotropic or localized with a partition such as
            `GridGraph(H, W).cells(rows, columns)`; a bare law L stands for `Smoothing(features=L)`. Under `Hierarchical`
            noise the model is shown C + 1 channels; the last one marks the pixels that are noised.
        samples, pilot_samples, seed: as in `sample_votes`.
        reach: how many pixels away a pixel can influence a logit; a cell is then computed from no more than that around
            it. By default what the model declares; whole images if it declares nothing. It is verified, not believed.
        batch_size: samples that a thread takes at a time (default: those of one call of the model).
        workers, store, shard_samples, plans: as in `sample_votes`.
        progress: show a bar with rate and remaining time; a text, such as the image's name, names it.

    Returns:
        Votes with provenance in `manifest`.

    Raises:
        InputError: for a number outside its domain, an image that is none, or a partition of another number of pixels.
        ModelError: for NaN, other shapes than (B, K, H, W), a model that is not deterministic, remembers earlier images,
            mixes the images of a batch, or sees further than `reach`.
        DataError: for an image that the noise does not speak about, such as a grey one under flips of bits.
        UnsupportedError: for noise of edges, which images do not have.
        VotesError: if `store` holds votes of another run.
    """
    per_shard = 1 if shard_samples is None else shard_samples
    for name, count in (("samples", samples), ("pilot_samples", pilot_samples), ("shard_samples", per_shard)):
        whole(name, count, 1)
    reach = None if reach is None else whole("reach", reach)
    values, smoothing = pixel_values(image), as_scheme(smoothing)
    problem = image_problem(values, smoothing, seed)
    with identified_image_path(model, values, problem, smoothing, seed, reach) as (path, identity):
        batch_size = path.unit if batch_size is None else batch_size
        return take_votes(
            path, problem, identity, samples, pilot_samples, workers=workers, batch_size=batch_size, store=store,
            shard_samples=shard_samples, progress=progress, plans=plans,
        )  # fmt: skip


@contextmanager
def identified_image_path(
    model: nn.Module, values: Floats, problem: Problem, smoothing: Scheme, seed: int, reach: int | None = None
) -> Iterator[tuple[ImagePath, dict[str, Any]]]:
    """The path that votes about an image take, and everything that determines them."""
    wrapped = model if isinstance(model, ImageModel) else ImageModel(model)
    with ready_to_vote(wrapped):
        path = ImagePath(problem, values.shape[:2], wrapped, wrapped.reach if reach is None else reach)
        identity = identity_of(wrapped, image_fingerprint(values), smoothing, seed, path.name)
        yield path, identity | {"reach": path.reach}


def image_problem(values: Floats, smoothing: Scheme, seed: int) -> Problem:
    """The image as the graph of its pixels, without edges."""
    instead = ", or classify GridGraph.data(image) with sample_votes"
    return rows_problem(values.reshape(-1, values.shape[2]), smoothing, seed, "images", instead)
