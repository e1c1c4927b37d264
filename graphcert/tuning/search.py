"""`tune`: successive halving over noises, on seeds and nodes that the final run does not certify."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from graphcert.core.arguments import positive, real, whole
from graphcert.core.files import atomic_write_text, claimed
from graphcert.core.reading import read_json
from graphcert.errors import DataError, InputError
from graphcert.models.checkpoint import read_tensors, write_tensors
from graphcert.run.folder import LOG
from graphcert.run.settings.graph_run import RunConfig
from graphcert.sampling.philox import seed_key
from graphcert.tuning.space import Space, usual_ranges
from graphcert.tuning.trial import Goal, Row, State, Trial, fitted, graph_digest, measured, of_trial, shown_graph
from graphcert.tuning.tuned import Candidate, Tuned, kept
from graphcert.voting.cluster import check_scheduler, evaluated_as_they_come

TRIALS, MODELS = "trials", "models"
_FORMAT = "graphcert-tuned-model-1"
_GROWTH, _LEAST_VOTES = 4, 50
"""From round to round half of the candidates get so many times the votes; in no round fewer than so many."""
_TRAINING = 0.7
"""Share of the time of a round in which models are trained."""


@dataclass(frozen=True)
class Effort:
    """How long a search goes on.

    Attributes:
        candidates: how many noises the first round tries.
        rounds: each but the last drops half of them.
        votes: samples of a trial in the last round; each round before has a quarter of the next.
        seeds: round k has the first k of them, the last round all. None is the seed of the final run.
        floor: the least accuracy of the best noise.
        minutes: no new work begins later than that; None for no limit.

    Raises:
        InputError: for a number outside its domain.
    """

    candidates: int = 24
    rounds: int = 3
    votes: int = 2000
    seeds: tuple[int, ...] = (1001,)
    floor: float = 0.8
    minutes: float | None = None

    def __post_init__(self) -> None:
        for name in ("candidates", "rounds", "votes"):
            whole(name, getattr(self, name), 1)
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"the seeds of the search are one or several different numbers, got {self.seeds!r:.60}")
        for seed in self.seeds:
            seed_key(seed)
        real("the floor", self.floor, 0, 1)
        if self.minutes is not None:
            positive("minutes", self.minutes)

    def votes_of(self, number: int) -> int:
        """Samples of a trial in round 0, 1, …"""
        share: int = _GROWTH ** (self.rounds - 1 - number)
        return max(min(_LEAST_VOTES, self.votes), self.votes // share)

    def seeds_of(self, number: int) -> tuple[int, ...]:
        """Seeds of round 0, 1, …"""
        return self.seeds if number == self.rounds - 1 else self.seeds[: number + 1]


@dataclass
class Bench:
    """What is known already, in memory and in a folder, and how more becomes known.

    Attributes:
        graph: the digest of the graph.
        folder: where trials and models are kept; None for nowhere.
        root, workers, scheduler: as in `gc.tune`.
        progress: whether bars are shown.
        ends: when the search has to end, by `time.monotonic`; infinite for never.
    """

    graph: str
    folder: Path | None
    root: str | None
    workers: int | None
    scheduler: str | None
    progress: bool
    began: float
    ends: float
    rows: dict[str, Row] = field(default_factory=dict)
    models: dict[str, State] = field(default_factory=dict)

    def measure(self, trials: Sequence[Trial], votes: int, what: str, until: float) -> list[Row | None]:
        """The rows of trials; None for those that had no time. What was measured before is not measured again."""
        keys = [trial.key(self.graph, votes) for trial in trials]
        for key in keys:
            if key not in self.rows and (row := self._read(key)) is not None:
                self.rows[key] = row
        missing = {key: trial for key, trial in zip(keys, trials, strict=True) if key not in self.rows}
        if len(missing) < len(keys):
            LOG.info(f"{what}: {len(keys) - len(missing):,} of {len(keys):,} trials are known already")
        self._train(list(missing.values()), what, until)
        ready = [(key, trial) for key, trial in missing.items() if trial.model_key(self.graph) in self.models]
        tasks = [
            partial(measured, trial, self.models[trial.model_key(self.graph)], votes, self.root, self._threads)
            for _, trial in ready
        ]
        for place, row in self._answers(tasks, f"{what}, votes", until):
            self.rows[ready[place][0]] = row
            self._write(ready[place][0], row)
        return [self.rows.get(key) for key in keys]

    def _train(self, trials: Sequence[Trial], what: str, until: float) -> None:
        """Train the models that trials need and that are not there yet, each once."""
        wanted = {trial.model_key(self.graph): trial for trial in reversed(trials)}
        wanted = dict(reversed(wanted.items()))
        for key in wanted:
            if key not in self.models and (state := self._stored_model(key)) is not None:
                self.models[key] = state
        missing = {key: trial for key, trial in wanted.items() if key not in self.models}
        names, now = list(missing), time.monotonic()
        tasks = [partial(fitted, trial, self.root) for trial in missing.values()]
        for place, state in self._answers(tasks, f"{what}, models", now + _TRAINING * (until - now)):
            self.models[names[place]] = state
            if self.folder is not None:
                write_tensors(self.folder / MODELS / f"{names[place]}.pt", {"format": _FORMAT, "state": state})

    def _answers(self, tasks: Sequence[Callable[[], Any]], what: str, until: float) -> Iterator[tuple[int, Any]]:
        """The answers of tasks as they come, until the time is up."""
        if not tasks or time.monotonic() >= until:
            return
        answers = evaluated_as_they_come(self.scheduler, tasks, what if self.progress else "")
        for answer in answers:
            yield answer
            if time.monotonic() >= until:
                break
        answers.close()

    @property
    def _threads(self) -> int | None:
        return self.workers if self.scheduler is None else 1

    def _read(self, key: str) -> Row | None:
        """A trial that was measured before; None for none, and for a file that is damaged."""
        if self.folder is None:
            return None
        try:
            row = read_json(self.folder / TRIALS / f"{key}.json", "a trial", "remove it")
        except (FileNotFoundError, DataError):
            return None
        numbers = isinstance(row, dict) and all(
            isinstance(row.get(name), int | float) for name in ("seed", "accuracy", "average changes", "unanswered")
        )
        return row if numbers else None

    def _write(self, key: str, row: Row) -> None:
        if self.folder is not None:
            atomic_write_text(self.folder / TRIALS / f"{key}.json", json.dumps(row, indent=1) + "\n")

    def _stored_model(self, key: str) -> State | None:
        """A model that was trained before; None for none, and for a file that is damaged."""
        path = None if self.folder is None else self.folder / MODELS / f"{key}.pt"
        if path is None or not path.is_file():
            return None
        try:
            content = read_tensors(path, _FORMAT, "model", "not a model of a search", "graphcert tune")
        except DataError:
            return None
        state = content.get("state")
        return state if isinstance(state, dict) else None


def search(
    base: RunConfig, space: Space, goal: Goal, effort: Effort, folder: Path | None = None, *, root: str | None = None,
    workers: int | None = None, scheduler: str | None = None, progress: bool = False,
) -> Tuned:  # fmt: skip
    """Try noises by successive halving, and write what was found into `folder`; see `tune`.

    `base` has the settings of the final run but for its noise, which is that of any candidate.
    """
    if base.seed in effort.seeds:
        raise InputError(
            f"the seed {base.seed} is that of the final run, whose noise must be fresh; search on other seeds (--seeds)"
        )
    if scheduler is not None:
        check_scheduler(scheduler, workers)
    if workers is not None:
        whole("workers", workers, 1)
    base = replace(base, collective=replace(base.collective, method=goal.method))
    noises = space.candidates(effort.candidates)
    trial = Trial(of_trial(base, noises[0], effort.seeds[0]), base.seed, goal)
    data = shown_graph(trial, root)
    goal.check(trial.problem(data).smoothing)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise InputError(f"the output {folder} is a file; name a folder")
    began = time.monotonic()
    ends = float("inf") if effort.minutes is None else began + 60 * effort.minutes
    bench = Bench(graph_digest(data), folder, root, workers, scheduler, progress, began, ends)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with nullcontext() if folder is None else claimed(folder):
        found = _halved(bench, replace(base, smoothing=noises[0]), noises, goal, effort, int(data.val_mask.sum()))
        if folder is not None:
            found.save(folder)
    return found


def _halved(
    bench: Bench, base: RunConfig, noises: Sequence[Any], goal: Goal, effort: Effort, validation: int
) -> Tuned:  # fmt: skip
    """All rounds."""
    known: dict[int, Candidate] = {}
    going, said, last = list(range(len(noises))), [], 0
    if len(noises) < effort.candidates:
        said.append(f"the ranges hold only {len(noises):,} different noises of the {effort.candidates:,} asked for")
    for number in range(effort.rounds):
        votes, seeds = effort.votes_of(number), effort.seeds_of(number)
        what = f"round {number + 1} of {effort.rounds}"
        LOG.info(f"{what}: {len(going):,} candidates, {votes:,} votes, seeds {', '.join(map(str, seeds))}")
        until = bench.began + (bench.ends - bench.began) * (number + 1) / effort.rounds
        trials = [Trial(of_trial(base, noises[k], seed), base.seed, goal) for k in going for seed in seeds]
        rows = bench.measure(trials, votes, what, until)
        of_candidate = {k: rows[i * len(seeds) : (i + 1) * len(seeds)] for i, k in enumerate(going)}
        whole_ones = {k: tuple(row for row in some if row is not None) for k, some in of_candidate.items()}
        done = {k: some for k, some in whole_ones.items() if len(some) == len(seeds)}
        if len(done) < len(going):
            said.append(
                f"{what}: the time ended before {len(going) - len(done):,} of {len(going):,} candidates were measured"
            )
            if not done or number:
                said.append(f"what is shown is round {last}; the same command with more time goes on")
                break
        for k, some in done.items():
            known[k] = Candidate(k, noises[k], number + 1, some)
        last = number + 1
        if last < effort.rounds:
            going = [one.number for one in kept([known[k] for k in done], effort.floor)]
    if not known:
        raise InputError(
            f"not one candidate was measured within {effort.minutes:g} minutes; give more time, or fewer epochs"
        )
    shown = [known[k] for k in sorted(known)]
    unanswered = sum(row["unanswered"] for one in shown for row in one.rows)
    if unanswered:
        said.append(
            f"{unanswered:,} searches had no answer in {goal.time_limit:g} s; what they prove depends on the machine: give "
            f"them more time, or take the method naive or lp"
        )
    return Tuned(base, goal, effort.floor, effort.seeds, tuple(shown), last, tuple(said), validation)


def tune(
    dataset: str, out: str | os.PathLike[str] | None = None, *, model: str = "gcn", objective: str = "add",
    floor: float = 0.8, noise: Mapping[str, Any] | None = None, clusters: Sequence[int] = (1, 5), candidates: int = 24,
    rounds: int = 3, votes: int = 2000, seeds: Sequence[int] = (1001,), minutes: float | None = None,
    budgets: str | None = None, method: str = "tight", time_limit: float = 60.0, samples: int = 10_000, alpha: float = 0.01,
    seed: int = 0, dataset_options: Mapping[str, Any] | None = None, model_options: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None, data_root: str | None = None, workers: int | None = None,
    scheduler: str | None = None, progress: bool = False,
) -> Tuned:  # fmt: skip
    """Search the noise of a run on validation nodes and other seeds, by successive halving.

    A candidate is a noise; a model is trained under that of the own cluster, and the votes of the validation nodes estimate
    what the final run certifies. Every round keeps the better half of the isotropic and of the localized candidates. Neither
    a vote of the final run nor the label of a test node is looked at, so its certificate is as good as any other.

    Args:
        dataset, dataset_options: as in `load_dataset`; the split is that of the final `seed`.
        out: where trials and models are kept, so that an interrupted search goes on there, and where the front and
            best.toml are written; None keeps nothing.
        model, model_options: a registered model, or a factory `package.module:function`.
        objective: an axis of budgets (add, delete, edge_add, edge_delete, nodes, shift), or several joined by "+".
        floor: the least accuracy of the best noise on the validation nodes.
        noise: (least, most) or one number for each of add, delete, edge_add, edge_delete, select and settings of laws, such
            as sigma; by default what suits the objective. Settings such as partition, ablate and lattice stay as given.
        clusters: numbers of clusters to try; 1 is isotropic noise.
        candidates, rounds, votes, seeds, minutes: how long it goes on, see docs/tuning.md.
        budgets: of the objective, such as "0:20"; the average number of changes is counted up to the last one.
        method, time_limit: of the collective certificate under localized noise.
        samples, alpha, seed: of the final run.
        training: fields of the schedule, such as dict(epochs=300).
        data_root, workers, scheduler: as on the command line; they change no result.
        progress: whether bars are shown.

    Returns:
        A `Tuned`.

    Raises:
        InputError: for settings outside their domain, a final seed among the seeds, or too little time for anything.
        DataError: if the data set cannot be read.
    """
    goal = Goal(objective, budgets, method, time_limit)
    given = usual_ranges(goal.axes) if noise is None else dict(noise)
    spans = {name: value for name, value in given.items() if _is_span(value)}
    fixed = {name: value for name, value in given.items() if name not in spans}
    space = Space({name: _span(value) for name, value in spans.items()}, tuple(clusters), fixed)
    own = {"factory" if ":" in model else "name": model, "options": dict(model_options or {})}
    base = RunConfig.from_dict({
        "smoothing": RunConfig(space.candidates(1)[0]).to_dict()["smoothing"], "seed": seed, "model": own,
        "dataset": {"name": dataset, "options": dict(dataset_options or {})}, "training": dict(training or {}),
        "sampling": {"samples": samples}, "certificate": {"alpha": alpha},
    })  # fmt: skip
    effort = Effort(candidates, rounds, votes, tuple(seeds), floor, minutes)
    return search(
        base, space, goal, effort, None if out is None else Path(out), root=data_root, workers=workers,
        scheduler=scheduler, progress=progress,
    )  # fmt: skip


def _is_span(value: Any) -> bool:
    return isinstance(value, int | float | list | tuple) and not isinstance(value, bool)


def _span(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else (value, value)
