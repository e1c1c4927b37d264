"""kill -9 at every write point and at random moments: the same command again ends with the same files.

All files of a run are compared byte by byte; timings alone are frozen, see `command_server`.
"""

import itertools
import random
import shutil
import signal
from pathlib import Path

import pytest
from commands import KILLED, SMALL

COLLECTIVE = ["collective", "--add", "0:2", "--method", "lp", "--compare"]
STORMS = 8
"""Per command, of 8 random kills each."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs fork")


class Case:
    """A command with its folder before it, its folder after it, how many write points it has and how long it takes."""

    def __init__(self, server, command, before, folder):
        self.server, self.command, self.before = server, command, before
        self.fresh(folder)
        assert server.run(*command, folder)[0] == 0, server.errors()  # fills caches
        self.fresh(folder)
        code, self.points = server.run(*command, folder)
        self.seconds = float(server.used)
        assert code == 0
        self.whole = contents(folder)
        assert "report.html" in self.whole

    def fresh(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        if self.before is not None:
            shutil.copytree(self.before, folder)

    def finish(self, folder):
        """Undisturbed, it ends as if nothing had happened, and leaves nothing else behind."""
        code, _ = self.server.run(*self.command, folder)
        assert code == 0, self.server.errors()
        found = contents(folder)
        assert set(found) == set(self.whole)
        assert [name for name in found if found[name] != self.whole[name]] == []

    def kill_at(self, folder, point):
        """Killed before or after one change of a folder."""
        self.fresh(folder)
        assert self.server.run(*self.command, folder, point=point) == (KILLED, point)
        self.finish(folder)

    def storm(self, folder, generator, kills):
        """Killed again and again at random moments, on the child's own clock, because the machine may be busy."""
        self.fresh(folder)
        for attempt in itertools.count():
            assert attempt < 100, "the command ends before it can be killed"
            self.server.start(*self.command, folder)
            moment = generator.uniform(0, self.seconds)
            self.server.wait_until(lambda moment=moment: self.server.worked() >= moment)
            self.server.send(signal.SIGKILL)
            kills -= self.server.end()[0] == KILLED
            if kills == 0:
                break
        self.finish(folder)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def certify(server, tmp_path_factory):
    return Case(server, SMALL, None, tmp_path_factory.mktemp("whole") / "certify")


@pytest.fixture(scope="module")
def collective(certify, server, tmp_path_factory):
    before = tmp_path_factory.mktemp("before") / "run"
    certify.finish(before)
    return Case(server, COLLECTIVE, before, tmp_path_factory.mktemp("whole") / "collective")


def test_a_few_kills_change_nothing(certify, tmp_path):
    folder, generator = tmp_path / "run", random.Random(0)
    for point in sorted(generator.sample(range(certify.points), 4)):
        certify.kill_at(folder, point)
    certify.storm(folder, generator, 6)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["certify", "collective"])
def test_a_kill_at_every_write_point_changes_nothing(command, request, tmp_path):
    case = request.getfixturevalue(command)
    for point in range(case.points):
        case.kill_at(tmp_path / "run", point)
    assert case.points > 100


@pytest.mark.slow
@pytest.mark.parametrize("command", ["certify", "collective"])
def test_storms_of_random_kills_change_nothing(command, request, tmp_path):
    case, generator = request.getfixturevalue(command), random.Random(command)
    for _ in range(STORMS):
        case.storm(tmp_path / "run", generator, 8)
