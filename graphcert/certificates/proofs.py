"""Proofs of collective numbers that stay with a curve, so that who doubts them need not believe a solver or a search.

At one budget, and for all targets or the correct ones among them, a number of targets that may fall is shown by

    {"kind": "all"}       as many as there are: nothing is certified;
    {"kind": "boxes", …}  a covering of all allocations, see `covering`;
    {"kind": "duals", …}  prices of half-spaces, see `prices`;
    {"kind": "other"}     another method of the same comparison, which proves this number or a smaller one;
    {"kind": "search"}    nothing that is stored: it rests on the search or on the solver that found it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import QUESTIONS
from graphcert.core.arrays import Mask
from graphcert.core.compiled import working_time

Prover = Callable[[int], dict[str, Any] | None]
"""(number) → a proof that at most so many targets fall, or None."""

ProversAt = Callable[[int, Mask], Iterator[Prover]]
"""(row, counted) → ways to prove numbers about the targets `counted` (N,) at one budget, the first to try first."""

SHARE = 0.15
"""Of the time that finding the numbers took, what may be spent on proving them again."""

_SECONDS = 10.0
"""What may be spent in any case."""


def with_proofs(
    curves: Mapping[str, CollectiveCurve], provers: ProversAt, masks: Sequence[Mask | None], seconds: float
) -> dict[str, CollectiveCurve]:
    """The curves of a comparison with `proofs`.

    Args:
        curves: by name of the method, over the same budgets.
        provers: what can be tried.
        masks: (N,) the targets, and the correct ones among them or None.
        seconds: how long finding the curves took.
    """
    end = working_time() + _SECONDS + SHARE * seconds
    budgets = next(iter(curves.values())).budgets
    found: dict[str, list[dict[str, Any]]] = {name: [{} for _ in budgets] for name in curves}
    for row in np.lexsort((*budgets.T, budgets.sum(axis=1))).tolist():  # the small ones are proved fast
        for question, mask in zip(QUESTIONS, masks, strict=True):
            uppers = {name: curve.upper(question) for name, curve in curves.items()}
            if mask is None or any(upper is None for upper in uppers.values()):
                continue
            numbers = {name: int(upper[row]) for name, upper in uppers.items() if upper is not None}
            ways = provers(row, mask) if working_time() < end else iter(())
            for name, proof in _proofs(numbers, int(mask.sum()), ways, end).items():
                found[name][row][question] = proof
    return {name: replace(curve, proofs=tuple(found[name])) for name, curve in curves.items()}


def _proofs(numbers: Mapping[str, int], most: int, ways: Iterator[Prover], end: float) -> dict[str, dict[str, Any]]:
    """One proof per method: the smallest number that can be proved has it, and larger ones refer to that."""
    tried, proofs = list(ways), dict[str, dict[str, Any]]()
    shown = False
    for name in sorted(numbers, key=lambda name: numbers[name]):
        number = numbers[name]
        if number >= most:
            proofs[name] = {"kind": "all"}
        elif shown:
            proofs[name] = {"kind": "other"}
        elif number in [numbers[weaker] for weaker in proofs]:
            proofs[name] = {"kind": "search"}
        else:
            proof = next((proof for way in tried if working_time() < end and (proof := way(number))), None)
            shown, proofs[name] = proof is not None, proof or {"kind": "search"}
    return proofs
