"""The model of a run: made anew, given weights, written into the folder, and read again from there."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from graphcert.core.reading import damage_refused, read_bytes
from graphcert.errors import DataError, InputError, ModelError
from graphcert.models import build_model, load_model
from graphcert.models.base import edge_index_tensor
from graphcert.models.checkpoint import read_checkpoint, refuse_altered, write_checkpoint
from graphcert.models.weights import load_weights, refuse_unlike, without_subnormal
from graphcert.run.own_model import Factory, named_factory, refuse_other_sources
from graphcert.run.settings.graph_run import AS_BUILT, ModelConfig, RunConfig
from graphcert.voting.model_call import Call, as_module, extras_needed, extras_of
from graphcert.voting.model_checks import check_logits, evaluation_mode
from graphcert.voting.noisy_graph import Problem

_OWN = ("factory", "call", "output")
"""The settings of a model that a checkpoint repeats if code of the user's makes it."""


class RunModel:
    """A new model for a run, with the weights of a file if there is one.

    Args:
        config: of the run; naming a factory here is what makes its code run.
        problem: the graph and the noise that the model is trained under.
        classes: of the data set, K.

    Attributes:
        module: what is trained and votes.
        ready: whether it has its weights already.
        facts: what the manifest says about where it comes from.
        notes: what a user should know about the weights.
    """

    def __init__(self, config: RunConfig, problem: Problem, classes: int) -> None:
        model = config.model
        self.facts: dict[str, Any] = {}
        self.notes: list[str] = []
        # Hierarchical noise shows one column more than the data have.
        features = int(problem.x.shape[1])
        self._described: dict[str, Any] = {"features": features, "classes": classes, "options": model.options}
        self.ready = model.weights is not None
        if model.factory is None:
            self.module = build_model(str(model.name), features, classes, seed=config.seed, **model.options)
            self._described["name"] = model.name
            _refuse_other_edges(self.module, model.title, problem.carried.names)
        else:
            factory = named_factory(model.factory)
            self.module = _built(factory, model, features, classes, config.seed)
            _refuse_other_edges(self.module, model.title, problem.carried.names)
            _try_out(self.module, problem, config.seed, trained=not self.ready)
            self._described |= {**{key: getattr(model, key) for key in _OWN}, "source": factory.sha256}
            sources = {name: {"file": file, "sha256": digest} for name, (file, digest) in factory.sources.items()}
            self.facts |= {"factory": factory.name, "sources": sources}
        if model.weights not in (None, AS_BUILT):
            self._load(Path(model.weights))

    def _load(self, path: Path) -> None:
        small = load_weights(self.module, path)
        if small:
            self.notes.append(
                f"{small:,} weights in {path} below 1.2e-38, which processors may take for zero, were set to zero"
            )
        self._described["weights"] = weights_digest(path)
        self.facts["weights"] = {"file": str(path), "sha256": self._described["weights"]}

    def settle(self) -> None:
        """Leave no weights that the reader of checkpoints would refuse; called before the fingerprint is taken."""
        if "factory" in self._described:
            self.module.load_state_dict(without_subnormal(self.module.state_dict())[0])

    def save(self, path: Path) -> None:
        """Write the checkpoint."""
        write_checkpoint(self.module, path, self._described)


