"""`sample_output_votes`: from a classifier of whole inputs and a smoothing scheme to votes about every input."""

import os
from collections.abc import Sequence
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from torch import nn

from graphcert.core.arguments import whole
from graphcert.core.arrays import Integers, to_json
from graphcert.core.progress import progress_bar
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import Gaussian, Law, Scheme, as_scheme
from graphcert.outputs.inputs import Inputs, OneInput, read_inputs
from graphcert.outputs.output_model import OutputModel
from graphcert.outputs.output_path import OutputPath
from graphcert.sampling.philox import seed_key
from graphcert.votes import Votes
from graphcert.voting.counting import Counter, counted_sums, identity_of, processors, shard_size
from graphcert.voting.model_checks import (
    evaluation_mode,
    refuse_cached_normalisation,
    refuse_training_layers,
    refuse_unusable_parameters,
)
from graphcert.voting.noisy_graph import Problem, ignored
from graphcert.voting.vote_sums import no_votes


def sample_output_votes(
    model: nn.Module, inputs: Inputs, smoothing: Scheme | Law, samples: int, pilot_samples: int = 1000, seed: int = 0, *,
    ignore: str | Sequence[str] = (), workers: int | None = None, batch_size: int | None = None,
    store: str | os.PathLike[str] | None = None, shard_samples: int | None = None, progress: bool | str = False,
    plans: Sequence[str] = (),
) -> Votes:  # fmt: skip
    """Classify noisy versions of every input and count how often it is given each class.

    N inputs are N claims. Their *rows* are what noise selects and what a budget of `nodes` counts: the pixels of an image,
    the points of a cloud, the entries of a vector, the nodes of a graph. Every input has noise of its own, drawn from the
    seed and its number; same seed, same votes: they do not depend on the other inputs, on `workers`, `batch_size`,
    `shard_samples`, nor on being interrupted.

    Args:
        model: an `OutputModel`, or a module that becomes one. Copies of it vote, in evaluation mode.
        inputs: images (N, C, H, W), clouds of points (N, P, D) or vectors (N, D), or a list of them, which may then differ
            in size; or a list of torch_geometric.data.Data, each with `x` (R, D) and `edge_index`. Numbers are taken as they
            are, as float32.
        smoothing: isotropic noise of the features, and of the edges of graphs; a bare law L stands for
            `Smoothing(features=L)`. Under `Hierarchical` noise the model is shown which rows are noised: as a channel more
            of images, a column more of points and nodes, and vectors as (B, D, 2).
        samples, pilot_samples, seed: as in `sample_votes`.
        ignore: attributes of graphs that the classifier does without, as in `sample_votes`.
        batch_size: samples that a thread takes at a time (default: those of one call of the model).
        workers, plans: as in `sample_votes`.
        store: folder for shards of votes, one folder per input in it; an interrupted call continues from them.
        shard_samples: samples of an input per shard (default: 1,000).
        progress: show a bar with rate and remaining time; a text names it.

    Returns:
        Votes with `rows`, and provenance in `manifest`.

    Raises:
        InputError: for a number outside its domain, no inputs, or localized noise.
        DataError: for inputs that the noise does not speak about.
        ModelError: for NaN, other shapes than (B, K), a model that is not deterministic, remembers earlier inputs, or mixes
            the inputs of a batch.
        UnsupportedError: for noise of edges on inputs that have none.
        VotesError: if `store` holds votes of another run.
    """
    listed, scheme = read_inputs(inputs), as_scheme(smoothing)
    voting = OutputVoting(model, listed, [scheme] * len(listed), seed, ignored(ignore))
    found = voting.take(
        samples, pilot_samples, workers=workers, batch_size=batch_size, store=store, shard_samples=shard_samples,
        progress=progress, plans=plans,
    )  # fmt: skip
    return voting.votes(found, plans)


