"""Memory does not grow with the number of samples: measured as the peak of a whole process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = """
import resource
import graphcert as gc
from image_modules import Cross, lattice_image

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB on Linux

def take(samples):
    cells = gc.GridGraph(48, 64).cells(2, 2)
    noise = gc.Smoothing([gc.Gaussian(0.1), gc.Gaussian(0.4)], partition=cells)
    gc.sample_image_votes(Cross(), lattice_image(48, 64), noise, samples, 2, workers=2)

take(60)
before = peak()
take(600)
print(peak() - before)
"""
KEPT = 48 * 64 * 3 * 4 / 2**20
"""MiB that one sample would take if one of its noisy images were kept."""


@pytest.mark.skipif(sys.platform != "linux", reason="units of the peak differ between systems")
def test_the_peak_does_not_grow_with_the_number_of_samples():
    path = os.pathsep.join([str(HERE), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.3 * 540 * KEPT
