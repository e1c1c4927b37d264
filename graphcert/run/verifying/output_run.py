"""A run over inputs with one label each: votes against the network and the inputs, and every result against the votes."""

import csv
import io
import json
from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np

from graphcert.core.arrays import Floats, to_json
from graphcert.core.reading import PER_CHARACTER, read_bytes
from graphcert.models.checkpoint import model_fingerprint
from graphcert.outputs.classifier import OutputClassifier
from graphcert.outputs.output_path import OutputPath
from graphcert.outputs.output_votes import InputCounts, OutputVoting, input_name
from graphcert.outputs.sources import LabelledInputs, load_inputs
from graphcert.run.commitment import Plan, plan_digest
from graphcert.run.folder import AGAIN, MANIFEST, MODEL, VOTES
from graphcert.run.inputs import RESULTS
from graphcert.run.outputs import INPUTS, input_sigmas, network_of, planned, votes_of, voting_of
from graphcert.run.settings.output_run import OutputSettings
from graphcert.run.verifying.comparing import Found, compared, settled
from graphcert.run.verifying.input_run import RunChecks
from graphcert.run.verifying.resample import MACHINE, check_picked, picked, what_is_left
from graphcert.run.verifying.shards import Shard, check_shards
from graphcert.verification import Finding
from graphcert.verification.outputs import OutputTables, check_outputs
from graphcert.verification.run_files import StoredVotes
from graphcert.votes import Votes
from graphcert.voting.counting import PURPOSES, Counter, processors
from graphcert.voting.model_checks import evaluation_mode
from graphcert.voting.vote_sums import Sums, no_votes


class OutputChecks(RunChecks[OutputSettings]):
    """The checks of one run over inputs with one label each."""

    column = "input"
    data: LabelledInputs
    network: OutputClassifier
    voting: OutputVoting
    sigmas: Floats | None

    def _settings(self) -> Found:
        """See `RunChecks._settings`."""
        self.settings = settings = self.run.stored_settings()
        self.data = load_inputs(settings.inputs, settings.limit, settings.seed)
        if settings.model is None and not self.inventory.has(MODEL):
            yield Finding("contradiction", MODEL, "the network that this run trained is missing")
            return
        network = network_of(settings, self.data, self.run.path(MODEL), progress=False, log=AGAIN)
        self.sigmas = input_sigmas(settings, self.data)
        self.voting = voting_of(settings, self.data, network, self.sigmas)
        known = {"model": model_fingerprint(network.model), "data": self.voting.data}
        yield from compared(MANIFEST, "it names the network and the inputs", self.manifest, known)
        self.network = network

    @cached_property
    def _planned(self) -> Plan:
        return planned(self.settings, self.voting, self.network, self.sigmas)

    def _look(self) -> dict[str, Any]:
        return {"method": self.settings.rule(self.network.model.classes), "simultaneous": True}

    def _votes(self) -> Found:
        """The votes of every input are whole, of one origin and complete; some are voted again; and what they prove."""
        count = len(self.data.inputs)
        found: dict[int, list[Shard]] = {number: [] for number in range(count)}
        for name in (one for one in self.inventory.files if one.startswith("votes/") and one != VOTES):
            place = name.split("/")[1]
            number = int(place) if place.isdecimal() and input_name(int(place)) == place else -1
            if number not in found:
                yield Finding("contradiction", name, "the run has no such input")
            else:
                found[number].append(Shard.of(name))
        pool = [(number, shard) for number, some in found.items() for shard in some]
        chosen, totals = picked(pool, self.resample), list[InputCounts]()
        with evaluation_mode(self.voting.model):
            path = self.voting.path()
            for number, some in found.items():
                again = [shard for other, shard in chosen if other == number]
                counts = yield from self._one(
                    path.on(self.voting.problem(number), self.data.inputs[number]), number, some, again
                )
                totals.append(counts)
        yield from what_is_left("votes", len(pool), len(chosen))
        votes = votes_of(self.voting, totals, self.sigmas, [*map(plan_digest, self.plans)])
        yield from self._sums(votes)
        yield from settled(RESULTS, partial(self._slow_path, totals, votes))

    def _one(self, path: OutputPath, number: int, found: list[Shard], again: list[Shard]) -> Any:
        """Findings about the shards of one input; the answer are its counts."""
        place, folder, identity = f"votes/{input_name(number)}", self.run.folder, self.voting.identity(number)
        identity_here = json.loads(json.dumps(identity))
        stated = found[0].read(folder)[0]["identity"] if found else {}
        known, here = ({n: v for n, v in i.items() if n not in MACHINE} for i in (identity_here, stated))
        for finding in compared(place, "", here, known, whole=True):
            if finding.kind == "contradiction":
                yield finding
        purposes = {"pilot": [self.settings.pilot_samples], "main": [self.settings.samples]}
        earlier = [{"pilot": [plan["pilot_samples"]], "main": [plan["samples"]]} for plan in self.plans]
        plans: list[str | None] = [*map(plan_digest, self.plans)] or [None]
        both = {"pilot": stated, "main": stated}
        totals = yield from check_shards(folder, found, both, purposes, 1, earlier, plans)

        def vote(shard: Shard) -> Sums:
            counter = Counter(path, self.run.workers or processors(), path.unit)
            tally = partial(no_votes, 1, path.classes)
            return counter.count(PURPOSES[shard.purpose], shard.start, shard.stop, lambda _: None, tally)

        yield from check_picked(folder, again, vote, stated, identity_here)
        pilot, final = (totals[purpose]["counts"][0] for purpose in ("pilot", "main"))
        return InputCounts(pilot, final, path.problem.sampler.total_variation)

    def _sums(self, votes: Votes | list[Votes]) -> Found:
        """The file of votes, and the manifest, hold what the shards add up to."""
        if isinstance(votes, Votes):
            stored = Votes.load(self.run.path(VOTES))
            yield from compared(VOTES, "it is the sum of the shards", {"votes": stored.digest}, {"votes": votes.digest})
            known = {"votes": votes.digest}
        else:
            known = {input_name(k): one.digest for k, one in enumerate(votes)}
        yield from compared(MANIFEST, "it names the votes", self.manifest.get("votes", {}), known, whole=True)

    def _slow_path(self, found: list[InputCounts], votes: Votes | list[Votes]) -> Found:
        """What the tables claim, by exact arithmetic."""
        scheme = (votes if isinstance(votes, Votes) else votes[0]).smoothing
        stored = StoredVotes(
            np.array([one.pilot for one in found]), np.array([one.final for one in found]),
            json.loads(to_json(scheme.to_dict())), max(one.total_variation for one in found), {}, "", has_scores=False,
            independent=True, rows=np.array([one.rows for one in self.data.inputs]),
        )  # fmt: skip
        tables = OutputTables(self._table(RESULTS), self._table(INPUTS), self.data.truth)
        return check_outputs(self.settings.to_dict(), stored, tables)

    def _table(self, name: str) -> list[Mapping[str, Any]]:
        text = io.StringIO(read_bytes(self.run.path(name), PER_CHARACTER).decode(), newline="")
        return [*csv.DictReader(text)]
