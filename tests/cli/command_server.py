"""Commands in processes that may be killed: forks one child per line of standard input, so that imports are paid for once.

Run as a script. A line is a JSON object: `arguments` of `graphcert`, `errors` (a file for standard error), and `point`, the
write point at which the child kills itself (null for never). Answers with the number of the child's process and, when it
has ended, its exit code (negative for a signal), the number of write points that it passed and the seconds of a processor
that it used.
"""

import json
import os
import signal
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path

import torch
from commands import SMALL

import graphcert.run.nodes
from graphcert.cli import main

WRITES = [
    (tempfile, "mkstemp"),
    (os, "fsync"),
    (os, "chmod"),
    (os, "replace"),
    (os, "mkdir"),
    (os, "unlink"),
    (os, "rmdir"),
]
"""What changes folders; there is a write point before and one after every call."""


def count_writes(deadly, report):
    """Count write points in the file `report`, and die at the point `deadly`."""
    passed = 0

    def point():
        nonlocal passed
        if passed == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1
        os.pwrite(report, f"{passed:6d}".encode(), 0)

    def watched(call):
        def wrapper(*arguments, **options):
            point()
            try:
                return call(*arguments, **options)
            finally:
                point()

        return wrapper

    for module, name in WRITES:
        setattr(module, name, watched(getattr(module, name)))


def child(arguments, errors, point, report):
    """Run one command as a process of its own would."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    stderr = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stderr, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    count_writes(point, report)
    sys.argv = ["graphcert", *arguments]
    try:
        main()
    except SystemExit as end:
        os._exit(end.code or 0)


def warm(folder):
    """Load here what every child would load, machine code too."""
    sys.argv = ["graphcert", *SMALL, str(folder)]
    with suppress(SystemExit), open(os.devnull, "w") as silent, redirect_stdout(silent), redirect_stderr(silent):
        main()
    assert (folder / "report.html").is_file()


def serve(folder):
    torch.set_num_threads(1)
    # Timings stand in results; frozen, they are the same every time.
    time.perf_counter = lambda: 0.0
    small = partial(graphcert.run.nodes.sample_votes, shard_samples=20)
    graphcert.run.nodes.sample_votes = small
    warm(folder / "warm")
    print("ready", flush=True)
    report = os.open(folder / "passed", os.O_RDWR | os.O_CREAT)
    for line in sys.stdin:
        task = json.loads(line)
        os.pwrite(report, b"     0", 0)
        process = os.fork()
        if process == 0:
            try:
                child(task["arguments"], task["errors"], task["point"], report)
            finally:
                os._exit(99)
        print(process, flush=True)
        _, status, used = os.wait4(process, 0)
        passed = int(os.pread(report, 6, 0))
        print(os.waitstatus_to_exitcode(status), passed, used.ru_utime + used.ru_stime, flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
