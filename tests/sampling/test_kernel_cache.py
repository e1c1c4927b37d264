"""Machine code on disk belongs to the source of all kernels together: a stale kernel would draw another law."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import graphcert
from graphcert.core.compiled import kernel_digest
from graphcert.sampling.philox import fill_blocks

PACKAGE = Path(graphcert.__file__).parent


def test_the_name_of_a_kernel_carries_the_digest_of_all_kernels():
    """numba finds its cache by this name."""
    assert fill_blocks.py_func.__qualname__ == f"fill_blocks_{kernel_digest(PACKAGE)}"


def test_the_digest_follows_kernel_files_alone(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "other.py").write_text("pass")
    (tmp_path / "inner" / "fast.py").write_text("from graphcert.core.compiled import kernel\n")
    before = kernel_digest(tmp_path)
    (tmp_path / "other.py").write_text("pass  # nothing compiled")
    assert kernel_digest(tmp_path) == before
    (tmp_path / "inner" / "fast.py").write_text("from graphcert.core.compiled import kernel\nX = 1\n")
    changed = kernel_digest(tmp_path)
    (tmp_path / "inner" / "fast.py").rename(tmp_path / "fast.py")
    assert len({before, changed, kernel_digest(tmp_path)}) == 3


SAMPLE = """
import numpy as np
from graphcert.noise import BernoulliFlip, Smoothing
from graphcert.sampling.sampler import CSR, Sampler
empty = CSR(np.zeros(2, np.int32), np.zeros(0, np.int32))
one = Sampler(empty, 50, empty, Smoothing(BernoulliFlip(0.2, 0.1)), 0)
print(one.features(0, 0, one.workspace()).indices.tolist())
"""


@pytest.mark.slow
def test_a_change_in_one_file_reaches_the_kernels_of_another(tmp_path):
    """`rows.py` calls Philox in `philox.py`; editing only the latter must not leave old code in the former."""
    copy = tmp_path / "graphcert"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def sample():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", SAMPLE], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    before = sample()
    assert sample() == before
    philox = copy / "sampling" / "philox.py"
    text = philox.read_text(encoding="utf-8")
    philox.write_text(text.replace("range(10)", "range(9)"), encoding="utf-8")
    assert text != philox.read_text(encoding="utf-8")
    assert sample() != before
