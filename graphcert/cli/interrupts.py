"""Ctrl-C and SIGTERM: the command ends soon, says on one line what it kept and how to continue, and exits with 130 or 143.

The signal becomes a `KeyboardInterrupt` in the main thread. Solvers and kernels do not return to Python for a long time,
so a watching thread ends the process if that takes too long, or at a second signal; all files are whole at any moment.
"""

import atexit
import os
import select
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from graphcert.core.files import abandon, claimed, writing

SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}

STAGES = {
    "model.pt": "the model", "votes/votes.npz": "the votes", "certificate.json": "the certificate",
    "collective.json": "the collective certificate", "report.html": "the report",
}  # fmt: skip


class Interrupts:
    """The signal that a command received, and what to do about it.

    Attributes:
        number: of the signal, 0 before it.
        folder: of the run, if the command writes one; `advice` replaces words about its content, the command follows.
        patience: seconds that the command may take to end by itself.
        resources: what the command holds until it ends.
    """

    def __init__(self) -> None:
        self.number = 0
        self.folder: Path | None = None
        self.advice = "start again with"
        self.patience = 1.5
        self.resources = ExitStack()
        self._handled = self._said = False

    def writes(self, folder: Path) -> None:
        """The command writes the run in `folder`: an old run is locked from here to the end of the command."""
        self.folder = folder
        if folder.is_dir():
            self.resources.enter_context(claimed(folder))

    def handle(self, number: int, _: FrameType | None) -> None:
        """The handler in the main thread."""
        if self._handled:
            self.leave()
        self.number, self._handled = number, True
        # What an interrupt breaks off in a destructor is of no interest to anybody.
        sys.unraisablehook = lambda _: None
        raise KeyboardInterrupt

    def watch(self, reader: int) -> None:
        """Wait for a signal, then for the end of the process, and bring it about if it does not come."""
        with os.fdopen(reader, "rb", buffering=0):
            number = _next(reader, None)
            if not number:
                return
            self.number = number
            again = _next(reader, self.patience)
            # A file that is nearly written is worth a moment more.
            deadline = time.monotonic() + (0 if again else 10)
            while writing() and time.monotonic() < deadline:
                time.sleep(0.01)
            self.leave()

    def end(self) -> NoReturn:
        """End the process, whose command has ended; taking Python apart would only take time."""
        self.say()
        atexit._run_exitfuncs()
        self.leave()

    def leave(self) -> NoReturn:
        """End the process at once."""
        abandon()
        self.say()
        os._exit(self.code)

    @property
    def code(self) -> int:
        """The exit code, as shells have it."""
        return 128 + (self.number or signal.SIGINT)

    def say(self) -> None:
        """One line on standard error, once."""
        if not self._said:
            self._said = True
            line = f"graphcert: {SIGNALS[signal.Signals(self.code - 128)]}; {self._kept()}: {_command()}\n"
            os.write(2, line.encode(errors="replace"))

    def _kept(self) -> str:
        if self.folder is None:
            return self.advice
        found = [words for name, words in STAGES.items() if (self.folder / name).is_file()]
        shards = sum(1 for _ in (self.folder / "votes").rglob("*-*-*.npz"))
        if shards and "the votes" not in found:
            found.append(f"{shards:,} shard{'s' * (shards > 1)} of votes")
        if not found:
            return "nothing was finished yet; start again with"
        return f"{self.folder} keeps {', '.join(found)}; continue with"


current = Interrupts()
"""Those of the running command."""


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Handle signals while the block runs, and until the process has ended if one arrives."""
    global current
    stop = current = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # A shell that starts a command in the background lets it ignore Ctrl-C.
    before = {number: signal.getsignal(number) for number in SIGNALS}
    wanted = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    threading.Thread(target=stop.watch, args=(reader,), daemon=True).start()
    wake = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in wanted:
        signal.signal(number, stop.handle)
    try:
        yield stop
    finally:
        if not stop.number:
            for number in wanted:
                signal.signal(number, before[number])
            signal.set_wakeup_fd(wake)
            os.close(writer)


def _next(reader: int, seconds: float | None) -> int:
    """The next of `SIGNALS`, or 0 if none came in time or none will come."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while select.select([reader], [], [], None if deadline is None else max(0.0, deadline - time.monotonic()))[0]:
        found = os.read(reader, 1)
        if not found or found[0] in SIGNALS:
            return found[0] if found else 0
    return 0


def _command() -> str:
    """The running command, quoted for a shell."""
    elsewhere = shutil.which("graphcert") is None and os.path.isfile(sys.argv[0])
    return shlex.join([sys.argv[0] if elsewhere else "graphcert", *sys.argv[1:]])
