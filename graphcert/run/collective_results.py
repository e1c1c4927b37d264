"""Collective certificates of a run: every sweep by several methods, and how they are kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates import Attack, Certificate
from graphcert.certificates.attack_allocation import allocation
from graphcert.certificates.injection_claims import injection_attack
from graphcert.certificates.method_hierarchy import MethodComparison
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import SHIFT, csv_text
from graphcert.collective.injection import AXES as INJECTED
from graphcert.core.reading import damage_refused, parse_json
from graphcert.noise import AXES, Smoothing
from graphcert.report.graphs.content import Injected, Isotropic
from graphcert.tradeoff.base import norm_words

_REACH = {"layers": int, "normalisation": str}

_QUICK_ATOMS = 4096
"""Attacks whose exact trade-off can have more atoms are listed without what they break."""
_DIGITS = 12
"""Of the norms in collective.csv; collective.json has them as they are."""


@dataclass(frozen=True)
class Collective:
    """All sweeps of one certificate, compared by methods, and what they are compared with.

    `mean_score` has a curve per sweep about the classifier of the largest mean score, if the votes carry scores. That is
    another classifier; the two are never mixed. `receptive_field` says whether numbers rest on how far the model looks, and
    `reach` how far that is, under noise that drops nodes.
    """

    comparisons: tuple[MethodComparison, ...] = ()
    isotropic: Isotropic | None = None
    mean_score: tuple[CollectiveCurve, ...] = ()
    receptive_field: bool = False
    reach: Mapping[str, Any] | None = None

    def to_json(self, votes: str, alpha: float) -> str:
        """The content of collective.json, with the digest of the votes and the level it holds for."""
        isotropic = None
        if (other := self.isotropic) is not None:
            isotropic = {
                "smoothing": other.smoothing.to_dict(), "accuracy": other.accuracy,
                "localized_accuracy": other.localized_accuracy, "curves": [curve.to_dict() for curve in other.curves],
            }  # fmt: skip
        ladders, mean_score = ([one.to_dict() for one in some] for some in (self.comparisons, self.mean_score))
        content = {"votes": votes, "alpha": alpha, "ladders": ladders, "isotropic": isotropic, "mean_score": mean_score}
        # Named only where it is so, as files from before have it.
        content |= {"receptive_field": True} if self.receptive_field else {}
        content |= {"reach": dict(self.reach)} if self.reach is not None else {}
        return json.dumps(content) + "\n"

    @classmethod
    def from_json(cls, text: str, votes: str, alpha: float, targets: int) -> "Collective | None":
        """Read it back; None if it belongs to other votes, another level or other targets."""
        with damage_refused("this is not a collective certificate", "run `graphcert collective` again"):
            content = parse_json(text)
            comparisons = tuple(MethodComparison.from_dict(one) for one in content["ladders"])
            other = None if content["isotropic"] is None else _isotropic(content["isotropic"])
            mean_score = tuple(CollectiveCurve.from_dict(curve) for curve in content["mean_score"])
            if not all(len(curves) in (0, len(comparisons)) for curves in (mean_score, other.curves if other else ())):
                raise ValueError("its sweeps and what is beside them differ in number")
            receptive_field = content.get("receptive_field", False)
            if not isinstance(receptive_field, bool):
                raise ValueError("receptive_field is neither true nor false")
            reach = content.get("reach")
            if reach is not None and {name: type(value) for name, value in reach.items()} != _REACH:
                raise ValueError("reach is not layers and normalisation")
            same = content["votes"] == votes and content["alpha"] == alpha
        counted = {curve.targets for comparison in comparisons for curve in comparison.values()}
        found = cls(comparisons, other, mean_score, receptive_field, reach)
        return found if same and counted <= {targets} else None

    def injected(self, certificate: Certificate, data: Any) -> tuple[Injected, ...]:
        """Per sweep the best attack at the smallest and at the largest budget at which one takes targets."""
        found: list[Injected] = []
        if self.reach is None:
            return ()
        for comparison in self.comparisons:
            curve = comparison.strongest
            broken = np.flatnonzero(curve.attacked_upper - np.nan_to_num(curve.gap, nan=np.inf) > 0)
            for index in dict.fromkeys([int(broken[0]), int(broken[-1])] if broken.size else []):
                attack = injection_attack(certificate, curve, index, data, **self.reach)
                if attack is not None:
                    found.append(Injected(tuple(curve.budgets[index].tolist()), attack))
        return tuple(found)

    def table(self) -> str:
        """collective.csv: one row per sweep, method asked for and budget."""
        rows: list[dict[str, Any]] = []
        others = {"isotropic": self.isotropic.curves if self.isotropic else (), "mean_score": self.mean_score}
        for i, comparison in enumerate(self.comparisons):
            named = {**comparison, **{name: curves[i] for name, curves in others.items() if curves}}
            rows += [{"sweep": i, "asked": name, **row} for name, curve in named.items() for row in curve.rows()]
        # Not every sweep limits the nodes, and norms are no counts.
        found = {name for row in rows for name in row}
        axes = [axis for axis in (*AXES, SHIFT, "nodes", *INJECTED) if axis in found]
        columns = list(dict.fromkeys(["sweep", "asked", *axes, *(name for row in rows for name in row)]))
        return csv_text([_written(row, columns) for row in rows], ["sweep", "asked", *AXES])

    def attacks(self, certificate: Certificate) -> str | None:
        """attacks.csv: per sweep, method and budget the best known attack, cluster by cluster; None without any.

        Every cluster has a row, and every two clusters between which edges change. `targets` counts those of a cluster,
        `broken` those that may fall (empty where exact arithmetic would take long), and under hierarchical noise `rows`
        those that change.
        """
        scheme = certificate.smoothing
        if scheme.partition is None or not scheme.localized:
            return None
        rows = [
            {"sweep": i, "asked": name, **row}
            for i, comparison in enumerate(self.comparisons)
            for name, curve in comparison.items()
            if curve.attacks is not None
            for index in range(len(curve))
            for row in _attack_rows(certificate, scheme.partition.labels, curve, index)
        ]
        # Sweeps without a limit of nodes lack that column.
        columns = max((list(row) for row in rows), key=len, default=[])
        return csv_text([{name: row.get(name) for name in columns} for row in rows], columns) if rows else None


def _written(row: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """A row of collective.csv with all columns; norms are rounded down, as a text is read upwards (`norm_values`)."""
    written = {name: row.get(name) for name in columns}
    if SHIFT in row:
        written[SHIFT] = norm_words(row[SHIFT], _DIGITS)
        written |= {"nodes": int(row["nodes"])} if "nodes" in row else {}
    return written


def _attack_rows(
    certificate: Certificate, labels: NDArray[np.int64], curve: CollectiveCurve, index: int
) -> list[dict[str, Any]]:
    """The attack at one budget: the budget, the place, what changes there, targets and broken targets."""
    changes, touched = allocation(certificate.smoothing, curve, index)
    atoms = np.concatenate([1.0 + array.ravel() for array in changes]).prod()
    broken = Attack.of(certificate, curve, index).broken if atoms <= _QUICK_ATOMS else None
    budget = {f"budget_{axis}": value for axis, value in zip(curve.axes, curve.budgets[index].tolist(), strict=True)}
    rows = []
    for j, k in zip(*np.triu_indices(len(changes[0])), strict=True):
        mine = certificate.targets & (labels == j) if j == k else None
        counts = [int(a[j]) if j == k else 0 for a in changes[:2]] + [int(a[j, k]) for a in changes[2:]]
        if mine is None and not any(counts):
            continue
        rows.append({
            **budget, "cluster": f"{j}" if j == k else f"{j}-{k}", **dict(zip(AXES, counts, strict=True)),
            **({} if touched is None else {"rows": int(touched[j]) if j == k else None}),
            "targets": None if mine is None else int(mine.sum()),
            "broken": None if mine is None or broken is None else int((mine & broken).sum()),
        })  # fmt: skip
    return rows


def _isotropic(content: Mapping[str, Any]) -> Isotropic:
    curves = tuple(CollectiveCurve.from_dict(curve) for curve in content["curves"])
    smoothing = Smoothing.from_dict(content["smoothing"])
    accuracies = float(content["accuracy"]), float(content["localized_accuracy"])
    if not all(0 <= accuracy <= 1 for accuracy in accuracies):
        raise ValueError("an accuracy lies outside 0 to 1")
    return Isotropic(smoothing, *accuracies, curves)
