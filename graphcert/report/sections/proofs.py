"""What collective certificates rest on, method by method."""

import numpy as np

from graphcert.report.ladder import Ladder
from graphcert.report.wording import NOTHING, number

_PROVED = ("optimal", "not solved", "not needed", "closed")


def proofs(swept: list[Ladder]) -> list[str]:
    """What the numbers rest on, method by method, and where they could be larger."""
    methods = {method for ladder in swept for method in ladder.curves}
    found = [
        "Every number is a proved bound, rounded towards fewer certified targets. It follows from the claims about single "
        "targets and holds whenever these hold."
    ]
    if "lp" in methods:
        found.append(
            "Linear program: the bound is recomputed from the dual values that the solver found, with negative ones set "
            "to 0 and every rounding outwards. A solver that errs makes it worse, never false."
        )
    if "milp" in methods:
        found.append(
            "Integer program: the bound is the best one of branch and bound plus a slack for the solver’s tolerances. If "
            "the time limit ends the search, it is what had been proved by then."
        )
    if {"lp-2", "milp-2"} & methods:
        found.append(
            "Published: the same programs with half-spaces of order 2 only, as in the paper on localized smoothing."
        )
    if "tight" in methods:
        found.append(
            "Exact trade-offs: nothing is linearised. A search over where the changes are made compares every target’s "
            "votes with the exact critical probability; where it ends, no certificate from these votes can say "
            "more. If the time limit ends it, the number is what had been proved by then."
        )
    found.append(_open(swept))
    return found


def _open(swept: list[Ladder]) -> str:
    """How much more could be certified."""
    gaps = np.concatenate([ladder.best.gap for ladder in swept])
    known = gaps[~np.isnan(gaps)]
    sentences = [
        "Gap: the best attack that was found bounds what can be certified at all. A gap of k means that at most k more "
        f"targets could be certified by this method, 0 that none could; {NOTHING} says that no attack is known."
    ]
    if known.size:
        sentences.append(f"The largest known gap here is {number(round(known.max()))} targets.")
    stopped = sum(unproved(status) for ladder in swept for status in ladder.best.status.tolist())
    if stopped:
        sentences.append(f"The solver stopped before its optimum at {number(stopped)} of {number(len(gaps))} budgets.")
    return " ".join(sentences)


def unproved(status: str) -> bool:
    """Whether the solver stopped before its optimum."""
    return status not in _PROVED
