"""A command as a user types it, in this process."""

import sys

from graphcert.cli import main


def call(*arguments) -> int:
    """Call `graphcert …`; returns its exit code."""
    before, sys.argv = sys.argv, ["graphcert", *map(str, arguments)]
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0
