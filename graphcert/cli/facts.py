"""What the JSON documents of commands say about certificates: the numbers of their words, and a little more."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphcert.report import half_held
from graphcert.report.graphs.measures import headline

if TYPE_CHECKING:
    from graphcert.collective import CollectiveCurve
    from graphcert.report import ReportContent


def certified_facts(content: "ReportContent") -> dict[str, Any]:
    """What is certified about each target alone and about all at once."""
    certificate, claims = content.certificate, content.certificate.claims
    silent = certificate.abstained & certificate.targets
    right = int((silent & certificate.correct(content.truth)).sum()) if content.has_truth else None
    return {
        **_of_claims(content), "samples": certificate.samples, "method": certificate.method,
        "simultaneous": certificate.simultaneous, "abstained": int(silent.sum()), "abstained_correct": right,
        "budgets": [
            {
                **vars(one.budget), "certified": one.certified, "ratio": one.certified / claims,
                "accuracy": one.correct / claims if content.has_truth else None,
            }
            for one in headline(content)
        ],
        "half": [{**vars(one.budget), "shift": one.shift, "beyond": one.beyond} for one in half_held(content)],
        "sweeps": list(_sweeps(content)),
    }  # fmt: skip


def collective_facts(content: "ReportContent") -> dict[str, Any]:
    """What is certified about all targets at once."""
    return {**_of_claims(content), "sweeps": list(_sweeps(content))}


def _of_claims(content: "ReportContent") -> dict[str, Any]:
    certificate = content.certificate
    found = {"title": content.title, "targets": certificate.claims, "alpha": certificate.alpha}
    return {**found, "notices": list(content.warnings)}


def _sweeps(content: "ReportContent") -> Iterator[dict[str, Any]]:
    for k, sweep in enumerate(content.sweeps):
        others = content.other_classifiers(k)
        yield {"strongest": sweep.strongest, "methods": _rows(sweep.curves), "other_classifiers": _rows(others)}


def _rows(curves: "Mapping[str, CollectiveCurve]") -> dict[str, list[dict[str, Any]]]:
    """Every budget by every method."""
    return {name: list(curve.rows()) for name, curve in curves.items()}
