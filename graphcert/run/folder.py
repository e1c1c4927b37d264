"""A run folder: its files, which appear whole or not at all, its manifest, and the certificates that were seen in it."""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from graphcert.core.arrays import EDGE_VALUES
from graphcert.core.files import atomic_write_text
from graphcert.core.memory import memory_bytes
from graphcert.core.reading import read_json
from graphcert.data import data_fingerprint, load_dataset, partition_graph
from graphcert.errors import DataError, InputError, VotesError
from graphcert.noise import Partition, Scheme
from graphcert.run.certified import Voted
from graphcert.run.commitment import (
    chosen_after,
    graph_choices,
    graph_plan,
    planned_again,
    plans_of,
    refuse_contradiction,
)  # fmt: skip
from graphcert.run.provenance import environment
from graphcert.run.settings.graph_run import RunConfig
from graphcert.votes import Votes
from graphcert.voting.cluster import check_scheduler
from graphcert.voting.noisy_graph import Problem

LOG = logging.getLogger("graphcert")
AGAIN = logging.getLogger("graphcert.again")
"""Of what is computed once more, only to be compared: it says nothing, unless somebody sets another level."""
AGAIN.setLevel(logging.CRITICAL + 1)

MANIFEST, MODEL, REPORT = "manifest.json", "model.pt", "report.html"

COUNTED = ("samples", "pilot_samples")
"""The settings of sampling that change the votes of a certificate."""


@dataclass
class RunFolder:
    """A run folder, created by the first stage; while a stage runs, no other process may write there.

    `workers` are threads of voting, on which results do not depend; `progress` shows bars; `log` receives a line per step.
    """

    folder: Path
    _: KW_ONLY
    workers: int | None = None
    progress: bool = False
    log: logging.Logger = LOG

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"the output {self.folder} is a file; name a folder")
        for name in ("workers", "batch_size"):
            value = getattr(self, name, None)
            if value is not None and value < 1:
                raise InputError(f"{name} must be at least 1, got {value}")

    def path(self, name: str) -> Path:
        """A file of this run."""
        return self.folder / name

    def write(self, name: str, content: str | None) -> None:
        """Write a text file, or remove it if there is nothing to write."""
        if content is None:
            self.path(name).unlink(missing_ok=True)
        else:
            atomic_write_text(self.path(name), content)

    def manifest(self) -> dict[str, Any]:
        """What manifest.json says; nothing if it is absent or damaged."""
        try:
            content = read_json(self.path(MANIFEST), "the manifest of a run", "remove it")
        except (FileNotFoundError, DataError):
            return {}
        content = content if isinstance(content, dict) else {}
        timings = content.get("timings", {})
        numbers = isinstance(timings, dict) and all(map(_is_time, timings.values()))
        return content if numbers else {**content, "timings": {}}

    def record(self, facts: Mapping[str, Any]) -> None:
        """Merge facts into manifest.json."""
        manifest = {**self.manifest(), **environment()}
        timings = {**manifest.get("timings", {}), **facts.get("timings", {})}
        self.write(MANIFEST, json.dumps({**manifest, **facts, "timings": timings}, indent=1) + "\n")

    def refuse_other(self, **found: Any) -> None:
        """Raise `DataError` if manifest.json names another value, such as the fingerprint of the model, than is found."""
        manifest = self.manifest()
        for name, value in found.items():
            if name in manifest and manifest[name] != value:
                raise DataError(
                    f"{self.path(MANIFEST)} names another {name} than this run has now ({str(manifest[name])[:64]} and "
                    f"{str(value)[:64]}); restore it, or start a new run"
                )

    def sentences(self, name: str) -> tuple[str, ...]:
        """Sentences that manifest.json keeps under a name."""
        found = self.manifest().get(name, [])
        if not isinstance(found, list) or not all(isinstance(sentence, str) for sentence in found):
            raise DataError(f"{self.path(MANIFEST)} has no list of sentences {name}; start a new run")
        return tuple(found)

    def looks(self) -> list[dict[str, Any]]:
        """The certificates that were seen, the oldest first: their numbers of samples, error rate and other claims."""
        looks = self.manifest().get("looks", [])
        if not isinstance(looks, list) or not all(map(_is_look, looks)):
            raise DataError(f"{self.path(MANIFEST)} does not list this run's certificates; start a new run")
        return looks

    def refuse_second_look(self, sampling: Mapping[str, Any], look_again: bool) -> None:
        """Raise `InputError` for other numbers of samples than those of the last certificate, unless that is meant."""
        looks = self.looks()
        if not looks or look_again:
            return
        changed = [f"{looks[-1][name]} {name}" for name in COUNTED if looks[-1][name] != sampling[name]]
        if looks[-1].get("until") != sampling.get("until"):
            changed.append(
                f"samples until {looks[-1]['until']}" if "until" in looks[-1] else "all samples of every node"
            )
        if changed:
            raise InputError(
                f"{self.folder} was certified with {' and '.join(changed)}; to sample until a certificate pleases costs "
                f"the error rate of every look, so start a new run with another seed, or say --look-again to spend it"
            )

    def record_look(self, sampling: Mapping[str, Any], alpha: float, **claims: Any) -> None:
        """Add a certificate to those that were seen."""
        look = {**{name: sampling[name] for name in COUNTED}, "alpha": float(alpha), **claims}
        looks = self.looks()
        if not looks or looks[-1] != look:
            self.record({"looks": [*(other for other in looks if other != look), look]})
        for sentence in self.spent():
            self.log.info(sentence)

    def spent(self) -> tuple[str, ...]:
        """What looking at several certificates costs, if there were several."""
        looks = self.looks()
        if len(looks) < 2:
            return ()
        total = sum((Decimal(str(look["alpha"])) for look in looks), Decimal(0))
        words = [f"τ = {look['tau']}" if "tau" in look else look["method"] for look in looks]
        each = ", ".join(f"α = {o['alpha']} ({w}, {o['samples']:,} samples)" for o, w in zip(looks, words, strict=True))
        return (
            f"These votes were certified {len(looks)} times: {each}. Whoever chooses among these certificates after seeing "
            f"them has spent all their error rates, together {total.normalize():f}.",
        )


