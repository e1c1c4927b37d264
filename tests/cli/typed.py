"""A command as a user types it, in this process."""

import sys

import pytest

from graphcert.cli import main


def call(*arguments) -> int:
    """Call `graphcert …`; returns the code with which it exits."""
    before, sys.argv = sys.argv, ["graphcert", *map(str, arguments)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    return int(stop.value.code or 0)