def sample_elastic_votes(
    model: nn.Module, inputs: Inputs, sigma: ArrayLike, samples: int, pilot_samples: int = 1000, seed: int = 0, *,
    lattice: float | None = None, ignore: str | Sequence[str] = (), workers: int | None = None,
    batch_size: int | None = None, store: str | os.PathLike[str] | None = None, shard_samples: int | None = None,
    progress: bool | str = False, plans: Sequence[str] = (),
) -> list[Votes]:  # fmt: skip
    """Votes of every input under Gaussian noise of its own deviation, for `certify_elastic`.

    Args:
        model, inputs: as in `sample_output_votes`.
        sigma: (N,) standard deviations, such as `elastic_sigma` gives them.
        lattice: as in `Gaussian`.
        samples, pilot_samples, seed, ignore, workers, batch_size, store, shard_samples, progress, plans: as in
            `sample_output_votes`.

    Returns:
        N `Votes`, each about one input.

    Raises:
        InputError, DataError, ModelError, VotesError: as `sample_output_votes`.
    """
    listed, deviations = read_inputs(inputs), np.asarray(sigma, np.float64)
    if deviations.shape != (len(listed),):
        raise InputError(
            f"sigma must be one deviation per input, {len(listed)} in all, got the shape {deviations.shape}"
        )
    schemes = [as_scheme(Gaussian(one, lattice)) for one in deviations.tolist()]
    voting = OutputVoting(model, listed, schemes, seed, ignored(ignore))
    found = voting.take(
        samples, pilot_samples, workers=workers, batch_size=batch_size, store=store, shard_samples=shard_samples,
        progress=progress, plans=plans,
    )  # fmt: skip
    return [voting.votes_about(number, counts, plans) for number, counts in enumerate(found)]


class InputCounts(NamedTuple):
    """(K,) pilot and final votes about one input, and the total variation of its sampler."""

    pilot: Integers
    final: Integers
    total_variation: float


