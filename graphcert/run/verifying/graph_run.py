"""A run over the nodes of a graph: every file against every other, the data and the model."""

import json
from functools import partial
from typing import Any

import numpy as np
from torch import nn
from torch_geometric.data import Data

from graphcert.certificates.confidence_bounds import LABEL_SHARE
from graphcert.certificates.until import described
from graphcert.collective import CollectiveCurve
from graphcert.core.reading import PER_CHARACTER, read_bytes, read_json
from graphcert.data import data_fingerprint
from graphcert.models.checkpoint import model_fingerprint, read_checkpoint
from graphcert.report import render
from graphcert.report.graphs.content import Isotropic
from graphcert.run.adaptive import asked_of, planned_looks, stopping_rule
from graphcert.run.certified import CERTIFICATE, Certified, Voted, certificate_text, certify_votes
from graphcert.run.collective_results import Collective
from graphcert.run.commitment import PLAN, chosen_after, graph_choices, graph_plan, plan_digest, read_plans
from graphcert.run.folder import CONFIG, MANIFEST, MODEL, REPORT, VOTES
from graphcert.run.nodes import Run
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.stored_run import ATTACK, ATTACK_TABLE, ATTACKS, COLLECTIVE, COLLECTIVE_TABLE
from graphcert.run.verifying.attacks import attack_table, check_attacks, check_perturbations
from graphcert.run.verifying.comparing import (
    Found,
    check_last_look,
    compared,
    made_elsewhere,
    same_text,
    settled,
    without_plots,
)  # fmt: skip
from graphcert.run.verifying.folder import Inventory
from graphcert.run.verifying.graph_votes import VoteFile, same_as_pilot, voting_of
from graphcert.run.verifying.resample import picked, what_is_left
from graphcert.run.verifying.shards import planned_ends
from graphcert.run.verifying.slow_path import independent_checks
from graphcert.verification import Finding
from graphcert.votes import Votes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.room import Room

ISOTROPIC = "votes/isotropic/votes.npz"
_UNPLANNED = ("certificate", "collective", "previous", "graphcert")
"""Parts of a plan that the settings of a run may have left since, which is then said, or that are about the plan itself."""


_ROUNDING = 1e-9
"""How far numbers in certificate.json may lie apart if other versions of libraries computed them."""


