"""The main job in five stages over one run folder, each of which can be repeated alone from what the folder holds."""

import json
import time
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from torch import nn
from torch_geometric.data import Data

from graphcert.certificates import ScoreCertificate
from graphcert.certificates.confidence_bounds import LABEL_SHARE
from graphcert.certificates.injection_claims import Injections, compared_injections
from graphcert.certificates.method_hierarchy import BESIDE
from graphcert.certificates.vote_certificate import chosen_method, chosen_share
from graphcert.collective import CollectiveCurve
from graphcert.core.arrays import EDGE_VALUES
from graphcert.core.files import alone
from graphcert.data import data_fingerprint, without_test_nodes
from graphcert.errors import GraphcertError, InputError, UnsupportedError
from graphcert.models import message_passing, train
from graphcert.models.checkpoint import model_fingerprint
from graphcert.noise import Partition, Smoothing
from graphcert.report import ReportContent, flip_words, write_report
from graphcert.report.frame.wording import seconds as time_words
from graphcert.report.graphs.content import Isotropic
from graphcert.run.adaptive import saved_words, stopping_rule
from graphcert.run.budget_choice import collective_sweeps, too_few_samples
from graphcert.run.certified import CERTIFICATE, Certified, Voted, certificate_text, certify_votes
from graphcert.run.collective_results import Collective
from graphcert.run.commitment import commit, graph_plan, plan_digest, plans_of
from graphcert.run.folder import CONFIG, COUNTED, MODEL, PARTITION, REPORT, VOTES
from graphcert.run.isotropic import matched_isotropic
from graphcert.run.own_model import changed_sources
from graphcert.run.run_model import RunModel, refuse_other_origin, stored_model
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.stages import INJECTION_AXES, CertificateConfig, CollectiveConfig, SamplingConfig
from graphcert.run.statement import stated
from graphcert.run.stored_run import ATTACKS, CHANGED, COLLECTIVE, COLLECTIVE_TABLE, StoredRun
from graphcert.run.training import training_bar
from graphcert.statistics import Looks, check_sample_size
from graphcert.votes import Votes
from graphcert.voting import sample_votes
from graphcert.voting.cluster import evaluated
from graphcert.voting.noisy_graph import Problem


