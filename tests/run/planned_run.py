"""A small run over nodes whose files tests can change, for what plans and statements say about it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphcert.core.arrays import read_sealed, write_sealed
from graphcert.models import Training
from graphcert.run.commitment import Plan, plan_digest
from graphcert.run.settings.graph_run import DatasetConfig, RunConfig
from graphcert.run.settings.noise import RatesConfig, SmoothingConfig
from graphcert.run.settings.stages import CollectiveConfig, SamplingConfig
from graphcert.votes import Votes

CONFIG = RunConfig(
    SmoothingConfig(RatesConfig((0.05, 0.1), (0.3, 0.7)), clusters=2),
    dataset=DatasetConfig("synthetic", {"nodes": 200, "classes": 3, "features": 20}), training=Training(epochs=2),
    sampling=SamplingConfig(2000, 20), collective=CollectiveConfig("tight", sweeps=({"add": "0:2"},)),
)  # fmt: skip


def plans(folder: Path) -> list[Plan]:
    found: list[Plan] = json.loads((folder / "plan.json").read_text())["plans"]
    return found


def write_plans(folder: Path, *found: Plan) -> None:
    (folder / "plan.json").write_text(json.dumps({"format": 1, "plans": found}))


def rewrite_votes(folder: Path, manifest: dict[str, Any] | None = None, **changes: Any) -> None:
    """The votes with other facts under a new seal, as a forger would write them."""
    votes = Votes.load(folder / "votes/votes.npz")
    kept = {name: value for name, value in {**votes.manifest, **(manifest or {})}.items() if value is not None}
    replace(votes, manifest=kept, **changes).save(folder / "votes/votes.npz")


def forge_plan(folder: Path, **changes: Any) -> None:
    """Another plan that the votes name."""
    plan = {**plans(folder)[-1], **changes}
    write_plans(folder, plan)
    rewrite_votes(folder, {"plan": plan_digest(plan)})


def forget_plan(folder: Path) -> None:
    """A run as it was before there were plans."""
    (folder / "plan.json").unlink()
    rewrite_votes(folder, {"plan": None})
    for path in (folder / "votes").glob("main-*.npz"):
        description, arrays = read_sealed(path, "shard", None)
        del description["plan"]
        write_sealed(path, description, arrays)
