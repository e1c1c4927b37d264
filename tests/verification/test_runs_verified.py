"""Whole runs on the digits under noise of every kind: what their certificates claim is proved anew."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import graphcert as gc
from graphcert.cli.nodes import build_app
from graphcert.verification.node_claims import check_certificate
from graphcert.verification.run_files import PlainGraph, read_json, read_votes

SCHEMES = {
    "flips": "--add 0.01 --delete 0.6",
    "features and edges": "--add 0.01 --delete 0.5 --edge-add 0.0005 --edge-delete 0.4",
    "edges": "--edge-add 0.0005 --edge-delete 0.4",
    "localized": "--add 0.02:0.05 --delete 0.4:0.8 --clusters 3",
    "selected": "--add 0.01 --delete 0.6 --select 0.9 --nodes 1,2",
    "localized selection": "--add 0.02:0.05 --delete 0.4:0.8 --select 0.8:0.95 --clusters 3 --nodes 1",
    "ablation": "--ablate --select 0.9",
    "subset": "--keep 200",
    "Gaussian": "--sigma 0.25",
    "Gaussian in selected rows": "--sigma 0.25 --select 0.95 --nodes 1,2",
    "uniform": "--half-width 0.5",
    "Laplace": "--laplace 0.3",
    "binary rule": "--add 0.01 --delete 0.6 --method binary",
    "one node": "--add 0.01 --delete 0.6 --per-node --label-share 0.8",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_certificates_of_runs_hold(name: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    chain = f"certify --dataset digits --samples 400 --collective none --training-option epochs=20 --out {out}"
    result = CliRunner().invoke(build_app(), [*chain.split(), *SCHEMES[name].split()])
    assert result.exit_code == 0, result.output
    certificate, votes = read_json(out / "certificate.json"), read_votes(out / "votes" / "votes.npz")
    data = gc.load_dataset("digits")
    targets = np.array(certificate["nodes"]["target"])
    graph = PlainGraph(data.y.numpy(), targets, None, data.x.shape[1], data.edge_index.numpy())
    found = [*check_certificate(certificate, votes, graph)]
    assert [one.what for one in found if one.kind != "proved"] == []
    assert len(found) > 6, "there is neither a grid nor a radius"
