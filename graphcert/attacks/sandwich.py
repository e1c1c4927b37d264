"""Between certificate and attack: how many targets are certified, and how many no attack has felled, per budget."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from graphcert.attacks.perturbation import Distance
from graphcert.attacks.verdicts import Judged
from graphcert.certificates import Certificate
from graphcert.collective import CollectiveCurve
from graphcert.collective.curve import SHIFT
from graphcert.core.arrays import Mask
from graphcert.errors import UnsupportedError
from graphcert.noise import AXES, Budget


class Place(NamedTuple):
    """A budget that attacks are made within; `shift` is the norm of the change under continuous noise."""

    budget: Budget
    shift: float = 0.0


@dataclass(frozen=True)
class Row:
    """What is known at one budget about `targets` targets.

    Attributes:
        budget, shift: the budget.
        certified: targets that keep their label under every perturbation, each judged alone.
        surviving: targets that fell under no perturbation that was tried within the budget. Sound side: above the truth.
        certified_at_once: targets that keep their label together, whichever single perturbation is made.
        surviving_at_once: targets that did not fall under the worst single perturbation that was tried.
        unclear: targets that neither fell nor held under that perturbation.
        perturbations: how many were judged within the budget.
        tested: pairs of a target and a perturbation whose distance the target is certified for.
    """

    budget: Budget
    shift: float
    targets: int
    certified: int
    surviving: int
    certified_at_once: int
    surviving_at_once: int
    unclear: int
    perturbations: int
    tested: int

    @property
    def gap(self) -> int:
        """Targets of which neither is known, each alone."""
        return self.surviving - self.certified

    @property
    def gap_at_once(self) -> int:
        """Targets of which neither is known, all at once."""
        return self.surviving_at_once - self.certified_at_once

    def to_dict(self) -> dict[str, Any]:
        """A plain description; `from_dict` inverts it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> "Row":
        """Rebuild a row; raises `InputError` or `ValueError` on anything else."""
        values = {**description, "budget": Budget(**description["budget"]), "shift": float(description["shift"])}
        row = cls(**values)
        counts = [value for name, value in values.items() if name not in ("budget", "shift")]
        if any(type(count) is not int or count < 0 for count in counts) or not row.shift >= 0:
            raise ValueError("a count is no whole number of at least 0")
        return row


class Violation(NamedTuple):
    """A claim that a perturbation refutes: `nodes` fell, of which at most `claimed` may at its distance."""

    number: int
    claim: str
    claimed: int
    nodes: tuple[int, ...]

    @property
    def words(self) -> str:
        """One sentence."""
        few = ", ".join(map(str, self.nodes[:8])) + (", …" if len(self.nodes) > 8 else "")
        if self.claim == "node":
            return f"perturbation {self.number} fells {len(self.nodes)} certified nodes ({few})"
        return (
            f"perturbation {self.number} fells {len(self.nodes)} targets at once, and at most {self.claimed} may fall"
        )


class Claimed:
    """What a certificate and its collective curves claim, asked often about the same budgets."""

    def __init__(self, certificate: Certificate, curves: Sequence[CollectiveCurve] = ()) -> None:
        self.certificate, self.curves = certificate, curves
        self._robust: dict[tuple[Budget, float], Mask] = {}

    def robust(self, budget: Budget, shift: float) -> Mask:
        """(N,) the targets that are certified, each alone; none beyond exact arithmetic."""
        key = (budget, shift)
        if key not in self._robust:
            try:
                self._robust[key] = self.certificate._kept(budget, shift)
            except UnsupportedError:
                self._robust[key] = np.zeros(self.certificate.nodes, np.bool_)
        return self._robust[key]

    def fallen_at_most(self, distance: Distance) -> int:
        """How many targets one perturbation of this size may change, by the strongest claim about it."""
        alone = int(self.certificate.claims - self.robust(distance.budget, distance.shift).sum())
        return min([alone, *self._attacked(distance)])

    def _attacked(self, distance: Distance) -> Iterable[int]:
        for curve in self.curves:
            for place, attacked in zip(places_of(curve), curve.attacked_upper.tolist(), strict=True):
                if distance.within(*place):
                    yield attacked


def places_of(curve: CollectiveCurve) -> list[Place]:
    """The budgets of a collective curve."""
    found = []
    for numbers in curve.budgets.tolist():
        values = dict(zip(curve.axes, numbers, strict=True))
        limit = values.get("nodes")
        counts = {axis: int(values.get(axis, 0)) for axis in AXES}
        found.append(
            Place(Budget(**counts, nodes=None if limit is None else int(limit)), float(values.get(SHIFT, 0.0)))
        )
    return found


def violations(judged: Judged, claimed: Claimed) -> list[Violation]:
    """The claims that one perturbation refutes."""
    fell, distance = judged.verdict.fell, judged.distance
    wrong = np.flatnonzero(fell & claimed.robust(distance.budget, distance.shift))
    most, found = claimed.fallen_at_most(distance), list[Violation]()
    if wrong.size:
        found.append(Violation(judged.number, "node", 0, tuple(wrong.tolist())))
    elif fell.sum() > most:
        found.append(Violation(judged.number, "collective", most, tuple(np.flatnonzero(fell).tolist())))
    return found


def row_at(place: Place, judged: Sequence[Judged], claimed: Claimed) -> Row:
    """What is known at one budget."""
    certificate = claimed.certificate
    inside = [one for one in judged if one.distance.within(*place)]
    fallen = np.zeros(certificate.nodes, np.bool_)
    for one in inside:
        fallen |= one.verdict.fell
    worst = max(inside, key=lambda one: int(one.verdict.fell.sum()), default=None)
    unclear = 0 if worst is None else certificate.targets & ~worst.verdict.fell & ~worst.verdict.held
    robust = claimed.robust(*place)
    tested = [int(claimed.robust(one.distance.budget, one.distance.shift).sum()) for one in inside]
    claims = certificate.claims
    return Row(
        *place, targets=claims, certified=int(robust.sum()), surviving=claims - int(fallen.sum()),
        certified_at_once=claims - claimed.fallen_at_most(Distance(*place)),
        surviving_at_once=claims - (0 if worst is None else int(worst.verdict.fell.sum())), unclear=int(np.sum(unclear)),
        perturbations=len(inside), tested=sum(tested),
    )  # fmt: skip