def stored_model(path: Path, config: RunConfig, named: str | None) -> nn.Module:
    """The model of a run, from its checkpoint, in evaluation mode.

    `named` is the factory that the user named: code that only the files of the run name is not executed.

    Raises:
        InputError: if the user has not named the factory, or its source is not the one that the model was made with.
        DataError: if the checkpoint is missing, damaged, altered, or of another model than the settings of the run.
    """
    model = config.model
    if model.factory is None:
        if named is not None:
            raise InputError(
                f"the model of this run is {model.name}, which needs no code of your own; leave --model out"
            )
        return load_model(path)
    if named != model.factory:
        raise InputError(
            f"the model of this run is made by the code {model.factory}, which runs only if you name it; if you trust it, "
            f"add --model {model.factory}"
        )
    content = read_checkpoint(path)
    with damage_refused(f"{path} is not the model that the settings of its run describe", "train it again"):
        described, state = content["config"], content["state"]
        features, classes = int(described["features"]), int(described["classes"])
        if {key: described[key] for key in _OWN} != {key: getattr(model, key) for key in _OWN}:
            raise ValueError("they name another factory, call or output")
    factory = named_factory(model.factory)
    refuse_other_sources(factory, described.get("source"))
    module = _built(factory, model, features, classes, config.seed)
    with damage_refused(f"{path} does not hold the weights of the model that {factory.name} makes", "train it again"):
        refuse_unlike(state, module.state_dict())
        module.load_state_dict(state)
    refuse_altered(path, content, module)
    return module.eval()


def refuse_other_origin(path: Path, config: RunConfig) -> None:
    """Raise `InputError` if the model at `path` was made with other weights or other source than there are now."""
    model, described = config.model, read_checkpoint(path).get("config")
    described = described if isinstance(described, Mapping) else {}
    if model.factory is not None:
        refuse_other_sources(named_factory(model.factory), described.get("source"))
    if model.weights not in (None, AS_BUILT) and described.get("weights") != weights_digest(Path(str(model.weights))):
        raise InputError(
            f"{path} was not made with the weights that are in {model.weights} now; choose another --out or delete it"
        )


def weights_digest(path: Path) -> str:
    """sha256 of a file of weights; `DataError` if there is none."""
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except OSError:
        raise DataError(f"there is no file of weights at {path}; check the path") from None


def _built(factory: Factory, model: ModelConfig, features: int, classes: int, seed: int) -> nn.Module:
    """What the factory makes, as a module; its weights are of `seed` unless it chooses them itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return as_module(factory.build(features, classes, model.options), model.call, model.output)


def _refuse_other_edges(module: nn.Module, title: str, carried: tuple[str, ...]) -> None:
    """Raise `DataError` unless the model takes all that edges carry, and they carry all that it needs."""
    for name in carried:
        if name not in extras_of(module):
            raise DataError(
                f"the edges have {name}, of which the model {title} is shown nothing; name one whose forward takes {name} "
                f"(--model package.module:function), or load the graph without it"
            )
    for name in extras_needed(module):
        if name not in carried:
            raise DataError(
                f"the model {title} needs {name}, which the edges do not have; if the file has it, keep it with "
                f"--dataset-option weights=true, else let forward do without, {name}=None"
            )


def _try_out(module: nn.Module, problem: Problem, seed: int, *, trained: bool) -> None:
    """Call a module once on the clean graph, which gives lazy layers their sizes; `ModelError` if it cannot be used."""
    odd = [name for name, value in module.state_dict().items() if not isinstance(value, Tensor)]
    if odd:
        raise ModelError(
            f"{odd[0]} in the state of the model is no tensor, so it cannot be kept in a file; take it out"
        )
    carried, clean = problem.carried, problem.sampler.clean_graph
    call, given = Call(module, carried.names), (problem.x, edge_index_tensor(clean), *carried.on(clean, clean))
    with evaluation_mode(module), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if any(map(is_lazy, module.parameters())):
            with torch.no_grad():
                module(*given[:2], **dict(zip(carried.names, given[2:], strict=True)))
        logits = call.first(module, *given)
    check_logits(logits, problem.nodes, *problem.classes)
    if not trained:
        return
    if next(module.parameters(), None) is None:
        raise ModelError("the model has no weights to train; say --weights as-built to take it as it is")
    if call.dtype != torch.float32 or call.device.type != "cpu":
        raise ModelError(
            f"training is offered for float32 models on the CPU, and this one is {call.dtype} on {call.device}; train it "
            f"yourself and give --weights"
        )
