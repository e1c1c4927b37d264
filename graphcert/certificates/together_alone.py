"""Noise under which every node is certified by itself only."""

import numpy as np

from graphcert.certificates.alone import alone_curve
from graphcert.certificates.question import Evidence, Kind, Question
from graphcert.certificates.rungs import Rung
from graphcert.collective import CollectiveCurve
from graphcert.errors import UnsupportedError
from graphcert.noise import Scheme, Selected

_REFUSAL = "under {noise} every node is certified by itself only; use method='naive' without layers"


def noise_name(smoothing: Scheme) -> str:
    """The law of features by its name, such as "SubsetAblation of features"."""
    levels = smoothing.levels("features")
    if not levels:
        return "noise of edges"
    law = levels[0].law if isinstance(levels[0], Selected) else levels[0]
    return f"{type(law).__name__} of {'selected ' if isinstance(levels[0], Selected) else ''}features"


def _rungs(evidence: Evidence, question: Question) -> tuple[str, ...]:
    return ("naive",)


def _curve(evidence: Evidence, question: Question, rung: Rung) -> CollectiveCurve:
    if question.layers is not None:
        raise UnsupportedError(_REFUSAL.format(noise=noise_name(evidence.smoothing)))
    right = None if question.correct is None else question.targets & question.correct
    robust = np.array([evidence.robust(budget) for budget in question.budgets])
    return alone_curve(question.budgets, robust, question.targets, right)


ALONE = Kind(_rungs, _curve, _REFUSAL)
