"""Start commands on a server that forks (`command_server`), and send them signals."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

SMALL = [
    "certify", "--dataset", "synthetic", "--dataset-option", "nodes=200", "--dataset-option", "classes=3",
    "--dataset-option", "features=20", "--training-option", "epochs=5", "--samples", "60", "--pilot-samples", "20",
    "--clusters", "2", "--add", "0.05:0.1", "--delete", "0.3:0.7", "--out",
]  # fmt: skip
"""A whole chain of about a second, without its folder."""


class Server:
    """One child at a time."""

    def __init__(self, folder):
        self.folder = folder
        here = Path(__file__).parent
        path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, str(here / "command_server.py"), str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert self.process.stdout.readline() == "ready\n"

    def start(self, *arguments, point=None):
        """Begin `graphcert …`."""
        (self.folder / "errors").write_text("")
        task = {"arguments": [*map(str, arguments)], "errors": str(self.folder / "errors"), "point": point}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        self.child = int(self.process.stdout.readline())

    def errors(self):
        """What the child has said so far."""
        return (self.folder / "errors").read_text()

    def wait_for(self, text):
        """Wait until the child has said something."""
        self.wait_until(lambda: text in self.errors())

    def wait_until(self, condition, seconds=60):
        """Wait until something is true."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.errors()
            time.sleep(0.005)

    def worked(self):
        """Seconds of a processor that the child has used; infinite when it has ended."""
        try:
            fields = Path(f"/proc/{self.child}/stat").read_text().rsplit(")", 1)[1].split()
        except FileNotFoundError:
            return math.inf
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number):
        """Send a signal, unless the child has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.child, number)

    def end(self):
        """Wait for the child; its exit code and the number of its write points."""
        code, points, self.used = self.process.stdout.readline().split()
        return int(code), int(points)

    def run(self, *arguments, point=None):
        """A command from beginning to end."""
        self.start(*arguments, point=point)
        return self.end()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


KILLED = -signal.SIGKILL
