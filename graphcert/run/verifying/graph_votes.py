"""Votes about a graph against the model, the data, the settings and their own shards."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
from torch import nn
from torch_geometric.data import Data

from graphcert.core.arrays import Mask
from graphcert.noise import Scheme
from graphcert.run.folder import GraphFolder
from graphcert.run.verifying.comparing import Found, compared
from graphcert.run.verifying.folder import Inventory
from graphcert.run.verifying.resample import MACHINE, check_picked
from graphcert.run.verifying.shards import Ends, Shard, check_shards, same_sums, taken, voters_in
from graphcert.verification import Finding
from graphcert.votes import Votes, mean_score_labels, rival_slots
from graphcert.voting.again import vote_again
from graphcert.voting.looks import members_from
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import GraphPath
from graphcert.voting.room import Room
from graphcert.voting.sample import identified_path, problem_of
from graphcert.voting.vote_sums import Sums


class Voting(NamedTuple):
    """The path that took votes, as it is here and now, and everything that determines what it says."""

    path: GraphPath
    problem: Problem
    identity: Mapping[str, Any]


@contextmanager
def voting_of(module: nn.Module, data: Data, scheme: Scheme, seed: int, room: Room) -> Iterator[Voting]:
    """Prepare a model for voting exactly as a run does."""
    module, problem, shown = problem_of(module, data, scheme, seed)
    with identified_path(module, problem, shown, seed, row_normalised=shown is not data, room=room) as (path, identity):
        yield Voting(path, problem, identity)


class VoteFile(NamedTuple):
    """A file of votes with the shards beside it, whose names are relative to the folder of the run."""

    name: str
    votes: Votes
    shards: tuple[Shard, ...]

    @classmethod
    def of(cls, inventory: Inventory, name: str, votes: Votes) -> "VoteFile":
        """Votes and the shards that lie in the same folder."""
        place = name.rpartition("/")[0]
        beside = [other for other in inventory.files if other.rpartition("/")[0] == place and other != name]
        return cls(name, votes, tuple(map(Shard.of, beside)))

    def identities(self) -> dict[str, Any]:
        """What shards of each purpose say of what determined them: their manifest, and whose scores were added up."""
        made = {name: value for name, value in self.votes.manifest.items() if name not in ("plan", "until")}
        scores = self.votes.scores
        if scores is None:
            return {"pilot": made, "main": made}
        slots = rival_slots(scores.pilot_sums, mean_score_labels(scores.pilot_sums))
        return {"pilot": made, "main": made | {"labels": sha256(slots.tobytes()).hexdigest()}}

    def ends(self) -> Ends:
        """Per purpose the looks that some node reached."""
        last = int(self.votes.node_samples.max())
        looks = [last] if self.votes.looks is None else [end for end in self.votes.looks.ends if end <= last]
        return {"pilot": [self.votes.pilot_samples], "main": looks}

    def members(self) -> Callable[[int], Mask | None]:
        """(N,) who votes in final samples from one on, by these votes; None for all nodes."""
        return cache(partial(members_from, self.votes))

    def check_shards(self, inventory: Inventory, earlier: list[Ends], plans: list[str | None]) -> Found:
        """The shards are complete, of one origin, and add up to these votes."""
        votes, members = self.votes, self.members()
        own = inventory.folder, self.shards, self.identities()
        totals = yield from check_shards(*own, self.ends(), votes.nodes, earlier, plans, members)
        stored: dict[str, Sums] = {"pilot": {"counts": votes.pilot_counts}, "main": {"counts": votes.counts}}
        if votes.scores is not None:
            scores = votes.scores.arrays()
            stored["pilot"]["class_sums"] = scores.pop("pilot_sums")
            stored["main"] |= scores
        differing = same_sums(totals, stored)
        for name in differing:
            yield Finding("contradiction", self.name, f"{name} is not the sum of the shards")
        if not differing:
            yield Finding("recomputed", self.name, f"its counts are the sums of {len(self.shards):,} sealed shards")

    def check_origin(self, voting: Voting) -> Found:
        """What the votes say of their origin is what the model, the data and the settings give."""
        stated = {
            name: value
            for name, value in self.votes.manifest.items()
            if name not in ("plan", "until", "scores", *MACHINE)
        }
        known = {name: value for name, value in voting.identity.items() if name not in MACHINE}
        extra = {name: None for name in stated if name not in known}
        same = "its manifest names the model, the data, the scheme and the seed of this run"
        yield from compared(self.name, same, stated, {**known, **extra})

    def check_again(self, run: GraphFolder, chosen: list[Shard], voting: Voting, room: Room) -> Found:
        """The chosen ones of these shards, voted again by as many threads as have room."""
        threads = room.threads(voting.path, self.votes.scores is not None) if chosen else 1
        known = self.members()
        wanted = taken(self.ends(), self.votes.nodes, known)

        def voters(shard: Shard) -> Mask | None:
            return voters_in(shard, run.folder, wanted, known)

        def vote(shard: Shard) -> Sums:
            members = voters(shard)
            path = voting.path if members is None else voting.path.only(np.flatnonzero(members))
            return vote_again(
                path, voting.problem, *shard.range, self.votes.scores, workers=threads, progress=run.progress,
            )  # fmt: skip

        return check_picked(run.folder, chosen, vote, self.votes.manifest, voting.identity, voters)


def same_as_pilot(votes: Votes) -> bool:
    """Whether final votes repeat the pilot's although they are not unanimous, as copies do and chance does not."""
    equal = votes.pilot_counts.shape == votes.counts.shape and bool((votes.pilot_counts == votes.counts).all())
    return equal and bool((votes.counts.max(axis=1) < votes.node_samples).any())
