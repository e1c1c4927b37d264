"""Inputs of a few rows with one bit each, by enumeration: every outcome of the noise, every change, the worst event.

What is seen of a row is its bit, or under selection whether it was selected and then the bit, or nothing if it is hidden.
"""

from collections.abc import Iterator
from itertools import combinations, product
from typing import Any

import graphcert as gc
from graphcert.noise import Selected

Law = dict[tuple[Any, ...], float]
"""Probabilities of what is seen of all rows."""


def seen(scheme: Any, bits: tuple[int, ...]) -> Law:
    """The law of what is seen of an input."""
    law = scheme.levels("features")[0]
    if isinstance(law, gc.SubsetAblation):
        kept = [*combinations(range(len(bits)), law.kept)]
        return {tuple(b if k in some else None for k, b in enumerate(bits)): 1 / len(kept) for some in kept}
    found: Law = {(): 1.0}
    for bit in bits:
        row = _of_row(law, bit)
        found = {(*before, what): p * q for before, p in found.items() for what, q in row.items() if q}
    return found


def _of_row(law: Any, bit: int) -> dict[Any, float]:
    if isinstance(law, Selected):
        noisy = {None: 1.0} if isinstance(law.row, gc.Ablation) else _of_row(law.row, bit)
        return {("clean", bit): 1 - law.select, **{("noised", what): law.select * p for what, p in noisy.items()}}
    one = 1 - law.delete if bit else law.add
    return {1: one, 0: 1 - one}


def changes(bits: tuple[int, ...], budget: gc.Budget, hidden: bool) -> Iterator[tuple[int, ...]]:
    """Every input within a budget; where rows are `hidden` their number is the budget."""
    for other in product((0, 1), repeat=len(bits)):
        added = sum(b < o for b, o in zip(bits, other, strict=True))
        deleted = sum(b > o for b, o in zip(bits, other, strict=True))
        free = hidden and not budget.feature_add + budget.feature_delete
        within = free or (added <= budget.feature_add and deleted <= budget.feature_delete)
        if within and added + deleted <= (len(bits) if budget.nodes is None else budget.nodes):
            yield other


def worst(scheme: Any, bits: tuple[int, ...], budget: gc.Budget, p: float) -> float:
    """The least probability, after any change within a budget, of an event of probability p before (Neyman–Pearson)."""
    clean, hidden = seen(scheme, bits), scheme.hides_rows
    return min(least(clean, seen(scheme, other), p) for other in changes(bits, budget, hidden))


def least(clean: Law, changed: Law, p: float) -> float:
    """The least probability under one law of a randomised event of probability p under another."""
    left, mass = p, 0.0
    for what in sorted(clean, key=lambda what: changed.get(what, 0.0) / clean[what]):
        share = min(1.0, left / clean[what])
        left, mass = left - share * clean[what], mass + share * changed.get(what, 0.0)
        if left <= 0:
            break
    return mass
