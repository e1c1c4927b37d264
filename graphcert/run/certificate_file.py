"""certificate.json: the claims of a run, written when it is certified and compared with its votes whenever it is read."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphcert.certificates import BudgetGrid, Certificate
from graphcert.core.reading import read_json
from graphcert.errors import DataError
from graphcert.votes import Votes

CERTIFICATE = "certificate.json"

Radii = tuple[tuple[int | None, NDArray[np.float64]], ...]


def certificate_summary(
    certificate: Certificate,
    votes: Votes,
    truth: NDArray[np.int64] | None,
    grids: tuple[BudgetGrid, ...],
    radii: Radii = (),
) -> dict[str, Any]:
    """The content of certificate.json; `radii` per limit of touched nodes, under continuous noise."""
    claims = _claims(certificate, votes)
    return {
        "guarantee": certificate.guarantee(),
        **{name: value for name, value in claims.items() if name != "nodes"},
        "abstained": int((certificate.abstained & certificate.targets).sum()),
        "smoothed_accuracy": None if truth is None else float(certificate.correct(truth)[certificate.targets].mean()),
        "grids": [
            {
                "axes": grid.axes,
                "values": grid.values,
                "fixed": asdict(grid.fixed),
                "certified_ratio": grid.ratio.tolist(),
                "certified_accuracy": None if grid.accuracy is None else grid.accuracy.tolist(),
            }
            for grid in grids
        ],
        "radii": [{"nodes": limit, "radius": radius.tolist()} for limit, radius in radii],
        "nodes": {**claims["nodes"], "p_lower": certificate.p_lower.tolist()},
    }


def compare_with_file(path: Path, certificate: Certificate, votes: Votes) -> tuple[str, ...]:
    """Compare a certificate.json with what these votes prove under the settings of the run now.

    Returns:
        One sentence if it states claims of another kind or error rate, none if it states the same ones.

    Raises:
        DataError: if there is no such file, or it was made from other votes.
    """
    again = f"run `graphcert certify {path.parent}`"
    try:
        stored = read_json(path, "the certificate of a run", f"{again} again")
    except FileNotFoundError:
        raise DataError(f"there is no {path}; {again} first") from None
    found = stored if isinstance(stored, dict) else {}
    nodes = found.get("nodes")
    found = {**found, **(nodes if isinstance(nodes, dict) else {})}
    claims = json.loads(json.dumps(_claims(certificate, votes)))
    wanted = claims | claims.pop("nodes")
    differing = [name for name, value in wanted.items() if found.get(name) != value]
    asked = [name for name in ("alpha", "simultaneous", "method") if name in differing]
    if asked:
        differing = [name for name in differing if name not in (*asked, "abstained")]
    if differing:
        raise DataError(
            f"{path} was made from other votes than those of this run ({', '.join(differing)} differ); {again}"
        )
    return (f"{path.name} states claims of another {' and '.join(asked)}; {again} again.",) if asked else ()


def _claims(certificate: Certificate, votes: Votes) -> dict[str, Any]:
    """What a certificate states and rests on, but for numbers that another library might round otherwise."""
    return {
        "alpha": certificate.alpha,
        "simultaneous": certificate.simultaneous,
        "method": certificate.method,
        "claims": certificate.claims,
        "samples": votes.samples,
        "pilot_samples": votes.pilot_samples,
        "votes": votes.digest,
        "nodes": {
            "label": certificate.labels.tolist(),
            "target": certificate.targets.tolist(),
            "abstained": certificate.abstained.tolist(),
        },
    }
