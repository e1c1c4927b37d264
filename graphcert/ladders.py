"""Collective certificates of a run: every sweep by several methods, and how they are kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import csv_text
from graphcert.errors import DataError, InputError
from graphcert.noise import AXES, Smoothing

Ladder = dict[str, CollectiveCurve]
"""One sweep by several methods, the weakest first."""


@dataclass(frozen=True)
class Isotropic:
    """The same model under isotropic noise at equal accuracy, node by node.

    Attributes:
        smoothing: the isotropic scheme.
        accuracy: smoothed accuracy on the targets under it.
        localized_accuracy: the same under the localized scheme.
        curves: one per ladder, over its budgets.
    """

    smoothing: Smoothing
    accuracy: float
    localized_accuracy: float
    curves: tuple[CollectiveCurve, ...]


@dataclass(frozen=True)
class Collective:
    """All sweeps of one certificate.

    Attributes:
        ladders: one per sweep.
        isotropic: what they are compared with, if asked for.
        mean_score: one curve per ladder about the classifier of the largest mean score, if the votes carry scores. That is
            another classifier; the two are never mixed.
    """

    ladders: tuple[Ladder, ...] = ()
    isotropic: Isotropic | None = None
    mean_score: tuple[CollectiveCurve, ...] = ()

    def to_json(self, votes: str, alpha: float) -> str:
        """The content of collective.json, with the digest of the votes and the level it holds for."""
        other = self.isotropic
        content = {
            "votes": votes,
            "alpha": alpha,
            "ladders": [{method: curve.to_dict() for method, curve in ladder.items()} for ladder in self.ladders],
            "isotropic": None
            if other is None
            else {
                "smoothing": other.smoothing.to_dict(),
                "accuracy": other.accuracy,
                "localized_accuracy": other.localized_accuracy,
                "curves": [curve.to_dict() for curve in other.curves],
            },
            "mean_score": [curve.to_dict() for curve in self.mean_score],
        }
        return json.dumps(content) + "\n"

    @classmethod
    def from_json(cls, text: str, votes: str, alpha: float, targets: int) -> "Collective | None":
        """Read it back; None if it belongs to other votes, another level or other targets.

        Raises:
            DataError: if this is no content of collective.json.
        """
        try:
            content = json.loads(text)
            ladders = tuple({m: CollectiveCurve.from_dict(c) for m, c in one.items()} for one in content["ladders"])
            other = content["isotropic"] and _isotropic(content["isotropic"])
            mean_score = tuple(CollectiveCurve.from_dict(curve) for curve in content["mean_score"])
            same = content["votes"] == votes and content["alpha"] == alpha
        except (KeyError, TypeError, AttributeError, ValueError, InputError):
            raise DataError("this is not a collective certificate; run `graphcert collective` again") from None
        counted = {curve.targets for ladder in ladders for curve in ladder.values()}
        return cls(ladders, other, mean_score) if same and counted <= {targets} else None

    def beside(self, sweep: int) -> Ladder:
        """The curves of other classifiers over the budgets of one sweep."""
        found = {} if self.isotropic is None else {"isotropic": self.isotropic.curves[sweep]}
        return found | ({"mean_score": self.mean_score[sweep]} if self.mean_score else {})

    def table(self) -> str:
        """collective.csv: one row per sweep, method asked for and budget."""
        rows: list[dict[str, Any]] = []
        for i, ladder in enumerate(self.ladders):
            named = {**ladder, **self.beside(i)}
            rows += [{"sweep": i, "asked": name, **row} for name, curve in named.items() for row in curve.rows()]
        return csv_text(rows, ["sweep", "asked", *AXES])


def _isotropic(content: Mapping[str, Any]) -> Isotropic:
    curves = tuple(CollectiveCurve.from_dict(curve) for curve in content["curves"])
    smoothing = Smoothing.from_dict(content["smoothing"])
    return Isotropic(smoothing, float(content["accuracy"]), float(content["localized_accuracy"]), curves)
