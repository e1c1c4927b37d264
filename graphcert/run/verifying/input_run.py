"""A run over inputs of their own: votes against the network and the inputs, and every result against the votes."""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property, partial
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from graphcert.core.arrays import to_json
from graphcert.core.reading import PER_CHARACTER, read_bytes
from graphcert.noise import Scheme
from graphcert.run.commitment import PLAN, Plan, chosen_after, plan_digest, planned_again, read_plans
from graphcert.run.folder import MANIFEST
from graphcert.run.inputs import RESULTS, SETTINGS, InputRun, InputSettings
from graphcert.run.verifying.comparing import Found, check_last_look, compared, settled
from graphcert.run.verifying.folder import Inventory
from graphcert.run.verifying.resample import MACHINE, check_picked, picked, what_is_left
from graphcert.run.verifying.shards import Shard, check_shards
from graphcert.verification import Finding
from graphcert.verification.run_files import StoredVotes
from graphcert.votes import Votes
from graphcert.voting.again import vote_again
from graphcert.voting.counting import processors
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.paths import Path
from graphcert.voting.vote_sums import Sums


class SampledSettings(InputSettings, Protocol):
    """What the settings say about votes."""

    @property
    def samples(self) -> int:
        """Final samples."""

    @property
    def pilot_samples(self) -> int:
        """Samples that choose classes."""


class ClaimedSettings(SampledSettings, Protocol):
    """What they say about votes and claims of SegCertify."""

    @property
    def tau(self) -> float:
        """τ of SegCertify."""


class Named(Protocol):
    """An input with a name that no other one of the run has."""

    @property
    def name(self) -> str:
        """The name."""


Settings = TypeVar("Settings", bound=SampledSettings)
Claimed = TypeVar("Claimed", bound=ClaimedSettings)
Input = TypeVar("Input", bound=Named)


class InputVotes(NamedTuple, Generic[Input]):
    """One input under one noise, and the shards of its votes, which lie at `place` in the folder."""

    place: str
    input: Input
    scheme: Scheme
    shards: tuple[Shard, ...]


class RunChecks(ABC, Generic[Settings]):
    """The checks of one run over inputs; `resample` says how many shards are voted again.

    Class attributes:
        column: of the tables, which names the input.
    """

    column: ClassVar[str]
    settings: Settings

    def __init__(self, inventory: Inventory, run: InputRun[Settings, Any, Any], resample: int) -> None:
        self.inventory, self.run, self.resample = inventory, run, resample
        self.manifest, self.plans = run.manifest(), tuple[Plan, ...]()

    def check(self) -> Found:
        """Everything; results are made again only from votes that nothing speaks against, for that takes votes that lack."""
        holds = True
        for where, check in ((SETTINGS, self._settings), (PLAN, self._plan), ("votes", self._votes)):
            for finding in settled(where, check):
                holds &= finding.kind != "contradiction"
                yield finding
            if not hasattr(self, "network"):
                return
        yield from settled(MANIFEST, self._results if holds else self._looks)

    @abstractmethod
    def _settings(self) -> Found:
        """The settings, the inputs and the network are those that the manifest names; sets `network` if it is there."""

    @cached_property
    @abstractmethod
    def _planned(self) -> Plan:
        """The plan of this run, as its settings and inputs give it."""

    @abstractmethod
    def _votes(self) -> Found:
        """The votes of every input are whole, of one origin and complete; some are voted again; and what they prove."""

    @abstractmethod
    def _look(self) -> dict[str, Any]:
        """What distinguishes the claims of this run from others about its votes, besides samples and α."""

    def _plan(self) -> Found:
        """What was committed to before the final votes is what the run is."""
        self.plans = read_plans(self.run.folder)
        if not self.plans:
            yield Finding(
                "believed", "votes", "that claims and budgets were chosen before the votes: the run has no plan"
            )
            return
        free = ("certificate", "previous", "graphcert")
        plan, known = (
            {n: value for n, value in one.items() if n not in free} for one in (self.plans[-1], self._planned)
        )
        same = f"{self.column}s, network, noise, seed and samples are as planned"
        yield from compared(PLAN, same, plan, known)
        for sentence in chosen_after(self.plans[-1], self._planned):
            yield Finding("believed", PLAN, f"that this was not chosen to please: {sentence}")
        sha = plan_digest(self.plans[0])
        yield Finding(
            "believed", PLAN, f"that plan {sha} was made first: compare it with the one that was published before"
        )

    def _looks(self) -> Found:
        """The manifest lists the look at these claims, and says what was chosen after the votes."""
        names = ("samples", "pilot_samples", "alpha")
        look = {**{name: getattr(self.settings, name) for name in names}, **self._look()}
        yield from check_last_look(self.run.looks(), look)
        said = chosen_after(self.plans[-1], self._planned) if self.plans else []
        known = {"chosen_after_votes": [*planned_again(self.plans), *said]}
        yield from compared(MANIFEST, "it says what was chosen after the votes", self.manifest, known)

    def _results(self) -> Found:
        """Tables, pictures and report show what the votes give."""
        yield from self._looks()
        rebuilt = self.run.rebuilt()
        for name, content in rebuilt.items():
            if not self.inventory.has(name):
                yield Finding("contradiction", name, "it is missing")
            elif read_bytes(self.run.path(name)) != content:
                yield Finding("contradiction", name, "made again from the votes, it is another file")
            else:
                yield Finding("recomputed", name, "made again from the votes, it is the same byte for byte")
        shown = [name for name in self.inventory.files if name.startswith("pictures/") and name not in rebuilt]
        for name in shown:
            yield Finding("contradiction", name, "the votes give no such picture")


