"""What a run commits to before its first final vote: plan.json, and what was chosen otherwise afterwards.

A plan names what is classified, by what, under which noise, with how many samples, and which claims will be made. Its sha256
stands in every shard of final votes and in the manifest of the votes. Pilot votes need no plan: they choose labels, and
the bounds rest on final votes only, which are independent of them (theory, section 10).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch_geometric.data import Data

from graphcert._version import __version__
from graphcert.certificates.vote_certificate import chosen_method, chosen_share
from graphcert.core.arrays import to_json
from graphcert.core.files import atomic_write_text
from graphcert.core.reading import damage_refused, read_json
from graphcert.data import data_fingerprint
from graphcert.errors import DataError
from graphcert.run.adaptive import planned_looks
from graphcert.run.settings.graph_run import RunConfig
from graphcert.run.settings.image_run import SegmentSettings
from graphcert.run.settings.output_run import OutputSettings
from graphcert.run.settings.point_run import PointSettings
from graphcert.votes import Votes
from graphcert.voting.noisy_graph import Problem

Plan = dict[str, Any]

PLAN = "plan.json"
_FORMAT = 1
_ORIGIN = ("factory", "sources", "weights")
_NUMBERS = ("samples", "pilot_samples", "scores", "until", "undecided", "looks", "images", "sigma", "shapes")
"""Parts of a plan that another plan for the same folder may change: how many votes, and of which inputs."""
_CHOICES = ("certificate", "collective")
"""Parts that may be chosen otherwise after the votes, which is then said."""


def graph_plan(config: RunConfig, data: Data, problem: Problem, model: str, manifest: Mapping[str, Any]) -> Plan:
    """The plan of a run over the nodes of a graph, without "previous".

    Args:
        data: the graph, split; `problem` is the same with its sampler.
        model: fingerprint.
        manifest: of the run; it says where a model of the user's own comes from.
    """
    scheme, sampling = problem.smoothing.to_dict(), asdict(config.sampling) | {"looks": planned_looks(config)}
    split = {"train": data.train_mask, "validation": data.val_mask, "test": data.test_mask, "targets": data.test_mask}
    return _plain({
        "kind": "nodes", "graphcert": __version__, "data": data_fingerprint(data),
        "split": {name: mask_digest(mask.numpy()) for name, mask in split.items()},
        "model": model, **{name: manifest[name] for name in _ORIGIN if name in manifest},
        "scheme": scheme, "scheme_sha256": sha256(to_json(scheme).encode()).hexdigest(),
        "total_variation": problem.sampler.total_variation, "seed": config.seed, **sampling,
        **graph_choices(config, int(data.classes)),
    })  # fmt: skip


def graph_choices(config: RunConfig, classes: int) -> Plan:
    """The claims that a run over nodes makes: rule and share as they are used, budgets as they are asked for."""
    claims = config.certificate
    method = chosen_method(claims.method, classes)
    rule = {"method": method, "label_share": chosen_share(method, claims.label_share)}
    return _plain({"certificate": asdict(claims) | rule, "collective": asdict(config.collective)})


def image_plan(
    settings: SegmentSettings, images: Mapping[str, NDArray[Any]], sigma: Mapping[str, float | None], model: str
) -> Plan:
    """The plan of a run over images (H, W, 3) with a deviation each, without "previous"; `model` is a fingerprint."""
    noise = ("cells", "lattice", "elasticity", "neighbours", *_given(settings, "select", "ablate", "tile"))
    return _plain({
        "kind": "images", "graphcert": __version__, "model": model,
        "images": {name: sha256(image.tobytes()).hexdigest() for name, image in images.items()}, "sigma": dict(sigma),
        "noise": {"sigma": settings.sigma, **{name: getattr(settings, name) for name in noise}}, "seed": settings.seed,
        "samples": settings.samples, "pilot_samples": settings.pilot_samples, **image_choices(settings),
    })  # fmt: skip


def output_plan(settings: OutputSettings, data: str, sigma: Sequence[float] | None, model: str, method: str) -> Plan:
    """The plan of a run over inputs with one label each, without "previous".

    `data` names the inputs, `sigma` are their deviations where these differ, `model` is a fingerprint, and `method` is the
    rule as it is used.
    """
    cells = [[*budget.as_tuple(), budget.nodes, shift] for budget, shift in settings.cells()]
    return _plain({
        "kind": "inputs", "graphcert": __version__, "model": model, "data": data,
        "noise": settings.smoothing().to_dict(), "sigma": sigma,
        "elasticity": [settings.elasticity, settings.neighbours], "seed": settings.seed, "samples": settings.samples,
        "pilot_samples": settings.pilot_samples,
        "certificate": {"method": method, "alpha": settings.alpha, "budgets": cells},
    })  # fmt: skip


def image_choices(settings: SegmentSettings) -> Plan:
    """The claims that a run over images makes."""
    names = ("tau", "alpha", "method", "errors", "collective", "compare", "void", *_given(settings, "touched"))
    return _plain({"certificate": {**{name: getattr(settings, name) for name in names}, "budgets": settings.norms()}})


def _given(settings: SegmentSettings, *names: str) -> list[str]:
    """Those of the settings that are there; plans of runs without them stay as they are."""
    return [name for name in names if getattr(settings, name) is not None]


def point_plan(settings: PointSettings, shapes: Mapping[str, str], model: str) -> Plan:
    """The plan of a run over clouds of points, without "previous"; `shapes` name → fingerprint, `model` is one too."""
    noise = ("sigma", "cells", "rotation", "turn_sigma", "up")
    return _plain({
        "kind": "points", "graphcert": __version__, "model": model, "shapes": dict(shapes),
        "noise": {name: getattr(settings, name) for name in noise}, "seed": settings.seed,
        "samples": settings.samples, "pilot_samples": settings.pilot_samples, **point_choices(settings),
    })  # fmt: skip


def point_choices(settings: PointSettings) -> Plan:
    """The claims that a run over clouds of points makes."""
    names = ("tau", "alpha", "method", "errors", "collective")
    return _plain({"certificate": {**{name: getattr(settings, name) for name in names}, "budgets": settings.sizes()}})


def mask_digest(mask: NDArray[Any]) -> str:
    """sha256 of a mask (N,), one byte 0 or 1 per node."""
    return sha256(mask.astype("u1").tobytes()).hexdigest()


def plan_digest(plan: Plan) -> str:
    """sha256 of the canonical JSON of a plan (`to_json`: sorted keys, UTF-8)."""
    return sha256(to_json(plan).encode()).hexdigest()


def read_plans(folder: Path) -> tuple[Plan, ...]:
    """The plans in a run folder, the oldest first; none without plan.json.

    Raises:
        DataError: if the file is damaged, or a plan does not name the one before it.
    """
    path = folder / PLAN
    remedy = "restore it, or start a new run"
    try:
        content = read_json(path, "the plan of a run", remedy)
    except FileNotFoundError:
        return ()
    with damage_refused(f"{path} is not the plan of a run", remedy):
        if content["format"] != _FORMAT:
            raise DataError(f"{path} has format {content['format']!r:.20} of plans; this version reads {_FORMAT}")
        plans = tuple(dict(plan) for plan in content["plans"])
        before = [None, *map(plan_digest, plans)]
        if not plans or any(plan["previous"] != digest for plan, digest in zip(plans, before, strict=False)):
            raise ValueError("a plan does not name the one before it")
    return plans


def commit(folder: Path, plan: Plan) -> tuple[str, ...]:
    """Write a plan before the votes that it is for; returns the sha256 of all plans of the run, the latest one last.

    Until there are final votes, a plan takes the place of the one before. From then on it stands: another number of votes
    is one more plan, which names the one before, and other claims are no plan any more. Votes that were begun without a
    plan stay without.

    Raises:
        DataError: if there are final votes whose plan was made for another model, graph, split, noise or seed.
    """
    plans = read_plans(folder)
    begun = (folder / "votes/votes.npz").is_file() or any((folder / "votes").rglob("main-*.npz"))
    if begun and not plans:
        return ()
    if begun:
        refuse_contradiction(folder, plans[-1], plan)
    if not begun:
        plans = ({**plan, "previous": None},)
    elif any(plans[-1].get(name) != plan.get(name) for name in _NUMBERS):
        plans = (*plans, {**plan, "previous": plan_digest(plans[-1])})
    if plans != read_plans(folder):
        atomic_write_text(folder / PLAN, json.dumps({"format": _FORMAT, "plans": plans}, indent=1) + "\n")
    return tuple(map(plan_digest, plans))


def refuse_contradiction(folder: Path, plan: Plan, found: Mapping[str, Any]) -> None:
    """Raise `DataError` if a run is not what its plan says, in anything but numbers of votes and claims."""
    free = {*_NUMBERS, *_CHOICES, "graphcert", "previous"}
    names = sorted({*plan, *found} - free)
    differing = [name for name in names if plan.get(name) != found.get(name)]
    if differing:
        raise DataError(
            f"{folder / PLAN} is of another run (different: {', '.join(differing)}); restore what was planned, or start a "
            f"new run in another folder"
        )


def plans_of(folder: Path, votes: Votes) -> tuple[Plan, ...]:
    """The plan that votes were taken under, last, after those before it; none for votes that name none.

    Raises:
        DataError: if plan.json does not hold that plan, or it says other numbers of votes.
    """
    plans, named = read_plans(folder), votes.manifest.get("plan")
    digests: list[str | None] = [*map(plan_digest, plans)]
    if named not in (digests or [None]):
        raise DataError(
            f"{folder / PLAN} does not hold the plan that the votes of this run name; restore it, or sample again"
        )
    if named is None:
        return ()
    plans = plans[: digests.index(named) + 1]
    counted: Plan = {"samples": votes.samples, "pilot_samples": votes.pilot_samples}
    counted["scores"] = votes.scores is not None
    counted["looks"] = None if votes.looks is None else votes.looks.to_dict()
    differing = [name for name, number in counted.items() if plans[-1].get(name) != number]
    if differing:
        raise DataError(f"the votes are not those of {folder / PLAN} (different: {', '.join(differing)}); sample again")
    return plans


def chosen_after(plan: Plan, choices: Mapping[str, Any]) -> list[str]:
    """One sentence that says what was chosen otherwise after the votes; none if nothing was."""
    changed = _changes(plan, choices, "instead of the planned")
    return [f"Chosen after the votes: {'; '.join(changed)}."] if changed else []


def planned_again(plans: Sequence[Plan]) -> list[str]:
    """One sentence for every plan but the first: by what it differs from the one before."""
    return [
        f"Plan {number} of this run was made after votes of the plan before: "
        f"{'; '.join(_changes(before, plan, 'instead of', _NUMBERS))}."
        for number, (before, plan) in enumerate(pairwise(plans), 2)
    ]


def _changes(before: Plan, after: Mapping[str, Any], words: str, names: Sequence[str] = ()) -> list[str]:
    """What `after` says otherwise, as "α = 0.05 instead of the planned 0.01"."""
    found = []
    pairs = [(name, before.get(name), after.get(name)) for name in names]
    for section in _CHOICES:
        old, new = before.get(section) or {}, after.get(section) or {}
        pairs += [(_named(section, name), old.get(name), new.get(name)) for name in {**old, **new}]
    for name, old, new in pairs:
        if old != new:
            many = isinstance(old, dict) or isinstance(new, dict)  # such as the images of a run
            found.append(f"other {name}" if many else f"{name} = {_words(new)} {words} {_words(old)}")
    return found


def _named(section: str, name: str) -> str:
    name = {"alpha": "α", "tau": "τ"}.get(name, name.replace("_", " "))
    return f"collective {name}" if section == "collective" else name


def _words(value: Any) -> str:
    """A setting in words."""
    if value is None or value == []:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return " × ".join(f"{axis} {text}" for axis, text in value.items()) if isinstance(value, dict) else str(value)


def _plain(value: Plan) -> Plan:
    """The same as JSON has it, so that it equals what is read back."""
    plain: Plan = json.loads(to_json(value))
    return plain
