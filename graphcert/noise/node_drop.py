"""Whole nodes are dropped with all their edges: the noise against nodes that an adversary adds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphcert.core.arguments import probability
from graphcert.errors import InputError
from graphcert.noise.bernoulli_flip import BernoulliFlip
from graphcert.noise.scheme import EdgeValues, Scheme
from graphcert.noise.smoothing import Smoothing


@dataclass(frozen=True)
class NodeDrop(Scheme):
    """Every node loses all its edges with probability `nodes`, and every edge is deleted with probability `edges`.

    All draws are independent (theory, section 12; Lai et al. 2023 and 2024). A node that is dropped stays and is classified
    by its own features. A node that an adversary adds is dropped like any other, so what comes through it is seen seldom:
    `Certificate.injection` says against how many new nodes labels are safe. Graphs are undirected.

    Attributes:
        nodes: p_n, the probability that a node is dropped.
        edges: p_e, the probability that an edge is deleted, whatever happens to its ends.

    Raises:
        InputError: if one is no probability, or both are 0.
    """

    nodes: float
    edges: float = 0.0

    def __post_init__(self) -> None:
        for name, words in (("nodes", "a node is dropped"), ("edges", "an edge is deleted")):
            value = probability(f"the probability '{name}' that {words}", getattr(self, name))
            object.__setattr__(self, name, value)
        if self.nodes == self.edges == 0:
            raise InputError("NodeDrop(nodes=0, edges=0) drops nothing; give one of them above 0")

    @property
    def partition(self) -> None:
        """The noise is the same everywhere."""
        return None

    @property
    def dropped_nodes(self) -> float:
        """See `Scheme.dropped_nodes`."""
        return self.nodes

    @property
    def unselected(self) -> Smoothing:
        """Deletions of edges that look the same for every edge by itself."""
        return Smoothing(edges=BernoulliFlip(0.0, 1.0 - (1.0 - self.edges) * (1.0 - self.nodes) ** 2))

    @property
    def flips_only(self) -> bool:
        """The edges of a node vanish together, so they are not flipped independently."""
        return False

    def levels(self, channel: str) -> tuple[Any, ...]:
        """The deletion of edges besides those of dropped nodes; features stay as they are."""
        return (BernoulliFlip(0.0, self.edges),) if channel == "edges" else ()

    def perturbs(self, channel: str) -> bool:
        """See `Scheme.perturbs`."""
        return channel == "edges"

    def on_graph(self, directed: bool, edge_values: EdgeValues | None) -> "NodeDrop":
        """See `Scheme.on_graph`; raises `InputError` for a directed graph."""
        if directed:
            raise InputError("NodeDrop is for undirected graphs; list both directions of every edge")
        return self

    def as_added(self) -> "NodeDrop":
        """The same: this noise adds no edges."""
        return self

    def nearest(self) -> "NodeDrop":
        """The same: the noise is the same everywhere."""
        return self

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON and TOML ready); `from_dict` inverts it exactly."""
        return {"drop": {"nodes": self.nodes, "edges": self.edges}}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "NodeDrop":
        """Rebuild a scheme from `to_dict`; raises `InputError` on anything else."""
        rates = description.get("drop") if isinstance(description, Mapping) else None
        if not isinstance(rates, Mapping) or set(rates) != {"nodes", "edges"} or set(description) != {"drop"}:
            raise InputError(f"dropped nodes are described by drop = {{nodes, edges}}, got {description!r:.200}")
        return cls(rates["nodes"], rates["edges"])
