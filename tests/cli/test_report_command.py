"""`graphcert report`: one run, several runs, and one sentence for what cannot work."""

import shutil
from pathlib import Path

import pytest
from typed import call

from graphcert.run.verify import verify

RUN = [
    "certify", "--dataset", "synthetic", "--dataset-option", "nodes=200", "--dataset-option", "classes=3",
    "--dataset-option", "features=20", "--training-option", "epochs=5", "--samples", "60", "--pilot-samples", "20",
    "--add", "0.05", "--delete", "0.4",
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of different seeds."""
    place = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        assert call(*RUN, "--seed", seed, "--out", place / f"seed{seed}") == 0
    return [place / "seed0", place / "seed1"]


def test_several_runs_make_one_page_and_stay_as_they_are(runs, run, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for folder in runs for path in folder.rglob("*") if path.is_file()}
    code, out, _ = run("report", *runs, "--out", tmp_path / "pages/two.html")
    assert code == 0
    assert "two.html" in out
    page = (tmp_path / "pages/two.html").read_text()
    assert "<h1>2 runs compared</h1>" in page
    # Another seed is another synthetic graph.
    assert "about different graphs" in page
    monkeypatch.chdir(tmp_path)
    assert run("report", *runs)[0] == 0
    assert (tmp_path / "comparison.html").read_text() == page
    assert {path: path.read_bytes() for folder in runs for path in folder.rglob("*") if path.is_file()} == before


def test_the_report_of_one_run_is_the_one_that_verify_draws_again(runs, run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(runs[0], copy)
    (copy / "report.html").unlink()
    assert run("report", copy)[0] == 0
    assert (copy / "report.html").read_bytes() == (runs[0] / "report.html").read_bytes()
    assert verify(copy, resample=0)


def test_what_cannot_work_is_one_sentence(runs, run, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/settings.toml").write_text("")
    for arguments, words in (
        ([runs[0], "--out", tmp_path / "x.html"], "--out is for a comparison of several runs"),
        ([*runs, "--out", runs[0] / "x.html"], "holds its own files only"),
        ([*runs, "--out", tmp_path], "is a folder; name a file"),
        ([runs[0], runs[0]], "is named twice"),
        ([tmp_path / "images"], "is a run over images, points or other inputs"),
        ([runs[0], tmp_path / "nowhere"], "there is no"),
        ([runs[0]] * 9, "is named twice"),
    ):
        code, _, err = run("report", *arguments)
        assert code == 2, arguments
        assert words in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]
