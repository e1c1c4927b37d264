"""One trial: a model trained under a candidate's noise, and what the votes of validation nodes say about its final run.

Nothing here reads the label of a test node: `shown_graph` takes them away before anything else sees the graph.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from graphcert.certificates import Certificate
from graphcert.certificates.budget_grid import as_budget
from graphcert.core.arguments import one_of, real
from graphcert.core.arrays import EDGE_VALUES, Mask
from graphcert.data import data_fingerprint, load_dataset, partition_graph, without_test_nodes
from graphcert.errors import InputError, OutOfReachWarning, UnsupportedError
from graphcert.experiments.grid import package_digest
from graphcert.models import train
from graphcert.noise import Budget, Scheme
from graphcert.run.own_model import named_factory
from graphcert.run.run_model import RunModel, weights_digest
from graphcert.run.settings.graph_run import AS_BUILT, RunConfig
from graphcert.run.settings.stages import SWEEP_AXES, collective_methods, sweep_values
from graphcert.run.vote_estimate import VoteEstimate
from graphcert.statistics import check_level
from graphcert.voting import sample_votes
from graphcert.voting.noisy_graph import Problem
from graphcert.voting.trial import Trial as VoteTrial

_COUNTS, _NORMS = "0:20", "0:2:0.1"
_CHANNELS = {"add": "features", "delete": "features", "edge_add": "edges", "edge_delete": "edges"}

State = dict[str, Tensor]
Row = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """What is maximised: the average number of changes that a node survives with its right label.

    Attributes:
        objective: an axis of budgets, or several joined by "+", along which as much is changed on each.
        budgets: the budgets as `sweep_values` reads them; None for those from 0 to 20, or norms from 0 to 2.
        method: how all nodes are certified together under localized noise.
        time_limit: seconds of a solve.

    Raises:
        InputError: for an unknown axis or method, or axes that do not go together.
    """

    objective: str = "add"
    budgets: str | None = None
    method: str = "tight"
    time_limit: float = 60.0

    def __post_init__(self) -> None:
        for axis in self.axes:
            if axis not in SWEEP_AXES:
                raise InputError(
                    f"the objective is made of {', '.join(SWEEP_AXES)}, joined by +; got {self.objective!r:.60}"
                )
        if len(set(self.axes)) < len(self.axes) or ("shift" in self.axes and len(self.axes) > 1):
            raise InputError(f"the objective names each axis once, and shift alone; got {self.objective!r:.60}")
        one_of(
            "the collective method", self.method, [name for name in collective_methods() if name not in ("none", "all")]
        )
        real("the time limit", self.time_limit, 0)
        if list(self.values) != sorted(set(self.values)) or self.values[0] != 0 or len(self.values) < 2:
            raise InputError("the budgets of the objective ascend from 0, where nothing is changed; give such as 0:20")

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes along which changes are counted."""
        return tuple(self.objective.split("+"))

    @property
    def text(self) -> str:
        """The budgets as they are written."""
        return self.budgets or (_NORMS if self.axes == ("shift",) else _COUNTS)

    @property
    def values(self) -> tuple[float, ...]:
        """(B,) the budgets on each axis."""
        return tuple(sweep_values(self.axes[0], self.text))

    def check(self, scheme: Scheme) -> None:
        """Raise `InputError` if a noise certifies nothing about the objective."""
        law = scheme.feature_law if scheme.perturbs("features") else None
        for axis in self.axes:
            fits = {
                "shift": bool(scheme.norm),
                "nodes": law is not None and law.element == "rows",
                "add": law is not None and law.element == "bits", "delete": law is not None and law.element == "bits",
                "edge_add": scheme.perturbs("edges"), "edge_delete": scheme.perturbs("edges"),
            }[axis]  # fmt: skip
            if not fits:
                raise InputError(
                    f"this noise certifies nothing against {axis}, the objective; give a range of noise that does, such as "
                    f"--delete 0.4:0.9 for features, --edge-delete 0.2:0.9 for edges or --sigma 0.1:1 for shift"
                )

    def curve(self, certificate: Certificate, truth: Any, data: Data) -> tuple[list[float], int]:
        """(B,) certified accuracy of the targets, and how many searches ended before they had an answer."""
        good = certificate.correct(truth) & certificate.targets
        if not good.any():
            return [0.0] * len(self.values), 0
        if not certificate.smoothing.localized or self.method == "naive":
            return [
                float((self._kept(certificate, value) & good).sum() / certificate.claims) for value in self.values
            ], 0
        given: dict[str, Any] = {"targets": good, "time_limit": self.time_limit, "data": data}
        if self.axes == ("shift",):
            weaker = "milp" if self.method.startswith("tight") else self.method
            found = certificate.collective(shift=self.values, method=weaker, **given)
        else:
            found = certificate.collective([self._budget(value) for value in self.values], method=self.method, **given)
        unanswered = int((~(found.gap <= 0)).sum()) if self.method == "tight" and self.axes != ("shift",) else 0
        return (found.certified / certificate.claims).tolist(), unanswered

    def _budget(self, value: float) -> Budget:
        return as_budget(**{axis: int(value) for axis in self.axes})

    def _kept(self, certificate: Certificate, value: float) -> Mask:
        try:
            if self.axes == ("shift",):
                return certificate._kept(Budget(), value)
            return certificate._kept(self._budget(value))
        except UnsupportedError:  # beyond exact arithmetic nobody is robust
            return np.zeros(certificate.nodes, np.bool_)

    def area(self, accuracy: list[float]) -> float:
        """The average number (or norm) of changes that a target survives with its right label.

        Between two budgets it counts what holds at the larger one, so it is never too large.
        """
        steps = np.diff(np.array(self.values, np.float64))
        return float((steps * np.array(accuracy)[1:]).sum())


