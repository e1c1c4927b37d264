"""Verification of runs over inputs with one label each: honest ones hold, and forgeries are found."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from forgeries import (
    ALL,
    change_json,
    change_sealed,
    change_settings,
    change_text,
    check_forged,
    check_honest,
    raise_counts,
)

import graphcert as gc
from graphcert.run.outputs import OutputRun
from graphcert.run.settings.output_run import OutputSettings, read_settings

MAIN, PILOT = "votes/000001/main-000000000-000000200.npz", "votes/000001/pilot-000000000-000000020.npz"
NOISES = {
    "selected": {"sigma": 0.5, "select": 0.9, "touched": "1:2"}, "elastic": {"sigma": 0.5, "elasticity": 0.05},
    "hidden": {"keep": 2}, "plain": {"sigma": 0.5, "seed": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Honest runs under several kinds of noise, by name."""
    root = tmp_path_factory.mktemp("outputs")
    labels = np.arange(40) % 2
    values = labels[:, None, None] + np.random.default_rng(0).normal(0, 0.1, (40, 6, 2))
    np.savez(root / "clouds.npz", inputs=values, labels=labels)
    for name, noise in NOISES.items():
        OutputRun(root / name).certify(OutputSettings(**{
            "inputs": str(root / "clouds.npz"), "samples": 200, "pilot_samples": 20, "steps": 40, "limit": 5, **noise,
        }))  # fmt: skip
    return root


@pytest.mark.parametrize("name", NOISES)
def test_an_honest_run_holds_and_is_not_touched(name: str, runs: Path) -> None:
    found = check_honest(runs / name)
    assert sum("voted again" in one.what for one in found.of_kind("recomputed")) == 10
    made = {one.where for one in found.of_kind("recomputed")}
    assert {"results.csv", "inputs.csv", "report.html"} <= made
    proved = {one.where for one in found.of_kind("proved")}
    assert proved == ({"votes", "inputs.csv"} if name == "elastic" else {"votes", "inputs.csv", "results.csv"})


def settings(**values: object) -> Callable[[Path], None]:
    return lambda run: change_settings(run / "settings.toml", lambda found: found["classify"].update(values))


def raised_and_named(run: Path) -> None:
    """Raised counts in the shard, and all results made of it anew by the package itself."""
    change_sealed(run / MAIN, raise_counts)
    OutputRun(run).certify(OutputSettings.from_dict(read_settings(run / "settings.toml")))


def other_rows(run: Path) -> None:
    """Votes that say that every input has a single row."""
    votes = gc.Votes.load(run / "votes/votes.npz")
    gc.Votes(votes.pilot_counts, votes.counts, votes.smoothing, rows=1, manifest=votes.manifest).save(
        run / "votes/votes.npz"
    )


FORGERIES: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "raised counts": (lambda run: change_sealed(run / MAIN, raise_counts), "votes.npz", 0),
    "raised counts, certified again": (raised_and_named, MAIN, ALL),
    "rows fewer than there are": (other_rows, "votes.npz", 0),
    "another level": (settings(alpha=0.2), "manifest.json", 0),
    "less noise": (settings(sigma=0.4), "settings.toml", 0),
    "less selection": (settings(select=0.95), "settings.toml", 0),
    "another seed": (settings(seed=5), "settings.toml", 0),
    "more samples": (settings(samples=10_000), "main-", 0),
    "fewer inputs": (settings(limit=4), "settings.toml", 0),
    "table altered": (lambda run: change_text(run / "results.csv", r"(?m)0\.\d+$", "0.999"), "results.csv", 0),
    "a larger radius": (lambda run: change_text(run / "inputs.csv", r"0\.[1-9]\d+$", "9.5"), "inputs.csv", 0),
    "a larger bound": (lambda run: change_text(run / "inputs.csv", r",0\.9\d+,0\.\d+,", ",0.9999,0.0001,"), "inputs.csv", 0),
    "report altered": (lambda run: change_text(run / "report.html", r"\d\d\.\d%", "99.9%"), "report.html", 0),
    "report of another run": (lambda run: shutil.copy(run.parent / "plain/report.html", run), "report.html", 0),
    "shard removed": (lambda run: (run / MAIN).unlink(), "main-000000000-000000200.npz", 0),
    "shard of another input": (
        lambda run: shutil.copy(run / MAIN.replace("000001/", "000002/"), run / MAIN), "votes/000001", 0,
    ),
    "shard of another run": (lambda run: shutil.copy(run.parent / "plain" / MAIN, run / MAIN), MAIN, 0),
    "pilot in place of final votes": (lambda run: shutil.copy(run / PILOT, run / MAIN), "votes", 0),
    "votes removed": (lambda run: (run / "votes/votes.npz").unlink(), "votes", 0),
    "network of another run": (lambda run: shutil.copy(run.parent / "plain/model.pt", run), "settings.toml", 0),
    "manifest of another run": (lambda run: shutil.copy(run.parent / "plain/manifest.json", run), "manifest.json", 0),
    "votes in the manifest": (
        lambda run: change_json(run / "manifest.json", lambda found: found["votes"].update(votes="0" * 64)), "manifest", 0,
    ),
    "looks removed": (lambda run: change_json(run / "manifest.json", lambda found: found.update(looks=[])), "manifest", 0),
    "plan altered": (
        lambda run: change_json(run / "plan.json", lambda found: found["plans"][0].update(seed=9)), "plan.json", 0,
    ),
    "plan removed": (lambda run: (run / "plan.json").unlink(), MAIN, 0),
    "a file that nobody wrote": (lambda run: (run / "note.txt").write_text("seen"), "note.txt", 0),
    "an input that nobody has": (
        lambda run: shutil.copytree(run / "votes/000001", run / "votes/000009"), "votes/000009", 0,
    ),
}  # fmt: skip
"""What is done to a copy, where it must be noticed, and how many shards have to be voted again for that."""


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found(name: str, runs: Path) -> None:
    check_forged(runs / "selected", runs / "forged", *FORGERIES[name])


def test_votes_of_inputs_are_none_of_a_graph(runs: Path, tmp_path: Path) -> None:
    from graphcert.verification.node_claims import check_certificate
    from graphcert.verification.run_files import read_votes

    votes = read_votes(runs / "plain/votes/votes.npz")
    found = [*check_certificate({}, votes, None)]  # type: ignore[arg-type]
    assert "rows of their own" in found[-1].what
    assert found[-1].kind == "contradiction"
