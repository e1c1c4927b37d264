"""Memory does not grow with the number of samples: measured as the peak of a whole process, arrays of kernels included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = """
import resource, sys, tempfile
from voting_cases import NOISE, generic_model, small_graph, sparse_model
from graphcert.voting import sample_votes

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB on Linux

data, samples = small_graph(60), int(sys.argv[1])
for path, model in (("sparse", sparse_model("gcn")), ("generic", generic_model("perceptron"))):
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):
            sample_votes(model, data, NOISE["both"], 400, 10, workers=2, path=path)
        before = peak()
        sample_votes(model, data, NOISE["both"], samples, 10, workers=2, path=path, store=folder, shard_samples=2000)
        print(peak() - before)
"""
KEPT = 60 * 20 * 4 / 2**20
"""MiB that one sample would take if its features were kept."""


@pytest.mark.skipif(sys.platform != "linux", reason="units of the peak differ between systems")
def test_the_peak_does_not_grow_with_the_number_of_samples():
    path = os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    samples = 6000
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(samples)], env=environment, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.split()) == 2
    for growth in map(float, done.stdout.split()):
        assert growth < 4.0 < KEPT * samples / 5