def _is_time(value: Any) -> bool:
    """Whether this is a number of seconds."""
    return type(value) in (int, float) and 0 <= value < 2**63  # not NaN either


def _is_look(value: Any) -> bool:
    """Whether this is an entry of the list of certificates that were seen: of nodes, or of images."""
    if not isinstance(value, dict):
        return False
    kinds = {**dict.fromkeys(COUNTED, int), "alpha": float}
    kinds |= {"tau": float} if "tau" in value else {"method": str, "simultaneous": bool}
    kinds |= {"until": str} if "until" in value else {}
    if not all(type(value.get(name)) is kind for name, kind in kinds.items()):
        return False
    return all(value[name] >= 1 for name in COUNTED) and all(0 < value.get(name, 0.5) < 1 for name in ("alpha", "tau"))


CONFIG, PARTITION, VOTES = "config.toml", "partition.json", "votes/votes.npz"


@dataclass(kw_only=True)
class GraphFolder(RunFolder):
    """The folder of a run over the nodes of a graph.

    `data_root` is the folder of data files, if not the usual places; results do not depend on the `memory` and the
    `batch_size` of voting, nor on the `scheduler` whose processes vote and certify sweeps in place of threads
    (`sample_votes`). `factory` is the code that makes the model, if the user named it: what only the files of a run name is
    not executed.
    """

    data_root: str | None = None
    factory: str | None = None
    memory: str | int | None = None
    batch_size: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheduler is not None:
            check_scheduler(self.scheduler, self.workers)
        if self.memory is not None:
            memory_bytes("memory", self.memory)

    def load_config(self) -> RunConfig:
        """The settings of this run."""
        return RunConfig.load(self.path(CONFIG))

    def load_data(self, config: RunConfig) -> Data:
        """The graph of this run, split."""
        began = time.perf_counter()
        data = load_dataset(config.dataset.name, self.data_root, seed=config.seed, **config.dataset.options)
        self.log.debug("loaded %s in %.2f s", config.dataset.name, time.perf_counter() - began)
        config.smoothing.check_added(data)
        return data

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

    def partition(self, config: RunConfig, data: Data) -> Partition | None:
        """The clusters of a localized scheme: the stored ones, or new ones of the clean graph."""
        noise = config.smoothing
        if noise.clusters == 1:
            return None
        if self.path(PARTITION).is_file():
            return self.smoothing(config).partition
        return partition_graph(data, noise.clusters, noise.partition, config.seed, affinity=noise.affinity)

    def refuse_another_model(self, config: RunConfig) -> None:
        """Raise `InputError` if the folder holds a run with settings of another model."""
        if self.path(CONFIG).is_file():
            differences = config.differences(self.load_config())
            if differences:
                raise InputError(
                    f"{self.folder} holds a run with {'; '.join(differences[:3])}; choose another --out or delete it"
                )

    def voted(self, config: RunConfig) -> Voted:
        """The stored votes with the graph they were taken on."""
        data, path = self.load_data(config), self.path(VOTES)
        votes = Votes.load(path, self.smoothing(config))
        if votes.rows is not None:
            raise VotesError(
                f"{path} is about inputs with rows of their own, not about the nodes of a graph; sample again"
            )
        if votes.manifest.get("data") != data_fingerprint(data):
            raise VotesError(f"{path} was taken on another graph than {config.dataset.name} is now; sample again")
        if votes.manifest.get("seed") != config.seed:
            raise VotesError(f"{path} has another seed than {self.path(CONFIG)}; sample again")
        self._refuse_contradiction(config, data, votes)
        return Voted(data, votes)

    def _refuse_contradiction(self, config: RunConfig, data: Data, votes: Votes) -> None:
        """Raise `DataError` for votes of another plan or model, or that claim to be drawn more exactly than they can be."""
        model, problem = str(votes.manifest.get("model")), self.problem(config, data)
        self.refuse_other(model=model)
        plans = plans_of(self.folder, votes)
        if plans:
            refuse_contradiction(self.folder, plans[-1], graph_plan(config, data, problem, model, self.manifest()))
        least = problem.sampler.total_variation
        if votes.total_variation < least:
            raise DataError(
                f"{self.path(VOTES)} states a total variation of {votes.total_variation:.3g}, but this noise is drawn with "
                f"{least:.3g}; sample again"
            )

    def problem(self, config: RunConfig, data: Data) -> Problem:
        """The graph of this run with the sampler of its noise."""
        return Problem.of(data, self.smoothing(config), config.seed, takes=EDGE_VALUES)

    def after_votes(self, config: RunConfig, votes: Votes) -> list[str]:
        """What was chosen otherwise than the plan of the votes says, or planned again, in sentences."""
        plans = plans_of(self.folder, votes)
        if not plans:
            return []
        return [*planned_again(plans), *chosen_after(plans[-1], graph_choices(config, votes.classes))]