class Run(StoredRun):
    """The stages of a run over the nodes of a graph."""

    @alone(new=True)
    def all_stages(self, config: RunConfig, look_again: bool = False) -> ReportContent:
        """Train, sample, certify (each node alone, then all together) and report; finished stages are not repeated."""
        self.refuse_another_model(config)
        self.refuse_second_look(asdict(config.sampling), look_again)
        data = self.train(config)
        voted = self.sample(**asdict(config.sampling), look_again=look_again, data=data)
        certified = self.certify(config.certificate, voted)
        return self.report(certified, self.collective(config.collective, certified))

    @alone(new=True)
    @stated
    def train(self, config: RunConfig) -> Data:
        """Train the model under its noise, unless this folder already holds it; returns the graph."""
        self.refuse_another_model(config)
        self.factory = config.model.factory  # whoever gives these settings names it
        data = self.load_data(config)
        _check_samples(config, data)
        partition = self.partition(config, data)
        # A localized scheme is trained under the noise that clusters put on themselves, see `train`.
        graph = without_test_nodes(data) if config.training.inductive else data
        scheme = config.smoothing.scheme(partition).nearest()
        problem = Problem.of(graph, scheme, config.seed, takes=EDGE_VALUES)
        if self.path(MODEL).is_file():
            refuse_other_origin(self.path(MODEL), config)
            self.log.info(f"model: {self.path(MODEL)} is there already")
            config.save(self.path(CONFIG))
            return data
        if data.featureless:
            self.log.info(
                f"{config.dataset.name} has no features: every node gets one of its own (identity); to flip such a bit is "
                f"to take a node for another one, so noise of the edges (--edge-add, --edge-delete) is what makes sense"
            )
        self._fit(config, data, partition, problem, graph)
        return data

    def _fit(self, config: RunConfig, data: Data, partition: Partition | None, problem: Problem, graph: Data) -> None:
        """Make a new model, train it unless it has its weights, and write down what it was made of."""
        new, name = RunModel(config, problem, int(data.classes)), config.model.title
        on = f"{config.dataset.name}: {graph.x.shape[0]:,} nodes, {problem.x.shape[1]:,} features"
        given = f"model: {name} with the weights {config.model.weights}"
        self.log.info(f"{given}, on {on}" if new.ready else f"training {name} on {on}")
        for note in new.notes:
            self.log.info(note)
        began, facts = time.perf_counter(), new.facts
        if not new.ready:
            masks = graph.train_mask, graph.val_mask
            settings = config.training, config.seed
            with training_bar(settings[0].epochs, self.progress) as told:
                log = train(new.module, problem.sampler, graph.y, *masks, *settings, told, carried=problem.carried)
            seconds = time.perf_counter() - began
            facts |= {"training": asdict(log), "timings": {"training": seconds}}
        config.save(self.path(CONFIG))
        if partition is not None:
            self.write(PARTITION, json.dumps(partition.to_dict()))
        new.settle()
        self.record({
            **facts, "data": data_fingerprint(data), "model": model_fingerprint(new.module), "seed": config.seed,
        })  # fmt: skip
        # Last, because a model that is there ends the training.
        new.save(self.path(MODEL))
        if not new.ready:
            best = f"best epoch {log.best_epoch}, validation accuracy {log.best_accuracy:.3f}"
            self.log.info(f"trained in {time_words(seconds)}: {best}")

    @alone()
    @stated
    def sample(
        self, samples: int | None = None, pilot_samples: int | None = None, scores: bool | None = None,
        until: str | None = None, undecided: float | None = None, *, look_again: bool = False, data: Data | None = None,
    ) -> Voted:  # fmt: skip
        """Take the votes, and scores if asked for, continuing from the shards of an interrupted call.

        None stands for what the run is set to, and `until="none"` for all samples of every node. `look_again` allows other
        numbers of samples than those of a certificate that was seen, or of votes whose nodes could stop: whoever samples
        until one pleases spends the error rate of every look (theory, section 10), and the report says so. Without it, they
        are refused with `InputError`.
        """
        config = self.load_config()
        asked = {
            "samples": samples, "pilot_samples": pilot_samples, "scores": scores, "until": until, "undecided": undecided,
        }  # fmt: skip
        given: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
        if until == "none":
            given["undecided"] = undecided
        sampling = replace(config.sampling, **given)
        self.refuse_second_look(asdict(sampling), look_again)
        self._refuse_other_looks(sampling, look_again)
        config = replace(config, sampling=sampling)
        data = self.load_data(config) if data is None else data
        model = self.model(config)
        _check_samples(config, data)
        plans = self._commit(config, data, model_fingerprint(model))
        began = time.perf_counter()
        rule = stopping_rule(config, data)
        number = {"samples": sampling.samples} if rule is None else {"until": rule, "max_samples": sampling.samples}
        votes = sample_votes(
            model, data, self.smoothing(config), pilot_samples=sampling.pilot_samples, seed=config.seed, **number,
            scores=sampling.scores, workers=self.workers, memory=self.memory, batch_size=self.batch_size,
            store=self.path("votes"), progress=self.progress, plans=plans, scheduler=self.scheduler,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        config.save(self.path(CONFIG))
        votes.save(self.path(VOTES))
        total = int(votes.node_samples.max()) + sampling.pilot_samples
        self.log.info(f"voted in {time_words(seconds)} ({total:,} samples, {votes.manifest['path']} path)")
        if saved := saved_words(votes, data.test_mask.numpy()):
            self.log.info(saved)
        facts = {"votes": votes.digest, "total_variation": votes.total_variation, "plan": votes.manifest.get("plan")}
        self.record({"timings": {"sampling": seconds}, **facts})
        return Voted(data, votes)

    def _refuse_other_looks(self, sampling: SamplingConfig, look_again: bool) -> None:
        """Raise `InputError` for other numbers of samples, if it was said how many of them nodes needed before."""
        if look_again or not self.path(VOTES).is_file():
            return
        try:
            votes = Votes.load(self.path(VOTES))
        except GraphcertError:  # damaged votes are taken again
            return
        if votes.looks is not None and any(getattr(votes, name) != getattr(sampling, name) for name in COUNTED):
            raise InputError(
                f"{self.folder} has votes with looks of up to {votes.samples:,} samples, and how many of them nodes needed "
                f"was told; to choose another number by that is another look, so start a new run with another seed, or say "
                f"--look-again"
            )

    def _commit(self, config: RunConfig, data: Data, model: str) -> tuple[str, ...]:
        """Write the plan of the votes that follow, or find that it stands; sha256 of all plans of this run."""
        problem = self.problem(config, data)
        return commit(self.folder, graph_plan(config, data, problem, model, self.manifest()))

    @alone()
    @stated
    def certify(self, settings: CertificateConfig, voted: Voted | None = None) -> Certified:
        """Turn the votes (None to read them) into claims about the test nodes, and evaluate them over the budget grid."""
        config = replace(self.load_config(), certificate=settings)
        voted = self.voted(config) if voted is None else voted
        began = time.perf_counter()
        found = certify_votes(voted, settings)
        for sentence in too_few_samples(found.certificate, found.grids):
            self.log.warning(sentence)
        content = certificate_text(found, settings)
        seconds = time.perf_counter() - began
        config.save(self.path(CONFIG))
        method, share = found.certificate.method, found.certificate.label_share
        # Another share of the level is another certificate of the same votes, whose error rate counts.
        look = method if share in (None, LABEL_SHARE) else f"{method}, {share!r} of the level for the label"
        stop = {} if config.sampling.until is None else {"until": config.sampling.until}
        claims = {"method": look, "simultaneous": settings.simultaneous, **stop}
        self.record_look(asdict(config.sampling), settings.alpha, **claims)
        self.write(CERTIFICATE, content)
        facts = {"alpha": settings.alpha, "claims": found.certificate.claims, "method": method}
        self.record(
            {"timings": {"certifying": seconds}, **facts, "chosen_after_votes": self._said(config, found.votes)}
        )
        certificate = found.certificate
        self.log.info(f"certified in {time_words(seconds)}: {certificate.claims:,} targets by the {method} rule")
        return found

    def _said(self, config: RunConfig, votes: Votes) -> list[str]:
        """What was chosen after the votes, which is said."""
        found = self.after_votes(config, votes)
        for sentence in found:
            self.log.info(sentence)
        return found

    @alone()
    @stated
    def collective(self, settings: CollectiveConfig, certified: Certified | None = None) -> Collective:
        """Certify all test nodes together, sweep by sweep, by every method up to the one that is asked for."""
        config = replace(self.load_config(), collective=settings)
        certified = self.certified() if certified is None else certified
        certificate, data = certified.certificate, certified.data
        began = time.perf_counter()
        sweeps = collective_sweeps(certificate, data, settings)
        options: dict[str, Any] = {"truth": data.y.numpy(), "data": data, "time_limit": settings.time_limit}
        drops, names = config.smoothing.drops, BESIDE.get(settings.method, ())
        reach = message_passing(self.model(config)) if drops or settings.receptive_field else {}
        options |= reach
        if drops:
            budgets = [Injections.of(*(sweep.get(name, 0) for name in INJECTION_AXES)) for sweep in sweeps]
            tasks = [partial(compared_injections, certificate, some, names=names, **options) for some in budgets]
        else:
            compare = partial(certificate.compare_methods, proofs=True, **options)
            tasks = [partial(compare, **sweep, methods=names) for sweep in sweeps]
        comparisons = evaluated(self.scheduler, tasks, "collective" if self.progress and tasks else "")
        for sweep, comparison in zip(sweeps, comparisons, strict=True):
            self.log.info(f"collective: {' × '.join(sweep)} by {', '.join(comparison)}")
        isotropic = self._isotropic(config, certified, sweeps) if settings.isotropic and sweeps else None
        mean_score = _mean_score(certified.scores, sweeps, options, settings.method)
        found = Collective(
            tuple(comparisons), isotropic, mean_score, settings.receptive_field, reach if drops else None
        )
        seconds = time.perf_counter() - began
        config.save(self.path(CONFIG))
        if not comparisons:
            for name in (COLLECTIVE, COLLECTIVE_TABLE, ATTACKS):
                self.write(name, None)
            return found
        self.write(COLLECTIVE, found.to_json(certified.votes.digest, certificate.alpha))
        self.write(COLLECTIVE_TABLE, found.table())
        self.write(ATTACKS, found.attacks(certificate))
        facts = {
            "solver": "highs",
            "collective": settings.method,
            "chosen_after_votes": self._said(config, certified.votes),
        }
        self.record({"timings": {"collective": seconds}, **facts})
        count = f"{len(sweeps)} sweep{'s' * (len(sweeps) > 1)}"
        self.log.info(f"certified together in {time_words(seconds)}: {count} of {certificate.claims:,} targets")
        return found

    def model(self, config: RunConfig) -> nn.Module:
        """The trained model; code of a user's that makes it runs only if it is the `factory` that the user named."""
        model = stored_model(self.path(MODEL), config, self.factory)
        self.refuse_other(model=model_fingerprint(model))
        return model

    def _record_changed_code(self, config: RunConfig) -> None:
        """Say and write down if the code that made the model has changed since; nothing of it is executed."""
        changed = [] if config.model.factory is None else changed_sources(self.manifest().get("sources"))
        words = (
            f"has changed since {config.model.factory} made the model of these votes, which speak of what it was then"
        )
        for file in changed:
            self.log.warning(f"{file} {words}")
        found = [f"{file} {words}." for file in changed]
        if found != list(self.sentences(CHANGED)):
            self.record({CHANGED: found})

    def _isotropic(self, config: RunConfig, certified: Certified, sweeps: tuple[dict[str, Any], ...]) -> Isotropic:
        """The same model under isotropic noise at equal accuracy over the same budgets."""
        data, truth, sampling = certified.data, certified.data.y.numpy(), config.sampling
        model, targets, noise = self.model(config), data.test_mask.numpy(), certified.votes.smoothing
        if noise.selects_rows:
            raise UnsupportedError("the comparison with isotropic noise takes localized flips, not hierarchical noise")

        def vote(scheme: Smoothing, samples: int, **options: Any) -> Votes:
            options |= {"workers": self.workers, "memory": self.memory}
            return sample_votes(model, data, scheme, samples, sampling.pilot_samples, config.seed, **options)

        def accuracy(votes: Votes) -> float:
            return float((votes.labels == truth)[targets].mean())

        localized, store = accuracy(certified.votes), self.path("votes") / "isotropic"
        scheme = matched_isotropic(noise.unselected, localized, lambda scheme: accuracy(vote(scheme, 1)))
        plans = [*map(plan_digest, plans_of(self.folder, certified.votes))]
        theirs = vote(
            scheme, sampling.samples, store=store, progress=self.progress, plans=plans, scheduler=self.scheduler
        )
        theirs.save(store / "votes.npz")
        self.log.info(f"isotropic noise at equal accuracy ({accuracy(theirs):.3f}): {flip_words(scheme)}")
        certificate = Voted(data, theirs).claims(config.certificate)
        curves = tuple(certificate.collective(**sweep, method="naive", truth=truth) for sweep in sweeps)
        return Isotropic(scheme, accuracy(theirs), localized, curves)

    @alone()
    @stated
    def report(self, certified: Certified | None = None, collective: Collective | None = None) -> ReportContent:
        """Write report.html and return what it shows; what is None is read, and the model is not needed."""
        began = time.perf_counter()
        self._record_changed_code(self.load_config())
        content = self.content(certified, collective)
        write_report(self.path(REPORT), content)
        self.log.info(f"report drawn in {time_words(time.perf_counter() - began)}")
        return content


def _mean_score(
    claims: ScoreCertificate | None, sweeps: tuple[dict[str, Any], ...], options: dict[str, Any], method: str
) -> tuple[CollectiveCurve, ...]:
    """The same sweeps for the classifier of the largest mean score, if the votes carry scores."""
    if claims is None:
        return ()
    if method not in ("naive", "lp"):
        return tuple(claims.collective(**sweep, **options) for sweep in sweeps)  # the strongest that scores have
    methods = BESIDE[method]
    return tuple(claims.compare_methods(**sweep, methods=methods, **options).strongest for sweep in sweeps)


def _check_samples(config: RunConfig, data: Data) -> None:
    """Say before anything slow happens that the planned samples cannot certify anything."""
    claims, targets = config.certificate, int(data.test_mask.sum())
    share = chosen_share(chosen_method(claims.method, int(data.y.max()) + 1), claims.label_share)
    # Of the label's share and that of the others, the larger one has to be enough.
    level = claims.alpha if share is None else claims.alpha * max(share, 1 - share)
    if config.sampling.until is not None:
        level *= Looks.planned(config.sampling.samples).weights[-1]
    check_sample_size(config.sampling.samples, level, targets if claims.simultaneous else 1)
