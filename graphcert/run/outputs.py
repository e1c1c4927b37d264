"""Inputs with one label each, from noise to report."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from logging import Logger
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from graphcert.certificates import certify, certify_elastic
from graphcert.core.arrays import Floats, to_json
from graphcert.errors import InputError
from graphcert.models.checkpoint import model_fingerprint
from graphcert.noise import elastic_sigma
from graphcert.outputs.classifier import ClassifierTraining, OutputClassifier, train_classifier
from graphcert.outputs.output_model import OutputModel
from graphcert.outputs.output_votes import InputCounts, OutputVoting, input_name, refuse_unfit
from graphcert.outputs.sources import LabelledInputs, load_inputs
from graphcert.report.frame.html import Page
from graphcert.report.outputs.claims import OutputClaims, inputs_table, results_table
from graphcert.report.outputs.page import MOST_PICTURES, OutputContent, output_page
from graphcert.report.outputs.pictures import picture_of
from graphcert.run.commitment import Plan, commit, output_plan
from graphcert.run.folder import MODEL, VOTES
from graphcert.run.inputs import RESULTS, InputRun
from graphcert.run.provenance import environment
from graphcert.run.settings.output_run import SECTION, OutputSettings
from graphcert.run.training import refuse_other_training, training_bar
from graphcert.statistics import check_sample_size
from graphcert.votes import Votes

INPUTS = "inputs.csv"


class OutputRun(InputRun[OutputSettings, LabelledInputs, OutputContent]):
    """A run over inputs with one label each."""

    section = SECTION

    def _settings(self, values: Mapping[str, Any]) -> OutputSettings:
        return OutputSettings.from_dict(values)

    def _load(self, settings: OutputSettings) -> LabelledInputs:
        """All inputs that are wanted, after all checks that need no network."""
        data = load_inputs(settings.inputs, settings.limit, settings.seed)
        check_sample_size(settings.samples, settings.alpha, len(data.inputs))
        refuse_unfit(data.inputs, [settings.smoothing()])
        return data

    def _warnings(self, said: Sequence[str]) -> Sequence[str]:
        return [*self.spent(), *said]

    def _made(self, settings: OutputSettings, inputs: LabelledInputs, began: float) -> "_Made":
        """Take or read the votes and certify them; a plan is written before the first final vote."""
        network = network_of(settings, inputs, self.path(MODEL), self.progress, self.log)
        sigmas = input_sigmas(settings, inputs)
        voting = voting_of(settings, inputs, network, sigmas)
        method = settings.rule(network.model.classes)
        plan = planned(settings, voting, network, sigmas)
        self._plans = commit(self.folder, plan)
        timings = {"inputs and network": time.perf_counter() - began}
        began = time.perf_counter()
        found = voting.take(
            settings.samples, settings.pilot_samples, workers=self.workers, store=self.path("votes"),
            progress="voting" if self.progress else False, plans=self._plans,
        )  # fmt: skip
        timings["votes"] = time.perf_counter() - began
        began = time.perf_counter()
        votes = votes_of(voting, found, sigmas, self._plans)
        claims = certify_inputs(votes, inputs, settings, method)
        if isinstance(votes, Votes):
            votes.save(self.path(VOTES))
        timings["certificates"] = time.perf_counter() - began
        return _Made(network, inputs, voting.data, plan, claims, method, timings)


def network_of(
    settings: OutputSettings, data: LabelledInputs, path: Path, progress: bool, log: Logger
) -> OutputClassifier:
    """What `settings.model` names; without one it is trained once under the noise, and kept at `path`.

    A network there that was trained otherwise than the settings say is refused.
    """
    if settings.model is not None:
        return OutputClassifier.load(Path(settings.model))
    schedule = ClassifierTraining() if settings.steps is None else ClassifierTraining(steps=settings.steps)
    smoothing = settings.smoothing()
    content = " ".join([*(one.fingerprint() for one in data.train), *map(str, data.train_truth.tolist())])
    described = {
        **asdict(schedule), "seed": settings.seed, "inputs": len(data.train),
        "data": sha256(content.encode()).hexdigest(), "noise": sha256(to_json(smoothing.to_dict()).encode()).hexdigest(),
    }  # fmt: skip
    if path.is_file():
        found = OutputClassifier.load(path)
        refuse_other_training(path, found.training, described)
        return found
    with training_bar(schedule.steps, progress) as report:
        trained = train_classifier(data.train, data.train_truth, data.names, smoothing, schedule, settings.seed, report)
    trained = OutputClassifier(trained.model, trained.names, described)
    trained.save(path)
    log.info(f"trained a network on {len(data.train):,} inputs")
    return trained


def input_sigmas(settings: OutputSettings, data: LabelledInputs) -> Floats | None:
    """(N,) deviations of noise that depends on the input; None if it does not."""
    if settings.elasticity is None:
        return None
    assert settings.sigma is not None
    assert settings.neighbours is not None
    shapes = {one.shape for one in (*data.train, *data.inputs)}
    if not data.train or len(shapes) > 1 or () in shapes:
        raise InputError("an elasticity needs training inputs, and all inputs of one size; graphs have no distances")
    known, asked = (
        np.array([one.data.x.numpy().reshape(-1) for one in some], np.float64) for some in (data.train, data.inputs)
    )
    return elastic_sigma(known, asked, settings.sigma, settings.elasticity, settings.neighbours)


def voting_of(
    settings: OutputSettings, data: LabelledInputs, network: OutputClassifier, sigmas: Floats | None
) -> OutputVoting:
    """The inputs with their noise, and the network that votes about them."""
    count = len(data.inputs)
    schemes = [settings.smoothing()] * count if sigmas is None else [settings.smoothing(s) for s in sigmas.tolist()]
    return OutputVoting(OutputModel(network.model, network.model.classes), data.inputs, schemes, settings.seed)


def votes_of(
    voting: OutputVoting, found: Sequence[InputCounts], sigmas: Floats | None, plans: Sequence[str]
) -> Votes | list[Votes]:
    """All votes in one, or one per input where each has noise of its own."""
    if sigmas is None:
        return voting.votes(found, plans)
    return [voting.votes_about(number, counts, plans) for number, counts in enumerate(found)]


def planned(settings: OutputSettings, voting: OutputVoting, network: OutputClassifier, sigmas: Floats | None) -> Plan:
    """The plan of a run."""
    deviations = None if sigmas is None else sigmas.tolist()
    method = settings.rule(network.model.classes)
    return output_plan(settings, voting.data, deviations, model_fingerprint(network.model), method)


def certify_inputs(
    votes: Votes | list[Votes], data: LabelledInputs, settings: OutputSettings, method: str
) -> OutputClaims:
    """What the votes prove about every input, all claims together at one error rate."""
    cells, rows = settings.cells(), np.array([one.rows for one in data.inputs])
    shared: dict[str, Any] = {"numbers": data.numbers, "truth": data.truth, "rows": rows, "cells": cells}
    if isinstance(votes, list):
        assert settings.elasticity is not None
        sizes = np.array([one.dimension for one in data.inputs])
        elastic = certify_elastic(votes, sizes, settings.elasticity, settings.alpha)
        return OutputClaims(
            labels=elastic.labels, abstained=elastic.abstained, p_lower=elastic.p_lower,
            p_other_upper=np.minimum(np.nextafter(1 - elastic.p_lower, 2.0), 1.0), sigma=elastic.sigma,
            radii={None: elastic.radius}, kept=np.array([elastic.robust(shift) for _, shift in cells]),
            guarantee=elastic.guarantee(), votes={input_name(k): one.digest for k, one in enumerate(votes)}, **shared,
        )  # fmt: skip
    certificate = certify(votes, settings.alpha, method=method)
    radii = {limit: certificate.radius(limit) for limit in settings.limits()} if settings.measured else {}
    sigma = None if settings.sigma is None else np.full(rows.shape, settings.sigma)
    return OutputClaims(
        labels=certificate.labels, abstained=certificate.abstained, p_lower=certificate.p_lower,
        p_other_upper=certificate.p_other_upper, sigma=sigma, radii=radii,
        kept=np.array([certificate._kept(*cell) for cell in cells]), guarantee=certificate.guarantee(),
        votes={"votes": votes.digest}, **shared,
    )  # fmt: skip


class _Made(NamedTuple):
    """What a run over inputs found."""

    network: OutputClassifier
    data: LabelledInputs
    fingerprint: str
    plan: Plan
    claims: OutputClaims
    method: str
    timings: dict[str, float]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything that the results were made of."""
        return {
            "model": model_fingerprint(self.network.model),
            "data": self.fingerprint,
            "votes": dict(self.claims.votes),
        }

    def look(self, _: OutputSettings) -> dict[str, Any]:
        """The rule that makes the claims, all of them together."""
        return {"method": self.method, "simultaneous": True}

    def content(
        self, settings: OutputSettings, facts: Mapping[str, Any], timings: Mapping[str, float], warnings: Sequence[str]
    ) -> OutputContent:
        """What the report shows."""
        described, network = settings.to_dict(), self.network.model
        shown = [
            picture_of(one.shape, one.data.x.numpy(), one.data.edge_index.numpy())
            for one in self.data.inputs[:MOST_PICTURES]
        ]  # fmt: skip
        noise = (
            "sigma", "select", "elasticity", "neighbours", "ablate", "keep", "add", "delete", "edge_add", "edge_delete",
        )  # fmt: skip
        particulars = {
            "inputs": {"source": settings.inputs, "certified": len(self.data.inputs), "trained with": len(self.data.train)},
            "noise": {name: described.get(name) for name in noise},
            "network": {
                "file": settings.model or "trained in this run", "kind": network.kind, "width": network.width,
                "sha256": facts.get("model"),
            },
            "sampling": {name: described[name] for name in ("samples", "pilot_samples", "seed")},
            "certificate": {"alpha": settings.alpha, "method": self.method},
            "environment": {name: facts.get(name) for name in environment()},
        }  # fmt: skip
        return OutputContent(
            self.claims, self.network.names, shown, _noise_words(settings), settings.smoothing().norm, settings.alpha,
            particulars, timings, tuple(warnings), tuple(_conditions(settings)),
        )  # fmt: skip

    def page(self, content: OutputContent) -> Page:
        """The report."""
        return output_page(content)

    def tables(self, _: OutputSettings) -> dict[str, str]:
        """What is claimed by budget, and about every input."""
        return {RESULTS: results_table(self.claims), INPUTS: inputs_table(self.claims)}

    def pictures(self, _: OutputSettings) -> Iterator[tuple[str, bytes]]:
        """None: the report draws them."""
        return iter(())


