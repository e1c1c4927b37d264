"""What certifying leaves: the claims of a run, and certificate.json, which is compared with the votes when it is read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from torch_geometric.data import Data

from graphcert.certificates import BudgetGrid, Certificate, ScoreCertificate, certify, certify_scores
from graphcert.core.columns import column
from graphcert.core.reading import read_json
from graphcert.errors import DataError
from graphcert.run.budget_choice import budget_grids
from graphcert.run.settings.stages import CertificateConfig
from graphcert.votes import Votes

CERTIFICATE = "certificate.json"


class Voted(NamedTuple):
    """What voting leaves to the next stages: the graph of the run, split, and the votes about it."""

    data: Data
    votes: Votes

    def claims(self, settings: CertificateConfig) -> Certificate:
        """The claims about the test nodes."""
        targets = self.data.test_mask.numpy()
        rule = {"method": settings.method, "label_share": settings.label_share, "targets": targets}
        return certify(self.votes, settings.alpha, settings.simultaneous, **rule)


class Certified(NamedTuple):
    """What certifying leaves to the next stages.

    `scores` are claims as strict about the classifier of the largest mean score, None if the votes carry none; `grids` the
    budgets that the certificate was evaluated at; `warnings` say how certificate.json differs from these claims.
    """

    data: Data
    votes: Votes
    certificate: Certificate
    scores: ScoreCertificate | None
    grids: tuple[BudgetGrid, ...]
    warnings: tuple[str, ...] = ()


def certify_votes(voted: Voted, settings: CertificateConfig) -> Certified:
    """All claims of a run, and the budgets at which they are shown."""
    (data, votes), certificate, scores = voted, voted.claims(settings), None
    if votes.scores is not None:
        # A copy: the report itself says that the error rates of both kinds of claims add up.
        level = certificate.alpha, certificate.simultaneous
        # Older votes have the score of the label only, which is then compared with one half.
        rule = "binary" if certificate.method == "binary" else None
        scores = certify_scores(replace(votes), *level, method=rule, targets=certificate.targets)
    return Certified(data, votes, certificate, scores, budget_grids(certificate, data.y.numpy(), settings))


def certificate_text(found: Certified, settings: CertificateConfig) -> str:
    """The content of certificate.json; under continuous noise with the radii per limit of touched nodes."""
    certificate, truth = found.certificate, found.data.y.numpy()
    claims, limits = _claims(found), settings.node_limits or (None,) if certificate.smoothing.norm else ()
    content = {
        "guarantee": certificate.guarantee(),
        **{name: value for name, value in claims.items() if name != "nodes"},
        "abstained": int((certificate.abstained & certificate.targets).sum()),
        "smoothed_accuracy": float(certificate.correct(truth)[certificate.targets].mean()),
        "grids": [
            {
                "axes": grid.axes, "values": grid.values, "fixed": asdict(grid.fixed),
                "certified_ratio": grid.ratio.tolist(),
                "certified_accuracy": None if grid.accuracy is None else grid.accuracy.tolist(),
            }
            for grid in found.grids
        ],
        "radii": [{"nodes": limit, "radius": column(certificate.radius(limit))} for limit in limits],
        "nodes": {**claims["nodes"], "p_lower": column(certificate.p_lower)},
    }  # fmt: skip
    return json.dumps(content, indent=1)


def compare_with_file(path: Path, certified: Certified, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """Compare a certificate.json with what these votes prove under the settings of the run now.

    One sentence if it states claims of another kind or error rate, none if it states the same ones; `DataError` if there is
    no such file, it was made from other votes, or the `manifest` of the run states other claims.
    """
    again = f"run `graphcert certify {path.parent}`"
    try:
        stored = read_json(path, "the certificate of a run", f"{again} again")
    except FileNotFoundError:
        raise DataError(f"there is no {path}; {again} first") from None
    found = stored if isinstance(stored, dict) else {}
    nodes = found.get("nodes")
    found = {**found, **(nodes if isinstance(nodes, dict) else {})}
    claims = json.loads(json.dumps(_claims(certified)))
    wanted = claims | claims.pop("nodes")
    differing = [name for name, value in wanted.items() if found.get(name) != value]
    asked = [name for name in ("alpha", "simultaneous", "method", "label_share") if name in differing]
    if asked:
        differing = [name for name in differing if name not in (*asked, "abstained")]
    if differing:
        raise DataError(
            f"{path} was made from other votes than those of this run ({', '.join(differing)} differ); {again}"
        )
    apart = [name for name in ("alpha", "method", "claims") if name in manifest and manifest[name] != found.get(name)]
    if apart:
        raise DataError(f"{path} and manifest.json state different claims ({', '.join(apart)} differ); {again} again")
    return (f"{path.name} states claims of another {' and '.join(asked)}; {again} again.",) if asked else ()


def _claims(certified: Certified) -> dict[str, Any]:
    """What a certificate states and rests on, but for numbers that another library might round otherwise."""
    certificate, votes = certified.certificate, certified.votes
    return {
        "alpha": certificate.alpha, "simultaneous": certificate.simultaneous, "method": certificate.method,
        **({} if certificate.label_share is None else {"label_share": certificate.label_share}),
        "claims": certificate.claims, "samples": votes.samples, "pilot_samples": votes.pilot_samples,
        "votes": votes.digest,
        "nodes": {
            "label": column(certificate.labels), "target": column(certificate.targets),
            "abstained": column(certificate.abstained),
            **({} if votes.looks is None else {"stopped_at": column(votes.node_samples)}),
        },
        **({} if votes.looks is None else {"looks": votes.looks.to_dict()}),
    }  # fmt: skip
