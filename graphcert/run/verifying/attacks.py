"""Attacks that were tried against a run: between what is certified and what has not fallen, nothing may cross."""

from collections.abc import Mapping
from typing import Any

from graphcert.attacks.sandwich import Claimed
from graphcert.certificates import Certificate
from graphcert.collective.curve import csv_text
from graphcert.core.arrays import read_sealed
from graphcert.noise import Budget
from graphcert.run.stored_run import ATTACK
from graphcert.run.verifying.comparing import Found, compared
from graphcert.run.verifying.folder import Inventory
from graphcert.verification import Finding


def check_attacks(content: Mapping[str, Any], certificate: Certificate, votes: str) -> Found:
    """attack.json is about these votes, refutes no claim, and repeats the certified numbers as they are."""
    yield from compared(
        ATTACK, "it is about these votes and claims", content, {"votes": votes, "alpha": certificate.alpha}
    )
    for violation in content["violations"]:
        yield Finding("contradiction", ATTACK, f"perturbation {violation['number']} refutes a claim of this run")
    claimed = Claimed(certificate)
    for number, row in enumerate(content["table"]):
        for kind in ("", "_at_once"):
            certified, surviving = row[f"certified{kind}"], row[f"surviving{kind}"]
            if not certified <= surviving <= certificate.claims:
                words = (
                    f"row {number} has {certified} certified and {surviving} surviving targets{kind.replace('_', ' ')}"
                )
                yield Finding("contradiction", ATTACK, words)
        kept = int(claimed.robust(Budget(**row["budget"]), float(row["shift"])).sum())
        stated = {"targets": row["targets"], "certified": row["certified"]}
        same = f"row {number}: certified targets as the votes give them, and at least as many survive"
        yield from compared(ATTACK, same, stated, {"targets": certificate.claims, "certified": kept})
    yield Finding(
        "believed", ATTACK, "that these attacks were made as it says; they prove nothing but their own failure"
    )


def attack_table(content: Mapping[str, Any]) -> str | None:
    """attack.csv: a row per perturbation that was judged; None without any."""
    rows = [{**one, "fell": len(one["fell"])} for one in content["perturbations"]]
    return csv_text(rows, list(rows[0])) if rows else None


def check_perturbations(content: Mapping[str, Any], inventory: Inventory) -> Found:
    """The files of perturbations are those that attack.json lists, and sealed."""
    named = {one["file"] for one in content["perturbations"]}
    found = {name for name in inventory.files if name.startswith("perturbations/")}
    for name in sorted(named ^ found):
        yield Finding("contradiction", ATTACK, f"{name} is {'missing' if name in named else 'not listed in it'}")
    for name in sorted(named & found):
        read_sealed(inventory.folder / name, "perturbation of a graph", None)
    yield Finding(
        "recomputed", ATTACK, f"it lists {len(named):,} perturbations, and the seals of their files are right"
    )
