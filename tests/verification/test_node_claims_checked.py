"""Certificates of single nodes: honest ones of every scheme hold, and every forged number is a contradiction."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from more_schemes import NODES, more_schemes
from seeds import fresh_rng

import graphcert as gc
from graphcert.run.budget_choice import budget_grids
from graphcert.run.certified import Certified, certificate_text
from graphcert.run.settings.stages import CertificateConfig
from graphcert.verification.node_claims import check_certificate, node_bounds
from graphcert.verification.run_files import PlainGraph, StoredVotes, read_votes

Forge = Callable[[dict[str, Any]], Any]


def votes_of(scheme: Any, nodes: int = NODES, samples: int = 2000, **options: Any) -> gc.Votes:
    """Votes of four classes, from clear to close; the labels differ from node to node."""
    rng = fresh_rng()
    shares = rng.dirichlet([0.3] * 4, nodes)
    shares[: nodes // 3] = shares[: nodes // 3] * 0.001 + 0.999 * np.eye(4)[np.arange(nodes // 3) % 4]
    pilot, counts = (np.array([rng.multinomial(n, p) for p in shares]) for n in (100, samples))
    return gc.Votes(pilot, counts, scheme, **options)


def certified(votes: gc.Votes, **settings: Any) -> tuple[dict[str, Any], PlainGraph]:
    """What certifying these votes writes, and the graph."""
    config = CertificateConfig(**settings)
    truth, targets = votes.labels.copy(), np.arange(votes.nodes) % 5 > 0
    truth[::7] = (truth[::7] + 1) % votes.classes
    found = gc.certify(
        votes, config.alpha, config.simultaneous, method=config.method, label_share=config.label_share, targets=targets
    )
    data: Any = SimpleNamespace(y=torch.tensor(truth))
    content = Certified(data, votes, found, None, budget_grids(found, truth, config))
    graph = PlainGraph(truth, targets, None, 3, np.zeros((2, 0), np.int64))
    return json.loads(certificate_text(content, config)), graph


def stored(votes: gc.Votes, folder: Path) -> StoredVotes:
    votes.save(folder / "votes.npz")
    return read_votes(folder / "votes.npz")


@pytest.mark.filterwarnings("ignore::graphcert.errors.OutOfReachWarning")
@pytest.mark.parametrize("name", more_schemes())
@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_honest_certificates_hold(name: str, method: str, tmp_path: Path) -> None:
    scheme = more_schemes()[name]
    votes = votes_of(scheme, total_variation=1e-9)
    limits = {"nodes": "1,2"} if scheme.selects_rows else {}
    certificate, graph = certified(votes, method=method, **limits)
    found = [*check_certificate(certificate, stored(votes, tmp_path), graph)]
    assert [one.what for one in found if one.kind != "proved"] == []
    assert len(found) == 6 + len(certificate["grids"]) + len(certificate["radii"])
    changed = [np.ravel(grid["certified_ratio"])[1:] for grid in certificate["grids"]]
    assert max(map(np.max, [*changed, *(entry["radius"] for entry in certificate["radii"])])) > 0, "it claims nothing"


@pytest.mark.parametrize(
    "settings", [{"simultaneous": False}, {"label_share": 0.9}, {"alpha": 0.2}, {"method": "binary"}]
)
def test_bounds_are_at_least_those_of_the_package(settings: dict[str, Any], tmp_path: Path) -> None:
    votes = votes_of(gc.BernoulliFlip(0.01, 0.6), total_variation=1e-6)
    certificate, graph = certified(votes, **settings)
    bounds = node_bounds(certificate, stored(votes, tmp_path))
    found = gc.certify(
        votes, certificate["alpha"], certificate["simultaneous"], method=certificate["method"],
        label_share=certificate.get("label_share"), targets=graph.targets,
    )  # fmt: skip
    assert np.array_equal(bounds.labels, found.labels)
    assert (bounds.p_lower >= found.p_lower).all()
    assert bounds.p_lower == pytest.approx(found.p_lower, abs=1e-9)
    assert (bounds.p_other <= found.p_other_upper).all()
    assert bounds.p_other == pytest.approx(found.p_other_upper, abs=1e-9)


def _raise_p(certificate: dict[str, Any]) -> None:
    node = int(np.argmax(certificate["nodes"]["p_lower"]))
    certificate["nodes"]["p_lower"][node] *= 1 + 1e-9


def _relabel(certificate: dict[str, Any]) -> None:
    certificate["nodes"]["label"][1] = (certificate["nodes"]["label"][1] + 1) % 4


def _answer(certificate: dict[str, Any]) -> None:
    certificate["nodes"]["abstained"][certificate["nodes"]["abstained"].index(True, 6)] = False


def _one_more(certificate: dict[str, Any]) -> None:
    certificate["grids"][0]["certified_ratio"][2] += 1 / certificate["claims"]


def _more_correct(certificate: dict[str, Any]) -> None:
    certificate["grids"][1]["certified_accuracy"][1] += 1 / certificate["claims"]


def _longer_axis(certificate: dict[str, Any]) -> None:
    certificate["grids"][0]["values"][0][0] = 5


def _farther(certificate: dict[str, Any]) -> None:
    certificate["grids"][0]["fixed"]["feature_delete"] = 4


def _drop_target(certificate: dict[str, Any]) -> None:
    certificate["nodes"]["target"][1] = False
    certificate["claims"] -= 1


FORGERIES: dict[str, Forge] = {
    "p_lower": _raise_p, "label": _relabel, "abstained": _answer, "ratio": _one_more, "accuracy": _more_correct,
    "axis": _longer_axis, "fixed": _farther, "targets": _drop_target,
    "claims": lambda c: c.update(claims=c["claims"] + 1), "samples": lambda c: c.update(samples=5000),
    "level": lambda c: c.update(alpha=0.005), "share": lambda c: c.update(label_share=0.4),
    "method": lambda c: c.update(method="binary"), "votes": lambda c: c.update(votes="0" * 64),
    "smoothed accuracy": lambda c: c.update(smoothed_accuracy=1.0), "alpha of one": lambda c: c.update(alpha=1.0),
    "abstaining": lambda c: c.update(abstained=c["abstained"] + 1),
    "radii": lambda c: c.update(radii=[{"nodes": None, "radius": [1.0]}]),
    "no grids": lambda c: c.update(grids=None), "ragged": lambda c: c["grids"][0].update(certified_ratio=[1.0, [2]]),
    "huge": lambda c: c["grids"][0]["values"][0].__setitem__(1, 10**9), "beyond one": lambda c: _set_ratio(c, 1.5),
    "shorter": lambda c: c["nodes"]["p_lower"].pop(), "axes": lambda c: c["grids"][0].update(axes=["nodes"]),
    "no nodes": lambda c: c.pop("nodes"), "true": lambda c: c.update(claims=True), "text": lambda c: _set_ratio(c, "1"),
}  # fmt: skip


def _set_ratio(certificate: dict[str, Any], value: Any) -> None:
    certificate["grids"][0]["certified_ratio"][0] = value


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_certificates_are_contradicted(name: str, tmp_path: Path) -> None:
    votes = votes_of(gc.BernoulliFlip(0.01, 0.6))
    certificate, graph = certified(votes)
    read = stored(votes, tmp_path)
    assert all(one.kind == "proved" for one in check_certificate(certificate, read, graph))
    FORGERIES[name](certificate)
    found = [one for one in check_certificate(certificate, read, graph) if one.kind == "contradiction"]
    assert found, name
    assert all(one.what and "\n" not in one.what for one in found)


def test_forged_votes_are_contradicted(tmp_path: Path) -> None:
    votes = votes_of(gc.BernoulliFlip(0.01, 0.6))
    certificate, graph = certified(votes)
    read = stored(votes, tmp_path)
    raised = read.counts.copy()
    raised[0, 0] += 1
    for forged in (
        read._replace(counts=raised), read._replace(pilot_counts=read.counts), read._replace(total_variation=0.01),
        read._replace(scheme={"features": {"add": 0.01, "delete": 0.5}}), read._replace(scheme={"features": {"add": 2}}),
    ):  # fmt: skip
        assert any(one.kind == "contradiction" for one in check_certificate(certificate, forged, graph))
    assert any(
        one.kind == "contradiction"
        for one in check_certificate(certificate, read, graph._replace(targets=~graph.targets))
    )


@pytest.mark.parametrize("law", [gc.Gaussian(0.25), gc.Uniform(0.5), gc.Laplace(0.3)])
@pytest.mark.parametrize("method", ["binary", "multiclass"])
def test_a_longer_radius_is_contradicted(law: Any, method: str, tmp_path: Path) -> None:
    votes = votes_of(gc.Smoothing(law))
    certificate, graph = certified(votes, method=method)
    read = stored(votes, tmp_path)
    radius = certificate["radii"][0]["radius"]
    node = int(np.argmax(radius))
    radius[node] *= 1 + 1e-6
    (found,) = [one for one in check_certificate(certificate, read, graph) if one.kind == "contradiction"]
    assert f"of node {node}" in found.what


def test_a_limit_that_limits_nothing_is_contradicted(tmp_path: Path) -> None:
    votes = votes_of(gc.BernoulliFlip(0.01, 0.6))
    certificate, graph = certified(votes)
    ratio = [certificate["grids"][0]["certified_ratio"][0]] * 3
    fixed = {**certificate["grids"][0]["fixed"], "nodes": None}
    certificate["grids"] = [
        {"axes": ["nodes"], "values": [[0, 1, 2]], "fixed": fixed, "certified_ratio": ratio, "certified_accuracy": None}
    ]
    found = [
        one for one in check_certificate(certificate, stored(votes, tmp_path), graph) if one.kind == "contradiction"
    ]
    assert [one.what for one in found] == ["grid 0 limits in how many nodes nothing changes: it claims nothing"]


def test_more_samples_than_can_be_proved_are_left_to_the_caller(tmp_path: Path) -> None:
    votes = votes_of(gc.BernoulliFlip(0.01, 0.6))
    certificate, graph = certified(votes)
    read = stored(votes, tmp_path)
    found = [*check_certificate(certificate, read._replace(counts=read.counts * 10**5), graph)]
    assert found[-1].kind == "believed"
    assert "samples are not proved" in found[-1].what


def test_a_law_of_a_user_is_left_to_the_caller(tmp_path: Path) -> None:
    votes = votes_of(gc.Gaussian(0.25))
    certificate, graph = certified(votes)
    read = stored(votes, tmp_path)._replace(scheme={"features": {"law": "mine", "scale": 0.25}})
    found = [*check_certificate(certificate, read, graph)]
    assert [one.kind for one in found][-1] == "believed"
    assert "'mine'" in found[-1].what
