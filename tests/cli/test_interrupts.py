"""Ctrl-C and SIGTERM, as real signals to real processes: soon, one line, exit code 130 or 143, nothing half-written."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import KILLED, SMALL
from PIL import Image

ROOT = Path(__file__).parents[2]
PATIENCE = 50  # seconds, far below the hours that the solves take; a busy machine is slow to end a process
"""Seconds; two on a machine with nothing else to do."""

ENDLESS = {
    "training": ("training gcn", ["--training-option", "epochs=1000000"]),
    "voting": ("trained in", ["--samples", "100000000", "--workers", "2"]),
}

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs fork")


def interrupted(server, number, times=1):
    """Send a signal to the running child; the last line it said, after the checks that hold for every command."""
    began = time.monotonic()
    for _ in range(times):
        server.send(number)
        time.sleep(0.05)
    code, _ = server.end()
    assert time.monotonic() - began < PATIENCE
    assert code == 128 + number
    assert "Traceback" not in server.errors()
    assert "Aborted" not in server.errors()
    return server.errors().splitlines()[-1]


def left(folder):
    """Hidden files, which nobody should see after the end."""
    return [path.name for path in folder.rglob(".*")]


def command_in(line):
    return shlex.split(line[line.index(": graphcert ") + 2 :])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", ENDLESS)
def test_the_chain_stops_and_says_how_to_continue(server, tmp_path, stage, number):
    text, options = ENDLESS[stage]
    folder = tmp_path / "my run"
    arguments = [*SMALL[:-1], *options, "--out", str(folder)]
    server.start(*arguments)
    server.wait_for(text)
    if stage == "training":
        time.sleep(0.3)
    else:
        server.wait_until(lambda: any((folder / "votes").glob("main-*.npz")))
    line = interrupted(server, number)
    assert {signal.SIGINT: "graphcert: interrupted", signal.SIGTERM: "graphcert: terminated"}[number] in line
    assert command_in(line) == ["graphcert", *arguments]
    assert left(tmp_path) == []
    if stage == "training":
        assert "nothing was finished yet; start again with" in line
        assert not folder.exists()
    else:
        assert f"{folder} keeps the model" in line
        assert "shards of votes; continue with" in line
        assert (folder / "model.pt").is_file()


def test_the_printed_command_continues(server, tmp_path):
    """Votes that were there are not taken again, and the run ends."""
    server.start(*SMALL, tmp_path / "run")
    server.wait_for("trained in")
    line = interrupted(server, signal.SIGINT)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("main-*.npz")}
    assert server.run(*command_in(line)[1:])[0] == 0
    assert "is there already" in server.errors()
    assert (tmp_path / "run" / "report.html").is_file()
    assert all(path.stat().st_mtime_ns == written for path, written in before.items())


@pytest.mark.parametrize("command", ["sample", "collective", "certify", "report"])
def test_commands_on_a_finished_run_stop_too(server, tmp_path, command):
    folder = tmp_path / "run"
    assert server.run(*SMALL, folder)[0] == 0
    options = {"sample": ["--samples", "100000000", "--look-again"], "collective": ["--add", "0:9", "--compare"]}
    server.start(command, folder, *options.get(command, ()))
    server.wait_until((folder / ".lock").exists)
    line = interrupted(server, signal.SIGTERM)
    assert f"{folder} keeps the model, the votes, the certificate, " in line
    assert left(tmp_path) == []
    assert server.run("report", folder)[0] == 0


def test_a_second_command_is_told_and_a_deleted_folder_stops_the_first(server, tmp_path, run):
    folder = tmp_path / "run"
    text, options = ENDLESS["voting"]
    server.start(*SMALL[:-1], *options, "--out", folder)
    server.wait_for(text)
    for command in ([*SMALL, folder, "--seed", 5], ["sample", folder], ["report", folder]):
        code, _, errors = run(*command)
        assert code == 2
        assert f"is being written by process {server.child} (graphcert certify " in errors
        assert errors.count("\n") == 1
    server.wait_until(lambda: list(folder.rglob("main-*.npz")))
    folder.rename(tmp_path / "away")  # deleting it file by file would be a race with the one who fills it
    assert server.end()[0] == 2
    assert f"{folder} was deleted or moved while it was being written; start again" in server.errors()
    assert "Traceback" not in server.errors()
    assert not folder.exists()


def test_a_second_interrupt_ends_at_once_and_quietly(server, tmp_path):
    text, options = ENDLESS["voting"]
    server.start(*SMALL[:-1], *options, "--out", tmp_path / "run")
    server.wait_for(text)
    interrupted(server, signal.SIGINT, times=4)
    assert server.errors().count("graphcert: interrupted") == 1
    assert left(tmp_path) == []


@pytest.fixture
def pictures(tmp_path):
    for kind, array in {"images": np.zeros((32, 32, 3), np.uint8), "masks": np.eye(32, dtype=np.uint8)}.items():
        (tmp_path / kind).mkdir()
        Image.fromarray(array).save(tmp_path / kind / "one.png")
    return ["--images", str(tmp_path / "images"), "--masks", str(tmp_path / "masks")]


def test_training_a_segmenter_keeps_its_weights_and_says_that_it_begins_anew(server, tmp_path, pictures):
    network, run = tmp_path / "network.pt", tmp_path / "run"
    small = ["--sigma", "0.1", "--width", "4", "--depth", "1"]
    server.start("segment", "train", *pictures, *small, "--out", network, "--steps", "1000000")
    server.wait_until(lambda: server.worked() > 2)
    line = interrupted(server, signal.SIGINT)
    assert "interrupted after " in server.errors()
    assert "training cannot be continued, start it again with: graphcert segment train" in line
    assert network.is_file()
    server.start("segment", *pictures, "--model", network, "--sigma", "0.1", "--samples", "10000000", "--out", run)
    server.wait_until(lambda: list(run.rglob("main-*.npz")))
    line = interrupted(server, signal.SIGTERM)
    kept = len(list(run.rglob("*-*.npz")))
    assert f"{run} keeps {kept} shard{'s' if kept > 1 else ''} of votes; continue with" in line
    assert left(tmp_path) == []


def process(*code, **environment):
    """A process of its own that Ctrl-C reaches, whatever the shell of the tests does."""
    lines = ["import signal", "signal.signal(signal.SIGINT, signal.default_int_handler)", *code]
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
    )  # fmt: skip


@pytest.mark.parametrize("moment", [0.0, 0.2, 0.8])
def test_an_interrupt_while_libraries_are_loaded(tmp_path, moment):
    arguments = [*SMALL, str(tmp_path / "run")]
    running = process(
        "import sys", f"sys.argv = ['graphcert', *{arguments!r}]", "from graphcert.cli import main",
        "print('ready', flush=True)", "main()",
    )  # fmt: skip
    assert running.stdout.readline() == "ready\n"
    time.sleep(0.02 + moment)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert errors == f"graphcert: interrupted; start again with: {shlex.join(['graphcert', *arguments])}\n" or (
        "nothing was finished yet" in errors and errors.count("\n") <= 2
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("solver", ["highs_solver.HighsSolver", "cvxpy_solver.CvxpySolver"])
def test_a_solver_that_does_not_return_is_left(solver):
    """A knapsack with 40 rows takes hours."""
    module, name = solver.split(".")
    running = process(
        "import numpy as np, scipy.sparse",
        "from graphcert.cli.interrupts import interruptible",
        f"from graphcert.collective.solvers.{module} import {name}",
        "from graphcert.collective.solvers.program import LinearProgram",
        "draw, n = np.random.default_rng(0).integers, 300",
        "matrix = scipy.sparse.csc_array(draw(1, 1000, (40, n)).astype(float))",
        "values = draw(1, 1000, n).astype(float)",
        "program = LinearProgram(values, matrix, np.full(40, 40000.0), np.ones(n), np.ones(n, bool))",
        "with interruptible():",
        "    print('ready', flush=True)",
        f"    {name}().solve_integer(program)",
    )
    assert running.stdout.readline() == "ready\n"
    time.sleep(3)
    assert running.poll() is None
    began = time.monotonic()
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=60)
    assert time.monotonic() - began < PATIENCE
    assert running.returncode == 143
    assert errors.startswith("graphcert: terminated")
    assert errors.count("\n") == 1


def test_a_command_in_the_background_goes_on_ignoring_ctrl_c():
    running = process(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)", "import os, sys", "sys.argv = ['graphcert', '--version']",
        "from graphcert.cli.interrupts import interruptible",
        "with interruptible():", "    os.kill(os.getpid(), signal.SIGINT)", "    print('alive')",
    )  # fmt: skip
    output, errors = running.communicate(timeout=60)
    assert (running.returncode, output, errors) == (0, "alive\n", "")


def test_the_server_kills(server, tmp_path):
    """What the tests of kills rely on."""
    assert server.run(*SMALL, tmp_path / "run", point=7) == (KILLED, 7)
