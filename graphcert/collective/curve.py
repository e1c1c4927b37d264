"""The result of every collective certificate: how many targets stay certified at which budget."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphcert.collective.linear import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class CollectiveCurve:
    """Certified counts over a sweep of budgets (B budgets, A axes); every count is a proved one.

    Attributes:
        axes: names of the A axes, in the order of the columns of `budgets`.
        budgets: (B, A) int, the global budget per axis.
        targets: number of target nodes |T|.
        bound: (B,) float, proved upper bound on the targets that one perturbation can change.
        attacked_upper: (B,) int, ⌊bound⌋ within 0 … |T|. Sound side: above.
        method: (B,) str, the cheapest method that proves `attacked_upper` ("naive", "lp", "milp", …).
        status: (B,) str, what the solver said; a bound never rests on more than it proved.
        gap: (B,) float, `attacked_upper` minus the best attack found within the model; 0 means the bound is the truth
            of the model, nan that no attack is known.
        correct_upper: (B,) int or None, the bound of a separate solve over the correctly labelled targets.
        correct_targets: their number, or None.
    """

    axes: tuple[str, ...]
    budgets: IntArray
    targets: int
    bound: FloatArray
    attacked_upper: IntArray
    method: npt.NDArray[np.str_]
    status: npt.NDArray[np.str_]
    gap: FloatArray
    correct_upper: IntArray | None = None
    correct_targets: int | None = None

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

    def to_csv(self, path: str | Path) -> None:
        """Write `rows()` as comma-separated values with a header line; an absent accuracy is an empty field."""
        rows = list(self.rows())
        fields = list(rows[0]) if rows else [*self.axes]
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fields)
            writer.writeheader()
            writer.writerows(rows)
