"""One changed graph, as what differs from the clean one, and how much of which budget the difference takes."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from graphcert.core.arrays import EDGE_VALUES, Integers, read_sealed, write_sealed
from graphcert.data.feature_tensors import dense_tensor
from graphcert.errors import DataError, InputError, UnsupportedError
from graphcert.noise import Budget, Scheme

KIND = "perturbation"
_UPWARD = 1 + 1e-12
"""A norm in float64 is below the exact one by less than this factor."""


class Distance(NamedTuple):
    """What a perturbation takes of every budget: counts, and the norm of the change under continuous noise, rounded up."""

    budget: Budget
    shift: float = 0.0

    def within(self, budget: Budget, shift: float) -> bool:
        """Whether a budget covers it."""
        counts = zip(self.budget.as_tuple(), budget.as_tuple(), strict=True)
        rows = budget.nodes is None or (self.budget.nodes or 0) <= budget.nodes
        return rows and self.shift <= shift and all(mine <= theirs for mine, theirs in counts)


@dataclass(frozen=True, eq=False)
class Perturbation:
    """What differs from the clean graph, in a fixed order, so that equal perturbations are equal bytes.

    Attributes:
        rows, columns: (M,) the features that change, each once.
        values: (M,) float32 their new values.
        edges: (2, E) the edges that are added if absent and deleted if present: (smaller, larger) end, or (source, target)
            in a directed graph.
    """

    rows: Integers
    columns: Integers
    values: NDArray[np.float32]
    edges: Integers

    @classmethod
    def of(
        cls, features: Sequence[tuple[int, int, float]] = (), edges: Sequence[tuple[int, int]] = ()
    ) -> "Perturbation":
        """From (row, column, new value) per feature and two ends per edge; of equal places the first counts."""
        places = {(int(row), int(column)): value for row, column, value in reversed(features)}
        found = sorted(places)
        pairs = sorted({(int(one), int(other)) for one, other in edges})
        rows, columns = np.array(found, np.int64).reshape(-1, 2).T
        return cls(
            rows, columns, np.array([places[p] for p in found], np.float32), np.array(pairs, np.int64).reshape(-1, 2).T
        )

    @classmethod
    def between(cls, clean: Any, changed: Any, directed: bool) -> "Perturbation":
        """What `changed` differs in from `clean`; raises `DataError` if it has other nodes or features."""
        old, new = (dense_tensor(graph.x).numpy() for graph in (clean, changed))
        if old.shape != new.shape:
            raise DataError(
                f"the perturbed graph has features of shape {new.shape} and the clean one {old.shape}; give a graph "
                f"with the same nodes and features"
            )
        rows, columns = np.nonzero(old != new)
        edges = np.setxor1d(_keys(clean.edge_index.numpy(), len(old)), _keys(changed.edge_index.numpy(), len(old)))
        source, target = np.divmod(edges, len(old))
        kept = np.ones(len(edges), np.bool_) if directed else source < target
        return cls(rows, columns, new[rows, columns], np.stack([source[kept], target[kept]]))

    def distance(self, data: Any, scheme: Scheme) -> Distance:
        """What it takes of every budget, seen from the clean graph `data` and counted as `scheme` counts."""
        old = data.x.numpy()[self.rows, self.columns]
        keys = _keys(self.edges, len(data.x))
        deleted = int(np.isin(keys, _keys(data.edge_index.numpy(), len(data.x))).sum())
        budget = Budget(edge_add=len(keys) - deleted, edge_delete=deleted)
        touched = int(np.unique(self.rows).size)
        if scheme.norm == "turn":
            raise UnsupportedError(
                "a change of single features is no turn of the whole input; attacks are not made of turns"
            )
        if scheme.norm:
            moved = np.abs(self.values.astype(np.float64) - old)
            norm = float(np.sqrt((moved**2).sum()) if scheme.norm == "ℓ2" else moved.sum()) * _UPWARD
            return Distance(replace(budget, nodes=touched) if scheme.selects_rows and touched else budget, norm)
        if scheme.hides_rows:  # a row may change at will
            return Distance(replace(budget, nodes=touched or None))
        counted = {"feature_add": int((self.values > old).sum()), "feature_delete": int((self.values < old).sum())}
        return Distance(replace(budget, **counted, nodes=touched if scheme.selects_rows and touched else None))

    def applied(self, data: Any, scheme: Scheme) -> Any:
        """A copy of the clean graph `data` with these changes; added edges carry what the scheme states."""
        changed, nodes = copy.copy(data), len(data.x)
        if self.rows.size:
            changed.x = data.x.clone()
            changed.x[self.rows, self.columns] = torch.from_numpy(self.values)
        if not self.edges.size:
            return changed
        clean = data.edge_index.numpy()
        toggled = self.edges if scheme.directed else np.concatenate([self.edges, self.edges[::-1]], axis=1)
        kept = ~np.isin(_keys(clean, nodes), _keys(toggled, nodes))
        added = toggled[:, ~np.isin(_keys(toggled, nodes), _keys(clean, nodes))]
        edges = np.concatenate([clean[:, kept], added], axis=1)
        order = np.lexsort(edges[::-1])
        changed.edge_index = torch.from_numpy(edges[:, order])
        for name in EDGE_VALUES:
            values = getattr(data, name, None)
            if values is not None:
                carried = _stated(name, values, added.shape[1], scheme)
                setattr(changed, name, torch.cat([values[torch.from_numpy(kept)], carried])[torch.from_numpy(order)])
        return changed

    def joined(self, other: "Perturbation") -> "Perturbation":
        """Both together; where both change a feature, this one decides, and an edge that both change changes once."""
        features = [*self.features, *other.features]
        return Perturbation.of(features, [*self.pairs, *other.pairs])

    @property
    def features(self) -> list[tuple[int, int, float]]:
        """(row, column, new value) of every feature that changes."""
        return list(zip(self.rows.tolist(), self.columns.tolist(), self.values.tolist(), strict=True))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """The edges that change."""
        return [(int(one), int(other)) for one, other in self.edges.T]

    def save(self, path: Path, facts: dict[str, Any]) -> None:
        """Write it with what is known about it; equal perturbations are equal bytes."""
        bits = self.values.view(np.int32).astype(np.int64)
        arrays = {"rows": self.rows, "columns": self.columns, "value_bits": bits, "edges": self.edges}
        write_sealed(path, {"kind": KIND, **facts}, arrays)

    @classmethod
    def load(cls, path: Path) -> "Perturbation":
        """Read back what `save` wrote; raises `DataError` for anything else."""
        facts, arrays = read_sealed(path, KIND, ("rows", "columns", "value_bits", "edges"), "attack the run again")
        rows, columns, bits, edges = arrays.values()
        if facts.get("kind") != KIND or not rows.shape == columns.shape == bits.shape or edges.shape[:1] != (2,):
            raise DataError(f"{path} is not a {KIND}; attack the run again")
        return cls(rows, columns, bits.astype(np.int32).view(np.float32), edges)


NOTHING = Perturbation.of()
"""No change."""


def refuse_outside(perturbation: Perturbation, data: Any, scheme: Scheme) -> None:
    """Raise `InputError` if claims under `scheme` do not speak about such a change of `data` at all."""
    distance = perturbation.distance(data, scheme)
    features, edges = perturbation.rows.size > 0, perturbation.edges.size > 0
    for channel, changes in (("features", features), ("edges", edges)):
        if changes and not scheme.perturbs(channel):
            raise InputError(
                f"the perturbed graph has other {channel}, which this run's noise leaves clean, so that it claims nothing "
                f"about it; change {'edges' if features else 'features'} only"
            )
    if distance.shift and any(distance.budget.as_tuple()):
        raise InputError("the perturbed graph has other real features and other edges; claims are about one of the two")


def _keys(edges: NDArray[Any], nodes: int) -> Integers:
    return np.asarray(edges[0].astype(np.int64) * nodes + edges[1])


def _stated(name: str, values: torch.Tensor, number: int, scheme: Scheme) -> torch.Tensor:
    """What so many added edges carry."""
    lower = scheme.unselected
    given = lower.added_weight if name == "edge_weight" else (lower.added_attr or 0.0)
    return values.new_zeros((number, *values.shape[1:])) + torch.tensor(given, dtype=values.dtype)
