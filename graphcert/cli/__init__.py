"""The commands `graphcert datasets | train | plan | tune | sample | certify | collective | attack | report | verify |
segment | classify | points`.

Every command answers bad input with one sentence on standard error and exit code 2.
"""

import os
import sys
from typing import Any

from graphcert.cli.interrupts import interruptible
from graphcert.core.files import private_folder
from graphcert.errors import GraphcertError

__all__ = ["app", "main"]


def main() -> None:
    """Entry point: one sentence and exit code 2 for bad input, 130 and 143 for Ctrl-C and SIGTERM."""
    code: Any = 0
    with interruptible() as stop:
        try:
            _settle_caches()
            # Imported here, so that an interrupt of this is handled too.
            from graphcert.cli.nodes import build_app

            app = build_app()
            with stop.resources:
                app(prog_name="graphcert")
        except SystemExit as end:
            code = end.code
        except BaseException as error:
            # Whatever an interrupted import or library makes of the interrupt, it is one.
            if not stop.number:
                code = _answer(error)
        if stop.number:
            stop.end()
        if code == stop.code:  # typer's, for an interrupt that was no signal
            stop.say()
    sys.exit(code)


def _settle_caches() -> None:
    """Give matplotlib, which would complain, another folder for its cache if that of the user cannot be written."""
    if not os.access(os.path.expanduser("~"), os.W_OK):
        folder = private_folder()
        if folder is not None:
            os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))


def _answer(error: BaseException) -> int:
    """Say what was wrong; what is not the user's doing is raised again."""
    if isinstance(error, GraphcertError):
        sentence = str(error)
    elif isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        sentence = f"{error.strerror or error}{place}; choose a folder that can be read and written"
    else:
        raise error
    print(f"graphcert: {sentence}", file=sys.stderr)
    return 2


def __getattr__(name: str) -> Any:
    if name == "app":
        from graphcert.cli.nodes import build_app

        return build_app()
    raise AttributeError(f"module 'graphcert.cli' has no attribute {name!r}")