def _noise_words(settings: OutputSettings) -> str:
    """The noise in a few words."""
    found = []
    if settings.sigma is not None:
        found.append(f"Gaussian noise, σ = {settings.sigma:g}")
    if settings.elasticity is not None:
        found.append(f"depending on the input with r = {settings.elasticity:g}")
    if settings.add is not None or settings.delete is not None:
        found.append(f"bits flipped, θ⁺ = {settings.add or 0:g}, θ⁻ = {settings.delete or 0:g}")
    if settings.ablate is not None:
        found.append(f"each row hidden with probability {settings.ablate:g}")
    if settings.keep is not None:
        found.append(f"all rows hidden but {settings.keep}")
    if settings.select is not None:
        found.append(f"in rows selected with probability {settings.select:g}")
    if settings.edge_add is not None or settings.edge_delete is not None:
        found.append(f"edges flipped, θ⁺ = {settings.edge_add or 0:g}, θ⁻ = {settings.edge_delete or 0:g}")
    return ", ".join(found)


def _conditions(settings: OutputSettings) -> list[str]:
    """What the statements rest on, and what they do not say."""
    found = [
        "Every input is changed by itself: a claim is about all changes of one input, and says nothing about the others.",
        "A claim is about the smoothed classifier: the class that the network returns most often when noise is added to the "
        "input. It is not about the network without noise, and it does not say that the class is right.",
        "Rows are the pixels of an image, the points of a cloud, the entries of a vector, or the nodes of a graph.",
    ]
    if settings.measured:
        found.append(
            "Norms are over all numbers of an input, in the units in which it was given. The noise was not rounded to a "
            "lattice: the claims assume that the rounding of floating point numbers tells the network nothing about the "
            "input."
        )
    if settings.elasticity is not None:
        found.append(
            f"σ grows by exp(r · distance), r = {settings.elasticity:g}, with the average distance to the "
            f"{settings.neighbours} nearest training inputs; it is {settings.sigma:g} where that is the one that training "
            "inputs have to each other on average. Training inputs, r, the number of neighbours and σ belong to the "
            "classifier. All radii allow for what a change of the input does to the noise."
        )
    return found
