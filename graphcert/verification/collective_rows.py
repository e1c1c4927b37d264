"""The numbers of one curve of collective.json, read strictly: what cannot be a curve is refused."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from graphcert.errors import DataError

QUESTIONS = ("targets", "correct")
"""Whose falling is bounded: that of all targets, and that of the correctly labelled ones."""

METHODS = ("naive", "lp-2", "milp-2", "lp", "milp", "enumerated", "tight-lp", "tight")
"""What curves are called, the weakest first."""

_MOST_ROWS = 50_000
"""Budgets of one sweep, each of which is compared with all others."""

_NAMES = {
    "axes", "budgets", "targets", "bound", "attacked_upper", "method", "status", "gap", "correct_upper", "correct_targets",
    "attacks",
}  # fmt: skip
_LATER = {"rounding", "proofs"}


class Curve(NamedTuple):
    """One method over B budgets.

    Attributes:
        axes: names of the budgets' axes.
        budgets: (B, A) whole numbers, or norms.
        counted: per question how many targets count; None if it was not asked.
        upper: per question (B,) how many of them fall at most.
        bound: (B,) what `upper` is the floor of.
        gap: (B,) upper minus the best attack; nan where none is known.
        attacks: (B, M) its changes, or None.
        proofs: per budget and question; None if the file has none.
        rounding: the most by which bounds of other classes were raised.
    """

    axes: tuple[str, ...]
    budgets: NDArray[Any]
    counted: tuple[int, int | None]
    upper: tuple[NDArray[np.int64], NDArray[np.int64] | None]
    bound: NDArray[np.float64]
    gap: NDArray[np.float64]
    attacks: NDArray[np.int64] | None
    proofs: list[dict[str, dict[str, Any]]] | None
    rounding: float

    @property
    def asked(self) -> tuple[bool, ...]:
        """Whether each of `QUESTIONS` was asked."""
        return tuple(most is not None for most in self.counted)

    @property
    def varying(self) -> list[str]:
        """The axes on which some budget is not 0."""
        return [name for name, column in zip(self.axes, self.budgets.T, strict=True) if column.any()]

    def upper_of(self, question: int) -> NDArray[np.int64]:
        """(B,) how many targets fall at most, of a question that was asked."""
        found = self.upper[question]
        if found is None:
            raise DataError("the methods of one sweep answer different questions; make it again")
        return found

    @classmethod
    def read(cls, name: str, described: Any) -> "Curve":
        """The curve of a method; raises `DataError` if it is none, or its numbers contradict each other."""
        try:
            curve = _read(described)
            _check(curve)
            if name == "naive" and set(described["method"]) != {"naive"}:
                raise ValueError("it says that it rests on another method")
            return curve
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise DataError(f"{name} is no curve ({str(error)[:200]}); make it again") from None


def _read(described: Mapping[str, Any]) -> Curve:
    if not _NAMES <= set(described) <= _NAMES | _LATER:
        raise ValueError("a number is missing, or one is there that nobody knows")
    axes = tuple(described["axes"])
    correct, attacks, proofs = described["correct_upper"], described["attacks"], described.get("proofs")
    if not all(isinstance(word, str) for name in ("axes", "method", "status") for word in described[name]):
        raise ValueError("an axis, a method or a status is no word")
    if {len(described[name]) for name in ("method", "status")} != {len(described["budgets"])}:
        raise ValueError("there is not one method and status per budget")
    if proofs is not None and not all(isinstance(one, dict) for row in proofs for one in row.values()):
        raise ValueError("a proof is no object")
    return Curve(
        axes, _numbers(described["budgets"], "iuf").reshape(-1, len(axes)),
        (described["targets"], described["correct_targets"]),
        (_numbers(described["attacked_upper"]), None if correct is None else _numbers(correct)),
        _numbers(described["bound"], "iuf").astype(np.float64),
        np.array([np.nan if gap is None else float(gap) for gap in described["gap"]]),
        None if attacks is None else _numbers(attacks), proofs, float(described.get("rounding", 0.0)),
    )  # fmt: skip


def _numbers(values: Any, kinds: str = "iu") -> NDArray[Any]:
    array = np.array(values)
    if array.dtype.kind not in kinds and array.size:
        raise ValueError(f"numbers are given as {array.dtype}")
    return array if array.size else array.astype(np.int64)


def _check(curve: Curve) -> None:
    rows = len(curve.budgets)
    if rows > _MOST_ROWS:
        raise ValueError(f"it has more than {_MOST_ROWS:,} budgets")
    for most, upper in zip(curve.counted, curve.upper, strict=True):
        if (most is None) != (upper is None):
            raise ValueError("the correct targets lack their number or their bounds")
        if most is not None and upper is not None and (type(most) is not int or not _within(upper, most, rows)):
            raise ValueError("a count lies outside 0 to the number of targets")
    if (
        curve.bound.shape != (rows,)
        or not (curve.upper[0] >= np.floor(np.minimum(curve.bound, curve.counted[0]))).all()
    ):
        raise ValueError("attacked_upper lies below its bound")
    if curve.gap.shape != (rows,) or not ((curve.gap >= 0) & (curve.gap <= curve.upper[0]) | np.isnan(curve.gap)).all():
        raise ValueError("a gap lies outside 0 to attacked_upper")
    if not (np.isfinite(curve.budgets.astype(np.float64)) & (curve.budgets >= 0)).all():
        raise ValueError("a budget is not a number of at least 0")
    if curve.attacks is not None and (curve.attacks.ndim != 2 or len(curve.attacks) != rows):
        raise ValueError("there is not one attack per budget")
    asked = {question for question, most in zip(QUESTIONS, curve.counted, strict=True) if most is not None}
    if curve.proofs is not None and [set(row) for row in curve.proofs] != [asked] * rows:
        raise ValueError("there is not one proof per budget and question")
    if not 0 <= curve.rounding <= 1:
        raise ValueError("the rounding of other classes is no number from 0 to 1")


def _within(upper: NDArray[np.int64], most: int, rows: int) -> bool:
    return upper.shape == (rows,) and bool(((upper >= 0) & (upper <= most)).all())


def budget_words(curve: Curve, row: int) -> str:
    """A budget in words: "3 feature_add, 1 edge_delete"."""
    parts = zip(curve.axes, curve.budgets[row].tolist(), strict=True)
    return ", ".join(f"{amount:g} {axis}" for axis, amount in parts if amount) or "no change"
