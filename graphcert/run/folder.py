"""Certificates that were seen: to sample until one pleases spends the error rate of every look (theory, section 10)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphcert.errors import InputError

COUNTED = ("samples", "pilot_samples")
"""The settings of sampling that change the votes of a certificate."""


def refuse_other_samples(folder: Path, seen: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise `InputError` for other numbers of samples than those of the certificate that was seen in `folder`."""
    changed = [f"{seen[name]} {name}" for name in COUNTED if seen[name] != asked[name]]
    if changed:
        raise InputError(
            f"{folder} was certified with {' and '.join(changed)}; to sample until a certificate pleases costs the error "
            f"rate of every look, so start a new run with another seed, or say --look-again to spend it"
        )
