"""Attacks on the claims of one certificate: goals, searches, fresh votes, verdicts, and what they say together."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from graphcert.attacks.methods import Blocks, Effort, Search, found_by, offered
from graphcert.attacks.moves import Goal
from graphcert.attacks.perturbation import Perturbation
from graphcert.attacks.sandwich import Claimed, Place, Row, Violation, row_at, violations
from graphcert.attacks.smoothed import Smoothed
from graphcert.attacks.verdicts import Judged, judge, share_of_level
from graphcert.certificates import Certificate
from graphcert.core.progress import progress_bar

LOG = logging.getLogger(__name__)

ALL = -1
"""The aim of a perturbation against all targets."""


@dataclass(frozen=True)
class Plan:
    """What is tried.

    Attributes:
        places: the budgets.
        methods: names out of `METHODS`.
        targets: how many single targets are attacked at every budget, besides all of them at once.
        samples, pilot_samples: fresh votes of every judgement.
        level: the probability that any judgement falsely says that a label fell.
        seed: of searches and judgements.
        seconds: no search begins later; None for no limit.
    """

    places: tuple[Place, ...]
    methods: tuple[str, ...]
    targets: int
    samples: int
    pilot_samples: int
    level: float
    seed: int
    seconds: float | None = None


@dataclass(frozen=True, eq=False)
class Campaign:
    """What attacks have shown: a row per budget, every judged perturbation, and claims that were refuted."""

    plan: Plan
    rows: tuple[Row, ...]
    judged: tuple[Judged, ...]
    violations: tuple[Violation, ...]


def attacked(
    smoothed: Smoothed, claimed: Claimed, plan: Plan, effort: Effort, blocks: Mapping[Place, Blocks],
    given: Sequence[tuple[str, Perturbation]] = (), progress: bool = False,
) -> Campaign:  # fmt: skip
    """Attack every budget of a plan, and judge perturbations that are `given` with their names.

    `blocks` are the worst known allocations of collective certificates, by budget; `progress` shows a bar.
    """
    judged: list[Judged] = []
    refuted: list[Violation] = []

    def decide(name: str, aim: int, perturbation: Perturbation) -> None:
        one = judgement(smoothed, claimed.certificate, plan, (len(judged) + 1, name, aim), perturbation)
        judged.append(one)
        for violation in violations(one, claimed):
            refuted.append(violation)
            LOG.error("DEFECT: %s", violation.words)

    for name, perturbation in given:
        decide(name, ALL, perturbation)
    deadline = None if plan.seconds is None else time.monotonic() + plan.seconds
    searches: dict[int, Search] = {}
    goals = list(_goals(claimed, plan, blocks))
    with progress_bar(len(goals), "searches", "attacking", progress) as bar:
        for tried, (number, names, aim, goal) in enumerate(goals):
            if deadline is not None and time.monotonic() > deadline:
                LOG.info("the time is over after %s searches; the others were not begun", tried)
                break
            if number not in searches:
                known, rng = blocks.get(Place(goal.budget, goal.shift)), np.random.default_rng([plan.seed, number])
                searches[number] = Search(smoothed, goal, effort, rng, known)
            found = {name: found_by(name, searches[number]) for name in names}
            best = searches[number].best(found.values())
            decide(next(name for name, one in found.items() if one is best), aim, best)
            bar.update()
    rows = tuple(row_at(place, judged, claimed) for place in plan.places)
    return Campaign(plan, rows, tuple(judged), tuple(refuted))


def judgement(
    smoothed: Smoothed, certificate: Certificate, plan: Plan, name: tuple[int, str, int], perturbation: Perturbation
) -> Judged:
    """Fresh votes about one perturbation, and what they prove; `name` is its number, its method and its aim."""
    number = name[0]
    pilot, final = smoothed.fresh(perturbation, number, plan.pilot_samples, plan.samples)
    distance = smoothed.total_variation(perturbation)
    level = share_of_level(plan.level, number)
    verdict = judge(pilot, final, certificate.labels, certificate.targets, level, distance)
    return Judged(*name, perturbation, perturbation.distance(smoothed.data, smoothed.scheme), verdict)


def _goals(claimed: Claimed, plan: Plan, blocks: Mapping[Place, Blocks]) -> Iterator[tuple[int, list[str], int, Goal]]:
    """All targets at once, method by method, at every budget in turn; then single targets by all methods, of which only the
    most harmful perturbation is judged. Each with the number of its search, its methods, and its aim."""
    certificate, number = claimed.certificate, len(plan.places)
    goals = [Goal(*place, certificate.labels, certificate.targets) for place in plan.places]
    for name in plan.methods:
        for k, place in enumerate(plan.places):
            if name in offered(place.shift, blocks.get(place)):
                yield k, [name], ALL, goals[k]
    for place, goal in zip(plan.places, goals, strict=True):
        names = [name for name in plan.methods if name in offered(place.shift, None)]
        for node in single_targets(claimed, place, plan.targets) if names else ():
            yield number, names, node, replace(goal, aims=np.arange(certificate.nodes) == node)
            number += 1


def single_targets(claimed: Claimed, place: Place, number: int) -> list[int]:
    """The targets to attack alone: by turns the certified ones and the other ones with the least proved probability."""
    certificate = claimed.certificate
    robust = claimed.robust(*place)
    order = np.argsort(certificate.p_lower, kind="stable")
    answered = certificate.targets & ~certificate.abstained
    certified = [int(node) for node in order if robust[node]]
    others = [int(node) for node in order if answered[node] and not robust[node]]
    half = number - number // 2
    chosen = certified[:half] + others[: max(number // 2, number - len(certified))]
    return chosen[:number]
