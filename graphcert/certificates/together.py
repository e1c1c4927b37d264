"""All targets at once: which certificate answers under which noise (theory, sections 8 and 9).

A kind of noise brings a file with one `Kind`: the rungs of the ladder that exist there, and the curve of one of them.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from graphcert.certificates.question import Evidence, Kind, Question
from graphcert.certificates.rungs import ALL, BELOW, METHODS, RUNGS, Rung, named_rungs
from graphcert.certificates.together_alone import ALONE, noise_name
from graphcert.certificates.together_flips import FLIPS
from graphcert.certificates.together_hierarchical import HIERARCHICAL, counts_rows, selects_all
from graphcert.certificates.together_norm import NORM
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import strengthened, weakened
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CONTINUOUS


def together(
    evidence: Evidence, question: Question, method: str | Iterable[str] | None
) -> CollectiveCurve | dict[str, CollectiveCurve]:
    """The curve of a method, of the strongest that there is (None), or a ladder of curves, the weakest first.

    Args:
        evidence: what the claims rest on.
        question: what is asked.
        method: one of `METHODS` or None for one curve; "all" or names of rungs for a ladder of those that exist; where the
            strongest of them does not, the strongest that exists below it stands in under its own name.

    Raises:
        InputError: for an unknown method or name.
        UnsupportedError: if the claims have no such certificate.
    """
    kind, evidence = _kind(evidence, question)
    if method == ALL or not (method is None or isinstance(method, str)):
        return _ladder(kind, evidence, question, named_rungs(method))
    if method is None:
        return _alone(kind, evidence, question, kind.rungs(evidence, question)[-1])
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)} or {ALL}, got {method!r}")
    if method != "naive" and method not in kind.rungs(evidence, question):
        raise UnsupportedError(kind.refusal.format(noise=noise_name(evidence.smoothing)))
    return _alone(kind, evidence, question, method)


def _alone(kind: Kind, evidence: Evidence, question: Question, name: str) -> CollectiveCurve:
    """One rung, which proves at least what the ones below it do; an integer program below it gets a little time for that."""
    curve, below = kind.curve(evidence, question, _rung(name)), BELOW.get(name)
    # Other half-spaces than the usual ones are another question.
    if below is None or question.orders is not None or below not in kind.rungs(evidence, question):
        return curve
    # No gap is the truth for perturbations that exist; for half-spaces it is the truth about them only. The correct targets
    # have a solve of their own, which a linear program may leave open.
    apart = name == "tight-lp" and curve.correct_upper is not None
    more = np.flatnonzero((curve.attacked_upper > 0) & ((curve.gap != 0) | (curve.attacks is None) | apart))
    if not more.size:
        return curve
    rest = replace(kind.brief(question), budgets=[question.budgets[row] for row in more])
    return strengthened(curve, _alone(kind, evidence, rest, below), more)


def _ladder(kind: Kind, evidence: Evidence, question: Question, asked: tuple[Rung, ...]) -> dict[str, CollectiveCurve]:
    """The rungs that exist of those that are asked for, the weakest first."""
    existing = kind.rungs(evidence, question)
    questions = {rung.name: question for rung in asked if rung.name in existing}
    if asked[-1].name not in existing:
        below = [rung.name for rung in RUNGS[: RUNGS.index(asked[-1])] if rung.name in existing]
        if below and below[-1] not in questions:
            questions[below[-1]] = kind.brief(question)
    found: dict[str, CollectiveCurve] = {}
    weaker = None
    for name in sorted(questions, key=[rung.name for rung in RUNGS].index):
        curve = kind.curve(evidence, questions[name], _rung(name))
        # A search that is cut short, or half-spaces of other orders, may say less than a weaker method.
        found[name] = weaker = curve if weaker is None else strengthened(curve, weaker)
    return _unrefuted(found)


def _unrefuted(found: dict[str, CollectiveCurve]) -> dict[str, CollectiveCurve]:
    """The rungs without the bounds below perturbations that exist, which the exact methods know."""
    attacks = [curve.attacked_upper - curve.gap for curve in found.values() if curve.attacks is not None]
    if not attacks:
        return found
    known, weaker = np.fmax.reduce(attacks), None
    checked = {}
    for name, curve in found.items():
        checked[name] = weaker = weakened(curve, known, weaker)
    return checked


def _kind(evidence: Evidence, question: Question) -> tuple[Kind, Evidence]:
    """Who answers, and about which noise."""
    smoothing = evidence.smoothing
    if question.shift is not None:
        if not any(isinstance(getattr(law, "law", law), CONTINUOUS) for law in smoothing.levels("features")):
            raise InputError(
                "only Gaussian and uniform noise have a measure for a shift; give add, delete, edges or nodes"
            )
        return NORM, evidence
    if smoothing.flips_only:
        return FLIPS, evidence
    if not counts_rows(smoothing):
        return ALONE, evidence
    if selects_all(smoothing) and all(budget.nodes is None for budget in question.budgets):
        return FLIPS, replace(evidence, smoothing=smoothing.lower)
    return HIERARCHICAL, evidence


def _rung(name: str) -> Rung:
    (rung,) = named_rungs([name])
    return rung
