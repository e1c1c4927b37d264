"""The command line as a user types it."""

import pytest
from commands import Server
from typed import call


@pytest.fixture
def run(capsys):
    """Call `graphcert …`; returns (exit code, stdout, stderr)."""

    def called(*arguments) -> tuple[int, str, str]:
        code = call(*arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return called


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Commands in processes that may be killed."""
    found = Server(tmp_path_factory.mktemp("server"))
    yield found
    found.close()
