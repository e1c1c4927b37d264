"""Checks collective.json: every number of targets that may fall is proved anew from its proof, and every attack counted.

The rows of a comparison are about one set of targets under one adversary. A proved number holds at every smaller budget,
and for every method that states it or a larger one; a verified attack refutes every smaller number at its budget and at
larger ones.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification.collective_checks import Checks, Integers
from graphcert.verification.collective_rows import METHODS, QUESTIONS, Curve, budget_words
from graphcert.verification.findings import Finding
from graphcert.verification.node_bounds import node_bounds
from graphcert.verification.run_files import PlainGraph, StoredVotes

FILE = "collective.json"


def check_collective(
    collective: dict[str, Any], certificate: dict[str, Any], votes: StoredVotes, graph: PlainGraph
) -> Iterator[Finding]:
    """All findings about the collective certificates of a run.

    Args:
        collective: the content of collective.json.
        certificate: the content of certificate.json, which has its own check (`check_certificate`).
        votes: the votes of the run.
        graph: the graph that was voted on.
    """
    try:
        comparisons = _comparisons(collective)
        yield from _same_claims(collective, certificate, votes)
        checks = Checks.of(node_bounds(certificate, votes), votes, graph)
        near = collective.get("receptive_field", False)
        if near not in (False, True):
            raise DataError("receptive_field is neither true nor false; make it again")
        if near:
            yield Finding(
                "believed", FILE, "that the model looks no further than its layers, on which its numbers rest"
            )
        for number, curves in enumerate(comparisons):
            yield from _comparison(number, curves, checks._replace(near=near))
        yield from _besides(collective)
    except DataError as error:
        yield _wrong(str(error))
    except UnsupportedError as error:
        yield Finding("believed", FILE, str(error))


def _wrong(words: str) -> Finding:
    return Finding("contradiction", FILE, words)


def _comparisons(collective: Any) -> list[dict[str, Curve]]:
    """The curves of every sweep by method, which have to be about the same budgets."""
    if not isinstance(collective, dict) or not isinstance(collective.get("ladders"), list):
        raise DataError("it has no list of sweeps; make it again")
    comparisons = []
    for ladder in collective["ladders"]:
        if not isinstance(ladder, dict) or not ladder or not set(ladder) <= set(METHODS):
            raise DataError(f"a sweep is not by the methods {', '.join(METHODS)}; make it again")
        curves = {name: Curve.read(name, described) for name, described in ladder.items()}
        first = next(iter(curves.values()))
        for one in curves.values():
            if one.axes != first.axes or not np.array_equal(one.budgets, first.budgets):
                raise DataError("the methods of one sweep are about different budgets; make it again")
            if (one.proofs is None) != (first.proofs is None):
                raise DataError("some methods of one sweep have proofs and some have none; make it again")
        comparisons.append(curves)
    return comparisons


def _same_claims(collective: dict[str, Any], certificate: dict[str, Any], votes: StoredVotes) -> Iterator[Finding]:
    """Whether it speaks of these votes, at the level of the certificate, about claims that hold together."""
    if collective.get("votes") != votes.digest:
        yield _wrong("it was made from other votes than those of this run; make it again")
    if collective.get("alpha") != certificate.get("alpha"):
        yield _wrong(f"it holds at α = {collective.get('alpha')}, the certificate at α = {certificate.get('alpha')}")
    if certificate.get("simultaneous") is not True:
        yield _wrong("it is about all targets together, but the claims of the certificate are about single nodes")


def _comparison(number: int, curves: dict[str, Curve], checks: Checks) -> Iterator[Finding]:
    """All findings about one sweep."""
    first = next(iter(curves.values()))
    where = f"sweep {number} ({', '.join(first.varying) or 'no change'})"
    possible = float(np.maximum(1.0 - checks.bounds.p_lower - checks.bounds.p_other, 0.0).max(initial=0.0))
    for name, curve in curves.items():
        stated = [most for most in curve.counted if most is not None]
        if stated != checks.counted[: len(stated)].tolist() or len(stated) != len([*filter(None, first.asked)]):
            yield _wrong(f"{where}, {name}: it counts {stated} targets, the graph has {checks.counted.tolist()}")
            return
        if curve.rounding > possible + 1e-9:
            words = f"no bound of another class can have been raised by {curve.rounding}, at most by {possible}"
            yield _wrong(f"{where}, {name}: {words}")
    wrong, attacks = checks.stored_attacks(curves)
    yield from (_wrong(f"{where}, {words}") for words in wrong)
    for question, words in enumerate(QUESTIONS):
        if first.asked[question]:
            for finding in _question(curves, question, checks, attacks[question]):
                yield finding._replace(what=f"{where}, {words}: {finding.what}")


def _question(curves: dict[str, Curve], question: int, checks: Checks, attacks: Integers) -> Iterator[Finding]:
    """Findings about one question of a sweep: attacks (B,) that refute numbers, proofs, and numbers without any."""
    first = next(iter(curves.values()))
    budgets, proved = first.budgets, checks.alone(question, first)
    for name, curve in curves.items():
        for row, proofs in enumerate(curve.proofs or ()):
            proof = proofs[QUESTIONS[question]]
            if (words := checks.wrong_proof(proof, curve, question, row)) is not None:
                yield _wrong(f"{name} at {budget_words(curve, row)}: {words}")
            elif proof.get("kind") in ("boxes", "duals"):
                proved[row] = min(proved[row], curve.upper_of(question)[row])
    # A larger budget allows more.
    proved = np.array([proved[(budgets >= budget).all(axis=1)].min() for budget in budgets], np.int64)
    least = np.min([curve.upper_of(question) for curve in curves.values()], axis=0)
    # Where a model looks no further than its layers, changes far away break nothing. Exact methods do without that.
    open_to_attack = "tight" in curves or (first.proofs is not None and not checks.near)
    for row in np.flatnonzero((least < proved) & open_to_attack).tolist():
        attacks[row] = max(attacks[row], checks.own_attack(question, first.axes, budgets[row].tolist()))
    attacks = np.array([attacks[(budgets <= budget).all(axis=1)].max() for budget in budgets], np.int64)
    for name, curve in curves.items():
        upper = curve.upper_of(question)
        for row in np.flatnonzero(upper < attacks).tolist():
            said = f"{name} says that at most {upper[row]:,} fall at {budget_words(curve, row)}"
            yield _wrong(f"{said}, but an attack breaks {attacks[row]:,}")
        if (shown := upper >= proved).any():
            how = "bounds of single nodes, coverings or prices, all of them exact"
            yield Finding("proved", FILE, f"{name} at {shown.sum()} of {len(shown)} budgets, by {how}")
        yield from _unproved(name, curve, question, ~shown)


def _unproved(name: str, curve: Curve, question: int, left: NDArray[np.bool_]) -> Iterator[Finding]:
    """Numbers that nothing proves: believed where the file says so, or is older than proofs; wrong otherwise."""
    searched = np.ones_like(left)
    if curve.proofs is not None:
        searched = np.array([row[QUESTIONS[question]].get("kind") == "search" for row in curve.proofs], np.bool_)
    if (rows := np.flatnonzero(left & searched)).size:
        named = "; ".join(budget_words(curve, row) for row in rows.tolist()[:8])
        words = (
            f"that {name} is right at {rows.size} of {len(left)} budgets, where it rests on the search or solver that"
        )
        yield Finding("believed", FILE, f"{words} found it ({named}{'; …' if rows.size > 8 else ''})")
    for row in np.flatnonzero(left & ~searched).tolist():
        yield _wrong(f"{name} at {budget_words(curve, row)} is said to be proved, but no proof reaches its number")


def _besides(collective: dict[str, Any]) -> Iterator[Finding]:
    """What stands in the file beside the sweeps, about other votes or another classifier."""
    if collective.get("isotropic") is not None:
        words = "as far as exact arithmetic goes, the comparison with isotropic noise, which rests on votes of its own"
        yield Finding("believed", FILE, words)
    if collective.get("mean_score"):
        yield Finding("believed", FILE, "the curves of the mean-score classifier, which rest on a search")
    gaps = "the gaps of methods that store no attack, which count up to the best one against their own half-spaces"
    yield Finding("believed", FILE, gaps)
