"""Votes of the samplers of the package, for models whose probabilities are known to the last digit.

Every node of a graph looks at numbers of its own, so nodes are independent, and one call gives thousands of runs: run r has
the nodes r·N … (r + 1)·N − 1.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch_geometric.data import Data

import graphcert as gc
from graphcert.noise import Scheme
from graphcert.votes import Scores, Votes

Vote = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(x, edge_index) → (N,) whether a node is given class 0."""


class Certain(torch.nn.Module):
    """Class 0 or 1, with a score of 1 or nearly so."""

    def __init__(self, vote: Vote) -> None:
        super().__init__()
        self.vote = vote

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        first = self.vote(x, edge_index).float()
        return 40 * torch.stack([first, 1 - first], dim=1)


def below(limit: float) -> Vote:
    """Class 0 where the own number is at most `limit`; a bit that is not set is 0."""
    return lambda x, edge_index: x[:, 0] <= limit


def an_edge_of_two(x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
    """Class 0 where the own edge is there, or that of the node after the next one."""
    there = torch.zeros(len(x), dtype=torch.bool)
    there[edge_index[0]] = True
    return there | there.roll(-2)


def hidden_only_beside_hidden(x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
    """Class 0 where the own row is seen, or that of the next node is hidden."""
    hidden = x[:, -1] > 0
    return ~hidden | hidden.roll(-1)


def sampled(
    vote: Vote, scheme: Scheme, runs: int, nodes: int, samples: int, pilot: int, seed: int, *, spread: int = 1,
    large: Scheme | None = None, scores: bool = False,
) -> list[Votes]:  # fmt: skip
    """The votes of each of so many runs of `nodes` nodes, all features 0, in a graph of disjoint edges.

    Args:
        spread: only every so many nodes vote for themselves; the others are there to be looked at.
        large: the scheme of all runs together, if it differs from that of one.
    """
    total = runs * nodes * spread
    ends = torch.arange(total - total % 2).reshape(-1, 2).T
    data = Data(x=torch.zeros(total, 1), edge_index=torch.cat([ends, ends.flip(0)], dim=1))
    found = gc.sample_votes(
        Certain(vote), data, large or scheme, samples, pilot, seed, scores=scores, workers=1, path="generic"
    )
    return [part(found, slice(at, at + nodes * spread, spread), scheme) for at in range(0, total, nodes * spread)]


def part(votes: Votes, rows: slice, scheme: Scheme) -> Votes:
    """The votes of some nodes as if they were a graph of their own."""
    given = votes.scores
    scores = None if given is None else Scores(**{name: array[rows] for name, array in given.arrays().items()})
    return Votes(
        np.array(votes.pilot_counts[rows]), np.array(votes.counts[rows]), scheme,
        total_variation=votes.total_variation, scores=scores, independent=True,
    )  # fmt: skip