class GraphChecks:
    """The checks of one run, in the order of its stages; each uses what those before have read.

    `run` is the folder with whatever the user named, `resample` how many shards are voted again.
    """

    config: RunConfig
    data: Data
    problem: Problem

    def __init__(self, inventory: Inventory, run: Run, resample: int) -> None:
        self.inventory, self.run, self.resample = inventory, run, resample
        self.manifest = run.manifest()
        self.plans = self.all_plans = tuple[dict[str, Any], ...]()
        self.module: nn.Module | None = None
        self.fingerprint = self.data_fingerprint = ""
        self.files: list[VoteFile] = []
        self.certified: Certified | None = None

    def check(self) -> Found:
        """Everything, as far as the run has come."""
        yield from settled(CONFIG, self._settings)
        if not hasattr(self, "data"):
            return
        yield from settled(MODEL, self._model)
        if not self.inventory.has(VOTES):
            yield from self._absent(CERTIFICATE, COLLECTIVE, COLLECTIVE_TABLE, ATTACKS, REPORT, needed=VOTES)
            return
        yield from settled(VOTES, self._votes)
        if not self.files:
            return
        yield from settled(PLAN, self._plan)
        if self.inventory.has(CERTIFICATE):
            yield from settled(CERTIFICATE, self._certificate)
        else:
            yield from self._absent(COLLECTIVE, COLLECTIVE_TABLE, ATTACKS, REPORT, needed=CERTIFICATE)
        if self.certified is not None:
            yield from settled(CERTIFICATE, self._slow_path)
            yield from settled(COLLECTIVE, self._collective)
            yield from settled(ATTACK, self._attacks)
            yield from settled(REPORT, self._report)
        yield from settled("votes", self._shards)
        yield from settled("votes", self._again)

    def _absent(self, *names: str, needed: str) -> Found:
        for name in filter(self.inventory.has, names):
            yield Finding("contradiction", name, f"it is there although {needed}, on which it rests, is not")

    def _settings(self) -> Found:
        """The settings are those of a run, and the data are those that the manifest names."""
        self.config = self.run.load_config()
        data = self.run.load_data(self.config)
        self.problem, self.data = self.run.problem(self.config, data), data
        self.data_fingerprint = data_fingerprint(data)
        known = {"data": self.data_fingerprint, "seed": self.config.seed}
        yield from compared(MANIFEST, "it names the data and the seed of this run", self.manifest, known)

    def _model(self) -> Found:
        """The weights are those that the manifest names, in a model that the settings describe."""
        path, model = self.run.path(MODEL), self.config.model
        content = read_checkpoint(path)
        self.fingerprint = str(content.get("sha256"))
        names = ("factory", "call", "output") if model.factory else ("name",)
        stated = {name: content["config"].get(name) for name in (*names, "options")}
        yield from compared(
            MODEL, "it is of the kind that the settings name", stated, {n: getattr(model, n) for n in stated}
        )
        if model.factory is None or self.run.factory is not None:
            self.module = self.run.model(self.config)
            self.fingerprint = model_fingerprint(self.module)
        else:
            yield Finding(
                "believed", MODEL, f"that {model.factory} made this model of these weights: it is code, which runs only if "
                f"you name it, --model {model.factory}"
            )  # fmt: skip
        same = "its weights have the fingerprint that the manifest names"
        yield from compared(MANIFEST, same, self.manifest, {"model": self.fingerprint})

    def _votes(self) -> Found:
        """The votes are of this scheme, seed, model and graph, in the numbers of the settings."""
        votes, sampling = Votes.load(self.run.path(VOTES), self.run.smoothing(self.config)), self.config.sampling
        self.files.append(VoteFile.of(self.inventory, VOTES, votes))
        made = votes.manifest
        stated = {name: made.get(name) for name in ("data", "model", "seed")}
        stated |= {"samples": votes.samples, "pilot_samples": votes.pilot_samples, "scores": votes.scores is not None}
        stated["looks"] = None if votes.looks is None else votes.looks.to_dict()
        stated["until"] = asked_of(made.get("until"))
        known = {"data": self.data_fingerprint, "model": self.fingerprint, "seed": self.config.seed}
        known |= {name: getattr(sampling, name) for name in ("samples", "pilot_samples", "scores")}
        rule = stopping_rule(self.config, self.data)
        known |= {"looks": planned_looks(self.config), "until": asked_of(rule and described(rule, votes.nodes))}
        yield from compared(VOTES, "they are of this data, model, seed and numbers of samples", stated, known)
        distance = {"total_variation": self.problem.sampler.total_variation}
        same = "their total variation is that of the sampler under this scheme"
        yield from compared(VOTES, same, {"total_variation": votes.total_variation}, distance)
        known = {"votes": votes.digest, "total_variation": votes.total_variation}
        yield from compared(MANIFEST, "it names these votes", self.manifest, known)
        if same_as_pilot(votes):
            yield Finding(
                "contradiction", VOTES, "the final votes repeat the pilot's, which chose what they would bound"
            )

    def _plan(self) -> Found:
        """What was committed to before the final votes is what the run is."""
        self.all_plans = read_plans(self.run.folder)
        made = self.files[0].votes.manifest.get("plan")
        if not self.all_plans:
            if made is not None:
                yield Finding("contradiction", PLAN, "the votes were taken under a plan, and it is missing")
            yield Finding(
                "believed", VOTES, "that claims and budgets were chosen before the votes: the run has no plan"
            )
            return
        self.plans = self.all_plans
        digests = [*map(plan_digest, self.plans)]
        if made in digests:
            later, self.plans = self.plans[digests.index(made) + 1 :], self.plans[: digests.index(made) + 1]
            if later:
                words = (
                    "were begun under them and not finished; these votes and their certificate are of the plan before"
                )
                yield Finding("believed", PLAN, f"the last {len(later)} of its plans: votes {words}")
        name = {"plan": plan_digest(self.plans[-1])}
        yield from compared(PLAN, "its sha256 stands in the votes", {"plan": made}, name)
        yield from compared(MANIFEST, "it names the plan", self.manifest, name)
        found = graph_plan(self.config, self.data, self.problem, self.fingerprint, self.manifest)
        plan = {name: value for name, value in self.plans[-1].items() if name not in _UNPLANNED}
        known = {name: value for name, value in found.items() if name not in _UNPLANNED}
        yield from compared(PLAN, "data, split, targets, model, scheme, seed and samples are as planned", plan, known)
        for sentence in chosen_after(self.plans[-1], graph_choices(self.config, int(self.data.classes))):
            yield Finding("believed", PLAN, f"that this was not chosen to please: {sentence}")
        sha = plan_digest(self.plans[0])
        yield Finding(
            "believed", PLAN, f"that plan {sha} was made first: compare it with the one that was published before"
        )

    def _certificate(self) -> Found:
        """The claims are what the votes give, number by number, and the manifest says the same."""
        settings, votes = self.config.certificate, self.files[0].votes
        self.certified = found = certify_votes(Voted(self.data, votes), settings)
        certificate = found.certificate
        stored = read_json(self.run.path(CERTIFICATE), "the certificate of a run", "certify it again")
        expected = json.loads(certificate_text(found, settings))
        rounded = _ROUNDING if made_elsewhere(self.manifest) else 0.0
        same = "this package computes the same from the votes"
        yield from compared(CERTIFICATE, same, stored, expected, whole=True, rounded=rounded)
        known: dict[str, Any] = {"alpha": settings.alpha, "claims": certificate.claims, "method": certificate.method}
        known |= {"chosen_after_votes": self.run.after_votes(self.config, votes)}
        same = "it names the level, the rule, the number of claims, and what was chosen after the votes"
        yield from compared(MANIFEST, same, self.manifest, known)
        share, method = certificate.label_share, certificate.method
        rule = method if share in (None, LABEL_SHARE) else f"{method}, {share!r} of the level for the label"
        look: dict[str, Any] = {
            "samples": votes.samples,
            "pilot_samples": votes.pilot_samples,
            "alpha": float(settings.alpha),
        }
        look |= {"method": rule, "simultaneous": settings.simultaneous}
        look |= {} if self.config.sampling.until is None else {"until": self.config.sampling.until}
        yield from check_last_look(self.run.looks(), look)

    def _slow_path(self) -> Found:
        assert self.certified is not None
        return independent_checks(self.run.folder, self.certified, self.inventory.has(COLLECTIVE))

    def _collective(self) -> Found:
        """What is claimed of all targets at once is of these votes, and its tables say the same."""
        assert self.certified is not None
        if not self.inventory.has(COLLECTIVE):
            yield from self._absent(COLLECTIVE_TABLE, ATTACKS, needed=COLLECTIVE)
            return
        certificate, votes = self.certified.certificate, self.certified.votes
        text = read_bytes(self.run.path(COLLECTIVE), PER_CHARACTER).decode()
        found = Collective.from_json(text, votes.digest, certificate.alpha, certificate.claims)
        if found is None:
            yield Finding(
                "contradiction", COLLECTIVE, "it is of other votes, another level or other targets than this run"
            )
            return
        texts = {
            COLLECTIVE: found.to_json(votes.digest, certificate.alpha), COLLECTIVE_TABLE: found.table(),
            ATTACKS: found.attacks(certificate),
        }  # fmt: skip
        for name, expected in texts.items():
            yield from self._same_text(name, expected, f"written again from {COLLECTIVE}, it is the same byte for byte")
        if found.receptive_field != self.config.collective.receptive_field:
            words = "whether its numbers rest on receptive fields is not what the settings say; make it again"
            yield Finding("contradiction", COLLECTIVE, words)
        method = {"collective": self.config.collective.method}
        yield from compared(MANIFEST, "it names the strongest collective method", self.manifest, method)
        if found.isotropic is not None:
            yield from settled(ISOTROPIC, partial(self._isotropic, found.isotropic))

    def _isotropic(self, stated: Isotropic) -> Found:
        """The comparison with isotropic noise: its accuracy and curves, from votes of its own."""
        truth, targets = self.data.y.numpy(), self.data.test_mask.numpy()
        votes = Votes.load(self.run.path(ISOTROPIC), stated.smoothing)
        self.files.append(VoteFile.of(self.inventory, ISOTROPIC, votes))
        claims = Voted(self.data, votes).claims(self.config.certificate)
        curves = [claims.collective(**_axes(curve), method="naive", truth=truth).to_dict() for curve in stated.curves]
        mine = self.files[0].votes
        known: dict[str, Any] = {
            "accuracy": float((votes.labels == truth)[targets].mean()),
            "localized_accuracy": float((mine.labels == truth)[targets].mean()), "curves": curves,
        }  # fmt: skip
        found = {**vars(stated), "curves": [curve.to_dict() for curve in stated.curves]}
        yield from compared(
            COLLECTIVE, "accuracy and curves under isotropic noise are what their votes give", found, known
        )

    def _attacks(self) -> Found:
        """Attacks do not go below what is certified, and their tables and files are those that they name."""
        assert self.certified is not None
        if not self.inventory.has(ATTACK):
            yield from self._absent(ATTACK_TABLE, needed=ATTACK)
            return
        content = read_json(self.run.path(ATTACK), "an account of attacks", "attack the run again")
        yield from check_attacks(content, self.certified.certificate, self.certified.votes.digest)
        yield from self._same_text(ATTACK_TABLE, attack_table(content), f"it lists what {ATTACK} does")
        yield from check_perturbations(content, self.inventory)

    def _report(self) -> Found:
        """The report shows what the files say; other versions may draw other plots, but all words are the same."""
        if not self.inventory.has(REPORT):
            return
        expected = render(self.run.content(self.certified))
        if made_elsewhere(self.manifest):
            found = read_bytes(self.run.path(REPORT)).decode()
            if found != expected and without_plots(found) == without_plots(expected):
                yield Finding(
                    "recomputed", REPORT, "drawn again from the files of the run, its words and numbers are the same"
                )
                yield Finding(
                    "believed", REPORT, "its plots: this machine has other versions of libraries, and draws others"
                )
                return
        same = "drawn again from the files of the run, it is the same byte for byte"
        yield from self._same_text(REPORT, expected, same)

    def _same_text(self, name: str, expected: str | None, same: str) -> Found:
        """A file is the text that is expected; None for no file."""
        found = read_bytes(self.run.path(name)).decode() if self.inventory.has(name) else None
        return same_text(name, same, found, expected)

    def _shards(self) -> Found:
        """The shards of all votes."""
        earlier = [*map(planned_ends, self.all_plans)]
        plans: list[str | None] = [*map(plan_digest, self.all_plans)] or [None]
        for file in self.files:
            yield from settled(file.name, partial(file.check_shards, self.inventory, earlier, plans))

    def _again(self) -> Found:
        """Some shards, voted again: those of the comparison only when all of the claims' own are."""
        left = self.resample
        for file in self.files:
            chosen = [] if self.module is None else picked(file.shards, left)
            left -= len(chosen)
            if self.module is not None:
                room = Room(self.run.memory, self.run.workers)
                with voting_of(self.module, self.data, file.votes.smoothing, self.config.seed, room) as voting:
                    yield from file.check_origin(voting)
                    yield from file.check_again(self.run, chosen, voting, room)
            yield from what_is_left(file.name, len(file.shards), len(chosen))


def _axes(curve: CollectiveCurve) -> dict[str, Any]:
    """The budgets of a curve per axis, as `Certificate.collective` takes them."""
    values = {axis: np.unique(column).tolist() for axis, column in zip(curve.axes, curve.budgets.T, strict=True)}
    return {axis.removeprefix("feature_"): found for axis, found in values.items() if any(found)}