class OutputVoting:
    """Inputs with a scheme of noise each, and the model that votes about them."""

    def __init__(
        self, model: nn.Module, inputs: Sequence[OneInput], schemes: Sequence[Scheme], seed: int,
        ignore: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        seed_key(seed)
        self.model = model if isinstance(model, OutputModel) else OutputModel(model)
        self.inputs, self.seed, self.ignore = inputs, seed, ignore
        refuse_unfit(inputs, schemes)
        self.schemes = [*schemes] if inputs[0].shape else self._on_graphs(schemes)
        refuse_cached_normalisation(self.model)
        refuse_unusable_parameters(self.model)

    def _on_graphs(self, schemes: Sequence[Scheme]) -> list[Scheme]:
        """The schemes with what they have to say of edges: the same for all graphs."""
        directed, values = False, None
        for number, scheme in enumerate(schemes):
            found = self._problem(number, scheme).smoothing
            directed, values = directed or found.directed, max(values, found.edge_values, key=_VALUES.index)
        return [scheme.on_graph(directed, values) for scheme in schemes]

    def _problem(self, number: int, scheme: Scheme) -> Problem:
        takes, ignore = self.model.extras, self.ignore
        return Problem.of(self.inputs[number].data, scheme, input_seed(self.seed, number), ignore, takes)

    def problem(self, number: int) -> Problem:
        """One input as the graph of its rows, with the sampler of its noise."""
        return self._problem(number, self.schemes[number])

    @cached_property
    def data(self) -> str:
        """64 hexadecimal digits that name all inputs in their order."""
        return sha256(" ".join(one.fingerprint(self.ignore) for one in self.inputs).encode()).hexdigest()

    def identity(self, number: int) -> dict[str, Any]:
        """Everything that determines the votes about one input."""
        smoothing = sha256(to_json(self.schemes[number].to_dict()).encode()).hexdigest()
        own = {"data": self.inputs[number].fingerprint(self.ignore), "smoothing": smoothing, "input": number}
        return {**self._common, **own}

    @cached_property
    def _common(self) -> dict[str, Any]:
        """What does not differ from input to input."""
        found = identity_of(self.model, "", self.schemes[0], self.seed, OutputPath.name)
        return found | ({"ignored": list(self.ignore)} if self.ignore else {})

    def path(self, number: int = 0) -> OutputPath:
        """The path that votes take, after all checks of the model on one input; in evaluation mode only."""
        refuse_training_layers(self.model)
        return OutputPath(self.problem(number), self.inputs[number], self.model)

    def take(
        self, samples: int, pilot_samples: int, *, workers: int | None = None, batch_size: int | None = None,
        store: str | os.PathLike[str] | None = None, shard_samples: int | None = None, progress: bool | str = False,
        plans: Sequence[str] = (),
    ) -> list[InputCounts]:  # fmt: skip
        """Votes about every input in turn; arguments are those of `sample_output_votes`."""
        per_shard = shard_size(1) if shard_samples is None else shard_samples
        for name, count in (("samples", samples), ("pilot_samples", pilot_samples), ("shard_samples", per_shard)):
            whole(name, count, 1)
        title = progress if isinstance(progress, str) else "voting"
        total = len(self.inputs) * (samples + pilot_samples)
        with (
            evaluation_mode(self.model),
            progress_bar(total, "samples", title, progress) as bar,
        ):
            counter = Counter(self.path(), processors() if workers is None else workers, batch_size)
            run = partial(self._counted, counter, per_shard, bar, None if store is None else Path(store), tuple(plans))
            return [run(number, {"pilot": pilot_samples, "main": samples}) for number in range(len(self.inputs))]

    def _counted(
        self, counter: Counter, shard: int, bar: Any, store: Path | None, plans: tuple[str, ...], number: int,
        samples: dict[str, int],
    ) -> InputCounts:  # fmt: skip
        problem, one, identity = self.problem(number), self.inputs[number], self.identity(number)
        paths = [path.on(problem, one) for path in counter.paths if isinstance(path, OutputPath)]
        folder = None if store is None else store / input_name(number)
        pilot, final = (
            counted_sums(
                counter.over(paths), shard, bar, folder, plans, purpose, count, identity,
                partial(no_votes, 1, paths[0].classes),
            )["counts"][0]
            for purpose, count in samples.items()
        )  # fmt: skip
        return InputCounts(pilot, final, problem.sampler.total_variation)

    def votes_about(self, number: int, found: InputCounts, plans: Sequence[str] = ()) -> Votes:
        """Votes about one input."""
        manifest = self.identity(number) | ({"plan": plans[-1]} if plans else {})
        return Votes(
            found.pilot[None], found.final[None], self.schemes[number], total_variation=found.total_variation,
            manifest=manifest, rows=np.array([self.inputs[number].rows]), independent=True,
        )  # fmt: skip

    def votes(self, found: Sequence[InputCounts], plans: Sequence[str] = ()) -> Votes:
        """All votes in one, for inputs under one scheme."""
        smoothing = self.identity(0)["smoothing"]
        manifest = {**self._common, "data": self.data, "smoothing": smoothing} | ({"plan": plans[-1]} if plans else {})
        return Votes(
            np.array([one.pilot for one in found]), np.array([one.final for one in found]), self.schemes[0],
            total_variation=max(one.total_variation for one in found), manifest=manifest,
            rows=np.array([one.rows for one in self.inputs]), independent=True,
        )  # fmt: skip


def refuse_unfit(inputs: Sequence[OneInput], schemes: Sequence[Scheme]) -> None:
    """Raise an error unless noise suits inputs: no clusters, enough rows, and no edges flipped where there are none."""
    rows = np.array([one.rows for one in inputs])
    for scheme in dict.fromkeys(schemes):
        scheme.check_outputs(len(inputs), rows)
        if inputs[0].shape and scheme.perturbs("edges"):
            raise UnsupportedError(
                "these inputs are arrays, which have no edges to perturb; smooth their features only"
            )


_VALUES = (None, "as added", "own")
"""What edges carry, the more particular the later."""


def input_seed(seed: int, number: int) -> int:
    """The seed of the noise of one input: 64 bits of a hash of the seed and the number of the input."""
    return int.from_bytes(sha256(f"{int(seed)} {number}".encode()).digest()[:8], "big")


def input_name(number: int) -> str:
    """The name of the folder of shards of one input."""
    return f"{number:06d}"
