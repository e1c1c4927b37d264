"""`attack_run`: real attacks on the claims of a certified run, with its own model, scheme and stored certificate."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from graphcert.attacks.campaign import Campaign, Plan, attacked
from graphcert.attacks.methods import METHODS, Blocks, Effort
from graphcert.attacks.perturbation import Perturbation, refuse_outside
from graphcert.attacks.record import AttackRecord, rule_of
from graphcert.attacks.sandwich import Claimed, Place, places_of
from graphcert.attacks.smoothed import smoothed
from graphcert.certificates import Certificate
from graphcert.certificates.attack_allocation import allocation
from graphcert.certificates.budget_grid import counted_axes, refuse_vacuous
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import csv_text
from graphcert.core.arguments import half_open, whole
from graphcert.core.columns import read_column
from graphcert.core.files import claimed
from graphcert.core.reading import damage_refused, read_json
from graphcert.data import load_dataset
from graphcert.errors import InputError
from graphcert.noise import AXES, Budget, Scheme
from graphcert.report.frame.wording import seconds as time_words
from graphcert.run.budget_choice import last_certified
from graphcert.run.certified import CERTIFICATE, Certified
from graphcert.run.nodes import Run
from graphcert.run.settings.stages import sweep_values
from graphcert.run.stored_run import ATTACK, ATTACK_TABLE

PERTURBATIONS = "perturbations"
"""The folder of what was judged."""
_RADII = (0.5, 1.0, 1.5)
"""Norms that are attacked without being asked, as parts of the largest radius."""


@dataclass(frozen=True)
class AttackSettings:
    """How a run is attacked.

    Attributes:
        budgets: per axis of `SWEEP_AXES` budgets as `sweep_values` reads them; several axes give all combinations. Without
            any: every axis of the noise alone, up to just beyond where nothing is certified, and some budgets of each sweep
            of the collective certificate.
        methods: names out of `METHODS`; by default all.
        targets: single targets that are attacked at each budget, besides all at once.
        samples, pilot_samples: fresh votes of every judgement.
        level: the probability that any label is falsely said to have fallen.
        seed: of searches and judgements; the votes of the run have other noise whatever it is.
        seconds: no search begins later; None for no limit. With a limit, what is found depends on the machine.
        perturbed: files with perturbed graphs, in the form of the run's data, which are judged too.
        effort: how hard searches try.
    """

    budgets: Mapping[str, str] | None = None
    methods: Sequence[str] = tuple(METHODS)
    targets: int = 3
    samples: int = 1000
    pilot_samples: int = 100
    level: float = 0.01
    seed: int = 0
    seconds: float | None = None
    perturbed: Sequence[Path] = ()
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown or not self.methods:
            raise InputError(f"unknown attack {', '.join(unknown) or '(none)'}; choose among {', '.join(METHODS)}")
        whole("the number of attacked targets", self.targets)
        for name in ("samples", "pilot_samples"):
            whole(name, getattr(self, name), 1)
        half_open("the level of attacks", self.level, 0, 1)
        whole("the seed of attacks", self.seed)
        if self.seconds is not None and not self.seconds > 0:
            raise InputError(f"the time for attacks must be a number of seconds above 0, got {self.seconds!r}")


def attack_run(run: Run, settings: AttackSettings | None = None) -> AttackRecord:
    """Attack the claims of a run, write attack.json, attack.csv, perturbations/ and the report anew.

    Claims are those that certificate.json and collective.json state, whether they are true or not.

    Returns:
        The record; a claim is refuted if it has `violations`.

    Raises:
        InputError, UnsupportedError: for budgets that this run claims nothing about, or unusable settings.
        DataError: if the run is not certified, or a perturbed graph is no version of the run's.
    """
    settings = AttackSettings() if settings is None else settings
    config, began = run.load_config(), time.perf_counter()
    with claimed(run.folder):
        certified = run.certified()
        certificate, votes = _as_stated(run.path(CERTIFICATE), certified.certificate), certified.votes
        curves = _stated_curves(run, certified)
        places = chosen_places(certificate, settings, curves, config.certificate.node_limits)
        plan = Plan(
            places, tuple(settings.methods), settings.targets, settings.samples, settings.pilot_samples, settings.level,
            settings.seed, settings.seconds,
        )  # fmt: skip
        options = {"ignore": votes.manifest.get("ignored", ()), "workers": run.workers}
        options |= {"memory": run.memory, "batch_size": run.batch_size}
        with smoothed(run.model(config), certified.data, votes.smoothing, settings.seed, **options) as classifier:
            given = []
            for path in settings.perturbed:
                graph = load_dataset(path, **_form(config.dataset.options, votes.smoothing))
                classifier.checked(graph)
                given.append((path.name, Perturbation.between(classifier.data, graph, votes.smoothing.directed)))
                refuse_outside(given[-1][1], classifier.data, votes.smoothing)
            blocks = known_allocations(votes.smoothing, curves)
            campaign = attacked(
                classifier, Claimed(certificate, curves), plan, settings.effort, blocks, given, run.progress
            )
        record = _write(run, campaign, certified)
        seconds = time.perf_counter() - began
        run.record({"timings": {"attacking": seconds}})
        run.log.info(f"attacked in {time_words(seconds)}: {len(record.perturbations):,} perturbations judged")
        run.report(certified)
    return record


def chosen_places(
    certificate: Certificate, settings: AttackSettings, curves: Sequence[CollectiveCurve], limits: Sequence[int]
) -> tuple[Place, ...]:
    """The budgets that are asked for, or the usual ones; `limits` are the numbers of nodes that the run's claims name."""
    scheme = certificate.smoothing
    if not settings.budgets:
        return _usual_places(certificate, curves, limits)
    values: dict[str, Any] = {axis: sweep_values(axis, text) for axis, text in settings.budgets.items()}
    shifts = values.pop("shift", None)
    named: dict[str, Any] = {
        "add": (0,),
        "delete": (0,),
        "edge_add": (0,),
        "edge_delete": (0,),
        "nodes": (None,),
        **values,
    }
    budgets = [Budget(*numbers) for numbers in product(*named.values())]
    refuse_vacuous(scheme, budgets, shifts)
    places = [Place(budget, float(shift)) for shift in shifts or (0.0,) for budget in budgets]
    counted = {*counted_axes(scheme), *(["nodes"] if scheme.selects_rows else [])}
    for budget in budgets:
        idle = [axis for axis in (*AXES, "nodes") if getattr(budget, axis) and axis not in counted]
        if idle or (shifts and not scheme.norm):
            raise InputError(
                f"this run claims nothing about changes of {', '.join(idle) or 'a norm'}; attack "
                f"{', '.join(counted) or 'a norm (--shift)'}"
            )
    if shifts and any(any(budget.as_tuple()) for budget in budgets):
        raise InputError("a budget is either a norm of the features or numbers of edges; give one of the two")
    return tuple(place for place in places if place.shift or any(place.budget.as_tuple()) or place.budget.nodes)


