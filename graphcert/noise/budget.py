"""Budget axes: what an adversary may change, and how much of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsIndex

from graphcert.core.arguments import whole

AXES = ("feature_add", "feature_delete", "edge_add", "edge_delete")
"""The four (channel, operation) axes of binary perturbations, in the order used everywhere."""

Counts = int | Iterable[int]
"""One budget, or the budgets along an axis of a grid or sweep."""


def count(name: str, value: SupportsIndex) -> int:
    """Return `value` as a non-negative integer, or raise `InputError` naming the budget."""
    return whole(f"the budget {name}", value)


@dataclass(frozen=True)
class Budget:
    """How many feature bits and edges an adversary may add and delete (counts, each ≥ 0; an edge counts once).

    Attributes:
        feature_add, feature_delete: feature bits set and cleared, over all nodes together.
        edge_add, edge_delete: edges inserted and removed; every direction counts under a directed scheme.
        nodes: the most nodes whose features change; None for no limit. It matters under `Hierarchical` smoothing. Under
            ablation, where a row may change at will, `nodes` without feature bits stands for any change of so many rows.
    """

    feature_add: int = 0
    feature_delete: int = 0
    edge_add: int = 0
    edge_delete: int = 0
    nodes: int | None = None

    def __post_init__(self) -> None:
        for axis in AXES:
            object.__setattr__(self, axis, count(axis, getattr(self, axis)))
        if self.nodes is not None:
            object.__setattr__(self, "nodes", count("nodes", self.nodes))

    def as_tuple(self) -> tuple[int, int, int, int]:
        """The four counts in the order of `AXES`; without `nodes`."""
        return (self.feature_add, self.feature_delete, self.edge_add, self.edge_delete)
