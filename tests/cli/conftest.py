"""The command line as a user types it."""

import sys

import pytest

from graphcert.cli import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Call `graphcert …`; returns (exit code, stdout, stderr)."""

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["graphcert", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
