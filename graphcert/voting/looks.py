"""Votes taken look by look, until every target is decided; who has stopped votes no more."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from graphcert.certificates.until import Until, undecided_nodes
from graphcert.core.arguments import target_mask
from graphcert.core.arrays import Integers, Mask
from graphcert.noise import Scheme
from graphcert.statistics import Looks
from graphcert.votes import Votes

Count = Callable[[int, int, Mask | None], Integers]
"""(start, stop, members) → (N, K) votes of the samples start … stop − 1, of these nodes alone; None for all nodes."""


@dataclass(frozen=True)
class Schedule:
    """When to look, and who goes on."""

    until: Until
    looks: Looks

    def take(self, count: Count, pilot: Integers, smoothing: Scheme, total_variation: float) -> Integers:
        """(N, K) votes: those of a node sum to the samples of the look at which it stopped."""
        nodes, members, start = len(pilot), None, 0
        counts = np.zeros_like(pilot)
        allowed = self.until.undecided * target_mask(self.until.targets, nodes).sum()
        for end in self.looks.ends:
            counts += count(start, end, members)
            if end == self.looks.ends[-1]:
                break
            votes = Votes(pilot, counts, smoothing, total_variation=total_variation, looks=self.looks, independent=True)
            going = undecided_nodes(self.until, votes)
            members = going if members is None else going & members
            if members.sum() <= allowed:
                break
            start = end
        return counts


def members_identity(members: Mask | None) -> dict[str, Any]:
    """What a shard says of who votes in it; nothing if all nodes do, as in votes without looks."""
    return {} if members is None else {"members": sha256(members.astype("u1").tobytes()).hexdigest()}


def members_mark(members: Mask | None) -> str:
    """What the name of a shard says of who votes in it: 16 digits, so that shards of other members lie beside it."""
    return str(members_identity(members).get("members", ""))[:16]


def members_from(votes: Votes, start: int) -> Mask | None:
    """(N,) who votes in a shard that begins at a sample, by votes that are there; None for all nodes."""
    members = votes.node_samples > start
    return None if votes.looks is None or start < votes.looks.ends[0] else members
