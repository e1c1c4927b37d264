"""All targets at once: which certificate answers under which noise (theory, sections 8 and 9).

A kind of noise brings a file with one `Kind`: the rungs of the ladder that exist there, and the curve of one of them.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from graphcert.certificates.question import Evidence, Kind, Question
from graphcert.certificates.rungs import ALL, METHODS, RUNGS, Rung, named_rungs
from graphcert.certificates.together_alone import ALONE, noise_name
from graphcert.certificates.together_flips import FLIPS
from graphcert.certificates.together_hierarchical import HIERARCHICAL, counts_rows
from graphcert.certificates.together_norm import NORM
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import strengthened
from graphcert.errors import InputError, UnsupportedError
from graphcert.noise import CONTINUOUS, Scheme


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
    kind = _kind(evidence.smoothing, question)
    if method == ALL or not (method is None or isinstance(method, str)):
        return _ladder(kind, evidence, question, named_rungs(method))
    if method is None:
        return kind.curve(evidence, question, _rung(kind.rungs(evidence, question)[-1]))
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)} or {ALL}, got {method!r}")
    if method != "naive" and method not in kind.rungs(evidence, question):
        raise UnsupportedError(kind.refusal.format(noise=noise_name(evidence.smoothing)))
    return kind.curve(evidence, question, _rung(method))


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
        found[name] = curve if weaker is None or not kind.nested else _carried(curve, weaker)
        weaker = found[name]
    return found


def _carried(curve: CollectiveCurve, weaker: CollectiveCurve) -> CollectiveCurve:
    """The smaller bounds: a search that is cut short may say less than a weaker one that was not."""
    best = strengthened(curve, weaker)
    # An attack within a looser model is none beyond the bound of a tighter one.
    return replace(best, gap=np.maximum(best.gap, 0.0))


def _kind(smoothing: Scheme, question: Question) -> Kind:
    """Who answers."""
    if question.shift is not None:
        if not any(isinstance(getattr(law, "law", law), CONTINUOUS) for law in smoothing.levels("features")):
            raise InputError(
                "only Gaussian and uniform noise have a measure for a shift; give add, delete, edges or nodes"
            )
        return NORM
    if smoothing.flips_only:
        return FLIPS
    if counts_rows(smoothing):
        return HIERARCHICAL
    return ALONE


def _rung(name: str) -> Rung:
    (rung,) = named_rungs([name])
    return rung
