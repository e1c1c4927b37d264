"""What edges carry beside their two ends: it stays with those that survive, and edges that noise adds get a stated value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graphcert.core.arrays import EDGE_VALUES
from graphcert.data import check_edge_values
from graphcert.errors import InputError
from graphcert.noise import EdgeValues, Scheme, Smoothing
from graphcert.sampling.csr import CSR
from graphcert.sampling.edges import clean_places

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CarriedValues:
    """Weights and attributes of the edges of a clean graph, and those of edges that are added.

    `arrays` hold per name (E + 1, …) the values of the clean edges by target, then source, and in the last place the one of
    added edges.
    """

    arrays: Mapping[str, Values]

    @classmethod
    def of(cls, data: Any, names: Sequence[str], smoothing: Scheme) -> "CarriedValues":
        """Those of `names` that the data have.

        Raises:
            DataError: for values that are not finite float32 numbers, one entry per edge.
            InputError: if noise adds edges whose attributes the scheme does not state, or it states what no edge carries.
        """
        scheme, found = smoothing.unselected, {}
        source, target = data.edge_index.cpu().numpy()
        order = np.lexsort((source, target))
        for name in EDGE_VALUES:
            values = getattr(data, name, None) if name in names else None
            if values is None:
                _refuse_stated(name, scheme)
                continue
            check_edge_values(name, values, source.size)
            array = values.detach().cpu().numpy()[order]
            found[name] = np.concatenate([array, _added(name, array.shape[1:], scheme)[None]])
        return cls(found)

    @property
    def names(self) -> tuple[str, ...]:
        """What a model is shown beside x and edge_index, in this order."""
        return tuple(self.arrays)

    @property
    def kind(self) -> EdgeValues | None:
        """Whether some clean edge carries something else than added ones; None if edges carry nothing."""
        if not self.arrays:
            return None
        return "own" if any((array[:-1] != array[-1]).any() for array in self.arrays.values()) else "as added"

    def on(self, noisy: CSR, clean: CSR) -> tuple[Tensor, ...]:
        """Per name what the edges of a noisy graph carry, in the order in which they stand there."""
        if not self.arrays:
            return ()
        places = clean_places(noisy.indptr, noisy.indices, clean.indptr, clean.indices)
        return tuple(torch.from_numpy(array[places]) for array in self.arrays.values())

    def made_up(self, edges: int, rng: np.random.Generator) -> tuple[Values, ...]:
        """Per name values for so many edges of another graph: those of clean edges in random order, or of added ones."""
        order = rng.permutation(max(edges, len(next(iter(self.arrays.values()), ())) - 1))[:edges]
        return tuple(array[np.minimum(order, len(array) - 1)] for array in self.arrays.values())


NO_VALUES = CarriedValues({})
"""Of edges that carry nothing."""


def _added(name: str, shape: tuple[int, ...], scheme: Smoothing) -> Values:
    """What added edges carry, of the shape (…) of one edge's value."""
    if name == "edge_weight":
        return np.array(scheme.added_weight, np.float32)
    if scheme.added_attr is None:
        if any(law.add > 0 for law in scheme.levels("edges")):
            number = int(np.prod(shape))
            raise InputError(
                f"the data have edge_attr, and the noise adds edges; say what they carry, "
                f"Smoothing(…, added_attr=({', '.join(['0.0'] * min(number, 3))}{', …' if number > 3 else ','})), or take "
                f"noise that adds none"
            )
        return np.zeros(shape, np.float32)
    if len(scheme.added_attr) != (number := int(np.prod(shape))):
        raise InputError(f"added_attr has {len(scheme.added_attr)} numbers; give {number}, as edge_attr has per edge")
    return np.array(scheme.added_attr, np.float32).reshape(shape)


def _refuse_stated(name: str, scheme: Smoothing) -> None:
    """Raise `InputError` if the scheme says what added edges carry although no edge carries it."""
    stated = scheme.added_weight != 1 if name == "edge_weight" else scheme.added_attr is not None
    if stated:
        field = "added_weight" if name == "edge_weight" else "added_attr"
        raise InputError(f"the model is shown no {name} of these data; leave {field} out of the smoothing")
