"""What is claimed of inputs that have one label each: bounds, budgets and radii (theory, sections 1 to 6 and 10)."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError, UnsupportedError
from graphcert.verification import stated
from graphcert.verification.budget_claims import Proofs, unproved_radii
from graphcert.verification.findings import Finding
from graphcert.verification.node_bounds import Levels, NodeBounds, bounds_at, lower_is_proved
from graphcert.verification.node_claims import check_votes
from graphcert.verification.placements import Budget, hidden_mass
from graphcert.verification.real_laws import survives_shift
from graphcert.verification.run_files import StoredVotes
from graphcert.verification.schemes import Views, read_scheme

RESULTS, INPUTS = "results.csv", "inputs.csv"
_COUNTS = ("feature_add", "feature_delete", "edge_add", "edge_delete")

Rows = Sequence[Mapping[str, Any]]
"""The rows of a table, as `csv.DictReader` gives them."""
Mask = NDArray[np.bool_]


class OutputTables(NamedTuple):
    """results.csv, one row per budget, and inputs.csv, one row per input; and the true classes (N,), None if unknown."""

    results: Rows
    inputs: Rows
    truth: NDArray[np.int64] | None


def check_outputs(settings: Mapping[str, Any], votes: StoredVotes, tables: OutputTables) -> Iterator[Finding]:
    """Labels and bounds of inputs.csv, and then its radii and the budgets of results.csv, by the slow path.

    What is claimed has to be proved; what is proved besides is not missed.

    Args:
        settings: those of the run, section "classify" of settings.toml.
        votes: about N inputs with `rows`; where the noise depends on the input those of all, under any of its laws.
        tables: as they lie in the run.
    """
    yield from check_votes(votes)
    try:
        if votes.rows is None:
            raise DataError("the votes do not say how many rows an input has; take them again")
        levels = _levels(settings, votes)
        bounds = bounds_at(levels, votes)
        yield _check_bounds(votes, tables.inputs, levels, bounds)
        if settings.get("elasticity") is not None:
            raise UnsupportedError("noise that depends on the input is not covered independently; radii are recomputed")
        yield from _check_radii(votes, tables.inputs, bounds)
        yield _check_budgets(votes, tables, bounds)
    except DataError as error:
        yield Finding("contradiction", RESULTS, str(error))
    except UnsupportedError as error:
        yield Finding("believed", RESULTS, str(error))


def _levels(settings: Mapping[str, Any], votes: StoredVotes) -> Levels:
    """α over all inputs, half of it for the label under the multi-class rule."""
    inputs, classes = votes.counts.shape
    alpha = stated.number(settings.get("alpha", 0.01), "alpha", 0.0, 0.5)
    method = settings.get("method") or ("binary" if classes == 2 else "multiclass")
    if settings.get("elasticity") is not None:
        method = "binary"
    if alpha in (0.0, 0.5) or method not in ("binary", "multiclass"):
        raise DataError("alpha or method of settings.toml is outside its domain; restore the settings")
    everywhere, level = np.ones(inputs, np.bool_), Fraction(alpha) / inputs
    if method == "binary":
        return Levels(method, everywhere, level, Fraction(0))
    return Levels(method, everywhere, level / 2, level / 2)


def _check_bounds(votes: StoredVotes, rows: Rows, levels: Levels, bounds: NodeBounds) -> Finding:
    """Every label is the class with most pilot votes, every bound proved, and whoever answers is proved to."""
    if len(rows) != len(bounds.labels):
        raise DataError(f"{INPUTS} has {len(rows):,} rows for {len(bounds.labels):,} inputs; certify again")
    for k, row in enumerate(rows):
        claimed, count, samples = (
            _number(row, "p_lower"),
            int(votes.counts[k, bounds.labels[k]]),
            int(votes.counts[k].sum()),
        )
        if _number(row, "label") != bounds.labels[k] or _number(row, "rows") != votes.rows[k]:  # type: ignore[index]
            return Finding("contradiction", INPUTS, f"row {k} has another label or other rows than its votes say")
        if claimed > bounds.p_lower[k] and not lower_is_proved(claimed, count, samples, votes, levels.label):
            return Finding("contradiction", INPUTS, f"p_lower of row {k} is above the exact Clopper–Pearson bound")
        answers = bounds.p_lower[k] > 0.5 or (levels.other > 0 and bounds.p_lower[k] > bounds.p_other[k])
        if _number(row, "abstained") != 1 and not answers:
            return Finding("contradiction", INPUTS, f"row {k} answers, which is not proved")
    words = (
        f"labels of {len(rows):,} inputs have most pilot votes, and bounds hold at level {float(levels.label):.4g} each"
    )
    return Finding("proved", INPUTS, words)


def _check_radii(votes: StoredVotes, rows: Rows, bounds: NodeBounds) -> Iterator[Finding]:
    """Every column radius or radius_LIMIT."""
    for name in (name for name in rows[0] if name.startswith("radius")):
        claimed = np.array([_number(row, name) for row in rows])
        limit = None if name == "radius" else _whole(name.removeprefix("radius_"), name)
        for size, mine in _sizes(votes):
            some = np.where(mine, claimed, 0.0)
            most = size if limit is None else min(limit, size)
            wrong = unproved_radii(some, bounds, read_scheme(votes.scheme, size), most)
            if wrong.size:
                yield Finding(
                    "contradiction",
                    INPUTS,
                    f"{name} of {wrong.size:,} inputs is not proved; the first is row {wrong[0]}",
                )
                return
        yield Finding("proved", INPUTS, f"{name} of {int((claimed > 0).sum()):,} inputs is proved, the others are 0")


def _check_budgets(votes: StoredVotes, tables: OutputTables, bounds: NodeBounds) -> Finding:
    """No more inputs may be certified at a budget, and correct, than are proved."""
    count = len(bounds.labels)
    sized = [(size, mine, read_scheme(votes.scheme, size)) for size, mine in _sizes(votes)]
    proofs = {size: Proofs(bounds, views) for size, _, views in sized}
    for row in tables.results:
        numbers = {name: _whole(row.get(name), name) for name in _COUNTS}
        limit = None if row.get("nodes") in ("", None) else _whole(row["nodes"], "nodes")
        shift, kept = _number(row, "shift"), np.zeros(count, np.bool_)
        for size, mine, views in sized:
            budget = _capped(Budget(**numbers, nodes=limit), size)
            kept |= mine & (_shifted(bounds, views, shift, size, budget.nodes) if shift else proofs[size].kept(budget))
        shares = {"certified": kept}
        if tables.truth is not None:
            shares["certified_accuracy"] = kept & (bounds.labels == tables.truth)
        for name, proved in shares.items():
            if _number(row, name) > int(proved.sum()) / count or _number(row, "inputs") != count:
                at = ", ".join(f"{key} {value}" for key, value in row.items() if key not in shares)
                words = f"{name} is {row.get(name)} of {count:,} inputs ({at}), and {int(proved.sum()):,} are proved"
                return Finding("contradiction", RESULTS, words)
    return Finding(
        "proved", RESULTS, f"at each of {len(tables.results):,} budgets so many inputs are proved as it claims"
    )


def _capped(budget: Budget, size: int) -> Budget:
    """The same budget against an input of so many rows: no more of them can change."""
    if budget.nodes is None:
        return budget._replace(nodes=size) if budget.feature_add or budget.feature_delete else budget
    return budget._replace(nodes=min(budget.nodes, size))


def _shifted(bounds: NodeBounds, views: Views, shift: float, size: int, limit: int | None) -> Mask:
    """(N,) inputs whose label is proved to survive a shift in so many rows."""
    law, delta = views.features[0], hidden_mass(views.features, size if limit is None else limit)
    known: dict[tuple[float, float], bool] = {}
    found = []
    for pair in zip(bounds.p_lower.tolist(), bounds.p_other.tolist(), strict=True):
        if pair not in known:
            rival = None if bounds.method == "binary" else Fraction(pair[1])
            known[pair] = survives_shift(law.kind, law.numbers[0], Fraction(shift), delta, Fraction(pair[0]), rival)
        found.append(known[pair])
    return np.array(found)


def _sizes(votes: StoredVotes) -> list[tuple[int, Mask]]:
    """Numbers of rows, and (N,) the inputs that have so many."""
    assert votes.rows is not None
    return [(int(size), votes.rows == size) for size in np.unique(votes.rows)]


def _number(row: Mapping[str, Any], name: str) -> float:
    try:
        return stated.number(float(row[name]), f"{name} of a row", 0.0, 2.0**53)
    except (KeyError, TypeError, ValueError):
        raise DataError(f"a row of {RESULTS} or {INPUTS} has no number {name}; certify again") from None


def _whole(value: Any, name: str) -> int:
    try:
        return stated.whole(int(value), name)
    except (TypeError, ValueError):
        raise DataError(f"{name} of a row is {value!s:.40}, which is no whole number; certify again") from None
