"""Flips of bits and edges: half-spaces, receptive fields, and the exact search (theory, sections 4, 8 and 9)."""

from dataclasses import replace
from typing import Any

import numpy as np

from graphcert.certificates.grid import Mask
from graphcert.certificates.question import Evidence, Kind, Question
from graphcert.certificates.rungs import RUNGS, Rung
from graphcert.certificates.together_scores import tight_scores
from graphcert.collective import (
    CollectiveCurve,
    collective_localized,
    collective_perceived,
    scheme_perception,
    smoothing_problem,
    tight_problem,
)
from graphcert.collective.curve import strengthened
from graphcert.collective.exact import collective_tight
from graphcert.collective.localized import BINS, robust_by_half_spaces
from graphcert.collective.localized_problem import LocalizedProblem
from graphcert.collective.perceived import perceived_robust
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import AXES

_REFUSAL = (
    "the tight certificate is about votes, or bands of scores, that see the whole graph; use method='milp' for mean and "
    "variance or with layers"
)

_BRIEF_SECONDS = 1.0


def _rungs(evidence: Evidence, question: Question) -> tuple[str, ...]:
    # What a node perceives through its layers, and what takes mean and variance away, is known to half-spaces only.
    votes = question.layers is None and evidence.majorities() is not None
    missing = {"tight-lp": not votes, "tight": not votes and (question.layers is not None or evidence.tails() is None)}
    return tuple(rung.name for rung in RUNGS if not missing.get(rung.method))


def _curve(evidence: Evidence, question: Question, rung: Rung) -> CollectiveCurve:
    if any(budget.nodes is not None for budget in question.budgets):
        raise UnsupportedError("a limit of nodes makes a difference under hierarchical noise only; leave nodes out")
    options: dict[str, Any] = {
        "targets": question.targets,
        "correct": question.correct,
        "robust_alone": _robust_alone(evidence, question, rung),
        "time_limit": question.time_limit,
    }
    if rung.method in ("tight-lp", "tight"):
        return _tight(evidence, question, options, branching=rung.method == "tight")
    used, eta = evidence.half_spaces(rung.orders or question.orders)
    problem = smoothing_problem(evidence.smoothing, eta, used, question.data)
    options |= {"method": rung.method, "solver": question.solver}
    if question.layers is None:
        return collective_localized(problem, question.counts, bins=question.bins, **options)
    return _perceived(evidence, question, problem, options)


def _robust_alone(evidence: Evidence, question: Question, rung: Rung) -> Mask:
    """(B, N) the nodes that are robust alone, by the exact trade-off or by any half-space that there is.

    A rung of all half-spaces finds the second by itself; one of fewer must not be weaker than naive.
    """
    alone = evidence.robust_alone(question.budgets)
    if rung.orders is None and question.orders is None:
        return alone
    used, eta = evidence.half_spaces(None)
    problem = smoothing_problem(evidence.smoothing, eta, used, question.data)
    if question.layers is None:
        return alone | robust_by_half_spaces(problem, question.counts)
    return alone | perceived_robust(problem, question.counts, **_perception(evidence, question))


def _tight(evidence: Evidence, question: Question, options: dict[str, Any], branching: bool) -> CollectiveCurve:
    majorities = evidence.majorities()
    if majorities is None:
        return tight_scores(evidence, question, options)
    problem = tight_problem(evidence.smoothing, majorities, question.data)
    found = collective_tight(problem, question.counts, bins=question.bins or BINS, branching=branching, **options)
    unsettled = np.flatnonzero(found.gap != 0)
    if not unsettled.size:
        return found
    # Where the search did not end, the half-spaces of the orders may prove more: their integer program where a search was
    # asked for, their linear one otherwise.
    options |= {"robust_alone": options["robust_alone"][unsettled], "method": "milp" if branching else "lp"}
    other = collective_localized(problem.half_spaces(), question.counts[unsettled], bins=question.bins, **options)
    return strengthened(found, other, unsettled)


def _perceived(
    evidence: Evidence, question: Question, problem: LocalizedProblem, options: dict[str, Any]
) -> CollectiveCurve:
    """Only what a node perceives through so many layers counts."""
    return collective_perceived(problem, budgets=question.counts, **_perception(evidence, question), **options)


def _perception(evidence: Evidence, question: Question) -> dict[str, Any]:
    """What the nodes perceive, and the limits of the adversary, as arguments of `collective_perceived`."""
    if question.data is None or question.layers is None:
        raise InputError("layers need the clean graph, on which receptive fields are found; give data")
    if question.counts[:, AXES.index("edge_add")].any():
        raise UnsupportedError(
            "added edges create new reach, so receptive fields say nothing against them; leave layers out"
        )
    seen = scheme_perception(evidence.smoothing, evidence.nodes, question.data, question.layers, question.normalisation)
    return {
        "perception": seen.perception, "axis_of": seen.axis_of, "endpoints": seen.endpoints, "room": seen.room,
        "local_budget": question.local_budget, "attackers": question.attackers,
    }  # fmt: skip


def _brief(question: Question) -> Question:
    """Branch and bound beside an exact search that does not exist gets a little time per budget."""
    seconds = _BRIEF_SECONDS if question.time_limit is None else min(question.time_limit, _BRIEF_SECONDS)
    return replace(question, time_limit=seconds)


FLIPS = Kind(_rungs, _curve, _REFUSAL, brief=_brief)