@dataclass(frozen=True)
class Trial:
    """A candidate under one seed.

    Attributes:
        config: the settings of the final run with this candidate's noise and, in place of its seed, the seed of the trial.
        split: the seed of the final run, whose split says which nodes are which.
        goal: what is measured.
    """

    config: RunConfig
    split: int
    goal: Goal

    def model_key(self, graph: str) -> str:
        """The name of the model of this trial: whatever determines its weights, the graph by its digest."""
        config, noise = self.config.to_dict(), self._nearest()
        parts = {name: config.get(name) for name in ("model", "training")} | {"origin": _origin(self.config)}
        return _digest({"graph": graph, "seed": self.config.seed, "noise": noise, **parts})

    def key(self, graph: str, samples: int) -> str:
        """The name of what is measured, made of everything that determines it."""
        config = self.config.to_dict()
        del config["dataset"]  # the graph and its split are named by their digest
        config["origin"] = _origin(self.config)
        return _digest({"graph": graph, "config": config, "goal": asdict(self.goal), "samples": samples})

    def _nearest(self) -> Any:
        """The noise of the own cluster, in plain values."""
        noise = self.config.to_dict()["smoothing"]
        within = {"clusters", "levels", "partition", "affinity"}
        return _first({name: value for name, value in noise.items() if name not in within})

    def scheme(self, data: Data) -> Scheme:
        """The noise over clusters of the trial's own seed."""
        noise, seed = self.config.smoothing, self.config.seed
        if noise.clusters == 1:
            return noise.scheme(None)
        return noise.scheme(partition_graph(data, noise.clusters, noise.partition, seed, affinity=noise.affinity))

    def problem(self, data: Data) -> Problem:
        """The graph with the noise that the model is trained under."""
        graph = without_test_nodes(data) if self.config.training.inductive else data
        return Problem.of(graph, self.scheme(data).nearest(), self.config.seed, takes=EDGE_VALUES)


def fitted(trial: Trial, root: str | None) -> State:
    """The weights of a model that was trained under the noise of the own cluster; a function of its arguments alone."""
    data, config = shown_graph(trial, root), trial.config
    problem = trial.problem(data)
    new = RunModel(config, problem, int(data.classes))
    if not new.ready:
        graph = without_test_nodes(data) if config.training.inductive else data
        masks = graph.train_mask, graph.val_mask
        train(new.module, problem.sampler, graph.y, *masks, config.training, config.seed, carried=problem.carried)
    return {name: value.detach().clone() for name, value in new.module.state_dict().items()}


