"""What attacks on a run have shown, as attack.json keeps it and a report reads it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphcert.attacks.sandwich import Row, Violation
from graphcert.certificates import Certificate
from graphcert.core.reading import PER_CHARACTER, damage_refused, parse_json, read_bytes
from graphcert.noise import AXES, Budget

FORMAT = 1


def rule_of(certificate: Certificate) -> dict[str, Any]:
    """By which rule, and whether together, the claims of a certificate hold."""
    names = ("method", "label_share", "simultaneous")
    return {name: getattr(certificate, name) for name in names}


def _listed(one: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a perturbation; raises unless its size and the nodes that fell can be read."""
    Budget(**{axis: one[axis] for axis in (*AXES, "nodes")})
    if not float(one["shift"]) >= 0 or any(type(node) is not int or node < 0 for node in one["fell"]):
        raise ValueError("a perturbation names no nodes that fell, or no size")
    return dict(one)


@dataclass(frozen=True)
class AttackRecord:
    """The table of a campaign against the claims of one certificate.

    Attributes:
        settings: how was attacked: "methods", "targets", "samples", "pilot_samples", "level", "seed" and more.
        rows: what is known per budget.
        violations: claims that a perturbation refutes.
        perturbations: per judged perturbation a plain description, with the name of its file if it was saved.
    """

    settings: Mapping[str, Any]
    rows: tuple[Row, ...]
    violations: tuple[Violation, ...] = ()
    perturbations: tuple[Mapping[str, Any], ...] = ()

    @property
    def smallest_gap(self) -> int:
        """The fewest targets between certificate and attack at an attacked budget; below 0 if a claim is refuted."""
        return min((gap for row in self.rows if row.perturbations for gap in (row.gap, row.gap_at_once)), default=0)

    def to_json(self, votes: str, alpha: float, rule: Mapping[str, Any]) -> str:
        """The content of attack.json, with the digest of the votes, and the level and the rule of the claims."""
        content = {
            "format": FORMAT, "votes": votes, "alpha": alpha, "rule": dict(rule), "settings": dict(self.settings),
            "smallest_gap": self.smallest_gap, "table": [row.to_dict() for row in self.rows],
            "violations": [{**one._asdict(), "nodes": list(one.nodes)} for one in self.violations],
            "perturbations": [dict(one) for one in self.perturbations],
        }  # fmt: skip
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_json(
        cls, text: str, votes: str, alpha: float, targets: int, rule: Mapping[str, Any]
    ) -> "AttackRecord | None":
        """Read it back; None if it belongs to other votes, another level, another rule or other targets."""
        with damage_refused("this is not a record of attacks", "run `graphcert attack` again"):
            content = parse_json(text)
            rows = tuple(Row.from_dict(row) for row in content["table"])
            found = tuple(
                Violation(int(one["number"]), str(one["claim"]), int(one["claimed"]), tuple(map(int, one["nodes"])))
                for one in content["violations"]
            )
            record = cls(dict(content["settings"]), rows, found, tuple(map(_listed, content["perturbations"])))
            if content["format"] != FORMAT or content["smallest_gap"] != record.smallest_gap:
                raise ValueError("its numbers contradict each other")
            same = (content["votes"], content["alpha"], content["rule"]) == (votes, alpha, dict(rule))
        return record if same and {row.targets for row in rows} <= {targets} else None

    @classmethod
    def read(
        cls, path: Path, votes: str, alpha: float, targets: int, rule: Mapping[str, Any]
    ) -> "tuple[AttackRecord | None, tuple[str, ...]]":
        """The record in a file, if there is one about these very claims, and what to say if it is about other ones.

        Raises:
            DataError: if it is damaged.
        """
        if not path.is_file():
            return None, ()
        with damage_refused(f"{path} cannot be read", "run `graphcert attack` again"):
            text = read_bytes(path, PER_CHARACTER).decode()
        found = cls.from_json(text, votes, alpha, targets, rule)
        return found, () if found else (f"{path.name} belongs to other claims; run `graphcert attack` again.",)
