"""Laws by strength: one chain in which every law dominates the next, and the laws outside of it (theory, sections 1, 9)."""

from collections.abc import Sequence

import numpy as np

from graphcert.collective.linear import IntArray
from graphcert.noise import BernoulliFlip

OUTSIDE = -1
"""The rank of a law that is not on the chain."""


def chain_ranks(laws: Sequence[BernoulliFlip], used: IntArray) -> IntArray:
    """(L,) the place on the longest chain among the laws `used`, 0 for the strongest; OUTSIDE for all other laws.

    Along the chain a change does the more damage the earlier it stands, whatever else is changed, so an adversary who
    may choose among axes on the chain takes the earliest. Nothing of this kind is known about laws outside.
    """
    members = [int(law) for law in used]
    stronger = {
        (a, b): laws[a].dominates(laws[b]) and (a < b or not laws[b].dominates(laws[a]))
        for a in members for b in members if a != b
    }  # fmt: skip
    # Whoever dominates more laws comes first: a topological order of a transitive relation.
    members = sorted(members, key=lambda a: (-sum(stronger[a, b] for b in members if b != a), a))
    longest: dict[int, list[int]] = {}
    for a in reversed(members):
        tails = [longest[b] for b in longest if stronger[a, b]]
        longest[a] = [a, *max(tails, key=len, default=[])]
    ranks = np.full(len(laws), OUTSIDE, dtype=np.int64)
    if members:
        chain = max((longest[a] for a in members), key=len)
        ranks[chain] = np.arange(len(chain))
    return ranks


def dominance_matrix(laws: Sequence[BernoulliFlip]) -> np.typing.NDArray[np.bool_]:
    """(L, L) whether law [a] does at least as much damage as law [b], whatever else is changed."""
    return np.array([[a.dominates(b) for b in laws] for a in laws], dtype=np.bool_)