def _usual_places(
    certificate: Certificate, curves: Sequence[CollectiveCurve], limits: Sequence[int]
) -> tuple[Place, ...]:
    scheme, found = certificate.smoothing, list[Place]()
    limit = limits[0] if limits else 1 if scheme.selects_rows else None
    if scheme.norm:
        radius = certificate.radius(limit)
        largest = float(radius[np.isfinite(radius)].max(initial=0.0)) or 1.0
        found += [Place(Budget(nodes=limit), part * largest) for part in _RADII]
    for axis in counted_axes(scheme):
        mine = limit if axis.startswith("feature") else None
        short = axis.removeprefix("feature_")
        last = last_certified(certificate, short, mine)
        numbers = sorted({1, last, last + 1} - {0})
        found += [Place(replace(Budget(nodes=mine), **{axis: number})) for number in numbers]
    for curve in curves:
        places = places_of(curve)
        proved = [
            place
            for k, place in enumerate(places)
            if curve.certified[k] and (place.shift or any(place.budget.as_tuple()))
        ]
        found += proved[-1:] + proved[len(proved) // 2 :][:1]
    # Axis by axis, from the smallest budget on.
    return tuple(sorted(set(found), key=lambda place: (*place.budget.as_tuple()[::-1], place.shift)))


def known_allocations(scheme: Scheme, curves: Sequence[CollectiveCurve]) -> dict[Place, Blocks]:
    """The worst allocation that a collective certificate knows, by budget."""
    found: dict[Place, Blocks] = {}
    for curve in curves:
        if curve.attacks is None:
            continue
        for k, place in enumerate(places_of(curve)):
            if place.shift or not curve.attacks[k].any():
                continue
            changes, rows = allocation(scheme, curve, k)
            found[place] = dict(zip(AXES, changes, strict=True)) | ({} if rows is None else {"nodes": rows})
    return found


def _as_stated(path: Path, certificate: Certificate) -> Certificate:
    """The certificate with the lower bounds that the file states: it is the file that is attacked."""
    content = read_json(path, "the certificate of a run", "run `graphcert certify` again")
    with damage_refused(f"{path} does not state its bounds", "run `graphcert certify` again"):
        return replace(certificate, p_lower=read_column(content["nodes"]["p_lower"]).astype(np.float64))


def _stated_curves(run: Run, certified: Certified) -> list[CollectiveCurve]:
    collective, _ = run._stored_collective(certified)
    return [curve for comparison in collective.comparisons for curve in comparison.values()]


def _form(options: Mapping[str, Any], scheme: Scheme) -> dict[str, Any]:
    """How a perturbed graph is read: as the run's data where both are files."""
    kept = {name: options[name] for name in ("weights",) if name in options}
    # Every graph that is loaded is split, and nobody looks at this split.
    return {"directed": scheme.directed, **kept, "per_class_train": 1, "per_class_validation": 1}


def _write(run: Run, campaign: Campaign, certified: Certified) -> AttackRecord:
    """attack.json, attack.csv and one file per perturbation."""
    plan, targets = campaign.plan, certified.certificate.targets
    settings = {
        "methods": list(plan.methods), "targets": plan.targets, "samples": plan.samples,
        "pilot_samples": plan.pilot_samples, "level": plan.level, "seed": plan.seed, "seconds": plan.seconds,
    }  # fmt: skip
    folder = run.path(PERTURBATIONS)
    shutil.rmtree(folder, ignore_errors=True)
    listed = []
    for one in campaign.judged:
        name = f"{PERTURBATIONS}/{one.number:04d}-{Path(one.method).stem}.npz"
        budget, fell = one.distance.budget, one.verdict.fell
        counts = {axis: getattr(budget, axis) for axis in (*AXES, "nodes")}
        broken = next((violation.words for violation in campaign.violations if violation.number == one.number), None)
        facts = {"number": one.number, "method": one.method, "aim": one.aim, **counts, "shift": one.distance.shift}
        one.perturbation.save(run.path(name), {**facts, "votes": certified.votes.digest})
        unclear = int((targets & ~fell & ~one.verdict.held).sum())
        listed.append(
            {**facts, "fell": np.flatnonzero(fell).tolist(), "unclear": unclear, "file": name, "defect": broken}
        )
    record = AttackRecord(settings, campaign.rows, campaign.violations, tuple(listed))
    run.write(
        ATTACK, record.to_json(certified.votes.digest, certified.certificate.alpha, rule_of(certified.certificate))
    )
    table = [{**row, "fell": len(row["fell"])} for row in listed]
    run.write(ATTACK_TABLE, csv_text(table, list(table[0])) if table else None)
    return record
