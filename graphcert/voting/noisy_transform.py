"""Fresh noise for the training of a model of one's own, as a transform of torch_geometric."""

import copy
from hashlib import sha256
from typing import Any

from torch import Tensor
from torch.utils.data import get_worker_info
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from graphcert.errors import DataError
from graphcert.models.rownormalised import normalised_rows
from graphcert.noise import Law, Scheme, as_scheme
from graphcert.sampling.philox import TRAIN, seed_key
from graphcert.voting.generic_input import GenericInput
from graphcert.voting.model_call import EXTRAS
from graphcert.voting.noisy_graph import Problem, without_normalisation
from graphcert.voting.sparse_input import SparseInput


class NoisyTransform(BaseTransform):  # type: ignore[misc]
    """Shows a graph under fresh noise at every call, drawn as votes are drawn, from streams that no vote uses.

    The n-th call of a transform with the same seed on the same graph draws the same noise. In the workers of a
    `torch.utils.data.DataLoader` the noise also depends on the seed that torch gives to each of them, so that two of them
    never share it; `torch.manual_seed` makes it reproducible.

    Args:
        smoothing: the noise that the model will be certified under; a bare law stands for noise of the features. A localized
            scheme shows what every cluster puts on itself, `smoothing.nearest()`, as `train` does.
        seed: whole number from 0 to 2^64 − 1.

    Returns:
        From each call a shallow copy of the data with noisy `x` (N, D), or (N, D + 1) under `Hierarchical` noise, with noisy
        `edge_index`, and with `edge_weight` and `edge_attr` that belong to it; on the device and in the type of the data;
        sparse where `x` was sparse and noise leaves zeros. All other attributes are those of the data, but for `e_id`, which
        names clean edges. Where rows of bits were normalised beforehand, the bits are flipped and the noisy rows normalised,
        as `sample_votes` does.

    Raises:
        InputError: if `smoothing` is none.
        DataError: for data that cannot be voted on, as in `sample_votes`.
    """

    def __init__(self, smoothing: Scheme | Law, seed: int = 0) -> None:
        self.smoothing, self.seed, self.calls = as_scheme(smoothing), int(seed_key(seed)), 0
        self._last: tuple[list[tuple[Tensor, int]], int, tuple[GenericInput, bool]] | None = None

    def forward(self, data: Data) -> Data:
        """The data under the noise of the next call."""
        if not isinstance(data, Data):
            raise DataError(f"NoisyTransform takes a torch_geometric.data.Data, got {type(data).__name__}")
        self.calls += 1
        noisy, (source, normalised) = copy.copy(data), self._input(data)
        parts = source.union(TRAIN, self.calls, 1)
        x, edges, extras = parts[0], parts[1], parts[2:]
        x = normalised_rows(x) if normalised else x
        noisy.x, noisy.edge_index = x.to(data.x), edges.to(data.edge_index)
        for name, values in zip(source.problem.carried.names, extras, strict=True):
            noisy[name] = values.to(data[name])
        if "e_id" in noisy:
            del noisy.e_id
        return noisy

    def _input(self, data: Data) -> tuple[GenericInput, bool]:
        """What draws noise around a graph, and whether its rows are normalised; kept while the graph is unchanged."""
        seed = self._seed_here()
        parts = [data.x, data.edge_index, *(data.get(name) for name in EXTRAS)]
        state = [(part, part._version) for part in parts if isinstance(part, Tensor)]
        if self._last is not None:
            known, known_seed, kept = self._last
            same = len(state) == len(known) and all(
                a is b and v == w for (a, v), (b, w) in zip(state, known, strict=True)
            )
            if same and known_seed == seed:
                return kept
        bits = without_normalisation(data, self.smoothing)
        problem = Problem.of(data if bits is None else bits, self.smoothing.nearest(), seed, takes=EXTRAS)
        kept = (SparseInput if problem.draws_sparse_rows else GenericInput)(problem), bits is not None
        self._last = state, seed, kept
        return kept

    def _seed_here(self) -> int:
        """The seed of this process: a worker of a data loader has its own."""
        worker = get_worker_info()
        if worker is None:
            return self.seed
        return int.from_bytes(sha256(f"{self.seed} {worker.seed}".encode()).digest()[:8], "little")

    def __getstate__(self) -> dict[str, Any]:
        """A copy for another process draws the graph's noise anew."""
        return {**self.__dict__, "_last": None}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.smoothing!r}, seed={self.seed})"
