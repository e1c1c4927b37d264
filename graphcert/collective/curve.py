"""The result of every collective certificate: how many targets stay certified at which budget."""

import csv
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.solvers.program import Amounts, FloatArray, IntArray
from graphcert.core.files import atomic_write_text
from graphcert.core.late import handed_over
from graphcert.core.reading import read_json
from graphcert.core.tables import data_frame, html_table
from graphcert.errors import DataError, InputError

SHIFT = "feature_shift"
"""The axis of budgets that are a norm: how far the features move, in ℓ2 (Gaussian noise) or ℓ1 (uniform noise)."""

QUESTIONS = ("targets", "correct")
"""Whose falling a curve bounds: that of all targets, and that of the correctly labelled ones."""

PROOFS = ("all", "boxes", "duals", "other", "search")
"""What a number can rest on (`certificates.proofs`)."""

_MOST_ROWS = 12
"""Of a table in a notebook."""


@dataclass(frozen=True, eq=False, repr=False)
class CollectiveCurve:
    """Certified counts over a sweep of budgets (B budgets, A axes); every count is a proved one.

    Attributes:
        axes: names of the A axes, in the order of the columns of `budgets`.
        budgets: (B, A) int, the global budget per axis; float if an axis is a norm.
        targets: number of target nodes |T|.
        bound: (B,) float, proved upper bound on the targets that one perturbation can change.
        attacked_upper: (B,) int, ⌊bound⌋ within 0 … |T|. Sound side: above.
        method: (B,) str, the cheapest method that proves `attacked_upper` ("naive", "lp", "milp", …).
        status: (B,) str, what the solver said; a bound never rests on more than it proved.
        gap: (B,) float, `attacked_upper` minus the best attack found within the model; 0 means the bound is the truth
            of the model, nan that no attack is known.
        correct_upper: (B,) int or None, the bound of a separate solve over the correctly labelled targets.
        correct_targets: their number, or None.
        attacks: (B, M) int or None, the changes of the best attack found within each budget, per axis of change of the
            problem (such as one block, one channel and one operation).
        rounding: the most by which an upper bound of other classes was rounded up; 0 under the binary rule.
        proofs: per budget what shows `attacked_upper` ("targets") and `correct_upper` ("correct") to others, JSON ready
            (docs/verification.md); None if nobody asked for it.
    """

    axes: tuple[str, ...]
    budgets: Amounts
    targets: int
    bound: FloatArray
    attacked_upper: IntArray
    method: npt.NDArray[np.str_]
    status: npt.NDArray[np.str_]
    gap: FloatArray
    correct_upper: IntArray | None = None
    correct_targets: int | None = None
    attacks: IntArray | None = None
    rounding: float = 0.0
    proofs: tuple[dict[str, Any], ...] | None = None

    def upper(self, question: str) -> IntArray | None:
        """(B,) the bound about one of `QUESTIONS`; None if it was not asked."""
        return self.attacked_upper if question == "targets" else self.correct_upper

    @property
    def certified(self) -> IntArray:
        """(B,) int, |T| − attacked_upper: at least so many targets keep their label. Sound side: below."""
        return self.targets - self.attacked_upper

    @property
    def ratio(self) -> FloatArray:
        """(B,) certified ratio, certified / |T|."""
        return self.certified / self.targets

    @property
    def accuracy(self) -> FloatArray | None:
        """(B,) certified accuracy, targets that are correct and stay so / |T|; None if no labels were given."""
        if self.correct_upper is None or self.correct_targets is None:
            return None
        return (self.correct_targets - self.correct_upper) / self.targets

    def __len__(self) -> int:
        return len(self.budgets)

    def __repr__(self) -> str:
        varying = [name for name, column in zip(self.axes, self.budgets.T, strict=True) if column.any()]
        certified = f"{self.certified.min():,} to {self.certified.max():,}" if len(self) else "none"
        return (
            f"CollectiveCurve of {self.targets:,} targets at {len(self):,} budgets ({', '.join(varying) or 'no change'}): "
            f"{certified} certified by {', '.join(dict.fromkeys(self.method.tolist()))}{self._rounded}"
        )

    @property
    def _rounded(self) -> str:
        """What rounding has to say in a summary."""
        return f", other classes rounded up by at most {self.rounding:.2g}" if self.rounding else ""

    def rows(self) -> Iterator[dict[str, Any]]:
        """One plain dictionary per budget: the budget per axis, then every number of the certificate."""
        accuracy = self.accuracy
        for i, budget in enumerate(self.budgets.tolist()):
            yield {
                **dict(zip(self.axes, budget, strict=True)),
                "targets": self.targets,
                "certified": int(self.certified[i]),
                "ratio": float(self.ratio[i]),
                "accuracy": None if accuracy is None else float(accuracy[i]),
                "attacked_upper": int(self.attacked_upper[i]),
                "bound": float(self.bound[i]),
                "gap": float(self.gap[i]),
                "method": str(self.method[i]),
                "status": str(self.status[i]),
            }

    def to_pandas(self) -> Any:
        """A pandas.DataFrame of `rows()`.

        Raises:
            UnsupportedError: if pandas is not installed.
        """
        rows = list(self.rows())
        return data_frame({name: [row[name] for row in rows] for name in (rows[0] if rows else self.axes)}, "budget")

    def plot(self, axis: str | None = None, path: str | os.PathLike[str] | None = None) -> Any:
        """Certified ratio, and accuracy if it is known, against the budget on one axis.

        Args:
            axis: one of `axes`, such as "feature_add" or "add"; by default the first that varies. Budgets with more than
                the least on another axis are left out.
            path: where to write it as .png, .svg or .pdf, whole or not at all.

        Returns:
            A matplotlib.figure.Figure, which notebooks show.

        Raises:
            InputError: for another axis, or another kind of file.
            DataError: if the file cannot be written.
        """
        return handed_over("plot_curve")(self, axis, path)

    def _repr_html_(self) -> str:
        shown = [name for name, column in zip(self.axes, self.budgets.T, strict=True) if column.any()]
        header = [*shown, "certified", "ratio", *([] if self.accuracy is None else ["accuracy"]), "gap", "method"]
        rows = list(self.rows())
        chosen = sorted({len(rows) * k // _MOST_ROWS for k in range(_MOST_ROWS)} if rows else ())
        cells = [[_cell(rows[i][name]) for name in header] for i in chosen]
        left_out = f" ({len(chosen)} of them shown)" if len(chosen) < len(rows) else ""
        return html_table(f"{self!r}{left_out}", header, cells)

    def to_csv(self, path: str | Path) -> None:
        """Write `rows()` as comma-separated values with a header line; an absent accuracy is an empty field."""
        atomic_write_text(Path(path), csv_text(list(self.rows()), self.axes))

    def to_dict(self) -> dict[str, Any]:
        """A plain description (JSON ready); `from_dict` inverts it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in values.items()}
        if not self.rounding:
            del plain["rounding"]
        if self.proofs is None:
            del plain["proofs"]
        return {**plain, "gap": [None if math.isnan(gap) else gap for gap in plain["gap"]]}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "CollectiveCurve":
        """Rebuild a curve from `to_dict`; raises `InputError` on anything else, and if the numbers contradict each other."""
        try:
            measured = np.float64 if SHIFT in description["axes"] else np.int64
            kinds = {"budgets": measured, "bound": np.float64, "attacked_upper": np.int64, "method": np.str_}
            kinds |= {"status": np.str_, "gap": np.float64, "correct_upper": np.int64, "attacks": np.int64}
            values = {
                "attacks": None,
                "rounding": 0.0,
                "proofs": None,
                **description,
                "axes": tuple(description["axes"]),
            }
            values["proofs"] = None if values["proofs"] is None else tuple(values["proofs"])
            for key, kind in kinds.items():
                values[key] = None if values[key] is None else _array(key, values[key], kind)
            values["budgets"] = values["budgets"].reshape(-1, len(values["axes"]))
            curve = cls(**values)
            _check(curve)
            return curve
        except Exception as error:  # whatever a value of another kind makes numpy stumble over
            raise InputError(f"this does not describe a collective curve: {str(error)[:200]}") from None

    def save(self, path: str | Path) -> None:
        """Write `to_dict()` as JSON, atomically and durably.

        Raises:
            DataError: if the file cannot be written.
        """
        atomic_write_text(Path(path), json.dumps(self.to_dict()) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "CollectiveCurve":
        """Read back what `save` wrote, with every bit.

        Raises:
            DataError: if the file is missing, damaged, no curve, or its numbers contradict each other.
        """
        what, remedy = "a saved CollectiveCurve", "write one with CollectiveCurve.save"
        try:
            return cls.from_dict(read_json(Path(path), what, remedy))
        except FileNotFoundError:
            raise DataError(f"there is no {path}; {remedy}") from None
        except InputError as error:
            raise DataError(f"{path} is not {what}: {error}") from None


def _cell(value: Any) -> str:
    """A number as it is read in a table; shares are rounded down."""
    return f"{math.floor(value * 1e4) / 1e4:.4g}" if isinstance(value, float) and math.isfinite(value) else f"{value}"


def _array(name: str, values: Any, kind: type[np.generic]) -> npt.NDArray[Any]:
    """`values` as an array of this kind; numbers are never rounded or read out of text."""
    plain = np.array(values)
    kinds = {np.float64: "iuf", np.int64: "iu", np.str_: "U"}[kind]
    if name == "gap":
        plain = np.array([math.nan if value is None else value for value in values])
    if plain.size and plain.dtype.kind not in kinds:
        raise ValueError(f"{name} holds {plain.dtype}")
    return plain.astype(kind)


def _check(curve: CollectiveCurve) -> None:
    """Raise `ValueError` unless the numbers can be those of one curve; a bound that is too small would certify falsely."""
    if type(curve.targets) is not int or not all(isinstance(axis, str) for axis in curve.axes):
        raise ValueError("targets is no whole number, or an axis has no name")
    rows = {name: getattr(curve, name) for name in ("bound", "attacked_upper", "method", "status", "gap")}
    parts = [(curve.attacked_upper, curve.targets), (np.minimum(curve.bound, curve.targets), curve.targets)]
    if (curve.correct_upper is None) != (curve.correct_targets is None):
        raise ValueError("the correct targets lack their number or their bounds")
    if type(curve.correct_targets) not in (int, type(None)):
        raise ValueError("correct_targets is no whole number")
    if curve.correct_upper is not None and curve.correct_targets is not None:
        rows["correct_upper"] = curve.correct_upper
        parts += [(curve.correct_upper, curve.correct_targets), (np.array(curve.correct_targets), curve.targets)]
    for name, array in rows.items():
        if array.shape != (len(curve),):
            raise ValueError(f"{name} has the shape {array.shape} for {len(curve)} budgets")
    if curve.attacks is not None and (curve.attacks.ndim != 2 or len(curve.attacks) != len(curve)):
        raise ValueError(f"attacks has the shape {curve.attacks.shape} for {len(curve)} budgets")
    if not all(((part >= 0) & (part <= most)).all() for part, most in parts):
        raise ValueError("a count lies outside 0 to the number of targets")
    if (curve.attacked_upper < np.floor(np.minimum(curve.bound, curve.targets))).any():
        raise ValueError("attacked_upper lies below its bound")
    if not (np.isfinite(curve.budgets) & (curve.budgets >= 0)).all() or np.isinf(curve.gap).any():
        raise ValueError("a budget is not a finite number of at least 0, or a gap is infinite")
    if curve.proofs is not None:
        asked = {question for question in QUESTIONS if curve.upper(question) is not None}
        if len(curve.proofs) != len(curve) or any(set(proof) != asked for proof in curve.proofs):
            raise ValueError("there is not one proof per budget and question")
        if any(one["kind"] not in PROOFS for proof in curve.proofs for one in proof.values()):
            raise ValueError("a proof is of no known kind")
    if type(curve.rounding) not in (int, float) or not 0 <= curve.rounding <= 1:
        raise ValueError("the rounding of other classes is no number from 0 to 1")


REFUTED = "refuted by an attack"
"""The status of a bound that stands in for a smaller one, below which an attack is known."""


def strengthened(
    curve: CollectiveCurve, other: CollectiveCurve, rows: IntArray | None = None, *, same: bool = False
) -> CollectiveCurve:
    """`curve` with the smaller of two proved bounds at some budgets.

    Its attacks stay. Where they are perturbations that exist (`attacks`), or in the model of `other` too, a gap can only
    close, and a bound below them is refuted and not taken. Elsewhere nothing is known about the gap to a bound that is.

    Args:
        curve: B budgets.
        other: about the same targets, at R of these budgets.
        rows: (R,) which ones; all by default.
        same: whether both are about the same model.
    """
    rows = np.arange(len(curve)) if rows is None else rows
    attack = curve.attacked_upper - curve.gap
    better = other.attacked_upper < curve.attacked_upper[rows]
    if same or curve.attacks is not None:
        better &= ~(other.attacked_upper < attack[rows])
    at, chosen = rows[better], np.flatnonzero(better)
    new: dict[str, Any] = {}
    for name in ("bound", "attacked_upper", "method", "status"):
        mine, theirs = getattr(curve, name), getattr(other, name)
        new[name] = mine.astype(np.result_type(mine, theirs))  # words of any length
        new[name][at] = theirs[chosen]
    new["gap"] = new["attacked_upper"] - attack
    new["rounding"] = max(curve.rounding, other.rounding) if better.any() else curve.rounding
    if not same and curve.attacks is None:
        new["gap"][at] = np.nan
    if curve.correct_upper is not None and other.correct_upper is not None:
        new["correct_upper"] = curve.correct_upper.copy()
        new["correct_upper"][rows] = np.minimum(curve.correct_upper[rows], other.correct_upper)
    return replace(curve, **new)


def weakened(curve: CollectiveCurve, attack: FloatArray, weaker: CollectiveCurve | None) -> CollectiveCurve:
    """`curve` without the bounds that perturbations refute which exist: there it proves what `weaker` does, or nothing.

    Args:
        curve: B budgets.
        attack: (B,) so many targets fall under some perturbation within the budget; nan if none is known.
        weaker: another curve of the same targets, none of whose bounds are refuted; None for none.
    """
    refuted = curve.attacked_upper < attack
    if not refuted.any():
        return curve
    known = weaker.attacked_upper if weaker is not None else np.full(len(curve), curve.targets)
    correct = curve.correct_upper
    if correct is not None:
        least = None if weaker is None else weaker.correct_upper
        nothing = np.full(len(curve), curve.correct_targets, dtype=np.int64)
        correct = np.where(refuted, nothing if least is None else least, correct)
    return replace(
        curve,
        bound=np.where(refuted, known, curve.bound),
        attacked_upper=np.where(refuted, known, curve.attacked_upper),
        method=np.where(refuted, "naive", curve.method),
        status=np.where(refuted, REFUTED, curve.status),
        gap=np.where(refuted, known - attack, curve.gap),
        correct_upper=correct,
    )


def csv_text(rows: Sequence[Mapping[str, Any]], header: Sequence[str]) -> str:
    """Rows as comma-separated values under their names; without rows only `header`."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else list(header))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
