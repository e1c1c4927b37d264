"""A file with real features, from the command line: Gaussian noise takes it, flips refuse it in one sentence."""

import json

import numpy as np
import pytest


@pytest.fixture
def path(tmp_path):
    """Two clusters of real features on a ring, in the plain layout."""
    rng = np.random.default_rng(0)
    nodes, labels = 120, np.arange(120) // 60
    ring = np.stack([np.arange(nodes), np.roll(np.arange(nodes), 1)])
    file = tmp_path / "real.npz"
    x = rng.normal(size=(nodes, 6)) + 3 * labels[:, None]
    np.savez(file, A=np.concatenate([ring, ring[::-1]], axis=1), X=x, y=labels)
    return file


def test_gaussian_noise_on_real_features_of_a_file(run, path, tmp_path):
    folder = tmp_path / "run"
    few = ["--training-option", "epochs=40", "--samples", "500", "--pilot-samples", "50"]
    code, _, err = run("certify", "--dataset", path, "--model", "gcn", "--sigma", "0.5", *few, "--out", folder)
    assert code == 0, err
    found = json.loads((folder / "certificate.json").read_text())
    assert (np.array(found["radii"][0]["radius"]) > 0).sum() > 20, "of 40 targets"
    assert "σ = 0.5" in (folder / "report.html").read_text()

    code, _, err = run("certify", "--dataset", path, "--model", "gcn", "--add", "0.1", "--out", tmp_path / "flips")
    assert code == 2
    assert "Bernoulli noise needs binary features" in err