class InputChecks(RunChecks[Claimed], Generic[Claimed, Input]):
    """The checks of one run over inputs each of which has votes and rows of results.csv of its own.

    Class attributes:
        comparison: the beginning of the folders of votes on which no claims of the inputs rest; empty for none.
    """

    comparison: ClassVar[str] = ""
    inputs: Sequence[Input]

    @abstractmethod
    def _sets(self) -> Iterator[InputVotes[Input]]:
        """All inputs under all noise."""

    @abstractmethod
    def _voting(self, one: InputVotes[Input]) -> AbstractContextManager[tuple[Path, Problem, dict[str, Any]]]:
        """The path that takes votes of an input, as it is here and now, and what determines them."""

    @abstractmethod
    def _rows(self, rows: list[dict[str, str]], votes: StoredVotes) -> Found:
        """What the rows of results.csv about one input claim, by exact arithmetic."""

    def _look(self) -> dict[str, Any]:
        return {"tau": self.settings.tau}

    def _votes(self) -> Found:
        """The votes of every input; those of the comparison are voted again only when all of the claims' own are."""
        left, sets = self.resample, list(self._sets())
        for name in ("votes", self.comparison):
            some = [one for one in sets if self._compares(one) == (name != "votes")]
            pool = [(place, shard) for place, one in enumerate(some) for shard in one.shards]
            chosen = picked(pool, left)
            left -= len(chosen)
            for place, one in enumerate(some):
                mine = [shard for other, shard in chosen if other == place]
                yield from settled(one.place, partial(self._one, one, mine))
            if some:
                yield from what_is_left(name, len(pool), len(chosen))

    def _compares(self, one: InputVotes[Input]) -> bool:
        return bool(self.comparison) and one.place.startswith(self.comparison)

    def _set(self, place: str, input: Input, scheme: Scheme) -> InputVotes[Input]:
        names = [name for name in self.inventory.files if name.rpartition("/")[0] == place]
        return InputVotes(place, input, scheme, tuple(map(Shard.of, names)))

    def _one(self, one: InputVotes[Input], chosen: list[Shard]) -> Found:
        """The shards of one input: of one origin, complete, with the votes that the manifest names, and some voted again."""
        settings, folder = self.settings, self.run.folder
        with self._voting(one) as (path, problem, identity):
            stated = one.shards[0].read(folder)[0]["identity"] if one.shards else {}
            known, here = ({n: v for n, v in i.items() if n not in MACHINE} for i in (identity, stated))
            same = f"the shards name the network, the {self.column}, the noise and the seed of this run"
            yield from compared(one.place, same, here, known, whole=True)
            purposes = {"pilot": [settings.pilot_samples], "main": [settings.samples]}
            earlier = [{"pilot": [plan["pilot_samples"]], "main": [plan["samples"]]} for plan in self.plans]
            plans: list[str | None] = [*map(plan_digest, self.plans)] or [None]
            both = {"pilot": stated, "main": stated}
            totals = yield from check_shards(folder, one.shards, both, purposes, problem.nodes, earlier, plans)
            votes = Votes(
                totals["pilot"]["counts"], totals["main"]["counts"], one.scheme, independent=True,
                total_variation=problem.sampler.total_variation,
            )  # fmt: skip
            if not self._compares(one):
                yield from settled(RESULTS, partial(self._slow_path, one, votes))
                named = {one.input.name: votes.digest}
                yield from compared(
                    MANIFEST, f"it names the votes of {one.input.name}", self.manifest.get("votes", {}), named
                )

            def vote(shard: Shard) -> Sums:
                return vote_again(
                    path, problem, *shard.range, workers=self.run.workers or processors(), batch=path.unit,
                    progress=self.run.progress,
                )  # fmt: skip

            yield from check_picked(folder, chosen, vote, stated, identity)

    def _slow_path(self, one: InputVotes[Input], votes: Votes) -> Found:
        """What the table claims of one input, by exact arithmetic."""
        text = io.StringIO(read_bytes(self.run.path(RESULTS), PER_CHARACTER).decode(), newline="")
        rows = [row for row in csv.DictReader(text) if row[self.column] == one.input.name]
        stored = StoredVotes(
            votes.pilot_counts, votes.counts, json.loads(to_json(one.scheme.to_dict())), votes.total_variation,
            {}, votes.digest, has_scores=False, independent=True,
        )  # fmt: skip
        return self._rows(rows, stored)
