"""A user who can write neither at home nor in the installation: caches go to a temporary folder, and everything works."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import graphcert

PACKAGE = Path(graphcert.__file__).parent
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
READS = "-all,+dac_read_search"
USERS = [
    [],  # whoever runs the tests, unless that is root
    # Root may read what is closed to others, such as an interpreter in its home, so its deputy must too.
    [*NOBODY, f"--inh-caps={READS}", f"--ambient-caps={READS}", f"--bounding-set={READS}"],
    [*NOBODY, "--inh-caps=-all", "--bounding-set=-all"],
]

KERNEL = """
import json
import numpy as np
from graphcert.sampling.philox import fill_blocks
fill_blocks(np.uint64(1), 2, 3, 0, 2, 0, np.zeros((2, 4), np.uint32))
stats = fill_blocks.stats
print(json.dumps([stats.cache_path, sum(stats.cache_hits.values())]))
"""

COMMAND = """
import sys
from graphcert.cli import main
sys.argv = ["graphcert", *sys.argv[1:]]
main()
"""


@pytest.fixture
def folder():
    """Unlike pytest's, it is open to other users."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def python(folder):
    """Run code as such a user, with a read-only copy of the package: (code, *arguments) → finished process."""
    copy, temporary, work = (folder / name for name in ("copy", "temporary", "work"))
    shutil.copytree(PACKAGE, copy / "graphcert", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*copy.rglob("*"), copy]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for open_folder in (temporary, work):
        open_folder.mkdir()
        open_folder.chmod(0o1777)
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": str(temporary), "PYTHONPATH": str(copy),
        "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip

    def call(user, code, *arguments):
        return subprocess.run(
            [*user, sys.executable, "-c", code, *map(str, arguments)], cwd=work, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    probe = f"import os, numba; print(os.access({str(copy / 'graphcert')!r}, os.W_OK), os.access('.', os.W_OK))"
    for user in USERS:
        if shutil.which((user or ["env"])[0]) and call(user, probe).stdout == "False True\n":
            yield lambda code, *arguments, user=user: call(user, code, *arguments)
            break
    else:
        pytest.skip("this user can write everywhere and cannot become another")
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)


def test_kernels_are_cached_in_a_private_temporary_folder(python, folder):
    for hits in (0, 1):
        done = python(KERNEL)
        assert done.returncode == 0, done.stderr
        place, found = json.loads(done.stdout)
        private = next((folder / "temporary").glob("graphcert-*"))
        assert Path(place).is_relative_to(private)
        assert private.stat().st_mode & 0o777 == 0o700
        assert found == hits, "the second process finds what the first one compiled"


@pytest.mark.slow
def test_the_main_job_works_without_a_word_about_caches(python, folder):
    chain = ["certify", "--dataset", "digits", "--model", "gcn", "--add", "0.02", "--delete", "0.3"]
    done = python(COMMAND, *chain, "--samples", 1000, "--training-option", "epochs=10", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert (folder / "work" / "run" / "report.html").is_file()
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "training",
        "trained",
        "voted",
        "certified",
        "report",
    ]
    assert list((folder / "copy").rglob("__pycache__")) == []
