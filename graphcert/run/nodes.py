"""The main job in five stages over one run folder: train, sample, certify, collective, report.

Each stage reads what the one before it left and can be repeated alone. Files appear whole or not at all, and nothing is
written before the stage's input has been checked.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from graphcert.certificates import Certificate, ScoreCertificate, certify, certify_scores
from graphcert.certificates.method_hierarchy import BESIDE
from graphcert.collective import CollectiveCurve
from graphcert.core.files import alone, atomic_write_text
from graphcert.core.reading import PER_CHARACTER, damage_refused, read_bytes, read_json
from graphcert.data import data_fingerprint, load_dataset, partition_graph, without_test_nodes
from graphcert.errors import DataError, InputError, VotesError
from graphcert.models import build_model, load_model, message_passing, save_model, train
from graphcert.models.checkpoint import model_fingerprint
from graphcert.noise import Partition, Scheme
from graphcert.report import ReportContent, flip_words, write_report
from graphcert.report.graphs.content import Isotropic
from graphcert.run.budget_choice import budget_grids, certified_radii, collective_sweeps, too_few_samples
from graphcert.run.collective_results import Collective
from graphcert.run.folder import COUNTED, refuse_other_samples
from graphcert.run.isotropic import Accuracy, isotropic_votes
from graphcert.run.provenance import certificate_summary, cluster_links, environment, settings_table
from graphcert.run.settings import CollectiveConfig, RunConfig, SamplingConfig
from graphcert.statistics import check_sample_size
from graphcert.votes import Votes
from graphcert.voting import sample_votes
from graphcert.voting.noisy_graph import Problem

Say = Callable[[str], None]

CONFIG, PARTITION, MODEL, VOTES, CERTIFICATE, COLLECTIVE, COLLECTIVE_TABLE, ATTACKS, MANIFEST, REPORT = (
    "config.toml", "partition.json", "model.pt", "votes/votes.npz", "certificate.json", "collective.json",
    "collective.csv", "attacks.csv", "manifest.json", "report.html",
)  # fmt: skip


def silence(_: str) -> None:
    """Say nothing."""


@dataclass
class Run:
    """A run folder and how to talk about it.

    Attributes:
        folder: where everything goes; created by training. While a stage runs, no other process may write there.
        data_root: folder of data files, if not the usual places.
        workers, batch_size: of voting; results do not depend on them.
        progress: show bars.
        say: receives one line per step.
    """

    folder: Path
    data_root: str | None = None
    workers: int | None = None
    batch_size: int | None = None
    progress: bool = False
    say: Say = silence

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"the output {self.folder} is a file; name a folder")
        for name in ("workers", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")

    def path(self, name: str) -> Path:
        """A file of this run."""
        return self.folder / name

    def load_config(self) -> RunConfig:
        """The settings of this run."""
        return RunConfig.load(self.path(CONFIG))

    def load_data(self, config: RunConfig) -> Data:
        """The graph of this run, split."""
        return load_dataset(config.dataset.name, self.data_root, seed=config.seed, **config.dataset.options)

    def smoothing(self, config: RunConfig) -> Scheme:
        """The frozen scheme of this run, over the partition that the model was trained with."""
        if config.smoothing.clusters == 1:
            return config.smoothing.scheme(None)
        path = self.path(PARTITION)
        try:
            stored = read_json(path, "the partition of a run", "train this run again")
            return config.smoothing.scheme(Partition.from_dict(stored))
        except FileNotFoundError:
            raise DataError(f"there is no {path}; train this run with `graphcert train`") from None
        except InputError as error:
            raise DataError(f"{path} does not hold this run's partition: {error}") from None

    def _partition(self, config: RunConfig, data: Data) -> Partition | None:
        """The clusters of a localized scheme: the stored ones, or new ones of the clean graph."""
        smoothing = config.smoothing
        if smoothing.clusters == 1:
            return None
        if self.path(PARTITION).is_file():
            return self.smoothing(config).partition
        return partition_graph(
            data, smoothing.clusters, smoothing.partition, config.seed, affinity=smoothing.affinity
        )  # fmt: skip

    @alone(new=True)
    def all_stages(self, config: RunConfig, look_again: bool = False) -> ReportContent:
        """Train, sample, certify (each node alone, then all together) and report; finished stages are not repeated.

        Args:
            look_again: see `sample`.
        """
        self._refuse_another_model(config)
        self._refuse_second_look(config.sampling, look_again)
        self.train(config)
        sampling = config.sampling
        self.sample(sampling.samples, sampling.pilot_samples, sampling.scores, look_again=look_again)
        self.certify(**asdict(config.certificate))
        self.collective(config.collective)
        return self.report()

    @alone(new=True)
    def train(self, config: RunConfig) -> None:
        """Train the model under its noise, unless this folder already holds it.

        Raises:
            InputError: if the folder holds a run with other settings, or the planned samples cannot certify anything.
        """
        self._refuse_another_model(config)
        data = self.load_data(config)
        _check_samples(config, int(data.test_mask.sum()))
        partition = self._partition(config, data)
        # A localized scheme is trained under the noise that clusters put on themselves, see `train`.
        graph = without_test_nodes(data) if config.training.inductive else data
        problem = Problem.of(graph, config.smoothing.scheme(partition).nearest(), config.seed)
        if self.path(MODEL).is_file():
            self.say(f"model: {self.path(MODEL)} is there already")
            config.save(self.path(CONFIG))
            return
        # Hierarchical noise shows one column more than the data have.
        features, classes = int(problem.x.shape[1]), int(data.classes)
        model = build_model(config.model.name, features, classes, seed=config.seed, **config.model.options)
        self.say(
            f"training {config.model.name} on {config.dataset.name}: {graph.x.shape[0]:,} nodes, {features:,} features"
        )
        began = time.perf_counter()
        if data.featureless:
            self.say(
                f"{config.dataset.name} has no features: every node gets one of its own (identity); to flip such a bit is "
                f"to take a node for another one, so noise of the edges (--edge-add, --edge-delete) is what makes sense"
            )
        log = train(model, problem.sampler, graph.y, graph.train_mask, graph.val_mask, config.training, config.seed)
        seconds = time.perf_counter() - began
        config.save(self.path(CONFIG))
        if partition is not None:
            atomic_write_text(self.path(PARTITION), json.dumps(partition.to_dict()))
        self._record({"training": asdict(log), "timings": {"training": seconds}, "data": data_fingerprint(data)})
        self._record({"model": model_fingerprint(model), "seed": config.seed})
        # Last, because a model that is there ends the training.
        save_model(model, self.path(MODEL), config.model.name, features, classes, **config.model.options)
        self.say(
            f"trained in {seconds:.1f} s: best epoch {log.best_epoch}, validation accuracy {log.best_accuracy:.3f}"
        )

    def _refuse_another_model(self, config: RunConfig) -> None:
        """Raise `InputError` if the folder holds a run with settings of another model."""
        if self.path(CONFIG).is_file():
            differences = config.differences(self.load_config())
            if differences:
                raise InputError(
                    f"{self.folder} holds a run with {'; '.join(differences[:3])}; choose another --out or delete it"
                )

    @alone()
    def sample(
        self,
        samples: int | None = None,
        pilot_samples: int | None = None,
        scores: bool | None = None,
        *,
        look_again: bool = False,
    ) -> Votes:
        """Take the votes, and scores if asked for, continuing from the shards of an interrupted call.

        Args:
            samples, pilot_samples, scores: None for what the run is set to.
            look_again: take other numbers of samples than those of a certificate that was seen. Whoever samples until a
                certificate pleases spends the error rate of every look (theory, section 10), and the report says so.

        Raises:
            InputError: for other numbers of samples after a certificate, without `look_again`.
        """
        config = self.load_config()
        sampling = config.sampling
        asked = {"samples": samples, "pilot_samples": pilot_samples, "scores": scores}
        given: dict[str, Any] = {key: value for key, value in asked.items() if value is not None}
        sampling = replace(sampling, **given)
        self._refuse_second_look(sampling, look_again)
        config = replace(config, sampling=sampling)
        data, model = self.load_data(config), load_model(self.path(MODEL))
        claims = int(data.test_mask.sum())
        _check_samples(config, claims)
        began = time.perf_counter()
        votes = sample_votes(
            model, data, self.smoothing(config), sampling.samples, sampling.pilot_samples, config.seed,
            scores=sampling.scores, workers=self.workers, batch_size=self.batch_size, store=self.path("votes"),
            progress=self.progress,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        config.save(self.path(CONFIG))
        votes.save(self.path(VOTES))
        total = sampling.samples + sampling.pilot_samples
        self.say(f"voted in {seconds:.1f} s ({total:,} samples, {votes.manifest['path']} path)")
        self._record(
            {"timings": {"sampling": seconds}, "votes": votes.digest, "total_variation": votes.total_variation}
        )
        return votes

    @alone()
    def certify(self, alpha: float, method: str, simultaneous: bool, **grid: Any) -> Certificate:
        """Turn the votes into a certificate about the test nodes and evaluate it over the budget grid.

        Args:
            alpha, method, simultaneous: see `graphcert.certify`.
            **grid: the ends of the budget axes and the limits of nodes, see `CertificateConfig`.
        """
        config = self.load_config()
        config = replace(
            config,
            certificate=replace(config.certificate, alpha=alpha, method=method, simultaneous=simultaneous, **grid),
        )
        data = self.load_data(config)
        votes = self._load_votes(config, data)
        began = time.perf_counter()
        certificate = _certificate(config, votes, data)
        truth = data.y.numpy()
        grids = budget_grids(certificate, truth, config.certificate)
        for sentence in too_few_samples(certificate, grids):
            self.say(f"warning: {sentence}")
        summary = certificate_summary(
            certificate, votes, truth, grids, certified_radii(certificate, config.certificate)
        )
        seconds = time.perf_counter() - began
        config.save(self.path(CONFIG))
        self._record_look(config)
        atomic_write_text(self.path(CERTIFICATE), json.dumps(summary, indent=1))
        self._record(
            {"timings": {"certifying": seconds}, "alpha": alpha, "claims": certificate.claims, "method": method}
        )
        return certificate

    @alone()
    def collective(self, settings: CollectiveConfig) -> Collective:
        """Certify all test nodes together, sweep by sweep, by every method up to the one that is asked for."""
        config = replace(self.load_config(), collective=settings)
        if not self.path(CERTIFICATE).is_file():
            raise DataError(f"there is no {self.path(CERTIFICATE)}; run `graphcert certify {self.folder}` first")
        data = self.load_data(config)
        votes = self._load_votes(config, data)
        certificate = _certificate(config, votes, data)
        began = time.perf_counter()
        sweeps = collective_sweeps(certificate, data, settings)
        options: dict[str, Any] = {"truth": data.y.numpy(), "data": data, "time_limit": settings.time_limit}
        if settings.receptive_field:
            options |= message_passing(load_model(self.path(MODEL)))
        ladders = []
        for sweep in sweeps:
            ladder = dict(certificate.compare_methods(**sweep, methods=BESIDE[settings.method], **options))
            ladders.append(ladder)
            self.say(f"collective: {' × '.join(sweep)} by {', '.join(ladder)}")
        isotropic = self._isotropic(config, data, votes, sweeps) if settings.isotropic and sweeps else None
        found = Collective(
            tuple(ladders),
            isotropic,
            self._mean_score(certificate, votes, sweeps, options, settings.method),
        )
        seconds = time.perf_counter() - began
        config.save(self.path(CONFIG))
        if not ladders:
            for name in (COLLECTIVE, COLLECTIVE_TABLE, ATTACKS):
                self.path(name).unlink(missing_ok=True)
            return found
        atomic_write_text(self.path(COLLECTIVE), found.to_json(votes.digest, certificate.alpha))
        atomic_write_text(self.path(COLLECTIVE_TABLE), found.table())
        attacks = found.attacks(certificate)
        if attacks is None:
            self.path(ATTACKS).unlink(missing_ok=True)
        else:
            atomic_write_text(self.path(ATTACKS), attacks)
        self._record({"timings": {"collective": seconds}, "solver": "highs", "collective": settings.method})
        return found

    def _mean_score(
        self,
        certificate: Certificate,
        votes: Votes,
        sweeps: tuple[dict[str, Any], ...],
        options: dict[str, Any],
        method: str,
    ) -> tuple[CollectiveCurve, ...]:
        """The same sweeps for the classifier of the largest mean score, if the votes carry scores."""
        claims = _score_certificate(certificate, votes)
        if claims is None:
            return ()
        if method not in ("naive", "lp"):
            return tuple(claims.collective(**sweep, **options) for sweep in sweeps)  # the strongest that scores have
        compared = (claims.compare_methods(**sweep, methods=BESIDE[method], **options) for sweep in sweeps)
        return tuple(one.strongest for one in compared)

    def _isotropic(self, config: RunConfig, data: Data, votes: Votes, sweeps: tuple[dict[str, Any], ...]) -> Isotropic:
        """The same model under isotropic noise at equal accuracy over the same budgets."""
        sampling = config.sampling
        accuracy = Accuracy(
            load_model(self.path(MODEL)),
            data,
            data.test_mask.numpy(),
            sampling.pilot_samples,
            config.seed,
            self.workers,
        )
        store = self.path("votes") / "isotropic"
        scheme, theirs, accuracies = isotropic_votes(accuracy, votes, sampling.samples, store, self.progress)
        theirs.save(store / "votes.npz")
        self.say(f"isotropic noise at equal accuracy ({accuracies['isotropic']:.3f}): {flip_words(scheme)}")
        certificate = _certificate(config, theirs, data)
        curves = tuple(certificate.collective(**sweep, method="naive", truth=data.y.numpy()) for sweep in sweeps)
        return Isotropic(scheme, accuracies["isotropic"], accuracies["localized"], curves)

    @alone()
    def report(self) -> ReportContent:
        """Write report.html and return what it shows, recomputed from the stored votes; the model is not needed."""
        content = self._report_content()
        write_report(self.path(REPORT), content)
        return content

    def _report_content(self) -> ReportContent:
        config = self.load_config()
        if not self.path(CERTIFICATE).is_file():
            raise DataError(f"there is no {self.path(CERTIFICATE)}; run `graphcert certify {self.folder}` first")
        data = self.load_data(config)
        votes = self._load_votes(config, data)
        certificate = _certificate(config, votes, data)
        truth = data.y.numpy()
        manifest = self._manifest()
        collective, warnings = self._collective(certificate, votes)
        return ReportContent(
            title=f"{config.model.name.upper()} on {config.dataset.name}",
            certificate=certificate,
            votes=votes,
            truth=truth,
            grids=budget_grids(certificate, truth, config.certificate),
            settings=settings_table(config, manifest, data),
            timings=manifest.get("timings", {}),
            warnings=(*warnings, *self._spent()),
            collective=collective.ladders,
            isotropic=collective.isotropic,
            mean_score=collective.mean_score,
            scores=_score_certificate(certificate, votes),
            links=cluster_links(votes.smoothing.partition, data),
        )

    def _looks(self) -> list[dict[str, Any]]:
        """The certificates that were seen, the oldest first: their numbers of samples, and the claims."""
        looks = self._manifest().get("looks", [])
        if not isinstance(looks, list) or not all(map(_is_look, looks)):
            raise DataError(f"{self.path(MANIFEST)} does not list this run's certificates; start a new run")
        return looks

    def _refuse_second_look(self, sampling: SamplingConfig, look_again: bool) -> None:
        """Raise `InputError` for other numbers of samples than those of the last certificate, unless that is meant."""
        looks = self._looks()
        if not looks or look_again:
            return
        refuse_other_samples(self.folder, looks[-1], asdict(sampling))

    def _record_look(self, config: RunConfig) -> None:
        """Add a certificate to those that were seen."""
        claims = config.certificate
        look = {name: getattr(config.sampling, name) for name in COUNTED}
        look |= {"alpha": float(claims.alpha), "method": claims.method, "simultaneous": claims.simultaneous}
        looks = self._looks()
        if look not in looks:
            self._record({"looks": [*looks, look]})
        elif looks[-1] != look:
            self._record({"looks": [*(other for other in looks if other != look), look]})
        for sentence in self._spent():
            self.say(sentence)

    def _spent(self) -> tuple[str, ...]:
        """What looking at several certificates costs, if there were several."""
        looks = self._looks()
        if len(looks) < 2:
            return ()
        total = sum((Decimal(str(look["alpha"])) for look in looks), Decimal(0))
        each = ", ".join(f"α = {look['alpha']} ({look['method']}, {look['samples']:,} samples)" for look in looks)
        return (
            f"These votes were certified {len(looks)} times: {each}. Whoever chooses among these certificates after seeing "
            f"them has spent all their error rates, together {total.normalize():f}.",
        )

    def _collective(self, certificate: Certificate, votes: Votes) -> tuple[Collective, tuple[str, ...]]:
        """The stored collective certificates, if they are of these very claims, and what to say if not."""
        path = self.path(COLLECTIVE)
        if not path.is_file():
            return Collective(), ()
        with damage_refused(f"{path} cannot be read", "run `graphcert collective` again"):
            text = read_bytes(path, PER_CHARACTER).decode()
        found = Collective.from_json(text, votes.digest, certificate.alpha, certificate.claims)
        if found is not None:
            return found, ()
        return Collective(), (f"{path.name} belongs to other claims; run `graphcert collective` again.",)

    def _load_votes(self, config: RunConfig, data: Data) -> Votes:
        votes = Votes.load(self.path(VOTES), self.smoothing(config))
        if votes.manifest.get("data") != data_fingerprint(data):
            raise VotesError(
                f"{self.path(VOTES)} was taken on another graph than {config.dataset.name} is now; sample again"
            )
        if votes.manifest.get("seed") != config.seed:
            raise VotesError(f"{self.path(VOTES)} has another seed than {self.path(CONFIG)}; sample again")
        return votes

    def _manifest(self) -> dict[str, Any]:
        try:
            content = read_json(self.path(MANIFEST), "the manifest of a run", "remove it")
        except (FileNotFoundError, DataError):
            return {}
        content = content if isinstance(content, dict) else {}
        timings = content.get("timings", {})
        numbers = isinstance(timings, dict) and all(type(value) in (int, float) for value in timings.values())
        return content if numbers else {**content, "timings": {}}

    def _record(self, facts: Mapping[str, Any]) -> None:
        """Merge facts into manifest.json."""
        manifest = {**self._manifest(), **environment()}
        timings = {**manifest.get("timings", {}), **facts.get("timings", {})}
        atomic_write_text(self.path(MANIFEST), json.dumps({**manifest, **facts, "timings": timings}, indent=1) + "\n")


def _is_look(value: Any) -> bool:
    """Whether this is an entry of the list of certificates that were seen."""
    kinds = {**dict.fromkeys(COUNTED, int), "alpha": float, "method": str, "simultaneous": bool}
    return isinstance(value, dict) and all(type(value.get(name)) is kind for name, kind in kinds.items())


def _certificate(config: RunConfig, votes: Votes, data: Data) -> Certificate:
    """The claims of a run about its test nodes."""
    claims = config.certificate
    targets = data.test_mask.numpy()
    return certify(votes, claims.alpha, claims.simultaneous, method=claims.method, targets=targets)


def _score_certificate(certificate: Certificate, votes: Votes) -> ScoreCertificate | None:
    """Claims as strict about the same targets and the classifier of the largest mean score, if the votes carry scores."""
    if votes.scores is None:
        return None
    # A copy: the report itself says that the error rates of both kinds of claims add up.
    return certify_scores(replace(votes), certificate.alpha, certificate.simultaneous, targets=certificate.targets)


def _check_samples(config: RunConfig, targets: int) -> None:
    """Say before anything slow happens that the planned samples cannot certify anything."""
    claims = config.certificate
    # The multi-class rule spends half of the level on the first class.
    level = claims.alpha / 2 if claims.method == "multiclass" else claims.alpha
    check_sample_size(config.sampling.samples, level, targets if claims.simultaneous else 1)