def measured(trial: Trial, state: Mapping[str, Tensor], samples: int, root: str | None, workers: int | None) -> Row:
    """What the final run would probably certify, from so many votes of the validation nodes: one row, ready for JSON.

    A function of its arguments alone; `workers` change nothing. The estimate is that of `graphcert plan`, at the error rate
    that one test node has in the final run. It is no claim.
    """
    began = time.perf_counter()
    data, config = shown_graph(trial, root), trial.config
    module = RunModel(config, trial.problem(data), int(data.classes)).module
    module.load_state_dict(dict(state))
    votes = sample_votes(module.eval(), data, trial.scheme(data), samples, 1, config.seed, workers=workers)
    counts, targets, truth = votes.counts + votes.pilot_counts, data.val_mask.numpy(), data.y.numpy()
    accuracy = float((counts.argmax(axis=1) == truth)[targets].mean())
    claims, nodes = config.certificate, int(targets.sum())
    level = claims.alpha * nodes / int(data.test_mask.sum()) if claims.simultaneous else claims.alpha * nodes
    rule = {"alpha": check_level(min(level, 0.49)), "method": claims.method, "label_share": claims.label_share}
    seen = VoteTrial(counts, 0.0, str(votes.manifest["path"]), 1, votes.smoothing, votes.total_variation)
    estimate = VoteEstimate(seen, targets, rule, config.seed)
    curves, unanswered = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutOfReachWarning)
        for certificate in estimate.certificates(config.sampling.samples, config.sampling.pilot_samples):
            curve, left = trial.goal.curve(certificate, truth, data)
            curves.append(curve)
            unanswered += left
    certified = np.mean(curves, axis=0).tolist()
    return {
        "seed": config.seed, "samples": samples, "accuracy": accuracy, "certified accuracy": certified,
        "average changes": trial.goal.area(certified), "unanswered": unanswered,
        "seconds": round(time.perf_counter() - began, 2),
    }  # fmt: skip


def shown_graph(trial: Trial, root: str | None) -> Data:
    """The graph under the split of the final run, without the labels of its test nodes."""
    dataset = trial.config.dataset
    return _shown_graph(dataset.name, json.dumps(dataset.options, sort_keys=True), trial.split, root)


@lru_cache(maxsize=1)
def _shown_graph(name: str, options: str, split: int, root: str | None) -> Data:
    data = load_dataset(name, root, seed=split, **json.loads(options))
    data.y = torch.where(data.test_mask, torch.full_like(data.y, -1), data.y)
    return data


def graph_digest(data: Data) -> str:
    """A name of a graph and its split, without the labels that were taken away."""
    masks = b"".join(data[name].numpy().tobytes() for name in ("train_mask", "val_mask", "test_mask"))
    return _digest(
        {"data": data_fingerprint(data), "masks": hashlib.sha256(masks).hexdigest(), "classes": int(data.classes)}
    )


def of_trial(config: RunConfig, noise: Any, seed: int) -> RunConfig:
    """The settings of a final run with a candidate's noise and the seed of a trial."""
    return replace(config, smoothing=noise, seed=seed)


def _origin(config: RunConfig) -> str | None:
    """A digest of the user's code or weights that the model is made of."""
    model = config.model
    parts = [] if model.factory is None else [named_factory(model.factory).sha256]
    parts += [] if model.weights in (None, AS_BUILT) else [weights_digest(Path(str(model.weights)))]
    return " ".join(parts) or None


def _first(value: Any) -> Any:
    """The first level of everything that has several."""
    if isinstance(value, dict):
        return {name: item if name == "added_attr" else _first(item) for name, item in value.items()}
    return value[0] if isinstance(value, list) and len(value) == 2 else value


def _digest(content: Any) -> str:
    text = json.dumps({"code": package_digest().hex(), **content}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
