"""`graphcert verify`: what it prints, and its exit codes."""

import json
import re

import pytest
from commands import SMALL
from typed import call


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert call(*SMALL, folder, "--collective", "lp") == 0
    return folder


def test_a_run_that_holds(made, run):
    code, out, err = run("verify", made, "--resample", "2")
    assert code == 0
    assert re.fullmatch(r"verified in [\d.]+ s\n", err)
    assert "bit for bit" in out
    assert "it holds (0 contradiction" in out.splitlines()[-1]
    for heading in ("proved:", "recomputed:", "believed:"):
        assert heading in out.splitlines()


def test_a_run_that_does_not_hold(made, run):
    text = (made / "collective.csv").read_text()
    (made / "collective.csv").write_text(text.replace("naive", "tight", 1))
    try:
        code, out, _ = run("verify", made, "--resample", "0")
        assert code == 1
        assert out.startswith("contradiction:\n  collective.csv: it is not the file that statement.json names")
        code, out, _ = run("verify", made, "--resample", "0", "--json")
        assert code == 1
        found = json.loads(out)
        assert found["holds"] is False
        assert {one["where"] for one in found["findings"] if one["kind"] == "contradiction"} == {"collective.csv"}
    finally:
        (made / "collective.csv").write_text(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [(["nowhere"], "there is no folder nowhere"), (["."], "holds no run"), ([".", "--resample", "-1"], "resample")],
)
def test_bad_input(options, words, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("verify", *options)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
